"""What is no family: random shapes that teach the model to say ``unknown``.

Outlier exposure, Hendrycks et al. 2019, arXiv:1812.04606. Ten kinds, each of which keeps from
the families in one thing that can be measured:

- falling sweeps from above 150 Hz and up-and-down ones: families rise (chirps, binaries, core
  collapse), fall and rise (whistles), or lie below 120 Hz (paired doves, low-frequency bursts);
- steps, and splines that cover at least a factor of 3 in frequency and stay below 1 kHz:
  wandering lines stay within 12 %, whistles go beyond;
- combs whose fundamental is 75 to 150 Hz, the mains' being 50 or 60 Hz;
- teeth: sawtooth envelopes on a carrier of 350 to 900 Hz, nodes of scratchy glitches lie below
  300 Hz and are round, blips have one tooth;
- groups of wave packets, each of another frequency; repeating blips are alike;
- bands of noise below 1250 Hz, 150 Hz wide and more, with no track in them: rows of dots at 1080
  and 1400 Hz are narrower;
- ring-downs backwards;
- tones of 730 to 960, 1180 to 1300 and 1650 to 1800 Hz with a Q of 10 to 30; sine-Gaussians,
  ring-downs and violin modes' fundamentals end at 700 Hz, 1080 Hz lines and 1400 Hz ripples
  lie between these bands.
"""

from collections.abc import Callable

import numpy as np
from scipy.interpolate import PchipInterpolator

from models.simulation.waveforms.draws import SEED, Family, Range
from models.simulation.waveforms.pieces import along, arch, band_noise, bell, scaled
from transforms.arrays import FloatArray

Generator = np.random.Generator
HIGH = ((730.0, 960.0), (1180.0, 1300.0), (1650.0, 1800.0))
"""Of tones [Hz]: what lies between is known."""
Kind = Callable[[FloatArray, float, Generator], FloatArray]
"""Gives a shape at times [s], of a duration [s], with what a generator draws."""


