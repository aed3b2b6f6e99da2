"""Frames from a real broker, in a process and on a real Flink cluster, both killed in part."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import apache_beam as beam
import confluent_kafka
import numpy as np
import pytest
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pvalue import TaggedOutput
from apache_beam.runners.sdf_utils import RestrictionTrackerView, ThreadsafeRestrictionTracker
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from flink import parts
from flink.dev import configuration
from flink.dev.cluster import Cluster
from flink.processes import free_ports
from flink.settings import QUICK, ClusterSettings
from transforms import gps, utc
from transforms.broker import BrokerError, KafkaConfig, check_topics
from transforms.elements import DeadLetter, Frame
from transforms.ingest.kafka import reader as readers
from transforms.ingest.kafka.arrival import ArrivalTime
from transforms.ingest.kafka.positions import Positions
from transforms.ingest.kafka.reader import Reader
from transforms.ingest.kafka.rewind import read_note
from transforms.ingest.kafka.source import Source
from transforms.ingest.kafka.stage import PositionsTracker, ReadKafka, ReadMessages
from transforms.ingest.kafka.timekeeper import IdleConfig
from transforms.ingest.strain import channel_time
from transforms.ingest.strain.channel_time import Kept
from transforms.ingest.strain.source import strain_source
from transforms.kinds import LetterKind
from transforms.rate_limited_log import RateLimitedLog

S = gps.NANOSECONDS
START = 1_000_000_007
RATE = 16
BRISK = IdleConfig(quiet_seconds=0.8, idle_seconds=1.6, commit_seconds=0.2)
PATIENT = IdleConfig(quiet_seconds=60, idle_seconds=60, commit_seconds=0.2)


class Parts:
    """A decoder: one line of JSON, then float64; a frame may come in several messages."""

    PATIENCE = 3

    def __init__(self):
        self._open = {}

    @property
    def pending(self):
        return next((source for source, _ in self._open.values()), None)

    def feed(self, payload, source, arrived_ns):
        try:
            line, _, data = payload.partition(b"\n")
            header = json.loads(line)
            channel, start_ns = header["channel"], header["start_ns"]
        except (ValueError, KeyError, TypeError):
            return [DeadLetter(source=source, reason="no header")]
        key = channel, start_ns
        first, found = self._open.setdefault(key, (source, {}))
        found[header["part"]] = data
        if len(found) == header["parts"]:
            del self._open[key]
            whole = b"".join(found[number] for number in sorted(found))
            ifo = channel[:2]
            return [
                Frame(
                    ifo=ifo,
                    channel=channel,
                    sample_rate=RATE,
                    gps_start_ns=start_ns,
                    data=whole,
                    gaps=(),
                    flags=(),
                    source=first,
                    arrived_ns=arrived_ns,
                )
            ]
        if len(self._open) <= self.PATIENCE:
            return []
        lost, _ = self._open.pop(next(iter(self._open)))
        return [DeadLetter(source=lost, reason="parts are missing")]


def messages(channel, second, count=1):
    """Return the messages of one second of a channel."""
    samples = np.arange(RATE, dtype=np.float64) + second
    header = {"channel": channel, "start_ns": (START + second) * S, "parts": count}
    return [
        json.dumps({**header, "part": number}).encode() + b"\n" + piece.tobytes()
        for number, piece in enumerate(np.array_split(samples, count))
    ]


def seconds(frames, channel):
    return [
        frame.gps_start_ns // S - START
        for frame in frames
        if frame.channel == channel and frame.data
    ]


# A real broker.


@pytest.fixture(scope="module")
def producer(broker):
    made = confluent_kafka.Producer(
        {"bootstrap.servers": broker.address, "log_level": 0, "reconnect.backoff.max.ms": 500},
        error_cb=lambda _: None,
    )
    yield made
    assert made.flush(60) == 0


class Log:
    """A topic of a test's own, and what was read of it."""

    def __init__(self, broker, producer, name, partitions):
        self.address, self.producer, self.name = broker.address, producer, name
        self.admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
        topics = [NewTopic(name, partitions, 1)]
        for future in self.admin.create_topics(topics).values():
            future.result()

    def send(self, payloads, partition=0, topic=None):
        for payload in payloads:
            self.producer.produce(topic or self.name, payload, partition=partition)
        assert self.producer.flush(30) == 0

    def source(self, **change):
        given = {
            "kafka": KafkaConfig(self.address),
            "topics": (self.name,),
            "group": f"of-{self.name}",
            "decoder": Parts,
            "start": "earliest",
            "idle": PATIENT,
        }
        return strain_source(**{**given, **change})


