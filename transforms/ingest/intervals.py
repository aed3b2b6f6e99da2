"""Sets of half-open intervals in integer nanoseconds."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from transforms.elements import Interval


def runs(bad: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return first and last-plus-one index of each run of True, shape [run, 2]."""
    padded = np.concatenate(([False], bad, [False]))
    return np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2)


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Join intervals of one name and value that overlap or touch; sorted by start, then name."""
    joined: list[Interval] = []
    for item in sorted(
        intervals, key=lambda item: (item.name, item.value, item.start_ns, item.end_ns)
    ):
        last = joined[-1] if joined else None
        if last and _alike(last, item) and item.start_ns <= last.end_ns:
            joined[-1] = replace(last, end_ns=max(last.end_ns, item.end_ns))
        else:
            joined.append(item)
    return sorted(joined, key=lambda item: (item.start_ns, item.name, item.value))


def _alike(one: Interval, other: Interval) -> bool:
    return one.name == other.name and one.value == other.value


def clipped(intervals: Iterable[Interval], start_ns: int, end_ns: int) -> list[Interval]:
    """Return what of the intervals lies within [start, end)."""
    cut = (
        replace(item, start_ns=max(item.start_ns, start_ns), end_ns=min(item.end_ns, end_ns))
        for item in intervals
    )
    return [item for item in cut if item.start_ns < item.end_ns]


def tiled(intervals: Iterable[Interval], start_ns: int, end_ns: int) -> list[Interval]:
    """Tile [start, end) without overlap; each tile has all its names, joined by commas.

    A tile in none of the intervals has an empty name; neighbours differ in name.
    """
    changes: dict[int, Counter[str]] = {start_ns: Counter(), end_ns: Counter()}
    for item in clipped(intervals, start_ns, end_ns):
        changes.setdefault(item.start_ns, Counter())[item.name] += 1
        changes.setdefault(item.end_ns, Counter())[item.name] -= 1
    tiles: list[Interval] = []
    open_names: Counter[str] = Counter()
    times = sorted(changes)
    for time, after in pairwise(times):
        open_names.update(changes[time])
        names = sorted(key for key, count in open_names.items() if count > 0)
        tiles.append(Interval(time, after, ", ".join(names)))
    return merged_neighbours(tiles)


def merged_neighbours(tiles: Iterable[Interval]) -> list[Interval]:
    """Join consecutive tiles of one name."""
    joined: list[Interval] = []
    for tile in tiles:
        if joined and joined[-1].name == tile.name and joined[-1].end_ns == tile.start_ns:
            joined[-1] = replace(joined[-1], end_ns=tile.end_ns)
        else:
            joined.append(tile)
    return joined
