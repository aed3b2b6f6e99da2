"""Reads topics, one consumer for each process; it goes on from any positions."""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import confluent_kafka as kafka

from transforms.elements import DeadLetter
from transforms.ingest.kafka import client
from transforms.ingest.kafka.crashes import Marks
from transforms.ingest.kafka.guarded import guarded
from transforms.ingest.kafka.positions import Partitions, Positions
from transforms.ingest.kafka.rewind import write_note
from transforms.ingest.kafka.seek import begin
from transforms.ingest.kafka.source import Batch, Decoder, Source
from transforms.ingest.kafka.timekeeper import Placed
from transforms.rate_limited_log import RateLimitedLog

T = TypeVar("T")
Item = TypeVar("Item")
_LOG = logging.getLogger(__name__)
_WAIT_S = 0.5
"""Longest wait for a first message [s]: a checkpoint has to wait for it."""
_LINGER_S = 0.02
"""How long a first message waits for those of other detectors [s]: a round of the runner, which
they would have to wait for, takes 0.1 s."""
_MOST_MESSAGES, _MOST_BYTES = 256, 16 << 20
"""Handed over at once, a message more or less: what waits behind stays with the broker."""
_LARGEST_SKEW_NS = 60_000_000_000
"""A message that says that it came later than that after now is not believed [ns]."""


@dataclass(frozen=True, kw_only=True)
class _Snapshot:
    """What was handed over at some time, to be committed later."""

    at: float
    """Seconds."""
    offsets: Mapping[str, int]
    reached_ns: Mapping[str, Mapping[str, int]]
    """GPS time of each name, for each partition."""


