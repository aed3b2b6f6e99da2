"""The state of live channels: bounded, whatever senders do, and enough to go on from."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.window import TimestampedValue

from tests.cells import Bag, Cell
from transforms import gps
from transforms.coders import FrameCoder, event_time
from transforms.elements import Block, DeadLetter, Frame, Interval, Segment
from transforms.gps import NANOSECONDS as S
from transforms.gps import to_ns
from transforms.ingest.reach import Reach
from transforms.ingest.stitch import stage, stitcher
from transforms.ingest.stitch.stitcher import StitchConfig
from transforms.kinds import LetterKind

CHANNEL = "H1:TEST-STRAIN"
START = 1_000_000_000
DEFAULT = StitchConfig(
    reach=Reach(past_ns=201 * S, future_ns=4 * S, warm_up_ns=64 * S),
    certain_ns=S,
    minimum_ns=64 * S,
    wait_ns=3 * S,
)
"""What the default configuration tells Stitch."""
SHORT = StitchConfig(
    reach=Reach(past_ns=50 * S, future_ns=4 * S, warm_up_ns=16 * S),
    certain_ns=S,
    minimum_ns=16 * S,
    wait_ns=3 * S,
)


class Frames(Bag):
    """Frames in state, with how long they are and how large."""

    def add(self, frame):
        super().add(frame)
        self.seconds += (frame.gps_end_ns - frame.gps_start_ns) / S

    def clear(self):
        super().clear()
        self.seconds = 0.0

    @property
    def nbytes(self):
        return sum(len(FrameCoder().encode(f)) for f in self.values)


class Timer:
    def __init__(self):
        self.at = None

    def set(self, at):
        self.at = at


class Keyed:
    """A channel in state cells of its own, and what came of its frames."""

    def __init__(self, config, name=CHANNEL):
        self.name, self.made = name, stage._Stitch(config)
        self.head, self.waiting, self.timer = Cell(), Frames(), Timer()
        self.bags = [Frames() for _ in range(stage.BAGS)]
        self.given = []

    def feed(self, frame):
        cells = self.head, self.waiting, *self.bags, self.timer
        items = [plain(item) for item in self.made.process((self.name, frame), *cells)]
        self.given += items
        return items

    def restart(self):
        stage._PROCESS._held.pop(self.name, None)

    @property
    def seconds(self):
        return sum(bag.seconds for bag in self.bags)

    @property
    def nbytes(self):
        cells = sum(bag.nbytes for bag in (self.waiting, *self.bags))
        return cells + len(self.head.value or b"")


def plain(item):
    if isinstance(item, TaggedOutput):
        item = item.value
    return item.value if isinstance(item, TimestampedValue) else item


@pytest.fixture
def keyed():
    made = []

    def make(config, name=CHANNEL):
        made.append(Keyed(config, name))
        return made[-1]

    yield make
    for one in made:
        one.restart()


def noise(rate, seconds):
    return np.random.default_rng(1).standard_normal(round(rate * seconds))


def cut(samples, rate, length, phase=0):
    """Cut strain into frames of some samples, of which the first begins at a sample of the grid."""
    for number, low in enumerate(range(0, len(samples) - length + 1, length)):
        start_ns = to_ns(START * rate + phase + low, rate)
        data = samples[low : low + length].tobytes()
        yield Frame(
            ifo="H1",
            channel=CHANNEL,
            sample_rate=rate,
            gps_start_ns=start_ns,
            data=data,
            source=f"t/0/{number}",
        )


def quiet(rate=16):
    return Frame(ifo="H1", channel=CHANNEL, sample_rate=rate, gps_start_ns=0, data=b"")


@pytest.mark.slow
@pytest.mark.parametrize("phase", [0, 1, 7, 103])
@pytest.mark.parametrize("length", [1 / 16, 1 / 4, 1, 2, 3, 4, 7, 16, 64, 128, 256, 400])
def test_what_is_kept_of_a_channel_is_bounded_whatever_its_frames(keyed, length, phase):
    rate, seconds = 16, 7300 if length >= 1 else 700
    kept = keyed(DEFAULT)
    for frame in cut(noise(rate, seconds), rate, round(length * rate), phase * rate + 3):
        kept.feed(frame)
        assert kept.seconds <= stage.BAGS * stage.BAG_SECONDS + length
        assert not kept.waiting.values
        assert len(kept.head.value) < 1500
    assert not [g for g in kept.given if isinstance(g, Segment | DeadLetter)]
    ends = [g.analyse_end_ns for g in kept.given]
    assert frame.gps_end_ns - ends[-1] < 4 * S


@pytest.mark.slow
@pytest.mark.parametrize("length", [0.25, 1, 3, 4, 7, 64, 128])
def test_a_restart_anywhere_changes_nothing(keyed, length):
    rate, seconds = 32, 1000 if length > 1 else 500
    samples = noise(rate, seconds)
    samples[300 * rate : 302 * rate] = np.nan
    plain_, broken = keyed(DEFAULT), keyed(DEFAULT, "restarted")
    for number, frame in enumerate(cut(samples, rate, round(length * rate), 5)):
        plain_.feed(frame)
        if number % 3 == 0:
            broken.restart()
        broken.feed(frame)
    assert len(plain_.given) > 3
    assert broken.given == plain_.given


@pytest.mark.slow
@pytest.mark.parametrize("rate", [1, 2, 16, 256])
def test_the_longest_past_there_is_can_be_made_again(keyed, rate):
    """Equal samples hold analysis back: what it then needs is still there."""
    config = StitchConfig(
        reach=Reach(past_ns=208 * S, future_ns=4 * S, warm_up_ns=64 * S),
        certain_ns=S,
        minimum_ns=64 * S,
        wait_ns=3 * S,
    )
    samples = noise(rate, 700)
    run = 15 if rate < 256 else rate // 16 - 1
    for low in range(100 * rate, len(samples) - run, 19 * max(rate, run)):
        samples[low : low + run] = 0.5
    plain_, broken = keyed(config), keyed(config, "restarted")
    for frame in cut(samples, rate, rate):
        plain_.feed(frame)
        broken.restart()
        broken.feed(frame)
    assert sum(isinstance(g, Block) for g in plain_.given) > 10
    assert broken.given == plain_.given


@pytest.mark.parametrize("rate", [1 << power for power in range(17)])
def test_every_rate_is_stitched(keyed, rate):
    kept = keyed(SHORT)
    for frame in cut(noise(rate, 40), rate, rate):
        kept.feed(frame)
    assert all(isinstance(g, Block) for g in kept.given)
    assert kept.given[-1].analyse_end_ns >= (START + 37) * S
    assert all(
        len(g.samples) == (g.segment_end_ns - g.gps_start_ns) * rate // S for g in kept.given
    )


@pytest.mark.parametrize("rate", [3, 1000, 20000, (1 << 16) + 1, 1 << 17])
def test_other_rates_leave_nothing_and_stop_nobody(keyed, rate):
    kept = keyed(SHORT)
    frames = list(cut(noise(16, 40), 16, 16))
    for odd in cut(noise(rate, 3), rate, rate):
        (letter,) = kept.feed(odd)
        assert "is no power of two" in letter.reason
        assert kept.nbytes == 0
    for frame in frames:
        kept.feed(frame)
    assert any(isinstance(g, Block) for g in kept.given)


def test_holes_without_end_keep_no_more_than_what_waits(keyed):
    kept = keyed(DEFAULT)
    for number, frame in enumerate(cut(noise(16, 2000), 16, 16)):
        if number % 2:
            kept.feed(frame)
            assert kept.waiting.seconds <= 4
            assert kept.seconds <= 2
    assert sum(isinstance(g, Segment) and g.reason == "no data" for g in kept.given) > 900


def test_frames_of_a_sample_after_a_hole_are_a_gap_when_there_are_too_many(keyed, monkeypatch):
    monkeypatch.setattr(stitcher, "MOST_WAITING", 20)
    kept = keyed(DEFAULT)
    frames = list(cut(noise(1024, 2), 1024, 1))
    for frame in [frames[0], *frames[2:600:2]]:
        kept.feed(frame)
        assert len(kept.waiting.values) <= 20
    first = next(g for g in kept.given if isinstance(g, Segment) and g.reason == "no data")
    assert first.start_ns == frames[1].gps_start_ns


def test_frames_that_wait_and_overlap_are_bounded(keyed):
    kept = keyed(DEFAULT)
    samples = noise(16, 3)
    kept.feed(next(cut(samples, 16, 16)))
    for number in range(200):
        start_ns = to_ns((START + 90) * 16 - number, 16)
        kept.feed(
            Frame(
                ifo="H1",
                channel=CHANNEL,
                sample_rate=16,
                gps_start_ns=start_ns,
                data=samples.tobytes(),
                source=f"t/0/{number}",
            )
        )
        assert kept.waiting.seconds <= 6


def test_a_frame_far_ahead_leaves_nothing_behind(keyed):
    kept = keyed(DEFAULT)
    frames = list(cut(noise(16, 300), 16, 16))
    for frame in frames[:250]:
        kept.feed(frame)
    for hours in range(1, 200):
        kept.feed(replace(frames[0], gps_start_ns=frames[0].gps_start_ns + hours * 3600 * S))
        assert hours < 2 or kept.seconds + kept.waiting.seconds <= 5
        assert len(kept.head.value) < 8000


def test_a_gap_beyond_its_frame_is_a_gap_of_its_frame_alone(keyed):
    kept = keyed(SHORT)
    frames = list(cut(noise(16, 100), 16, 16))
    frames[40] = replace(frames[40], gaps=(Interval(-(2**62), 2**62, "DATA"),))
    frames[41] = replace(frames[41], gaps=(Interval(0, frames[41].gps_start_ns, "DATA"),))
    for frame in frames:
        kept.feed(frame)
    lost = [(g.start_ns, g.end_ns) for g in kept.given if isinstance(g, Segment)]
    assert lost == [(frames[40].gps_start_ns, frames[40].gps_end_ns)]


def test_each_sample_a_gap_and_a_hundred_flags_fill_no_state(keyed, monkeypatch):
    monkeypatch.setattr(stitcher, "MOST_FLAGS", 1000)
    kept = keyed(DEFAULT)
    for number, frame in enumerate(cut(noise(64, 120), 64, 64)):
        times = [frame.gps_start_ns + i * S // 64 for i in range(65)]
        gaps = tuple(Interval(a, b, "DATA") for a, b in itertools.pairwise(times))[::2]
        flags = tuple(Interval(times[0], times[1], f"X{number}-{i}") for i in range(100))
        kept.feed(replace(frame, gaps=gaps if number % 50 > 25 else (), flags=flags))
        assert len(kept.head.value) < 80 * (stitcher.MOST_FLAGS + 100)
    letters = [g for g in kept.given if isinstance(g, DeadLetter)]
    assert letters
    assert all("has too many flags: more than 1000 in 201 s" in one.reason for one in letters)
    assert {one.kind for one in letters} == {LetterKind.METADATA}


def test_short_frames_leave_no_trace_of_their_borders(keyed):
    kept = keyed(DEFAULT)
    for frame in cut(noise(256, 120), 256, 16):
        kept.feed(frame)
        assert len(kept.head.value) < 500


def test_of_a_channel_that_has_ended_a_small_head_is_left_for_a_day(keyed):
    kept = keyed(DEFAULT, "H1:" + "X" * 252)
    frames = list(cut(noise(16, 900), 16, 16))
    for number, frame in enumerate(frames):
        if number % 90 < 85:  # ten gaps
            kept.feed(frame)
    kept.feed(quiet())
    assert kept.nbytes < 1000
    assert stage._PROCESS._held[kept.name].stitcher.strain._array.nbytes == 0
    assert kept.timer.at == event_time(frames[-6].gps_end_ns + gps.REMEMBERED_NS)
    # It is still told what was there from what was never there.
    assert kept.feed(frames[-6]) == []
    (late,) = kept.feed(frames[-93])
    assert "came too late" in late.reason
    assert kept.nbytes < 1000
    kept.made.forget(kept.head)
    assert kept.nbytes == 0


def test_a_channel_that_has_come_back_is_not_forgotten(keyed):
    kept = keyed(SHORT)
    frames = list(cut(noise(16, 200), 16, 16))
    for frame in (*frames[:100], quiet(), *frames[100:150]):
        kept.feed(frame)
    before = kept.head.value
    kept.made.forget(kept.head)
    assert kept.head.value == before
    blocks = [g for f in frames[150:] for g in kept.feed(f)]
    assert blocks[0].segment_start_ns == frames[100].gps_start_ns
    assert blocks[-1].analyse_end_ns >= frames[-3].gps_start_ns


@pytest.mark.slow
def test_channels_that_come_and_go_leave_little(keyed):
    count, sizes = 2000, []
    for number in range(count):
        kept = keyed(SHORT, f"H1:CHANNEL-{number}")
        for frame in cut(noise(16, 3), 16, 16):
            kept.feed(replace(frame, channel=kept.name))
        kept.feed(replace(quiet(), channel=kept.name))
        sizes.append(kept.nbytes)
        assert not kept.waiting.values
        assert not kept.seconds
    assert max(sizes) < 400
    assert len(stage._PROCESS._held) <= stage.MOST_CHANNELS
