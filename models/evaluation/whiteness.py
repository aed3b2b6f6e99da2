"""Whether whitened strain is white beside a trigger: the power of each octave against 1.

Strain that is whitened with a spectrum of other strain is not white where its noise is unlike.
Then what the detector finds, and so a label, tells of the noise and not of the event.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.signal import spectrogram
from scipy.stats import chi2

from transforms.arrays import BoolArray, FloatArray
from transforms.elements import Trigger, Whitened
from transforms.gps import NANOSECONDS, to_index

CELL = 0.25
"""Length of a cell in time [s]; cells overlap by half."""
FALSE = 1e-3
"""Share of white stretches of which chance alone takes an octave beyond its limits."""
ALLOWED = 0.25, 2.0
"""Power of an octave that is white enough, least and most, where chance adds nothing. Strain of
H1, L1 and V1 that is whitened with its own spectrum has 0.28 to 1.53, beside scattered light up
to 2 (docs/classification.md). Too little makes signals quieter, at most by half; too much makes
triggers of noise."""
NEIGHBOURS = 4 / 9, 1 / 36
"""Correlation in power of a frequency of a Hann window with the next and with the next but one:
the squares of what its transform (1/2, -1/4, -1/4) has in common with itself, shifted."""
OVERLAPPING = 1 / 36
"""Correlation in power of cells that overlap by half under a Hann window (Welch 1967,
doi:10.1109/TAU.1967.1161901: the square of the window's overlap with itself)."""


@dataclass(frozen=True, kw_only=True)
class Octave:
    """The power of whitened noise in an octave."""

    low: float
    high: float
    """[Hz]."""
    power: float
    """1 where the noise is white."""
    least: float
    most: float
    """Between which it is white enough."""

    @property
    def white(self) -> bool:
        """Return whether it is white enough; what is no number is not."""
        return self.least <= self.power <= self.most


def fault(whitened: Whitened, trigger: Trigger, low_frequency: float) -> str:
    """Return why a trigger cannot be used, in words; empty where the noise beside it is white.

    Args:
        whitened: The strain in which it lies.
        trigger: What is beside it counts.
        low_frequency: Lower end of the whitened band [Hz].
    """
    found = list(octaves(whitened, trigger, low_frequency))
    if not found:
        return "nothing beside the event tells whether the noise is white: give more strain"
    coloured = [octave for octave in found if not octave.white]
    if not coloured:
        return ""
    worst = max(coloured, key=lambda octave: abs(np.log(max(octave.power, 1e-300))))
    return (
        f"not white: at {worst.low:.0f}-{worst.high:.0f} Hz the noise has {worst.power:.3g} times"
        f" the power that it should have ({worst.least:.2g} to {worst.most:.2g} would do)"
    )


def octaves(whitened: Whitened, trigger: Trigger, low_frequency: float) -> Iterator[Octave]:
    """Yield the octaves, from the lowest on, of which something lies beside the trigger.

    The power is the median over cells in time, of each cell's mean over frequency: a glitch in
    a few of them does not count. It is a part of what it is in white noise. There the mean is
    distributed as chi squared over its equivalent degrees of freedom, 2 / variance (Percival &
    Walden 1993, Spectral Analysis for Physical Applications, section 6.10). The median of n
    values of a density f has the variance 1 / (4 n f^2), pi / 2 of a mean's (Kendall & Stuart,
    The Advanced Theory of Statistics, volume 1, section 10.10). What chance may add and what
    is allowed without it are independent, so their logarithms add up as squares.

    Args:
        whitened: Strain of unit variance where it is white, and valid.
        trigger: Cells that it touches do not count in the octaves that it touches.
        low_frequency: Lower end of the whitened band [Hz].
    """
    cells = _cells(whitened, trigger)
    if cells is None:
        return
    nyquist = whitened.sample_rate / 2
    edges = low_frequency * 2.0 ** np.arange(max(np.ceil(np.log2(nyquist / low_frequency)), 0))
    for low in map(float, edges):
        high = min(2 * low, nyquist)
        # A window sees its neighbours too: the lowest would see what lies below the band.
        inside = (cells.frequency >= low + 1 / CELL) & (cells.frequency < high)
        touched = trigger.low_frequency < high and trigger.high_frequency > low
        own = cells.power[inside][:, cells.beside if touched else slice(None)]
        if own.size:
            yield _judged((low, high), own, FALSE / len(edges))


@dataclass(frozen=True, kw_only=True)
class _Cells:
    frequency: FloatArray
    """[frequency], [Hz]."""
    power: FloatArray
    """[frequency, cell], 1 on average in white noise."""
    beside: BoolArray
    """[cell], whether a cell lies before or after the trigger."""


def _cells(whitened: Whitened, trigger: Trigger) -> _Cells | None:
    """Return the power of the valid strain; None where it is shorter than a cell."""
    rate = whitened.sample_rate
    first, last = (
        to_index(time_ns - whitened.gps_start_ns, rate)
        for time_ns in (whitened.valid_start_ns, whitened.valid_end_ns)
    )
    size = round(CELL * rate)
    if last - first < size:
        return None
    frequency, middle, density = spectrogram(
        whitened.samples[first:last].astype(np.float64),
        fs=rate,
        window="hann",
        nperseg=size,
        noverlap=size // 2,
        detrend=False,
    )
    start, end = (
        (time_ns - whitened.valid_start_ns) / NANOSECONDS
        for time_ns in (trigger.start_ns, trigger.end_ns)
    )
    beside = (middle + CELL / 2 <= start) | (middle - CELL / 2 >= end)
    return _Cells(frequency=frequency, power=density * rate / 2, beside=beside)


def _judged(edges: tuple[float, float], power: FloatArray, false: float) -> Octave:
    """Return the octave of some power, [frequency, cell]; ``false``: see ``FALSE``."""
    freedom, together = freedoms(*power.shape)
    usual = float(chi2.median(freedom)) / freedom
    level = float(np.median(power.mean(axis=0))) / usual
    chance = chi2.ppf((false / 2, 1 - false / 2), together) / together
    with np.errstate(divide="ignore"):  # of few degrees of freedom, hardly anything may be left
        least, most = np.exp((-1, 1) * np.hypot(np.log(chance), np.log(ALLOWED)))
    return Octave(low=edges[0], high=edges[1], power=level, least=float(least), most=float(most))


def freedoms(frequencies: int, cells: int) -> tuple[float, float]:
    """Return the equivalent degrees of freedom of a cell's mean, and of the cells' median.

    Args:
        frequencies: How many neighbouring ones a cell has.
        cells: How many there are.
    """
    pairs = np.maximum(frequencies - np.array([1, 2]), 0)
    freedom = 2 * frequencies**2 / (frequencies + 2 * float(pairs @ NEIGHBOURS))
    return freedom, freedom * max(1.0, 2 / np.pi * cells / (1 + 2 * OVERLAPPING))
