"""Tracks: lines of rising frequency through the map of time and frequency.

Tracks through time-frequency maps: Anderson & Balasubramanian 1999, arXiv:gr-qc/9905023.
"""

from dataclasses import dataclass

import numpy as np

from transforms.arrays import FloatArray, IntArray, SingleArray
from transforms.detect.octave import BINS

SLOPES = tuple(float(80 * np.exp(0.22 * i)) for i in range(19))
"""Slopes of the tracks [Hz/s]: neighbours part by less than a tile on their way."""
BANDS = ((30.0, 150.0), (30.0, 300.0), (60.0, 500.0), (120.0, 700.0))
"""Bands that a track runs through [Hz]."""
LONGEST = 2.0
"""Longest track [s]."""
LEAST_PARTS = 3.0
"""Least number of parts among which a track's energy is spread."""
LONGEST_PART = 16
"""Longest part of a track [bins]."""


@dataclass(frozen=True)
class Track:
    """A line through the map: rectangles of one row, each with its place before the end."""

    parts: tuple[tuple[int, int, int], ...]
    """Row, bins before the end, length [bins]."""

    def parts_at(self, energy: SingleArray, bins: IntArray) -> SingleArray:
        """Return the energy of each part where the track ends in some bins, [part, bin]."""
        return np.array(
            [
                energy[row, bins[:, None] - lag - np.arange(length)].sum(axis=1)
                for row, lag, length in self.parts
            ]
        )


def rising_tracks(frequency: FloatArray, q: FloatArray) -> list[Track]:
    """List all tracks: at each frequency the wavelet that the slope suits.

    A line of slope k stays within a wavelet's band as long as the wavelet lasts where
    f / q is near sqrt(k).
    """
    return [
        Track(_line(frequency, q, slope, band))
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
        # Lengths are powers of two, for the sake of sums that serve many tracks.
        length = min(1 << round(np.log2(max(last - first, 1))), LONGEST_PART)
        parts.append((row, max(0, end - round((first + last + length) / 2)), length))
        f += step
    return tuple(parts)
