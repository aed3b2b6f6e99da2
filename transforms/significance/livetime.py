"""How long two detectors were analysed together, as they are and slid, in whole nanoseconds.

Stretches are half open, [start, end), in GPS nanoseconds, in any order; those that overlap or
touch count once. A slide adds its shift to the second detector's times, as in ``Pairs``.
"""

from collections.abc import Iterable

import numpy as np

from transforms.coincide.features import Index
from transforms.elements import Interval
from transforms.gps import NANOSECONDS
from transforms.ingest.intervals import merged

HOUR_NS = 3600 * NANOSECONDS
"""Hours are whole hours of GPS time: hour h is [h, h + 1) times this."""
_AT_ONCE = 1 << 20
"""Ends of stretches times shifts that are held at once."""

Stretches = Iterable[tuple[int, int]]


def near_shifts(step_ns: int, first_ns: int, last_ns: int) -> Index:
    """Return the shifts of the slides: multiples of the step with first <= |shift| <= last [ns].

    Short shifts hold where the rates of both detectors wander together.

    Raises:
        ValueError: There is no such shift, or 0 would be one.
    """
    if step_ns <= 0 or first_ns <= 0:
        raise ValueError("step and first shift of slides must be positive")
    later = np.arange(-(-first_ns // step_ns), last_ns // step_ns + 1, dtype=np.int64) * step_ns
    if not len(later):
        raise ValueError(f"no multiple of {step_ns} ns lies in {first_ns} to {last_ns} ns")
    return np.concatenate([-later[::-1], later])


def analysed(stretches: Stretches) -> Index:
    """Return stretches sorted, and joined where they overlap or touch, [stretch, 2].

    Raises:
        ValueError: One ends before it begins.
    """
    items = [Interval(int(start), int(end), "") for start, end in stretches]
    for item in items:
        if item.end_ns < item.start_ns:
            raise ValueError(f"a stretch from {item.start_ns} to {item.end_ns} ends early")
    joined = merged(item for item in items if item.start_ns < item.end_ns)
    ends = [(item.start_ns, item.end_ns) for item in joined]
    return np.array(ends, np.int64).reshape(-1, 2)


def zero_lag_livetime(first: Stretches, second: Stretches) -> int:
    """Return how long both detectors were analysed at once [ns]."""
    return int(_overlaps(analysed(first), analysed(second), np.zeros(1, np.int64))[0])


def slid_livetime(first: Stretches, second: Stretches, shifts_ns: Index) -> Index:
    """Return the live time of each slide [ns], [shift].

    Args:
        first: Of the first detector.
        second: Of the second detector, before it is slid.
        shifts_ns: What each slide adds to the second detector's times [ns], [shift].
    """
    return _overlaps(analysed(first), analysed(second), np.asarray(shifts_ns, np.int64))


def hour_livetime(first: Stretches, second: Stretches, shifts_ns: Index, hour: int) -> Index:
    """Return of each slide the live time that belongs to an hour [ns], [shift].

    It belongs to the hour of the later of both times, as they were before the slide. So an
    hour needs only what came before its end.

    Args:
        first: Of the first detector.
        second: Of the second detector, before it is slid.
        shifts_ns: What each slide adds to the second detector's times [ns], [shift].
        hour: Number of the hour of GPS time.
    """
    a, b = analysed(first), analysed(second)
    shifts = np.asarray(shifts_ns, np.int64)
    start, end = hour * HOUR_NS, (hour + 1) * HOUR_NS
    # A shift forward puts an earlier time of the second beside a later one of the first.
    first_later = shifts >= 0
    lived = np.zeros(len(shifts), np.int64)
    lived[first_later] = _overlaps(_within(a, start, end), b, shifts[first_later])
    lived[~first_later] = _overlaps(a, _within(b, start, end), shifts[~first_later])
    return lived


def _within(stretches: Index, start_ns: int, end_ns: int) -> Index:
    cut = np.clip(stretches, start_ns, end_ns)
    return cut[cut[:, 0] < cut[:, 1]]


def _overlaps(a: Index, b: Index, shifts: Index) -> Index:
    """Return how much of a lies in b moved by each shift, [shift]; both sorted and apart."""
    if len(a) > len(b):  # what is looked up costs more than what is looked up in
        a, b, shifts = b, a, -shifts
    lived = np.zeros(len(shifts), np.int64)
    if not len(a):
        return lived
    before = np.concatenate([[0], np.cumsum(b[:, 1] - b[:, 0])])
    chunk = max(_AT_ONCE // len(a), 1)
    for at in range(0, len(shifts), chunk):
        part = shifts[at : at + chunk, None]
        since_start, since_end = (_lived_before(b, before, a[:, side] - part) for side in (0, 1))
        lived[at : at + chunk] = np.sum(since_end - since_start, axis=1)
    return lived


def _lived_before(stretches: Index, before: Index, times: Index) -> Index:
    """Return the length of stretches that lies before each time."""
    at = np.searchsorted(stretches[:, 0], times, "right") - 1
    inside = np.minimum(times, stretches[at, 1]) - stretches[at, 0]
    return np.where(at >= 0, before[at] + inside, 0)
