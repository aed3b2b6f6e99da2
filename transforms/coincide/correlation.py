"""How alike two whitened waveforms are, at any delay that light allows.

Each pair's result is the same bit for bit alone and among others: transforms go row by row, the
size of a pair's transform depends on that pair alone, and products are of real numbers, which
are rounded alike however many are multiplied at once.
"""

from collections.abc import Iterator

import numpy as np

from transforms.arrays import ComplexArray, FloatArray
from transforms.coincide.arrivals import COUNT, RATE, Arrivals
from transforms.coincide.features import Index, Pairs
from transforms.gps import NANOSECONDS

SLACK_NS = 2_000_000
"""Delays so much longer than light needs are tried as well [ns]: whitening shifts waves a bit."""
SIZES = np.array([64, 128, 256, 512, 768, 1280, 2048])
"""Lengths of transforms [samples]; the last one holds any two waveforms."""
BLOCK = 512
"""Waveforms of a detector that are transformed at once: 8 MB at most."""
CELLS = 1 << 17
"""Numbers that a step works on at once, so that they stay in the processor's cache."""


def correlate(
    first: Arrivals, second: Arrivals, pairs: Pairs, travel_ns: int
) -> tuple[FloatArray, Index]:
    """Return the largest correlation of each pair's waveforms, and the delay where it is.

    At a delay d it is sum_t x(t) y(t + d) / sqrt(sum x^2 sum y^2), x of the first detector and y
    of the second, as the slide moves it. The largest of both signs counts, of all delays on the
    samples' grid within light travel and 2 ms. Of equal ones the least delay counts.

    Args:
        first: Of the first detector.
        second: Of the second detector.
        pairs: Rows of both, and the slides.
        travel_ns: Light travel between the two [ns].

    Returns:
        Correlations, -1 to 1, with their sign, [pair], and delays [ns], [pair]. Both are 0 where
        a waveform is empty, or where the two do not meet at any of the delays.
    """
    i, j = pairs.first, pairs.second
    top, delay = np.zeros(len(i)), np.zeros(len(i), np.int64)
    rows = np.flatnonzero((first.energies[i] > 0) & (second.energies[j] > 0))
    i, j = i[rows], j[rows]
    begins = second.waveform_start_ns[j] + pairs.shift_ns[rows] - first.waveform_start_ns[i]
    low, high = _lags(first, second, i, j, begins, travel_ns + SLACK_NS)
    meet = low <= high
    rows, i, j, begins, low, high = (x[meet] for x in (rows, i, j, begins, low, high))
    largest, lag = _largest(first, second, i, j, low, high)
    norm = np.sqrt(first.energies[i]) * np.sqrt(second.energies[j])
    top[rows] = np.clip(largest / norm, -1, 1)
    delay[rows] = begins + (lag * NANOSECONDS + RATE // 2) // RATE
    return top, delay


def _lags(
    first: Arrivals, second: Arrivals, i: Index, j: Index, begins: Index, reach: int
) -> tuple[Index, Index]:
    """Return the least and the largest lag of each pair [samples].

    At lag l, sample m of the first waveform meets sample m + l of the second, which begins
    ``begins`` [ns] after the first.
    """
    low = -((reach + begins) * RATE // NANOSECONDS)
    high = (reach - begins) * RATE // NANOSECONDS
    touch = second.waveform_first[j] - first.waveform_end[i] + 1
    leave = second.waveform_end[j] - 1 - first.waveform_first[i]
    return np.maximum(low, touch), np.minimum(high, leave)


def _largest(
    first: Arrivals, second: Arrivals, i: Index, j: Index, low: Index, high: Index
) -> tuple[FloatArray, Index]:
    """Return the largest inner product of each pair, with its sign, and its lag."""
    # From here on lags count from the first sample that is not zero, in both.
    moved = second.waveform_first[j] - first.waveform_first[i]
    low, high = low - moved, high - moved
    length_x = (first.waveform_end - first.waveform_first)[i]
    length_y = (second.waveform_end - second.waveform_first)[j]
    # Long enough that no lag that is looked at wraps around onto another one.
    needed = np.maximum(np.maximum(length_x, length_x + high), np.maximum(length_y, length_y - low))
    size = np.searchsorted(SIZES, needed)
    top, where = np.zeros(len(i)), np.zeros(len(i), np.int64)
    for group in _groups(size, i // BLOCK, j // BLOCK):
        n = int(SIZES[size[group[0]]])
        rows_x, at_x = np.unique(i[group], return_inverse=True)
        rows_y, at_y = np.unique(j[group], return_inverse=True)
        x, y = _spectra(first, rows_x, n), _spectra(second, rows_y, n)
        step = max(CELLS // n, 1)
        for at in range(0, len(group), step):
            part = group[at : at + step]
            products = _products(x[at_x[at : at + step]], y[at_y[at : at + step]], n)
            top[part], where[part] = _extreme(products, low[part], high[part])
    return top, where + moved


def _groups(*keys: Index) -> Iterator[Index]:
    """List the rows of each combination of keys."""
    if len(keys[0]):
        order = np.lexsort(keys[::-1])
        changes = np.any([np.diff(key[order]) != 0 for key in keys], axis=0)
        yield from np.split(order, np.flatnonzero(changes) + 1)


def _spectra(arrivals: Arrivals, rows: Index, n: int) -> ComplexArray:
    """Transform waveforms from their first sample that is not zero on, [row, frequency]."""
    at = arrivals.waveform_first[rows, None] + np.arange(min(n, COUNT))
    samples = arrivals.waveforms[rows[:, None], np.minimum(at, COUNT - 1)].astype(float)
    return np.asarray(np.fft.rfft(np.where(at < COUNT, samples, 0), n))


def _products(x: ComplexArray, y: ComplexArray, n: int) -> FloatArray:
    """Return the inner products at all lags, [pair, lag modulo n]."""
    crossed = np.empty_like(x)
    crossed.real = x.real * y.real + x.imag * y.imag
    crossed.imag = x.real * y.imag - x.imag * y.real
    return np.asarray(np.fft.irfft(crossed, n))


def _extreme(products: FloatArray, low: Index, high: Index) -> tuple[FloatArray, Index]:
    """Return the products of largest size between two lags, and the first lag of such."""
    lags = low[:, None] + np.arange(int((high - low).max()) + 1)
    rows = np.arange(len(low))
    looked_at = products[rows[:, None], lags % products.shape[1]]
    best = np.argmax(np.where(lags <= high[:, None], np.abs(looked_at), -1), axis=1)
    return looked_at[rows, best], low + best
