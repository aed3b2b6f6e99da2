"""The time of what has no samples: of each element its own, or that of its arrival."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Generic, TypeVar

from transforms.elements import DeadLetter
from transforms.gps import NANOSECONDS
from transforms.ingest.kafka.timekeeper import IdleConfig, Placed
from transforms.utc import from_unix

T = TypeVar("T")


class ArrivalTime(Generic[T]):
    """A `Timekeeper` of elements that come seldom, in any order, such as notices.

    Time goes on with the wall clock, ``idle_seconds`` behind it, for as long as the brokers of
    all partitions confirm that nothing is left to be read; else it stands. An element whose own
    time is earlier than that is late, and is handed over all the same.
    """

    def __init__(
        self,
        idle: IdleConfig,
        key: Callable[[T], str],
        own_ns: Callable[[T], int | None] = lambda _: None,
    ) -> None:
        """Keep time.

        Args:
            idle: When silence has a meaning.
            key: Names the key of an element.
            own_ns: Returns the GPS time of an element [ns]; None where it says none. One that
                is later than the arrival, or before GPS zero, is not believed.
        """
        self._idle_ns = int(idle.idle_seconds * NANOSECONDS)
        self._key = key
        self._own_ns = own_ns
        self._partitions: Collection[str] = ()
        self._watermark_ns: int | None = None

    def begin(
        self, kept: str, partitions: Collection[str], context_until_ns: Mapping[str, int]
    ) -> None:
        """Begin anew: nothing is kept."""
        self._partitions = tuple(partitions)
        self._watermark_ns = None

    def take(
        self, partition: str, elements: Sequence[T], arrived_ns: int
    ) -> Sequence[Placed[T] | DeadLetter]:
        """Return all elements, each at its time."""
        # Whoever sends a message says when it was sent: before 1980 as well.
        latest_ns = max(0, from_unix(arrived_ns))
        return [
            Placed(
                key=self._key(element),
                element=element,
                time_ns=latest_ns if own_ns is None or not 0 <= own_ns <= latest_ns else own_ns,
            )
            for element in elements
            for own_ns in [self._own_ns(element)]
        ]

    def silent(self, partition: str, seconds: float) -> None:
        """Ignore how long: what counts is when it was confirmed."""

    def own(self, unix_ns: int) -> Sequence[Placed[T]]:
        """Return nothing: that none comes is no news."""
        return ()

    def advance(self, behind: Collection[str], confirmed_ns: int | None) -> int | None:
        """Return the GPS time at which all was last confirmed to be read, less ``idle_seconds``."""
        if confirmed_ns is not None:
            reached_ns = from_unix(confirmed_ns) - self._idle_ns
            self._watermark_ns = max(reached_ns, self._watermark_ns or reached_ns)
        return self._watermark_ns

    @property
    def watched(self) -> Collection[str]:
        """Return all partitions."""
        return self._partitions

    @property
    def kept(self) -> str:
        """Return nothing."""
        return ""

    @property
    def reached_ns(self) -> Mapping[str, Mapping[str, int]]:
        """Return nothing: a restart goes on at the offsets that were committed."""
        return {}
