"""The ways in which files hold strain, its times, its detector and its data quality."""

import gzip
import os
import socket
from dataclasses import replace
from pathlib import Path

import gwframe
import h5py
import numpy as np
import pytest

from transforms import gps
from transforms.elements import Frame, Interval, Span
from transforms.ingest.config import IngestConfig
from transforms.ingest.filename import detector
from transforms.ingest.files.formats import Found, examine, inspect, read_native
from transforms.ingest.files.stage import unknown_checks
from transforms.ingest.messages.encoder import encode_gwf
from transforms.ingest.messages.gwf import decode
from transforms.ingest.names import is_channel
from transforms.ingest.quality import settled
from transforms.kinds import LetterKind, SegmentKind

S = gps.NANOSECONDS
T0, RATE = 1000, 256
STRAIN = np.random.default_rng(1).normal(0, 1e-21, 40 * RATE)


def cut(start: int, seconds: int) -> np.ndarray:
    """Return what of the strain lies in some seconds after T0."""
    return STRAIN[start * RATE : (start + seconds) * RATE]


def put(path: Path, key: str, start: int, seconds: int, **attrs: object) -> Path:
    """Write some of the strain into HDF5 as gwpy does."""
    with h5py.File(path, "a") as file:
        file[key] = cut(start, seconds)
        file[key].attrs.update({"x0": float(T0 + start), "dx": 1 / RATE, "xunit": "s", **attrs})
    return path


def frames(path: Path, *parts: tuple[int, int, dict], name: str = "LIGO") -> Path:
    """Write frames of some seconds after T0, with channels; not all have all of them."""
    with gwframe.FrameWriter(str(path)) as writer:
        for start, seconds, channels in parts:
            frame = gwframe.Frame(start=float(T0 + start), duration=float(seconds), name=name)
            for channel, (values, unit) in channels.items():
                rate = len(values) / seconds
                frame.add_channel(channel, values, sample_rate=rate, unit=unit)
            writer._channel_names = None
            writer.write_frame(frame)
    return path


def found(path: Path, **config: object) -> Found:
    return examine(str(path), IngestConfig(**config))


def times(spans: tuple[Span, ...]) -> list[tuple[float, float]]:
    return [(s.gps_start_ns / S - T0, s.gps_end_ns / S - T0) for s in spans]


def is_read(path: Path, channel: str, start: int, end: int) -> None:
    samples, rate = read_native(str(path), channel, (T0 + start) * S, (T0 + end) * S)
    assert rate == RATE
    np.testing.assert_array_equal(samples, cut(start, end - start))


def gaps(span: Span) -> list[tuple[float, float, str]]:
    kept = settled(span.gaps, span.sample_rate)
    return [(g.start_ns / S - T0, g.end_ns / S - T0, g.name) for g in kept]


@pytest.mark.parametrize("channels", [(), ("H1:X-STRAIN",)])
def test_all_stretches_of_a_channel_in_hdf5_are_found(tmp_path, channels):
    path = tmp_path / "a.h5"
    for start in (20, 0, 8):
        put(path, f"{T0 + start}-8/H1:X-STRAIN", start, 8)
    seen = found(path, channels=channels)
    assert times(seen.spans) == [(0, 8), (8, 16), (20, 28)]
    assert seen.errors == ()
    is_read(path, "H1:X-STRAIN", 21, 27)
    is_read(path, "H1:X-STRAIN", 5, 12)  # over the border of two


def test_stretches_that_overlap_are_read_once(tmp_path):
    path = tmp_path / "a.h5"
    for key, start, seconds in (("a", 0, 10), ("b", 5, 10), ("c", 10, 10), ("d", 2, 3)):
        put(path, f"{key}/H1:X-STRAIN", start, seconds)
    put(path, "e/H1:X-STRAIN", 30, 4, dx=2 / RATE)
    seen = found(path)
    assert times(seen.spans) == [(0, 10), (10, 15), (15, 20)]
    kinds = [error.kind for error in seen.errors]
    assert kinds == [LetterKind.RATE, LetterKind.COVERED]
    assert "1002 to 1015 is there more than once" in str(seen.errors[1])
    assert "1000000000" not in str(seen.errors[0])
    is_read(path, "H1:X-STRAIN", 3, 18)


