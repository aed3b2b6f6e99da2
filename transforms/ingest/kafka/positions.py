"""How far topics were read: positions and partitions, without Kafka or Beam.

A partition is called ``topic/number``. Seconds are of a clock that only goes forward.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from transforms.elements import DeadLetter
from transforms.gps import NANOSECONDS
from transforms.ingest.kafka.timekeeper import IdleConfig, Placed, Timekeeper

T = TypeVar("T")
VERSION = 2
"""Of the bytes of positions; whoever changes them counts it up."""
_LONGEST_SILENCE_S = 3.0
"""Two answers of the broker further apart say nothing about the time between them [s]."""


@dataclass(frozen=True)
class Positions:
    """All that a reader needs to go on elsewhere: what a checkpoint of the source holds."""

    offsets: Mapping[str, int] = field(default_factory=dict)
    """First message of each partition that is still needed; empty: not begun."""
    kept: str = ""
    """What the timekeeper keeps; empty: nothing yet."""
    done: bool = False
    """Nothing is left to be read here: a part that was split off goes on."""

    def to_bytes(self) -> bytes:
        """Return JSON; equal positions have equal bytes."""
        whole = [VERSION, self.offsets, self.kept, self.done]
        return json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, encoded: bytes) -> "Positions":
        """Read what ``to_bytes`` returned.

        Raises:
            ValueError: Another version wrote it.
        """
        version, *values = json.loads(encoded)
        if version != VERSION:
            # The first had no number.
            other = version if isinstance(version, int) else 1
            raise ValueError(
                f"Positions of version {other}, not {VERSION}: start the job without its checkpoint"
            )
        return cls(*values)


class Partitions(Generic[T]):
    """How far each partition was read, and what of it is handed over, from some positions on."""

    def __init__(
        self,
        start: Positions,
        timekeeper: Timekeeper[T],
        idle: IdleConfig,
        now: float,
        context_until_ns: Mapping[str, int] | None = None,
    ) -> None:
        """Begin at some positions.

        Args:
            start: Where.
            timekeeper: Begins with it.
            idle: When silence has a meaning.
            now: Seconds.
            context_until_ns: See `Timekeeper.begin`.
        """
        self._time = timekeeper
        self._idle = idle
        self._started = now
        self._read = dict(start.offsets)
        self._needed = dict(start.offsets)
        # Where each partition ends, as far as it is known.
        self._ends: dict[str, int] = {}
        # When it was last known that a partition has no more than was read.
        self._heard: dict[str, float] = {}
        timekeeper.begin(start.kept, start.offsets.keys(), context_until_ns or {})

    @property
    def positions(self) -> Positions:
        """Return where to go on after all that was handed over."""
        return Positions(dict(self._needed), self._time.kept)

    @property
    def read(self) -> Mapping[str, int]:
        """Return the offset of the next message to read in each partition."""
        return self._read

    @property
    def lag(self) -> int:
        """Return how many messages are known to wait."""
        return sum(max(0, end - self._read[name]) for name, end in self._ends.items())

    def hand_over(
        self,
        partition: str,
        offset: int,
        elements: Sequence[T],
        *,
        needed: int,
        arrived_ns: int,
        now: float,
    ) -> Sequence[Placed[T] | DeadLetter]:
        """Note a message that was read; return elements to hand over, and dead letters of others.

        Args:
            partition: Where it was read.
            offset: Offset of the message.
            elements: Those that the message held or completed.
            needed: First offset of the partition that later elements need.
            arrived_ns: When the message arrived on its topic [Unix ns].
            now: Seconds.
        """
        self._read[partition] = offset + 1
        self._needed[partition] = needed
        self.hear(partition, now)
        return self._time.take(partition, elements, arrived_ns)

    def jump(self, partition: str, offset: int) -> None:
        """Go on elsewhere in a partition."""
        self._read[partition] = self._needed[partition] = offset
        self.lose(partition)

    def extend(self, partition: str, end: int) -> None:
        """Note the offset at which a partition ended when the broker was last asked."""
        self._ends[partition] = end

    def hear(self, partition: str, now: float) -> None:
        """Note that a partition's broker has answered, be it that there is no more.

        Args:
            partition: Where.
            now: Seconds, when it was asked; an answer that was overtaken says nothing.
        """
        before = self._heard.get(partition)
        if before is not None and now < before:
            return
        self._heard.pop(partition, None)
        if self._behind(partition, now):
            return
        self._heard[partition] = now
        if before is None or now - before > _LONGEST_SILENCE_S:
            return
        self._time.silent(partition, now - before)

    def lose(self, partition: str) -> None:
        """Note that a partition's broker does not answer: its silence means nothing."""
        self._heard.pop(partition, None)

    def unheard(self, now: float) -> list[str]:
        """List the partitions whose silence has a meaning, and that did not answer for a while."""
        tick = self._idle.tick_seconds
        return [
            name
            for name in sorted(self._time.watched)
            if not self._behind(name, now) and now - self._heard.get(name, -math.inf) >= tick
        ]

    def advance(self, now: float, unix_ns: int) -> int | None:
        """Return the GPS time [ns] up to which all is expected to be handed over by now.

        Args:
            now: Seconds.
            unix_ns: The same moment [Unix ns].
        """
        behind = [name for name in self._read if self._behind(name, now)]
        return self._time.advance(behind, None if behind else self._confirmed_ns(now, unix_ns))

    def _confirmed_ns(self, now: float, unix_ns: int) -> int | None:
        """Return when all brokers had answered that nothing is left [Unix ns]; None: not all."""
        if not self._read or self._read.keys() - self._heard.keys():
            return None
        return unix_ns - int((now - min(self._heard.values())) * NANOSECONDS)

    def _behind(self, partition: str, now: float) -> bool:
        """Return whether more is known to wait; of a new partition, for a while, whether it may."""
        end = self._ends.get(partition)
        if end is None:
            return now - self._started < self._idle.quiet_seconds
        return self._read[partition] < end
