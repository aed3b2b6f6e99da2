"""What is read from Kafka, and how."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Generic, Protocol, TypeVar

from transforms.broker import BrokerError, KafkaConfig
from transforms.elements import DeadLetter
from transforms.ingest.kafka.positions import Positions
from transforms.ingest.kafka.rewind import Rewind
from transforms.ingest.kafka.timekeeper import IdleConfig, Placed, Timekeeper

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Decoder(Protocol[T_co]):
    """Makes elements of the messages of one partition, which it is fed in order."""

    def feed(self, payload: bytes, source: str, arrived_ns: int) -> Sequence[T_co | DeadLetter]:
        """Decode a message, from ``topic/partition/offset``, and return what it completes.

        Whatever it raises makes the message a dead letter.
        """

    @property
    def pending(self) -> str | None:
        """Source of the oldest message that an incomplete element still needs."""


@dataclass(frozen=True, kw_only=True)
class Batch(Generic[T]):
    """What one look at the topics returned."""

    positions: Positions
    """Where to go on once all of it is handed over."""
    elements: Sequence[Placed[T]] = ()
    dead_letters: Sequence[DeadLetter] = ()
    watermark_ns: int | None = None
    """GPS time up to which all is handed over with it; None: not known."""
    messages: int = 0
    size: int = 0
    """Of the messages [bytes]."""
    lag: int = 0
    """Messages that are known to wait."""


@dataclass(frozen=True, kw_only=True)
class Source(Generic[T]):
    """What is read, and how; it must be picklable.

    Raises:
        BrokerError: No topics, or an unknown start.
    """

    kafka: KafkaConfig
    """The broker; what is secret is read by the workers."""
    topics: tuple[str, ...]
    group: str
    """Consumer group, for its committed offsets only: two jobs must not have the same."""
    element: type[T]
    """What the messages hold: its coder is that of what is read."""
    decoder: Callable[[], Decoder[T]]
    """Makes the decoder of a partition."""
    timekeeper: Callable[[IdleConfig], Timekeeper[T]]
    """Makes what says the time of elements, and how far it is."""
    rewind: Rewind[T] | None = None
    """How far before its committed offsets a job without a checkpoint begins; None: there."""
    start: str = "latest"
    """Where to begin if the group has committed nothing: ``latest`` or ``earliest``."""
    idle: IdleConfig = field(default_factory=IdleConfig)
    name: str = "elements"
    """What the counter of elements is called."""
    record: Callable[[Batch[T]], None] | None = None
    """Counts what is handed over, beside Beam's counters; called in the worker."""

    def __post_init__(self) -> None:
        if self.start not in ("latest", "earliest"):
            raise BrokerError(f"start is {self.start!r}: must be latest or earliest")
        if not self.topics:
            raise BrokerError("no topics to read: name at least one")

    @property
    def key(self) -> str:
        """What two readers that may share a consumer have in common."""
        return json.dumps([asdict(self.kafka), self.topics, self.group], sort_keys=True)
