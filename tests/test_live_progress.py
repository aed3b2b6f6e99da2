"""How far topics were read, and what time it is on them: without Kafka."""

import time
from dataclasses import replace

import confluent_kafka as kafka
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink.processes import free_ports
from transforms import gps
from transforms.broker import BrokerError, KafkaConfig
from transforms.elements import Frame
from transforms.ingest.kafka import client
from transforms.ingest.kafka.progress import MOST_CHANNELS, Channel, IdleConfig, Positions, Progress
from transforms.ingest.kafka.reader import arrival_ns
from transforms.ingest.kafka.rewind import Rewind, Sample, find, read_note, write_note
from transforms.ingest.kafka.source import Source
from transforms.ingest.kafka.stage import PositionsCoder, PositionsTracker

S = gps.NANOSECONDS
START = 1_000_000_007
RATE = 16


CHANNELS = st.dictionaries(
    st.sampled_from(["H1:X", "L1:X", "V1:X"]),
    st.builds(
        Channel,
        st.just("H1"),
        st.just(RATE),
        st.integers(0, 2**60),
        st.sampled_from(["a/0", "a/1"]),
        st.booleans(),
    ),
)
POSITIONS = st.builds(
    Positions,
    st.dictionaries(st.sampled_from(["a/0", "a/1", "b/0"]), st.integers(0, 2**62)),
    CHANNELS,
    st.dictionaries(st.sampled_from(["H1:X", "L1:X"]), st.integers(0, 2**60)),
    st.booleans(),
)


@given(POSITIONS)
def test_positions_travel_unchanged_and_equal_ones_alike(positions):
    coder = PositionsCoder()
    assert coder.decode(coder.encode(positions)) == positions
    turned = replace(positions, offsets=dict(reversed(list(positions.offsets.items()))))
    assert coder.encode(turned) == coder.encode(positions)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["frame", "late frame", "heard", "lost", "more"]),
        st.sampled_from(["H1:X", "L1:X"]),
        st.floats(0, 4),
    ),
    max_size=40,
)
PLACES = {"H1:X": "a/0", "L1:X": "a/1"}


@given(EVENTS)
def test_the_watermark_never_goes_back_and_a_channel_is_quiet_once(events):
    pace = IdleConfig(quiet_seconds=2, idle_seconds=4)
    progress = Progress(Positions({"a/0": 0, "a/1": 0}), pace, 0.0)
    now, marks, told = 0.0, [], dict.fromkeys(PLACES)
    ends, waits = dict.fromkeys(PLACES, 0), dict.fromkeys(PLACES, 0.0)
    for kind, channel, step in events:
        now += step
        place = PLACES[channel]
        waits = {name: wait + step for name, wait in waits.items()}
        if "frame" in kind:
            ends[channel] += S
            start_ns = ends[channel] - S if kind == "frame" else 0
            frame = Frame(
                ifo=channel[:2],
                channel=channel,
                sample_rate=RATE,
                gps_start_ns=start_ns,
                data=bytes(8 * RATE),
            )
            offset = progress.read[place]
            progress.hand_over(place, offset, [frame], offset + 1, now)
            told[channel], waits[channel] = False, 0.0
        elif kind == "more":
            progress.extend(place, progress.read[place] + 1)
        elif kind == "heard":
            progress.hear(place, now)
        else:
            progress.lose(place)
        for frame in progress.quiet(0):
            assert told[frame.channel] is False
            assert waits[frame.channel] >= pace.quiet_seconds
            assert not frame.data
            told[frame.channel] = True
        watermark_ns = progress.watermark_ns(now)
        if watermark_ns is not None:
            marks.append(watermark_ns)
            idle_s = max(0.0, min(wait for name, wait in waits.items() if told[name] is not None))
            assert watermark_ns <= max(ends.values()) + idle_s * S
    assert marks == sorted(marks)


