"""Glitches of Gravity Spy that are short or broad, beside the fitted ones.

Names and looks are those of Zevin et al. 2017, arXiv:1611.04596. They publish pictures, not
parameters: ranges are chosen after these pictures, held against 170 classified glitches of H1 in
O3a (Glanzer et al. 2021, doi:10.5281/zenodo.5649212; "O3a sample" below, 10 to a class), and kept
apart from one another.
"""

import numpy as np

from models.simulation.waveforms import fitted
from models.simulation.waveforms.draws import SEED, Family, Range
from models.simulation.waveforms.pieces import (
    along,
    angle,
    arch,
    bell,
    dispersed,
    flutter,
    put,
    scaled,
)
from transforms.arrays import FloatArray


def low_frequency_burst(
    time: FloatArray, top: float, duration: float, pieces: float, seed: float
) -> FloatArray:
    """Return humps of noise that fill the band from its lower end up to a top.

    Args:
        time: [s].
        top: Up to where the loudest hump reaches [Hz].
        duration: Of all [s].
        pieces: How many humps.
        seed: Settles their noise, and how they fall in frequency.
    """
    rng = np.random.default_rng(int(seed))
    each = duration / pieces
    shape = np.zeros(len(time))
    for number in range(int(pieces)):
        late = time + duration / 2 - (number + rng.uniform(0.4, 0.6)) * each
        height = top * rng.uniform(0.8, 1.0)
        # Each falls from its top to 10 Hz, as the one in the picture; most of it, below the band.
        track = 10 + (height - 10) * np.clip(0.5 - late / each, 0, 1)
        noise = flutter(time, 3.0, rng) * np.exp(1j * angle(time, track))
        shape += rng.uniform(0.6, 1.0) * bell(late, each / 5) * noise.real
    return scaled(shape)


def extremely_loud(
    time: FloatArray, top: float, duration: float, slope: float, seed: float
) -> FloatArray:
    """Return a pillar of all frequencies up to a top [Hz], longest below, on a ragged base.

    Args:
        time: [s].
        top: Highest frequency [Hz].
        duration: At 20 Hz [s], four times its Gaussian's sigma.
        slope: The pillar's duration falls as the frequency to this power.
        seed: Settles the phases, and the packets of which the base is made.
    """
    rng = np.random.default_rng(int(seed))
    shape = np.zeros(len(time))
    for frequency in np.geomspace(20, top, 32):
        sigma = max(duration / 4 * (frequency / 20) ** -slope, 0.5 / frequency)
        wave = np.cos(2 * np.pi * frequency * time + rng.uniform(0, 2 * np.pi))
        shape += bell(time, sigma) * wave / np.sqrt(sigma)
    base = np.zeros(len(time))
    for _ in range(12):
        frequency = float(np.exp(rng.uniform(np.log(18), np.log(100))))
        late = time - duration * rng.uniform(-0.5, 0.5)
        wave = np.cos(2 * np.pi * frequency * late + rng.uniform(0, 2 * np.pi))
        base += rng.uniform(0.3, 1.0) * bell(late, 0.5 / frequency) * wave
    base *= rng.uniform(0.2, 0.8) * np.linalg.norm(shape) / np.linalg.norm(base)
    return scaled(shape + base)


def helix(
    time: FloatArray,
    *,
    low: float,
    high: float,
    width: float,
    turns: float,
    count: float,
    spacing: float,
    seed: float,
) -> FloatArray:
    """Return pillars of two strands that wind about each other as the frequency rises.

    Args:
        time: Uniform grid that holds zero [s].
        low: Lowest frequency [Hz].
        high: Highest frequency [Hz].
        width: How far a strand leaves the middle at 100 Hz [s].
        turns: Windings between the two frequencies.
        count: How many pillars; the reference is the first.
        spacing: From one to the next [s], within 25 %.
        seed: Settles where the strands begin, the spacings and how loud each pillar is.
    """
    rng = np.random.default_rng(int(seed))
    step = float(time[1] - time[0])
    frequency = np.geomspace(low / 4, 4 * high, 512)
    part = np.log(frequency / low) / np.log(high / low)
    swing = np.cos(2 * np.pi * turns * part + rng.uniform(0, 2 * np.pi))
    delay = width * np.clip((100 / frequency) ** 0.4, 0, 2) * swing
    strands = [dispersed(step, low, high, frequency, side * delay) for side in (-1, 1)]
    one = strands[0] + strands[1]
    shape, at = np.zeros(len(time)), 0.0
    for _ in range(int(count)):
        put(shape, rng.uniform(0.5, 1.0) * one, round((at - time[0]) / step))
        at += spacing * rng.uniform(0.75, 1.25)
    return scaled(shape)


