"""When each frame is sent: in the time of the data first, then on a clock.

The order depends on the frames and faults alone, not on the speed.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from beam_pipeline.replay.faults import DELAY, REORDER, Fault, Faults
from beam_pipeline.replay.playback import PlayedFrame
from transforms.gps import NANOSECONDS


@dataclass(frozen=True)
class ScheduledFrame:
    """A frame and when it is sent."""

    at_ns: int
    """In the time of the data [GPS ns]."""
    played: PlayedFrame
    fault: Fault | None = None


def schedule(
    frames: Iterable[PlayedFrame], faults: Faults, frame_ns: int
) -> Iterator[ScheduledFrame]:
    """Yield frames in the order in which they are sent; those dropped are among them.

    A late frame comes after those that are due at the same time. Of two neighbours, only
    the first changes places with its successor.

    Args:
        frames: In the order of time.
        faults: What befalls them.
        frame_ns: Length of a frame [ns].
    """
    waiting: list[tuple[int, bool, int, ScheduledFrame]] = []
    swapped: dict[str, int] = {}
    for number, played in enumerate(frames):
        while waiting and waiting[0][0] < played.due_ns:
            yield heappop(waiting)[-1]
        fault, late_ns = faults.of(played), 0
        if fault and fault.kind == DELAY:
            late_ns = fault.delay_ns
        elif fault and fault.kind == REORDER:
            channel, late_ns = played.frame.channel, frame_ns
            if swapped.get(channel) == played.place - 1:
                fault, late_ns = None, 0
            else:
                swapped[channel] = played.place
        scheduled = ScheduledFrame(played.due_ns + late_ns, played, fault)
        heappush(waiting, (scheduled.at_ns, late_ns > 0, number, scheduled))
    while waiting:
        yield heappop(waiting)[-1]


class RateLimiter:
    """A clock that says how long to wait."""

    def __init__(self, speed: float, clock: Callable[[], float], reads_gps: bool = False) -> None:
        """Begin with the first frame that is asked for, or now.

        Args:
            speed: Seconds of data in a second; 0: never wait.
            clock: Gives the time [s].
            reads_gps: The clock's time is that of the data; else the first frame is due at once.
        """
        self._speed, self._clock = speed, clock
        self._begun: tuple[int, float] | None = (0, 0.0) if reads_gps else None

    def left(self, at_ns: int) -> float:
        """Return how long it is until a time of the data [s]; not positive if it has come."""
        if not self._speed:
            return 0.0
        now = self._clock()
        if self._begun is None:
            self._begun = at_ns, now
        first_ns, first = self._begun
        return first + (at_ns - first_ns) / NANOSECONDS / self._speed - now
