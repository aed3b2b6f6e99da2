"""Signals longer or wider than any wavelet: sums of energy over boxes and sweeps.

A tile sees the part of a signal that fits its wavelet. A pulse of unknown shape, a burst of
noise or an arch of scattered light fills a box of neighbouring tiles; a binary runs along a
line of rising frequency. The energy summed over such a shape follows in noise, to good
accuracy, a gamma distribution; its rarity is told as the SNR of the single tile that would
be as rare. So one threshold and one ranking serve all shapes. A shape counts only where
no part of it explains it alone: a short loud signal stays a short signal.

Excess power: Anderson et al. 2001, arXiv:gr-qc/0008066. Tracks through time-frequency
maps: Anderson & Balasubramanian 1999, arXiv:gr-qc/9905023.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.detect.bank import BINS, PAST_SECONDS
from transforms.detect.rarity import Noise, overlap_gain

FloatArray = npt.NDArray[np.float64]
SingleArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.intp]
Sums = dict[tuple[int, int], SingleArray]
"""(rows, bins) -> [row, bin]: energy of so many rows from here up, and bins up to here."""

WIDTHS = (1, 2, 4, 8)
"""Heights of a box: wavelets of one q, neighbours in frequency."""
LENGTHS = (1, 2, 4, 8, 16)
"""Lengths of a box [bins]."""
BOX_PLANES = 2
"""Boxes are sought in so many planes of lowest q."""
SLOPES = tuple(float(80 * np.exp(0.22 * i)) for i in range(19))
"""Slopes of the sweeps [Hz/s]: neighbours part by less than a tile on their way."""
BANDS = ((30.0, 150.0), (30.0, 300.0), (60.0, 500.0), (120.0, 700.0))
"""Bands that a sweep runs through [Hz]."""
LONGEST = 2.0
"""Longest sweep [s]."""
ENDS = 0.05
"""Part of a sweep's energy that is left out at either of its ends."""
LEAST_PARTS = 3.0
"""Least number of parts among which a sweep's energy is spread."""
EVEN = 0.3
"""Least fraction of its parts: two signals on one line are not a sweep."""


@dataclass(frozen=True)
class Extended:
    """The rarest shape that ends in a bin."""

    bin: int
    """Bin in which the shape ends."""
    rank: float
    """SNR of a tile that would be as rare."""
    kind: str
    """``box`` or ``sweep``."""
    first: int
    """Where its energy starts, in bins before ``bin``."""
    last: int
    """Where its energy ends, in bins before ``bin``."""
    middle: float
    """Centre of its energy, in bins before ``bin``."""
    low_frequency: float
    high_frequency: float
    energy: float
    """Excess over noise: an estimate of the squared SNR of the whole signal."""


@dataclass(frozen=True)
class Sweep:
    """A line through the map: boxes of one row, each with its place before the end."""

    parts: tuple[tuple[int, int, int], ...]
    """Row, bins before the end, length [bins]."""

    def parts_at(self, sums: Sums, bins: IntArray) -> SingleArray:
        """Give the energy of each part where the sweep ends in some bins, [part, bin]."""
        return np.array([sums[1, length][row][bins - lag] for row, lag, length in self.parts])

    def total(self, sums: Sums) -> SingleArray:
        """Give the sweep's energy where it ends in each bin after the past."""
        past = PAST_SECONDS * BINS
        out = np.zeros(sums[1, 1].shape[1] - past, np.float32)
        for row, lag, length in self.parts:
            out += sums[1, length][row, past - lag : past - lag + len(out)]
        return out


def sweeps(frequency: FloatArray, q: FloatArray) -> list[Sweep]:
    """List all upward sweeps: at each frequency the wavelet that the slope suits.

    A line of slope k stays within a wavelet's band as long as the wavelet lasts where
    f / q is near sqrt(k).
    """
    return [
        Sweep(_line(frequency, q, slope, band))
        for slope in SLOPES
        for band in BANDS
        if (band[1] - band[0]) / slope <= LONGEST
        and band[1] <= frequency.max()
        and len(_line(frequency, q, slope, band)) > LEAST_PARTS
    ]


