"""Signals longer or wider than any wavelet: sums of energy over rectangles and tracks.

A tile sees the part of a signal that fits its wavelet. A pulse of unknown shape, a burst of
noise or an arch of scattered light fills a rectangle of neighbouring tiles; a binary runs along a
line of rising frequency. The energy summed over such a shape follows in noise, to good
accuracy, a gamma distribution; its probability is told as the SNR of the single tile that would
be as rare. So one threshold and one ranking serve all shapes. A shape counts only where
no part of it explains it alone: a short loud signal stays a short signal.

Excess power: Anderson et al. 2001, arXiv:gr-qc/0008066.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from transforms.arrays import FloatArray, IntArray, SingleArray
from transforms.detect.bank import PAST_SECONDS
from transforms.detect.kernels import rectangle_hits, rectangle_sums, track_hits, track_sums
from transforms.detect.level import Levels
from transforms.detect.octave import BINS
from transforms.detect.ranking import (
    FAR_OUT,
    Noise,
    overlap_gain,
    rectangle_trials_penalty,
    track_trials_penalty,
    wander_of,
)
from transforms.detect.tracks import LEAST_PARTS, Track, rising_tracks
from transforms.elements import RECTANGLE, TRACK

Sums = dict[tuple[int, int], SingleArray]
"""(rows, bins) -> [row, bin]: energy of so many rows from here up, and bins up to here."""

WIDTHS = (1, 2, 4, 8)
"""Heights of a rectangle: wavelets of one q, neighbours in frequency."""
LENGTHS = (1, 2, 4, 8, 16)
"""Lengths of a rectangle [bins]."""
RECTANGLE_PLANES = 2
"""Rectangles are sought in so many planes of lowest q."""
ENDS = 0.05
"""Part of a track's energy that is left out at either of its ends."""
ROOM = 1 << 10
"""Hits for which there is room at first."""
EVEN = 0.3
"""Least fraction of its parts: two signals on one line are not a track."""


@dataclass(frozen=True, kw_only=True)
class Extended:
    """The rarest shape that ends in a bin."""

    bin: int
    """Bin in which the shape ends."""
    snr: float
    """SNR of a tile that would be as rare."""
    rank: float
    """Ranking statistic against the level of noise around, see `transforms.detect.ranking`."""
    kind: str
    """``RECTANGLE`` or ``TRACK``."""
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