def test_frames_that_overlap_or_have_another_rate_are_read_once(tmp_path):
    key = "H1:X-STRAIN"
    parts = [
        (start, seconds, {key: (cut(start, seconds), "")})
        for start, seconds in ((10, 10), (0, 10), (5, 10))
    ]
    odd = (30, 4, {key: (cut(30, 2), "")})
    path = frames(tmp_path / "a.gwf", *parts, odd)
    seen = found(path)
    assert times(seen.spans) == [(0, 20)]
    assert [str(error).partition(": ")[2] for error in seen.errors] == [
        "H1:X-STRAIN has 128 Hz from 1030 to 1034 and 256 Hz elsewhere; write that part into a"
        " file of its own and analyse it alone",
        "H1:X-STRAIN 1005 to 1015 is there more than once, not read again",
    ]
    is_read(path, key, 3, 18)


def test_many_frames_of_a_kind_are_told_in_one_line(tmp_path):
    key = "H1:X-STRAIN"
    good = [(start, 1, {key: (cut(start, 1), "")}) for start in range(16)]
    odd = [(start, 1, {key: (cut(start, 1)[::2], "")}) for start in range(16, 24)]
    seen = found(frames(tmp_path / "a.gwf", *good, *good, *odd))
    assert times(seen.spans) == [(0, 16)]
    assert [error.kind for error in seen.errors] == [LetterKind.RATE, LetterKind.COVERED]
    assert "from 1016 to 1024 and" in str(seen.errors[0])
    assert "1000 to 1016 is there" in str(seen.errors[1])


def test_a_frame_that_is_nowhere_costs_no_other(tmp_path):
    """One lies off the grid, one has no whole rate."""
    key = "H1:X-STRAIN"
    with gwframe.FrameWriter(str(tmp_path / "a.gwf")) as writer:
        for start, rate in ((0, RATE), (4.0001, RATE), (8, 256.5), (12, RATE)):
            frame = gwframe.Frame(start=T0 + start, duration=4.0, name="H1")
            frame.add_channel(key, cut(int(start), 4), sample_rate=rate)
            writer.write_frame(frame)
    seen = found(tmp_path / "a.gwf")
    assert times(seen.spans) == [(0, 4), (12, 16)]
    assert [error.kind for error in seen.errors] == [LetterKind.OFF_GRID, LetterKind.RATE]
    is_read(tmp_path / "a.gwf", key, 12, 16)


def test_frames_that_lack_the_channel_are_no_data(tmp_path):
    key, other = "H1:X-STRAIN", {"H1:OTHER": (cut(0, 4), "")}
    parts = [
        (start, 4, other | ({key: (cut(start, 4), "")} if start not in (0, 8) else {}))
        for start in range(0, 20, 4)
    ]
    path = frames(tmp_path / "a.gwf", *parts)
    seen = found(path)
    assert seen.errors == ()
    assert times(seen.spans) == [(4, 8), (12, 20)]
    is_read(path, key, 13, 20)


@pytest.mark.parametrize("suffix", ["gwf", "h5"])
def test_channels_without_a_detector_get_that_of_the_file(tmp_path, suffix):
    spans = []
    for ifo in ("H1", "L1"):
        path = tmp_path / f"{ifo[0]}-{ifo}_OPEN-{T0}-8.{suffix}"
        if suffix == "gwf":
            frames(path, (0, 8, {"Strain": (cut(0, 8), "")}))
        else:
            put(path, "Strain", 0, 8)
        spans += found(path).spans
        is_read(path, f"{ifo}:Strain", 2, 5)
    assert [(span.ifo, span.channel) for span in spans] == [
        ("H1", "H1:Strain"), ("L1", "L1:Strain")
    ]  # fmt: skip


def test_the_detector_of_a_frame_is_its_channels_or_its_names_or_its_own(tmp_path):
    plain, whole = {"Strain": (cut(0, 8), "")}, {"L1:STRAIN": (cut(0, 8), "")}
    named = frames(tmp_path / "a.gwf", (0, 8, plain), name="V1")
    assert [span.channel for span in found(named).spans] == ["V1:Strain"]
    other = frames(tmp_path / f"H-H1_X-{T0}-8.gwf", (0, 8, whole))
    assert [(span.ifo, span.channel) for span in found(other).spans] == [("L1", "L1:STRAIN")]
    silent = frames(tmp_path / "b.gwf", (0, 8, plain))
    (error,) = found(silent).errors
    assert "no interferometer in the file or its name" in str(error)


