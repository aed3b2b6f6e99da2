"""Which triggers of two detectors belong together, as they are and in time slides.

Two triggers are a pair where their bands meet, and their extents in time meet once a wave may
travel between the sites. The peaks of a long signal lie at different places of it in the two
detectors: so extents count, and not peaks alone.
"""

from collections.abc import Iterator

import numpy as np

from transforms.arrays import BoolArray, FloatArray
from transforms.coincide.arrivals import LONGEST_NS, Arrivals
from transforms.coincide.correlation import correlate
from transforms.coincide.features import Features, Index, Pairs
from transforms.gps import NANOSECONDS

CHUNK = 256
"""Triggers of the first detector that are paired at once, or a second's where there are more."""


def zero_lag(first: Arrivals, second: Arrivals, travel_ns: int) -> Pairs:
    """Return the pairs of triggers as they are, sorted by both rows.

    Args:
        first: Of the first detector.
        second: Of the second detector.
        travel_ns: Light travel between the two [ns].
    """
    if not len(first) or not len(second):
        return _pairs([])
    found = []
    for rows, near in _chunks(first, second, 3600 * NANOSECONDS, travel_ns):
        # So long a step that only the slide of no shift has pairs.
        times = first.time_ns[rows], second.time_ns[near]
        step = 2 * (max(t[-1] for t in times) - min(t[0] for t in times)) + 8 * LONGEST_NS
        i, j, k = _meetings(first, second, rows, near, travel_ns, int(step))
        found.append((i[k == 0], j[k == 0], k[k == 0]))
    return _pairs(found)


def slid(
    first: Arrivals,
    second: Arrivals,
    travel_ns: int,
    step_ns: int,
    first_ns: int,
    last_ns: int,
) -> Pairs:
    """Return the pairs of all slides, sorted by both rows and the shift: see ``slid_parts``."""
    parts = slid_parts(first, second, travel_ns, step_ns, first_ns, last_ns)
    return _pairs([(part.first, part.second, part.shift_ns) for part in parts])


def slid_parts(
    first: Arrivals,
    second: Arrivals,
    travel_ns: int,
    step_ns: int,
    first_ns: int,
    last_ns: int,
) -> Iterator[Pairs]:
    """Return the pairs of all slides part by part: whole GPS seconds of the first detector.

    Slide k adds k ``step_ns`` to the second detector's times. The slides whose shift is
    ``first_ns`` to ``last_ns`` are looked at, either way; that of no shift is none. Two long
    triggers may meet in several slides, and are a pair in each. The cost does not depend on the
    number of slides: O(n log n + pairs).

    A part holds all pairs of the seconds that it holds, so it can be clustered by itself. That
    bounds the memory: an hour with a trigger a second in both has .9 million pairs where extents
    are .2 s long, and 8.7 million where all are as long as counts (steps of 2 s up to 600 s).

    Args:
        first: Of the first detector.
        second: Of the second detector.
        travel_ns: Light travel between the two [ns].
        step_ns: Between two slides [ns].
        first_ns: Least shift, either way [ns].
        last_ns: Largest shift [ns].

    Raises:
        ValueError: The step is not above 0.
    """
    if step_ns <= 0:
        raise ValueError(f"the step between slides must be above 0 ns, not {step_ns}")
    for rows, near in _chunks(first, second, last_ns, travel_ns):
        i, j, k = _meetings(first, second, rows, near, travel_ns, step_ns)
        shift = k * step_ns
        size = np.abs(shift)
        kept = (size >= first_ns) & (size <= last_ns) & (k != 0)
        yield _pairs([(i[kept], j[kept], shift[kept])])


def taken(pairs: Pairs, which: Index | BoolArray | slice) -> Pairs:
    """Return some of the pairs, by number, by mask, or a stretch."""
    return Pairs(
        first=pairs.first[which], second=pairs.second[which], shift_ns=pairs.shift_ns[which]
    )


def features(first: Arrivals, second: Arrivals, pairs: Pairs, travel_ns: int) -> Features:
    """Return what each pair looks like; the same bit for bit alone and among others.

    Of a quantity whose logarithm is taken, what is not a finite number above 0 counts as the
    least number above 0.

    Args:
        first: Of the first detector.
        second: Of the second detector.
        pairs: Rows of both, and the slides.
        travel_ns: Light travel between the two [ns].
    """
    i, j = pairs.first, pairs.second
    apart = np.abs(first.time_ns[i] - second.time_ns[j] - pairs.shift_ns)
    correlation, delay_ns = correlate(first, second, pairs, travel_ns)
    ratios = {
        name: _ln(getattr(first, name))[i] - _ln(getattr(second, name))[j]
        for name in ("frequency", "bandwidth", "duration", "q", "amplitude")
    }
    return Features(
        rank_first=first.rank[i],
        rank_second=second.rank[j],
        mean_q=np.exp((_ln(first.q)[i] + _ln(second.q)[j]) / 2),
        time=np.maximum(apart - travel_ns, 0) / NANOSECONDS,
        shorter=np.minimum(first.duration[i], second.duration[j]),
        overlap=_overlap(first, second, pairs),
        correlation=correlation,
        delay_ns=delay_ns,
        place_first=first.place[i],
        place_second=second.place[j],
        probabilities_first=first.probabilities[i],
        probabilities_second=second.probabilities[j],
        **ratios,
    )


