"""One rule for every tool: what matches, where the threshold lies, how many are found."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.detection.injections import Injection

REACH = 0.1
"""How far a signal's interval is widened, and how far apart peaks may be [s]."""
BINS = ((5.0, 6.0), (6.0, 7.0), (7.0, 8.0), (8.0, 10.0), (10.0, np.inf))
"""SNR bins of the tables."""
LOUD = 10.0
"""From here on, nearly all signals are found: recovered SNR is not that of the lucky ones."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """What a tool reports; times are GPS [s]."""

    time: float
    start: float
    end: float
    frequency: float
    """[Hz]."""
    snr: float
    rank: float
    """What the tool would have thresholds set on: larger is more significant."""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Where a false-alarm rate lies on a list of noise events."""

    far: float
    """[Hz]."""
    value: float
    """Events of a larger rank are detections."""
    events: int
    """Noise events above it."""
    live: float
    """Time that the noise events come from [s]."""
    reliable: bool
    """False where the list is too short: no event may lie above, or not enough are there."""


@dataclass(frozen=True)
class Fraction:
    """Part of some trials that succeeded."""

    found: int
    count: int

    @property
    def value(self) -> float:
        """Return the part, NaN where nothing was tried."""
        return self.found / self.count if self.count else float("nan")

    @property
    def error(self) -> float:
        """Return half the width of the 68 % interval of Wilson 1927, doi:10.2307/2276774."""
        if not self.count:
            return float("nan")
        n, p = self.count, self.value
        return float(np.sqrt(p * (1 - p) / n + 1 / (4 * n * n)) / (1 + 1 / n))


def threshold(ranks: Iterable[float], live: float, far: float) -> Threshold:
    """Find the rank that noise exceeds at a rate of at most ``far``.

    Conservative: with ``far * live`` events allowed, rounded down to k, the threshold is
    the (k + 1)-th loudest rank, and only what is louder counts.

    Args:
        ranks: Of the events in noise alone.
        live: How long the noise was searched [s].
        far: [Hz].
    """
    loudest = np.sort(np.asarray(list(ranks)))[::-1]
    allowed = int(far * live + 1e-9)
    if not len(loudest):
        return Threshold(far=far, value=-np.inf, events=0, live=live, reliable=False)
    value = float(loudest[min(allowed, len(loudest) - 1)])
    above = int(np.count_nonzero(loudest > value))
    return Threshold(
        far=far, value=value, events=above, live=live, reliable=0 < allowed < len(loudest)
    )


def match(injections: Sequence[Injection], events: Sequence[Event]) -> list[Event | None]:
    """Return each injection the loudest event that matches it.

    An event matches where its extent overlaps the injection's interval of 2 to 98 % of
    the energy widened by ``REACH``, or where the two times lie within ``REACH``.
    """
    start, end, time, rank = (
        np.array([getattr(event, name) for event in events])
        for name in ("start", "end", "time", "rank")
    )
    matched: list[Event | None] = []
    for one in injections:
        overlap = (start <= one.end + REACH) & (end >= one.start - REACH)
        at = np.flatnonzero(overlap | (np.abs(time - one.time) < REACH))
        matched.append(events[at[np.argmax(rank[at])]] if len(at) else None)
    return matched


def thin(events: Iterable[Event], gap: float) -> list[Event]:
    """Keep events that are the loudest within ``gap`` [s], for tools that report tiles.

    The loudest comes first and silences its neighbours; a silenced event silences none.
    """
    kept: dict[int, list[Event]] = {}
    for event in sorted(events, key=lambda e: -e.rank):
        cell = int(event.time // gap)
        near = (other for i in (-1, 0, 1) for other in kept.get(cell + i, ()))
        if all(abs(other.time - event.time) >= gap for other in near):
            kept.setdefault(cell, []).append(event)
    return sorted((e for cell in kept.values() for e in cell), key=lambda e: e.time)


def by_bin(
    injections: Sequence[Injection], matched: Sequence[Event | None], value: float
) -> list[Fraction]:
    """Count the injections found in each SNR bin, of events ranked above ``value``."""
    pairs = list(zip(injections, matched, strict=True))
    return [
        Fraction(
            sum(e is not None and e.rank > value for i, e in pairs if low <= i.snr < high),
            sum(low <= i.snr < high for i, _ in pairs),
        )
        for low, high in BINS
    ]


def chance(injections: Sequence[Injection], far: float, extent: float) -> float:
    """Return the probability that noise alone matches, mean over injections.

    Args:
        injections: Their intervals count.
        far: Rate of noise events [Hz].
        extent: Mean extent of a noise event [s].
    """
    width = np.array([i.end - i.start + 2 * REACH + extent for i in injections])
    return float(np.mean(1 - np.exp(-far * width))) if len(width) else float("nan")


@dataclass(frozen=True, kw_only=True)
class Errors:
    """How well the parameters of found sine-Gaussians are recovered."""

    count: int
    time: float
    """Median of |time error| [s]."""
    frequency: float
    """Median of |frequency error| / frequency."""
    snr: float
    """Median of recovered over injected SNR."""


def errors(
    injections: Sequence[Injection], matched: Sequence[Event | None], value: float
) -> Errors:
    """Measure the errors on injections that have a central frequency and were found."""
    pairs = [
        (i, e)
        for i, e in zip(injections, matched, strict=True)
        if e is not None and e.rank > value and i.label == "sine_gaussian"
    ]
    if not pairs:
        return Errors(count=0, time=float("nan"), frequency=float("nan"), snr=float("nan"))
    return Errors(
        count=len(pairs),
        time=float(np.median([abs(e.time - i.time) for i, e in pairs])),
        frequency=float(np.median([abs(e.frequency / i.frequency - 1) for i, e in pairs])),
        snr=float(np.median([e.snr / i.snr for i, e in pairs])),
    )


def recovery(injections: Sequence[Injection], matched: Sequence[Event | None]) -> float:
    """Return the median recovered over injected SNR of loud signals, 0 for one not found."""
    ratios = [
        event.snr / injection.snr if event else 0.0
        for injection, event in zip(injections, matched, strict=True)
        if injection.snr >= LOUD
    ]
    return float(np.median(ratios)) if ratios else float("nan")
