"""Glitches of Gravity Spy that are short or broad: blips and their kin, and the loud ones.

Names and looks are those of Zevin et al. 2017, arXiv:1611.04596, and, for the low-frequency
blip, of Soni et al. 2021, arXiv:2103.12104. They publish pictures, not parameters: ranges are
chosen after these pictures, held against 170 classified glitches of H1 in O3a (Glanzer et al.
2021, doi:10.5281/zenodo.5649212; "O3a sample" below, 10 to a class), and kept apart from one
another.
"""

import numpy as np

from models.simulation.waveforms.draws import PHASE, SEED, Family, Range
from models.simulation.waveforms.pieces import band_noise, bell, scaled
from transforms.arrays import FloatArray


def blip(time: FloatArray, frequency: float, q: float, phase: float) -> FloatArray:
    """Return an oscillation that rises with tau = q / (2 pi frequency) and decays in 3 tau."""
    tau = q / (2 * np.pi * frequency)
    envelope = np.exp(np.where(time < 0, time / tau, -time / (3 * tau)))
    return envelope * np.cos(2 * np.pi * frequency * time + phase)


def low_frequency_blip(
    time: FloatArray, frequency: float, duration: float, phase: float
) -> FloatArray:
    """Return a few slow cycles [Hz] under a Gaussian of sigma = duration / 4."""
    return bell(time, duration / 4) * np.cos(2 * np.pi * frequency * time + phase)


def tomte(time: FloatArray, base: float, top: float, duration: float, phase: float) -> FloatArray:
    """Return a triangle: long at its base frequency, ever shorter up to its top.

    Args:
        time: [s].
        base: Lowest frequency [Hz].
        top: Highest frequency [Hz].
        duration: Of the base [s]: four times its Gaussian's sigma.
        phase: Of the base [rad]; those above it are out of step, or it would be a pulse.
    """
    shape = np.zeros(len(time))
    for number, height in enumerate(np.linspace(0.0, 1.0, 7)):
        frequency = base * (top / base) ** height
        sigma = max(duration / 4 * (1 - height), 0.5 / frequency)
        wave = np.cos(2 * np.pi * frequency * time + phase + 2 * number**2)
        shape += (1 - 0.6 * height) * bell(time, sigma) * wave
    return scaled(shape)


def koi_fish(
    time: FloatArray, body: float, fin: float, spread: float, top: float, seed: float
) -> FloatArray:
    """Return a fish that looks up: a slow body, a head of all frequencies, two fins.

    Args:
        time: [s].
        body: Frequency of the body [Hz].
        fin: Frequency of the fins [Hz].
        spread: From the head to a fin, and the body's sigma [s].
        top: Highest frequency of the head [Hz].
        seed: Settles the phases.
    """
    phases = np.random.default_rng(int(seed)).uniform(0, 2 * np.pi, 3)
    shape = 0.5 * bell(time, spread) * np.cos(2 * np.pi * body * time + phases[0])
    for frequency in np.geomspace(1.5 * body, top, 8):
        wave = np.cos(2 * np.pi * frequency * time + phases[0])
        shape += 0.5 * bell(time, 0.6 / frequency) * wave
    for side, phase in ((-1.0, phases[1]), (1.0, phases[2])):
        late = time - side * spread
        shape += 0.4 * bell(late, 0.8 / fin) * np.cos(2 * np.pi * fin * late + phase)
    return scaled(shape)


def low_frequency_burst(
    time: FloatArray, frequency: float, duration: float, seed: float
) -> FloatArray:
    """Return noise about a low frequency [Hz] under a Gaussian of sigma = duration / 4."""
    # A band so narrow that its noise does not fall into blips.
    noise = band_noise(time, 0.92 * frequency, 1.08 * frequency, np.random.default_rng(int(seed)))
    return scaled(bell(time, duration / 4) * noise)


def extremely_loud(time: FloatArray, top: float, duration: float, seed: float) -> FloatArray:
    """Return a pillar of all frequencies up to a top [Hz], longest below.

    Args:
        time: [s].
        top: Highest frequency [Hz].
        duration: At 20 Hz [s], four times its Gaussian's sigma; half of that at ten times
            the frequency.
        seed: Settles the phases.
    """
    phases = np.random.default_rng(int(seed)).uniform(0, 2 * np.pi, 24)
    shape = np.zeros(len(time))
    for frequency, phase in zip(np.geomspace(20, top, 24), phases, strict=True):
        sigma = duration / 4 * (frequency / 20) ** -0.3
        shape += bell(time, sigma) * np.cos(2 * np.pi * frequency * time + phase)
    return scaled(shape)


