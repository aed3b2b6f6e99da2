"""Glitches of Gravity Spy that are long, narrow or periodic.

Sources are those of :mod:`models.simulation.waveforms.glitches_short`.
"""

import numpy as np

from models.simulation.waveforms.draws import PHASE, SEED, Family, Range, Variant, half
from models.simulation.waveforms.pieces import along, arch, bell, scaled
from transforms.arrays import FloatArray


def scattered_light(
    time: FloatArray,
    *,
    peak_frequency: float,
    period: float,
    arches: float,
    decay: float,
    phase: float,
) -> FloatArray:
    """Return arches of frequency n peak |sin(pi t / period)|, n from 1 to 6, in strain.

    The arches are those of light scattered off a swinging surface, Accadia et al. 2010,
    doi:10.1088/0264-9381/27/19/194011. Those of n > 1 are light that goes to and fro n times,
    Soni et al. 2021, arXiv:2007.14876.

    Args:
        time: [s].
        peak_frequency: Top of the lowest arch, n = 1 [Hz].
        period: Of an arch [s].
        arches: How many follow one another.
        decay: Amplitude of arch n + 1, relative to arch n.
        phase: Of n = 1 [rad]; the others have n times it.
    """
    length = arches * period
    since = np.clip(time + length / 2, 0, length)
    whole, part = np.divmod(since, period)
    cycles = peak_frequency * period / np.pi * (2 * whole + 1 - np.cos(np.pi * part / period))
    angle = 2 * np.pi * cycles + phase
    wave = sum(decay ** (n - 1) * np.cos(n * angle) for n in range(1, 7))
    # One arch is as loud all along; of several those in the middle are the loudest.
    envelope = np.abs(np.sin(np.pi * since / length)) ** (2 if arches > 1 else 0.5)
    return scaled(envelope * wave)


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
    time: FloatArray, frequency: float, ripple: float, nodes: float, duration: float, seed: float
) -> FloatArray:
    """Return a rippled path of bright nodes.

    Args:
        time: [s].
        frequency: Of the path [Hz].
        ripple: How far the path leaves it, relative.
        nodes: Bright nodes a second [Hz].
        duration: [s].
        seed: Settles how bright each node is, by a factor of up to three, and the phases.
    """
    rng = np.random.default_rng(int(seed))
    count = int(np.ceil(nodes * duration)) + 2
    loud, phase = rng.uniform(0.33, 1.0, count), rng.uniform(0, 2 * np.pi)
    since = (time + duration / 2) * nodes
    bright = loud[np.clip(np.floor(since).astype(int), 0, count - 1)]
    envelope = arch(time, duration) ** 0.3 * bright * np.sin(np.pi * since) ** 6
    swing = ripple * np.sin(2 * np.pi * since * 0.5 + phase)
    return scaled(envelope * along(time, frequency * (1 + swing), phase))


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


def air_compressor(
    time: FloatArray, frequency: float, rise: float, duration: float, phase: float
) -> FloatArray:
    """Return a thick, short line that bends upwards at its end.

    Args:
        time: [s].
        frequency: At first [Hz].
        rise: From there to the end [Hz].
        duration: [s].
        phase: [rad].
    """
    part = np.clip(time / duration + 0.5, 0, 1)
    return arch(time, duration) ** 0.5 * along(time, frequency + rise * part**3, phase)


def low_frequency_lines(
    time: FloatArray, frequency: float, slope: float, duration: float, phase: float
) -> FloatArray:
    """Return a narrow line at the lower end of the band, under a Gaussian of duration / 4.

    Args:
        time: [s].
        frequency: At the middle [Hz].
        slope: How far it goes within the duration, relative.
        duration: [s].
        phase: [rad].
    """
    track = frequency * (1 + slope * np.clip(time / duration, -1, 1))
    return bell(time, duration / 4) * along(time, track, phase)


