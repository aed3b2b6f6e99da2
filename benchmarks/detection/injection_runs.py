"""Stretches of noise, searched with and without signals in them."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.signal import welch

from beam_pipeline.config import PipelineConfig
from benchmarks.detection import detector, injections
from benchmarks.detection.injections import Grid, Injection
from benchmarks.detection.scoring import Event, match
from benchmarks.detection.signals import Deck
from models.simulation import noise
from models.simulation.noise import NoiseCurve
from transforms.arrays import RealArray
from transforms.gps import NANOSECONDS
from transforms.ingest.config import IngestConfig
from transforms.ingest.files import formats

Progress = Callable[[str], None]

FIRST_GPS = 1_000_000_000
STRETCH = 512
"""Length of a simulated stretch, which is a segment of its own [s]."""
SHORTEST_REAL = 64
"""Real stretches shorter than this are too short for signals [s]."""
_NOISE, _SIGNALS, _REAL = 0, 1, 2
"""Streams of randomness that do not depend on one another's length."""


@dataclass
class Outcome:
    """What came of one kind of noise."""

    name: str
    noise_events: list[Event] = field(default_factory=list)
    noise_live: float = 0.0
    """Time without signals that was analysed [s]."""
    injections: list[Injection] = field(default_factory=list)
    matched: list[Event | None] = field(default_factory=list)
    seconds: float = 0.0
    """Of strain handed over."""
    live: float = 0.0
    """Of strain analysed [s]."""
    cpu: float = 0.0
    """Spent in the search [s]."""

    def search(
        self, strain: RealArray, grid: Grid, config: PipelineConfig
    ) -> tuple[list[Event], float]:
        """Search a stretch and keep the accounts."""
        before = time.process_time()
        events, live = detector.analyse(strain, grid.sample_rate, grid.gps_start, config)
        self.cpu += time.process_time() - before
        self.seconds += len(strain) / grid.sample_rate
        self.live += live
        return events, live

    def add_noise(self, events: list[Event], live: float) -> None:
        """Count events of noise alone."""
        self.noise_events += events
        self.noise_live += live

    def add_signals(self, truth: Sequence[Injection], events: list[Event]) -> None:
        """Match events to the truth."""
        self.injections += truth
        self.matched += match(truth, events)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is simulated, of what."""

    classes: tuple[str, ...]
    curves: tuple[str, ...]
    seconds: int
    """Strain with signals, over all curves [s]."""
    noise_seconds: int
    """Strain without signals, over all curves [s]."""
    real_seconds: int
    """Real strain with signals, over all passes [s]."""
    sample_rate: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """A stretch of simulated strain, and the truth about it."""

    curve: str
    strain: RealArray
    grid: Grid
    truth: tuple[Injection, ...] | None
    """None where no signals were put in."""


def stretches(plan: Plan) -> Iterator[Simulated]:
    """Simulate first noise, then signals; curves in turn."""
    for kind, total in ((_NOISE, plan.noise_seconds), (_SIGNALS, plan.seconds)):
        deck = Deck(plan.classes, np.random.default_rng((plan.seed, kind)))
        lengths = _lengths(total // len(plan.curves))
        for number in range(len(lengths) * len(plan.curves)):
            name = plan.curves[number % len(plan.curves)]
            length = lengths[number // len(plan.curves)]
            rng = np.random.default_rng((plan.seed, kind, number))
            grid = Grid(FIRST_GPS, plan.sample_rate, noise.load(name))
            strain = noise.coloured(grid.curve, length * plan.sample_rate, plan.sample_rate, rng)
            truth = None
            if kind == _SIGNALS:
                truth = injections.inject(strain, injections.schedule(deck, length, grid, rng))
            yield Simulated(curve=name, strain=strain, grid=grid, truth=truth)


def simulated(plan: Plan, config: PipelineConfig, progress: Progress) -> list[Outcome]:
    """Search simulated noise of each curve."""
    outcomes = {name: Outcome(name) for name in plan.curves}
    for number, stretch in enumerate(stretches(plan)):
        outcome = outcomes[stretch.curve]
        events, live = outcome.search(stretch.strain, stretch.grid, config)
        if stretch.truth is None:
            outcome.add_noise(events, live)
        else:
            outcome.add_signals(stretch.truth, events)
        progress(
            f"{stretch.curve}: {'signals' if stretch.truth else 'noise'}, stretch {number + 1}"
        )
    return list(outcomes.values())


def _lengths(total: int) -> list[int]:
    """Cut a time [s] into stretches of equal length."""
    count = -(-total // STRETCH)
    return [total // count] * count if count else []


@dataclass(frozen=True)
class Stretch:
    """Real strain, contiguous and good."""

    strain: RealArray
    sample_rate: int
    gps_start: int

    @property
    def grid(self) -> Grid:
        """Return the grid, with the stretch's own median spectrum for its true noise."""
        rate = self.sample_rate
        frequency, psd = welch(self.strain, rate, nperseg=4 * rate, average="median")
        kept = frequency >= noise.LOWEST
        curve = NoiseCurve("measured", frequency[kept], np.sqrt(psd[kept]))
        return Grid(self.gps_start, rate, curve)


