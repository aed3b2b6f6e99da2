"""The predecessor's families: pulses, sweeps and arches, in strain; and whistles.

Families and ranges follow the predecessor's mock-data generator (``wdf.mock``,
defaults.toml of the Wavelet Detection Filter), narrowed where two of them describe one
shape after whitening; what is chosen is said at the family.
"""

import numpy as np

from models.simulation.waveforms.draws import PHASE, Family, Range, half
from models.simulation.waveforms.pieces import along
from transforms.arrays import FloatArray


def gaussian(time: FloatArray, sigma: float) -> FloatArray:
    """Return exp(-t^2 / 2 sigma^2), sigma in [s]."""
    return np.exp(-0.5 * (time / sigma) ** 2)


def blip(time: FloatArray, frequency: float, q: float, phase: float) -> FloatArray:
    """Return an oscillation that rises with tau = q / (2 pi frequency) and decays in 3 tau."""
    tau = q / (2 * np.pi * frequency)
    envelope = np.exp(np.where(time < 0, time / tau, -time / (3 * tau)))
    return envelope * np.cos(2 * np.pi * frequency * time + phase)


def sine_gaussian(time: FloatArray, frequency: float, q: float, phase: float) -> FloatArray:
    """Return a sinusoid [Hz] under a Gaussian of sigma = q / (2 pi frequency)."""
    tau = q / (2 * np.pi * frequency)
    return np.exp(-0.5 * (time / tau) ** 2) * np.cos(2 * np.pi * frequency * time + phase)


def ring_down(time: FloatArray, frequency: float, q: float) -> FloatArray:
    """Return a damped sinusoid exp(-pi f t / q) sin(2 pi f t) that starts at zero time."""
    late = np.maximum(time, 0.0)
    envelope = np.exp(-np.pi * frequency * late / q)
    return np.where(time >= 0, envelope * np.sin(2 * np.pi * frequency * late), 0.0)


def chirp(
    time: FloatArray, start_frequency: float, end_frequency: float, duration: float, phase: float
) -> FloatArray:
    """Return a linear sweep [Hz] under a Gaussian of sigma = duration / 4."""
    rate = (end_frequency - start_frequency) / duration
    middle = (start_frequency + end_frequency) / 2
    angle = 2 * np.pi * (middle * time + 0.5 * rate * time**2) + phase
    return np.exp(-0.5 * (4 * time / duration) ** 2) * np.cos(angle)


def scattered_light(
    time: FloatArray, peak_frequency: float, period: float, arches: float, phase: float
) -> FloatArray:
    """Return arches of frequency peak |sin(pi t / period)| under one sin^2 envelope.

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
    time: FloatArray,
    *,
    low_frequency: float,
    top_frequency: float,
    bend: float,
    duration: float,
    turns: float,
    phase: float,
) -> FloatArray:
    """Return a V or a W: the frequency falls to ``low_frequency`` and rises again.

    A beat of radio-frequency oscillators that cross, Nuttall et al. 2015,
    doi:10.1088/0264-9381/32/24/245005: far from the crossing the frequency is linear in time.

    Args:
        time: Uniform grid [s].
        low_frequency: Where they are nearest [Hz].
        top_frequency: At either end, and between the two halves of a W [Hz].
        bend: How round the track is at its top, 0 to 1; it is linear in time at the crossing.
        duration: Of one V [s].
        turns: One for a V, two for a W.
        phase: [rad].
    """
    length = turns * duration
    since = np.mod(time + length / 2, duration) / duration
    away = np.abs(2 * since - 1)
    away = (1 - bend) * away + bend * np.sin(np.pi / 2 * away)
    track = np.hypot(low_frequency, top_frequency * away)
    ends = np.clip((0.5 - np.abs(time / length)) * 8 * turns, 0, 1)
    return np.sin(np.pi / 2 * ends) ** 2 * along(time, track, phase)


def _tau(frequency: float, q: float, **_: float) -> float:
    return q / (2 * np.pi * frequency)


def _tails(frequency: float, q: float, **_: float) -> tuple[float, float]:
    tau = _tau(frequency, q)
    return 6 * tau, 18 * tau


_MOCK = "wdf.mock, defaults.toml"
FAMILIES: dict[str, Family] = {
    "sine_gaussian": Family(
        sine_gaussian,
        lambda **p: (4 * _tau(**p), 4 * _tau(**p)),
        {"frequency": Range(80.0, 600.0), "q": Range(8.0, 30.0), "phase": PHASE},
        f"{_MOCK}: 60-600 Hz, Q 5-30; chosen: from 80 Hz, above the mains, and Q from 8, above "
        "that of blips",
    ),
    "ring_down": Family(
        ring_down,
        lambda frequency, q: (0.0, 6 * q / (np.pi * frequency)),
        {"frequency": Range(80.0, 700.0, "log"), "q": Range(12.0, 40.0)},
        "chosen: about the 50-2000 Hz and Q 2-20 of the LIGO ring-down search, Abbott et al. "
        "2009, arXiv:0905.1654; up to 700 Hz, above which shapes are unknown; Q beyond twice "
        "that of a blip's decay",
    ),
    "chirp": Family(
        chirp,
        half,
        {
            "start_frequency": Range(25.0, 80.0),
            "end_frequency": Range(150.0, 700.0),
            "duration": Range(0.2, 1.5),
            "phase": PHASE,
        },
        _MOCK,
    ),
    "whistle": Family(
        whistle,
        lambda duration, turns, **_: (turns * duration / 2, turns * duration / 2),
        {
            "low_frequency": Range(60.0, 200.0, "log"),
            "top_frequency": Range(900.0, 1900.0, "log"),
            "bend": Range(0.0, 1.0),
            "duration": Range(0.01, 1.0, "log"),
            "turns": Range(1, 2, "integer"),
            "phase": PHASE,
        },
        "chosen: V and W of 10 ms to 1 s, as real ones of H1 and L1 in O3 have, from 60-200 Hz to "
        "beyond what the model sees, as the class is pictured by Zevin et al. 2017, "
        "arXiv:1611.04596; seen after whitening",
        whitened=True,
        least_rate=2048,
    ),
}
"""The families that are classes, by label."""

MOCK: dict[str, Family] = {
    "gaussian": Family(
        gaussian, lambda sigma: (5 * sigma, 5 * sigma), {"sigma": Range(0.002, 0.020)}, _MOCK
    ),
    "blip": Family(
        blip,
        _tails,
        {"frequency": Range(80.0, 500.0), "q": Range(2.0, 5.0), "phase": PHASE},
        _MOCK,
    ),
    "scattered_light": Family(
        scattered_light,
        lambda period, arches, **_: (arches * period / 2, arches * period / 2),
        {
            "peak_frequency": Range(20.0, 60.0),
            "period": Range(0.5, 2.0),
            "arches": Range(2, 5, "integer"),
            "phase": PHASE,
        },
        _MOCK,
    ),
}
"""Families of the predecessor that are no classes, by label, to measure detection with: a Gaussian
pulse is no glitch that is known, and of the others the classes have what real ones look like."""
