"""Detector noise: published sensitivity curves, coloured Gaussian noise, optimal SNR."""

import gzip
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources

import numpy as np
from scipy import fft
from scipy.ndimage import median_filter
from scipy.signal import welch

from transforms.arrays import RealArray

LOWEST = 10.0
"""Lowest frequency at which the curves are trusted [Hz]; below, they stay at its value."""
KEPT = 1 << 18
"""Longest grid of a curve that is kept [samples]: 64 s at 4096 Hz."""
MEASURED = {
    "H1": "H1_O3b_measured_asd",
    "L1": "L1_O3a_measured_asd",
    "V1": "V1_O3_measured_asd",
}
"""Curve of each detector as it was measured in O3."""
FADE = 0.1
"""Over which a glitch's strain is faded at either end [s]."""


@dataclass(frozen=True)
class NoiseCurve:
    """An amplitude spectral density, as published."""

    name: str
    frequency: RealArray
    """[Hz], rising, [frequency]."""
    asd: RealArray
    """[1/sqrt(Hz)], [frequency]."""

    def at(self, frequency: RealArray) -> RealArray:
        """Interpolate the ASD, log over log; flat outside the published band.

        Flat below, since a detector is never used there and the steep wall of seismic
        noise would only cost precision; flat above, for want of anything better.
        """
        clipped = np.clip(frequency, self.frequency[0], self.frequency[-1])
        return np.exp(np.interp(np.log(clipped), np.log(self.frequency), np.log(self.asd)))

    def on_grid(self, count: int, sample_rate: int) -> RealArray:
        """Return the ASD at the frequencies of a spectrum of ``count`` samples; read-only.

        Short grids are kept: there are few, as lengths are powers of two.
        """
        grid = self._grids.get((count, sample_rate))
        if grid is None:
            grid = self.at(np.fft.rfftfreq(count, 1 / sample_rate))
            if count <= KEPT:
                self._grids[count, sample_rate] = grid
        return grid

    @cached_property
    def _grids(self) -> dict[tuple[int, int], RealArray]:
        return {}

    @cached_property
    def smooth(self) -> "NoiseCurve":
        """The curve without its lines: a running median over a sixth of an octave."""
        grid = np.geomspace(self.frequency[0], self.frequency[-1], 4096)
        octaves = np.log2(grid[-1] / grid[0])
        width = 1 + 2 * int(len(grid) / octaves / 12)
        level = median_filter(np.log(self.at(grid)), width, mode="nearest")
        # The median leaves steps; their corners would ring.
        window = np.hanning(width + 2)[1:-1]
        padded = np.pad(level, width // 2, "edge")
        level = np.convolve(padded, window / window.sum(), "valid")
        return NoiseCurve(f"{self.name}, smooth", grid, np.exp(level))


@dataclass(frozen=True)
class Line:
    """A spectral line: a sinusoid of constant amplitude and frequency."""

    frequency: float
    """[Hz]."""
    amplitude: float
    """[strain]."""
    phase: float = 0.0


def names() -> tuple[str, ...]:
    """Return the names of the packaged curves."""
    folder = resources.files("models.simulation") / "noise_curves"
    suffix = ".txt.gz"
    files = (item.name for item in folder.iterdir())
    return tuple(sorted(name.removesuffix(suffix) for name in files if name.endswith(suffix)))


@lru_cache
def load(name: str) -> NoiseCurve:
    """Load a packaged curve: columns of frequency [Hz] and ASD [1/sqrt(Hz)].

    Raises:
        ValueError: There is no curve of that name.
    """
    if name not in names():
        raise ValueError(f"no noise curve {name!r}: there are {', '.join(names())}")
    packed = (resources.files("models.simulation") / "noise_curves" / f"{name}.txt.gz").read_bytes()
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
    spare: int | None = None,
) -> RealArray:
    """Make stationary Gaussian noise with a curve's spectrum.

    White noise of two-sided density 1 has variance ``sample_rate / 2`` per one-sided
    density: each bin of its spectrum is scaled by ASD sqrt(rate / 2).

    Args:
        curve: The spectrum.
        count: Number of samples.
        sample_rate: [Hz].
        rng: Source of randomness.
        lines: Sinusoids to add.
        spare: The noise is cyclic over so many samples more, and cut; twice ``count`` over
            without it.

    Returns:
        Strain, [time], float64.
    """
    cycle = count + (count if spare is None else spare)
    spectrum = np.fft.rfft(rng.standard_normal(cycle))
    spectrum *= curve.at(np.fft.rfftfreq(cycle, 1 / sample_rate)) * np.sqrt(sample_rate / 2)
    noise = np.fft.irfft(spectrum, cycle)[:count]
    add_lines(noise, sample_rate, lines)
    return noise


