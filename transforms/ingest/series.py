"""What every file format gives: stretches of one channel on the GPS sample grid."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from transforms import gps
from transforms.elements import Interval
from transforms.kinds import LetterKind

GRID_TOLERANCE = 1e-3
"""How far a sample may lie from the GPS grid [samples]."""


class DataError(ValueError):
    """An input that cannot be used: one line that names it and says what to do."""

    def __init__(self, reason: str, kind: LetterKind = LetterKind.DAMAGED) -> None:
        """Say what is wrong, for people and for programs."""
        super().__init__(reason)
        self.kind = kind


@dataclass(frozen=True)
class Stretch:
    """Contiguous samples of one channel in one file, at the rate that the file has."""

    channel: str
    first: int
    """Index of the first sample on the GPS grid of ``sample_rate``."""
    length: int
    """How many samples there are."""
    sample_rate: int
    """[Hz] in the file, whether or not a power of two."""
    key: str = ""
    """Where in the file the samples are, if its name does not say."""
    gaps: tuple[Interval, ...] = ()
    flags: tuple[Interval, ...] = ()

    @property
    def start_ns(self) -> int:
        """Give the GPS time of the first sample [ns]."""
        return gps.to_ns(self.first, self.sample_rate)

    @property
    def end_ns(self) -> int:
        """Give the GPS time after the last sample [ns]."""
        return gps.to_ns(self.first + self.length, self.sample_rate)


def rate_of(path: str, spacing: float) -> int:
    """Give the sample rate [Hz] for a spacing [s].

    Raises:
        DataError: There is no spacing, or the rate is not an integer.
    """
    rate = round(1 / spacing) if spacing > 0 else 0
    if rate < 1 or abs(rate * spacing - 1) > 1e-6:
        raise DataError(
            f"{path}: no sample rate: a spacing of {spacing} s is no integer number of samples"
            " per second; write the file again with its sample rate",
            LetterKind.RATE,
        )
    return rate


def index_of(path: str, start: float, rate: int) -> int:
    """Give the index on the GPS grid of a sample at GPS ``start`` [s].

    Raises:
        DataError: The sample lies off the grid.
    """
    exact = Fraction(float(start)) * rate
    index = round(exact)
    # A float near 1e9 s resolves 0.1 us, which no longer is small against a sample.
    tolerance = GRID_TOLERANCE + rate * float(np.spacing(float(start)))
    if abs(exact - index) > tolerance:
        raise DataError(
            f"{path}: its samples do not lie on the GPS grid: {start!r} s is"
            f" {float(exact - index):+.3f} samples off at {rate} Hz; resample it to the grid",
            LetterKind.OFF_GRID,
        )
    return index


def line(error: BaseException) -> str:
    """Give what a library complained about as one short line."""
    text = " ".join(str(error).split())
    return text if len(text) <= 160 else text[:157] + "..."
