"""What a source asks about time: it counts messages itself, and knows nothing of what they hold.

A partition is called ``topic/number``. Names are those of what a source follows in data time,
such as channels.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, Protocol, TypeVar

from transforms.checks import Limits, check_values
from transforms.elements import DeadLetter

T = TypeVar("T")


@dataclass(frozen=True)
class IdleConfig:
    """When silence has a meaning, and how far behind the offsets are committed."""

    quiet_seconds: Annotated[float, Limits(gt=0)] = 5.0
    """What has had nothing for so long says so, such as a channel without a frame [s]."""
    idle_seconds: Annotated[float, Limits(gt=0)] = 10.0
    """With no message at all for so long, the watermark goes on with wall time [s]."""
    commit_seconds: Annotated[float, Limits(gt=0)] = 5.0
    """What was handed over so long ago is committed to the consumer group [s]."""

    def __post_init__(self) -> None:
        check_values(self)

    @property
    def tick_seconds(self) -> float:
        """How often a silent partition is asked whether it has nothing [s]."""
        return min(1.0, self.quiet_seconds / 4, self.idle_seconds / 4)


@dataclass(frozen=True, kw_only=True)
class Placed(Generic[T]):
    """An element that is handed over, and where it stands."""

    key: str
    element: T
    time_ns: int
    """GPS time of its event."""


class Timekeeper(Protocol[T]):
    """Decides the time of each element of a source, and up to when the source is complete.

    One reader asks it, one call at a time. The reader tells it what was decoded, and for how long
    brokers have confirmed that nothing came. It must not raise, whatever the elements hold.
    """

    def begin(
        self, kept: str, partitions: Collection[str], context_until_ns: Mapping[str, int]
    ) -> None:
        """Forget all, and go on from what was kept; called whenever reading begins somewhere.

        Args:
            kept: What ``kept`` returned; empty where nothing was handed over before.
            partitions: All that are read from now on.
            context_until_ns: GPS time of each name up to which elements come again for their
                past only, as far as a restart without a checkpoint knows.
        """

    def take(
        self, partition: str, elements: Sequence[T], arrived_ns: int
    ) -> Sequence[Placed[T] | DeadLetter]:
        """Return the elements to hand over, each with its time, and dead letters of the others.

        Args:
            partition: Where the message was read.
            elements: Those that the message held or completed; often none.
            arrived_ns: When the message arrived on its topic [Unix ns].
        """

    def silent(self, partition: str, seconds: float) -> None:
        """Note that a broker confirmed: for so long [s], nothing came to the partition."""

    def own(self, unix_ns: int) -> Sequence[Placed[T]]:
        """Return elements that the timekeeper makes, such as one that says a channel is silent.

        Args:
            unix_ns: Now [Unix ns].
        """

    def advance(self, behind: Collection[str], confirmed_ns: int | None) -> int | None:
        """Return the GPS time up to which all is expected to be handed over [ns]; None: not known.

        It never goes back between two calls of ``begin``. What ended long ago may be forgotten.

        Args:
            behind: Partitions in which messages are known, or may be expected, to wait.
            confirmed_ns: Unix time [ns] up to which all brokers have confirmed that nothing is
                left to be read; None where one has not.
        """

    @property
    def watched(self) -> Collection[str]:
        """Return the partitions whose silence has a meaning: their brokers are asked."""

    @property
    def kept(self) -> str:
        """Return what a checkpoint must hold to go on elsewhere; equal states, equal texts."""

    @property
    def reached_ns(self) -> Mapping[str, Mapping[str, int]]:
        """Return for each partition and name the GPS time up to which elements were handed over."""