@pytest.mark.parametrize(
    ("name", "ifo"),
    [
        ("GW190521_H1_32s.hdf5", "H1"),
        ("strain.V1.h5", "V1"),
        ("H1.gwf", "H1"),
        ("H1-L1.h5", ""),
        ("R1_V2.h5", ""),
        ("OTH1ER.h5", ""),
        ("H-R-1216577976-64.gwf", ""),
    ],
)
def test_a_name_tells_the_detector_where_that_is_plain(tmp_path, name, ifo):
    assert detector(f"/data/L1/{name}") == ifo


def test_other_things_in_a_file_are_passed_over(tmp_path):
    path = put(tmp_path / "a.hdf", "H1/strain", 0, 8)
    with h5py.File(path, "a") as file:
        file["H1/psd"] = np.ones(513)
        file["H1/psd"].attrs.update({"delta_f": 1.0, "epoch": 1000.0})
        file["asd"] = np.ones(513)
        file["asd"].attrs.update({"x0": 0.0, "dx": 0.5, "xunit": "Hz", "epoch": 1000.0})
        file["table"] = np.ones((4, 4))
        file["nowhere"] = h5py.SoftLink("/gone")
        file["elsewhere"] = h5py.ExternalLink("gone.h5", "/x")
        file["H1/round"] = file["H1"]
    assert [span.channel for span in found(path).spans] == ["H1:strain"]
    assert found(path, channels=("H1:strain",)).errors == ()


STATE = np.full(16 * 8, 3, np.uint32)
STATE[16 * 2 : 16 * 3] = 1


@pytest.mark.parametrize("suffix", ["gwf", "h5"])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (STATE, [(2, 3, "state vector")]),
        (STATE[: 16 * 5], [(2, 3, "state vector"), (5, 8, "state vector")]),
        (STATE.astype("f4"), [(2, 3, "state vector")]),
        (np.where(STATE == 3, 3.0, np.nan), [(2, 3, "state vector")]),
    ],
    ids=["whole", "short", "real", "nan"],
)
def test_a_state_vector_makes_the_same_gaps_in_any_container(tmp_path, suffix, values, expected):
    path = tmp_path / f"a.{suffix}"
    names = "H1:GDS-CALIB_STRAIN", "H1:GDS-CALIB_STATE_VECTOR"
    if suffix == "gwf":
        frame = gwframe.Frame(start=float(T0), duration=8.0, name="H1")
        frame.add_channel(names[0], cut(0, 8), sample_rate=RATE)
        frame.add_channel(names[1], values, sample_rate=16)
        frame.write(str(path))
    else:
        put(path, names[0], 0, 8)
        with h5py.File(path, "a") as file:
            file[names[1]] = values
            file[names[1]].attrs.update({"x0": float(T0), "dx": 1 / 16, "xunit": "s"})
    (span,) = found(path).spans
    assert gaps(span) == expected
    kinds = {gap.kind for gap in settled(span.gaps, RATE)}
    assert kinds == {SegmentKind.STATE_VECTOR}


S6 = "0:DATA 1:CBCHIGH_CAT1 4:CBCHIGH_CAT4 9:BURST_CAT1"
GOOD, CAT4, BAD = 0b1000010011, 0b1000000011, 0b10011
MASK = np.array([GOOD, GOOD, CAT4, GOOD, BAD, GOOD, GOOD, GOOD], np.int32)


def masked(path: Path, unit: str, name: str = "LOSC", values: np.ndarray = MASK) -> Path:
    """Write 8 s of strain with a mask, in frames or HDF5."""
    strain, mask = f"H1:{name}-STRAIN", f"H1:{name}-DQMASK"
    if path.suffix == ".gwf":
        frame = gwframe.Frame(start=float(T0), duration=8.0, name="H1")
        frame.add_channel(strain, cut(0, 8), sample_rate=RATE)
        frame.add_channel(mask, values, sample_rate=1, unit=unit)
        frame.write(str(path))
        return path
    put(path, strain, 0, 8)
    with h5py.File(path, "a") as file:
        file[mask] = values
        file[mask].attrs.update({"x0": float(T0), "dx": 1.0, "xunit": "s", "unit": unit})
    return path


