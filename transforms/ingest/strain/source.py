"""Topics of strain as a source."""

from collections.abc import Callable
from functools import partial

from transforms.broker import KafkaConfig
from transforms.elements import Frame
from transforms.ingest.kafka.rewind import Extent, Rewind
from transforms.ingest.kafka.source import Batch, Decoder, Source
from transforms.ingest.kafka.timekeeper import IdleConfig
from transforms.ingest.strain.channel_time import ChannelTime
from transforms.ingest.strain.frame_checks import CheckedFrames
from transforms.observe.record import recorder


def strain_source(
    *,
    kafka: KafkaConfig,
    topics: tuple[str, ...],
    group: str,
    decoder: Callable[[], Decoder[Frame]],
    context_ns: int = 0,
    repeat_ns: int = 0,
    start: str = "latest",
    idle: IdleConfig = IdleConfig(),  # noqa: B008
) -> Source[Frame]:
    """Return a source of frames, keyed by channel, at the event time of their first sample.

    Args:
        kafka: See `Source`, as for all that is not here.
        topics: Of frames.
        group: Consumer group.
        decoder: Makes the decoder of a partition; its frames are checked.
        context_ns: Past strain that the analysis needs before it gives what it would have
            given [ns].
        repeat_ns: What is analysed again, as results may have been lost with the old job [ns].
        start: ``latest`` or ``earliest``.
        idle: When a channel is quiet.

    Raises:
        transforms.broker.BrokerError: No topics, or an unknown start.
    """
    return Source(
        kafka=kafka,
        topics=topics,
        group=group,
        element=Frame,
        name="frames",
        decoder=partial(_checked, decoder),
        timekeeper=ChannelTime,
        rewind=Rewind(extent=_extent, context_ns=context_ns, repeat_ns=repeat_ns),
        start=start,
        idle=idle,
        record=_record,
    )


def _checked(make: Callable[[], Decoder[Frame]]) -> Decoder[Frame]:
    return CheckedFrames(make())


def _extent(frame: Frame) -> Extent:
    return Extent(
        name=frame.channel,
        start_ns=frame.gps_start_ns,
        end_ns=frame.gps_end_ns,
        source=frame.source,
    )


def _record(batch: Batch[Frame]) -> None:
    if (record := recorder()) is not None:
        record.messages(batch.messages, batch.size, batch.lag)
        for placed in batch.elements:
            record.frame(placed.element)