@given(EVENTS.filter(lambda events: all(kind != "heard" for kind, _, _ in events)))
def test_without_an_answer_of_the_broker_no_channel_is_quiet(events):
    """Of two partitions, the other's frames are answers of another broker."""
    progress = Progress(Positions({"a/0": 0, "a/1": 0}), IdleConfig(2, 4), 0.0)
    frame = Frame(ifo="L1", channel="L1:X", sample_rate=RATE, gps_start_ns=0, data=bytes(8 * RATE))
    progress.hand_over("a/1", 0, [frame], 1, 0.0)
    for number, (_, _, step) in enumerate(events):
        start = number * S
        progress.hand_over("a/0", number, [replace(frame, channel="H1:X", gps_start_ns=start)],
                           number + 1, 5.0 * number + step)  # fmt: skip
        assert not progress.quiet(0)


def test_what_waits_in_a_partition_holds_the_watermark_and_what_is_late_does_not():
    progress = Progress(Positions({"a/0": 0, "a/1": 0}), IdleConfig(), 0.0)
    for name in ("a/0", "a/1"):
        progress.extend(name, 3)
    for number in range(3):
        frame = Frame(
            ifo="H1",
            channel="H1:X",
            sample_rate=RATE,
            gps_start_ns=number * S,
            data=bytes(8 * RATE),
        )
        progress.hand_over("a/0", number, [frame], number + 1, 0.1)
    assert progress.watermark_ns(0.1) is None
    late = Frame(ifo="L1", channel="L1:X", sample_rate=RATE, gps_start_ns=0, data=bytes(8 * RATE))
    progress.hand_over("a/1", 0, [late], 1, 0.2)
    assert progress.lag == 2
    assert progress.watermark_ns(0.2) == S
    progress.hand_over("a/1", 1, [], 2, 0.3)
    progress.hand_over("a/1", 2, [], 3, 0.3)
    assert progress.watermark_ns(0.3) == 3 * S


@given(
    low=st.integers(0, 50),
    frames=st.integers(1, 60),
    count=st.integers(1, 4),
    back=st.integers(0, 70),
    cut=st.integers(0, 3),
)
def test_reading_begins_at_a_first_part_far_enough_back(low, frames, count, back, cut):
    """A log of frames of one second in several parts, its beginning cut somewhere."""
    firsts = {low + number * count: number * S for number in range(-1, frames)}
    log = range(low - count + min(cut, count - 1) + 1, low + frames * count)

    def sample(offset):
        first = min((one for one in firsts if one >= max(offset, log.start)), default=None)
        return Sample(offset) if first is None else Sample(first, {"X": firsts[first]})

    wanted_ns = (frames - back) * S
    begin = find(log.stop, log.start, {"X": wanted_ns}, sample)
    assert begin in firsts or begin == log.stop
    reached = firsts.get(begin, frames * S)
    assert reached <= max(wanted_ns, 0)
    assert (frames * S - reached) // S <= 2 * max(back, 1) + 2


@pytest.mark.slow
@pytest.mark.parametrize("count", [1000, 5000])
def test_channels_that_come_and_go_leave_nothing_behind(count):
    """One each ten minutes, for weeks: each says that it has ended, and is forgotten in a day."""
    analysed = {f"L1:OLD-{number}": START * S for number in range(40)}
    progress = Progress(Positions({"a/0": 0}, analysed=analysed), IdleConfig(5, 10), 0.0)
    sizes, now, told = [], 0.0, 0
    for number in range(count):
        start_ns = (START + 600 * number) * S
        frame = Frame(
            ifo="H1",
            channel=f"H1:CHANNEL-{number}",
            sample_rate=RATE,
            gps_start_ns=start_ns,
            data=bytes(8 * RATE),
        )
        assert progress.admits(frame.channel)
        progress.hand_over("a/0", number, [frame], number + 1, now)
        for _ in range(8):
            now += 1
            progress.hear("a/0", now)
        told += len(progress.quiet(0))
        progress.watermark_ns(now)
        progress.forget()
        if number % 50 == 49:
            sizes.append(len(progress.positions.to_bytes()))
            assert len(progress.positions.channels) <= 86_400 / 600 + 2
    assert told == count
    assert not progress.positions.analysed
    assert max(sizes) < 12_000
    assert progress.watermark_ns(now) == (START + 600 * (count - 1) + 1) * S


