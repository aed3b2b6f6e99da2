"""What is found in files: the real ones of this folder, and made ones."""

from pathlib import Path

import gwframe
import h5py
import numpy as np
import pytest

from transforms import gps
from transforms.elements import Interval
from transforms.ingest.config import IngestConfig
from transforms.ingest.errors import DataError
from transforms.ingest.files.formats import inspect, read
from transforms.ingest.quality import settled

DATA = Path(__file__).parent / "data"
GW150914 = DATA / "H-H1_LOSC_4_V2-1126259446-32.hdf5"
GLITCH = DATA / "L-L1_GWOSC_4KHZ_R1-1187008867-32.hdf5"
PYCBC = DATA / "H-H1_O3A_HIGHPASSED_2KHZ-1238205077-500.hdf"
THREE = DATA / "HLV-HW100916-968654552-1.gwf"
LIVE = DATA / "H-H1_O2_llhoft-1216577976-4.gwf"
S = gps.NANOSECONDS


@pytest.mark.parametrize(
    ("path", "channels", "start", "duration", "rate"),
    [
        (GW150914, ["H1:GWOSC-4KHZ_STRAIN"], 1126259446, 32, 4096),
        (GLITCH, ["L1:GWOSC-4KHZ_STRAIN"], 1187008867, 32, 4096),
        (PYCBC, ["H1:STRAIN"], 1238205077, 500, 2048),
        (THREE, ["H1:LDAS-STRAIN", "L1:LDAS-STRAIN", "V1:h_16384Hz"], 968654552, 1, 16384),
        (LIVE, ["H1:GDS-CALIB_STRAIN_O2Replay"], 1216577976, 4, 16384),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_real_files_are_known_by_their_content(path, channels, start, duration, rate, tmp_path):
    spans = inspect(str(path), IngestConfig())
    assert [span.channel for span in spans] == channels
    for span in spans:
        assert span.ifo == span.channel[:2]
        assert (span.gps_start_ns, span.gps_end_ns) == (start * S, (start + duration) * S)
        assert (span.sample_rate, span.file_rate) == (rate, 0)
        assert settled(span.gaps, rate) == []


def test_the_extension_does_not_matter(tmp_path):
    path = tmp_path / "H-H1_X-968654552-1.txt"
    path.write_bytes(THREE.read_bytes())
    assert len(inspect(str(path), IngestConfig())) == 3


@pytest.mark.filterwarnings("ignore:COPY_IF_NEEDED")
@pytest.mark.parametrize(
    ("path", "kind", "channel"),
    [
        (GW150914, "hdf5.gwosc", "H1:GWOSC-4KHZ_STRAIN"),
        (GLITCH, "hdf5.gwosc", "L1:GWOSC-4KHZ_STRAIN"),
    ],
    ids=["GW150914", "GW170817"],
)
def test_strain_is_what_gwpy_reads(path, kind, channel):
    from gwpy.timeseries import TimeSeries

    start = inspect(str(path), IngestConfig())[0].gps_start_ns // S
    theirs = TimeSeries.read(path, format=kind, start=start + 3, end=start + 5)
    ours = read(str(path), channel, (start + 3) * S, (start + 5) * S, 4096)
    np.testing.assert_array_equal(ours, theirs.value)


def test_a_part_of_a_frame_is_that_part_of_the_frame():
    channel = "H1:GDS-CALIB_STRAIN_O2Replay"
    whole = gwframe.read(str(LIVE), channel).array
    part = read(str(LIVE), channel, 1216577977 * S, 1216577977 * S + S // 2, 16384)
    np.testing.assert_array_equal(part, whole[16384 : 16384 + 8192])


def test_failed_checks_become_flags_or_gaps():
    flags = inspect(str(GLITCH), IngestConfig())[0].flags
    bad = (1187008880 * S, 1187008884 * S)
    assert Interval(*bad, "BURST_CAT2") in flags
    assert Interval(*bad, "BURST_CAT3") in flags
    # The mask's bit is NO_CW_HW_INJ and 0: there is one.
    assert Interval(1187008867 * S, 1187008899 * S, "CW_HW_INJ") in flags
    assert len(flags) == 3

    span = inspect(str(GLITCH), IngestConfig(require=("BURST_CAT2",)))[0]
    assert Interval(*bad, "BURST_CAT2") in span.gaps
    assert "BURST_CAT2" not in {flag.name for flag in span.flags}


def write_frame(path: Path, channels: dict, rates: dict, start: float = 1000) -> str:
    gwframe.write(str(path), channels, start, rates)
    return str(path)


def noise(length: int) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 1e-21, length)


def test_state_vector_makes_gaps(tmp_path):
    state = np.full(64, 0b111, np.uint32)
    state[16:24] = 0b101
    path = write_frame(
        tmp_path / "a.gwf",
        {"H1:GDS-CALIB_STRAIN": noise(4096 * 4), "H1:GDS-CALIB_STATE_VECTOR": state},
        {"H1:GDS-CALIB_STRAIN": 4096, "H1:GDS-CALIB_STATE_VECTOR": 16},
    )
    (span,) = inspect(path, IngestConfig())
    assert settled(span.gaps, 4096) == [Interval(1001 * S, 1001 * S + S // 2, "state vector")]


def test_not_ready_throughout_needs_no_strain(tmp_path):
    path = write_frame(
        tmp_path / "a.gwf",
        {"H1:STRAIN": np.full(4096, np.nan), "H1:STATE_VECTOR": np.zeros(16, np.uint32)},
        {"H1:STRAIN": 4096, "H1:STATE_VECTOR": 16},
    )
    (span,) = inspect(path, IngestConfig())
    assert Interval(1000 * S, 1001 * S, "state vector") in span.gaps


def test_masks_beside_the_strain_in_gwosc_frames(tmp_path):
    names = [f"H1:GWOSC-4KHZ_R1_{kind}" for kind in ("STRAIN", "DQMASK", "INJMASK")]
    values = [noise(4096 * 3), np.array([127, 126, 95], np.int32), np.array([31, 31, 30], np.int32)]
    rates = dict(zip(names, (4096, 1, 1), strict=True))
    path = write_frame(tmp_path / "a.gwf", dict(zip(names, values, strict=True)), rates)
    (span,) = inspect(path, IngestConfig())
    assert settled(span.gaps, 4096) == [Interval(1001 * S, 1002 * S, "DATA")]
    assert set(span.flags) == {
        Interval(1002 * S, 1003 * S, "BURST_CAT2"),
        Interval(1002 * S, 1003 * S, "CBC_HW_INJ"),
    }


def test_frames_of_one_file_join_where_they_touch(tmp_path):
    strain = noise(4096 * 3)
    with gwframe.FrameWriter(str(tmp_path / "a.gwf")) as writer:
        for number, start in enumerate((1000.0, 1001.0, 1005.0)):
            frame = gwframe.Frame(start=start, duration=1.0, name="H1")
            part = strain[number * 4096 : (number + 1) * 4096]
            frame.add_channel("H1:STRAIN", part, sample_rate=4096)
            writer.write_frame(frame)
    spans = inspect(str(tmp_path / "a.gwf"), IngestConfig())
    times = [(span.gps_start_ns // S, span.gps_end_ns // S) for span in spans]
    assert times == [(1000, 1002), (1005, 1006)]
    over = read(str(tmp_path / "a.gwf"), "H1:STRAIN", 1000 * S + S // 2, 1001 * S + S // 2, 4096)
    np.testing.assert_array_equal(over, strain[2048 : 2048 + 4096])


def test_frames_marked_invalid_are_gaps(tmp_path):
    with gwframe.FrameWriter(str(tmp_path / "a.gwf")) as writer:
        for start in (1000.0, 1001.0):
            frame = gwframe.Frame(start=start, duration=1.0, name="H1")
            part = np.ma.MaskedArray(noise(4096), mask=start > 1000)
            frame.add_channel("H1:STRAIN", part, sample_rate=4096, channel_type="adc")
            writer.write_frame(frame)
    (span,) = inspect(str(tmp_path / "a.gwf"), IngestConfig())
    assert settled(span.gaps, 4096) == [Interval(1001 * S, 1002 * S, "not finite")]


@pytest.mark.filterwarnings("ignore:COPY_IF_NEEDED")
def test_gwpy_files_name_their_channel(tmp_path):
    from gwpy.timeseries import TimeSeries

    series = TimeSeries(noise(4096), t0=1000, sample_rate=4096, name="Strain")
    series.write(tmp_path / "L-L1_X-1000-1.hdf5", format="hdf5")
    series.channel = "V1:Hrec_hoft"
    series.write(tmp_path / "named.h5", format="hdf5")
    names = [
        inspect(str(tmp_path / name), IngestConfig())[0].channel
        for name in ("L-L1_X-1000-1.hdf5", "named.h5")
    ]
    assert names == ["L1:Strain", "V1:Hrec_hoft"]


@pytest.mark.parametrize(
    ("key", "channel"),
    [
        ("data", "L1:STRAIN"),
        ("H1:X-STRAIN", "H1:X-STRAIN"),
        ("H1/strain", "H1:strain"),
        ("H1", "H1:STRAIN"),
        ("raw/X", "L1:raw:X"),
    ],
)
def test_pycbc_files_name_their_channel(tmp_path, key, channel):
    path = tmp_path / "L-L1_X-1000-1.hdf"
    with h5py.File(path, "w") as file:
        file[key] = noise(2048)
        file[key].attrs.update({"start_time": 1000.0, "delta_t": 1 / 2048})
    assert inspect(str(path), IngestConfig())[0].channel == channel


def test_time_and_detector_from_the_name_where_the_file_is_silent(tmp_path):
    path = tmp_path / "K-K1_X-1000-1.hdf"
    with h5py.File(path, "w") as file:
        file["data"] = noise(2048)
        file["data"].attrs["delta_t"] = 1 / 2048
    (span,) = inspect(str(path), IngestConfig())
    assert (span.ifo, span.gps_start_ns) == ("K1", 1000 * S)


def test_channels_asked_for_are_read_where_they_are():
    asked = IngestConfig(channels=("V1:h_16384Hz", "H1:NOT-HERE"))
    assert [span.channel for span in inspect(str(THREE), asked)] == ["V1:h_16384Hz"]


def test_several_candidates_are_listed(tmp_path):
    names = ("H1:GDS-CALIB_STRAIN", "H1:GDS-CALIB_STRAIN_CLEAN")
    path = write_frame(tmp_path / "a.gwf", dict.fromkeys(names, noise(4096)), 4096)
    with pytest.raises(DataError, match=r"STRAIN, H1:GDS-CALIB_STRAIN_CLEAN.*--channel"):
        inspect(path, IngestConfig())


def test_a_state_vector_is_never_the_strain(tmp_path):
    alone = {"L1:STATE_VECTOR": np.full(16, 3, np.uint32)}
    path = write_frame(tmp_path / "a.gwf", alone, 16)
    with pytest.raises(DataError, match="no strain; it holds L1:STATE_VECTOR"):
        inspect(path, IngestConfig())
    rates = {"H1:STRAIN": 4096, "L1:STATE_VECTOR": 16}
    path = write_frame(tmp_path / "b.gwf", {"H1:STRAIN": noise(4096), **alone}, rates)
    assert [span.channel for span in inspect(path, IngestConfig())] == ["H1:STRAIN"]


def test_gaps_in_the_strain_are_found_across_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr("transforms.ingest.files.formats.CHUNK", 1000)
    strain = noise(4096 * 4)
    strain[950:1010] = np.nan
    strain[1010] = np.inf
    strain[4900:5600] = 3e-22
    strain[9000:9200] = 0.0  # shorter than 1/16 s: quantised, perhaps, not dead
    path = write_frame(tmp_path / "a.gwf", {"H1:STRAIN": strain}, 4096)
    (span,) = inspect(path, IngestConfig())
    expected = [(950, 1011, "not finite"), (4900, 5600, "constant")]
    offset = 1000 * 4096
    assert settled(span.gaps, 4096) == [
        Interval(gps.to_ns(offset + begin, 4096), gps.to_ns(offset + end, 4096), name)
        for begin, end, name in expected
    ]
