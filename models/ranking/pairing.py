"""Pairs of simulated networks: slid ones of noise, and those of signals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from models.ranking.sets import Seen, SeenSignals
from transforms.coincide.arrivals import Arrivals
from transforms.coincide.features import Features, Index, Pairs
from transforms.coincide.pairs import features, slid, taken, zero_lag
from transforms.coincide.sites import travel_ns
from transforms.elements import Arrival
from transforms.significance.livetime import near_shifts, slid_livetime
from transforms.significance.triggers import TriggerCounts, TriggerHour


@dataclass(frozen=True, kw_only=True)
class Both:
    """Arrivals of two detectors, with the pairs among them."""

    detectors: tuple[str, str]
    """In order of name."""
    first: Arrivals
    second: Arrivals
    pairs: Pairs
    features: Features
    """[pair]."""


@dataclass(frozen=True, kw_only=True)
class Slid:
    """Slid pairs of two detectors' noise."""

    both: Both
    livetime_ns: int
    """Of all slides together [ns]."""
    counts: tuple[TriggerCounts, TriggerCounts]
    """Triggers of both detectors."""


@dataclass(frozen=True, kw_only=True)
class OfSignals:
    """Pairs of two detectors' triggers of the same signal."""

    both: Both
    signal: Index
    """Number of the signal among all, [pair]."""

    def loudest(self) -> Features:
        """Return one pair of each signal: that with the largest sum of squared ranks."""
        made = self.both.features
        order = np.lexsort((-np.hypot(made.rank_first, made.rank_second), self.signal))
        _, at = np.unique(self.signal[order], return_index=True)
        return made.taken(np.sort(order[at]))


def detector_pairs(detectors: Iterable[str]) -> list[tuple[str, str]]:
    """Return each two detectors, in order of name."""
    return list(combinations(sorted(detectors), 2))


def slid_noise(
    noise: Mapping[str, Sequence[Seen]],
    detectors: tuple[str, str],
    classes: Sequence[str],
    shifts_ns: tuple[int, int, int],
) -> Slid:
    """Slide noise of two detectors against each other.

    Args:
        noise: By detector.
        detectors: Which two, in order of name.
        classes: Whose probabilities are kept.
        shifts_ns: Step, shortest and longest shift of the slides [ns].
    """
    sides = [noise[ifo] for ifo in detectors]
    first, second = (
        Arrivals.of((each for one in side for each in one.arrivals), classes) for side in sides
    )
    found = slid(first, second, travel_ns(*detectors), *shifts_ns)
    stretches = [[(one.start_ns, one.end_ns) for one in side] for side in sides]
    lived = slid_livetime(stretches[0], stretches[1], near_shifts(*shifts_ns))
    return Slid(
        both=_both(detectors, first, second, found),
        livetime_ns=int(lived.sum()),
        counts=(counted(sides[0], first), counted(sides[1], second)),
    )


def counted(seen: Sequence[Seen], arrivals: Arrivals) -> TriggerCounts:
    """Return how many triggers a detector had at each place and rank, in all stretches."""
    ifo, livetime_ns = seen[0].ifo, sum(one.end_ns - one.start_ns for one in seen)
    hour = TriggerHour.seen(arrivals.members, ifo=ifo, channel=ifo, hour=0, livetime_ns=livetime_ns)
    return TriggerCounts.of([hour])


def of_signals(
    heard: Sequence[SeenSignals], detectors: tuple[str, str], classes: Sequence[str]
) -> OfSignals:
    """Pair the triggers that two detectors have of the same signals.

    Args:
        heard: Stretches with signals; all of the same detectors.
        detectors: Which two, in order of name.
        classes: Whose probabilities are kept.
    """
    sides: list[list[tuple[int, Arrival]]] = [_own(heard, ifo) for ifo in detectors]
    number = {each.id: signal for side in sides for signal, each in side}
    first, second = (Arrivals.of((each for _, each in side), classes) for side in sides)
    found = zero_lag(first, second, travel_ns(*detectors))
    owners = [
        np.array([number[each.id] for each in side.members], np.int64) for side in (first, second)
    ]
    signal = owners[0][found.first]
    same = signal == owners[1][found.second]
    return OfSignals(both=_both(detectors, first, second, taken(found, same)), signal=signal[same])


def _own(heard: Sequence[SeenSignals], ifo: str) -> list[tuple[int, Arrival]]:
    """Return a detector's arrivals that signals made, with the signals' numbers among all."""
    found, before = [], 0
    for one in heard:
        seen = next(seen for seen in one.seen if seen.ifo == ifo)
        found += [
            (before + cause, each)
            for each, cause in zip(seen.arrivals, seen.causes, strict=True)
            if cause >= 0
        ]
        before += len(one.signals)
    return found


def _both(detectors: tuple[str, str], first: Arrivals, second: Arrivals, pairs: Pairs) -> Both:
    return Both(
        detectors=detectors,
        first=first,
        second=second,
        pairs=pairs,
        features=features(first, second, pairs, travel_ns(*detectors)),
    )