def add_lines(strain: RealArray, sample_rate: int, lines: tuple[Line, ...]) -> None:
    """Add lines to strain, in place."""
    time = np.arange(len(strain)) / sample_rate
    for line in lines:
        strain += line.amplitude * np.cos(2 * np.pi * line.frequency * time + line.phase)


def optimal_snr(
    strain: RealArray, sample_rate: int, curve: NoiseCurve, low_frequency: float
) -> float:
    """Return the signal-to-noise ratio of a matched filter.

    rho^2 = 4 int |h(f)|^2 / S(f) df from ``low_frequency`` to Nyquist; Cutler & Flanagan
    1994, arXiv:gr-qc/9402014, eq. 2.
    """
    density = _snr_density(strain, sample_rate, curve, low_frequency)
    return float(np.sqrt(density.sum()))


def _snr_density(
    strain: RealArray, sample_rate: int, curve: NoiseCurve, low_frequency: float
) -> RealArray:
    # A second at the least, so that short signals are summed over a fine grid.
    count = _length(max(2 * len(strain), sample_rate))
    spectrum = fft.rfft(strain, count) / sample_rate
    ratio = np.abs(spectrum / curve.on_grid(count, sample_rate))
    ratio[: _first(low_frequency, count, sample_rate)] = 0
    return np.asarray(4 * ratio**2 * sample_rate / count)


def _length(least: int) -> int:
    """Return the next power of two."""
    return 1 << (least - 1).bit_length()


def _first(low_frequency: float, count: int, sample_rate: int) -> int:
    """Return the first bin of a spectrum that is not below a frequency [Hz]."""
    return int(np.ceil(low_frequency * count / sample_rate))


def whitened(
    strain: RealArray, sample_rate: int, curve: NoiseCurve, low_frequency: float
) -> RealArray:
    """Return a signal's whitened series without noise: its sum of squares is the SNR squared.

    Args:
        strain: The signal, [time].
        sample_rate: [Hz].
        curve: What to whiten with.
        low_frequency: Nothing is kept below it [Hz].

    Returns:
        [time], in units of the noise's standard deviation, with the signal's own grid.
    """
    count = _length(2 * len(strain))
    spectrum = fft.rfft(strain, count) / curve.on_grid(count, sample_rate)
    spectrum[: _first(low_frequency, count, sample_rate)] = 0
    return np.asarray(fft.irfft(spectrum, count)[: len(strain)] * np.sqrt(2 / sample_rate))


def strain_of(
    shape: RealArray, sample_rate: int, curve: NoiseCurve, low_frequency: float
) -> RealArray:
    """Return the strain of which whitening makes a shape: what `whitened` undoes.

    The curve's lines are left out: what a glitch does to the strain knows nothing of them, and
    a whitened glitch lacks what lies at a line. Below ``low_frequency`` the strain falls to
    nothing at half of it.

    Args:
        shape: As it is seen after whitening, in units of the noise's standard deviation, [time];
            silent for a tenth of a second at either end.
        sample_rate: [Hz].
        curve: What it will be whitened with.
        low_frequency: Lower end of what whitening keeps [Hz].
    """
    count = _length(2 * len(shape))
    frequency = fft.rfftfreq(count, 1 / sample_rate)
    rise = np.sin(np.pi / 2 * np.clip(2 * frequency / low_frequency - 1, 0, 1)) ** 2
    spectrum = fft.rfft(shape, count) * rise * curve.smooth.on_grid(count, sample_rate)
    strain = fft.irfft(spectrum, count)[: len(shape)] * np.sqrt(sample_rate / 2)
    faded = int(FADE * sample_rate)
    fade = np.sin(np.pi / 2 * (np.arange(faded) + 0.5) / faded) ** 2
    strain[:faded] *= fade
    strain[-faded:] *= fade[::-1]
    return np.asarray(strain)


def measured(name: str, strain: RealArray, sample_rate: int) -> NoiseCurve:
    """Estimate the curve of strain: Welch's method, median over segments of 4 s.

    The median, so that transients count for little; Allen et al. 2012, arXiv:gr-qc/0509116,
    appendix B.

    Args:
        name: Of the curve.
        strain: [time], some tens of seconds.
        sample_rate: [Hz].
    """
    each = 4 * sample_rate
    frequency, density = welch(strain, sample_rate, nperseg=each, average="median")
    # At zero and Nyquist frequency the spectrum is one-sided in another way.
    kept = (frequency >= LOWEST) & (frequency < sample_rate / 2)
    return NoiseCurve(name, frequency[kept], np.sqrt(density[kept]))
