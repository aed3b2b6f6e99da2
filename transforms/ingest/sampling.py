"""How samples lie in time: the rate and the place on the GPS grid that data say they have."""

from fractions import Fraction
from math import isfinite

import numpy as np

from transforms.ingest.errors import DataError
from transforms.kinds import LetterKind

GRID_TOLERANCE = 1e-3
"""How far a sample may lie from the GPS grid [samples]."""
FASTEST = 1 << 20
"""Highest sample rate [Hz]."""
LATEST = 9_200_000_000
"""Last GPS time [s], in the year 2271: 64 bits hold no more nanoseconds."""


def rate_of(where: str, spacing: float) -> int:
    """Return the sample rate [Hz] for a spacing [s].

    Args:
        where: The file, and what in it, for people.
        spacing: Of the samples [s].

    Raises:
        DataError: There is no spacing, or the rate is not an integer of 1 to 2^20 Hz.
    """
    possible = isfinite(spacing) and spacing >= 0.5 / FASTEST
    rate = round(1 / spacing) if possible else 0
    if not 1 <= rate <= FASTEST or abs(rate * spacing - 1) > 1e-6:
        raise DataError(
            f"{where}: no sample rate: a spacing of {spacing} s is no integer number of samples"
            f" per second from 1 to {FASTEST}; write the file again with its sample rate",
            LetterKind.RATE,
        )
    return rate


def index_of(where: str, start: float, rate: int) -> int:
    """Return the index on the GPS grid of a sample at GPS ``start`` [s].

    Args:
        where: The file, and what in it, for people.
        start: Of the sample [s].
        rate: Of samples [Hz].

    Raises:
        DataError: The time cannot be, or the sample lies off the grid.
    """
    start = float(start)
    if not 0 <= start <= LATEST:
        raise DataError(
            f"{where}: the start, {start!r} s, is no GPS time of 0 to {LATEST} s;"
            " write the file again with its start in seconds",
            LetterKind.METADATA,
        )
    if start.is_integer():
        return int(start) * rate
    exact = Fraction(start) * rate
    index = round(exact)
    # A float near 1e9 s resolves 0.1 us, which no longer is small against a sample.
    tolerance = GRID_TOLERANCE + rate * float(np.spacing(start))
    if abs(exact - index) > tolerance:
        raise DataError(
            f"{where}: the samples do not lie on the GPS grid: {start!r} s is"
            f" {float(exact - index):+.3f} samples off at {rate} Hz; resample it to the grid",
            LetterKind.OFF_GRID,
        )
    return index
