"""Transients to train on: unit-free time series h(t) with the ranges they are drawn from.

Families and ranges follow the predecessor's mock-data generator (``wdf.mock``,
defaults.toml of the Wavelet Detection Filter); where it has none (ring-down, whistle)
the range chosen here is stated at the family. ``cbc`` is in :mod:`models.cbc`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models import cbc

FloatArray = npt.NDArray[np.float64]
NOISE = "noise"
"""Label of what is no transient at all: the detector's false triggers."""


@dataclass(frozen=True)
class Range:
    """Where a parameter is drawn from."""

    low: float
    high: float
    kind: str = "uniform"
    """``uniform``, ``log`` (uniform in the logarithm) or ``integer`` (both ends included)."""

    def draw(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        if self.kind == "integer":
            return float(rng.integers(int(self.low), int(self.high) + 1))
        if self.kind == "log":
            return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))
        return float(rng.uniform(self.low, self.high))


_PHASE = Range(0.0, 2 * np.pi)


@dataclass(frozen=True)
class Family:
    """One class of transients: shape, extent and parameter ranges."""

    shape: Callable[..., FloatArray]
    """``shape(time, **parameters)`` gives h at times [s] from the reference."""
    extent: Callable[..., tuple[float, float]]
    """``extent(**parameters)`` gives the seconds that h lasts before and after the reference."""
    ranges: Mapping[str, Range]
    source: str
    """Where the ranges come from."""


@dataclass(frozen=True)
class Waveform:
    """One transient on a sample grid."""

    label: str
    parameters: tuple[tuple[str, float], ...]
    samples: FloatArray
    """h, unit-free, [time]."""
    reference: int
    """Index of the sample at the reference time."""


def gaussian(time: FloatArray, sigma: float) -> FloatArray:
    """Give exp(-t^2 / 2 sigma^2), sigma in [s]."""
    return np.exp(-0.5 * (time / sigma) ** 2)


def sine_gaussian(time: FloatArray, frequency: float, q: float, phase: float) -> FloatArray:
    """Give a sinusoid [Hz] under a Gaussian of sigma = q / (2 pi frequency)."""
    tau = q / (2 * np.pi * frequency)
    return np.exp(-0.5 * (time / tau) ** 2) * np.cos(2 * np.pi * frequency * time + phase)


def ring_down(time: FloatArray, frequency: float, q: float) -> FloatArray:
    """Give a damped sinusoid exp(-pi f t / q) sin(2 pi f t) that starts at zero time."""
    late = np.maximum(time, 0.0)
    envelope = np.exp(-np.pi * frequency * late / q)
    return np.where(time >= 0, envelope * np.sin(2 * np.pi * frequency * late), 0.0)


def blip(time: FloatArray, frequency: float, q: float, phase: float) -> FloatArray:
    """Give an oscillation that rises with tau = q / (2 pi frequency) and decays in 3 tau."""
    tau = q / (2 * np.pi * frequency)
    envelope = np.exp(np.where(time < 0, time / tau, -time / (3 * tau)))
    return envelope * np.cos(2 * np.pi * frequency * time + phase)


def chirp(
    time: FloatArray, start_frequency: float, end_frequency: float, duration: float, phase: float
) -> FloatArray:
    """Give a linear sweep [Hz] under a Gaussian of sigma = duration / 4."""
    rate = (end_frequency - start_frequency) / duration
    middle = (start_frequency + end_frequency) / 2
    angle = 2 * np.pi * (middle * time + 0.5 * rate * time**2) + phase
    return np.exp(-0.5 * (4 * time / duration) ** 2) * np.cos(angle)


def scattered_light(
    time: FloatArray, peak_frequency: float, period: float, arches: float, phase: float
) -> FloatArray:
    """Give arches of frequency peak |sin(pi t / period)| under one sin^2 envelope.

    The arches are those of light scattered off a swinging surface, Accadia et al. 2010,
    doi:10.1088/0264-9381/27/19/194011.
    """
    length = arches * period
    since = time + length / 2
    whole, part = np.divmod(since, period)
    cycles = peak_frequency * period / np.pi * (2 * whole + 1 - np.cos(np.pi * part / period))
    envelope = np.where(np.abs(time) <= length / 2, np.sin(np.pi * since / length) ** 2, 0.0)
    return envelope * np.cos(2 * np.pi * cycles + phase)


