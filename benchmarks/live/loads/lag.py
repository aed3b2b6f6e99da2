"""How far behind its data a job is: from a frame on Kafka to what was found in it on Kafka."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from transforms.elements import Segment
from transforms.gps import NANOSECONDS

EDGE_S = 10
"""What counts as the beginning, and as the end [s]."""
GROWTH_S = 2.0
"""A job that keeps up is not later at the end than at the beginning by more than this [s]."""


@dataclass(frozen=True, kw_only=True)
class Lag:
    """Over all channels and seconds [s]; infinite where nothing came."""

    p50: float
    p99: float
    begin: float
    """Median over the first seconds."""
    end: float
    """Median over the last ones."""
    missing: int
    """Seconds of channels of which nothing came."""

    @property
    def keeps_up(self) -> bool:
        """Whether it did not grow."""
        return not self.missing and self.end - self.begin <= GROWTH_S


def lags(
    sent: Mapping[int, Sequence[float]],
    channels: Sequence[str],
    segments: Iterable[tuple[float, Segment]],
) -> dict[int, list[float]]:
    """Return the lag of each channel [s], by GPS second of the frame that completes what is told.

    A second is analysed once the next one is there.

    Args:
        sent: When Kafka had the frames of a second [Unix s], in the order of the channels.
        channels: Their names.
        segments: What was published, with Kafka's time [Unix s].
    """
    told: dict[str, list[tuple[int, float]]] = {name: [] for name in channels}
    for when, one in segments:
        if one.analysed and one.channel in told:
            told[one.channel].append((one.end_ns // NANOSECONDS, when))
    reached = [_Reached(told[name]) for name in channels]
    return {
        second: [each.at(second) - time for each, time in zip(reached, times, strict=True)]
        for second, times in sent.items()
    }


class _Reached:
    """When the analysis of a channel first reached a GPS second [Unix s]."""

    def __init__(self, told: Iterable[tuple[int, float]]) -> None:
        ordered = sorted(told)
        self._ends = [end for end, _ in ordered]
        # What reaches further has reached this too.
        self._times = list(accumulate((when for _, when in reversed(ordered)), min))[::-1]

    def at(self, second: int) -> float:
        place = bisect_left(self._ends, second)
        return self._times[place] if place < len(self._times) else math.inf


def summed(found: Mapping[int, Sequence[float]]) -> Lag:
    """Return the figures of all channels."""
    seconds = sorted(found)
    every = np.array([found[second] for second in seconds])
    known = np.where(np.isfinite(every), every, np.nan)
    missing = int(np.isnan(known).sum())
    if missing == known.size:
        return Lag(p50=math.inf, p99=math.inf, begin=math.inf, end=math.inf, missing=missing)
    # What never came is later than all that did.
    p50, p99 = np.percentile(every, [50, 99], method="higher")
    edges = (np.median(every[:EDGE_S]), np.median(every[-EDGE_S:]))
    return Lag(
        p50=float(p50), p99=float(p99), begin=float(edges[0]), end=float(edges[1]), missing=missing
    )
