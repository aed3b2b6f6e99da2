"""Tracks: lines and chirps of rising frequency through the map of time and frequency.

A binary's frequency rises as the time left to the power of -3/8, to leading order
(`transforms.binaries`). A heavy one is short and nearly a line; a light one is not.

Tracks through time-frequency maps: Anderson & Balasubramanian 1999, arXiv:gr-qc/9905023.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from transforms.arrays import FloatArray, IntArray, SingleArray
from transforms.binaries import frequency_at, time_left
from transforms.detect.octave import BINS

SLOPES = tuple(float(80 * np.exp(0.22 * i)) for i in range(19))
"""Slopes of the tracks [Hz/s]: neighbours part by less than a tile on their way."""
BANDS = ((30.0, 150.0), (30.0, 300.0), (60.0, 500.0), (120.0, 700.0))
"""Bands that a track runs through [Hz]."""
MASSES = tuple(float(6 * np.exp(0.06 * i)) for i in range(15))
"""Chirp masses of the chirps, in the detector's frame [solar masses]."""
CHIRP_BAND = 30.0, 250.0
"""Band that a chirp runs through [Hz]; a light one starts higher, where it is ``LONGEST``."""
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


@dataclass(frozen=True)
class _Course:
    """How a signal's frequency rises."""

    band: tuple[float, float]
    """First and last frequency [Hz]."""
    time: Callable[[float], float]
    """When it has a frequency, from the band's first [s]."""
    slope: Callable[[float], float]
    """How fast it rises there [Hz/s]."""


def rising_tracks(frequency: FloatArray, q: FloatArray) -> list[Track]:
    """List all tracks: at each frequency the wavelet that the slope suits.

    A line of slope k stays within a wavelet's band as long as the wavelet lasts where
    f / q is near sqrt(k).
    """
    lines = [
        _line(slope, band)
        for slope in SLOPES
        for band in BANDS
        if (band[1] - band[0]) / slope <= LONGEST
    ]
    tracks = [
        Track(_parts(frequency, q, course))
        for course in (*lines, *(_chirp(mass) for mass in MASSES))
        if course.band[1] <= frequency.max()
    ]
    return [track for track in tracks if len(track.parts) > LEAST_PARTS]


def _line(slope: float, band: tuple[float, float]) -> _Course:
    return _Course(band, lambda f: (f - band[0]) / slope, lambda _: slope)


def _chirp(mass: float) -> _Course:
    """Return the course of a binary of a chirp mass [solar masses]."""

    def left(f: float) -> float:
        # A part as wide as a coarse bank's steps may begin far below the band.
        return time_left(mass, max(f, CHIRP_BAND[0] / 2))

    low, high = CHIRP_BAND
    low = max(low, frequency_at(mass, left(high) + LONGEST))
    return _Course((low, high), lambda f: left(low) - left(f), lambda f: 3 * f / (8 * left(f)))


def _parts(
    frequency: FloatArray, q: FloatArray, course: _Course
) -> tuple[tuple[int, int, int], ...]:
    planes = np.unique(q)
    end = round(course.time(course.band[1]) * BINS)
    parts, f = [], course.band[0]
    while f < course.band[1]:
        root = np.sqrt(course.slope(f))
        best = planes[np.abs(np.log(planes * root / (1.8 * f))).argmin()]
        rows = np.flatnonzero(q == best)
        row = int(rows[np.abs(frequency[rows] - f).argmin()])
        step = max(0.8 * root, 0.9 * frequency[row] / best)
        first, last = (course.time(f + side * step / 2) * BINS for side in (-1, 1))
        # Lengths are powers of two, for the sake of sums that serve many tracks.
        length = min(1 << round(np.log2(max(last - first, 1))), LONGEST_PART)
        parts.append((row, max(0, end - round((first + last + length) / 2)), length))
        f += step
    return tuple(parts)