def repeating_blips(
    time: FloatArray, frequency: float, q: float, phase: float, count: float, spacing: float
) -> FloatArray:
    """Return blips one after another, ``spacing`` [s] apart; the reference is the first."""
    return sum(
        (blip(time - k * spacing, frequency, q, phase) for k in range(int(count))),
        start=np.zeros(len(time)),
    )


def _tails(frequency: float, q: float, **_: float) -> tuple[float, float]:
    tau = q / (2 * np.pi * frequency)
    return 6 * tau, 18 * tau


def _train(count: float, spacing: float, **blips: float) -> tuple[float, float]:
    before, after = _tails(**blips)
    return before, (count - 1) * spacing + after


_BLIP = {"frequency": Range(80.0, 500.0), "q": Range(0.7, 2.5), "phase": PHASE}
_CHOSEN = "chosen after the pictures of Zevin et al. 2017, arXiv:1611.04596"
FAMILIES: dict[str, Family] = {
    "blip": Family(
        blip,
        _tails,
        _BLIP,
        "wdf.mock, defaults.toml: 80-500 Hz, Q 2-5, decay three times the rise; chosen: Q "
        "0.7-2.5, so that it lasts the 10 ms that Cabero et al. 2019, arXiv:1901.05093, give and "
        "is shorter than sine-Gaussians and ring-downs; O3a sample: peaks at 75-333 Hz, half of "
        "them 115-218 Hz",
    ),
    "low_frequency_blip": Family(
        low_frequency_blip,
        lambda duration, **_: (duration, duration),
        {"frequency": Range(20.0, 45.0), "duration": Range(0.12, 0.20), "phase": PHASE},
        "chosen after Soni et al. 2021, arXiv:2103.12104: a blip below 60 Hz; up to 45 Hz and "
        "longer than 0.12 s, several cycles, so that it is no Gaussian pulse",
        whitened=True,
    ),
    "koi_fish": Family(
        koi_fish,
        lambda spread, **_: (3 * spread, 3 * spread),
        {
            "body": Range(25.0, 45.0),
            "fin": Range(60.0, 120.0),
            "spread": Range(0.08, 0.18),
            "top": Range(500.0, 1200.0),
            "seed": SEED,
        },
        f"{_CHOSEN}; O3a sample: SNR 49-686, median 195; peaks at 49-269 Hz",
        snr=Range(30.0, 400.0, "log"),
        whitened=True,
    ),
    "tomte": Family(
        tomte,
        lambda duration, **_: (duration, duration),
        {
            "base": Range(30.0, 45.0),
            "top": Range(130.0, 250.0),
            "duration": Range(0.25, 0.5),
            "phase": PHASE,
        },
        f"{_CHOSEN}; O3a sample: peaks at 32-61 Hz, SNR 16-42; longer than low-frequency blips",
        whitened=True,
    ),
    "low_frequency_burst": Family(
        low_frequency_burst,
        lambda duration, **_: (duration, duration),
        {"frequency": Range(18.0, 25.0), "duration": Range(0.8, 1.6), "seed": SEED},
        f"{_CHOSEN}: a hump at the lower end of the band; O3a sample: peaks at 11-12 Hz, of which "
        "our band, from 16 Hz, holds the upper end alone",
        snr=Range(8.0, 100.0, "log"),
        whitened=True,
    ),
    "extremely_loud": Family(
        extremely_loud,
        lambda duration, **_: (duration, duration),
        {"top": Range(800.0, 1500.0), "duration": Range(0.3, 2.0), "seed": SEED},
        f"{_CHOSEN}; O3a sample: SNR 44-1675, median 413; chosen: from 400, beyond koi fish",
        snr=Range(400.0, 3000.0, "log"),
        whitened=True,
    ),
    "repeating_blips": Family(
        repeating_blips,
        _train,
        {**_BLIP, "count": Range(3, 6, "integer"), "spacing": Range(0.15, 0.40)},
        f"blips; {_CHOSEN}: 0.25-0.5 s apart; up to 0.4 s, since the model sees 0.5 s ahead; O3a "
        "sample: peaks at 72-218 Hz",
        snr=Range(12.0, 100.0, "log"),
    ),
}
"""The families, by label."""
