"""Files played as frames: the archive's samples, bit for bit, in the order of time."""

from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_pipeline.replay import playback
from beam_pipeline.replay.playback import READ_NS, FrameCutting, Playback, gather
from transforms import gps
from transforms.elements import Interval, Span
from transforms.ingest.config import FORMATS, IngestConfig
from transforms.ingest.files import formats
from transforms.ingest.files.formats import inspect, read, read_native
from transforms.ingest.intervals import merged
from transforms.ingest.messages.decoder import Decoder
from transforms.ingest.messages.encoder import encode
from transforms.ingest.quality import CONSTANT, NOT_FINITE

DATA = Path(__file__).parent / "data"
S = gps.NANOSECONDS
START = 1_400_000_000
RATE = 256
GWOSC = sorted(DATA.glob("*LOSC_4_V2*.hdf5"))
LLHOFT = DATA / "H-H1_O2_llhoft-1216577976-4.gwf"


def strict(text):
    raise AssertionError(text)


def played(paths, channels=(), **cut):
    """Return all frames of files that must all be good."""
    spans = gather(map(str, paths), channels, strict)
    return list(Playback(spans, FrameCutting(**cut), strict).frames())


def write(path, strain, start=START, channel="H1:TEST-STRAIN", rate=RATE):
    with h5py.File(path, "w") as file:
        file[channel] = strain
        file[channel].attrs.update({"x0": float(start), "dx": 1 / rate, "xunit": "s"})
    return path


def noise(seconds, seed=1):
    return np.random.default_rng(seed).normal(0, 1, round(seconds * RATE))


