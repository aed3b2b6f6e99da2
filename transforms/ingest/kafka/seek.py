"""Where a job without a checkpoint begins to read: asks the broker, looks into its log."""

import logging
from collections.abc import Callable, Iterable, Mapping

import confluent_kafka as kafka

from transforms.elements import Frame
from transforms.ingest.kafka import client
from transforms.ingest.kafka.progress import Positions
from transforms.ingest.kafka.rewind import Sample, find, read_note
from transforms.ingest.kafka.source import Decoder, Source

_LOG = logging.getLogger(__name__)
_LOOK = 128
"""Most messages looked at in one place."""
_LOOK_BACK = 32
"""Messages before a committed offset of which it is not known what time they were of."""


def begin(
    consumer: kafka.Consumer,
    source: Source,
    committed: Mapping[str, kafka.TopicPartition],
    partitions: Iterable[str],
) -> Positions:
    """Find where to begin in partitions of which no checkpoint says it.

    Args:
        consumer: Without an assignment; it has another one afterwards.
        source: What is read.
        committed: What the group has committed of all partitions.
        partitions: Where to begin.

    Raises:
        kafka.KafkaException: A broker does not answer.
    """
    # A partition without a committed offset is new if others of its topic have one.
    known = {name.rpartition("/")[0] for name, one in committed.items() if one.offset >= 0}
    offsets: dict[str, int] = {}
    analysed: dict[str, int] = {}
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
        place = _rewound(consumer, source, name, range(low, at), read_note(one.metadata))
        offsets[name], reached = place
        for channel, end_ns in reached.items():
            until_ns = end_ns - source.rewind.repeat_ns
            analysed[channel] = min(until_ns, analysed.get(channel, until_ns))
    return Positions(offsets, {}, analysed)


def _rewound(
    consumer: kafka.Consumer,
    source: Source,
    partition: str,
    before: range,
    reached: Mapping[str, int],
) -> tuple[int, Mapping[str, int]]:
    """Return where to begin in a partition, and the GPS times that were reached there.

    Args:
        consumer: Looks into the log.
        source: What is read.
        partition: Where.
        before: The offsets that the log has before the committed one.
        reached: GPS time [ns] of each channel at the committed offset; empty: not known.
    """
    low, at = before.start, before.stop

    def look(offset: int, enough: Callable[[Sample], bool]) -> Sample:
        consumer.assign([client.at(partition, offset)])
        return _look(consumer, source.decoder(), partition, range(offset, at), enough)

    if not reached and at > low:
        reached = look(max(low, at - _LOOK_BACK), lambda _: False).ends
    back_ns = source.rewind.context_ns + source.rewind.repeat_ns
    wanted = {channel: end_ns - back_ns for channel, end_ns in reached.items()}
    if not wanted or not back_ns:
        return at, reached

    def seen_all(sample: Sample) -> bool:
        return wanted.keys() <= sample.starts.keys()

    offset = find(at, low, wanted, lambda offset: look(offset, seen_all))
    return offset, reached


def _look(
    consumer: kafka.Consumer,
    decoder: Decoder,
    partition: str,
    offsets: range,
    enough: Callable[[Sample], bool],
) -> Sample:
    """Decode messages from an offset on, until it is enough or there is no more."""
    first: int | None = None
    starts: dict[str, int] = {}
    ends: dict[str, int] = {}
    sample = Sample(offsets.start)
    for _ in range(_LOOK):
        message = consumer.poll(client.ASK_S)
        if message is None:
            # Nothing more, or nobody to say so: that is an error.
            client.limits(consumer, partition)
            break
        if message.error() is not None or message.offset() not in offsets:
            break
        offset = message.offset()
        for item in decoder.feed(message.value() or b"", f"{partition}/{offset}", 0):
            if isinstance(item, Frame):
                if first is None:
                    first = int(item.source.rpartition("/")[2])
                starts.setdefault(item.channel, item.gps_start_ns)
                ends[item.channel] = max(item.gps_end_ns, ends.get(item.channel, 0))
        sample = Sample(offsets.start if first is None else first, starts, ends)
        if enough(sample) or offset == offsets[-1]:
            break
    return sample
