"""Glitches of Gravity Spy that are long, narrow or periodic.

Sources are those of :mod:`models.simulation.waveforms.glitches_short`.
"""

import numpy as np

from models.simulation.waveforms.draws import PHASE, SEED, Family, Range, Variant, half
from models.simulation.waveforms.pieces import along, arch, bell, scaled
from transforms.arrays import FloatArray


def fast_scattering(
    time: FloatArray, peak_frequency: float, period: float, arches: float, seed: float
) -> FloatArray:
    """Return a row of small arches of frequency peak |sin(pi t / period)|, each a piece of its own.

    Args:
        time: [s].
        peak_frequency: Of an arch [Hz].
        period: Of an arch [s].
        arches: How many.
        seed: Settles how loud each is, by a factor of up to two.
    """
    loud = np.random.default_rng(int(seed)).uniform(0.5, 1.0, int(arches) + 2)
    since = time + arches * period / 2
    number = np.clip(np.floor(since / period).astype(int), 0, int(arches) + 1)
    rise = np.abs(np.sin(np.pi * since / period))
    kept = (since >= 0) & (since < arches * period)
    return scaled(np.where(kept, loud[number] * rise**2, 0.0) * along(time, peak_frequency * rise))


def scratchy(
    time: FloatArray, frequency: float, ripple: float, nodes: float, duration: float, phase: float
) -> FloatArray:
    """Return a rippled path of bright nodes.

    Args:
        time: [s].
        frequency: Of the path [Hz].
        ripple: How far the path leaves it, relative.
        nodes: Bright nodes a second [Hz].
        duration: [s].
        phase: Of the wave and of its ripple [rad].
    """
    turn = 2 * np.pi * nodes * time
    envelope = arch(time, duration) ** 0.5 * np.cos(turn / 2) ** 2
    wave = along(time, frequency * (1 + ripple * np.sin(turn + phase)), phase)
    return np.asarray(envelope * wave)


def power_line(
    time: FloatArray, mains: float, duration: float, second: float, third: float, seed: float
) -> FloatArray:
    """Return the mains and their harmonics under one Gaussian of sigma = duration / 4.

    Args:
        time: [s].
        mains: Frequency of the mains [Hz].
        duration: [s].
        second: Amplitude of the second harmonic, the mains being 1.
        third: Amplitude of the third; the fourth and the fifth have half of these two.
        seed: Settles the phases.
    """
    phases = np.random.default_rng(int(seed)).uniform(0, 2 * np.pi, 5)
    strengths = (1.0, second, third, second / 2, third / 2)
    shape = np.zeros(len(time))
    for number, (strength, phase) in enumerate(zip(strengths, phases, strict=True), 1):
        shape += strength * np.cos(2 * np.pi * number * mains * time + phase)
    return scaled(bell(time, duration / 4) * shape)


def helix(
    time: FloatArray, frequency: float, depth: float, duration: float, turns: float, phase: float
) -> FloatArray:
    """Return two paths that wind about each other.

    Args:
        time: [s].
        frequency: About which they wind [Hz].
        depth: How far they leave it, relative.
        duration: [s].
        turns: Windings within the duration.
        phase: Of one path's wave [rad]; that of the other is its double.
    """
    swing = depth * np.cos(2 * np.pi * turns * time / duration)
    up = along(time, frequency * (1 + swing), phase)
    down = along(time, frequency * (1 - swing), 2 * phase)
    return scaled(arch(time, duration) * (up + down))


def violin_mode(
    time: FloatArray, frequency: float, overtone: float, duration: float, phase: float
) -> FloatArray:
    """Return a string's tone [Hz] and its overtone, under a Gaussian of sigma = duration / 4."""
    wave = np.cos(2 * np.pi * frequency * time + phase)
    wave += overtone * np.cos(4 * np.pi * frequency * time + phase)
    return scaled(bell(time, duration / 4) * wave)