class Reader(Generic[T]):
    """One consumer of all partitions; safe to be called from several threads."""

    def __init__(self, source: Source[T]) -> None:
        self._marks = Marks(source.key)
        self._source = guarded(source, self._marks)
        self._lock = threading.Lock()
        self._errors = RateLimitedLog(_LOG)
        self._consumer = client.consumer(source.kafka.client_settings(), source.group, self._errors)
        self._ends = client.Ends(source.kafka.client_settings())
        self._decoders: dict[str, Decoder[T]] = {}
        self._given: Positions | None = None
        self._timekeeper = source.timekeeper(source.idle)
        self._partitions = Partitions(Positions(), self._timekeeper, source.idle, 0.0)
        self._snapshots: deque[_Snapshot] = deque()
        self._committed: dict[str, int] = {}
        self._last_commit = self._last_question = 0.0

    def read(self, start: Positions) -> Batch[T]:
        """Wait for a message, for 0.5 s at most, and return all that has come.

        Args:
            start: Where to go on. If that is where the last batch ended, that one counts as
                handed over, and is committed in due time; else reading begins anew there.
        """
        with self._lock:
            if start == self._given:
                self._commit(start.offsets, time.monotonic())
            else:
                try:
                    self._begin(start)
                except kafka.KafkaException as error:
                    self._given = None
                    self._errors.tell("begin", f"Kafka cannot be read yet: {error.args[0].str()}")
                    time.sleep(_WAIT_S)
                    return Batch(positions=start)
            batch = self._drain()
            self._given = batch.positions if self._given is not None else None
            return batch

    def close(self) -> None:
        """Leave the broker."""
        with self._lock:
            self._consumer.close()
            self._marks.close()

    def _begin(self, start: Positions) -> None:
        """Go to some positions, or where the group was left if there are none."""
        self._marks.look()
        found = client.partitions(self._consumer, self._source.topics)
        for topic in set(self._source.topics) - {name.rpartition("/")[0] for name in found}:
            self._errors.tell(f"topic {topic}", f"topic {topic} is not there: it is not read")
        at_last = client.committed(self._consumer, found)
        new = [name for name in found if name not in start.offsets]
        begun = begin(self._consumer, self._source, at_last, new)
        offsets = {name: start.offsets.get(name, begun.offsets.get(name, 0)) for name in found}
        start = Positions(offsets, start.kept)
        self._committed = {name: one.offset for name, one in at_last.items()}
        self._partitions = Partitions(
            start, self._timekeeper, self._source.idle, time.monotonic(), begun.context_until_ns
        )
        self._decoders = {}
        self._snapshots.clear()
        self._assign()
        self._given = start

    def _assign(self) -> None:
        self._consumer.assign([client.at(*place) for place in self._partitions.read.items()])

    def _drain(self) -> Batch[T]:
        elements: list[Placed[T]] = []
        letters: list[DeadLetter] = []
        count = size = 0
        self._question(time.monotonic())
        message = self._consumer.poll(_WAIT_S)
        end = time.monotonic() + _LINGER_S
        while message is not None:
            if message.error() is not None:
                self._recover(message)
            else:
                payload = message.value() or b""
                count, size = count + 1, size + len(payload)
                self._take(message, payload, elements, letters)
            if count >= _MOST_MESSAGES or size >= _MOST_BYTES:
                break
            message = self._consumer.poll(max(0.0, end - time.monotonic()))
        now, unix_ns, partitions = time.monotonic(), time.time_ns(), self._partitions
        for name in partitions.read:
            _, last = self._consumer.get_watermark_offsets(client.at(name), cached=True)
            if last >= 0:
                partitions.extend(name, last)
        self._listen()
        elements += self._timekeeper.own(unix_ns)
        watermark_ns = partitions.advance(now, unix_ns)
        return Batch(
            positions=partitions.positions,
            elements=elements,
            dead_letters=letters,
            watermark_ns=watermark_ns,
            messages=count,
            size=size,
            lag=partitions.lag,
        )

    def _take(
        self,
        message: kafka.Message,
        payload: bytes,
        elements: list[Placed[T]],
        letters: list[DeadLetter],
    ) -> None:
        """Decode a message, and add the elements that it held."""
        name, offset = f"{message.topic()}/{message.partition()}", message.offset()
        kind, milliseconds = message.timestamp()
        arrived_ns = arrival_ns(kind, milliseconds, time.time_ns())
        if name not in self._decoders:
            self._decoders[name] = self._source.decoder()
        decoder = self._decoders[name]
        good = _without(letters, decoder.feed(payload, f"{name}/{offset}", arrived_ns))
        pending = decoder.pending
        given = self._partitions.hand_over(
            name,
            offset,
            good,
            needed=offset + 1 if pending is None else int(pending.rpartition("/")[2]),
            arrived_ns=arrived_ns,
            now=time.monotonic(),
        )
        elements += _without(letters, given)

    def _recover(self, message: kafka.Message) -> None:
        """Log an error, and go on at the beginning of a log whose part was deleted."""
        error = message.error()
        if error.code() != kafka.KafkaError._AUTO_OFFSET_RESET:
            self._errors.tell(error.name(), f"Kafka: {error.str()}")
            return
        name = f"{message.topic()}/{message.partition()}"
        try:
            low, _ = client.limits(self._consumer, name)
        except kafka.KafkaException:
            # Then from the start again, until the broker answers.
            self._given = None
            return
        lost = f"messages of {name} from offset {self._partitions.read[name]} on were deleted"
        _LOG.warning("%s: reading goes on at %d, the beginning of the log", lost, low)
        self._partitions.jump(name, low)
        self._decoders.pop(name, None)
        self._committed.pop(name, None)
        self._assign()

    def _question(self, now: float) -> None:
        """Ask silent partitions whether there is nothing, or nobody to bring it."""
        if now - self._last_question >= self._source.idle.tick_seconds:
            self._last_question = now
            self._ends.ask(self._partitions.unheard(now), now)

    def _listen(self) -> None:
        """Handle what silent partitions have answered."""
        for name, asked, end in self._ends.answers():
            if name not in self._partitions.read:
                continue
            if end is None:
                self._partitions.lose(name)
            else:
                self._partitions.extend(name, end)
                self._partitions.hear(name, asked)

    def _commit(self, given: Mapping[str, int], now: float) -> None:
        """Commit what was handed over a while ago, without waiting for the broker.

        Args:
            given: First message of each partition that is still needed after all that was
                handed over, which is all that the timekeeper has taken.
            now: Seconds.
        """
        after = self._source.idle.commit_seconds
        if not self._snapshots or now - self._snapshots[-1].at >= after / 5:
            reached_ns = self._timekeeper.reached_ns
            self._snapshots.append(_Snapshot(at=now, offsets=given, reached_ns=reached_ns))
        if now - self._last_commit < after or now - self._snapshots[0].at < after:
            return
        while len(self._snapshots) > 1 and now - self._snapshots[1].at >= after:
            self._snapshots.popleft()
        known = self._snapshots.popleft()
        self._last_commit = now
        # Never backwards: what is read again after a restart was committed before.
        places = [
            client.at(name, offset, write_note(known.reached_ns.get(name, {})))
            for name, offset in known.offsets.items()
            if offset > self._committed.get(name, -1)
        ]
        if not places:
            return
        try:
            self._consumer.commit(offsets=places, asynchronous=True)
        except kafka.KafkaException as error:
            self._errors.tell("commit", f"offsets were not committed: {error.args[0].str()}")
            return
        self._committed.update((f"{one.topic}/{one.partition}", one.offset) for one in places)


def _without(letters: list[DeadLetter], items: Iterable[Item | DeadLetter]) -> list[Item]:
    """Return items without the dead letters among them, which are added to the others."""
    good: list[Item] = []
    for item in items:
        if isinstance(item, DeadLetter):
            letters.append(item)
        else:
            good.append(item)
    return good


def arrival_ns(kind: int, milliseconds: int, now_ns: int) -> int:
    """Return when a message was on its topic [Unix ns]: now, where it does not say what can be.

    Args:
        kind: Of the time, as the client names it.
        milliseconds: As the message says [Unix ms]; its sender may have written it.
        now_ns: Unix time [ns].
    """
    said_ns = milliseconds * 1_000_000
    known = kind != kafka.TIMESTAMP_NOT_AVAILABLE and 0 < said_ns <= now_ns + _LARGEST_SKEW_NS
    return said_ns if known else now_ns


_readers: dict[str, tuple[Reader[Any], int]] = {}
_readers_lock = threading.Lock()


def borrow(source: Source[T]) -> Reader[T]:
    """Return the process's reader of a source, to be given back; make it if it is the first."""
    with _readers_lock:
        reader, users = _readers.get(source.key, (None, 0))
        reader = reader or Reader(source)
        _readers[source.key] = reader, users + 1
        return reader


def give_back(source: Source[T]) -> None:
    """End a process's reader with its last user."""
    with _readers_lock:
        reader, users = _readers.pop(source.key)
        if users > 1:
            _readers[source.key] = reader, users - 1
            return
    reader.close()
