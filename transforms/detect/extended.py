"""Signals longer or wider than any wavelet: sums of energy over boxes and sweeps.

A tile sees the part of a signal that fits its wavelet. A pulse of unknown shape, a burst of
noise or an arch of scattered light fills a box of neighbouring tiles; a binary runs along a
line of rising frequency. The energy summed over such a shape follows in noise, to good
accuracy, a gamma distribution; its rarity is told as the SNR of the single tile that would
be as rare. So one threshold and one ranking serve all shapes. A shape counts only where
no part of it explains it alone: a short loud signal stays a short signal.

Excess power: Anderson et al. 2001, arXiv:gr-qc/0008066.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.detect.bank import PAST_SECONDS
from transforms.detect.kernels import box_hits, sweep_hits
from transforms.detect.octave import BINS
from transforms.detect.rarity import Noise, box_handicap, overlap_gain, sweep_handicap
from transforms.detect.sweeps import LEAST_PARTS, Sweep, sweeps

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
ENDS = 0.05
"""Part of a sweep's energy that is left out at either of its ends."""
ROOM = 1 << 10
"""Hits for which there is room at first."""
EVEN = 0.3
"""Least fraction of its parts: two signals on one line are not a sweep."""


@dataclass(frozen=True)
class Extended:
    """The rarest shape that ends in a bin."""

    bin: int
    """Bin in which the shape ends."""
    snr: float
    """SNR of a tile that would be as rare."""
    rank: float
    """Ranking statistic, see ``rarity``."""
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


def box_energy(
    energy: SingleArray, size: tuple[int, int], row: IntArray, bin_: IntArray
) -> SingleArray:
    """Sum energies over boxes of some rows from ``row`` up and some bins up to ``bin_``.

    Args:
        energy: [row, bin].
        size: Rows and bins of a box.
        row: [box].
        bin_: [box].
    """
    width, length = size
    rows = row[:, None, None] + np.arange(width)[:, None]
    bins = bin_[:, None, None] - np.arange(length)
    return np.asarray(energy[rows, bins].reshape(len(row), -1).sum(axis=1))


def _all_hits(columns: int, find: Callable[[IntArray], int]) -> IntArray:
    """Give all that a search finds, however much it is, [hit, column]."""
    hits = np.empty((ROOM, columns), np.int64)
    count = find(hits)
    if count > len(hits):
        hits = np.empty((count, columns), np.int64)
        find(hits)
    return hits[:count]


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
            size: Noise.learn(
                total[: self._boxed, past:], box_handicap(*size), overlap_gain(boxed, size)
            )
            for size, total in sums.items()
        }
        self._limits: dict[float, tuple[SingleArray, SingleArray]] = {}
        bins = np.arange(past, noise.shape[1])
        parts = [sweep.parts_at(noise, bins) for sweep in self._sweeps]
        self._sweep_noise = [Noise.learn(part.sum(axis=0), sweep_handicap()) for part in parts]
        self._sweep_means = [part.mean(axis=1, dtype=float) for part in parts]
        self._parts = np.array(
            [
                (i, row, lag, round(np.log2(length)))
                for i, sweep in enumerate(self._sweeps)
                for row, lag, length in sweep.parts
            ]
        ).reshape(-1, 4)

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
        boxes, lines = self._limits[threshold]
        best: dict[int, Extended] = {}
        for found in (
            *self._scan_boxes(energy, boxes, threshold),
            *self._scan_sweeps(energy, lines),
        ):
            if found.bin not in best or found.rank > best[found.bin].rank:
                best[found.bin] = found
        return [best[at] for at in sorted(best)]

    def _limits_of(self, threshold: float) -> tuple[SingleArray, SingleArray]:
        """Give the sums at a threshold: of boxes by width, length and row, and of sweeps."""
        boxes = np.full((len(WIDTHS), len(LENGTHS), self._boxed), np.inf, np.float32)
        for (width, length), noise in self._box_noise.items():
            row = np.arange(self._boxed - width + 1)
            whole = row[self._q[row] == self._q[row + width - 1]]
            if width * length > 1:
                place = WIDTHS.index(width), LENGTHS.index(length), whole
                boxes[place] = noise.limit(threshold)[whole]
        lines = [noise.limit(threshold) for noise in self._sweep_noise]
        return boxes, np.array(lines, np.float32)

    def _scan_boxes(
        self, energy: SingleArray, limits: SingleArray, threshold: float
    ) -> Iterator[Extended]:
        past = PAST_SECONDS * BINS
        hits = _all_hits(4, lambda out: box_hits(energy, limits, past, out))
        for i, j in np.unique(hits[:, :2], axis=0):
            row, bin_ = hits[(hits[:, 0] == i) & (hits[:, 1] == j), 2:].T
            size = width, length = WIDTHS[i], LENGTHS[j]
            noise, total = self._box_noise[size].at(row), box_energy(energy, size, row, bin_)
            snr, rank = noise.snr(total), noise.rank(total)
            keep = rank > self._rank_of_halves(energy, size, (row, bin_))
            keep &= rank >= threshold
            for at in np.flatnonzero(keep):
                excess = float(total[at]) - width * length
                place = int(row[at]), int(bin_[at]) - past
                yield self._box(place, size, (float(snr[at]), float(rank[at]), excess))

    def _rank_of_halves(
        self, energy: SingleArray, size: tuple[int, int], place: tuple[IntArray, IntArray]
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
        ranks = [
            self._box_noise[half].at(r).rank(box_energy(energy, half, r, b))
            for half, r, b in halves
        ]
        return np.asarray(np.max(ranks, axis=0))

    def _box(
        self, place: tuple[int, int], size: tuple[int, int], found: tuple[float, float, float]
    ) -> Extended:
        (row, bin_), (snr, rank, excess) = place, found
        low, high = self._frequency[row], self._frequency[row + size[0] - 1]
        edge = 1 / (np.sqrt(2) * self._q[row])
        band = float(low * (1 - edge)), float(high * (1 + edge))
        first = size[1] - 1
        return Extended(bin_, snr, rank, "box", first, 0, first / 2, *band, 2 * excess)

    def _scan_sweeps(self, energy: SingleArray, limits: SingleArray) -> Iterator[Extended]:
        past = PAST_SECONDS * BINS
        hits = _all_hits(2, lambda out: sweep_hits(energy, self._parts, limits, past, out))
        for which in np.unique(hits[:, 0]):
            sweep, noise = self._sweeps[which], self._sweep_noise[which]
            bins, means = hits[hits[:, 0] == which, 1], self._sweep_means[which]
            held = sweep.parts_at(energy, bins)
            parts, total = np.maximum(held - means[:, None], 0), held.sum(axis=0)
            spread = parts.sum(axis=0) ** 2 / np.maximum((parts**2).sum(axis=0), 1e-30)
            snr, rank = noise.snr(total), noise.rank(total)
            even = spread >= max(LEAST_PARTS, EVEN * len(parts))
            for at in np.flatnonzero(even):
                place = self._extent(sweep, parts[:, at])
                excess = 2 * float(total[at] - means.sum())
                bin_, as_rare, ranked = int(bins[at]) - past, float(snr[at]), float(rank[at])
                yield Extended(bin_, as_rare, ranked, "sweep", *place, excess)

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
