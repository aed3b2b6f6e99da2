"""Files that cannot be used: each gives one line that names it and says what to do."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import gwframe
import h5py
import numpy as np
import pytest

from transforms.ingest.config import IngestConfig
from transforms.ingest.errors import DataError
from transforms.ingest.files.formats import inspect, read

DATA = Path(__file__).parent / "data"
HDF5 = (DATA / "H-H1_LOSC_4_V2-1126259446-32.hdf5").read_bytes()
GWF = (DATA / "HLV-HW100916-968654552-1.gwf").read_bytes()


def refused(path: Path, **config: object) -> str:
    with pytest.raises(DataError) as caught:
        inspect(str(path), IngestConfig(**config))
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.gwf", b"", "is empty; fetch"),
        ("text.hdf5", b"<html>404 not found</html>", "neither HDF5 nor GWF"),
        ("cut.hdf5", HDF5[: len(HDF5) // 2], "truncated or damaged; fetch it again"),
        ("head.hdf5", HDF5[:64], "truncated or damaged; fetch it again"),
        ("cut.gwf", GWF[: len(GWF) // 2], "truncated or damaged; fetch it again"),
        ("head.gwf", GWF[:64], "truncated or damaged; fetch it again"),
        ("tail.gwf", GWF[:-8], "truncated or damaged; fetch it again"),
        ("bit.gwf", GWF[:90000] + bytes([GWF[90000] ^ 1]) + GWF[90001:], "damaged; fetch it again"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_bytes_that_are_no_strain(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    assert words in refused(path)


@pytest.mark.parametrize("where", range(200, len(HDF5), len(HDF5) // 12))
def test_damage_in_hdf5_is_no_crash(tmp_path, where):
    path = tmp_path / "H-H1_X-1126259446-32.hdf5"
    path.write_bytes(HDF5[:where] + bytes(64) + HDF5[where + 64 :])
    with suppress(DataError):
        inspect(str(path), IngestConfig())


def test_missing_file_and_directory(tmp_path):
    assert "no such file; check the path" in refused(tmp_path / "none.gwf")
    assert "is a directory; name the files in it" in refused(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.gwf")
    assert "is a pipe" in refused(tmp_path / "pipe.gwf")


@pytest.mark.slow
def test_unreadable_file(tmp_path):
    path = tmp_path / "secret.gwf"
    path.write_bytes(GWF)
    path.chmod(0)
    # Permissions do not bind root, so a process that is not root must try.
    script = (
        "import os, sys\n"
        "from transforms.ingest.config import IngestConfig\n"
        "from transforms.ingest.files.formats import inspect\n"
        "os.geteuid() == 0 and os.seteuid(65534)\n"
        "try:\n    inspect(sys.argv[1], IngestConfig())\n"
        "except ValueError as error:\n    print(error)\n"
    )
    for folder in (path.parent, *path.parent.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=DATA.parents[1],
        env={**os.environ, "PYTHONPATH": str(DATA.parents[1])},
    )
    assert done.stdout == (
        f"{path}: cannot be opened (Permission denied); check its permissions\n"
    ), done.stderr


def test_channel_that_is_not_there():
    path = DATA / "HLV-HW100916-968654552-1.gwf"
    text = refused(path, channels=("H1:FOO",))
    assert "no channel H1:FOO; it holds H1:LDAS-STRAIN, L1:LDAS-STRAIN" in text
    assert "--channel" in text


def write_pycbc(path: Path, strain: np.ndarray, **attrs: float) -> Path:
    with h5py.File(path, "w") as file:
        file["data"] = strain
        file["data"].attrs.update(attrs)
    return path


@pytest.mark.parametrize(
    ("strain", "attrs", "words"),
    [
        (np.full(2048, np.nan), {"start_time": 1000.0, "delta_t": 1 / 2048}, "no finite sample"),
        (np.ones(0), {"start_time": 1000.0, "delta_t": 1 / 2048}, "no finite sample"),
        (np.ones(2048), {"start_time": 1000.0}, "no sample rate"),
        (np.ones(2048), {"start_time": 1000.0, "delta_t": 0.3}, "no sample rate"),
        (np.ones(2048), {}, "no sample rate"),
        (np.ones(2048), {"start_time": 1000.0001, "delta_t": 1 / 2048}, "GPS grid"),
    ],
    ids=["nan", "no samples", "no rate", "odd rate", "bare", "off grid"],
)
def test_strain_that_cannot_be_placed(tmp_path, strain, attrs, words):
    assert words in refused(write_pycbc(tmp_path / "H-H1_X-1000-1.hdf", strain, **attrs))


def test_no_detector_and_no_start_in_content_or_name(tmp_path):
    strain = np.ones(2048)
    nameless = write_pycbc(tmp_path / "a.hdf", strain, start_time=1000.0, delta_t=1 / 2048)
    assert "no interferometer" in refused(nameless)
    timeless = write_pycbc(tmp_path / "b.hdf", strain, delta_t=1 / 2048)
    assert "no start time" in refused(timeless)


def test_fewer_samples_than_promised(tmp_path):
    path = tmp_path / "H-H1_X-1126259446-32.hdf5"
    path.write_bytes(HDF5)
    with h5py.File(path, "r+") as file:
        file["strain/Strain"].attrs["Npoints"] = 32 * 4096 + 1
    assert "131072 samples in /strain/Strain where 131073 are promised" in refused(path)

    frame = gwframe.Frame(start=1000.0, duration=2.0, name="H1")
    frame.add_channel("H1:STRAIN", np.ones(4096), sample_rate=4096)
    frame.write(str(tmp_path / "a.gwf"))
    assert "4096 samples of H1:STRAIN" in refused(tmp_path / "a.gwf")


def test_reading_beyond_a_file_is_refused():
    for name, channel in (
        ("H-H1_LOSC_4_V2-1126259446-32.hdf5", "H1:GWOSC-4KHZ_STRAIN"),
        ("HLV-HW100916-968654552-1.gwf", "H1:LDAS-STRAIN"),
    ):
        with pytest.raises(DataError, match="no longer holds"):
            read(str(DATA / name), channel, 10**9, 2 * 10**9, 4096)
