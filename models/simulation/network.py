"""Networks of detectors: stretches of noise with glitches, and of signals that all of them see.

Glitches are those of the families, independent between detectors. Their rates and shares are about
those of O3: 0.4, 1.1 and 0.7 a minute in H1, L1 and V1; a quarter of L1's are fast scattering (27 %
in Soni et al. 2021, arXiv:2103.12104). Shares of the others are chosen about what the catalogue of
Glanzer et al. 2023, arXiv:2208.12849, has of H1 and L1; V1's lean to scattered light and to low
frequencies. The number louder than an SNR falls as its power -2.2, but for families that say
themselves how loud they are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated

import numpy as np

from models.simulation import injections, noise, signals, sky
from models.simulation.background import Background
from models.simulation.injections import Injection
from models.simulation.matching import Stretch
from models.simulation.signals import Wave
from models.simulation.waveforms import Range
from transforms.arrays import FloatArray, RealArray
from transforms.checks import Limits, OneOf, check_values
from transforms.elements import Block
from transforms.gps import NANOSECONDS, from_seconds, to_ns
from transforms.whiten.config import WhitenConfig

RATE = injections.SOURCE_RATE
"""[Hz]."""
FIRST_GPS = 1_000_000_800
"""Begin of the first stretch, a whole hour of GPS time [s]."""
HOUR, DAY = 3600, 86_400
LEAD, TAIL = 72, 4
"""Strain before and after what is analysed of a stretch [s]: one PSD is made of 64 s."""
FIRST_SIGNAL = 8.0
"""Signals keep so far from what is not analysed [s]."""
BAND_LOW = 16.0
"""SNR is counted from here on [Hz]: the lower end of what whitening keeps."""
ENERGY = 0.02, 0.98
"""A signal's interval in a detector holds its whitened energy between these parts."""
_NOISE, _SIGNALS = 11, 12
"""Streams of randomness."""
MOST = 14 * DAY
"""A drift takes so long [s], and begins anew."""


@dataclass(frozen=True)
class PowerLaw(Range):
    """Numbers of which those above x fall as a power of x."""

    index: float = 2.2

    def at(self, variate: float) -> float:
        """Return the value that a number drawn evenly from 0 to 1 stands for."""
        low, high = self.low**-self.index, self.high**-self.index
        return float((low + (high - low) * variate) ** (-1 / self.index))


GLITCH_SNR = PowerLaw(5.0, 300.0)
"""Of glitches whose family has no law of its own."""
SIGNAL_SNR = Range(6.0, 40.0, "log")
"""Root of the sum of the squared optimal SNRs of all detectors."""


@dataclass(frozen=True)
class Detector:
    """A simulated detector."""

    curve: str
    """Name of its noise curve."""
    rate: float
    """Glitches of SNR 5 and more [1/min]."""
    shares: Mapping[str, float]
    """How frequent each family is among them; any sum."""


DETECTORS: Mapping[str, Detector] = MappingProxyType(
    {
        "H1": Detector(
            "aligo_O4high",
            0.4,
            {
                "blip": 3, "low_frequency_blip": 2, "tomte": 2, "koi_fish": 1,
                "scattered_light": 3, "whistle": 1.5, "scratchy": 0.5, "low_frequency_burst": 2,
                "extremely_loud": 0.2, "repeating_blips": 0.3, "power_line": 0.4, "unknown": 1,
                "ring_down": 0.3,
            },
        ),
        "L1": Detector(
            "aligo_O4high",
            1.1,
            {
                "blip": 3, "low_frequency_blip": 1, "tomte": 4, "koi_fish": 1.5,
                "scattered_light": 6, "fast_scattering": 8, "whistle": 1.5, "scratchy": 0.5,
                "low_frequency_burst": 2, "extremely_loud": 0.2, "repeating_blips": 0.3,
                "power_line": 0.2, "unknown": 1, "ring_down": 0.3,
            },
        ),
        "V1": Detector(
            "avirgo_O4high",
            0.7,
            {
                "blip": 2, "low_frequency_blip": 1, "tomte": 1, "scattered_light": 8,
                "whistle": 1, "low_frequency_burst": 4, "power_line": 2, "violin_mode": 1,
                "wandering_line": 0.3, "unknown": 2, "ring_down": 0.3,
            },
        ),
    }
)  # fmt: skip
"""The detectors, by name."""


def _even(second: FloatArray) -> FloatArray:
    return np.ones_like(second)


def _day_and_night(second: FloatArray) -> FloatArray:
    return 1 + 9 / 11 * np.sin(2 * np.pi * second / DAY)


def _storm(second: FloatArray) -> FloatArray:
    inside = (second % DAY >= 10 * HOUR) & (second % DAY < 11 * HOUR)
    return np.where(inside, 10.0, 1.0) * 24 / 33