def _chunks(
    first: Arrivals, second: Arrivals, last_ns: int, travel_ns: int
) -> Iterator[tuple[slice, slice]]:
    """Cut the first detector's rows, each with all of the second's that a shift may bring there.

    Cuts lie between GPS seconds. They are about as far apart as the longest shift, or less, so
    that few pairs are found in longer ones.
    """
    t, other = first.time_ns, second.time_ns
    reach = last_ns + 2 * LONGEST_NS + travel_ns
    start = 0
    while start < len(t):
        end = _cut(t, start, min(t[start] + last_ns, t[min(start + CHUNK, len(t) - 1)]))
        low = int(np.searchsorted(other, t[start] - reach))
        high = int(np.searchsorted(other, t[end - 1] + reach, side="right"))
        if low < high:
            yield slice(start, end), slice(low, high)
        start = end


def _cut(t: Index, start: int, about: int) -> int:
    """Return the row that begins the GPS second of a time; the next one's, if that is first."""
    begin = about // NANOSECONDS * NANOSECONDS
    if begin > t[start]:
        return int(np.searchsorted(t, begin))
    return int(np.searchsorted(t, begin + NANOSECONDS))


def _meetings(
    first: Arrivals, second: Arrivals, rows: slice, near: slice, travel_ns: int, step_ns: int
) -> tuple[Index, Index, Index]:
    """Return rows of both and the slide of all pairs of any slide.

    Two stretches meet where one starts within the other: the second's within the first's, or
    the first's within the second's and later.
    """
    start, end = first.start_ns[rows] - travel_ns, first.end_ns[rows] + travel_ns
    other_start, other_end = second.start_ns[near], second.end_ns[near]
    i, j, k = _within(start, end, other_start, step_ns)
    j_later, i_later, k_later = _within(other_start + 1, other_end, start, step_ns)
    i, j = np.concatenate([i, i_later]) + rows.start, np.concatenate([j, j_later]) + near.start
    k = np.concatenate([k, -k_later])
    low = np.maximum(first.low_frequency[i], second.low_frequency[j])
    meet = low < np.minimum(first.high_frequency[i], second.high_frequency[j])
    return i[meet], j[meet], k[meet]


def _within(low: Index, high: Index, points: Index, step_ns: int) -> tuple[Index, Index, Index]:
    """Return all (i, j, k) with low[i] <= points[j] + k step < high[i].

    Points modulo the step, sorted, are one turn of a ring; places on it are counted through all
    turns, so that those from one time to another are consecutive numbers.
    """
    order = np.argsort(points % step_ns, kind="stable")
    turn, folded = points // step_ns, (points % step_ns)[order]

    def counted(t: Index) -> Index:
        place = np.searchsorted(folded, t % step_ns)
        return np.asarray(t // step_ns * len(points) + place, np.int64)

    begin = counted(low)
    count = counted(high) - begin
    i = np.repeat(np.arange(len(low)), count)
    serial = np.arange(len(i)) + np.repeat(begin - (np.cumsum(count) - count), count)
    turns, place = np.divmod(serial, len(points))
    j = order[place]
    return i, j, turns - turn[j]


def _pairs(found: list[tuple[Index, Index, Index]]) -> Pairs:
    nothing = np.zeros(0, np.int64)
    i, j, shift = (np.concatenate([nothing, *column]) for column in _columns(found))
    order = np.lexsort((shift, j, i))
    return Pairs(first=i[order], second=j[order], shift_ns=shift[order])


def _columns(found: list[tuple[Index, Index, Index]]) -> list[list[Index]]:
    return [[part[n] for part in found] for n in range(3)]


def _ln(values: FloatArray) -> FloatArray:
    least = np.finfo(float).tiny
    return np.asarray(np.log(np.where(np.isfinite(values), np.maximum(values, least), least)))


def _overlap(first: Arrivals, second: Arrivals, pairs: Pairs) -> FloatArray:
    """Return the part of the narrower band that lies in the other one, [pair]."""
    (a0, a1), (b0, b1) = (
        (_ln(each.low_frequency)[rows], _ln(each.high_frequency)[rows])
        for each, rows in ((first, pairs.first), (second, pairs.second))
    )
    narrower = np.minimum(a1 - a0, b1 - b0)
    both = np.minimum(a1, b1) - np.maximum(a0, b0)
    return np.asarray(np.clip(both / np.maximum(narrower, np.finfo(float).eps), 0, 1))
