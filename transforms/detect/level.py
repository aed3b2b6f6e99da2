"""The level of noise around a shape: what stands out is held against it.

Whitening takes the noise of minutes out of strain. Noise that is louder for seconds, or whose
level wanders, is left, and the longer or wider a shape is, the rarer it makes it look. So energies
are held against those of the same rows in the seconds before. The level counts only as far as
it is higher than white noise would have it, so in stationary noise it changes little.

The constants are chosen by what they do to triggers of real strain and to the efficiency of
injections: docs/detection.md has the figures.
"""

import numpy as np

from transforms.arrays import FloatArray, IntArray, SingleArray
from transforms.detect.kernels import energies_before
from transforms.detect.octave import BINS

GUARD = BINS // 2
"""Bins before the one looked at that do not count: the longest rectangle is as long."""
BLOCK = BINS // 4
"""Bins whose mean is one value."""
BLOCKS = 10
"""Values that make a level: with the guard they are all the past that a search has."""
LEAST_BLOCKS = 4
"""With fewer that are known, as after a gap, the level is 1."""
CLIPPED = 3.0
"""A value counts as no more than so many times the median: one transient is no level."""
USUAL = 1.0
"""Standard deviations by which white noise may lie above its mean, and be no louder."""
HIGHEST = 4.0
"""Highest level. Beyond it lies a transient, not noise: what has twice the threshold stays."""
AROUND = 2
"""Rows on either side of a tile's own that make its level with it."""
WIDEST = 8
"""Most rows of a level."""


class Levels:
    """The levels of one bank's energies."""

    def __init__(self, q: FloatArray, noise: SingleArray) -> None:
        """Learn how high levels are in white noise.

        Args:
            q: Of the bank's rows, in planes of one q.
            noise: [row, bin], energies of white noise.
        """
        self._first = np.searchsorted(q, q)
        self._end = np.searchsorted(q, q, side="right")
        rows, end = np.arange(len(q)), np.full(len(q), noise.shape[1])
        size = BLOCK, noise.shape[1] // BLOCK
        blocks = energies_before(noise, rows, np.ones_like(rows), end, size).astype(float)
        total, usual = np.zeros_like(blocks), []
        for width in range(WIDEST):
            total[: max(len(q) - width, 0)] += blocks[width:]
            windows = np.lib.stride_tricks.sliding_window_view(total / (width + 1), BLOCKS, axis=1)
            level = _level(windows)
            usual.append(level.mean(axis=1) + USUAL * level.std(axis=1))
        self._usual = np.array(usual)

    def of_rectangles(self, energy: SingleArray, rectangles: IntArray, known: int) -> FloatArray:
        """Return the levels that rectangles are held against, at least 1, [rectangle].

        Args:
            energy: [row, bin].
            rectangles: [rectangle, 4], as ``kernels.rectangle_sums`` has them.
            known: The first bin of which anything is known.
        """
        width = 1 << rectangles[:, 0]
        return _held(self._of(energy, rectangles[:, 2], width, rectangles[:, 3], known))

    def of_tiles(
        self, energy: SingleArray, rows: IntArray, bins: IntArray, known: int
    ) -> FloatArray:
        """Return the levels that tiles are held against, at least 1, [tile].

        Args:
            energy: [row, bin].
            rows: Of the tiles, [tile].
            bins: In which they lie, after the past of a search, [tile].
            known: The first bin of which anything is known.
        """
        return _held(self._around(energy, rows, bins, known))

    def of_track(
        self, energy: SingleArray, rows: IntArray, weights: SingleArray, end: int, known: int
    ) -> float:
        """Return the level that a track is held against, at least 1: the mean over its parts.

        Args:
            energy: [row, bin].
            rows: [part], of its parts.
            weights: [part], of their levels in that of the whole.
            end: The bin in which it ends.
            known: The first bin of which anything is known.
        """
        bins = np.full(len(rows), end)
        return float(_held(np.average(self._around(energy, rows, bins, known), weights=weights)))

    def _around(
        self, energy: SingleArray, rows: IntArray, bins: IntArray, known: int
    ) -> FloatArray:
        low = np.maximum(rows - AROUND, self._first[rows])
        high = np.minimum(rows + AROUND + 1, self._end[rows])
        return self._of(energy, low, high - low, bins, known)

    def _of(
        self, energy: SingleArray, low: IntArray, width: IntArray, bins: IntArray, known: int
    ) -> FloatArray:
        """Return levels, less than 1 too, of some rows before the guard of some bins."""
        end = bins + 1 - GUARD
        low, width, end = (np.ascontiguousarray(column) for column in (low, width, end))
        blocks = energies_before(energy, low, width, end, (BLOCK, BLOCKS))
        count = np.clip((end - known) // BLOCK, 0, BLOCKS)
        level = np.ones(len(bins))
        for n in np.unique(count[count >= LEAST_BLOCKS]):
            own = np.flatnonzero(count == n)
            usual = self._usual[width[own] - 1, low[own]]
            level[own] = _level(blocks[own, :n].astype(float)) / usual
        return level


def _held(level: FloatArray | float) -> FloatArray:
    return np.asarray(np.clip(level, 1, HIGHEST))


def _level(blocks: FloatArray) -> FloatArray:
    """Return the mean of values along the last axis, clipped above."""
    most = CLIPPED * np.median(blocks, axis=-1, keepdims=True)
    return np.asarray(np.minimum(blocks, most).mean(axis=-1))
