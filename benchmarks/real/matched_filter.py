"""Matched filtering of strain with a small bank around an event's published masses.

Allen et al. 2012, arXiv:gr-qc/0509116, section III. Templates are LALSimulation's IMRPhenomD
(Khan et al. 2016, arXiv:1508.07253), spins along the orbit's axis.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation
from scipy.signal.windows import tukey

from benchmarks.catalogue import Event
from models.simulation.noise import NoiseCurve
from transforms.arrays import BoolArray, ComplexArray, RealArray

LOW_FREQUENCY = 20.0
"""Where the filter begins [Hz]."""
QUIETEST = 0.35
"""Of a detector's usual spectrum: what is quieter is not its noise."""
BESIDE = 1.0
"""On either side of what is too quiet, nothing is used [Hz]."""
TOP = 0.95
"""Up to this part of the Nyquist frequency."""
FADE = 1.0
"""Of the strain at either end [s]."""
CHIRP_MASSES = tuple(np.geomspace(0.7, 1.4, 15))
"""Of the bank, as factors of the published one."""
RATIOS = (0.5, 1.0)
"""Of the bank's masses, beside the published one."""
SPINS = (-0.3, 0.0, 0.3)
"""Of the bank, added to the published one."""
LARGEST_SPIN = 0.95


@dataclass(frozen=True)
class Binary:
    """A point of the bank, in the detector's frame."""

    chirp_mass: float
    """[solar masses]."""
    ratio: float
    """Of the smaller mass to the larger one."""
    spin: float
    """Of both bodies along the orbit's axis."""

    @property
    def masses(self) -> tuple[float, float]:
        """Return the larger and the smaller mass [solar masses]."""
        heavy = self.chirp_mass * (1 + self.ratio) ** 0.2 / self.ratio**0.6
        return heavy, heavy * self.ratio


@dataclass(frozen=True)
class Peak:
    """The loudest point of a bank's filters in a stretch of time."""

    snr: float
    time: float
    """Of the merger, from the first sample [s]."""
    binary: Binary


def bank(event: Event) -> list[Binary]:
    """Return a small bank around an event's published values."""
    ratios = dict.fromkeys((event.ratio, *RATIOS))
    spins = dict.fromkeys(
        float(np.clip(event.chi_eff + step, -LARGEST_SPIN, LARGEST_SPIN)) for step in SPINS
    )
    return [
        Binary(event.chirp_mass * factor, ratio, spin)
        for factor in CHIRP_MASSES
        for ratio in ratios
        for spin in spins
    ]


def template(binary: Binary, count: int, sample_rate: int) -> ComplexArray:
    """Return the spectrum of a binary's signal, merger at the first sample, [frequency].

    Args:
        binary: Masses and spin.
        count: Samples of the series that it is for.
        sample_rate: [Hz].
    """
    import lal
    import lalsimulation as simulation

    heavy, light = binary.masses
    step, top = sample_rate / count, TOP * sample_rate / 2
    made = simulation.SimIMRPhenomDGenerateFD(
        phi0=0.0,
        fRef=LOW_FREQUENCY,
        deltaF=step,
        m1_SI=heavy * lal.MSUN_SI,
        m2_SI=light * lal.MSUN_SI,
        chi1=binary.spin,
        chi2=binary.spin,
        f_min=LOW_FREQUENCY,
        f_max=top,
        distance=1e6 * lal.PC_SI,
        extraParams=lal.CreateDict(),
        NRTidal_version=simulation.NoNRT_V,
    ).data.data
    spectrum = np.zeros(count // 2 + 1, complex)
    spectrum[: len(made)] = made[: len(spectrum)]
    return spectrum


def snr_series(
    data: ComplexArray, count: int, sample_rate: int, curve: NoiseCurve, shape: ComplexArray
) -> RealArray:
    """Return the matched-filter SNR of a template whose merger lies at each sample, [time].

    rho(t) = |4 int d(f) h*(f) / S(f) exp(2 pi i f t) df| / sqrt(4 int |h|^2 / S df): eqs. 4.2
    and 4.3 of arXiv:gr-qc/0509116, the better of both phases.

    Args:
        data: Spectrum of the strain, which is faded at its ends: the filter is cyclic;
            `numpy.fft.rfft` over the sample rate, [frequency].
        count: Samples of the strain.
        sample_rate: [Hz].
        curve: The noise's spectrum.
        shape: Of `template`, [frequency]; zero where the filter is not to look.
    """
    step = sample_rate / count
    weight = np.conj(shape) / curve.at(np.fft.rfftfreq(count, 1 / sample_rate)) ** 2
    power = 4 * step * float(np.sum((shape * weight).real))
    spectrum = np.zeros(count, complex)
    spectrum[: len(weight)] = data * weight
    return np.asarray(np.abs(4 * step * count * np.fft.ifft(spectrum)) / np.sqrt(power))


def usable(curve: NoiseCurve, usual: NoiseCurve, frequency: RealArray) -> BoolArray:
    """Return where strain is a detector's noise, [frequency].

    Published strain may lack what lies below some frequency, or the bands of lines. A filter
    that divides by its spectrum would see little else than these.

    Args:
        curve: Of the strain.
        usual: Of the detector in a good run.
        frequency: [Hz], rising evenly from 0, [frequency].

    Returns:
        True where the strain is no quieter than ``QUIETEST`` of what is usual, within ``BESIDE``.
    """
    quiet = curve.at(frequency) < QUIETEST * usual.smooth.at(frequency)
    width = 1 + 2 * round(BESIDE / frequency[1])
    return np.asarray(~binary_dilation(quiet, np.ones(width, bool)))


def faded(strain: RealArray, sample_rate: int) -> RealArray:
    """Return strain that rises from nothing and falls to it within ``FADE`` at its ends."""
    width = min(1.0, 2 * FADE * sample_rate / len(strain))
    return np.asarray((strain - np.mean(strain)) * tukey(len(strain), width))


def peaks(
    strain: RealArray,
    sample_rate: int,
    curve: NoiseCurve,
    binaries: list[Binary],
    window: tuple[float, float],
    used: BoolArray,
) -> Iterator[Peak]:
    """Yield each template's loudest point within a window.

    Args:
        strain: [time], some seconds longer than the window before and after it.
        sample_rate: [Hz].
        curve: The noise's spectrum.
        binaries: The bank.
        window: Where mergers are looked for, from the first sample [s].
        used: Where the filter looks, [frequency].
    """
    count = len(strain)
    data = np.fft.rfft(faded(strain, sample_rate)) / sample_rate
    first = max(round(window[0] * sample_rate), 0)
    last = min(round(window[1] * sample_rate) + 1, count)
    for binary in binaries:
        shape = template(binary, count, sample_rate) * used
        series = snr_series(data, count, sample_rate, curve, shape)[first:last]
        at = int(np.argmax(series))
        yield Peak(float(series[at]), (first + at) / sample_rate, binary)
