"""Signals longer or wider than any wavelet: sums of energy over boxes and sweeps.

A tile sees the part of a signal that fits its wavelet. A pulse of unknown shape, a burst of
noise or an arch of scattered light fills a box of neighbouring tiles; a binary runs along a
line of rising frequency. The energy summed over such a shape follows in noise, to good
accuracy, a gamma distribution; its probability is told as the SNR of the single tile that would
be as rare. So one threshold and one ranking serve all shapes. A shape counts only where
no part of it explains it alone: a short loud signal stays a short signal.

Excess power: Anderson et al. 2001, arXiv:gr-qc/0008066.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.detect.bank import PAST_SECONDS
from transforms.detect.kernels import box_sums, rectangle_hits, sweep_sums, track_hits
from transforms.detect.octave import BINS
from transforms.detect.ranking import (
    FAR_OUT,
    Noise,
    overlap_gain,
    rectangle_trials_penalty,
    track_trials_penalty,
)
from transforms.detect.tracks import LEAST_PARTS, Track, sweeps

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
    """Ranking statistic, see `transforms.detect.ranking`."""
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


def _all_hits(columns: int, find: Callable[[IntArray], int]) -> IntArray:
    """Return all that a search finds, however much it is, [hit, column]."""
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


def best_in_bins(bins: IntArray, rank: FloatArray) -> IntArray:
    """Return the places of the largest rank in each bin, the first of equal ones."""
    order = np.lexsort((np.arange(len(bins)), -rank, bins))
    return order[np.flatnonzero(np.diff(bins[order], prepend=-1))]


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
        self._tracks = sweeps(frequency, q)
        past = PAST_SECONDS * BINS
        self._box_noise = self._learn_boxes(noise, past)
        self._limits: dict[float, tuple[SingleArray, SingleArray]] = {}
        parts = [s.parts_at(noise, np.arange(past, noise.shape[1])) for s in self._tracks]
        self._sweep_noise = Noise.stack(
            [Noise.learn(part.sum(axis=0), track_trials_penalty()) for part in parts]
        )
        self._parts = np.array(
            [
                (i, row, lag, round(np.log2(length)))
                for i, sweep in enumerate(self._tracks)
                for row, lag, length in sweep.parts
            ],
            np.int64,
        ).reshape(-1, 4)
        self._first = np.cumsum([0, *map(len, parts)])
        self._means = np.array([row.mean(dtype=float) for part in parts for row in part], "f4")

    def _learn_boxes(self, noise: SingleArray, past: int) -> Noise:
        """Learn the sums over boxes in noise, [width, length, row]."""
        sums, boxed = running_sums(noise, self._boxed), noise[: self._boxed, past:]
        return Noise.stack(
            [
                Noise.stack(
                    [
                        Noise.learn(
                            sums[width, length][: self._boxed, past:],
                            rectangle_trials_penalty(width, length),
                            overlap_gain(boxed, (width, length)),
                        )
                        for length in LENGTHS
                    ]
                )
                for width in WIDTHS
            ]
        )

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
        """Return the sums at a threshold: of boxes by width, length and row, and of sweeps."""
        boxes = self._box_noise.limit(threshold).astype(np.float32)
        boxes[0, 0] = np.inf  # a box of one row and one bin is no more than tiles are
        for i, width in enumerate(WIDTHS):
            row = np.arange(self._boxed)
            last = np.minimum(row + width - 1, self._boxed - 1)
            boxes[i, :, (row + width > self._boxed) | (self._q[row] != self._q[last])] = np.inf
        return boxes, self._sweep_noise.limit(threshold).astype(np.float32)

    def _scan_boxes(
        self, energy: SingleArray, limits: SingleArray, threshold: float
    ) -> Iterator[Extended]:
        """Yield the best box that ends in each bin."""
        past = PAST_SECONDS * BINS
        hits = _all_hits(4, lambda out: rectangle_hits(energy, limits, past, out))
        total = box_sums(energy, hits)
        noise = self._box_noise.at(tuple(hits[:, :3].T))
        snr = noise.snr(total)
        rank = noise.rank(snr)
        half_snr, half_rank = self._halves(energy, hits)
        # A box that merely touches a loud signal is as rare as FAR_OUT says, as its half is.
        touching = (snr <= FAR_OUT) & (half_snr >= FAR_OUT)
        better = (rank > half_rank) & ~touching
        keep = np.flatnonzero((rank >= threshold) & better)
        for at in keep[best_in_bins(hits[keep, 3], rank[keep])]:
            i, j, row, bin_ = (int(value) for value in hits[at])
            excess = float(total[at]) - WIDTHS[i] * LENGTHS[j]
            found = float(snr[at]), float(rank[at]), excess
            yield self._box((row, bin_ - past), (WIDTHS[i], LENGTHS[j]), found)

    def _halves(self, energy: SingleArray, hits: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the largest SNR and rank of the halves of boxes, in time and in frequency."""
        best_snr, best_rank, cuts, halves = np.zeros(len(hits)), np.zeros(len(hits)), [], []
        for axis, other in ((0, 2), (1, 3)):
            cut = np.flatnonzero(hits[:, axis] > 0)
            near = hits[cut]
            near[:, axis] -= 1
            far = near.copy()
            # Rows count up from a box's lowest, bins back from its last.
            far[:, other] += (1 if axis == 0 else -1) << near[:, axis]
            cuts += [cut, cut]
            halves += [near, far]
        half, cut = np.concatenate(halves), np.concatenate(cuts)
        noise = self._box_noise.at(tuple(half[:, :3].T))
        snr = noise.snr(box_sums(energy, half))
        np.maximum.at(best_snr, cut, snr)
        np.maximum.at(best_rank, cut, noise.rank(snr))
        return best_snr, best_rank

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
        """Yield the best sweep that ends in each bin."""
        if not self._tracks:  # the bank is too narrow for any
            return
        past = PAST_SECONDS * BINS
        hits = _all_hits(2, lambda out: track_hits(energy, self._parts, limits, past, out))
        shapes = self._parts, self._first, self._means
        total, excess, squares = sweep_sums(energy, shapes, hits).T
        spread = excess**2 / np.maximum(squares, 1e-30)
        least = np.maximum(LEAST_PARTS, EVEN * np.diff(self._first)[hits[:, 0]])
        noise = self._sweep_noise.at((hits[:, 0],))
        snr = noise.snr(total)
        rank = noise.rank(snr)
        keep = np.flatnonzero(spread >= least)
        for at in keep[best_in_bins(hits[keep, 1], rank[keep])]:
            which, bin_ = (int(value) for value in hits[at])
            own = slice(self._first[which], self._first[which + 1])
            held = self._tracks[which].parts_at(energy, hits[at : at + 1, 1])[:, 0]
            place = self._extent(self._tracks[which], np.maximum(held - self._means[own], 0))
            power = 2 * (float(total[at]) - float(self._means[own].sum()))
            ranks = float(snr[at]), float(rank[at])
            yield Extended(bin_ - past, ranks[0], ranks[1], "sweep", *place, power)

    def _extent(self, sweep: Track, energy: SingleArray) -> tuple[int, int, float, float, float]:
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