@pytest.mark.parametrize("frame_ns", [S // 4, S, 4 * S, 7 * S])
@pytest.mark.parametrize("path", sorted(DATA.glob("[HL]*-*-*.*")), ids=lambda path: path.name[:12])
def test_frames_are_what_the_archive_reads(path, frame_ns):
    spans = inspect(str(path), IngestConfig())
    frames = played([path], frame_ns=frame_ns)
    assert {one.frame.channel for one in frames} == {span.channel for span in spans}
    for span in spans:
        own = [one.frame for one in frames if one.frame.channel == span.channel]
        for frame in own:
            assert frame.gps_start_ns % frame_ns == 0
            assert frame.gps_end_ns == frame.gps_start_ns + frame_ns
        data = np.concatenate([frame.samples for frame in own])
        first = gps.to_index(span.gps_start_ns - own[0].gps_start_ns, span.sample_rate)
        strain = read(str(path), span.channel, span.gps_start_ns, span.gps_end_ns, span.sample_rate)
        assert data[first : first + len(strain)].tobytes() == strain.tobytes()
        assert np.isnan(np.delete(data, slice(first, first + len(strain)))).all()


def test_detectors_take_turns():
    frames = played(GWOSC)
    assert [one.frame.ifo for one in frames] == ["H1", "L1"] * 32
    assert [one.place for one in frames] == [place for place in range(32) for _ in "HL"]
    assert [one.due_ns for one in frames] == [one.frame.gps_end_ns for one in frames]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("path", [*GWOSC, LLHOFT], ids=lambda path: path.name[:12])
def test_what_masks_say_arrives(path, kind):
    (span,) = inspect(str(path), IngestConfig())
    decoder = Decoder(IngestConfig())
    gaps, flags = [], []
    for one in played([path]):
        for message in encode([one.frame], kind):
            for frame in decoder.feed(message, "t/0/0", 1):
                assert frame.data == one.frame.data
                gaps += frame.gaps
                flags += frame.flags
    assert merged(flags) == merged(span.flags)
    assert merged(gaps) == [gap for gap in span.gaps if not gap.name.startswith(CONSTANT)]


def test_masks_that_fail_arrive_with_every_format(tmp_path):
    path = tmp_path / "H-H1_X-1400000000-4.hdf5"
    with h5py.File(path, "w") as file:
        for key, values, rate in (
            ("strain/Strain", noise(4), RATE),
            ("quality/simple/DQmask", np.array([1, 0, 3, 3]), 1),
            ("quality/injections/Injmask", np.array([1, 1, 1, 0]), 1),
        ):
            file[key] = values
            file[key].attrs.update(Xstart=START, Xspacing=1 / rate, Npoints=len(values))
        file["quality/simple/DQShortnames"] = [b"DATA", b"CBC_CAT2"]
        file["quality/injections/InjShortnames"] = [b"NO_CBC_HW_INJ"]
        file["meta/Detector"] = b"H1"
    config = IngestConfig()
    (span,) = inspect(str(path), config)
    assert {item.name for item in (*span.gaps, *span.flags)} >= {"DATA", "CBC_CAT2", "CBC_HW_INJ"}
    for kind in FORMATS:
        decoder = Decoder(config)
        messages = [m for one in played([path]) for m in encode([one.frame], kind)]
        frames = [frame for message in messages for frame in decoder.feed(message, "t/0/0", 1)]
        # The same bits at the same times, each second.
        named = {
            kind: merged(i for f in frames for i in getattr(f, kind)) for kind in ("gaps", "flags")
        }
        known = [gap for gap in named["gaps"] if gap.name in config.require]
        assert known == [gap for gap in span.gaps if gap.name in config.require]
        assert set(span.flags) <= set(named["flags"])


def test_what_no_file_holds_is_not_sent_and_half_a_frame_is_filled(tmp_path):
    strain = noise(10)
    a = write(tmp_path / "a.hdf5", strain[: RATE * 2 + 10])
    b = write(tmp_path / "b.hdf5", strain[RATE * 5 + 64 :], START + 5.25)
    frames = [one.frame for one in played([b, a])]
    seconds = [(frame.gps_start_ns - START * S) // S for frame in frames]
    assert seconds == [0, 1, 2, 5, 6, 7, 8, 9]
    assert frames[0].data == strain[:RATE].tobytes()
    assert not frames[0].gaps
    for number, held in ((2, slice(0, 10)), (3, slice(64, RATE))):
        begin = seconds[number] * RATE
        expected = np.full(RATE, np.nan)
        expected[held] = strain[begin : begin + RATE][held]
        assert np.array_equal(frames[number].samples, expected, equal_nan=True)
    end = frames[2].gps_end_ns
    assert frames[2].gaps == (Interval(gps.to_ns((START + 2) * RATE + 10, RATE), end, NOT_FINITE),)
    begin = frames[3].gps_start_ns
    assert frames[3].gaps == (Interval(begin, begin + S // 4, NOT_FINITE),)
    for kind in FORMATS:
        (back,) = Decoder(IngestConfig()).feed(encode([frames[2]], kind)[0], "t/0/0", 1)
        assert np.array_equal(back.samples, frames[2].samples, equal_nan=True)


def test_a_frame_lasts_over_the_border_of_files(tmp_path):
    strain = noise(8)
    cuts = [0, 100, 700, 701, RATE * 8]
    paths = [
        write(tmp_path / f"{first}.hdf5", strain[first:last], START + first / RATE)
        for first, last in pairwise(cuts)
    ]
    frames = [one.frame for one in played(reversed(paths), frame_ns=2 * S)]
    assert b"".join(frame.data for frame in frames) == strain.tobytes()
    assert not any(frame.gaps for frame in frames)


def test_what_is_covered_twice_is_sent_once_and_said(tmp_path):
    paths = [write(tmp_path / f"{n}.hdf5", noise(4, n), START + 2 * n) for n in (0, 1)]
    said = []
    spans = gather([*map(str, paths), str(tmp_path / "none")], (), said.append)
    frames = list(Playback(spans, FrameCutting()).frames())
    assert len(frames) == 6
    assert frames[3].frame.data == noise(4, 0)[-RATE:].tobytes()
    assert ["already covered" in text for text in said] == [False, True]
    assert "no such file" in said[0]


def test_a_rate_that_is_no_power_of_two_is_sent_as_it_is(tmp_path):
    strain = np.random.default_rng(3).normal(0, 1, 20_000 * 3)
    path = write(tmp_path / "v.hdf5", strain, channel="V1:TEST-STRAIN", rate=20_000)
    frames = [one.frame for one in played([path])]
    assert {frame.sample_rate for frame in frames} == {20_000}
    assert b"".join(frame.data for frame in frames) == strain.tobytes()


def test_a_part_is_played_in_whole_frames():
    frames = played(GWOSC, start_ns=1126259450 * S + 5, end_ns=1126259452 * S + 5)
    seconds = [one.frame.gps_start_ns // S - 1126259450 for one in frames]
    assert seconds == [0, 0, 1, 1, 2, 2]
    assert frames[0].place == 0
    assert not played(GWOSC, start_ns=1126259479 * S)


def test_shifted_frames_are_the_same_but_for_their_time():
    plain, later = played([LLHOFT]), played([LLHOFT], shift_ns=1000 * S)
    for one, two in zip(plain, later, strict=True):
        assert two.frame.gps_start_ns == one.frame.gps_start_ns + 1000 * S
        assert two.due_ns == one.due_ns + 1000 * S
        assert (two.file_ns, two.place) == (one.file_ns, one.place)
        assert two.frame.data == one.frame.data
        for kind in ("gaps", "flags"):
            moved = [
                Interval(i.start_ns + 1000 * S, i.end_ns + 1000 * S, i.name)
                for i in getattr(one.frame, kind)
            ]
            assert list(getattr(two.frame, kind)) == moved


@pytest.mark.parametrize(("frame_ns", "hole_ns"), [(S, S), (4 * S, 4 * S), (S // 2, S)])
def test_passes_follow_with_a_hole_between(tmp_path, frame_ns, hole_ns):
    path = write(tmp_path / "a.hdf5", noise(8))
    frames = played([path], frame_ns=frame_ns, passes=3)
    count = 8 * S // frame_ns
    assert len(frames) == 3 * count
    for number in (1, 2):
        before, after = frames[number * count - 1], frames[number * count]
        assert after.frame.gps_start_ns == before.frame.gps_end_ns + hole_ns
        assert after.frame.data == frames[0].frame.data
        assert after.file_ns == frames[0].file_ns
        assert after.place > before.place
    endless = Playback(
        gather([str(path)], (), strict), FrameCutting(frame_ns=frame_ns, passes=0)
    ).frames()
    assert [next(endless) for _ in range(3 * count)] == frames


def test_little_is_read_before_the_first_frame(monkeypatch):
    asked = []

    def counted(path, channel, start_ns, end_ns):
        asked.append(end_ns - start_ns)
        return read_native(path, channel, start_ns, end_ns)

    monkeypatch.setattr(formats, "read_native", counted)
    spans = gather([str(next(DATA.glob("*HIGHPASSED*")))], (), strict)
    frames = Playback(spans, FrameCutting(), strict).frames()
    next(frames)
    assert len(asked) == 1
    assert 0 < asked[0] <= READ_NS
    assert sum(1 for _ in frames) == 499
    assert max(asked) <= READ_NS
    assert sum(asked) == 500 * S


def test_a_file_that_goes_while_it_is_played_is_missing_data(tmp_path, monkeypatch):
    monkeypatch.setattr(playback, "READ_NS", 2 * S)
    paths = [write(tmp_path / f"{n}.hdf5", noise(4), START + 4 * n) for n in range(3)]
    said = []
    spans = gather(map(str, paths), (), strict)
    frames = Playback(spans, FrameCutting(), said.append).frames()
    first = next(frames)
    paths[1].unlink()
    places = [first.place, *(one.place for one in frames)]
    assert places == [0, 1, 2, 3, 8, 9, 10, 11]
    assert len(said) == 2
    assert all(str(paths[1]) in text and "\n" not in text for text in said)


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        ({"frame_ns": 0}, "even part"),
        ({"frame_ns": 3 * S // 2}, "even part"),
        ({"shift_ns": 5}, "whole seconds"),
        ({"passes": -1}, "without end"),
    ],
)
def test_impossible_cuts(cut, words):
    with pytest.raises(ValueError, match=words):
        FrameCutting(**cut)


def span_of(channel, begin, end):
    """Return a span of a channel from sample to sample."""
    return Span(
        path="file",
        ifo=channel[:2],
        channel=channel,
        gps_start_ns=gps.to_ns(START * RATE + begin, RATE),
        gps_end_ns=gps.to_ns(START * RATE + end, RATE),
        sample_rate=RATE,
    )


def ramp(_path, channel, start_ns, end_ns):
    """Read a file in which each sample is its own index."""
    first, last = gps.to_index(start_ns, RATE), gps.to_index(end_ns, RATE)
    return np.arange(first, last, dtype=np.float64) + (channel[0] == "L") / 2, RATE


edges = st.lists(st.integers(0, 40 * RATE), min_size=2, max_size=8, unique=True).map(sorted)


@settings(max_examples=60, deadline=None)
@given(
    h1=edges,
    l1=edges,
    frame_ns=st.sampled_from([S // 16, S // 2, S, 3 * S]),
    shift=st.integers(-5, 5),
)
def test_every_sample_is_sent_once(h1, l1, frame_ns, shift):
    held = {"H1:X": h1, "L1:X": l1}
    spans = {
        channel: [span_of(channel, *pair) for pair in zip(e[::2], e[1::2], strict=False)]
        for channel, e in held.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formats, "read_native", ramp)
        plan = Playback(spans, FrameCutting(frame_ns=frame_ns, shift_ns=shift * S), strict)
        frames = list(plan.frames())
    assert plan.frames_in_pass == len(frames)
    assert [(one.due_ns, one.frame.channel) for one in frames] == sorted(
        (one.due_ns, one.frame.channel) for one in frames
    )
    for channel, own in spans.items():
        mine = [one.frame for one in frames if one.frame.channel == channel]
        sent = np.concatenate([frame.samples for frame in mine])
        expected = [ramp("", channel, span.gps_start_ns, span.gps_end_ns)[0] for span in own]
        assert np.array_equal(sent[np.isfinite(sent)], np.concatenate(expected))
        for frame in mine:
            assert frame.gps_start_ns % frame_ns == 0
            assert len(frame.samples) == frame_ns * RATE // S
            assert np.isfinite(frame.samples).any()
            first = gps.to_index(frame.gps_start_ns, RATE) - shift * RATE
            index = np.arange(first, first + len(frame.samples)) + (channel[0] == "L") / 2
            assert np.array_equal(
                frame.samples, np.where(np.isfinite(frame.samples), index, np.nan), equal_nan=True
            )
            lost = sum(gap.end_ns - gap.start_ns for gap in frame.gaps)
            assert gps.to_index(lost, RATE) == np.isnan(frame.samples).sum()


def test_a_changed_rate_is_missing_data(tmp_path):
    path = write(tmp_path / "a.hdf5", noise(4))
    said = []
    spans = gather([str(path)], (), strict)
    write(path, noise(4)[::2], rate=RATE // 2)
    assert list(Playback(spans, FrameCutting(), said.append).frames()) == []
    assert "no longer has 256 Hz" in said[0]
