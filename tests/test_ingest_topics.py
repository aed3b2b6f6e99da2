"""How far topics were read, and what time it is on them: without Kafka."""

import time
from dataclasses import replace

import apache_beam as beam
import confluent_kafka as kafka
import pytest
from apache_beam.coders import BytesCoder, StrUtf8Coder, TupleCoder, registry
from hypothesis import given
from hypothesis import strategies as st

from flink.processes import free_ports
from transforms import gps, utc
from transforms.broker import BrokerError, KafkaConfig
from transforms.coders import DeadLetterCoder, FrameCoder
from transforms.elements import DeadLetter, Frame
from transforms.ingest.kafka import client
from transforms.ingest.kafka.arrival import ArrivalTime
from transforms.ingest.kafka.positions import VERSION, Partitions, Positions
from transforms.ingest.kafka.reader import arrival_ns
from transforms.ingest.kafka.rewind import Sample, find, read_note, write_note
from transforms.ingest.kafka.source import Source
from transforms.ingest.kafka.stage import PositionsCoder, PositionsTracker, ReadKafka
from transforms.ingest.kafka.timekeeper import IdleConfig
from transforms.ingest.strain.channel_time import MOST_CHANNELS, Channel, ChannelTime, Kept
from transforms.kinds import LetterKind

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
KEPT = st.builds(
    Kept,
    channels=CHANNELS,
    analysed=st.dictionaries(st.sampled_from(["H1:X", "L1:X"]), st.integers(0, 2**60)),
)
POSITIONS = st.builds(
    Positions,
    st.dictionaries(st.sampled_from(["a/0", "a/1", "b/0"]), st.integers(0, 2**62)),
    st.one_of(KEPT.map(Kept.to_text), st.text()),
    st.booleans(),
)


@given(POSITIONS)
def test_positions_travel_unchanged_and_equal_ones_alike(positions):
    coder = PositionsCoder()
    assert coder.decode(coder.encode(positions)) == positions
    turned = replace(positions, offsets=dict(reversed(list(positions.offsets.items()))))
    assert coder.encode(turned) == coder.encode(positions)


@given(KEPT)
def test_what_is_kept_of_channels_travels_unchanged_and_equal_ones_alike(kept):
    assert Kept.from_text(kept.to_text()) == kept
    turned = replace(kept, channels=dict(reversed(list(kept.channels.items()))))
    assert turned.to_text() == kept.to_text()


@pytest.mark.parametrize(
    ("encoded", "version"),
    [
        (b'[{"a/0":3},{"H1:X":["H1",16,0,"a/0",false]},{},false]', 1),
        (b'[3,{"a/0":3},"",false]', 3),
    ],
)
def test_positions_of_another_version_are_refused_in_one_line(encoded, version):
    with pytest.raises(ValueError, match=f"of version {version}, not {VERSION}: start the job"):
        PositionsCoder().decode(encoded)


class Following:
    """What a reader does with positions and the time of strain."""

    def __init__(self, start, idle, analysed=None):
        self.time = ChannelTime(idle)
        self.partitions = Partitions(start, self.time, idle, 0.0, analysed)
        self.read, self.extend = self.partitions.read, self.partitions.extend
        self.hear, self.lose = self.partitions.hear, self.partitions.lose

    def hand_over(self, partition, offset, frames, needed, now):
        given = self.partitions.hand_over(
            partition, offset, frames, needed=needed, arrived_ns=0, now=now
        )
        for one in given:
            assert isinstance(one, DeadLetter) or one.key == one.element.channel
            assert isinstance(one, DeadLetter) or one.time_ns == one.element.gps_start_ns
        return [one if isinstance(one, DeadLetter) else one.element for one in given]

    def quiet(self, unix_ns):
        return [one.element for one in self.time.own(unix_ns)]

    def advance(self, now):
        return self.partitions.advance(now, 0)

    @property
    def kept(self):
        return Kept.from_text(self.partitions.positions.kept)


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
    partitions = Following(Positions({"a/0": 0, "a/1": 0}), pace)
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
            offset = partitions.read[place]
            partitions.hand_over(place, offset, [frame], offset + 1, now)
            told[channel], waits[channel] = False, 0.0
        elif kind == "more":
            partitions.extend(place, partitions.read[place] + 1)
        elif kind == "heard":
            partitions.hear(place, now)
        else:
            partitions.lose(place)
        for frame in partitions.quiet(0):
            assert told[frame.channel] is False
            assert waits[frame.channel] >= pace.quiet_seconds
            assert not frame.data
            told[frame.channel] = True
        watermark_ns = partitions.advance(now)
        if watermark_ns is not None:
            marks.append(watermark_ns)
            idle_s = max(0.0, min(wait for name, wait in waits.items() if told[name] is not None))
            assert watermark_ns <= max(ends.values()) + idle_s * S
    assert marks == sorted(marks)


