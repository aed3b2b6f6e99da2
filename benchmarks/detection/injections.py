"""Signals of known loudness put into noise, and the truth about them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.detection import signals
from benchmarks.detection.signals import Deck, Signal
from models.simulation import noise
from models.simulation.noise import NoiseCurve
from transforms.arrays import RealArray

BAND_LOW = 20.0
"""SNR is counted from here to Nyquist [Hz]: the lower end of every tool's search."""
GAP = (4.0, 5.0)
"""Time between one signal's end and the next one's start [s], uniform."""
EDGE = 8.0
"""Kept free of signals at either end of a stretch [s]."""
SNR = (4.5, 12.0)
"""Range of the optimal SNR, uniform in its logarithm."""
LOUD_SNR = (12.0, 50.0)
LOUD_PART = 0.1
"""Part of the signals whose SNR is drawn from ``LOUD_SNR`` instead."""
ENERGY = (0.02, 0.98)
"""A signal's interval holds its whitened energy between these parts."""


@dataclass(frozen=True, kw_only=True)
class Injection:
    """The truth about one signal; times are GPS [s]."""

    label: str
    snr: float
    """Optimal SNR, rho^2 = 4 int |h|^2 / S df, in the true noise curve."""
    time: float
    """Reference time."""
    start: float
    """2 % of the whitened energy lie before."""
    end: float
    """2 % of the whitened energy lie after."""
    frequency: float
    """Central frequency [Hz] where the class has one, else NaN."""


@dataclass(frozen=True)
class Placed:
    """A signal in units of strain, and where it goes."""

    strain: RealArray
    """[time]."""
    first: int
    """Index of its first sample in the stretch."""
    injection: Injection


def draw_snr(rng: np.random.Generator) -> float:
    """Draw an optimal SNR."""
    low, high = LOUD_SNR if rng.random() < LOUD_PART else SNR
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


@dataclass(frozen=True)
class Grid:
    """The stretch that signals are put into."""

    gps_start: int
    """GPS second of index 0."""
    sample_rate: int
    """[Hz]."""
    curve: NoiseCurve
    """The true noise."""


def place(signal: Signal, snr: float, first: int, grid: Grid) -> Placed:
    """Scale a signal to an SNR and write down the truth.

    Args:
        signal: Shape.
        snr: Optimal SNR wanted in the grid's noise.
        first: Index at which the shape begins.
        grid: Where it goes.
    """
    rate, curve = grid.sample_rate, grid.curve
    gain = snr / noise.optimal_snr(signal.samples, rate, curve, BAND_LOW)
    strain = signal.samples * gain
    energy = np.cumsum(noise.whitened(strain, rate, curve, BAND_LOW) ** 2)
    start, end = np.searchsorted(energy, np.array(ENERGY) * energy[-1])
    times = [grid.gps_start + (first + i) / rate for i in (signal.reference, start, end)]
    truth = Injection(
        label=signal.label,
        snr=snr,
        time=times[0],
        start=times[1],
        end=times[2],
        frequency=signal.frequency,
    )
    return Placed(strain, first, truth)


def schedule(
    deck: Deck,
    seconds: float,
    grid: Grid,
    rng: np.random.Generator,
    gap: tuple[float, float] = GAP,
) -> Iterator[Placed]:
    """Draw signals one after another until a stretch is full.

    Args:
        deck: Which classes.
        seconds: Length of the stretch [s].
        grid: The stretch.
        rng: Source of randomness.
        gap: Range of the time between one signal's end and the next one's start [s].
    """
    at, rate = EDGE, grid.sample_rate
    while True:
        signal = signals.draw(deck.deal(), rate, rng)
        length = len(signal.samples) / rate - 2 * signals.MARGIN
        if at + length > seconds - EDGE:
            return
        yield place(signal, draw_snr(rng), round((at - signals.MARGIN) * rate), grid)
        at += length + rng.uniform(*gap)


def inject(strain: RealArray, placed: Iterator[Placed]) -> tuple[Injection, ...]:
    """Add signals to a stretch of strain, in place; return the truth."""
    truth = []
    for one in placed:
        strain[one.first : one.first + len(one.strain)] += one.strain
        truth.append(one.injection)
    return tuple(truth)
