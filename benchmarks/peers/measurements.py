"""Detectors on the same files: what each finds, what each costs."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import simulated, subprocess_usage
from benchmarks.detection import scoring
from benchmarks.detection.injections import Injection
from benchmarks.detection.scoring import Errors, Event, Fraction, Threshold
from benchmarks.peers.tool import Span, Tool
from benchmarks.simulated import Archive, Recipe
from benchmarks.subprocess_usage import Marginal, Usage

Progress = Callable[[str], None]

FILE_SECONDS = 256
"""Length of the frame files [s]."""
THRESHOLD = 4.5
"""Least SNR that each tool reports, in its own measure."""
GUARD = 1.0
"""Signals closer than this to the ends of what all tools analysed are left out [s]."""
USUAL_THRESHOLD = 5.5
"""At which throughput is measured: the default of ours, of sgnax and of gwpy."""


@dataclass(frozen=True)
class Findings:
    """What one tool found in one archive."""

    events: list[Event]
    head: float
    """Not reliable, at the start [s]."""
    tail: float
    """Not analysed, at the end [s]."""


@dataclass(frozen=True)
class Score:
    """How one tool did."""

    threshold: Threshold
    matched: list[Event | None]
    """For each of the contest's injections."""
    errors: Errors
    analysed: float
    """Part of the data that it looked at, its start-up left in its favour."""


@dataclass(frozen=True)
class Contest:
    """How all did, on the same stretch of the same data."""

    injections: list[Injection]
    live: float
    """Noise that all analysed [s]."""
    scores: dict[str, Score]

    def efficiency(self, name: str, label: str | None) -> list[Fraction]:
        """Return a tool's efficiency by SNR bin, of one class or of all."""
        return scoring.by_bin(*self._of(name, label), self.scores[name].threshold.value)

    def recovery(self, name: str, label: str | None) -> float:
        """Return the median SNR ratio of a tool's loud signals, of one class or of all."""
        return scoring.recovery(*self._of(name, label))

    def _of(self, name: str, label: str | None) -> tuple[list[Injection], list[Event | None]]:
        pairs = [
            (injection, event)
            for injection, event in zip(self.injections, self.scores[name].matched, strict=True)
            if label is None or injection.label == label
        ]
        return [i for i, _ in pairs], [e for _, e in pairs]


def find(tool: Tool, made: Archive, output: Path) -> Findings:
    """Run a tool over a whole archive."""
    span = Span(made, made.seconds, output, THRESHOLD)
    output.mkdir(parents=True, exist_ok=True)
    subprocess_usage.run(tool.command(span))
    return Findings(tool.events(span), *tool.analysed(span))


def compete(
    tools: Sequence[Tool],
    recipes: tuple[Recipe, Recipe],
    far: float,
    folder: Path,
    progress: Progress,
) -> Contest:
    """Search the same noise and the same signals with all tools.

    Args:
        tools: Who takes part.
        recipes: Of noise alone, and of noise with signals.
        far: False-alarm rate at which efficiency is measured [Hz].
        folder: Scratch space.
        progress: Told what runs.
    """
    noise, signals = (
        simulated.make(folder / name, recipe, "gwf", FILE_SECONDS)
        for name, recipe in zip(("noise", "signals"), recipes, strict=True)
    )
    found: dict[str, tuple[Findings, Findings]] = {}
    for tool in tools:
        progress(f"{tool.name}: noise, then signals")
        results = folder / tool.name
        found[tool.name] = (
            find(tool, noise, results / "noise"),
            find(tool, signals, results / "signals"),
        )
    return judge(found, noise, signals, far)


def judge(
    found: dict[str, tuple[Findings, Findings]], noise: Archive, signals: Archive, far: float
) -> Contest:
    """Score all tools on the stretches that all of them analysed."""
    heads, tails = (
        [max(getattr(pair[kind], end) for pair in found.values()) for kind in (0, 1)]
        for end in ("head", "tail")
    )
    start, end = (
        [made.gps_start + head for made, head in zip((noise, signals), heads, strict=True)],
        [m.gps_start + m.seconds - tail for m, tail in zip((noise, signals), tails, strict=True)],
    )
    truth = [
        one
        for one in signals.injections
        if one.start > start[1] + GUARD and one.end < end[1] - GUARD
    ]
    live = end[0] - start[0]
    scores = {}
    for name, (quiet, loud) in found.items():
        ranks = [event.rank for event in quiet.events if start[0] <= event.time < end[0]]
        limit = scoring.threshold(ranks, live, far)
        matched = scoring.match(truth, loud.events)
        errors = scoring.errors(truth, matched, limit.value)
        scores[name] = Score(limit, matched, errors, 1 - loud.tail / signals.seconds)
    return Contest(truth, live, scores)


def race(
    tools: Sequence[Tool],
    recipe: Recipe,
    short: int,
    repeats: int,
    folder: Path,
    progress: Progress,
) -> dict[str, Marginal]:
    """Measure what a second of strain costs each tool.

    The tools take turns, so that a busy neighbour hits all of them alike.

    Args:
        tools: Who takes part.
        recipe: Its length is the longer one, for tools of length 1.
        short: The shorter length [s], for tools of length 1.
        repeats: Runs of each tool and length.
        folder: Scratch space.
        progress: Told what runs.
    """
    made = simulated.make(folder / "strain", recipe, "gwf", FILE_SECONDS)
    runs: dict[tuple[str, int], list[Usage]] = {}
    for repeat in range(repeats):
        for tool in tools:
            progress(f"{tool.name}: {recipe.sample_rate} Hz, run {repeat + 1}")
            for which, seconds in enumerate(_lengths(tool, short, recipe.seconds)):
                output = folder / f"{tool.name}-{seconds}"
                output.mkdir(parents=True, exist_ok=True)
                span = Span(made, seconds, output, USUAL_THRESHOLD)
                runs.setdefault((tool.name, which), []).append(
                    subprocess_usage.run(tool.command(span))
                )
                shutil.rmtree(output)
    return {
        tool.name: subprocess_usage.marginal(
            runs[tool.name, 0], runs[tool.name, 1], _lengths(tool, short, recipe.seconds)
        )
        for tool in tools
    }


def _lengths(tool: Tool, short: int, long: int) -> tuple[int, int]:
    return round(short * tool.length), round(long * tool.length)