def real(
    plan: Plan, files: Sequence[Path], config: PipelineConfig, loud: float, progress: Progress
) -> Outcome:
    """Search real noise as it is, then again and again with signals in it.

    Signals on what the noise itself holds louder than ``loud`` are not counted.
    """
    outcome = Outcome("real")
    stretches = [stretch for file in files for stretch in read(file)]
    deck = Deck(plan.classes, np.random.default_rng((plan.seed, _REAL)))
    own = []
    for stretch in stretches:
        events, live = outcome.search(stretch.strain, stretch.grid, config)
        outcome.add_noise(events, live)
        own.append([event for event in events if event.rank > loud])
    long = [len(s.strain) >= SHORTEST_REAL * s.sample_rate for s in stretches]
    done, number = 0.0, 0
    while any(long) and done < plan.real_seconds:
        stretch = stretches[number % len(stretches)]
        if long[number % len(stretches)]:
            rng = np.random.default_rng((plan.seed, _REAL, number))
            own_events = own[number % len(stretches)]
            _pass(outcome, stretch, own_events, deck=deck, rng=rng, config=config)
            done += len(stretch.strain) / stretch.sample_rate
            progress(f"real: pass {number + 1}")
        number += 1
    return outcome


def _pass(
    outcome: Outcome,
    stretch: Stretch,
    own_events: Sequence[Event],
    *,
    deck: Deck,
    rng: np.random.Generator,
    config: PipelineConfig,
) -> None:
    """Search a stretch with signals in it; those on what it holds itself are not counted."""
    strain, seconds = stretch.strain.copy(), len(stretch.strain) / stretch.sample_rate
    truth = injections.inject(strain, injections.schedule(deck, seconds, stretch.grid, rng))
    touched = match(truth, own_events)
    clear = [signal for signal, loud in zip(truth, touched, strict=True) if loud is None]
    outcome.add_signals(clear, outcome.search(strain, stretch.grid, config)[0])


def read(path: Path) -> Iterator[Stretch]:
    """Read the good strain of a file, in whole seconds."""
    for span in formats.inspect(str(path), IngestConfig()):
        edges = [span.gps_start_ns]
        for gap in sorted(span.gaps, key=lambda gap: gap.start_ns):
            edges += [gap.start_ns, gap.end_ns]
        edges.append(span.gps_end_ns)
        for low, high in zip(edges[::2], edges[1::2], strict=True):
            start, end = -(-low // NANOSECONDS), high // NANOSECONDS
            if end - start >= 16:
                times = start * NANOSECONDS, end * NANOSECONDS
                strain = formats.read(str(path), span.channel, *times, span.sample_rate)
                yield Stretch(strain, span.sample_rate, start)