def _drift(second: FloatArray) -> FloatArray:
    return np.asarray(10 ** (second % MOST / MOST) * np.log(10) / 9)


NOISES: Mapping[str, Callable[[FloatArray], FloatArray]] = MappingProxyType(
    {"stationary": _even, "day_and_night": _day_and_night, "storm": _storm, "drift": _drift}
)
"""By what rates of glitches are higher, alike in all detectors, at seconds from the first hour:
always 1; ten times as high by day as by night; for one hour a day; after 14 days, growing. The
mean is 1."""
HIGHEST: Mapping[str, float] = MappingProxyType(
    {"stationary": 1.0, "day_and_night": 20 / 11, "storm": 240 / 33, "drift": 10 * np.log(10) / 9}
)
"""Largest values of these."""


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """What a network is, and what its stretches are."""

    detectors: tuple[str, ...] = tuple(DETECTORS)
    """Names, rising."""
    seconds: Annotated[int, Limits(ge=16)] = 600
    """Analysed of each stretch [s]."""
    noise: Annotated[str, OneOf(tuple(NOISES))] = "stationary"
    """How rates of glitches wander."""
    gap: Annotated[float, Limits(ge=2)] = 5.0
    """Between one signal's end and the next one's begin [s]."""

    def __post_init__(self) -> None:
        check_values(self)
        unknown = sorted(set(self.detectors) - set(DETECTORS))
        if unknown or not self.detectors:
            raise ValueError(f"detectors {unknown} are not among {', '.join(DETECTORS)}")
        if sorted(set(self.detectors)) != list(self.detectors):
            raise ValueError("detectors must be in the order of their names, each once")

    def start_ns(self, number: int) -> int:
        """Return where a stretch begins [GPS ns]; they follow one another without gaps."""
        return (FIRST_GPS + number * self.seconds) * NANOSECONDS


@dataclass(frozen=True, kw_only=True)
class Signal:
    """The truth about one signal."""

    kind: str
    gps: float
    """When it passes the Earth's centre [GPS s]."""
    snr: float
    """Root of the sum of the detectors' squared optimal SNRs."""
    snrs: tuple[float, ...]
    """Optimal SNR in each detector, in the order of the configuration."""


@dataclass(frozen=True, kw_only=True)
class SignalStretch:
    """What all detectors hear in one stretch, and the truth."""

    signals: tuple[Signal, ...]
    heard: tuple[Stretch, ...]
    """Of each detector; all have one injection of each signal, in the order of the signals."""


def noise_stretch(
    ifo: str, number: int, config: NetworkConfig, whitening: WhitenConfig, seed: int
) -> Stretch:
    """Make a stretch of one detector's noise with its glitches.

    Args:
        ifo: The detector.
        number: Of the stretch.
        config: Length, and how rates wander.
        whitening: The pipeline's.
        seed: Every detector's stretch has a random stream of its own, which depends on this, on
            the detector and on the number alone.
    """
    rng = _stream(seed, _NOISE, number, ifo)
    detector = DETECTORS[ifo]
    back = _background(detector, number, config, rng)
    labels, shares = zip(*detector.shares.items(), strict=True)
    most = detector.rate / 60 * HIGHEST[config.noise] * back.seconds
    second = np.sort(rng.uniform(0, back.seconds, rng.poisson(most)))
    since_first = (back.start_ns / NANOSECONDS - FIRST_GPS) + second
    wanted = NOISES[config.noise](since_first) / HIGHEST[config.noise]
    strain = back.strain.copy()
    made: list[Injection] = []
    for at in second[rng.random(len(second)) < wanted]:
        label = str(rng.choice(labels, p=np.array(shares) / sum(shares)))
        drawn = injections.draw(label, RATE, GLITCH_SNR, rng, whitening.past_seconds)
        if drawn is None:
            continue
        first = round((at - len(drawn.shape) / RATE / 2) * RATE)
        key = f"{seed}/{ifo}/{number}/{len(made)}"
        heard, truth = injections.inject(drawn, back, first / RATE, whitening, key)
        _add(strain, heard, first)
        made.append(truth)
    return _stretch(ifo, back, strain, config, f"{seed}/{ifo}/{number}", tuple(made))