@pytest.mark.parametrize("suffix", ["gwf", "h5"])
def test_bits_have_the_names_that_the_file_gives_them(tmp_path, suffix):
    (span,) = found(masked(tmp_path / f"a.{suffix}", S6)).spans
    assert gaps(span) == [(4, 5, "BURST_CAT1")]
    assert span.flags == (Interval((T0 + 2) * S, (T0 + 3) * S, "CBCHIGH_CAT4"),)


def test_replayed_frames_keep_the_names_of_bits(tmp_path):
    span = found(masked(tmp_path / "a.gwf", S6)).spans[0]
    frame = Frame(
        ifo=span.ifo,
        channel=span.channel,
        sample_rate=RATE,
        gps_start_ns=T0 * S,
        data=cut(0, 8).tobytes(),
        gaps=tuple(settled(span.gaps, RATE)),
        flags=span.flags,
    )
    (again,) = decode(encode_gwf([frame]), "topic", IngestConfig())
    assert (again.gaps, again.flags) == (frame.gaps, frame.flags)
    unknown = Interval(T0 * S, (T0 + 1) * S, "data quality unknown")
    (again,) = decode(encode_gwf([replace(frame, gaps=(unknown,))]), "topic", IngestConfig())
    assert [gap.name for gap in again.gaps] == ["state vector"]


def test_masks_without_detector_or_in_small_letters_are_those_of_the_strain(tmp_path):
    frame = gwframe.Frame(start=float(T0), duration=8.0, name="H1")
    frame.add_channel("Strain", cut(0, 8), sample_rate=RATE)
    frame.add_channel("DQmask", MASK, sample_rate=1, unit=S6)
    frame.write(str(tmp_path / "a.gwf"))
    (span,) = found(tmp_path / "a.gwf").spans
    assert (span.channel, gaps(span)) == ("H1:Strain", [(4, 5, "BURST_CAT1")])


def test_frames_that_lack_the_mask_are_not_taken_for_good(tmp_path):
    strain, mask = "H1:LOSC-STRAIN", "H1:LOSC-DQMASK"
    parts = [
        (start, 4, {strain: (cut(start, 4), "")} | ({mask: (MASK[:4], S6)} if start else {}))
        for start in (0, 4)
    ]
    (span,) = found(frames(tmp_path / "a.gwf", *parts)).spans
    assert gaps(span) == [(0, 4, "data quality unknown")]


@pytest.mark.parametrize("suffix", ["gwf", "h5"])
@pytest.mark.parametrize("unit", ["", "mask", "0:<b>"])
def test_bits_without_names_are_not_guessed(tmp_path, suffix, unit):
    path = masked(tmp_path / f"a.{suffix}", unit)
    seen = found(path)
    assert seen.spans == ()
    assert "H1:LOSC-DQMASK does not say what its bits mean" in str(seen.errors[0])
    (span,) = found(path, require=()).spans
    assert gaps(span) == []
    assert span.flags == ()


def test_masks_since_o1_have_documented_bits(tmp_path):
    values = np.array([127] * 6 + [126, 95], np.int32)
    path = masked(tmp_path / "a.gwf", "", "GWOSC-4KHZ_R1", values)
    (span,) = found(path).spans
    assert gaps(span) == [(6, 7, "DATA")]
    assert [flag.name for flag in span.flags] == ["BURST_CAT2"]


@pytest.mark.parametrize("suffix", ["gwf", "h5"])
@pytest.mark.parametrize(
    ("require", "expected"), [(("DATA",), [(5, 8, "data quality unknown")]), ((), [])]
)
def test_strain_beyond_its_mask_is_not_taken_for_good(tmp_path, suffix, require, expected):
    path = masked(tmp_path / f"a.{suffix}", S6, values=MASK[:5])
    (span,) = found(path, require=require).spans
    assert gaps(span) == expected