def _line(
    frequency: FloatArray, q: FloatArray, slope: float, band: tuple[float, float]
) -> tuple[tuple[int, int, int], ...]:
    planes = np.unique(q)
    end = round((band[1] - band[0]) / slope * BINS)
    parts, f = [], band[0]
    while f < band[1]:
        best = planes[np.abs(np.log(planes * np.sqrt(slope) / (1.8 * f))).argmin()]
        rows = np.flatnonzero(q == best)
        row = int(rows[np.abs(frequency[rows] - f).argmin()])
        step = max(0.8 * np.sqrt(slope), 0.9 * frequency[row] / best)
        first, last = ((f + side * step / 2 - band[0]) / slope * BINS for side in (-1, 1))
        # Lengths are powers of two, for the sake of sums that serve many sweeps.
        length = min(1 << round(np.log2(max(last - first, 1))), LENGTHS[-1])
        parts.append((row, max(0, end - round((first + last + length) / 2)), length))
        f += step
    return tuple(parts)


def running_sums(energy: SingleArray, boxed: int) -> Sums:
    """Sum neighbouring rows and past bins by doubling.

    Args:
        energy: [row, bin].
        boxed: How many rows, from the first, are summed with their neighbours.
    """
    sums: Sums = {(1, 1): energy}
    for width in WIDTHS[1:]:
        half = sums[width // 2, 1][:boxed]
        sums[width, 1] = _plus(half, half[width // 2 :], (slice(None, -(width // 2)),))
    for width in WIDTHS:
        for length in LENGTHS[1:]:
            half, lag = sums[width, length // 2], length // 2
            sums[width, length] = _plus(half, half[:, :-lag], (slice(None), slice(lag, None)))
    return sums


def _plus(first: SingleArray, second: SingleArray, where: tuple[slice, ...]) -> SingleArray:
    """Add the second array to a part of the first."""
    total = first.copy()
    total[where] += second
    return total


class ExtendedSearch:
    """All boxes and sweeps of one bank, with the distribution of each in noise."""

    def __init__(self, frequency: FloatArray, q: FloatArray, noise: SingleArray) -> None:
        """Lay out the shapes and learn their distributions.

        Args:
            frequency: Of the bank's rows [Hz], in planes of rising q.
            q: Of the bank's rows.
            noise: [row, bin], energies of white noise.
        """
        self._frequency, self._q = frequency, q
        self._boxed = int(np.sum(q <= np.unique(q)[:BOX_PLANES].max()))
        self._sweeps = sweeps(frequency, q)
        sums, past = running_sums(noise, self._boxed), PAST_SECONDS * BINS
        boxed = noise[: self._boxed, past:]
        self._box_noise = {
            size: Noise.learn(total[: self._boxed, past:], overlap_gain(boxed, size))
            for size, total in sums.items()
        }
        self._limits: dict[float, tuple[dict[tuple[int, int], FloatArray], FloatArray]] = {}
        bins = np.arange(past, noise.shape[1])
        self._sweep_noise = [Noise.learn(sweep.total(sums)) for sweep in self._sweeps]
        self._sweep_means = [
            sweep.parts_at(sums, bins).mean(axis=1, dtype=float) for sweep in self._sweeps
        ]

    def scan(self, energy: SingleArray, threshold: float) -> list[Extended]:
        """Find the bins in which a rare shape ends.

        Args:
            energy: [row, bin]; the first ``PAST_SECONDS`` are past only.
            threshold: Least rank.

        Returns:
            One for each bin over the threshold, in order of time; bins count from the end
            of the past.
        """
        if threshold not in self._limits:
            self._limits[threshold] = self._limits_of(threshold)
        sums = running_sums(energy, self._boxed)
        best: dict[int, Extended] = {}
        for found in (*self._scan_boxes(sums, threshold), *self._scan_sweeps(sums, threshold)):
            if found.bin not in best or found.rank > best[found.bin].rank:
                best[found.bin] = found
        return [best[at] for at in sorted(best)]

    def _limits_of(self, threshold: float) -> tuple[dict[tuple[int, int], FloatArray], FloatArray]:
        """Give the sums at a threshold: of boxes by size and row, and of sweeps."""
        of_boxes = {size: noise.limit(threshold) for size, noise in self._box_noise.items()}
        return of_boxes, np.array([noise.limit(threshold) for noise in self._sweep_noise])

    def _scan_boxes(self, sums: Sums, threshold: float) -> Iterator[Extended]:
        past = PAST_SECONDS * BINS
        for (width, length), noise in self._box_noise.items():
            if width * length == 1:
                continue
            total = sums[width, length][: self._boxed - width + 1]
            limit = self._limits[threshold][0][width, length][: len(total), None]
            over = total[:, past:] > limit
            loud = np.flatnonzero(over)
            if not len(loud):
                continue
            row, bin_ = np.unravel_index(loud, over.shape)
            whole = self._q[row] == self._q[row + width - 1]
            row, bin_ = row[whole], bin_[whole] + past
            rank = noise.at(row).rank(total[row, bin_])
            keep = rank > self._rank_of_halves(sums, (width, length), (row, bin_))
            keep &= rank >= threshold
            for r, b, value in zip(row[keep], bin_[keep], rank[keep], strict=True):
                excess = float(total[r, b]) - width * length
                yield self._box(int(r), int(b) - past, (width, length), (float(value), excess))

    def _rank_of_halves(
        self, sums: Sums, size: tuple[int, int], place: tuple[IntArray, IntArray]
    ) -> FloatArray:
        """Give the larger rank of the halves of some boxes, in time and in frequency."""
        (width, length), (row, bin_) = size, place
        halves = []
        if length > 1:
            earlier = bin_ - length // 2
            halves += [((width, length // 2), row, bin_), ((width, length // 2), row, earlier)]
        if width > 1:
            higher = row + width // 2
            halves += [((width // 2, length), row, bin_), ((width // 2, length), higher, bin_)]
        ranks = [self._box_noise[half].at(r).rank(sums[half][r, b]) for half, r, b in halves]
        return np.asarray(np.max(ranks, axis=0))

    def _box(
        self, row: int, bin_: int, size: tuple[int, int], found: tuple[float, float]
    ) -> Extended:
        low, high = self._frequency[row], self._frequency[row + size[0] - 1]
        edge = 1 / (np.sqrt(2) * self._q[row])
        band = float(low * (1 - edge)), float(high * (1 + edge))
        first = size[1] - 1
        return Extended(bin_, found[0], "box", first, 0, first / 2, *band, 2 * found[1])

    def _scan_sweeps(self, sums: Sums, threshold: float) -> Iterator[Extended]:
        past = PAST_SECONDS * BINS
        limits = self._limits[threshold][1]
        for sweep, noise, means, limit in zip(
            self._sweeps, self._sweep_noise, self._sweep_means, limits, strict=True
        ):
            total = sweep.total(sums)
            bins = np.flatnonzero(total > limit)
            if not len(bins):
                continue
            parts = np.maximum(sweep.parts_at(sums, bins + past) - means[:, None], 0)
            spread = parts.sum(axis=0) ** 2 / np.maximum((parts**2).sum(axis=0), 1e-30)
            rank = noise.rank(total[bins])
            even = spread >= max(LEAST_PARTS, EVEN * len(parts))
            for at in np.flatnonzero(even):
                b = int(bins[at])
                place = self._extent(sweep, parts[:, at])
                excess = 2 * float(total[b] - means.sum())
                yield Extended(b, float(rank[at]), "sweep", *place, excess)

    def _extent(self, sweep: Sweep, energy: SingleArray) -> tuple[int, int, float, float, float]:
        """Bound a sweep by the parts between which all but a tenth of its energy lies.

        Returns:
            First, last and middle bin before the end; lowest and highest frequency [Hz].
        """
        grown = np.cumsum(energy) / energy.sum()
        low = int(np.searchsorted(grown, ENDS))
        high = min(int(np.searchsorted(grown, 1 - ENDS)), len(grown) - 1)
        row, lag, length = np.array(sweep.parts[low : high + 1]).T
        middle = np.average(lag + (length - 1) / 2, weights=energy[low : high + 1] + 1e-30)
        half = self._frequency[row] / (np.sqrt(2) * self._q[row])
        band = np.min(self._frequency[row] - half), np.max(self._frequency[row] + half)
        first = int(np.max(lag + length - 1))
        return first, int(np.min(lag)), float(middle), float(band[0]), float(band[1])
