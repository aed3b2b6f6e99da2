"""Real strain cut into files of every format gives the same blocks, bit for bit."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import gwframe
import h5py
import numpy as np
import pytest

from transforms import gps
from transforms.elements import Block
from transforms.ingest.config import IngestConfig
from transforms.ingest.errors import DataError
from transforms.ingest.files.blocks import read_block
from transforms.ingest.files.formats import inspect, read
from transforms.ingest.files.plan import plan
from transforms.ingest.reach import Reach

S = gps.NANOSECONDS
SOURCE = Path(__file__).parent / "data" / "L-L1_GWOSC_4KHZ_R1-1187008867-32.hdf5"
CHANNEL = "L1:GWOSC-4KHZ_STRAIN"
START, LENGTH, RATE = 1187008867, 32, 4096
REACH = Reach(past_ns=6 * S, future_ns=S // 8, warm_up_ns=12 * S)
CONFIG = IngestConfig(block_seconds=8)


def blocks(paths: list[Path], config: IngestConfig = CONFIG) -> list[Block]:
    spans = [span for path in paths for span in inspect(str(path), config)]
    planned = plan(spans, REACH, 8 * S, config.block_seconds * S)
    assert planned.dead_letters == ()
    return [read_block(block) for block in planned.blocks]


def write_gwosc(path: Path, offset: int, seconds: int) -> None:
    """Write some seconds of the source in its own layout, with its masks."""
    with h5py.File(SOURCE) as source, h5py.File(path, "w") as file:
        source.copy("meta", file)
        for key, rate in (
            ("strain/Strain", RATE),
            ("quality/simple/DQmask", 1),
            ("quality/injections/Injmask", 1),
        ):
            part = source[key][offset * rate : (offset + seconds) * rate]
            file[key] = part
            attrs = {"Xstart": START + offset, "Xspacing": 1 / rate, "Npoints": len(part)}
            file[key].attrs.update(attrs)
        for key in ("quality/simple/DQShortnames", "quality/injections/InjShortnames"):
            file[key] = source[key][:]


def write_gwpy(path: Path, offset: int, seconds: int) -> None:
    with h5py.File(SOURCE) as source, h5py.File(path, "w") as file:
        file["Strain"] = source["strain/Strain"][offset * RATE : (offset + seconds) * RATE]
        file["Strain"].attrs.update({"x0": float(START + offset), "dx": 1 / RATE, "xunit": "s"})
        file["Strain"].attrs.update({"name": "Strain", "channel": CHANNEL})


def write_gwf(path: Path, offset: int, seconds: int) -> None:
    """Write some seconds as frames of one second each."""
    with h5py.File(SOURCE) as source:
        strain = source["strain/Strain"][:]
    with gwframe.FrameWriter(str(path)) as writer:
        for second in range(offset, offset + seconds):
            frame = gwframe.Frame(start=float(START + second), duration=1.0, name="L1")
            part = strain[second * RATE : (second + 1) * RATE]
            frame.add_channel(CHANNEL, part, sample_rate=RATE)
            writer.write_frame(frame)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1, 4, 32])
@pytest.mark.parametrize("write", [write_gwosc, write_gwpy, write_gwf])
def test_any_cutting_into_any_format_gives_the_same_bytes(tmp_path, write, seconds):
    expected = blocks([SOURCE])
    assert len(expected) == 5
    paths = []
    for offset in range(0, LENGTH, seconds):
        paths.append(tmp_path / f"L-L1_X-{START + offset}-{seconds}.file")
        write(paths[-1], offset, seconds)
    found = blocks(paths[::-1])
    if write is not write_gwosc:  # the only one of the three that has masks
        expected = [replace(block, flags=()) for block in expected]
    assert found == expected


def test_the_bytes_are_the_strain():
    with h5py.File(SOURCE) as file:
        strain = file["strain/Strain"][:]
    for block in blocks([SOURCE]):
        begin = (block.gps_start_ns - START * S) * RATE // S
        np.testing.assert_array_equal(block.samples, strain[begin : begin + len(block.samples)])


def virgo(folder: Path, edges: list[int]) -> list[Path]:
    """Write 20 kHz noise, cut at some samples."""
    strain = np.random.default_rng(3).normal(0, 1e-21, 30 * 20000)
    paths = []
    for begin, end in pairwise(edges):
        paths.append(folder / f"{begin}-{end}.h5")
        with h5py.File(paths[-1], "w") as file:
            file["V1:h_20000Hz"] = strain[begin:end]
            file["V1:h_20000Hz"].attrs.update({"x0": 1000 + begin / 20000, "dx": 1 / 20000})
    return paths


@pytest.mark.slow
def test_resampling_leaves_no_trace_of_the_files(tmp_path):
    one = virgo(tmp_path, [0, 600_000])
    expected = blocks(one)
    assert {block.sample_rate for block in expected} == {16384}
    many = virgo(tmp_path, [0, 20_000, 20_007, 200_000, 450_000, 600_000])
    assert blocks(many) == expected

    inside = read(str(one[0]), "V1:h_20000Hz", 1009 * S, 1010 * S, 16384)
    block = next(block for block in expected if block.gps_start_ns <= 1009 * S)
    first = gps.to_index(1009 * S, 16384) - gps.to_index(block.gps_start_ns, 16384)
    np.testing.assert_array_equal(block.samples[first : first + 16384], inside)
    with pytest.raises(DataError, match="no longer holds"):
        read(str(one[0]), "V1:h_20000Hz", 1000 * S, 1001 * S, 16384)


def test_a_file_that_changed_since_is_refused(tmp_path):
    path = tmp_path / "L-L1_X-1187008867-32.hdf5"
    write_gwpy(path, 0, 32)
    spans = inspect(str(path), CONFIG)
    first, *_ = plan(spans, REACH, 8 * S, 8 * S).blocks
    with h5py.File(path, "r+") as file:
        file["Strain"][100] = np.nan
    with pytest.raises(DataError, match="not finite where inspection found all finite"):
        read_block(first)
    write_gwpy(path, 8, 24)
    with pytest.raises(DataError, match="no longer holds"):
        read_block(first)
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        read_block(first)
