"""The training set: simulated transients in simulated noise, as our own detector sees them.

Every example is a trigger that whitening and detection made of a stretch of noise with
transients in it, so that the network learns what the pipeline will show it: the real
filter, the real peak times, the pieces into which a long signal falls.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated

import numpy as np

from models.simulation import background, injections, noise, waveforms
from models.simulation.background import Background, Piece
from models.simulation.injections import Injection
from models.simulation.matching import Example, Stretch, find, match
from models.simulation.strain import SHORTEST, Interval, RealStrain
from transforms.checks import Limits, OneOf, check_values
from transforms.detect.config import DetectConfig
from transforms.gps import from_seconds
from transforms.whiten.config import WhitenConfig

Progress = Callable[[str, int, int], None]
"""Told of a step's name, how much of it is done, and how much there is."""

EDGE = 8.0
"""Kept free of transients at either end of a stretch [s]; an eighth of one that is short."""
KNOWN_SNR = 6.0
"""Real strain may have transients of its own from here on: none is put beside them."""
LOUD_SNR = 8.0
"""And surely has from here on: these are left out, the quieter ones are learnt as noise. Nobody
can tell what they are, and a label that is not noise must mean more than that."""
KNOWN_REACH = 2.0
"""Kept free around these [s]: as much as a trigger's snippet holds."""
SPARE = 0.01
"""Kept free beside them [s], so that rounding to samples does not matter."""
TRIES = 8
"""So many transients in a row are drawn to fit into what is left of a stretch."""


@dataclass(frozen=True)
class SimulationConfig:
    """How much is simulated, of what, and in what noise."""

    curves: tuple[str, ...]
    """Noise curves, taken in turn."""
    stretches: Annotated[int, Limits(ge=0)]
    """Stretches with transients."""
    noise_stretches: Annotated[int, Limits(ge=0)]
    """Stretches without: where more of the class ``noise`` come from."""
    strain: tuple[RealStrain, ...] = ()
    """Stretches of real strain: ``detector``, ``start``, ``seconds``, and ``event`` with its
    ``time``, or ``file``; those without a file are looked for by detector and time."""
    strain_share: Annotated[float, Limits(ge=0, le=1)] = 0.25
    """Share of the stretches that are real, where there is ``strain``."""
    noise_strain_share: Annotated[float, Limits(ge=0, le=1)] = 0.75
    """The same of those without transients: what real noise looks like is there to be learnt."""
    sample_rates: tuple[int, ...] = (4096, 2048)
    """Drawn from for each stretch [Hz]."""
    seconds: Annotated[int, Limits(ge=4 * EDGE)] = 256
    """Length of a stretch [s]; real ones are as long as what there is at most."""
    shortest: Annotated[int, Limits(ge=0)] = 0
    """Shortest stretch, up to ``seconds`` uniform in the logarithm [s]; 0: all are as long."""
    low_snr: Annotated[float, Limits(ge=4)] = 5.0
    """Lowest optimal SNR; some families have a range of their own."""
    high_snr: float = 50.0
    """Highest optimal SNR."""
    snr_law: Annotated[str, OneOf(("log", "inverse"))] = "log"
    """How the SNR is drawn: ``log``, density as 1 / SNR, or ``inverse``, as 1 / SNR^2."""
    low_gap: Annotated[float, Limits(gt=0)] = 1.0
    """Shortest time between one transient's end and the next one's start [s]."""
    high_gap: float = 2.5
    """Longest time between one transient's end and the next one's start [s]."""
    noise_threshold: float = 4.6
    """Detector's threshold where there are no transients: least rank."""
    unknown_share: Annotated[float, Limits(ge=0, le=1)] = 0.1
    """Share of the transients that are of no family."""
    left_out: tuple[str, ...] = ()
    """Families of which there are none: measures how the model takes what it does not know."""
    modulation: Annotated[float, Limits(ge=0, le=0.5)] = 0.2
    """Greatest part by which the level of simulated noise drifts up and down, within minutes."""
    most_lines: Annotated[int, Limits(ge=0)] = 3
    """At most so many lines are added to simulated noise."""

    def __post_init__(self) -> None:
        check_values(self)
        _check_names(self)
        if not all(rate in (1024, 2048, injections.SOURCE_RATE) for rate in self.sample_rates):
            raise ValueError("sample_rates must be 1024, 2048 or 4096")
        if self.stretches + self.noise_stretches < 1:
            raise ValueError("stretches and noise_stretches must be at least 1 together")
        if self.shortest and not SHORTEST <= self.shortest <= self.seconds:
            raise ValueError(f"shortest must lie in {SHORTEST} to seconds, or be 0")
        if self.low_snr > self.high_snr or self.low_gap > self.high_gap:
            raise ValueError("low_snr must not be above high_snr, nor low_gap above high_gap")

    @property
    def families(self) -> tuple[str, ...]:
        """The labels that are drawn alike."""
        known = [label for label in waveforms.FAMILIES if label != waveforms.UNKNOWN]
        return tuple(label for label in known if label not in self.left_out)