def signal_stretch(
    number: int, config: NetworkConfig, whitening: WhitenConfig, seed: int
) -> SignalStretch:
    """Make a stretch of all detectors' noise with signals from everywhere, without glitches.

    Kinds take turns in random order. Directions are even on the sphere, the network's SNR is
    drawn from ``SIGNAL_SNR``.

    Args:
        number: Of the stretch.
        config: Detectors, length and gap.
        whitening: The pipeline's.
        seed: As of `noise_stretch`.

    Raises:
        ValueError: LAL or LALSimulation is missing.
    """
    rng = _stream(seed, _SIGNALS, number)
    backs = [_background(DETECTORS[ifo], number, config, rng) for ifo in config.detectors]
    strains = [back.strain.copy() for back in backs]
    truth: list[Signal] = []
    heard: list[list[Injection]] = [[] for _ in backs]
    at, end = LEAD + FIRST_SIGNAL, backs[0].seconds - TAIL - FIRST_SIGNAL
    kinds: list[str] = []
    while True:
        kinds = kinds or [str(kind) for kind in rng.permutation(list(signals.KINDS))]
        wave = signals.draw(kinds.pop(), RATE, rng)
        length = len(wave.plus) / RATE - 2 * signals.QUIET
        if at + length > end:
            break
        first = round((at - signals.QUIET) * RATE)
        one, strain = _received(wave, first, config.detectors, backs, rng)
        for own, back, total, made in zip(strain, backs, strains, heard, strict=True):
            _add(total, own, first)
            key = f"{seed}/{number}/{len(truth)}"
            made.append(_injection(wave.kind, key, own, first, back, whitening))
        truth.append(one)
        at += length + config.gap
    stretches = tuple(
        _stretch(ifo, back, strain, config, f"{seed}/{ifo}/{number}", tuple(made))
        for ifo, back, strain, made in zip(config.detectors, backs, strains, heard, strict=True)
    )
    return SignalStretch(signals=tuple(truth), heard=stretches)


def _received(
    wave: Wave,
    first: int,
    detectors: tuple[str, ...],
    backs: list[Background],
    rng: np.random.Generator,
) -> tuple[Signal, list[FloatArray]]:
    """Send a wave from somewhere: return the truth, and each detector's strain, [time]."""
    gps = backs[0].start_ns / NANOSECONDS + (first + wave.reference) / RATE
    direction, snr = sky.Direction.draw(rng), SIGNAL_SNR.draw(rng)
    felt = [sky.response(ifo, direction, gps) for ifo in detectors]
    strain = [
        sky.delayed(one.plus * wave.plus + one.cross * wave.cross, one.delay, RATE) for one in felt
    ]
    snrs = np.array(
        [
            np.linalg.norm(noise.whitened(own, RATE, back.curve, BAND_LOW))
            for own, back in zip(strain, backs, strict=True)
        ]
    )
    gain = snr / float(np.linalg.norm(snrs))
    truth = Signal(kind=wave.kind, gps=gps, snr=snr, snrs=tuple((snrs * gain).tolist()))
    return truth, [own * gain for own in strain]


def _injection(
    kind: str,
    key: str,
    strain: FloatArray,
    first: int,
    back: Background,
    whitening: WhitenConfig,
) -> Injection:
    """Return the truth about a signal in one detector, whose interval holds its energy."""
    white = noise.whitened(strain, RATE, back.curve, whitening.low_frequency)
    energy = np.cumsum(white**2)
    low, high = np.searchsorted(energy, np.array(ENERGY) * energy[-1])
    return Injection(
        label=kind,
        key=key,
        snr=float(np.sqrt(energy[-1])),
        start_ns=back.start_ns + to_ns(first + int(low), RATE),
        end_ns=back.start_ns + to_ns(first + int(high) + 1, RATE),
        sample_rate=RATE,
        whitened=white[low : high + 1],
    )


def _stream(seed: int, kind: int, number: int, ifo: str = "") -> np.random.Generator:
    return np.random.default_rng((seed, kind, number, *ifo.encode()))


def _background(
    detector: Detector, number: int, config: NetworkConfig, rng: np.random.Generator
) -> Background:
    curve = noise.load(detector.curve)
    count = (LEAD + config.seconds + TAIL) * RATE
    return Background(
        name=detector.curve,
        curve=curve,
        sample_rate=RATE,
        start_ns=config.start_ns(number) - LEAD * NANOSECONDS,
        strain=np.asarray(noise.coloured(curve, count, RATE, rng, spare=0), np.float64),
    )


def _add(strain: FloatArray, part: RealArray, first: int) -> None:
    """Add a part to strain, in place; what lies outside is lost."""
    low, high = max(first, 0), min(first + len(part), len(strain))
    if low < high:
        strain[low:high] += part[low - first : high - first]


def _stretch(
    ifo: str,
    back: Background,
    strain: FloatArray,
    config: NetworkConfig,
    key: str,
    made: tuple[Injection, ...],
) -> Stretch:
    start = back.start_ns + LEAD * NANOSECONDS
    block: Block = replace(
        back.block(strain),
        ifo=ifo,
        channel=f"{ifo}:SIMULATED-STRAIN",
        analyse_start_ns=start,
        analyse_end_ns=start + from_seconds(config.seconds),
    )
    return Stretch(block=block, curve=back.name, key=key, injections=made)
