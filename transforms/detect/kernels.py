"""The passes over energies that numpy would make many of, each compiled into one.

Compiled code is kept beside this file or in the user's cache directory; where neither
can be written, each process compiles its own. Sums may be taken in any order that
depends on their lengths only, so a second gives the same bits in any company.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

from transforms.arrays import IntArray, SingleArray

Function = TypeVar("Function", bound=Callable[..., Any])

_CACHE_SAMPLES = 1 << 12
_FLOATS = {"reassoc", "nsz", "nnan"}


def _compiled(function: Function) -> Function:
    try:
        compiled = njit(cache=True, nogil=True, fastmath=_FLOATS)(function)
    except RuntimeError:
        compiled = njit(nogil=True, fastmath=_FLOATS)(function)
    return cast(Function, compiled)


@_compiled
def fold(
    even: SingleArray, odd: SingleArray, taps: SingleArray, out: SingleArray
) -> None:  # pragma: no cover - compiled
    """Filter even samples by a symmetric half-band filter.

    Args:
        even: [time].
        odd: [time], with as many samples before and after as there are pairs of taps.
        taps: The middle one, and one of each pair outwards.
        out: [time], written.
    """
    pairs = len(taps) - 1
    for start in range(0, len(out), _CACHE_SAMPLES):
        part = out[start : start + _CACHE_SAMPLES]
        n = len(part)
        middle = even[start : start + n]
        for i in range(n):
            part[i] = middle[i] * taps[0]
        for k in range(pairs):
            # Sample 2 i has the odd samples i - 1 - k and i + k at distance 2 k + 1.
            before, after = odd[start + pairs - 1 - k :], odd[start + pairs + k :]
            for i in range(n):
                part[i] += (before[i] + after[i]) * taps[k + 1]


@_compiled
def weigh(
    spectrum: SingleArray, weight: SingleArray, lowest: IntArray, out: SingleArray
) -> None:  # pragma: no cover - compiled
    """Cut the wavelets' bands out of spectra.

    Complex numbers are pairs of floats here.

    Args:
        spectrum: [hop, 2 frequency].
        weight: [wavelet, length], from ``lowest`` up; zero beyond the band.
        lowest: [wavelet].
        out: [hop, wavelet, 2 length], written; zero beyond the spectrum.
    """
    for hop in range(len(spectrum)):
        for row in range(len(weight)):
            part, own, band = spectrum[hop, 2 * lowest[row] :], weight[row], out[hop, row]
            width = min(len(own), len(part) // 2)
            for k in range(width):
                band[2 * k] = part[2 * k] * own[k]
                band[2 * k + 1] = part[2 * k + 1] * own[k]
            band[2 * width :] = 0


@_compiled
def summarise(
    y: SingleArray,
    span: tuple[int, int],
    edges: IntArray,
    rows: IntArray,
    means: SingleArray,
    loudest: SingleArray,
) -> None:  # pragma: no cover - compiled
    """Write the mean energy of every bin of time, and the largest energy.

    Args:
        y: [hop, wavelet, 2 sample], real and imaginary parts.
        span: First and last of the hop's own samples.
        edges: [2, bin], first and last sample of each bin, counted from the span's start.
        rows: [wavelet], the row of each in ``means``.
        means: [hop, row, bin], written: half the mean.
        loudest: [hop, wavelet], written: of the span.
    """
    first, last = span
    energy = np.empty(last - first, np.float32)
    for hop in range(y.shape[0]):
        for i in range(y.shape[1]):
            own = y[hop, i, 2 * first : 2 * last]
            most = np.float32(0)
            for k in range(len(energy)):
                power = own[2 * k] * own[2 * k] + own[2 * k + 1] * own[2 * k + 1]
                energy[k] = power
                most = max(most, power)
            loudest[hop, i] = most
            for b in range(edges.shape[1]):
                total = np.float32(0)
                # Unsigned, so that no index can count from the end: twice as fast.
                for k in range(np.uint64(edges[0, b]), np.uint64(edges[1, b])):
                    total += energy[np.uint64(k)]
                means[hop, rows[i], b] = total * (np.float32(0.5) / (edges[1, b] - edges[0, b]))


@_compiled
def _double(sums: SingleArray, lag: int, out: SingleArray) -> None:  # pragma: no cover
    """Sum over twice as many bins: those that end here, and those that end ``lag`` before."""
    earlier, later, both = sums[: len(sums) - lag], sums[lag:], out[lag:]
    out[:lag] = sums[:lag]
    for b in range(len(both)):
        both[b] = earlier[b] + later[b]


@_compiled
def _double_over(
    sums: SingleArray, lag: int, out: SingleArray, past: int, limit: float
) -> bool:  # pragma: no cover - compiled
    """Sum as ``_double`` does; return whether any sum from ``past`` on lies over a limit."""
    out[:lag] = sums[:lag]
    for b in range(lag, past):
        out[b] = sums[b - lag] + sums[b]
    earlier, later, both = sums[past - lag :], sums[past:], out[past:]
    count = 0
    for b in range(len(both)):
        total = earlier[b] + later[b]
        both[b] = total
        count += total > limit
    return count > 0


@_compiled
def _any_over(values: SingleArray, limit: float) -> bool:  # pragma: no cover - compiled
    """Return whether any value lies over a limit; counting all is faster than stopping."""
    count = 0
    for value in values:
        count += value > limit
    return count > 0


@_compiled
def rectangle_hits(
    energy: SingleArray, limits: SingleArray, past: int, hits: IntArray
) -> int:  # pragma: no cover - compiled
    """Find the rectangles whose energy lies over a limit.

    Args:
        energy: [row, bin].
        limits: [width, length, row], of rectangles of 2^i rows from a row up and 2^j bins;
            infinite where there is none.
        past: Bins that no rectangle ends in.
        hits: [hit, 4], written as far as there is room: width, length, row, last bin.

    Returns:
        How many there are.
    """
    count, n = 0, energy.shape[1]
    wide = energy.copy()
    buffer, other_buffer = np.empty(n, np.float32), np.empty(n, np.float32)
    for i in range(limits.shape[0]):
        for row in range(min(limits.shape[2], len(energy) + 1 - (1 << i))):
            if i > 0:
                # Upwards, so that the row added still holds half the width.
                upper, own = wide[row + (1 << (i - 1))], wide[row]
                for b in range(n):
                    own[b] += upper[b]
            sums, spare = wide[row], buffer
            for j in range(limits.shape[1]):
                limit = limits[i, j, row]
                if j == 0:
                    is_over = _any_over(sums[past:], limit)
                else:
                    is_over = _double_over(sums, 1 << (j - 1), spare, past, limit)
                    sums, spare = spare, other_buffer if j == 1 else sums
                if not is_over:
                    continue
                for b in range(past, n):
                    if sums[b] > limit:
                        if count < len(hits):
                            hits[count, 0], hits[count, 1] = i, j
                            hits[count, 2], hits[count, 3] = row, b
                        count += 1
    return count


@_compiled
def track_hits(
    energy: SingleArray, parts: IntArray, limits: SingleArray, past: int, hits: IntArray
) -> int:  # pragma: no cover - compiled
    """Find the tracks whose energy lies over a limit.

    Args:
        energy: [row, bin].
        parts: [part, 4]: track, row, bins before the track's end, and logarithm to base 2 of
            the length in bins; those of a track follow each other.
        limits: [track].
        past: Bins that no track ends in.
        hits: [hit, 2], written as far as there is room: track, bin in which it ends.

    Returns:
        How many there are.
    """
    rows, n = energy.shape
    sums = np.empty((parts[:, 3].max() + 1, rows, n), np.float32)
    sums[0] = energy
    for j in range(1, len(sums)):
        for row in range(rows):
            _double(sums[j - 1, row], 1 << (j - 1), sums[j, row])
    count, part = 0, 0
    total = np.empty(n - past, np.float32)
    for track in range(len(limits)):
        total[:] = 0
        while part < len(parts) and parts[part, 0] == track:
            piece = sums[parts[part, 3], parts[part, 1], past - parts[part, 2] :]
            for b in range(n - past):
                total[b] += piece[b]
            part += 1
        if not _any_over(total, limits[track]):
            continue
        for b in range(n - past):
            if total[b] > limits[track]:
                if count < len(hits):
                    hits[count, 0], hits[count, 1] = track, b + past
                count += 1
    return count


@_compiled
def rectangle_sums(
    energy: SingleArray, rectangles: IntArray
) -> SingleArray:  # pragma: no cover - compiled
    """Sum energies over rectangles.

    Args:
        energy: [row, bin].
        rectangles: [rectangle, 4]: logarithms to base 2 of rows and bins, lowest row, last bin.

    Returns:
        [rectangle].
    """
    out = np.empty(len(rectangles), np.float32)
    for i in range(len(rectangles)):
        row, end = rectangles[i, 2], rectangles[i, 3] + 1
        total = np.float32(0)
        for r in range(row, row + (1 << rectangles[i, 0])):
            for value in energy[r, end - (1 << rectangles[i, 1]) : end]:
                total += value
        out[i] = total
    return out


@_compiled
def track_sums(
    energy: SingleArray, parts: IntArray, first: IntArray, means: SingleArray, hits: IntArray
) -> SingleArray:  # pragma: no cover - compiled
    """Sum energies over tracks, and measure how they are spread.

    Args:
        energy: [row, bin].
        parts: [part, 4], as ``track_hits`` has them.
        first: [track + 1], the first part of each track, and the number of parts.
        means: [part], the mean of each in noise.
        hits: [hit, 2]: track, and the bin in which it ends.

    Returns:
        [hit, 3]: the energy, the parts' excess over their means, and its squares' sum.
    """
    out = np.zeros((len(hits), 3), np.float32)
    for i in range(len(hits)):
        for k in range(first[hits[i, 0]], first[hits[i, 0] + 1]):
            end = hits[i, 1] - parts[k, 2] + 1
            held = np.float32(0)
            for value in energy[parts[k, 1], end - (1 << parts[k, 3]) : end]:
                held += value
            excess = max(held - means[k], np.float32(0))
            out[i, 0] += held
            out[i, 1] += excess
            out[i, 2] += excess * excess
    return out


@_compiled
def energies_before(
    energy: SingleArray, low: IntArray, width: IntArray, end: IntArray, size: tuple[int, int]
) -> SingleArray:  # pragma: no cover - compiled
    """Average energies over some rows and over blocks of bins before an end.

    Args:
        energy: [row, bin].
        low: [place], the lowest row.
        width: [place], number of rows.
        end: [place], the bin after the last block.
        size: Bins of a block, and number of blocks.

    Returns:
        [place, block], the last block first.
    """
    length, count = size
    out = np.empty((len(end), count), np.float32)
    for i in range(len(end)):
        for k in range(count):
            last = end[i] - k * length
            total = np.float32(0)
            for row in range(low[i], low[i] + width[i]):
                for value in energy[row, last - length : last]:
                    total += value
            out[i, k] = total / (width[i] * length)
    return out