@given(EVENTS.filter(lambda events: all(kind != "heard" for kind, _, _ in events)))
def test_without_an_answer_of_the_broker_no_channel_is_quiet(events):
    """Of two partitions, the other's frames are answers of another broker."""
    partitions = Following(Positions({"a/0": 0, "a/1": 0}), IdleConfig(2, 4))
    frame = Frame(ifo="L1", channel="L1:X", sample_rate=RATE, gps_start_ns=0, data=bytes(8 * RATE))
    partitions.hand_over("a/1", 0, [frame], 1, 0.0)
    for number, (_, _, step) in enumerate(events):
        start = number * S
        partitions.hand_over("a/0", number, [replace(frame, channel="H1:X", gps_start_ns=start)],
                           number + 1, 5.0 * number + step)  # fmt: skip
        assert not partitions.quiet(0)


def test_what_waits_in_a_partition_holds_the_watermark_and_what_is_late_does_not():
    partitions = Following(Positions({"a/0": 0, "a/1": 0}), IdleConfig())
    for name in ("a/0", "a/1"):
        partitions.extend(name, 3)
    for number in range(3):
        frame = Frame(
            ifo="H1",
            channel="H1:X",
            sample_rate=RATE,
            gps_start_ns=number * S,
            data=bytes(8 * RATE),
        )
        partitions.hand_over("a/0", number, [frame], number + 1, 0.1)
    assert partitions.advance(0.1) is None
    late = Frame(ifo="L1", channel="L1:X", sample_rate=RATE, gps_start_ns=0, data=bytes(8 * RATE))
    partitions.hand_over("a/1", 0, [late], 1, 0.2)
    assert partitions.partitions.lag == 2
    assert partitions.advance(0.2) == S
    partitions.hand_over("a/1", 1, [], 2, 0.3)
    partitions.hand_over("a/1", 2, [], 3, 0.3)
    assert partitions.advance(0.3) == 3 * S


def test_channels_of_partitions_that_are_gone_are_forgotten_and_what_was_analysed_is_not():
    channels = {name: Channel("H1", RATE, START * S, place) for name, place in PLACES.items()}
    kept = Kept(channels=channels, analysed={"H1:X": START * S})
    start = Positions({"a/1": 7}, kept.to_text())
    analysed = {"H1:X": 0, "L1:X": (START + 1) * S}
    partitions = Following(start, IdleConfig(), analysed)
    assert list(partitions.kept.channels) == ["L1:X"]
    # What a checkpoint says counts, and not what the committed offsets say.
    assert partitions.kept.analysed == {"H1:X": START * S, "L1:X": (START + 1) * S}
    frame = Frame(
        ifo="L1", channel="L1:X", sample_rate=RATE, gps_start_ns=START * S, data=bytes(8 * RATE)
    )
    later = replace(frame, gps_start_ns=(START + 1) * S)
    marked = partitions.hand_over("a/1", 7, [frame, later], 8, 0.0)
    assert marked == [replace(frame, analysed=True), later]


# The time of what has no samples.

UNIX = 1_700_000_000
ARRIVAL = IdleConfig(quiet_seconds=2, idle_seconds=4)


def arrivals(offsets, **given):
    time = ArrivalTime(ARRIVAL, **{"key": str, **given})
    return Partitions(Positions(offsets), time, ARRIVAL, 0.0)


def handed(partitions, partition, elements, arrived_ns, now):
    offset = partitions.read[partition]
    return partitions.hand_over(
        partition, offset, elements, needed=offset + 1, arrived_ns=arrived_ns, now=now
    )


def test_an_element_is_at_its_own_time_or_that_of_its_arrival():
    partitions = arrivals({"a/0": 0}, own_ns=lambda element: element)
    latest_ns = utc.from_unix(UNIX * S)
    given = [0, 5 * S, latest_ns, None, -1, latest_ns + 1, 10**40]
    placed = handed(partitions, "a/0", given, UNIX * S, 0.0)
    assert [one.element for one in placed] == given
    assert [one.time_ns for one in placed] == [0, 5 * S, latest_ns] + [latest_ns] * 4
    assert [one.key for one in placed] == [str(one) for one in given]
    # Its sender says that it was sent in 1970.
    (old,) = handed(partitions, "a/0", [None], 1_000_000, 0.0)
    assert old.time_ns == 0
    assert partitions.positions == Positions({"a/0": 2})


