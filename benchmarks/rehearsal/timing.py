"""How far behind the job is, how long it takes to come back, and how late its results are."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.rehearsal.deliveries import Delivery, stretches
from transforms.elements import FINAL, SETTLED
from transforms.gps import NANOSECONDS, to_seconds
from transforms.utc import from_unix

PROMPT_S = 2.0
"""Results this late still are at the newest data [s of real time]."""
STEP_S = 0.1
EFFECT_S = 60.0
"""A kill takes effect within this [s]."""
PARTS = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 100.0}
LATE = (SETTLED, FINAL)


@dataclass(frozen=True)
class Play:
    """When which data are due."""

    begun: float
    """When the data's first second was over [Unix s]."""
    speed: float
    """Seconds of data in a second."""
    first_ns: int
    """GPS time at which the data begin."""
    end_ns: int

    @classmethod
    def of(cls, deliveries: Iterable[Delivery], first_ns: int, end_ns: int, speed: float) -> "Play":
        """Find out when a replay began: no frame was sent before it was due."""
        starts = (
            one.produced - (to_seconds(one.end_ns - first_ns) - 1 + one.late) / speed
            for one in deliveries
            if one.sent
        )
        return cls(min(starts), speed, first_ns, end_ns)

    def due_ns(self, now: float) -> int:
        """Return the GPS time up to which data are due at a Unix time [s]."""
        elapsed = round((now - self.begun) * self.speed * NANOSECONDS)
        return min(self.first_ns + NANOSECONDS + elapsed, self.end_ns)

    @property
    def ended(self) -> float:
        """When the last data are due [Unix s]."""
        return self.begun + (to_seconds(self.end_ns - self.first_ns) - 1) / self.speed


@dataclass(frozen=True)
class Wait:
    """What the analysis waits for, in data time [ns]."""

    warm_up_ns: int
    """Before the first results of a stretch."""
    missing_ns: int
    """For a frame that lacks."""
    certain_ns: int = 2 * NANOSECONDS
    """A second is analysed once the next one is there."""


class Expected:
    """How far the analysis can be, with data that come as they are due."""

    def __init__(self, good: Iterable[Delivery], play: Play, wait: Wait) -> None:
        """Take one channel's frames that can be analysed."""
        self._stretches = stretches(good)
        self._starts = [start for start, _ in self._stretches]
        self._play, self._wait = play, wait

    def is_steady(self, now: float) -> bool:
        """Return whether every second should give results at a Unix time [s]."""
        due_ns = self._due_ns(now)
        at = bisect_right(self._starts, due_ns) - 1
        return at >= 0 and due_ns - self._starts[at] >= self._wait.warm_up_ns

    def reached_ns(self, now: float) -> int:
        """Return the GPS time up to which all should be settled at a Unix time [s]."""
        due_ns, wait = self._due_ns(now), self._wait
        at = bisect_right(self._starts, due_ns) - 1
        if at < 0:
            return 0
        start, end = self._stretches[at]
        if min(due_ns, end) - start < wait.warm_up_ns:
            # All that was said of what is before; before the first stretch is nothing.
            return start if at else 0
        return min(due_ns, end) - wait.certain_ns

    def _due_ns(self, now: float) -> int:
        return self._play.due_ns(now - PROMPT_S) - self._wait.missing_ns


class Beats:
    """How far the published segments reach, as time goes by."""

    def __init__(self, segments: Iterable[tuple[float, int]]) -> None:
        """Take when each was published [Unix s] and its end [GPS ns], of one channel."""
        self._times: list[float] = []
        self._ends: list[int] = []
        for when, end_ns in sorted(segments):
            self._times.append(when)
            self._ends.append(max(end_ns, self._ends[-1] if self._ends else 0))

    def reached_ns(self, now: float) -> int:
        """Return the GPS time that had been reached at a Unix time [s]."""
        at = bisect_right(self._times, now)
        return self._ends[at - 1] if at else 0

    def passed(self, end_ns: int) -> float | None:
        """Return when more than a GPS time had been reached [Unix s]; None if it never was."""
        at = bisect_right(self._ends, end_ns)
        return self._times[at] if at < len(self._times) else None


def recovered(expected: Expected, beats: Beats, kill: float, until: float) -> float:
    """Return when analysis was back at the newest data [Unix s]; the kill's time if it never left.

    It has not left where there was nothing to be late with, most of all after a gap.

    Args:
        expected: How far it could be.
        beats: How far it was.
        kill: When something was killed [Unix s].
        until: Up to when this may have had effects [Unix s].
    """
    back, was_behind = kill, False
    for now in np.arange(kill, until, STEP_S):
        behind = beats.reached_ns(now) < expected.reached_ns(now)
        if not behind and now > kill + EFFECT_S and not was_behind:
            break
        if behind or was_behind:
            back = float(now)
        was_behind = behind
    return back


def resumed(expected: Expected, beats: Beats, play: Play, kill: float) -> float | None:
    """Return when the first result came of data that were not yet due at a kill [Unix s].

    Where a job is back before anything is late, this is what tells how long it took.

    Returns:
        None where the kill had nothing to stop, as after a gap.
    """
    return beats.passed(play.due_ns(kill)) if expected.is_steady(kill) else None


def spread(seconds: Sequence[float]) -> dict[str, float | None]:
    """Return percentiles; None where there is nothing."""
    if not seconds:
        return dict.fromkeys(PARTS)
    return {name: float(np.percentile(seconds, part)) for name, part in PARTS.items()}


@dataclass(frozen=True)
class Delay:
    """How long after its data a trigger was first published, and first with a status [s]."""

    arrived_at: float
    """[GPS s]."""
    seconds: float


def delays(
    messages: Iterable[tuple[float, Mapping[str, Any]]], statuses: Sequence[str] = ()
) -> list[Delay]:
    """Return the delay of the first message of each trigger, of those with some status.

    Args:
        messages: Each with Kafka's time [Unix s].
        statuses: Which count; empty: all.
    """
    arrived: dict[str, float] = {}
    first: dict[str, float] = {}
    for when, message in messages:
        if message["arrived_at"] is None:
            continue
        arrived.setdefault(message["id"], message["arrived_at"])
        if not statuses or message["status"] in statuses:
            first.setdefault(message["id"], to_seconds(from_unix(round(when * NANOSECONDS))))
    return [Delay(arrived[name], when - arrived[name]) for name, when in first.items()]


def undisturbed(found: Iterable[Delay], disturbed: Sequence[tuple[float, float]]) -> list[float]:
    """Return the delays of triggers whose data did not arrive in disturbed spans [Unix s]."""
    spans = [
        tuple(to_seconds(from_unix(round(edge * NANOSECONDS))) for edge in span)
        for span in disturbed
    ]
    return [
        one.seconds
        for one in found
        if not any(begin <= one.arrived_at <= end for begin, end in spans)
    ]