@pytest.fixture
def log(broker, producer, request):
    return partial(Log, broker, producer, request.node.name.replace("_", "-")[:80])


class Reading:
    """Reads as the pipeline does: each time from what a checkpoint would hold."""

    def __init__(self, source, positions=None):
        self.reader = Reader(source)
        self.positions = positions or Positions()
        self.frames, self.letters, self.watermarks, self.batches = [], [], [], 0
        self.placed, self.watermark_ns = [], None

    def once(self):
        batch = self.reader.read(Positions.from_bytes(self.positions.to_bytes()))
        self.positions = batch.positions
        self.frames += [one.element for one in batch.elements]
        self.letters += batch.dead_letters
        self.batches += 1
        self.placed += batch.elements
        if batch.watermark_ns is not None:
            self.watermark_ns = batch.watermark_ns
            self.watermarks.append((batch.watermark_ns - START * S) / S)
        return batch

    def until(self, what, seconds=240.0):
        end = time.monotonic() + seconds
        while not what(self):
            assert time.monotonic() < end, (self.positions, self.letters, len(self.frames))
            self.once()
        return self

    def count(self, channel):
        return len(seconds(self.frames, channel))


@pytest.fixture
def reading():
    made = []

    def make(*given):
        made.append(Reading(*given))
        return made[-1]

    yield make
    for one in made:
        one.reader.close()


def test_all_partitions_of_all_topics_come_each_in_order(log, reading):
    topic = log(2)
    other = Log(topic, topic.producer, f"{topic.name}-other", 1)
    for second in range(300):
        topic.send(messages("H1:X", second), 0)
    for second in range(5):
        topic.send(messages("L1:X", second, count=3), 1)
        other.send(messages("V1:X", second))
    topic.send([b"\xff", b""], 1)
    far = {"channel": "L1:X", "part": 0, "parts": 1, "start_ns": 10**40}
    topic.send([json.dumps(far).encode() + b"\n" + bytes(8)], 1)
    topics = (topic.name, other.name)
    got = reading(topic.source(topics=topics)).until(lambda got: len(got.frames) == 310)
    got.until(lambda got: len(got.letters) == 3)
    assert seconds(got.frames, "H1:X") == list(range(300))
    assert seconds(got.frames, "L1:X") == seconds(got.frames, "V1:X") == list(range(5))
    assert got.batches > 1
    assert got.watermarks == sorted(got.watermarks)
    assert got.watermarks[-1] == 300
    assert got.once().lag == 0
    assert [letter.reason for letter in got.letters[:2]] == ["no header"] * 2
    assert "is not of this time: set its clock" in got.letters[2].reason
    last = got.frames[-1]
    assert last.source.rpartition("/")[0] in (
        f"{topic.name}/0",
        f"{topic.name}/1",
        f"{other.name}/0",
    )
    assert abs(last.arrived_ns - time.time_ns()) < 60 * S
    assert last.arrived_ns % 1_000_000 == 0


def test_a_channel_that_falls_silent_says_so_once_and_holds_nobody_back(log, reading):
    topic = log(2)
    topic.send(messages("L1:X", 0), 1)
    got = reading(topic.source(idle=BRISK))
    longest = 0.0
    for second in range(20):
        begun = time.monotonic()
        topic.send(messages("H1:X", second))
        got.until(lambda got, want=second + 1: got.count("H1:X") == want)
        time.sleep(0.1)
        longest = max(longest, time.monotonic() - begun)
    got.until(lambda got: silences(got, "L1:X"))
    assert got.watermarks[-1] == 20
    (empty,) = silences(got, "L1:X")
    assert empty.gps_start_ns == (START + 1) * S
    assert empty.gps_end_ns == empty.gps_start_ns
    # H1 only where this machine stood still between two of its seconds.
    assert longest > BRISK.quiet_seconds / 2 or not silences(got, "H1:X")
    said = len(silences(got))
    silent = time.monotonic()
    topic.send(messages("L1:X", 1), 1)
    got.until(lambda got: got.count("L1:X") == 2)
    assert seconds(got.frames, "L1:X") == [0, 1]
    # Then nothing at all: both say so, and time goes on from where it stood.
    got.until(lambda got: len(silences(got)) == said + 2)
    got.until(lambda got: got.watermarks[-1] > 20.2)
    waited = time.monotonic() - silent
    assert got.watermarks[-1] <= 20 + waited - BRISK.idle_seconds
    got.until(lambda got: got.watermarks[-1] > 20.7)
    assert len(silences(got)) == said + 2