def _check_names(config: SimulationConfig) -> None:
    unknown = sorted(set(config.curves) - set(noise.names()))
    if unknown or not (config.curves or config.strain):
        raise ValueError(f"curves {unknown} are not among {', '.join(noise.names())}")
    unknown = sorted(set(config.left_out) - set(waveforms.FAMILIES))
    if unknown:
        raise ValueError(f"left_out {unknown} are not among {', '.join(waveforms.FAMILIES)}")
    if not config.families:
        raise ValueError("left_out leaves no family")


def stretch(
    config: SimulationConfig,
    number: int,
    whitening: WhitenConfig,
    detection: DetectConfig,
    seed: tuple[int, ...],
) -> Stretch:
    """Make one stretch; those from ``config.stretches`` on are noise alone."""
    rng = np.random.default_rng((*seed, number))
    noise_alone, own = _background(config, number, whitening, detection, rng)
    strain, rate = noise_alone.strain.copy(), noise_alone.sample_rate
    key = f"{'.'.join(map(str, seed))}/{noise_alone.name}/{number}"
    made: list[Injection] = []
    if number < config.stretches:
        for drawn, at in _schedule(config, noise_alone, own.near, whitening, rng):
            name = f"{key}/{len(made)}"
            signal, injection = injections.inject(drawn, noise_alone, at, whitening, name)
            made.append(injection)
            first = round(at * rate)
            strain[first : first + len(signal)] += signal
    block = noise_alone.block(strain)
    return Stretch(
        block=block, curve=noise_alone.name, key=key, injections=tuple(made), known=own.loud
    )


@dataclass(frozen=True)
class _Own:
    """Times of what real strain has of its own."""

    near: tuple[Interval, ...] = ()
    """Where no transient is put."""
    loud: tuple[Interval, ...] = ()
    """What no example is made of."""


def _background(
    config: SimulationConfig,
    number: int,
    whitening: WhitenConfig,
    detection: DetectConfig,
    rng: np.random.Generator,
) -> tuple[Background, _Own]:
    """Take noise, and the times of its own transients."""
    seconds = config.seconds
    if config.shortest:
        seconds = round(np.exp(rng.uniform(*np.log([config.shortest, config.seconds]))))
    share = config.strain_share if number < config.stretches else config.noise_strain_share
    if config.strain and (not config.curves or rng.random() < share):
        # Each second of them is as frequent as another one.
        length = np.array([one.seconds for one in config.strain], float)
        real = config.strain[int(rng.choice(len(length), p=length / length.sum()))]
        part = background.real(real, seconds, config.sample_rates, rng)
        piece = background.piece_of(part, real)
        return part, _own(real, piece, part.sample_rate, whitening, detection)
    curve = config.curves[number % len(config.curves)]
    rate = int(rng.choice(config.sample_rates))
    modulation, most_lines = config.modulation, config.most_lines
    return background.simulated(curve, seconds, rate, rng, modulation, most_lines), _Own()


