"""The training set: simulated transients in simulated noise, as our own detector sees them.

Every example is a trigger that whitening and detection made of a stretch of noise with
transients in it, so that the network learns what the pipeline will show it: the real
filter, the real peak times, the pieces into which a long signal falls.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

from models import noise, waveforms
from transforms.detect.bank import bank_for
from transforms.detect.cluster import cluster
from transforms.detect.config import DetectConfig
from transforms.detect.search import search
from transforms.detect.sessions import Sessions
from transforms.elements import Block, Trigger
from transforms.gps import NANOSECONDS, from_seconds, to_index, to_ns
from transforms.whiten.config import WhitenConfig
from transforms.whiten.whitening import whiten

FloatArray = npt.NDArray[np.floating]
Progress = Callable[[str, int, int], None]
"""Told of a step's name, how much of it is done, and how much there is."""

SOURCE_RATE = 4096
"""Rate at which transients are drawn [Hz]: none reaches its Nyquist frequency."""
EDGE = 8.0
"""Kept free of transients at either end of a stretch [s]."""
FIRST_GPS = 1_000_000_000
"""GPS second at which simulated stretches begin; a multiple of the PSD's updates."""
REACH = 0.05
"""How far a trigger's extent is widened in matching [s]: the delay of the filters."""
OWN_PART = 0.5
"""A trigger is an injection's where the injection explains this part of its SNR."""


@dataclass(frozen=True)
class SimulationConfig:
    """How much is simulated, and in what noise."""

    curves: tuple[str, ...]
    """Noise curves, taken in turn."""
    stretches: int
    """Stretches with transients."""
    noise_stretches: int
    """Stretches without: where more of the class ``noise`` come from."""
    sample_rates: tuple[int, ...] = (4096, 2048)
    """Drawn from for each stretch [Hz]."""
    seconds: int = 256
    """Length of a stretch [s]."""
    low_snr: float = 5.0
    """Range of the optimal SNR, uniform in its logarithm."""
    high_snr: float = 50.0
    low_gap: float = 1.0
    """Range of the time between one transient's end and the next one's start [s]."""
    high_gap: float = 3.5
    noise_threshold: float = 4.6
    """Detector's threshold where there are no transients."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.curves) - set(noise.names()))
        if unknown or not self.curves:
            raise ValueError(f"curves {unknown} are not among {', '.join(noise.names())}")
        if not all(rate in (1024, 2048, SOURCE_RATE) for rate in self.sample_rates):
            raise ValueError("sample_rates must be 1024, 2048 or 4096")
        if self.stretches + self.noise_stretches < 1 or self.seconds < 4 * EDGE:
            raise ValueError("stretches must be at least 1, seconds at least 32")
        if not (4 <= self.low_snr <= self.high_snr and 0 < self.low_gap <= self.high_gap):
            raise ValueError("low_snr must be at least 4, low_gap positive, and low before high")


@dataclass(frozen=True)
class Injection:
    """A transient put into a stretch."""

    label: str
    snr: float
    """Optimal SNR in the stretch's true noise."""
    start_ns: int
    end_ns: int
    sample_rate: int
    whitened: FloatArray
    """What whitening with the true spectrum makes of it, [time]."""

    def snr_between(self, start_ns: int, end_ns: int) -> float:
        """Give the part of the SNR that lies in an interval of time."""
        low = to_index(start_ns - self.start_ns, self.sample_rate)
        high = to_index(end_ns - self.start_ns, self.sample_rate)
        part = self.whitened[max(low, 0) : max(high, 0)]
        return float(np.sqrt(np.sum(part**2)))


@dataclass(frozen=True)
class Stretch:
    """Simulated strain, and the truth about it."""

    block: Block
    curve: str
    injections: tuple[Injection, ...]


@dataclass(frozen=True)
class Example:
    """A trigger and what made it."""

    trigger: Trigger
    label: str
    injected_snr: float
    """Optimal SNR of the injection; 0 for noise."""
    loudest: bool
    """Whether no other trigger of the same injection is louder."""


def stretch(
    config: SimulationConfig, number: int, whitening: WhitenConfig, rng: np.random.Generator
) -> Stretch:
    """Simulate one stretch; those from ``config.stretches`` on are noise alone."""
    curve = noise.load(config.curves[number % len(config.curves)])
    rate = int(rng.choice(config.sample_rates))
    strain = noise.coloured(curve, config.seconds * rate, rate, rng, _lines(curve, rng))
    start = FIRST_GPS * NANOSECONDS
    injections = []
    if number < config.stretches:
        for transient, at in _schedule(config, rng):
            signal, injection = _inject(config, transient, (curve, rate, whitening), at, rng)
            injections.append(injection)
            first = to_index(injection.start_ns - start, rate)
            strain[first : first + len(signal)] += signal
    end = start + config.seconds * NANOSECONDS
    block = Block("X1", f"X1:{curve.name}", rate, start, strain.tobytes(), start, end, start, end)
    return Stretch(block, curve.name, tuple(injections))


def _lines(curve: noise.NoiseCurve, rng: np.random.Generator) -> tuple[noise.Line, ...]:
    """Draw a few lines, 3 to 30 times what the noise has in one second there."""
    frequencies = np.exp(rng.uniform(np.log(40), np.log(900), rng.integers(0, 4)))
    heights = np.exp(rng.uniform(np.log(3), np.log(30), len(frequencies)))
    return tuple(
        noise.Line(float(f), float(h * curve.at(np.array([f]))[0]), float(rng.uniform(0, 6)))
        for f, h in zip(frequencies, heights, strict=True)
    )