def test_the_time_of_arrivals_goes_on_as_far_as_all_brokers_have_answered():
    partitions = arrivals({"a/0": 0, "a/1": 0})
    assert partitions.advance(0.0, UNIX * S) is None
    assert partitions.unheard(1.0) == []  # new ones, that may hold what is not known yet
    partitions.extend("a/0", 1)
    partitions.extend("a/1", 0)
    assert partitions.unheard(1.0) == ["a/1"]
    partitions.hear("a/1", 1.0)
    # What waits holds, however long ago it arrived.
    assert partitions.advance(2.0, (UNIX + 2) * S) is None
    (one,) = handed(partitions, "a/0", ["x"], (UNIX - 3600) * S, 3.0)
    assert one.time_ns == utc.from_unix((UNIX - 3600) * S)
    # Both have answered, the one that did so first at 1 s: 3 s ago.
    assert partitions.advance(4.0, (UNIX + 4) * S) == utc.from_unix((UNIX + 1 - 4) * S)
    assert partitions.unheard(4.0) == ["a/0", "a/1"]
    for name in ("a/0", "a/1"):
        partitions.hear(name, 5.0)
    reached_ns = partitions.advance(6.0, (UNIX + 6) * S)
    assert reached_ns == utc.from_unix((UNIX + 5 - 4) * S)
    # One whose broker is away holds it, and so does a wall clock that is set back.
    partitions.lose("a/1")
    partitions.hear("a/0", 60.0)
    assert partitions.advance(61.0, (UNIX + 61) * S) == reached_ns
    partitions.hear("a/1", 60.0)
    assert partitions.advance(61.0, (UNIX - 61) * S) == reached_ns
    assert partitions.advance(61.0, (UNIX + 61) * S) == utc.from_unix((UNIX + 60 - 4) * S)
    partitions.extend("a/1", 1)
    assert partitions.advance(62.0, (UNIX + 62) * S) == utc.from_unix((UNIX + 60 - 4) * S)


@given(EVENTS)
def test_the_time_of_arrivals_never_goes_back_nor_before_what_may_wait(events):
    partitions = arrivals({"a/0": 0, "a/1": 0})
    now, marks, confirmed = 0.0, [], dict.fromkeys(PLACES.values())
    for kind, channel, step in events:
        now, place = now + step, PLACES[channel]
        if "frame" in kind:
            handed(partitions, place, [kind], int((UNIX + now) * S), now)
            confirmed[place] = now
        elif kind == "more":
            partitions.extend(place, partitions.read[place] + 1)
        elif kind == "heard":
            partitions.hear(place, now)
            confirmed[place] = now
        else:
            partitions.lose(place)
        watermark_ns = partitions.advance(now, int((UNIX + now) * S))
        if watermark_ns is not None:
            marks.append(watermark_ns)
            assert None not in confirmed.values()
            latest = min(confirmed.values()) - ARRIVAL.idle_seconds
            assert watermark_ns <= utc.from_unix(int((UNIX + latest) * S)) + 1000
    assert marks == sorted(marks)


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
    partitions = Following(Positions({"a/0": 0}), IdleConfig(5, 10), analysed)
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
        assert partitions.hand_over("a/0", number, [frame], number + 1, now) == [frame]
        for _ in range(8):
            now += 1
            partitions.hear("a/0", now)
        told += len(partitions.quiet(0))
        partitions.advance(now)
        if number % 50 == 49:
            sizes.append(len(partitions.partitions.positions.to_bytes()))
            assert len(partitions.kept.channels) <= 86_400 / 600 + 2
    assert told == count
    assert not partitions.kept.analysed
    assert max(sizes) < 12_000
    assert partitions.advance(now) == (START + 600 * (count - 1) + 1) * S


def test_in_silence_the_last_channel_stays_and_time_goes_on():
    partitions = Following(Positions({"a/0": 0}), IdleConfig(5, 10))
    for number, second in enumerate((0, 3600, 7200)):
        frame = Frame(
            ifo="H1",
            channel=f"H1:{number}",
            sample_rate=RATE,
            gps_start_ns=(START + second) * S,
            data=bytes(8 * RATE),
        )
        partitions.hand_over("a/0", number, [frame], number + 1, 0.0)
    for now in range(1, 200_000, 2):
        partitions.hear("a/0", float(now))
        partitions.quiet(0)
        partitions.advance(float(now))
    assert list(partitions.kept.channels) == ["H1:2"]
    # All but the time until the first answer, and the idle seconds.
    beyond_ns = partitions.advance(float(now)) - (START + 7201) * S
    assert (now - 20) * S < beyond_ns < (now - 10) * S
    # One that comes back is a channel as before.
    frame = Frame(
        ifo="H1",
        channel="H1:0",
        sample_rate=RATE,
        gps_start_ns=(START + 3) * S,
        data=bytes(8 * RATE),
    )
    assert partitions.hand_over("a/0", 3, [frame], 4, now) == [frame]


