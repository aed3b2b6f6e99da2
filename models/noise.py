"""Detector noise: published sensitivity curves, coloured Gaussian noise, optimal SNR."""

import gzip
from dataclasses import dataclass
from importlib import resources

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]

LOWEST = 10.0
"""Lowest frequency at which the curves are trusted [Hz]; below, they stay at its value."""


@dataclass(frozen=True)
class NoiseCurve:
    """An amplitude spectral density, as published."""

    name: str
    frequency: FloatArray
    """[Hz], rising, [frequency]."""
    asd: FloatArray
    """[1/sqrt(Hz)], [frequency]."""

    def at(self, frequency: FloatArray) -> FloatArray:
        """Interpolate the ASD, log over log; flat outside the published band.

        Flat below, since a detector is never used there and the steep wall of seismic
        noise would only cost precision; flat above, for want of anything better.
        """
        clipped = np.clip(frequency, self.frequency[0], self.frequency[-1])
        return np.exp(np.interp(np.log(clipped), np.log(self.frequency), np.log(self.asd)))


@dataclass(frozen=True)
class Line:
    """A spectral line: a sinusoid of constant amplitude and frequency."""

    frequency: float
    """[Hz]."""
    amplitude: float
    """[strain]."""
    phase: float = 0.0


def names() -> tuple[str, ...]:
    """Give the names of the packaged curves."""
    folder = resources.files("models") / "noise_curves"
    suffix = ".txt.gz"
    files = (item.name for item in folder.iterdir())
    return tuple(sorted(name.removesuffix(suffix) for name in files if name.endswith(suffix)))


def load(name: str) -> NoiseCurve:
    """Load a packaged curve: columns of frequency [Hz] and ASD [1/sqrt(Hz)].

    Raises:
        ValueError: There is no curve of that name.
    """
    if name not in names():
        raise ValueError(f"no noise curve {name!r}: there are {', '.join(names())}")
    packed = (resources.files("models") / "noise_curves" / f"{name}.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()
    table = np.loadtxt(lines, usecols=(0, 1))
    table = table[table[:, 0] >= LOWEST]
    return NoiseCurve(name, table[:, 0], table[:, 1])


def coloured(
    curve: NoiseCurve,
    count: int,
    sample_rate: int,
    rng: np.random.Generator,
    lines: tuple[Line, ...] = (),
) -> FloatArray:
    """Make stationary Gaussian noise with a curve's spectrum.

    White noise of two-sided density 1 has variance ``sample_rate / 2`` per one-sided
    density: each bin of its spectrum is scaled by ASD sqrt(rate / 2).

    Args:
        curve: The spectrum.
        count: Number of samples; the noise is cyclic over twice of them, and cut.
        sample_rate: [Hz].
        rng: Source of randomness.
        lines: Sinusoids to add.

    Returns:
        Strain, [time], float64.
    """
    spectrum = np.fft.rfft(rng.standard_normal(2 * count))
    frequency = np.fft.rfftfreq(2 * count, 1 / sample_rate)
    spectrum *= curve.at(frequency) * np.sqrt(sample_rate / 2)
    noise = np.fft.irfft(spectrum, 2 * count)[:count]
    time = np.arange(count) / sample_rate
    for line in lines:
        noise += line.amplitude * np.cos(2 * np.pi * line.frequency * time + line.phase)
    return noise


def optimal_snr(
    strain: FloatArray, sample_rate: int, curve: NoiseCurve, low_frequency: float
) -> float:
    """Give the signal-to-noise ratio of a matched filter.

    rho^2 = 4 int |h(f)|^2 / S(f) df from ``low_frequency`` to Nyquist; Cutler & Flanagan
    1994, arXiv:gr-qc/9402014, eq. 2.
    """
    density = _snr_density(strain, sample_rate, curve, low_frequency)
    return float(np.sqrt(density.sum()))


def _snr_density(
    strain: FloatArray, sample_rate: int, curve: NoiseCurve, low_frequency: float
) -> FloatArray:
    # A second at the least, so that short signals are summed over a fine grid.
    count = 1 << int(np.ceil(np.log2(max(2 * len(strain), sample_rate))))
    spectrum = np.fft.rfft(strain, count) / sample_rate
    frequency = np.fft.rfftfreq(count, 1 / sample_rate)
    density = 4 * np.abs(spectrum / curve.at(frequency)) ** 2 * sample_rate / count
    return np.where(frequency >= low_frequency, density, 0.0)


def whitened(
    strain: FloatArray, sample_rate: int, curve: NoiseCurve, low_frequency: float
) -> FloatArray:
    """Give a signal's whitened series without noise: its sum of squares is the SNR squared.

    Args:
        strain: The signal, [time].
        sample_rate: [Hz].
        curve: What to whiten with.
        low_frequency: Nothing is kept below it [Hz].

    Returns:
        [time], in units of the noise's standard deviation, with the signal's own grid.
    """
    count = 2 * len(strain)
    frequency = np.fft.rfftfreq(count, 1 / sample_rate)
    gain = np.sqrt(2 / sample_rate) / curve.at(frequency)
    gain[frequency < low_frequency] = 0
    return np.fft.irfft(np.fft.rfft(strain, count) * gain, count)[: len(strain)]