def whistle(
    time: FloatArray, low_frequency: float, sweep: float, duration: float, phase: float
) -> FloatArray:
    """Give a V: the frequency falls to ``low_frequency`` and rises again by ``sweep`` [Hz].

    A beat of radio-frequency oscillators that cross, Nuttall et al. 2015,
    doi:10.1088/0264-9381/32/24/245005.
    """
    scaled = 2 * time / duration
    cycles = low_frequency * time + sweep * duration / 2 * scaled**3 / 3
    return np.cos(np.pi / 2 * np.clip(scaled, -1, 1)) ** 2 * np.cos(2 * np.pi * cycles + phase)


def _tau(frequency: float, q: float, **_: float) -> float:
    return q / (2 * np.pi * frequency)


def _half(duration: float, **_: float) -> tuple[float, float]:
    return duration / 2, duration / 2


_MOCK = "wdf.mock, defaults.toml"
FAMILIES: dict[str, Family] = {
    "gaussian": Family(
        gaussian,
        lambda sigma: (5 * sigma, 5 * sigma),
        {"sigma": Range(0.002, 0.020)},
        _MOCK,
    ),
    "sine_gaussian": Family(
        sine_gaussian,
        lambda **p: (4 * _tau(**p), 4 * _tau(**p)),
        {"frequency": Range(60.0, 600.0), "q": Range(5.0, 30.0), "phase": _PHASE},
        _MOCK,
    ),
    "ring_down": Family(
        ring_down,
        lambda frequency, q: (0.0, 6 * q / (np.pi * frequency)),
        {"frequency": Range(80.0, 1000.0, "log"), "q": Range(8.0, 20.0)},
        "chosen: inside the 50-2000 Hz and Q 2-20 of the LIGO ring-down search, Abbott et al. "
        "2009, arXiv:0905.1654; Q from above that of blips, so that the classes differ",
    ),
    "blip": Family(
        blip,
        lambda **p: (6 * _tau(**p), 18 * _tau(**p)),
        {"frequency": Range(80.0, 500.0), "q": Range(2.0, 5.0), "phase": _PHASE},
        _MOCK,
    ),
    "chirp": Family(
        chirp,
        _half,
        {
            "start_frequency": Range(25.0, 80.0),
            "end_frequency": Range(150.0, 700.0),
            "duration": Range(0.2, 1.5),
            "phase": _PHASE,
        },
        _MOCK,
    ),
    "scattered_light": Family(
        scattered_light,
        lambda period, arches, **_: (arches * period / 2, arches * period / 2),
        {
            "peak_frequency": Range(20.0, 60.0),
            "period": Range(0.5, 2.0),
            "arches": Range(2, 5, "integer"),
            "phase": _PHASE,
        },
        _MOCK,
    ),
    "whistle": Family(
        whistle,
        _half,
        {
            "low_frequency": Range(120.0, 500.0, "log"),
            "sweep": Range(200.0, 1000.0),
            "duration": Range(0.2, 1.0),
            "phase": _PHASE,
        },
        "chosen: V or W shapes above 128 Hz that last up to about 1 s, as the class is described "
        "by Zevin et al. 2017, arXiv:1611.04596",
    ),
    "cbc": Family(
        cbc.strain,
        cbc.extent,
        {"mass1": Range(15.0, 50.0), "mass2": Range(10.0, 40.0), "phase": _PHASE},
        f"{_MOCK}: its binary black holes, without spin",
    ),
}
"""The transients, by label."""

CLASSES: tuple[str, ...] = (*FAMILIES, NOISE)
"""Every label, in the order in which the network gives probabilities."""


def draw(label: str, sample_rate: int, rng: np.random.Generator) -> Waveform:
    """Draw one transient of a family on a grid of ``sample_rate`` [Hz]."""
    family = FAMILIES[label]
    parameters = {name: span.draw(rng) for name, span in family.ranges.items()}
    return sample(label, sample_rate, parameters)


def sample(label: str, sample_rate: int, parameters: Mapping[str, float]) -> Waveform:
    """Give the transient of a family with the parameters told."""
    family = FAMILIES[label]
    before, after = family.extent(**parameters)
    reference = int(np.ceil(before * sample_rate))
    count = reference + int(np.ceil(after * sample_rate)) + 1
    time = (np.arange(count) - reference) / sample_rate
    shape = family.shape(time, **parameters)
    return Waveform(label, tuple(parameters.items()), shape, reference)
