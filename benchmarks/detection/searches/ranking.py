"""How rare an energy of orthonormal coefficients is in noise, told as our own rank is."""

from functools import lru_cache

import numpy as np
from scipy.special import gammaln, log_ndtr, logsumexp
from scipy.stats import chi2

from benchmarks.detection.scoring import Event
from transforms.arrays import RealArray
from transforms.detect.ranking import REFERENCE_HZ

CELL = 1 / 32
"""Of all that is over the threshold in this time [s], the loudest is an event."""
COLUMNS = 6
"""Time, start, end, frequency, SNR and rank: those of an event."""


def log_survival(energy: RealArray, count: int) -> RealArray:
    """Return ln P(chi^2_count > energy), exact however far out.

    Q(n / 2, x / 2) = exp(-x / 2) sum_{i < n / 2} (x / 2)^i / i! for an even n.

    Args:
        energy: Sums of squares of ``count`` coefficients of unit variance.
        count: 1, or an even number.
    """
    if count == 1:
        return np.asarray(np.log(2) + log_ndtr(-np.sqrt(energy)))
    half, power = np.asarray(energy, float)[..., None] / 2, np.arange(count // 2)
    terms = power * np.log(np.maximum(half, 1e-300)) - gammaln(power + 1)
    return np.asarray(logsumexp(terms, axis=-1) - half[..., 0])


def trials_penalty(count: int, frequency: RealArray | float) -> RealArray:
    """Return what the squared rank lacks: the larger a sum, the fewer of it an octave has."""
    return np.asarray(2 * np.log(frequency / (count * REFERENCE_HZ)))


def rank(energy: RealArray, count: int, frequency: RealArray | float) -> RealArray:
    """Rank sums of squares as tiles are: p = exp(-(snr^2 + 2) / 2), less the trials_penalty.

    Args:
        energy: Sums of squares of ``count`` coefficients of unit variance.
        count: 1, or an even number.
        frequency: Centre of their band [Hz].
    """
    squared = -2 * log_survival(energy, count) - 2 - trials_penalty(count, frequency)
    return np.asarray(np.sqrt(np.maximum(squared, 0)))


@lru_cache(maxsize=4096)
def limit(least: float, count: int, frequency: float) -> float:
    """Return the sum of squares that has a rank."""
    probability = np.exp(-(least**2 + 2 + float(trials_penalty(count, frequency))) / 2)
    return float(chi2.isf(probability, count))


def hits(
    *,
    centre: RealArray,
    half: float,
    frequency: RealArray | float,
    energy: RealArray,
    count: int,
) -> RealArray:
    """Write sums over a limit as rows of events.

    Args:
        centre: Of each sum [s].
        half: Of the length of each [s].
        frequency: Centre of the band [Hz].
        energy: [sum].
        count: Coefficients in each sum.

    Returns:
        [sum, column].
    """
    snr = np.sqrt(np.maximum(energy - count, 0))
    ranks = rank(energy, count, frequency)
    columns = (centre, centre - half, centre + half, frequency, snr, ranks)
    return np.stack(np.broadcast_arrays(*columns), axis=1)


def events(parts: list[RealArray]) -> list[Event]:
    """Return the loudest of each cell of time, in order of time.

    Args:
        parts: Of ``hits``.
    """
    rows = np.concatenate([np.empty((0, COLUMNS)), *parts])
    cell = np.floor(rows[:, 0] / CELL)
    order = np.lexsort((-rows[:, -1], cell))
    first = np.flatnonzero(np.diff(cell[order], prepend=-np.inf))
    return [
        Event(time=time, start=start, end=end, frequency=frequency, snr=snr, rank=loudness)
        for time, start, end, frequency, snr, loudness in rows[order[first]].tolist()
    ]