def gwosc(path: Path, mask: np.ndarray, **attrs: object) -> Path:
    """Write 8 s as GWOSC does."""
    with h5py.File(path, "w") as file:
        file["strain/Strain"] = cut(0, 8)
        about = {"Xstart": T0, "Xspacing": 1 / RATE, "Npoints": 8 * RATE, "Xunits": "second"}
        file["strain/Strain"].attrs.update(about)
        file["quality/simple/DQmask"] = mask
        file["quality/simple/DQmask"].attrs.update({"Xstart": T0, "Xspacing": 1.0, **attrs})
        names = np.array([b"DATA", b"CBC_CAT1"])
        file["quality/simple/DQShortnames"] = names
        file["meta/Detector"] = "H1"
    return path


def test_strain_beyond_a_mask_of_gwosc_is_not_taken_for_good(tmp_path):
    (span,) = found(gwosc(tmp_path / "a.hdf5", np.full(5, 3))).spans
    assert gaps(span) == [(5, 8, "data quality unknown")]
    assert settled(span.gaps, RATE)[0].kind is SegmentKind.CHECK
    (span,) = found(gwosc(tmp_path / "b.hdf5", np.full(8, 3), Xstart=T0 + 2)).spans
    assert gaps(span) == [(0, 2, "data quality unknown")]


def test_a_required_check_that_no_mask_has_is_told(tmp_path):
    seen = found(gwosc(tmp_path / "a.hdf5", np.full(8, 3)), require=("DATA", "BURST_CAT_1"))
    assert seen.checks == ("DATA", "CBC_CAT1")
    (letter,) = unknown_checks(seen.checks, ("DATA", "BURST_CAT_1"))
    assert letter.kind is LetterKind.NOTE
    assert "no mask has BURST_CAT_1" in letter.reason
    assert unknown_checks(seen.checks, ("DATA",)) == []
    # Of files without masks, only a name that no mask has can be a slip of the pen.
    assert unknown_checks((), ("DATA", "CBCHIGH_CAT1")) == []
    (letter,) = unknown_checks((), ("DATA", "BURST_CAT_1"))
    assert "no mask has BURST_CAT_1" in letter.reason


@pytest.mark.parametrize("size", [512, 1024, 4096])
def test_hdf5_behind_a_block_of_something_else_is_read(tmp_path, size):
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=size) as file:
        file["H1:X-STRAIN"] = cut(0, 8)
        file["H1:X-STRAIN"].attrs.update({"x0": float(T0), "dx": 1 / RATE})
    with open(tmp_path / "a.mat", "r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file")
    assert times(found(tmp_path / "a.mat").spans) == [(0, 8)]
    is_read(tmp_path / "a.mat", "H1:X-STRAIN", 2, 5)


HEAD = (
    f"# Gravitational wave strain for GW200322_091133-v1 for L1 (see http://losc.ligo.org)\n"
    f"# This file has {RATE} samples per second\n"
    f"# starting GPS {T0} duration 8\n"
)


def written(path: Path, text: str) -> Path:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt") as file:
        file.write(text)
    return path


@pytest.mark.parametrize("suffix", ["txt", "txt.gz"])
def test_text_of_gwosc_is_read(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr("transforms.ingest.files.text._CHUNK", 1000)
    lines = "\n".join(repr(float(value)) for value in cut(0, 8))
    path = written(tmp_path / f"a.{suffix}", HEAD + lines + "\n")
    (span,) = found(path).spans
    assert (span.ifo, span.channel, times((span,))) == ("L1", "L1:GWOSC_STRAIN", [(0, 8)])
    is_read(path, "L1:GWOSC_STRAIN", 2, 5)


@pytest.mark.parametrize("suffix", ["txt", "txt.gz"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# nothing\n1.0\n", "does not give samples per second"),
        (HEAD + "1.0\n" * 2047, "2047 samples where its header promises 2048"),
        (HEAD + "1.0\n" * 2049, "more than 2048 samples"),
        (HEAD + "1.0\n" * 2047 + "one\n", "a line is no number"),
        (HEAD + "1" * 9000, "is no number|longer than any number|samples where"),
        (HEAD.replace("256", "0"), "no sample rate"),
        (HEAD.replace("duration 8", "duration 999999999"), "text is read up to"),
        (HEAD.replace("GPS 1000", "GPS 99999999999"), "no GPS time"),
        ("#" * 5000, "does not give samples per second"),
    ],
    ids=str,
)
def test_text_that_is_no_strain_is_refused(tmp_path, suffix, text, words):
    (error,) = found(written(tmp_path / f"a.{suffix}", text)).errors
    assert any(each in str(error) for each in words.split("|"))


def test_a_damaged_gzip_is_refused(tmp_path):
    path = written(tmp_path / "a.txt.gz", HEAD + "1.5\n2.5\n" * 1024)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:-8] + bytes(8), whole[:3], b"\x1f\x8b"):
        path.write_bytes(content)
        assert len(found(path).errors) == 1


