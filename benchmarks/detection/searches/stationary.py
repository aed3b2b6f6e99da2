"""The stationary (undecimated) wavelet transform, and sums of its neighbouring energies.

Nason & Silverman 1995, doi:10.1007/978-1-4612-2544-7_17. Coefficients of level j that lie
2^j samples apart are orthonormal, so the sum of n squares is a chi^2_n in white noise.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import pywt

from benchmarks.detection.scoring import Event
from benchmarks.detection.searches import ranking
from transforms.arrays import RealArray, SingleArray

LOWEST = 16.0
"""Lower end of the lowest level's band [Hz]."""
COUNTS = (1, 2, 4, 8, 16, 32)
"""Neighbouring coefficients whose squares are summed: each twice as many as the last."""
OVERSAMPLING = 8
"""Places looked at for each coefficient of the orthonormal transform."""
PIECE = 16
"""Strain transformed at once [s]."""
MARGIN = 2
"""Strain on either side of it [s]: what the longest sum reaches."""


@lru_cache(maxsize=32)
def delays(basis: str, levels: int) -> tuple[float, ...]:
    """Return by how much each level's coefficients lag behind what they see [samples]."""
    size = 32 << levels
    impulse = np.zeros(size)
    impulse[size // 2] = 1
    energies = [d**2 for d in _details(impulse, basis, levels)]
    return tuple(float(np.sum(np.arange(size) * e) / e.sum() - size // 2) for e in energies)


def _details(series: RealArray, basis: str, levels: int) -> list[RealArray]:
    """Return the coefficients of each level, the finest first."""
    made = pywt.swt(series, basis, levels, trim_approx=True, norm=False)
    return list(made[:0:-1])


def search(
    white: SingleArray, rate: int, least: float, bases: Sequence[str] = ("sym8",)
) -> list[Event]:
    """Find rare sums of the energies of neighbouring coefficients of one level."""
    levels = round(np.log2(rate / 2 / LOWEST))
    padded = np.pad(white, MARGIN * rate)
    found: list[RealArray] = []
    for first in range(0, len(white) // rate, PIECE):
        length = (PIECE + 2 * MARGIN) * rate
        piece = padded[first * rate : first * rate + length]
        piece = np.pad(piece, (0, length - len(piece)))
        for basis in bases:
            details = _details(piece, basis, levels)
            for level, detail in enumerate(details, 1):
                lag = delays(basis, levels)[level - 1]
                for rows in _level(detail, level, least, rate=rate, lag=lag):
                    inside = (rows[:, 0] >= MARGIN) & (rows[:, 0] < MARGIN + PIECE)
                    rows[:, :3] += first - MARGIN
                    found.append(rows[inside])
    return ranking.events(found)


def _level(
    detail: SingleArray, level: int, least: float, *, rate: int, lag: float
) -> Iterator[RealArray]:
    """Yield the sums of one level over the least rank, by their length.

    Args:
        detail: Coefficients, [time].
        level: Counted from 1, the finest.
        least: Rank.
        rate: [Hz].
        lag: Of the coefficients behind what they see [samples].
    """
    step = max((1 << level) // OVERSAMPLING, 1)
    apart = (1 << level) // step
    frequency = rate / 2 ** (level + 0.5)
    sums = detail[::step] ** 2
    for count in COUNTS:
        if count > 1:
            far = count // 2 * apart
            sums = sums[:-far] + sums[far:]
        at = np.flatnonzero(sums > ranking.limit(least, count, frequency))
        if len(at):
            yield ranking.hits(
                centre=(at * step + (count - 1) * (1 << level) / 2 - lag) / rate,
                half=count * (1 << level) / 2 / rate,
                frequency=frequency,
                energy=sums[at],
                count=count,
            )
