"""Gravitational waves of six kinds, with both polarisations."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import hilbert
from scipy.signal.windows import tukey

from models.simulation.waveforms import FAMILIES, Family, Range, simple
from transforms.arrays import FloatArray

LOWEST_BURST, HIGHEST_BURST = 60.0, 1000.0
"""Between these lies the band of every white-noise burst [Hz]."""
BURST = "white_noise_burst"
LINEAR = ("gaussian", "ccsn")
"""Kinds of one polarisation alone: a pulse has no quadrature that ends, and what collapses around
an axis shakes along it."""
QUIET = 0.6
"""Silence kept on either side [s]: of delays, of whitening, and of the Hilbert transform."""


def burst(
    time: FloatArray, place: float, bandwidth: float, duration: float, seed: float
) -> FloatArray:
    """Return white noise in a band, under a Gaussian of sigma = duration / 4.

    Args:
        time: [s].
        place: Where between 60 and 1000 Hz the band lies, 0 to 1.
        bandwidth: [Hz].
        duration: [s].
        seed: Settles the noise.
    """
    low = LOWEST_BURST + place * (HIGHEST_BURST - LOWEST_BURST - bandwidth)
    noise = np.random.default_rng(int(seed)).standard_normal(len(time))
    spectrum = np.fft.rfft(noise)
    frequency = np.fft.rfftfreq(len(time), time[1] - time[0])
    spectrum[(frequency < low) | (frequency > low + bandwidth)] = 0
    return np.fft.irfft(spectrum, len(time)) * np.exp(-0.5 * (4 * time / duration) ** 2)


BURST_FAMILY = Family(
    burst,
    lambda duration, **_: (duration, duration),
    {
        "place": Range(0.0, 1.0),
        "bandwidth": Range(50.0, 400.0),
        "duration": Range(0.02, 0.3),
        "seed": Range(0, 2**31 - 1, "integer"),
    },
    "about the white-noise bursts of the burst searches (100 Hz wide, 0.1 s, at 100 to 750 "
    "Hz), Abbott et al. 2017, arXiv:1611.02972",
)
KINDS: dict[str, Family] = {
    "cbc": FAMILIES["cbc"],
    "ccsn": FAMILIES["ccsn"],
    "sine_gaussian": FAMILIES["sine_gaussian"],
    "ring_down": FAMILIES["ring_down"],
    "gaussian": simple.MOCK["gaussian"],
    BURST: BURST_FAMILY,
}
"""The kinds, by name."""


@dataclass(frozen=True, kw_only=True)
class Wave:
    """A wave of no particular loudness, silent for ``QUIET`` at either end."""

    kind: str
    plus: FloatArray
    """[time]."""
    cross: FloatArray
    """[time]."""
    reference: int
    """Index of the sample at the reference time."""


def draw(kind: str, sample_rate: int, rng: np.random.Generator) -> Wave:
    """Draw a wave.

    A source of the dominant mode, seen at an inclination i to its axis, has h+ = (1 + cos^2 i) / 2
    h and hx = cos i times h turned by a quarter of a wave (Maggiore 2008, Gravitational Waves 1,
    eq. 4.3); so have the elliptical sine-Gaussians and ring-downs. A white-noise burst has two
    independent polarisations.

    Args:
        kind: One of ``KINDS``.
        sample_rate: [Hz].
        rng: Source of randomness.
    """
    family = KINDS[kind]
    parameters = family.draw(rng)
    before, after = family.extent(**parameters)
    reference = int(np.ceil((before + QUIET) * sample_rate))
    count = reference + int(np.ceil((after + QUIET) * sample_rate)) + 1
    time = (np.arange(count) - reference) / sample_rate
    inside = (time >= -before) & (time <= after)
    shape = np.zeros(count)
    shape[inside] = family.shape(time[inside], **parameters)
    if kind == BURST:
        cross = np.zeros(count)
        other = {**parameters, "seed": family.ranges["seed"].draw(rng)}
        cross[inside] = family.shape(time[inside], **other)
        return Wave(kind=kind, plus=shape, cross=cross, reference=reference)
    if kind in LINEAR:
        return Wave(kind=kind, plus=shape, cross=np.zeros(count), reference=reference)
    cosine = float(rng.uniform(-1, 1))
    # The quadrature of a sharp onset falls off only as 1 / t: let it end softly.
    turned = np.imag(hilbert(shape)) * tukey(count, QUIET * sample_rate / count)
    return Wave(
        kind=kind,
        plus=shape * (1 + cosine**2) / 2,
        cross=turned * cosine,
        reference=reference,
    )
