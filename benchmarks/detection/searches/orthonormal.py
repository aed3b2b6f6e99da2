"""Windows in orthonormal bases, their loud blocks of coefficients, and EnWDF.

The Wavelet Detection Filter's own way to search (Cuoco, Razzano & Utina 2018,
doi:10.23919/EUSIPCO.2018.8553393), with the bases and the threshold of
:mod:`transforms.detect.wdf`.
"""

import numpy as np
from scipy.special import gammaln
from scipy.stats import chi2

from benchmarks.detection.scoring import Event
from benchmarks.detection.searches import ranking
from transforms.arrays import RealArray, SingleArray
from transforms.detect.wdf import (
    BLOCK,
    COARSEST,
    LAMBDA,
    WINDOWS_PER_SECOND,
    kept_energy,
    transform,
)

STEPS = 4
"""Windows begin every so manieth part of their length."""
AT_ONCE = 64
"""Windows transformed together: they stay in cache."""
MOST_KEPT = 8
"""Blocks kept by chance of which a window's ranking takes account."""


def kept(windows: RealArray) -> tuple[RealArray, RealArray]:
    """Return the energy of each block that stands out in a window's best basis, else 0.

    Returns:
        [window, block], and EnWDF: the root of its sum, [window].
    """
    stack = kept_energy(transform(windows))
    best = stack.sum(axis=2).argmax(axis=0)
    chosen = stack[best, np.arange(len(windows))]
    return chosen, np.sqrt(chosen.sum(axis=1))


def blocks(rate: int) -> RealArray:
    """Place the blocks of a window: centre [s], half of the length [s], frequency [Hz].

    Returns:
        [3, block].
    """
    count = rate // WINDOWS_PER_SECOND
    rows: list[tuple[float, float, float]] = []
    for i in range((count // COARSEST).bit_length()):
        # As many coefficients as Hz of band; the scaling coefficients come first.
        size = COARSEST << max(i - 1, 0)
        half = BLOCK / size / WINDOWS_PER_SECOND / 2
        frequency = size * np.sqrt(2 if i else 0.5)
        rows += [(half * (2 * k + 1), half, frequency) for k in range(size // BLOCK)]
    return np.array(rows).T


def search(white: SingleArray, rate: int, least: float) -> list[Event]:
    """Return windows whose EnWDF is at least ``least``; EnWDF is the rank and the SNR.

    The time is that of the loudest block, the extent that of all that are kept, and the
    frequency their mean over octaves, weighed by energy.
    """
    count = rate // WINDOWS_PER_SECOND
    step = count // STEPS
    windows = np.lib.stride_tricks.sliding_window_view(white, count)[::step]
    centre, half, frequency = blocks(rate)
    octave = np.log2(frequency)
    found: list[Event] = []
    for first in range(0, len(windows), AT_ONCE):
        energy, enwdf = kept(windows[first : first + AT_ONCE])
        for i in np.flatnonzero(enwdf >= max(least, 1)):
            begin, own, peak = (first + i) * step / rate, energy[i] > 0, int(energy[i].argmax())
            found.append(
                Event(
                    time=float(begin + centre[peak]),
                    start=float(begin + (centre - half)[own].min()),
                    end=float(begin + (centre + half)[own].max()),
                    frequency=float(2 ** np.average(octave, weights=energy[i])),
                    snr=float(enwdf[i]),
                    rank=float(enwdf[i]),
                )
            )
    return found


def rank(enwdf: RealArray, rate: int) -> RealArray:
    """Rank EnWDF by its probability in one basis of a window, p = exp(-(rank^2 + 2) / 2).

    Of n blocks, k stand out by chance and have the energy E together with a probability of
    at most C(n, k) min(p^k, P(chi^2_(8 k) > E)), p = P(chi^2_8 > 8 lambda).
    """
    energy, n = np.square(enwdf), rate // WINDOWS_PER_SECOND // BLOCK
    k = np.arange(1, MOST_KEPT + 1)[:, None]
    ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    alone = k * chi2.logsf(LAMBDA * BLOCK, BLOCK)
    tail = np.array([ranking.log_survival(energy, BLOCK * int(j)) for j in k[:, 0]])
    log = np.logaddexp.reduce(ways + np.minimum(alone, tail), axis=0)
    return np.asarray(np.sqrt(np.maximum(-2 * log - 2, 0)))