def test_a_channel_that_goes_on_far_behind_the_others_is_not_forgotten():
    partitions = Following(Positions({"a/0": 0}), IdleConfig(5, 10))
    for number in range(300):
        ahead = Frame(
            ifo="H1",
            channel="H1:X",
            sample_rate=RATE,
            gps_start_ns=(START + 1000 * number) * S,
            data=bytes(8 * RATE),
        )
        behind = replace(ahead, channel="L1:X", gps_start_ns=(START + number) * S)
        partitions.hand_over("a/0", number, [ahead, behind], number + 1, float(number))
        partitions.advance(float(number))
    assert set(partitions.kept.channels) == {"H1:X", "L1:X"}


def test_there_is_a_largest_number_of_channels():
    partitions = Following(Positions({"a/0": 0}), IdleConfig())
    frames = [
        Frame(
            ifo="H1",
            channel=f"H1:{number}",
            sample_rate=RATE,
            gps_start_ns=START * S,
            data=bytes(8 * RATE),
            source=f"a/0/{number // 100}",
        )
        for number in range(2000)
    ]
    for again in (False, True):
        letters = []
        for number in range(0, 2000, 100):  # many channels in a message
            given = partitions.hand_over(
                "a/0", number // 100, frames[number : number + 100], number // 100 + 1, 0.0
            )
            letters += [one for one in given if isinstance(one, DeadLetter)]
            assert [one for one in given if isinstance(one, Frame)] == frames[
                number : min(number + 100, max(number, MOST_CHANNELS))
            ]
        assert len(letters) == (0 if again else 2000 - MOST_CHANNELS)
        assert {one.kind for one in letters} <= {LetterKind.CHANNEL}
    assert len(partitions.kept.channels) == MOST_CHANNELS
    note = write_note(partitions.time.reached_ns["a/0"])
    assert 3900 < len(note) <= 4000


def test_an_answer_that_was_overtaken_says_nothing():
    partitions = Following(Positions({"a/0": 0}), IdleConfig(5, 10))
    frame = Frame(
        ifo="H1", channel="H1:X", sample_rate=RATE, gps_start_ns=START * S, data=bytes(8 * RATE)
    )
    for number in range(40):  # asked before each frame, answered behind it
        partitions.hand_over("a/0", number, [frame], number + 1, float(number))
        partitions.hear("a/0", number - 0.9)
    for now in (41.0, 43.0):
        partitions.hear("a/0", now)
    assert not partitions.quiet(0)
    partitions.hear("a/0", 45.0)
    assert len(partitions.quiet(0)) == 1


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
    time = ChannelTime(IdleConfig())
    kept = Kept(channels={**channels, "L1:X": Channel("L1", RATE, 0, "a/1")}, analysed={})
    time.begin(kept.to_text(), ("a/0", "a/1"), {})
    note = write_note(time.reached_ns.get("a/0", {}))
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


@pytest.mark.parametrize(("element", "coder"), [(Frame, FrameCoder()), (bytes, BytesCoder())])
def test_what_is_read_travels_with_the_coder_of_its_element_and_has_no_end(element, coder):
    source = Source(
        kafka=KafkaConfig("localhost:9092"),
        topics=("a",),
        group="g",
        element=element,
        decoder=dict,
        timekeeper=ChannelTime,
    )
    read = beam.Pipeline() | ReadKafka(source)
    made = [registry.get_coder(one.element_type) for one in read]
    assert made == [TupleCoder([StrUtf8Coder(), coder]), DeadLetterCoder()]
    assert [one.is_bounded for one in read] == [False, False]


@pytest.mark.parametrize(
    ("change", "said"),
    [({"start": "newest"}, "must be latest or earliest"), ({"topics": ()}, "no topics to read")],
)
def test_a_source_that_cannot_be_is_refused(change, said):
    kafka = KafkaConfig("localhost:9092")
    given = {
        "kafka": kafka,
        "topics": ("a",),
        "group": "g",
        "element": Frame,
        "decoder": dict,
        "timekeeper": ChannelTime,
    }
    with pytest.raises(BrokerError, match=said):
        Source(**{**given, **change})
    with pytest.raises(ValueError, match="must be more than 0"):
        IdleConfig(idle_seconds=0)