def _schedule(
    config: SimulationConfig, rng: np.random.Generator
) -> Iterator[tuple[waveforms.Waveform, float]]:
    """Draw transients one after another: each and the second at which it starts."""
    at = EDGE
    labels = list(waveforms.FAMILIES)
    while True:
        transient = waveforms.draw(labels[rng.integers(len(labels))], SOURCE_RATE, rng)
        at += rng.uniform(config.low_gap, config.high_gap)
        length = len(transient.samples) / SOURCE_RATE
        if at + length > config.seconds - EDGE:
            return
        yield transient, at
        at += length


def _inject(
    config: SimulationConfig,
    transient: waveforms.Waveform,
    detector: tuple[noise.NoiseCurve, int, WhitenConfig],
    at: float,
    rng: np.random.Generator,
) -> tuple[FloatArray, Injection]:
    """Scale a transient to a drawn SNR; give its strain and the truth about it."""
    curve, rate, whitening = detector
    margin = SOURCE_RATE // 4
    shape = np.pad(transient.samples, margin) * rng.choice([-1.0, 1.0])
    if rate < SOURCE_RATE:
        shape = resample_poly(shape, 1, SOURCE_RATE // rate)
    low = whitening.low_frequency
    snr = float(np.exp(rng.uniform(np.log(config.low_snr), np.log(config.high_snr))))
    signal = shape * (snr / noise.optimal_snr(shape, rate, curve, low))
    first = round((at - margin / SOURCE_RATE) * rate)
    start = FIRST_GPS * NANOSECONDS + to_ns(first, rate)
    end = start + to_ns(len(signal), rate)
    quiet = noise.whitened(signal, rate, curve, low)
    return signal, Injection(transient.label, snr, start, end, rate, quiet)


def find(block: Block, whitening: WhitenConfig, detection: DetectConfig) -> list[Trigger]:
    """Run the pipeline's own whitening, search and clustering on a block."""
    bank = bank_for(block.sample_rate, detection, whitening.low_frequency)
    whitened = whiten(block, whitening, bank.margin_seconds * NANOSECONDS)
    candidates = search(whitened, detection, bank)
    sessions = Sessions.of(detection).group(candidates)
    return [cluster(session.candidates, "simulation") for session in sessions]


def match(triggers: list[Trigger], injections: tuple[Injection, ...]) -> list[Example]:
    """Say what made each trigger.

    A trigger is an injection's where the injection's own SNR within the trigger's extent
    explains it. One that lies in an injection's time without that is left out: it is
    neither surely noise nor surely not.
    """
    matched: list[tuple[Trigger, Injection | None]] = []
    for trigger in triggers:
        start, end = trigger.start_ns - from_seconds(REACH), trigger.end_ns + from_seconds(REACH)
        near = [i for i in injections if i.start_ns < end and i.end_ns > start]
        own = max(near, key=lambda i: i.snr_between(start, end), default=None)
        if own is None:
            matched.append((trigger, None))
        elif own.snr_between(start, end) >= OWN_PART * trigger.snr:
            matched.append((trigger, own))
    return [_example(trigger, own, matched) for trigger, own in matched]


def _example(
    trigger: Trigger, own: Injection | None, all_: list[tuple[Trigger, Injection | None]]
) -> Example:
    if own is None:
        return Example(trigger, waveforms.NOISE, 0.0, True)
    loudest = max(other.snr for other, injection in all_ if injection is own)
    return Example(trigger, own.label, own.snr, trigger.snr == loudest)


def simulate(
    config: SimulationConfig,
    whitening: WhitenConfig,
    detection: DetectConfig,
    seed: tuple[int, ...],
    progress: Progress = lambda *_: None,
) -> Iterator[Example]:
    """Simulate stretches and give the examples found in them.

    Args:
        config: How much, in what noise.
        whitening: The pipeline's whitening.
        detection: The pipeline's detection; its threshold is ``config.noise_threshold``
            where there is no transient.
        seed: Every stretch has a random stream of its own that depends on this and on its
            number alone.
        progress: Told after each stretch.
    """
    total = config.stretches + config.noise_stretches
    for number in range(total):
        yield from stretch_examples(config, number, whitening, detection, seed)
        progress("simulating", number + 1, total)


def stretch_examples(
    config: SimulationConfig,
    number: int,
    whitening: WhitenConfig,
    detection: DetectConfig,
    seed: tuple[int, ...],
) -> list[Example]:
    """Simulate the stretch of a number and give the examples found in it.

    Args:
        config: How much, in what noise.
        number: Of the stretch, which has a random stream of its own.
        whitening: The pipeline's whitening.
        detection: The pipeline's detection; its threshold is ``config.noise_threshold``
            where there is no transient.
        seed: Of the set.
    """
    made = stretch(config, number, whitening, np.random.default_rng((*seed, number)))
    eager = DetectConfig(**{**vars(detection), "threshold": config.noise_threshold})
    chosen = detection if made.injections else eager
    return match(find(made.block, whitening, chosen), made.injections)