def test_in_silence_the_last_channel_stays_and_time_goes_on():
    progress = Progress(Positions({"a/0": 0}), IdleConfig(5, 10), 0.0)
    for number, second in enumerate((0, 3600, 7200)):
        frame = Frame(
            ifo="H1",
            channel=f"H1:{number}",
            sample_rate=RATE,
            gps_start_ns=(START + second) * S,
            data=bytes(8 * RATE),
        )
        progress.hand_over("a/0", number, [frame], number + 1, 0.0)
    for now in range(1, 200_000, 2):
        progress.hear("a/0", float(now))
        progress.quiet(0)
        progress.watermark_ns(float(now))
        progress.forget()
    assert list(progress.positions.channels) == ["H1:2"]
    # All but the time until the first answer, and the idle seconds.
    beyond_ns = progress.watermark_ns(float(now)) - (START + 7201) * S
    assert (now - 20) * S < beyond_ns < (now - 10) * S
    # One that comes back is a channel as before.
    frame = Frame(
        ifo="H1",
        channel="H1:0",
        sample_rate=RATE,
        gps_start_ns=(START + 3) * S,
        data=bytes(8 * RATE),
    )
    assert progress.hand_over("a/0", 3, [frame], 4, now) == [frame]


def test_a_channel_that_goes_on_far_behind_the_others_is_not_forgotten():
    progress = Progress(Positions({"a/0": 0}), IdleConfig(5, 10), 0.0)
    for number in range(300):
        ahead = Frame(
            ifo="H1",
            channel="H1:X",
            sample_rate=RATE,
            gps_start_ns=(START + 1000 * number) * S,
            data=bytes(8 * RATE),
        )
        behind = replace(ahead, channel="L1:X", gps_start_ns=(START + number) * S)
        progress.hand_over("a/0", number, [ahead, behind], number + 1, float(number))
        progress.watermark_ns(float(number))
        progress.forget()
    assert set(progress.positions.channels) == {"H1:X", "L1:X"}


def test_there_is_a_largest_number_of_channels():
    progress = Progress(Positions({"a/0": 0}), IdleConfig(), 0.0)
    for number in range(2000):
        name = f"H1:{number}"
        if progress.admits(name):
            frame = Frame(
                ifo="H1",
                channel=name,
                sample_rate=RATE,
                gps_start_ns=START * S,
                data=bytes(8 * RATE),
            )
            progress.hand_over("a/0", number, [frame], number + 1, 0.0)
    assert len(progress.positions.channels) == MOST_CHANNELS
    assert progress.admits("H1:7")
    assert not progress.admits("H1:1999")
    note = write_note(progress.positions.channels, "a/0")
    assert 3900 < len(note) <= 4000


def test_an_answer_that_was_overtaken_says_nothing():
    progress = Progress(Positions({"a/0": 0}), IdleConfig(5, 10), 0.0)
    frame = Frame(
        ifo="H1", channel="H1:X", sample_rate=RATE, gps_start_ns=START * S, data=bytes(8 * RATE)
    )
    for number in range(40):  # asked before each frame, answered behind it
        progress.hand_over("a/0", number, [frame], number + 1, float(number))
        progress.hear("a/0", number - 0.9)
    for now in (41.0, 43.0):
        progress.hear("a/0", now)
    assert not progress.quiet(0)
    progress.hear("a/0", 45.0)
    assert len(progress.quiet(0)) == 1