def wandering_line(
    time: FloatArray, frequency: float, depth: float, wander: float, duration: float, phase: float
) -> FloatArray:
    """Return a narrow line that drifts up and down.

    Args:
        time: [s].
        frequency: About which it drifts [Hz].
        depth: How far, relative.
        wander: How often [Hz].
        duration: [s].
        phase: Of the wave and of its drift [rad].
    """
    track = frequency * (1 + depth * np.sin(2 * np.pi * wander * time + phase))
    ends = np.clip((0.5 - np.abs(time / duration)) / 0.1, 0, 1)
    return np.sin(np.pi / 2 * ends) ** 2 * along(time, track, phase)


def _row(period: float, arches: float, **_: float) -> tuple[float, float]:
    return arches * period / 2, arches * period / 2


def _bell(duration: float, **_: float) -> tuple[float, float]:
    return duration, duration


_CHOSEN = "chosen after the pictures of Zevin et al. 2017, arXiv:1611.04596"
_STRENGTH = Range(0.4, 0.9)
FAMILIES: dict[str, Family] = {
    "fast_scattering": Family(
        fast_scattering,
        _row,
        {
            "peak_frequency": Range(35.0, 70.0),
            "period": Range(0.20, 0.35),
            "arches": Range(5, 10, "integer"),
            "seed": SEED,
        },
        "chosen after Soni et al. 2021, arXiv:2103.12104: arches that follow one another three to "
        "five times a second, as the ground moves at 1-6 Hz; O3a sample: peaks at 25-75 Hz, "
        "1-2.5 s, SNR 27-112",
        snr=Range(12.0, 120.0, "log"),
        whitened=True,
    ),
    "scratchy": Family(
        scratchy,
        half,
        {
            "frequency": Range(80.0, 160.0),
            "ripple": Range(0.05, 0.20),
            "nodes": Range(12.0, 25.0),
            "duration": Range(0.5, 2.5),
            "phase": PHASE,
        },
        "nodes: 12-15 and 25 a second, Gravity Spy wiki, Scratchy; the rest chosen after the O3a "
        "sample: peaks at 75-142 Hz, half of them 1.4-1.75 s; those of L1 in O3b "
        "last less",
        snr=Range(10.0, 150.0, "log"),
        whitened=True,
    ),
    "power_line": Family(
        power_line,
        _bell,
        {
            "mains": Range(49.8, 60.2),
            "duration": Range(0.2, 0.5),
            "second": _STRENGTH,
            "third": _STRENGTH,
            "seed": SEED,
        },
        f"{_CHOSEN}; the mains of Virgo and KAGRA (50 and 60 Hz) and of LIGO (60 Hz); harmonics "
        "are always there, so that it is no sine-Gaussian; O3a sample: peaks at 61-70 Hz",
        whitened=True,
        variants=(
            Variant(0.4, {"mains": Range(49.8, 50.2)}),
            Variant(0.6, {"mains": Range(59.8, 60.2)}),
        ),
    ),
    "helix": Family(
        helix,
        half,
        {
            "frequency": Range(120.0, 250.0),
            "depth": Range(0.35, 0.55),
            "duration": Range(0.15, 0.40),
            "turns": Range(1.0, 2.0),
            "phase": PHASE,
        },
        f"{_CHOSEN}: two paths that cross between 100 and 500 Hz within half a second",
        whitened=True,
    ),
    "violin_mode": Family(
        violin_mode,
        _bell,
        {
            "frequency": Range(300.0, 600.0),
            "overtone": Range(0.0, 0.7),
            "duration": Range(0.3, 0.8),
            "phase": PHASE,
        },
        f"{_CHOSEN}; strings of LIGO ring at 500 Hz and its multiples, those of Virgo from 300 Hz; "
        "O3a sample: six of ten up to 0.8-2 s, the highest peak at 1042 Hz; Q from 140, beyond "
        "any sine-Gaussian",
        whitened=True,
    ),
    "wandering_line": Family(
        wandering_line,
        half,
        {
            "frequency": Range(100.0, 800.0, "log"),
            "depth": Range(0.03, 0.12),
            "wander": Range(0.3, 1.0),
            "duration": Range(2.0, 4.0),
            "phase": PHASE,
        },
        f"{_CHOSEN}: a long squiggle; longer than anything else that is narrow, and within 12 % of "
        "its frequency, so that it is no sweep",
        snr=Range(25.0, 150.0, "log"),
        whitened=True,
    ),
}
"""The families, by label."""