def nodes(
    time: FloatArray,
    *,
    frequency: float,
    spread: float,
    width: float,
    count: float,
    duration: float,
    seed: float,
) -> FloatArray:
    """Return dots in a row at one frequency: 1080 Hz lines and 1400 Hz ripples.

    Args:
        time: [s].
        frequency: Of the row [Hz].
        spread: Standard deviation of the dots' frequencies [Hz].
        width: A dot's sigma [s].
        count: How many.
        duration: In which they lie [s].
        seed: Settles when each comes, and how loud, by a factor of up to three.
    """
    rng = np.random.default_rng(int(seed))
    shape = np.zeros(len(time))
    for _ in range(int(count)):
        late = time - duration * rng.uniform(-0.5, 0.5)
        pitch = frequency + spread * rng.standard_normal()
        wave = np.cos(2 * np.pi * pitch * late + rng.uniform(0, 2 * np.pi))
        shape += rng.uniform(0.33, 1.0) * bell(late, width) * wave
    return scaled(shape)


def violin_mode(
    time: FloatArray,
    *,
    frequency: float,
    split: float,
    second: float,
    third: float,
    duration: float,
    seed: float,
) -> FloatArray:
    """Return a string's tone and its overtones, under a Gaussian of sigma = duration / 4.

    Args:
        time: [s].
        frequency: Of the tone [Hz].
        split: Either is two, so far to the sides of it, relative: whitening takes out the middle.
        second: Amplitude of the first overtone, the tone being 1.
        third: Amplitude of the second one.
        duration: [s].
        seed: Settles the phases.
    """
    rng = np.random.default_rng(int(seed))
    wave = np.zeros(len(time))
    for number, strength in enumerate((1.0, second, third), 1):
        for side in (-1, 1):
            pitch = number * frequency * (1 + side * split)
            if pitch < 1800:
                wave += strength * np.cos(2 * np.pi * pitch * time + rng.uniform(0, 2 * np.pi))
    return scaled(bell(time, duration / 4) * wave)


def wandering_line(
    time: FloatArray,
    *,
    frequency: float,
    depth: float,
    wander: float,
    duration: float,
    pieces: float,
    seed: float,
) -> FloatArray:
    """Return a narrow line that drifts up and down.

    Args:
        time: [s].
        frequency: About which it drifts [Hz].
        depth: How far, relative.
        wander: How often [Hz].
        duration: [s].
        pieces: Into how many it is broken; each comes from below, and bends into the line.
        seed: Settles the phases, and where it is broken.
    """
    rng = np.random.default_rng(int(seed))
    phase = rng.uniform(0, 2 * np.pi)
    track = frequency * (1 + depth * np.sin(2 * np.pi * wander * time + phase))
    ends = np.clip((0.5 - np.abs(time / duration)) / 0.1, 0, 1)
    envelope = np.sin(np.pi / 2 * ends) ** 2
    if pieces > 1:
        breaks = np.sort(rng.uniform(-0.4, 0.4, int(pieces) - 1)) * duration
        for start, gap in zip(breaks, rng.uniform(0.03, 0.15, len(breaks)), strict=True):
            since = time - start - gap
            track = track * (1 - 0.08 * np.where(since > 0, np.exp(-since / 0.02), 0.0))
            envelope = envelope * np.clip(np.abs(since + gap / 2) / (gap / 2) - 1, 0, 1)
    return envelope * along(time, track, phase)


def _row(period: float, arches: float, **_: float) -> tuple[float, float]:
    return arches * period / 2, arches * period / 2


def _bell(duration: float, **_: float) -> tuple[float, float]:
    return duration, duration


def _dots(duration: float, width: float, **_: float) -> tuple[float, float]:
    return duration / 2 + 4 * width, duration / 2 + 4 * width