def running_sums(energy: SingleArray, rows: int) -> Sums:
    """Sum neighbouring rows and past bins by doubling.

    Args:
        energy: [row, bin].
        rows: How many, from the first, are summed with their neighbours.
    """
    sums: Sums = {(1, 1): energy}
    for width in WIDTHS[1:]:
        half = sums[width // 2, 1][:rows]
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
    """All rectangles and tracks of one bank, with the distribution of each in noise."""

    def __init__(self, frequency: FloatArray, q: FloatArray, noise: SingleArray) -> None:
        """Lay out the shapes and learn their distributions.

        Args:
            frequency: Of the bank's rows [Hz], in planes of rising q.
            q: Of the bank's rows.
            noise: [row, bin], energies of white noise.
        """
        self._frequency, self._q = frequency, q
        self.levels = Levels(q, noise)
        self._rows = int(np.sum(q <= np.unique(q)[:RECTANGLE_PLANES].max()))
        self._tracks = rising_tracks(frequency, q)
        past = PAST_SECONDS * BINS
        self._rectangle_noise = self._learn_rectangles(noise, past)
        self._limits: dict[float, tuple[SingleArray, SingleArray]] = {}
        bins = np.arange(past, noise.shape[1])
        parts = [track.parts_at(noise, bins) for track in self._tracks]
        self._track_noise = Noise.stack(
            [Noise.learn(part.sum(axis=0), track_trials_penalty()) for part in parts]
        )
        self._parts = np.array(
            [
                (i, row, lag, round(np.log2(length)))
                for i, track in enumerate(self._tracks)
                for row, lag, length in track.parts
            ],
            np.int64,
        ).reshape(-1, 4)
        self._first = np.cumsum([0, *map(len, parts)])
        self._means = np.array([row.mean(dtype=float) for part in parts for row in part], "f4")

    def _learn_rectangles(self, noise: SingleArray, past: int) -> Noise:
        """Learn the sums over rectangles in noise, [width, length, row]."""
        sums, own = running_sums(noise, self._rows), noise[: self._rows, past:]
        return Noise.stack(
            [
                Noise.stack(
                    [
                        Noise.learn(
                            sums[width, length][: self._rows, past:],
                            rectangle_trials_penalty(width, length),
                            overlap_gain(own, (width, length)),
                            self._wander(width),
                        )
                        for length in LENGTHS
                    ]
                )
                for width in WIDTHS
            ]
        )

    def _wander(self, width: int) -> FloatArray:
        """Return by how much noise wanders in rectangles of so many rows from each row up."""
        highest = np.minimum(np.arange(self._rows) + width, self._rows) - 1
        return wander_of(self._frequency[highest])

    def scan(self, energy: SingleArray, threshold: float, known: int) -> list[Extended]:
        """Find the bins in which a rare shape ends.

        Args:
            energy: [row, bin]; the first ``PAST_SECONDS`` are past only.
            threshold: Least rank in white noise; against the level around, it may be less.
            known: The first bin of which anything is known.

        Returns:
            One for each bin over the threshold, in order of time; bins count from the end
            of the past.
        """
        if threshold not in self._limits:
            self._limits[threshold] = self._limits_of(threshold)
        of_rectangles, of_tracks = self._limits[threshold]
        best: dict[int, Extended] = {}
        for shape in (
            *self._scan_rectangles(energy, of_rectangles, threshold, known),
            *self._scan_tracks(energy, of_tracks, known),
        ):
            if shape.bin not in best or shape.rank > best[shape.bin].rank:
                best[shape.bin] = shape
        return [best[bin_] for bin_ in sorted(best)]

    def _limits_of(self, threshold: float) -> tuple[SingleArray, SingleArray]:
        """Return the sums at a threshold: of rectangles by width, length and row, and of tracks."""
        limits = self._rectangle_noise.limit(threshold).astype(np.float32)
        limits[0, 0] = np.inf  # a rectangle of one row and one bin is no more than tiles are
        for i, width in enumerate(WIDTHS):
            row = np.arange(self._rows)
            last = np.minimum(row + width - 1, self._rows - 1)
            limits[i, :, (row + width > self._rows) | (self._q[row] != self._q[last])] = np.inf
        return limits, self._track_noise.limit(threshold).astype(np.float32)

    def _scan_rectangles(
        self, energy: SingleArray, limits: SingleArray, threshold: float, known: int
    ) -> Iterator[Extended]:
        """Yield the best rectangle that ends in each bin."""
        past = PAST_SECONDS * BINS
        hits = _all_hits(4, lambda out: rectangle_hits(energy, limits, past, out))
        total = rectangle_sums(energy, hits)
        noise = self._rectangle_noise.at(tuple(hits[:, :3].T))
        snr = noise.snr(total)
        rank = noise.rank(snr)
        half_snr, half_rank = self._halves(energy, hits)
        # A rectangle that merely touches a loud signal is as rare as FAR_OUT says, as its half is.
        touching = (snr <= FAR_OUT) & (half_snr >= FAR_OUT)
        better = (rank > half_rank) & ~touching
        keep = np.flatnonzero((rank >= threshold) & better)
        if not len(keep):
            return
        level = self.levels.of_rectangles(energy, hits[keep], known)
        rank[keep] = self._rectangle_noise.at(tuple(hits[keep, :3].T)).rank_over(total[keep], level)
        for at in keep[best_in_bins(hits[keep, 3], rank[keep])]:
            i, j, row, bin_ = (int(value) for value in hits[at])
            yield self._rectangle(
                row=row,
                bin_=bin_ - past,
                width=WIDTHS[i],
                length=LENGTHS[j],
                snr=float(snr[at]),
                rank=float(rank[at]),
                energy=float(total[at]),
            )

    def _halves(self, energy: SingleArray, hits: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the largest SNR and rank of the halves of rectangles, in time and in frequency."""
        best_snr, best_rank, cuts, halves = np.zeros(len(hits)), np.zeros(len(hits)), [], []
        for axis, other in ((0, 2), (1, 3)):
            cut = np.flatnonzero(hits[:, axis] > 0)
            near = hits[cut]
            near[:, axis] -= 1
            far = near.copy()
            # Rows count up from a rectangle's lowest, bins back from its last.
            far[:, other] += (1 if axis == 0 else -1) << near[:, axis]
            cuts += [cut, cut]
            halves += [near, far]
        half, cut = np.concatenate(halves), np.concatenate(cuts)
        noise = self._rectangle_noise.at(tuple(half[:, :3].T))
        snr = noise.snr(rectangle_sums(energy, half))
        np.maximum.at(best_snr, cut, snr)
        np.maximum.at(best_rank, cut, noise.rank(snr))
        return best_snr, best_rank

    def _rectangle(
        self,
        *,
        row: int,
        bin_: int,
        width: int,
        length: int,
        snr: float,
        rank: float,
        energy: float,
    ) -> Extended:
        low, high = self._frequency[row], self._frequency[row + width - 1]
        edge = 1 / (np.sqrt(2) * self._q[row])
        return Extended(
            bin=bin_,
            snr=snr,
            rank=rank,
            kind=RECTANGLE,
            first=length - 1,
            last=0,
            middle=(length - 1) / 2,
            low_frequency=float(low * (1 - edge)),
            high_frequency=float(high * (1 + edge)),
            energy=2 * (energy - width * length),
        )

    def _scan_tracks(
        self, energy: SingleArray, limits: SingleArray, known: int
    ) -> Iterator[Extended]:
        """Yield the best track that ends in each bin."""
        if not self._tracks:  # the bank is too narrow for any
            return
        past = PAST_SECONDS * BINS
        hits = _all_hits(2, lambda out: track_hits(energy, self._parts, limits, past, out))
        sums = track_sums(energy, self._parts, self._first, self._means, hits)
        total, excess, squares = sums.T
        spread = excess**2 / np.maximum(squares, 1e-30)
        least = np.maximum(LEAST_PARTS, EVEN * np.diff(self._first)[hits[:, 0]])
        keep = np.flatnonzero(spread >= least)
        if not len(keep):
            return
        hits, total = hits[keep], total[keep]
        noise = self._track_noise.at((hits[:, 0],))
        snr = noise.snr(total)
        rank = noise.rank_over(total, self._level_of_tracks(energy, hits, known))
        for at in best_in_bins(hits[:, 1], rank):
            i, bin_ = (int(value) for value in hits[at])
            means = self._means[self._first[i] : self._first[i + 1]]
            held = self._tracks[i].parts_at(energy, hits[at : at + 1, 1])[:, 0]
            yield self._track(
                self._tracks[i],
                np.maximum(held - means, 0),
                bin_=bin_ - past,
                snr=float(snr[at]),
                rank=float(rank[at]),
                energy=2 * (float(total[at]) - float(means.sum())),
            )

    def _level_of_tracks(self, energy: SingleArray, hits: IntArray, known: int) -> FloatArray:
        """Return the level that each track is held against, [hit]."""
        levels = np.ones(len(hits))
        for at, (track, bin_) in enumerate(hits):
            own = slice(self._first[track], self._first[track + 1])
            rows, means = self._parts[own, 1], self._means[own]
            levels[at] = self.levels.of_track(energy, rows, means, int(bin_), known)
        return levels

    def _track(
        self,
        track: Track,
        excess: SingleArray,
        *,
        bin_: int,
        snr: float,
        rank: float,
        energy: float,
    ) -> Extended:
        """Bound a track by the parts between which all but a tenth of its excess lies, [part]."""
        grown = np.cumsum(excess) / excess.sum()
        low = int(np.searchsorted(grown, ENDS))
        high = min(int(np.searchsorted(grown, 1 - ENDS)), len(grown) - 1)
        row, lag, length = np.array(track.parts[low : high + 1]).T
        middle = np.average(lag + (length - 1) / 2, weights=excess[low : high + 1] + 1e-30)
        half = self._frequency[row] / (np.sqrt(2) * self._q[row])
        return Extended(
            bin=bin_,
            snr=snr,
            rank=rank,
            kind=TRACK,
            first=int(np.max(lag + length - 1)),
            last=int(np.min(lag)),
            middle=float(middle),
            low_frequency=float(np.min(self._frequency[row] - half)),
            high_frequency=float(np.max(self._frequency[row] + half)),
            energy=energy,
        )