@lru_cache(maxsize=256)
def _own(
    real: RealStrain,
    piece: Piece,
    sample_rate: int,
    whitening: WhitenConfig,
    detection: DetectConfig,
) -> _Own:
    """Find the transients that real strain has of its own, the event that it is named by too."""
    whole = background.whole(real, piece, sample_rate)
    reach = from_seconds(KNOWN_REACH)
    found = [
        (t.snr, (t.start_ns - reach, t.end_ns + reach))
        for t in find(whole.block(whole.strain), whitening, detection)
    ]
    near, loud = (
        tuple(span for snr, span in found if snr >= least) for least in (KNOWN_SNR, LOUD_SNR)
    )
    return _Own(near + real.taken, loud + real.taken)


def _schedule(
    config: SimulationConfig,
    noise_alone: Background,
    known: tuple[Interval, ...],
    whitening: WhitenConfig,
    rng: np.random.Generator,
) -> Iterator[tuple[injections.Drawn, float]]:
    """Draw transients one after another: each and the second at which it starts."""
    snr = waveforms.Range(config.low_snr, config.high_snr, config.snr_law)
    start, rate = noise_alone.start_ns, noise_alone.sample_rate
    busy = [((low - start) / 1e9, (high - start) / 1e9) for low, high in known]
    edge = min(EDGE, noise_alone.seconds / 8)
    at, tries = edge, 0
    while tries < TRIES:
        label = _label(config, rate, rng)
        drawn = injections.draw(label, rate, snr, rng, whitening.past_seconds)
        if drawn is None:
            tries += 1
            continue
        length = len(drawn.shape) / rate
        begin = _free(at + rng.uniform(config.low_gap, config.high_gap), length, busy)
        if begin + length > noise_alone.seconds - edge:
            tries += 1
            continue
        yield drawn, begin
        at, tries = begin + length, 0


def _free(at: float, length: float, busy: list[tuple[float, float]]) -> float:
    """Return the first time from ``at`` on at which so much is free [s]."""
    for low, high in sorted(busy):
        if at < high and at + length > low:
            at = high + SPARE
    return at


def _label(config: SimulationConfig, rate: int, rng: np.random.Generator) -> str:
    """Draw a family of those that a sample rate [Hz] carries."""
    carried = [f for f in config.families if waveforms.FAMILIES[f].least_rate <= rate]
    unknown = waveforms.UNKNOWN not in config.left_out
    if unknown and (not carried or rng.random() < config.unknown_share):
        return waveforms.UNKNOWN
    if not carried:
        raise ValueError(f"left_out leaves no family that a sample rate of {rate} Hz carries")
    return carried[int(rng.integers(len(carried)))]


def stretch_examples(
    config: SimulationConfig,
    number: int,
    whitening: WhitenConfig,
    detection: DetectConfig,
    seed: tuple[int, ...],
) -> list[Example]:
    """Make one stretch, and return the examples found in it: the task of a process of a pool.

    Args:
        config: How much, in what noise.
        number: Of the stretch, below ``config.stretches + config.noise_stretches``.
        whitening: The pipeline's whitening.
        detection: The pipeline's detection; its threshold is ``config.noise_threshold``
            where there is no transient.
        seed: Every stretch has a random stream of its own that depends on this and on its
            number alone.
    """
    made = stretch(config, number, whitening, detection, seed)
    eager = replace(detection, threshold=config.noise_threshold)
    return match(find(made.block, whitening, detection if made.injections else eager), made)


def simulate(
    config: SimulationConfig,
    whitening: WhitenConfig,
    detection: DetectConfig,
    seed: tuple[int, ...],
    progress: Progress = lambda *_: None,
) -> Iterator[Example]:
    """Make stretches, and yield the examples found in them.

    Args:
        config: How much, in what noise.
        whitening: The pipeline's whitening.
        detection: The pipeline's detection.
        seed: See `stretch_examples`.
        progress: Told after each stretch.
    """
    total = config.stretches + config.noise_stretches
    for number in range(total):
        yield from stretch_examples(config, number, whitening, detection, seed)
        progress("simulating", number + 1, total)