_CHOSEN = "chosen after the pictures of Zevin et al. 2017, arXiv:1611.04596"
_ONE_BOUNCE = Range(0.02, 0.5, "log")
FAMILIES: dict[str, Family] = {
    "scattered_light": Family(
        scattered_light,
        _row,
        {
            "peak_frequency": Range(8.0, 60.0),
            "period": Range(0.2, 4.0),
            "arches": Range(1, 9, "integer"),
            "decay": Range(0.02, 0.8, "log"),
            "phase": PHASE,
        },
        "rows: wdf.mock, 20-60 Hz, 0.5-2 s; chosen: from 28 Hz and from 0.7 s, slower than fast "
        "scattering, or below 32 Hz, lower than it, from 0.2 s, "
        "after quiet ones of L1 in O3; one slow arch of 2-4 s, 18-40 Hz "
        "at its top: chosen after arches in L1 in O2 and O3 and in the picture of Zevin et al. "
        "2017, arXiv:1611.04596; arches about 10 Hz above each other, of which the lowest lies "
        "below our band: Soni et al. 2021, arXiv:2007.14876, and real ones of O3; up to SNR 200",
        snr=Range(6.0, 200.0, "log"),
        variants=(
            Variant(
                0.25,
                {
                    "peak_frequency": Range(28.0, 60.0),
                    "period": Range(0.7, 2.0),
                    "arches": Range(2, 5, "integer"),
                    "decay": _ONE_BOUNCE,
                },
            ),
            Variant(
                0.15,
                {
                    "peak_frequency": Range(18.0, 32.0),
                    "period": Range(0.2, 0.6),
                    "arches": Range(4, 9, "integer"),
                    "decay": _ONE_BOUNCE,
                },
            ),
            Variant(
                0.3,
                {
                    "peak_frequency": Range(18.0, 40.0),
                    "period": Range(2.0, 4.0),
                    "arches": Range(1, 1, "integer"),
                    "decay": _ONE_BOUNCE,
                },
            ),
            Variant(
                0.3,
                {
                    "peak_frequency": Range(8.0, 14.0),
                    "period": Range(1.5, 4.0),
                    "arches": Range(1, 3, "integer"),
                    "decay": Range(0.1, 0.8, "log"),
                },
            ),
        ),
    ),
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
            "frequency": Range(80.0, 280.0, "log"),
            "ripple": Range(0.03, 0.20),
            "nodes": Range(12.0, 25.0),
            "duration": Range(0.2, 2.5),
            "seed": SEED,
        },
        "nodes: 12-15 and 25 a second, Gravity Spy wiki, Scratchy; the rest chosen after the O3a "
        "sample: peaks at 75-142 Hz, half of them 1.4-1.75 s; after the picture, with nodes at 180 "
        "to 300 Hz; and after those of L1 in O3b: short rows at 110-150 Hz, 15-20 a second",
        snr=Range(8.0, 150.0, "log"),
        whitened=True,
        variants=(
            Variant(0.6, {"duration": Range(0.5, 2.5)}),
            Variant(
                0.4,
                {
                    "frequency": Range(105.0, 155.0),
                    "nodes": Range(14.0, 21.0),
                    "duration": Range(0.2, 0.7),
                },
            ),
        ),
    ),
    "power_line": Family(
        power_line,
        _bell,
        {
            "mains": Range(49.8, 60.2),
            "duration": Range(0.2, 1.2),
            "second": Range(0.0, 0.9),
            "third": Range(0.0, 0.9),
            "seed": SEED,
        },
        f"{_CHOSEN}: 60 Hz, a narrow line of 0.4 s without harmonics; the mains of Virgo and KAGRA "
        "(50 and 60 Hz) and of LIGO (60 Hz); chosen: at 50 Hz always with harmonics, which air "
        "compressors lack; O3a sample: peaks at 61-70 Hz",
        whitened=True,
        variants=(
            Variant(
                0.35,
                {
                    "mains": Range(49.8, 50.2),
                    "second": Range(0.4, 0.9),
                    "third": Range(0.4, 0.9),
                },
            ),
            Variant(
                0.65,
                {
                    "mains": Range(59.8, 60.2),
                    "second": Range(0.0, 0.5),
                    "third": Range(0.0, 0.4),
                    "duration": Range(0.3, 1.2),
                },
            ),
        ),
    ),
    "air_compressor": Family(
        air_compressor,
        half,
        {
            "frequency": Range(46.0, 51.0),
            "rise": Range(1.0, 8.0),
            "duration": Range(0.15, 0.4),
            "phase": PHASE,
        },
        f"{_CHOSEN}: a thick line of 0.2-0.3 s at 50 Hz that bends upwards at its end",
        snr=Range(8.0, 80.0, "log"),
        whitened=True,
    ),
    "low_frequency_lines": Family(
        low_frequency_lines,
        _bell,
        {
            "frequency": Range(17.0, 26.0, "log"),
            "slope": Range(-0.03, 0.03),
            "duration": Range(1.5, 4.0),
            "phase": PHASE,
        },
        f"{_CHOSEN}: a narrow line of 2 s at 19 Hz; those below our band, from 16 Hz, are left "
        "out; straight, where a scattering arch bends down",
        snr=Range(8.0, 60.0, "log"),
        whitened=True,
    ),
    "1080_lines": Family(
        nodes,
        _dots,
        {
            "frequency": Range(1065.0, 1095.0),
            "spread": Range(5.0, 20.0),
            "width": Range(0.005, 0.015),
            "count": Range(3, 12, "integer"),
            "duration": Range(0.05, 0.5),
            "seed": SEED,
        },
        f"{_CHOSEN}: faint dots in a row at 1080 Hz, for up to half a second",
        snr=Range(6.0, 40.0, "log"),
        whitened=True,
        least_rate=4096,
    ),
    "1400_ripples": Family(
        nodes,
        _dots,
        {
            "frequency": Range(1370.0, 1560.0),
            "spread": Range(5.0, 30.0),
            "width": Range(0.005, 0.015),
            "count": Range(1, 5, "integer"),
            "duration": Range(0.02, 0.1),
            "seed": SEED,
        },
        f"{_CHOSEN}: a bright row of dots of 50 ms between 1400 and 1550 Hz",
        snr=Range(6.0, 60.0, "log"),
        whitened=True,
        least_rate=4096,
    ),
    "violin_mode": Family(
        violin_mode,
        _bell,
        {
            "frequency": Range(300.0, 600.0),
            "split": Range(0.0, 0.1),
            "second": Range(0.0, 1.0),
            "third": Range(0.0, 0.8),
            "duration": Range(0.04, 0.8, "log"),
            "seed": SEED,
        },
        f"{_CHOSEN}: pairs of dots of 30 ms at 500, 1000 and 1500 Hz; strings of LIGO ring at 500 "
        "Hz and its multiples, those of Virgo from 300 Hz; O3a sample: six of ten up to 0.8-2 s, "
        "the highest peak at 1042 Hz; long ones have a Q from 140, beyond any sine-Gaussian, short "
        "ones have overtones",
        whitened=True,
        variants=(
            Variant(
                0.5,
                {
                    "frequency": Range(460.0, 540.0),
                    "split": Range(0.02, 0.1),
                    "second": Range(0.3, 1.0),
                    "third": Range(0.1, 0.8),
                    "duration": Range(0.04, 0.15, "log"),
                },
            ),
            Variant(
                0.5,
                {
                    "split": Range(0.0, 0.01),
                    "second": Range(0.0, 0.7),
                    "third": Range(0.0, 0.4),
                    "duration": Range(0.3, 0.8),
                },
            ),
        ),
    ),
    "wandering_line": Family(
        wandering_line,
        half,
        {
            "frequency": Range(100.0, 1200.0, "log"),
            "depth": Range(0.01, 0.12),
            "wander": Range(0.3, 1.0),
            "duration": Range(2.0, 4.0),
            "pieces": Range(1, 12, "integer"),
            "seed": SEED,
        },
        f"{_CHOSEN}: a long squiggle, or a bright line near 1080 Hz in pieces each of which comes "
        "from below; longer than anything else that is narrow, and within 12 % of its frequency, "
        "so that it is no sweep",
        snr=Range(25.0, 150.0, "log"),
        whitened=True,
        variants=(
            Variant(0.5, {"pieces": Range(1, 1, "integer"), "depth": Range(0.03, 0.12)}),
            Variant(0.5, {"pieces": Range(3, 12, "integer")}),
        ),
    ),
}
"""The families, by label."""