def _log(rng: Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def falling(time: FloatArray, duration: float, rng: Generator) -> FloatArray:
    """Return a sweep from above 150 Hz to below 90 Hz."""
    high, low = _log(rng, 180, 800), rng.uniform(30, 90)
    part = np.clip(time / duration + 0.5, 0, 1)
    track = high + (low - high) * part ** rng.uniform(0.5, 1.5)
    return arch(time, duration) * along(time, track)


def up_and_down(time: FloatArray, duration: float, rng: Generator) -> FloatArray:
    """Return a frequency that rises to above 300 Hz and falls again."""
    top, foot = _log(rng, 300, 1200), rng.uniform(60, 150)
    part = np.abs(2 * time / duration)
    track = foot + (top - foot) * np.clip(1 - part, 0, 1) ** rng.uniform(0.6, 2)
    return arch(time, duration) ** 0.5 * along(time, track)


def steps(time: FloatArray, duration: float, rng: Generator) -> FloatArray:
    """Return three to six tones one after another, neighbours a factor of 1.3 to 2.5 apart."""
    count = int(rng.integers(3, 7))
    frequencies = [_log(rng, 100, 500)]
    for _ in range(count - 1):
        factor = _log(rng, 1.3, 2.5)
        up = frequencies[-1] * factor < 900 and (frequencies[-1] < 130 or rng.random() < 0.5)
        frequencies.append(frequencies[-1] * factor if up else frequencies[-1] / factor)
    number = np.clip((time / duration + 0.5) * count, 0, count - 1e-9).astype(int)
    return arch(time, duration) ** 0.25 * along(time, np.maximum(frequencies, 40.0)[number])


def spline(time: FloatArray, duration: float, rng: Generator) -> FloatArray:
    """Return a smooth track through four to seven random frequencies, high and low in turn."""
    count = int(rng.integers(4, 8))
    centre = _log(rng, 120, 400)
    side = np.where(np.arange(count) % 2 == rng.integers(2), 1.0, -1.0)
    knots = np.log(centre) + side * rng.uniform(0.55, 0.9, count)
    at = np.linspace(-duration / 2, duration / 2, count)
    track = np.exp(PchipInterpolator(at, knots)(np.clip(time, at[0], at[-1])))
    return arch(time, duration) ** 0.5 * along(time, track)


def comb(time: FloatArray, duration: float, rng: Generator) -> FloatArray:
    """Return five to eight harmonics of 75 to 150 Hz."""
    fundamental, count = rng.uniform(75, 150), int(rng.integers(5, 9))
    shape = np.zeros(len(time))
    for number in range(1, count + 1):
        if number * fundamental < 1600:
            phase = rng.uniform(0, 2 * np.pi)
            wave = np.cos(2 * np.pi * number * fundamental * time + phase)
            shape += rng.uniform(0.5, 1) * wave
    return arch(time, duration) * shape


def teeth(time: FloatArray, duration: float, rng: Generator) -> FloatArray:
    """Return a tone under two to five teeth that grow slowly and end at once."""
    count, frequency = int(rng.integers(2, 6)), _log(rng, 350, 900)
    since = (time / duration + 0.5) * count
    inside = (since >= 0) & (since < count)
    heights = rng.uniform(0.5, 1, count)[np.clip(since, 0, count - 1e-9).astype(int)]
    return np.where(inside, heights * (since % 1) ** 2, 0.0) * np.cos(
        2 * np.pi * frequency * time + rng.uniform(0, 2 * np.pi)
    )


def group(time: FloatArray, duration: float, rng: Generator) -> FloatArray:
    """Return three to five wave packets, each of another frequency, at random times."""
    count = int(rng.integers(3, 6))
    frequencies = rng.permutation(np.geomspace(50, 1000, 8))[:count]
    times = np.sort(rng.uniform(-0.35, 0.35, count)) * duration
    shape = np.zeros(len(time))
    for frequency, at in zip(frequencies, times, strict=True):
        sigma = min(rng.uniform(4, 12) / (2 * np.pi * frequency), duration / 20)
        wave = np.cos(2 * np.pi * frequency * (time - at) + rng.uniform(0, 2 * np.pi))
        shape += rng.uniform(0.6, 1) / np.sqrt(sigma) * bell(time - at, sigma) * wave
    return shape


def burst(time: FloatArray, duration: float, rng: Generator) -> FloatArray:
    """Return noise in a band of 150 to 500 Hz."""
    width = rng.uniform(150, 500)
    low = _log(rng, 60, 1250 - width)
    return arch(time, duration) ** 0.5 * band_noise(time, low, low + width, rng)


def backwards(time: FloatArray, duration: float, rng: Generator) -> FloatArray:
    """Return a tone that grows exponentially, within the first half, and ends at once."""
    frequency, q = _log(rng, 80, 700), rng.uniform(25, 60)
    early = np.minimum(time, 0.0)
    rise = min(q / (np.pi * frequency), -float(time[0]) / 5)
    return np.where(time <= 0, np.exp(early / rise) * np.sin(2 * np.pi * frequency * early), 0.0)


def tone(time: FloatArray, duration: float, rng: Generator) -> FloatArray:
    """Return a tone above 730 Hz, beside known ones; the duration counts for nothing."""
    low, top = HIGH[int(rng.integers(len(HIGH)))]
    frequency, q = rng.uniform(low, top), _log(rng, 10, 30)
    wave = np.cos(2 * np.pi * frequency * time + rng.uniform(0, 2 * np.pi))
    return bell(time, q / (2 * np.pi * frequency)) * wave


KINDS: tuple[Kind, ...] = (
    falling, up_and_down, steps, spline, comb, teeth, group, burst, backwards, tone
)  # fmt: skip
"""The kinds, by their number."""


def unknown(time: FloatArray, kind: float, duration: float, seed: float) -> FloatArray:
    """Return a shape of no family; peak 1.

    Args:
        time: [s].
        kind: Index into ``KINDS``.
        duration: [s].
        seed: Settles all else.
    """
    return scaled(KINDS[int(kind)](time, duration, np.random.default_rng(int(seed))))


FAMILY = Family(
    unknown,
    lambda duration, **_: (max(duration / 2, 0.1), max(duration / 2, 0.1)),
    {
        "kind": Range(0, len(KINDS) - 1, "integer"),
        "duration": Range(0.1, 0.8, "log"),
        "seed": SEED,
    },
    "chosen: shapes that keep from all families, after Hendrycks et al. 2019, arXiv:1812.04606",
    whitened=True,
)
"""The family ``unknown``."""
