"""Noise alone, searched for hours: how often it exceeds a rank, and what theory says."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from beam_pipeline.config import PipelineConfig
from benchmarks.detection import detector
from benchmarks.detection.injection_runs import FIRST_GPS, STRETCH
from models.simulation import noise
from transforms.detect.bank import Bank, bank_for
from transforms.detect.octave import BINS
from transforms.detect.search import search
from transforms.detect.sessions import Sessions
from transforms.elements import TILE, Candidate, Whitened
from transforms.gps import NANOSECONDS
from transforms.significance.gaussian import Shapes, TileField, merged, trigger_rate
from transforms.whiten.whitening import valid_range, whiten

Progress = Callable[[str], None]

RANKS = (4.75, 5.0, 5.25, 5.5, 5.75, 6.0)
"""Thresholds of the table."""
SHAPES_BETWEEN = (4.5, 5.0)
"""Ranks at which what shapes add is counted, low enough for many events."""
ANCHOR = 4.75
"""Rank at which theory is scaled to a run where it is extrapolated (Gross & Vitells 2010)."""
WITHIN = 0.2
"""Agreement asked for."""
_COLOURED, _WHITE = 3, 4
"""Streams of randomness of their own."""
HOUR = 3600.0


@dataclass(kw_only=True)
class Run:
    """What a search of noise alone gave."""

    noise: str
    ranks: list[float] = field(default_factory=list)
    """Of the triggers, each that of its loudest tile or shape."""
    tiles: list[float] = field(default_factory=list)
    """Rank of the loudest tile in each; 0 where a shape has none with it."""
    live: float = 0.0
    """[s]."""
    cpu: float = 0.0
    """[s]."""

    def add(self, candidates: Sequence[Candidate], config: PipelineConfig) -> None:
        """Cluster candidates as the graph does and keep what is counted."""
        for session in Sessions.of(config.detect).group(candidates):
            members = session.candidates
            self.ranks.append(max(c.rank for c in members))
            self.tiles.append(max((c.rank for c in members if c.wavelet == TILE), default=0.0))

    def above(self, rank: float) -> int:
        """Count triggers of a rank or more."""
        return int(np.count_nonzero(np.array(self.ranks) >= rank))

    def tiles_above(self, rank: float) -> int:
        """Count triggers that would reach a rank by their tiles alone."""
        return int(np.count_nonzero(np.array(self.tiles) >= rank))

    def added(self, rank: float) -> int:
        """Count triggers that reach a rank by a rectangle or a track, and not by a tile."""
        return self.above(rank) - self.tiles_above(rank)


def coloured(
    curve: str, seconds: float, rate: int, seed: int, config: PipelineConfig, progress: Progress
) -> Run:
    """Search simulated strain through estimated spectra and whitening, in stretches."""
    run, bank = Run(noise=curve), bank_for(rate, config.detect, config.whiten.low_frequency)
    margin = bank.margin_seconds * NANOSECONDS
    for number in range(_count(seconds)):
        rng = np.random.default_rng((seed, _COLOURED, number))
        strain = noise.coloured(noise.load(curve), STRETCH * rate, rate, rng)
        before = time.process_time()
        block = detector.block_of(strain, rate, FIRST_GPS)
        run.add(search(whiten(block, config.whiten, margin), config.detect, bank), config)
        low, high = valid_range((block.segment_start_ns, block.segment_end_ns), config.whiten)
        run.live += (high - low) / NANOSECONDS
        run.cpu += time.process_time() - before
        progress(f"{curve}: {run.live / HOUR:.1f} h")
    return run


def white(seconds: float, rate: int, seed: int, config: PipelineConfig, progress: Progress) -> Run:
    """Search white noise of known variance: detection alone."""
    run, bank = Run(noise="white"), bank_for(rate, config.detect, config.whiten.low_frequency)
    for number in range(_count(seconds)):
        rng = np.random.default_rng((seed, _WHITE, number))
        before = time.process_time()
        run.add(search(white_noise(bank, STRETCH, rng), config.detect, bank), config)
        run.live += STRETCH
        run.cpu += time.process_time() - before
        progress(f"white: {run.live / HOUR:.1f} h")
    return run


def _count(seconds: float) -> int:
    return int(np.ceil(seconds / STRETCH))


def white_noise(bank: Bank, seconds: int, rng: np.random.Generator) -> Whitened:
    """Return what whitening by the true spectrum would give: unit variance, nothing delayed.

    Args:
        bank: Says the rate, and how much it needs around what is searched.
        seconds: To be searched [s].
        rng: Source of randomness.
    """
    rate, margin = bank.sample_rate, bank.margin_seconds * NANOSECONDS
    samples = rng.standard_normal((seconds + 2 * bank.margin_seconds) * rate, np.float32)
    end = 2 * margin + seconds * NANOSECONDS
    return detector.flat(samples, rate, 0, valid_ns=(0, end), analyse_ns=(margin, end - margin))


def shapes_of(run: Run) -> Shapes:
    """Measure what rectangles and tracks add, at low ranks.

    Raises:
        ValueError: There are too few of them.
    """
    low, high = ((rank, run.added(rank) / run.live) for rank in SHAPES_BETWEEN)
    if not low[1] > high[1] > 0:
        raise ValueError(f"{run.live:.0f} s have too few rectangles and tracks: give more --hours")
    return Shapes.between(low, high)


def compare(
    run: Run, tiles: TileField, config: PipelineConfig, shapes: Shapes, scale: float
) -> list[dict[str, Any]]:
    """Compare a run with theory at each rank; rates are per hour.

    Args:
        run: Of noise alone.
        tiles: Of the bank that was searched with.
        config: Threshold and gap.
        shapes: What shapes add.
        scale: What the extrapolation is of theory.
    """
    reach = config.detect.gap_seconds + 1 / BINS + tiles.extent
    lowest = config.detect.threshold
    peaks = tiles.rate(RANKS, lowest)
    alone = merged(peaks, float(tiles.rate(lowest, lowest)), reach) * HOUR
    every = trigger_rate(RANKS, tiles, config.detect, shapes) * HOUR
    hours = run.live / HOUR
    return [
        {
            "noise": run.noise,
            "hours": hours,
            "rank": rank,
            "tiles": _cell(run.tiles_above(rank), hours, float(alone[i])),
            "all": _cell(run.above(rank), hours, float(every[i])),
            "extrapolated": float(every[i]) * scale,
        }
        for i, rank in enumerate(RANKS)
    ]


def anchor(run: Run, tiles: TileField, config: PipelineConfig, shapes: Shapes) -> float:
    """Return what a run has of theory at a low rank."""
    theory = float(trigger_rate(ANCHOR, tiles, config.detect, shapes))
    return run.above(ANCHOR) / run.live / theory


def _cell(events: int, hours: float, theory: float) -> dict[str, float | int | bool]:
    """Return a count beside theory; the ratio's error is that of the events that theory expects."""
    ratio, error = events / hours / theory, 1 / np.sqrt(theory * hours)
    return {
        "events": events,
        "rate": events / hours,
        "theory": theory,
        "ratio": ratio,
        "error": float(error),
        "within": abs(ratio - 1) <= WITHIN,
    }
