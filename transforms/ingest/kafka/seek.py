"""Where a job without a checkpoint begins to read: asks the broker, looks into its log."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import confluent_kafka as kafka

from transforms.elements import DeadLetter
from transforms.ingest.kafka import client
from transforms.ingest.kafka.rewind import Rewind, Sample, find, read_note
from transforms.ingest.kafka.source import Source

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
_LOOK = 128
"""Most messages looked at in one place."""
_LOOK_BACK = 32
"""Messages before a committed offset that are read if the offset has no time beside it."""


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """Where reading begins without a checkpoint."""

    offsets: Mapping[str, int]
    """First message of each partition."""
    context_until_ns: Mapping[str, int]
    """GPS time of each name up to which elements are read again for their past only."""


def begin(
    consumer: kafka.Consumer,
    source: Source[T],
    committed: Mapping[str, kafka.TopicPartition],
    partitions: Iterable[str],
) -> Beginning:
    """Find where to begin in partitions that no checkpoint covers.

    Args:
        consumer: Without an assignment; the search assigns partitions to it.
        source: What is read.
        committed: Offsets that the group has committed, of all partitions.
        partitions: Names of those to find a beginning for.

    Raises:
        kafka.KafkaException: A broker does not answer.
    """
    # A partition without a committed offset is new if others of its topic have one.
    known = {name.rpartition("/")[0] for name, one in committed.items() if one.offset >= 0}
    offsets: dict[str, int] = {}
    context_until_ns: dict[str, int] = {}
    for name in partitions:
        one = committed[name]
        low, high = client.limits(consumer, name)
        if one.offset < 0:
            early = source.start == "earliest" or name.rpartition("/")[0] in known
            offsets[name] = low if early else high
            continue
        at = one.offset
        if not low <= at <= high:
            lost = f"messages of {name} from offset {at} on were deleted"
            _LOG.warning("%s: reading begins at %d, the beginning of the log", lost, low)
            at = low
        if source.rewind is None:
            offsets[name] = at
            continue
        log = _Look(consumer, source, source.rewind, name)
        offsets[name], reached = _rewound(log, range(low, at), read_note(one.metadata))
        for followed, end_ns in reached.items():
            until_ns = end_ns - source.rewind.repeat_ns
            context_until_ns[followed] = min(until_ns, context_until_ns.get(followed, until_ns))
    return Beginning(offsets=offsets, context_until_ns=context_until_ns)


def _rewound(
    log: "_Look[T]", before: range, reached: Mapping[str, int]
) -> tuple[int, Mapping[str, int]]:
    """Return where to begin in a partition, and the GPS times that were reached there.

    Args:
        log: Of the partition.
        before: The offsets that the log has before the committed one.
        reached: GPS time [ns] of each name at the committed offset; empty: not known.
    """
    low, at = before.start, before.stop
    if not reached and at > low:
        reached = log.sample(range(max(low, at - _LOOK_BACK), at), lambda _: False).ends
    back_ns = log.rewind.context_ns + log.rewind.repeat_ns
    wanted = {name: end_ns - back_ns for name, end_ns in reached.items()}
    if not wanted or not back_ns:
        return at, reached

    def seen_all(sample: Sample) -> bool:
        return wanted.keys() <= sample.starts.keys()

    offset = find(at, low, wanted, lambda offset: log.sample(range(offset, at), seen_all))
    return offset, reached


@dataclass(frozen=True)
class _Look(Generic[T]):
    """Looks into the log of a partition."""

    consumer: kafka.Consumer
    source: Source[T]
    rewind: Rewind[T]
    partition: str

    def sample(self, offsets: range, enough: Callable[[Sample], bool]) -> Sample:
        """Decode messages from an offset on, until it is enough or there is no more."""
        self.consumer.assign([client.at(self.partition, offsets.start)])
        decoder = self.source.decoder()
        first: int | None = None
        starts: dict[str, int] = {}
        ends: dict[str, int] = {}
        sample = Sample(offsets.start)
        for _ in range(_LOOK):
            message = self.consumer.poll(client.ASK_S)
            if message is None:
                # Nothing more, or nobody to say so: that is an error.
                client.limits(self.consumer, self.partition)
                break
            if message.error() is not None or message.offset() not in offsets:
                break
            offset = message.offset()
            for item in decoder.feed(message.value() or b"", f"{self.partition}/{offset}", 0):
                if isinstance(item, DeadLetter):
                    continue
                extent = self.rewind.extent(item)
                if first is None:
                    first = int(extent.source.rpartition("/")[2])
                starts.setdefault(extent.name, extent.start_ns)
                ends[extent.name] = max(extent.end_ns, ends.get(extent.name, 0))
            sample = Sample(offsets.start if first is None else first, starts, ends)
            if enough(sample) or offset == offsets[-1]:
                break
        return sample