@pytest.mark.parametrize(
    ("kind", "milliseconds", "believed"),
    [
        (kafka.TIMESTAMP_CREATE_TIME, 1_700_000_000_000, True),
        (kafka.TIMESTAMP_LOG_APPEND_TIME, 1_700_000_001_000, True),
        (kafka.TIMESTAMP_NOT_AVAILABLE, 1_700_000_000_000, False),
        (kafka.TIMESTAMP_CREATE_TIME, 0, False),
        (kafka.TIMESTAMP_CREATE_TIME, -1, False),
        (kafka.TIMESTAMP_CREATE_TIME, 1_700_000_600_000, False),
        (kafka.TIMESTAMP_CREATE_TIME, 2**63 - 1, False),
    ],
)
def test_a_time_of_arrival_that_cannot_be_is_now(kind, milliseconds, believed):
    now_ns = 1_700_000_000_500_000_000
    said_ns = milliseconds * 1_000_000
    assert arrival_ns(kind, milliseconds, now_ns) == (said_ns if believed else now_ns)


@pytest.fixture
def ends():
    """Nobody listens at this address: forty questions are forty answers that nobody knows."""
    (port,) = free_ports(1)
    return client.Ends({"bootstrap.servers": f"127.0.0.1:{port}"})


FORTY = [f"a/{number}" for number in range(40)]


def test_who_is_asked_does_not_hold_up_who_asks(ends, monkeypatch):
    monkeypatch.setattr(client, "_ANSWER_S", 240.0)
    ends.ask(FORTY, 7.0)
    # Who had waited would have had an answer.
    assert list(ends.answers()) == []


def test_where_nobody_answers_nothing_is_known_and_a_question_is_asked_once(ends):
    ends.ask(FORTY, 7.0)
    ends.ask(FORTY, 8.0)
    found, end = [], time.monotonic() + 240
    while len(found) < 40:
        assert time.monotonic() < end
        time.sleep(0.05)
        found += ends.answers()
    assert sorted(found) == sorted(client.End(name, 7.0, None) for name in FORTY)


@given(st.integers(0, 200), st.integers(1, 40))
def test_a_note_comes_back_with_the_latest_channels_that_fit(count, length):
    channels = {
        f"H1:{'X' * length}{number}": Channel("H1", RATE, START * S + number, "a/0")
        for number in range(count)
    }
    note = write_note({**channels, "L1:X": Channel("L1", RATE, 0, "a/1")}, "a/0")
    assert len(note) <= 4000
    found = read_note(note)
    assert sorted(found) == sorted(list(channels)[count - len(found) :])
    assert all(channels[name].end_ns == end_ns for name, end_ns in found.items())
    assert len(found) == count or count > 50


@pytest.mark.parametrize("note", [None, "", "offset reset", "[1]", '{"H1:X": "late"}', "{"])
def test_a_note_of_somebody_else_says_nothing(note):
    assert read_note(note) == {}


def test_the_rest_is_split_off_where_it_is_and_nowhere_else():
    tracker = PositionsTracker(Positions())
    with pytest.raises(ValueError, match="not split off"):
        tracker.check_done()
    assert tracker.try_split(0.5) is None
    assert tracker.try_claim(Positions({"a/0": 3}))
    primary, residual = tracker.try_split(0)
    assert (primary.done, residual) == (True, Positions({"a/0": 3}))
    assert tracker.check_done()
    assert not tracker.try_claim(Positions({"a/0": 4}))
    assert tracker.try_split(0) is None
    assert not tracker.is_bounded()


@pytest.mark.parametrize(
    ("change", "said"),
    [({"start": "newest"}, "must be latest or earliest"), ({"topics": ()}, "no topics to read")],
)
def test_a_source_that_cannot_be_is_refused(change, said):
    kafka = KafkaConfig("localhost:9092")
    given = {"kafka": kafka, "topics": ("a",), "group": "g", "decoder": dict, "rewind": Rewind()}
    with pytest.raises(BrokerError, match=said):
        Source(**{**given, **change})
    with pytest.raises(ValueError, match="must be more than 0"):
        IdleConfig(idle_seconds=0)