def paired_doves(
    time: FloatArray, top: float, duration: float, count: float, spacing: float, seed: float
) -> FloatArray:
    """Return sweeps that fall and rise in turn, each crossed by a weaker one that goes back.

    Args:
        time: [s].
        top: Highest frequency [Hz]; the lowest is 12 Hz.
        duration: Of a sweep [s].
        count: How many.
        spacing: From one to the next [s]: half a period of the mirror that swings.
        seed: Settles which way the first goes, and how loud each is.
    """
    rng = np.random.default_rng(int(seed))
    falls = bool(rng.integers(2))
    shape = np.zeros(len(time))
    for number in range(int(count)):
        late = time - (number - (count - 1) / 2) * spacing
        part = np.clip(late / duration + 0.5, 0, 1)
        loud = rng.uniform(0.6, 1.0)
        for strength, way in ((1.0, falls), (rng.uniform(0.1, 0.35), not falls)):
            # Steep at the top, and ever flatter below.
            down = part if way else 1 - part
            track = 12 + (top - 12) * (1 - down) ** 3
            wave = along(time, track, rng.uniform(0, 2 * np.pi))
            shape += loud * strength * arch(late, duration) ** 0.5 * wave
        falls = not falls
    return scaled(shape)


def light_modulation(
    time: FloatArray, top: float, duration: float, pillars: float, base: float, seed: float
) -> FloatArray:
    """Return pillars at random times, and slow swings between them.

    Args:
        time: [s].
        top: Highest frequency of the pillars [Hz].
        duration: Of all [s].
        pillars: How many, beside the first.
        base: Energy of the swings, that of the pillars being 1.
        seed: Settles all else.
    """
    rng = np.random.default_rng(int(seed))
    shape, swings = np.zeros(len(time)), np.zeros(len(time))
    times = duration * np.append(0.0, rng.uniform(-0.5, 0.5, int(pillars)))
    frequency = np.geomspace(5, 2000, 512)
    step = float(time[1] - time[0])
    for number, at in enumerate(times):
        loud = 1.0 if number == 0 else rng.uniform(0.3, 1.0)
        # What is slow comes late, by up to a tenth of a second at 30 Hz.
        lag = rng.uniform(-0.02, 0.1) * np.clip(30 / frequency, 0, 2) ** 1.5
        low = np.exp(rng.uniform(np.log(30), np.log(200)))
        one = dispersed(step, low, top * rng.uniform(0.5, 1.0), frequency, lag)
        put(shape, loud * rng.choice([-1, 1]) * one, round((at - time[0]) / step))
        for _ in range(2):
            late = time - at - rng.uniform(-0.15, 0.25)
            slow, turns = rng.uniform(12, 36), rng.uniform(1.0, 6.0)
            wave = np.cos(2 * np.pi * slow * late + rng.uniform(0, 2 * np.pi))
            swings += loud * rng.uniform(0.3, 1.0) * bell(late, turns / (2 * np.pi * slow)) * wave
    swings *= np.sqrt(base) * np.linalg.norm(shape) / np.linalg.norm(swings)
    ends = np.clip((0.5 * duration + 0.5 - np.abs(time)) / 0.1, 0, 1)
    return scaled(ends * (shape + swings))


def repeating_blips(
    time: FloatArray, *, count: float, spacing: float, seed: float, **blip: float
) -> FloatArray:
    """Return blips one after another; the reference is the first.

    Args:
        time: Uniform grid that holds zero [s].
        count: How many.
        spacing: From one to the next [s], within 25 %.
        seed: Settles the spacings, and how loud each is, by a factor of up to 2.5.
        blip: The parameters of `fitted.fit`.
    """
    rng = np.random.default_rng(int(seed))
    step = float(time[1] - time[0])
    one = fitted.fit(time, **blip)
    shape, at = np.zeros(len(time)), 0.0
    for _ in range(int(count)):
        shape += rng.uniform(0.4, 1.0) * np.roll(one, round(at / step))
        at += spacing * rng.uniform(0.75, 1.25)
    return scaled(shape)