def test_only_what_can_matter_is_looked_at(tmp_path):
    """Samples outside the window are not: what is no number there is not known."""
    path = put(tmp_path / "a.h5", "H1:X-STRAIN", 0, 40)
    with h5py.File(path, "a") as file:
        file["H1:X-STRAIN"][[RATE, 39 * RATE]] = np.nan
    window = (T0 + 10) * S, (T0 + 40) * S
    (span,) = examine(str(path), IngestConfig(), window).spans
    assert [start for start, *_ in gaps(span)] == [39]
    assert [start for start, *_ in gaps(inspect(str(path), IngestConfig())[0])] == [1, 39]


@pytest.mark.parametrize(
    "name",
    [
        "H1:",
        "h1:X",
        "H1:a b",
        "H1:a/b",
        "H1:..\\x",
        "H1:é",
        "H1:<x>",
        "H1:x\n",
        "H:X",
        "H1:" + 251 * "x",
    ],
)
def test_names_that_mean_something_elsewhere_are_no_channels(name):
    assert not is_channel(name)
    assert is_channel("H1:GDS-CALIB_STRAIN_O2Replay.mean,m-trend")


def test_samples_that_were_never_written_are_not_waited_for(tmp_path):
    """A file of some kilobytes may promise samples that take days to look at."""
    path = tmp_path / "H-H1_X-1000-8.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("H1:X-STRAIN", (1 << 40,), "f8", chunks=(1 << 10,))
        file["H1:X-STRAIN"][: 8 * RATE] = cut(0, 8)
        file["H1:X-STRAIN"].attrs.update({"x0": float(T0), "dx": 1 / RATE})
    (error,) = found(path).errors
    assert "1099511627776 samples are promised in /H1:X-STRAIN and only 2048 were written" in str(
        error
    )


def test_half_of_a_file_is_analysed_where_the_other_was_not_written(tmp_path):
    path = tmp_path / "H-H1_X-1000-40.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("H1:X-STRAIN", (40 * RATE,), "f8", chunks=(RATE,))
        file["H1:X-STRAIN"][: 20 * RATE] = cut(0, 20)
        file["H1:X-STRAIN"].attrs.update({"x0": float(T0), "dx": 1 / RATE})
    (span,) = found(path).spans
    assert gaps(span) == [(20, 40, "constant")]


@pytest.mark.parametrize("attrs", [{"x0": T0 + 0.01}, {"dx": 10.0}, {"dx": 0.3}])
def test_a_mask_that_is_nowhere_is_named(tmp_path, attrs):
    path = put(tmp_path / "a.h5", "H1:X-STRAIN", 0, 8)
    with h5py.File(path, "a") as file:
        file["H1:X-STATE_VECTOR"] = np.full(8, 3)
        file["H1:X-STATE_VECTOR"].attrs.update({"x0": float(T0), "dx": 1.0, **attrs})
    (error,) = found(path).errors
    assert f"{path}: /H1:X-STATE_VECTOR: " in str(error)


@pytest.mark.parametrize("values", [np.ones(8, bool), np.full((8, 1), 3), np.array([b"3"] * 8)])
def test_a_state_vector_that_cannot_be_read_is_not_passed_over(tmp_path, values):
    path = put(tmp_path / "a.h5", "H1:X-STRAIN", 0, 8)
    with h5py.File(path, "a") as file:
        file["H1:X-STATE_VECTOR"] = values
        file["H1:X-STATE_VECTOR"].attrs.update({"x0": float(T0), "dx": 1.0})
    (error,) = found(path).errors
    assert "/H1:X-STATE_VECTOR is no row of integers" in str(error)


def test_what_is_no_file_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a.h5")
        os.mkfifo("b.h5")
        for path in ("a.h5", "b.h5", "/dev/null", "/dev/zero"):
            (error,) = found(Path(path)).errors
            assert "is a pipe or device" in str(error)
            assert error.kind is LetterKind.ACCESS
