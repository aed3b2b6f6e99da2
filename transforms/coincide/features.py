"""What a pair of triggers of two detectors looks like."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.arrays import BoolArray, FloatArray

Index = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Which triggers of two detectors are a pair, in which slide."""

    first: Index
    """Row of the first detector's trigger, [pair]."""
    second: Index
    """Row of the second detector's, [pair]."""
    shift_ns: Index
    """What the slide adds to the second detector's times [ns], [pair]; 0: as they are."""


@dataclass(frozen=True, kw_only=True)
class Features:
    """What tells signals from accidents, of pairs; all are [pair]."""

    rank_first: FloatArray
    rank_second: FloatArray
    frequency: FloatArray
    """ln of the ratio of the frequencies, first over second; so are the next four."""
    bandwidth: FloatArray
    duration: FloatArray
    q: FloatArray
    amplitude: FloatArray
    mean_q: FloatArray
    """Geometric mean of both q."""
    time: FloatArray
    """How far the peaks are apart beyond what light needs [s]; 0 where it needs more."""
    shorter: FloatArray
    """Shorter of both durations [s]."""
    overlap: FloatArray
    """Part of the narrower band, in ln of frequency, that lies in the other, 0 to 1."""
    correlation: FloatArray
    """Largest correlation of the waveforms at any delay that light allows, with its sign."""
    delay_ns: Index
    """Where it is: how much later the wave is in the second detector [ns]."""
    place_first: Index
    """Where the first trigger is in frequency and duration, see ``place``."""
    place_second: Index
    probabilities_first: FloatArray
    """Of each class, [pair, class]."""
    probabilities_second: FloatArray

    def taken(self, which: Index | BoolArray) -> "Features":
        """Return what some of the pairs look like, by number or by mask."""
        return Features(**{name: column[which] for name, column in vars(self).items()})