def _train(count: float, spacing: float, **_: float) -> tuple[float, float]:
    return fitted.REACH, 1.25 * (count - 1) * spacing + fitted.REACH


_TRAIN = {"count": Range(3, 7, "integer"), "spacing": Range(0.15, 0.40), "seed": SEED}
_CHOSEN = "chosen after the pictures of Zevin et al. 2017, arXiv:1611.04596"
FAMILIES: dict[str, Family] = {
    "low_frequency_burst": Family(
        low_frequency_burst,
        lambda duration, **_: (duration, duration),
        {
            "top": Range(19.0, 30.0),
            "duration": Range(0.4, 1.6),
            "pieces": Range(1, 2, "integer"),
            "seed": SEED,
        },
        f"{_CHOSEN}: humps at the lower end of the band that fall in frequency; O3a sample: peaks "
        "at 11-12 Hz, of which our band, from 16 Hz, holds the upper end alone; noise that fills "
        "all below its top, where a scattering arch is a line",
        snr=Range(8.0, 100.0, "log"),
        whitened=True,
    ),
    "extremely_loud": Family(
        extremely_loud,
        lambda duration, **_: (duration, duration),
        {
            "top": Range(800.0, 1800.0),
            "duration": Range(0.2, 1.6, "log"),
            "slope": Range(0.6, 1.2),
            "seed": SEED,
        },
        f"{_CHOSEN}; O3a sample: SNR 44-1675, median 413",
        snr=Range(200.0, 3000.0, "log"),
        whitened=True,
    ),
    "helix": Family(
        helix,
        lambda count, spacing, **_: (0.25, 1.25 * (count - 1) * spacing + 0.25),
        {
            "low": Range(40.0, 80.0),
            "high": Range(500.0, 1000.0),
            "width": Range(0.006, 0.02),
            "turns": Range(1.5, 3.0),
            "count": Range(1, 4, "integer"),
            "spacing": Range(0.15, 0.45),
            "seed": SEED,
        },
        f"{_CHOSEN}: two strands that wind about each other from 40 to 900 Hz within 40 ms, one "
        "such pillar after another",
        snr=Range(8.0, 80.0, "log"),
        whitened=True,
    ),
    "paired_doves": Family(
        paired_doves,
        lambda duration, count, spacing, **_: 2 * (((count - 1) * spacing + duration) / 2,),
        {
            "top": Range(60.0, 120.0),
            "duration": Range(0.25, 0.5),
            "count": Range(2, 4, "integer"),
            "spacing": Range(0.8, 1.4),
            "seed": SEED,
        },
        f"{_CHOSEN}: sweeps between 15 and 70 Hz that fall and rise in turn, 1.2 s apart, as a "
        "mirror swings at 0.4 Hz",
        snr=Range(12.0, 60.0, "log"),
        whitened=True,
    ),
    "light_modulation": Family(
        light_modulation,
        lambda duration, **_: 2 * (duration / 2 + 0.5,),
        {
            "top": Range(300.0, 1800.0, "log"),
            "duration": Range(0.6, 3.5),
            "pillars": Range(1, 7, "integer"),
            "base": Range(0.3, 20.0, "log"),
            "seed": SEED,
        },
        f"{_CHOSEN}, and four real ones of H1 and L1 in O3 of SNR 57-180: pillars of up to 1 kHz, "
        "one or several a second, and humps below 40 Hz, of 0.1 to 0.6 s, that are often louder",
        snr=Range(15.0, 300.0, "log"),
        whitened=True,
    ),
    "repeating_blips": Family(
        repeating_blips,
        _train,
        {**fitted.RANGES, **_TRAIN},
        f"blips; {_CHOSEN}: 0.25-0.5 s apart, and not evenly; up to 0.4 s, since the model sees "
        "0.5 s ahead; O3a sample: peaks at 72-218 Hz",
        snr=Range(12.0, 100.0, "log"),
        whitened=True,
        joint=lambda rng, snr: {
            **fitted.drawn("blip", rng, snr),
            **{name: span.draw(rng) for name, span in _TRAIN.items()},
        },
    ),
}
"""The families, by label."""