def silences(got, channel=""):
    return [one for one in got.frames if not one.data and one.channel.startswith(channel)]


def committed(topic, source):
    reader = readers.client.consumer(
        source.kafka.client_settings(), source.group, RateLimitedLog(logging.getLogger(__name__))
    )
    try:
        place = confluent_kafka.TopicPartition(topic.name, 0)
        (found,) = reader.committed([place], timeout=60)
        return found.offset, read_note(found.metadata)
    finally:
        reader.close()


def test_a_new_job_reads_again_what_it_needs_and_marks_what_was_analysed(log, reading):
    topic = log(1)
    source = topic.source(context_ns=10 * S, repeat_ns=3 * S)
    for second in range(60):
        topic.send(messages("H1:X", second, count=3))
    old = reading(source).until(lambda got: got.count("H1:X") == 60)
    assert not any(frame.analysed for frame in old.frames)
    old.until(lambda _: committed(topic, source) == (180, {"H1:X": (START + 60) * S}))
    topic.send(messages("H1:X", 60, count=3))
    new = reading(source).until(lambda got: 60 in seconds(got.frames, "H1:X"))
    again = seconds(new.frames, "H1:X")
    assert again == list(range(again[0], 61))
    assert 60 - 2 * 13 - 2 <= again[0] <= 60 - 13
    assert not new.letters
    marked = [frame.gps_start_ns // S - START for frame in new.frames if frame.analysed]
    assert marked == list(range(again[0], 57))
    # What was read again is not committed: that would be a step back.
    new.until(lambda _: committed(topic, source)[0] == 183)
    assert len(marked) == len([frame for frame in new.frames if frame.analysed])


def test_a_committed_offset_of_unknown_time_and_a_log_that_is_too_short(log, reading):
    topic = log(1)
    source = topic.source(context_ns=50 * S)
    for second in range(20):
        topic.send(messages("H1:X", second))
    other = readers.client.consumer(
        source.kafka.client_settings(), source.group, RateLimitedLog(logging.getLogger(__name__))
    )
    place = confluent_kafka.TopicPartition(topic.name, 0, 15)
    other.commit(offsets=[place], asynchronous=False)
    other.close()
    got = reading(source).until(lambda got: got.count("H1:X") == 20)
    assert seconds(got.frames, "H1:X") == list(range(20))
    assert [frame.analysed for frame in got.frames] == [True] * 15 + [False] * 5


def test_without_committed_offsets_reading_begins_as_asked(log, reading):
    topic = log(1)
    topic.send(messages("H1:X", 0))
    source = topic.source(start="latest")
    got = reading(source)
    got.until(lambda got: got.positions.offsets)
    topic.send(messages("H1:X", 1))
    got.until(lambda got: got.frames)
    assert seconds(got.frames, "H1:X") == [1]
    # One that has come since, however, was not there to be left out.
    got.until(lambda _: committed(topic, source)[0] == 2)
    topic.admin.create_partitions([NewPartitions(topic.name, 2)])[topic.name].result()
    # A producer that does not know of fewer.
    topic.producer = confluent_kafka.Producer({"bootstrap.servers": topic.address})
    topic.send(messages("L1:X", 0), 1)
    new = reading(source).until(lambda got: got.count("L1:X") == 1)
    assert new.count("H1:X") == 0
    restored = reading(source, got.positions).until(lambda got: got.count("L1:X") == 1)
    assert restored.count("H1:X") == 0


def test_a_restored_reader_reads_the_first_part_again(log, reading):
    topic = log(1)
    first, second, third = messages("H1:X", 1, count=3)
    topic.send([*messages("H1:X", 0), first, *messages("L1:X", 0), second])
    old = reading(topic.source()).until(lambda got: got.count("L1:X") == 1)
    old.until(lambda got: got.once().messages == 0)
    assert old.positions.offsets == {f"{topic.name}/0": 1}
    topic.send([third])
    # In the old process nothing is read twice, in a new one the parts are, and what lay between.
    old.until(lambda got: got.count("H1:X") == 2)
    new = reading(topic.source(), old.watermarks and Positions({f"{topic.name}/0": 1}))
    new.until(lambda got: got.count("H1:X") == 1)
    assert seconds(old.frames, "L1:X") == seconds(new.frames, "L1:X") == [0]
    assert not old.letters + new.letters
    whole = np.arange(RATE) + 1.0
    np.testing.assert_array_equal(old.frames[-1].samples, whole)
    np.testing.assert_array_equal(new.frames[-1].samples, whole)


def test_a_restored_channel_that_stays_silent_says_so(log, reading):
    topic = log(2)
    topic.send(messages("H1:X", 0))
    old = reading(topic.source(idle=BRISK)).until(lambda got: got.frames)
    assert not Kept.from_text(old.positions.kept).channels["H1:X"].quiet
    new = reading(topic.source(idle=BRISK), old.positions).until(lambda got: got.frames)
    assert [frame.data for frame in new.frames] == [b""]
    newest = reading(topic.source(idle=BRISK), new.positions)
    newest.until(lambda got: got.watermarks and got.watermarks[-1] > 1.2)
    assert not newest.frames


def test_deleted_messages_are_told_of_and_the_rest_is_read(log, reading, caplog):
    topic = log(1)
    for second in range(6):
        topic.send(messages("H1:X", second))
    got = reading(topic.source()).until(lambda got: got.count("H1:X") == 6)
    place = confluent_kafka.TopicPartition(topic.name, 0, 4)
    topic.admin.delete_records([place])[place].result()
    caplog.clear()
    behind = reading(topic.source(), Positions({f"{topic.name}/0": 1}))
    behind.until(lambda got: got.frames)
    assert seconds(behind.frames, "H1:X") == [4, 5]
    beyond = reading(topic.source(), Positions({f"{topic.name}/0": 600}))
    beyond.until(lambda got: got.frames)
    warnings = [one.getMessage() for one in caplog.records if "were deleted" in one.getMessage()]
    assert len(warnings) == 2
    assert "from offset 1 on were deleted: reading goes on at 4" in warnings[0]
    assert got.once().messages == 0


class Steps:
    """Runs the DoFn as a runner does, one bundle at a time."""

    def __init__(self, source):
        self.made = ReadMessages(source)
        self.made.setup()
        self.positions, self.reached = Positions(), None

    def step(self, refuse=None):
        tracker = ThreadsafeRestrictionTracker(PositionsTracker(self.positions))
        estimator = ManualWatermarkEstimator(self.reached)
        if refuse:

            def split():
                self.rest = tracker.try_split(0)
                refuse()

            # A runner that splits while the reader waits.
            threading.Timer(0.1, split).start()
        items = list(self.made.process(b"", RestrictionTrackerView(tracker), estimator))
        assert tracker.check_done()
        self.positions = self.rest[1] if refuse else tracker.deferred_status()[0]
        self.reached = estimator.current_watermark()
        return items


def test_the_transform_hands_over_at_event_time_and_loses_nothing_to_a_split(log):
    topic = log(1)
    steps = Steps(topic.source())
    try:
        while not steps.positions.offsets:
            steps.step()
        assert steps.step(refuse=lambda: topic.send(messages("H1:X", 0))) == []
        items = []
        while not items:
            items = steps.step()
        (item,) = items
        assert item.value[0] == "H1:X"
        assert item.timestamp.micros == gps.to_event_micros(START * S)
        assert steps.reached.micros == gps.to_event_micros((START + 1) * S)
        topic.send([b"?"])
        while not (items := steps.step()):
            pass
        (letter,) = items
        assert isinstance(letter, TaggedOutput)
        assert letter.value.timestamp == steps.reached
        assert letter.value.value == DeadLetter(source=f"{topic.name}/0/1", reason="no header")
    finally:
        steps.made.teardown()
    assert not readers._readers


def test_one_process_has_one_consumer_until_nobody_needs_it(log):
    source = log(1).source()
    first = readers.borrow(source)
    assert readers.borrow(replace(source, decoder=Parts)) is first
    readers.give_back(source)
    assert readers.borrow(source) is first
    for _ in range(2):
        readers.give_back(source)
    assert not readers._readers


def test_a_killed_broker_loses_nothing_and_is_not_silence(broker, log, reading, caplog):
    topic = log(1)
    got = reading(topic.source(idle=BRISK))
    topic.send(messages("H1:X", 0))
    got.until(lambda got: got.frames)
    broker.kill()
    end = time.monotonic() + 3
    while time.monotonic() < end:
        got.once()
    fresh = reading(topic.source(idle=BRISK))
    assert fresh.once().positions == Positions()
    assert len(got.frames) == 1
    assert got.watermarks[-1] == 1
    told = [one.getMessage() for one in caplog.records]
    assert 0 < len(told) < 12
    broker.up()
    topic.send(messages("H1:X", 1))
    got.until(lambda got: got.count("H1:X") == 2)
    fresh.until(lambda got: got.count("H1:X") > 0)
    assert got.frames[-1].gps_start_ns == (START + 1) * S


class Watched:
    """A consumer, and what was asked of it that only a broker can answer."""

    def __init__(self, consumer):
        self._consumer, self.waited = consumer, []

    def poll(self, timeout):
        return self._consumer.poll(timeout)

    def get_watermark_offsets(self, place, timeout=None, cached=False):
        if not cached:
            self.waited.append(place)
        return self._consumer.get_watermark_offsets(place, timeout or 1.0, cached)

    def commit(self, offsets, asynchronous):
        if not asynchronous:
            self.waited.append(offsets)
        return self._consumer.commit(offsets=offsets, asynchronous=asynchronous)

    def __getattr__(self, name):
        self.waited.append(name)
        return getattr(self._consumer, name)


def test_forty_silent_partitions_of_a_dead_broker_hold_nobody_up(broker, log, reading, monkeypatch):
    topic = log(40)
    for number in range(40):
        topic.send(messages(f"H1:{number}", 0), number)
    got = reading(topic.source(idle=BRISK)).until(lambda got: len(got.frames) == 40)
    # While the broker lives, all of them say that they have nothing more.
    got.until(lambda got: len([frame for frame in got.frames if not frame.data]) == 40)
    begin = Positions({f"{topic.name}/{number}": 0 for number in range(40)})
    fresh = reading(topic.source(idle=BRISK), begin).until(lambda got: len(got.frames) == 40)
    broker.kill()
    try:
        # Whoever waited for an answer would stand still, and have it afterwards.
        monkeypatch.setattr(readers.client, "_ANSWER_S", 240.0)
        watched = Watched(fresh.reader._consumer)
        with monkeypatch.context() as patch:
            patch.setattr(fresh.reader, "_consumer", watched)
            for _ in range(6):
                fresh.once()
        assert watched.waited == []
        assert len(fresh.frames) == 40
    finally:
        broker.up()
    fresh.until(lambda got: len([frame for frame in got.frames if not frame.data]) == 40)


def test_a_channel_too_many_is_told_of_once(log, reading, monkeypatch):
    monkeypatch.setattr(channel_time, "MOST_CHANNELS", 3)
    topic = log(1)
    for second in range(4):
        for number in range(5):
            topic.send(messages(f"H1:{number}", second))
    got = reading(topic.source()).until(lambda got: len(got.frames) == 12)
    got.until(lambda got: got.once().messages == 0)
    assert {frame.channel for frame in got.frames} == {"H1:0", "H1:1", "H1:2"}
    assert [letter.kind for letter in got.letters] == [LetterKind.CHANNEL] * 2
    assert "H1:3 is not read" in got.letters[0].reason
    assert "name those wanted with --channel" in got.letters[0].reason


class Spiteful(Parts):
    """Raises what nobody lists."""

    def feed(self, payload, source, arrived_ns):
        if payload == b"bad":
            raise ZeroDivisionError("a bug")
        return super().feed(payload, source, arrived_ns)


def test_a_message_that_no_decoder_bears_is_a_dead_letter_also_when_looked_at(log, reading):
    topic = log(1)
    source = topic.source(decoder=Spiteful, context_ns=10 * S, repeat_ns=3 * S)
    for second in range(20):
        topic.send([*messages("H1:X", second), b"bad"])
    old = reading(source).until(lambda got: got.count("H1:X") == 20)
    old.until(lambda _: committed(topic, source)[0] == 40)
    new = reading(source).until(lambda got: 19 in seconds(got.frames, "H1:X"))
    assert len(old.letters) == 20
    assert {letter.kind for letter in old.letters + new.letters} == {LetterKind.DAMAGED}
    assert seconds(new.frames, "H1:X")[0] < 8


class Notices:
    """A decoder of what has no channel and no samples: a name, and perhaps a time."""

    pending = None

    def feed(self, payload, source, arrived_ns):
        notice = json.loads(payload)
        return [(notice["name"], notice.get("time_ns"))]


def named(notice):
    return notice[0]


def own_ns(notice):
    return notice[1]


def notices(topic, **change):
    given = {
        "kafka": KafkaConfig(topic.address),
        "topics": (topic.name,),
        "group": f"of-{topic.name}",
        "element": tuple,
        "decoder": Notices,
        "timekeeper": partial(ArrivalTime, key=named, own_ns=own_ns),
        "start": "earliest",
        "idle": BRISK,
    }
    return Source(**{**given, **change})


def test_another_kind_of_topic_is_only_another_source(broker, log, reading):
    topic = log(2)
    source = notices(topic)
    begun_ns = utc.from_unix(time.time_ns())
    old = reading(source)
    # Nothing has come yet, in either partition: time goes on.
    old.until(lambda got: got.watermarks)
    topic.send([b'{"name": "GRB 1", "time_ns": 1000000007000000000}', b"no notice"])
    topic.send([b'{"name": "GRB 2"}'], 1)
    old.until(lambda got: len(got.frames) == 2)
    old.until(lambda got: len(got.letters) == 1)
    assert sorted(old.frames) == [("GRB 1", START * S), ("GRB 2", None)]
    assert [letter.kind for letter in old.letters] == [LetterKind.DAMAGED]
    placed = {one.key: one.time_ns for one in old.placed}
    assert placed["GRB 1"] == START * S
    assert begun_ns < placed["GRB 2"] <= utc.from_unix(time.time_ns())
    seen_ns = old.watermark_ns
    old.until(lambda got: got.watermark_ns > seen_ns + S)
    assert old.watermark_ns < utc.from_unix(time.time_ns()) - BRISK.idle_seconds * S
    assert old.watermarks == sorted(old.watermarks)
    # A broker that is away confirms nothing.
    broker.kill()
    try:
        old.until(lambda got: got.once().watermark_ns == got.once().watermark_ns)
        stood_ns, until = old.watermark_ns, time.monotonic() + 3
        while time.monotonic() < until:
            old.once()
        assert old.watermark_ns == stood_ns
    finally:
        broker.up()
    old.until(lambda got: got.watermark_ns > stood_ns)
    old.until(lambda _: committed(topic, source)[0] == 2)
    # Without a checkpoint, exactly what was not handed over; from one, too.
    topic.send([b'{"name": "GRB 3"}'])
    for new in (reading(source), reading(source, old.positions)):
        new.until(lambda got: len(got.frames) == 1)
        assert new.frames == [("GRB 3", None)]
        assert not new.letters


def test_two_sources_of_a_process_share_nothing(log):
    topic = log(1)
    one, other = topic.source(), notices(topic, group="another")
    assert readers.borrow(one) is not readers.borrow(other)
    for source in (one, other):
        readers.give_back(source)
    assert not readers._readers


def test_topics_are_checked_in_one_line(broker, log):
    topic = log(1)
    config = KafkaConfig(broker.address)
    check_topics(config, [topic.name])
    with pytest.raises(BrokerError, match=f"no topic nowhere at .*: create it.*{topic.name}"):
        check_topics(config, [topic.name, "nowhere"])


# A real cluster.


class Write(beam.DoFn):
    """Append the name and the second of each frame to a file."""

    def __init__(self, path):
        self._path = path

    def process(self, keyed):
        channel, frame = keyed
        if frame.data:
            with open(self._path, "a") as file:
                file.write(f"{channel} {frame.gps_start_ns // S - START}\n")


def job(address, topic, path, options):
    pipeline = beam.Pipeline(options=PipelineOptions(["--streaming", *options]))
    source = strain_source(
        kafka=KafkaConfig(address),
        topics=(topic,),
        group="live",
        decoder=Parts,
        start="earliest",
    )
    read = pipeline | "Kafka" >> ReadKafka(source)
    _ = read.elements | "Spread" >> beam.Reshuffle() | "Write" >> beam.ParDo(Write(path))
    pipeline.run().wait_until_finish()


@pytest.fixture(scope="module")
def flink(cluster, tmp_path_factory):
    names = ("port", "rpc_port", "job_port", "artifact_port", "zookeeper_port")
    settings = ClusterSettings(
        folder=tmp_path_factory.mktemp("flink") / "cluster",
        timeout_s=300.0,
        slots=1,
        checkpoint_ms=1000,
        java_options=QUICK,
        **dict(zip(names, free_ports(5), strict=True)),
    )
    made = Cluster(settings)
    try:
        made.up()
        yield made
    finally:
        made.down()


def running(flink):
    """Return the job that runs and the TaskManagers that it has; None before."""
    jobs = [one for one in flink.ask("/jobs/overview")["jobs"] if one["state"] == "RUNNING"]
    if not jobs:
        return None
    path = f"/jobs/{jobs[0]['jid']}"
    hosts = [
        flink.ask(f"{path}/vertices/{vertex['id']}/taskmanagers")["taskmanagers"]
        for vertex in flink.ask(path)["vertices"]
    ]
    return path, {one["taskmanager-id"] for host in hosts for one in host}


@pytest.fixture
def frames(flink, broker, log, tmp_path):
    """Run a job in a process of its own; its worker ends with an error when Flink hangs up."""
    topic, path = log(2), tmp_path / "frames"
    path.touch()
    module = Path(__file__).stem
    script = f"import sys; from {module} import job; job(*sys.argv[1:4], sys.argv[4:])"
    options = configuration.pipeline_options(flink.settings)
    with open(tmp_path / "said", "w") as said:
        process = subprocess.Popen(
            [sys.executable, "-c", script, broker.address, topic.name, path, *options],
            cwd=Path(__file__).parent,
            env={**os.environ, "PYTHONPATH": str(parts.ROOT)},
            stdout=said,
            stderr=said,
        )
    try:
        yield topic, path, process
        path, _ = running(flink)
        assert flink.ask(f"{path}?mode=cancel", "PATCH") is not None
        process.wait(240)
    finally:
        process.kill()
        process.wait()


class Detectors(threading.Thread):
    """Two detectors, five times as fast as real ones; one sends its frames in parts."""

    def __init__(self, topic):
        super().__init__()
        self.topic, self.sent, self.ended = topic, 0, threading.Event()

    def run(self):
        while not self.ended.wait(0.2):
            self.topic.send(messages("H1:X", self.sent))
            self.topic.send(messages("L1:X", self.sent, count=3), 1)
            self.sent += 1


@pytest.mark.timeout(1800)
def test_frames_survive_a_killed_taskmanager(flink, frames):
    topic, path, process = frames

    def wait_for(count):
        end = time.monotonic() + 600
        while (
            len(arrived := [tuple(line.split()) for line in path.read_text().splitlines()]) < count
        ):
            assert process.poll() is None
            assert time.monotonic() < end, len(arrived)
            time.sleep(0.1)
        return arrived

    detectors = Detectors(topic)
    detectors.start()
    try:
        wait_for(20)
        (host,) = running(flink)[1]
        flink.kill(host)
        before = len(wait_for(0))
        wait_for(before + 20)
    finally:
        detectors.ended.set()
        detectors.join()
    expected = {
        (name, str(number)) for name in ("H1:X", "L1:X") for number in range(detectors.sent)
    }
    end = time.monotonic() + 240
    while set(wait_for(0)) != expected:
        assert time.monotonic() < end, expected - set(wait_for(0))
        time.sleep(0.1)
    (now,) = running(flink)[1]
    assert now != host
    for name in ("H1:X", "L1:X"):
        first = list(dict.fromkeys(int(number) for one, number in wait_for(0) if one == name))
        assert first == sorted(first)
