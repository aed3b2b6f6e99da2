"""What is read from Kafka, and how."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Protocol

from transforms.broker import BrokerError, KafkaConfig
from transforms.elements import DeadLetter, Frame
from transforms.ingest.kafka.progress import IdleConfig
from transforms.ingest.kafka.rewind import Rewind


class Decoder(Protocol):
    """Makes frames of the messages of one partition, which it is fed in order; never raises."""

    def feed(self, payload: bytes, source: str, arrived_ns: int) -> list[Frame | DeadLetter]:
        """Take a message, from ``topic/partition/offset``, and give what it completes.

        A frame's source is that of its first message.
        """

    @property
    def pending(self) -> str | None:
        """Source of the oldest message that an incomplete frame still needs."""


@dataclass(frozen=True)
class Source:
    """What is read, and how."""

    kafka: KafkaConfig
    topics: tuple[str, ...]
    group: str
    decoder: Callable[[], Decoder]
    rewind: Rewind
    start: str = "latest"
    """Where to begin if the group has committed nothing: ``latest`` or ``earliest``."""
    pace: IdleConfig = field(default_factory=IdleConfig)

    def __post_init__(self) -> None:
        if self.start not in ("latest", "earliest"):
            raise BrokerError(f"start is {self.start!r}: must be latest or earliest")
        if not self.topics:
            raise BrokerError("no topics to read: name at least one")

    @property
    def key(self) -> str:
        """What two readers that may share a consumer have in common."""
        return json.dumps([asdict(self.kafka), self.topics, self.group], sort_keys=True)
