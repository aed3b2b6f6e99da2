"""What real strain gives: rates by SNR, and whether ends or lines make triggers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from beam_pipeline.config import PipelineConfig
from benchmarks.catalogue import events
from benchmarks.detection import detector, injection_runs
from benchmarks.detection.injection_runs import Stretch
from models.simulation.matching import find
from transforms.arrays import FloatArray
from transforms.elements import Trigger
from transforms.gps import NANOSECONDS
from transforms.whiten.whitening import valid_range

Progress = Callable[[str], None]
Band = tuple[float, float]
Interval = tuple[float, float]
Found = list[tuple[Trigger, Interval]]

SNRS = ((0.0, 6.0), (6.0, 8.0), (8.0, 10.0), (10.0, 20.0), (20.0, 50.0), (50.0, np.inf))
"""SNR bins of the table."""
NEAR = 0.5
"""What counts as near an end [s]."""
NARROW = 8.0
"""Least q of a trigger that a line could make."""
WIDTH = 1 / 45
"""Half-width of a line's band, as a part of its frequency: f / (sqrt(2) q) at q = 32."""
LINES: dict[str, tuple[float, ...]] = {
    "power": tuple(60.0 * n for n in range(1, 9)),
    "violin": (500.0, 505.0, 510.0, 515.0, 990.0, 1000.0, 1010.0),
    "calibration": (33.7, 34.7, 35.3, 35.9, 36.7, 37.3, 331.3, 331.9, 410.3, 434.9, 1083.1, 1083.7),
}
"""Lines of H1 and L1 in O1 to O3 [Hz] (Covas et al. 2018, arXiv:1801.07204; LIGO-T2100200)."""
EVENT_REACH = 0.3
"""How far a trigger may lie from a known event [s]."""
LOUD = 8.0
"""Triggers from this SNR on are listed one by one."""


def load(paths: Sequence[Path]) -> dict[str, list[Stretch]]:
    """Read the good strain of files, by their names.

    Raises:
        ValueError: A file has none that is long enough.
    """
    strain = {path.name: list(injection_runs.read(path)) for path in paths}
    for name, stretches in strain.items():
        if not stretches:
            raise ValueError(f"{name}: no 16 s of good strain in one piece")
    return strain


def measure(
    strain: Mapping[str, list[Stretch]],
    config: PipelineConfig,
    piece_seconds: int,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Measure each file: rates at the usual threshold, ends and lines at a low one.

    Args:
        strain: Of each file.
        config: Whitening and detection.
        piece_seconds: Each file is also cut into pieces of this length, each of them a
            segment of its own, to see what starting and ending do [s].
        progress: Told of each file.
    """
    rows = []
    for name, stretches in strain.items():
        rows.append(_row(name, stretches, config, piece_seconds))
        progress(name)
    return rows


def _row(
    name: str, stretches: list[Stretch], config: PipelineConfig, piece_seconds: int
) -> dict[str, Any]:
    low = detector.eager(config)
    found, live = _search(stretches, config)
    quiet, _ = _search(stretches, low)
    pieces = [piece for stretch in stretches for piece in _pieces(stretch, piece_seconds)]
    cut, cut_live = _search(pieces, low)
    rate = stretches[0].sample_rate
    return {
        "file": name,
        "live": sum(high - low for low, high in live),
        "bins": [
            {"snr": bin_, "events": sum(bin_[0] <= t.snr < bin_[1] for t, _ in found)}
            for bin_ in SNRS
        ],
        "ends": near_ends(found, live),
        "ends_cut": near_ends(cut, cut_live),
        "lines": {kind: at_lines([t for t, _ in quiet], kind, rate) for kind in LINES},
        "loud": [_named(t) for t, _ in found if t.snr >= LOUD or event_of(t)],
    }


def _search(stretches: Sequence[Stretch], config: PipelineConfig) -> tuple[Found, list[Interval]]:
    """Search stretches; return triggers, each with its analysed stretch, and all of these."""
    found: Found = []
    live = []
    for one in stretches:
        block = detector.block_of(one.strain, one.sample_rate, one.gps_start)
        low, high = valid_range((block.segment_start_ns, block.segment_end_ns), config.whiten)
        live.append((low / NANOSECONDS, high / NANOSECONDS))
        found += [(trigger, live[-1]) for trigger in find(block, config.whiten, config.detect)]
    return found, live


def _pieces(stretch: Stretch, seconds: int) -> Iterator[Stretch]:
    """Cut a stretch into segments of their own; what is left over is added to the last."""
    rate, whole = stretch.sample_rate, len(stretch.strain) // stretch.sample_rate
    starts = list(range(0, max(whole - seconds, 0) + 1, seconds))
    for at, end in zip(starts, [*starts[1:], whole], strict=True):
        yield Stretch(stretch.strain[at * rate : end * rate], rate, stretch.gps_start + at)


def near_ends(found: Found, live: Sequence[Interval]) -> dict[str, float]:
    """Count triggers near an end of what was analysed, and how many chance would put there.

    Args:
        found: Triggers, each with the interval that it was found in.
        live: All intervals that were analysed [GPS s].
    """
    seen = 0
    for trigger, (low, high) in found:
        at = trigger.time_ns / NANOSECONDS
        seen += min(at - low, high - at) < NEAR
    near = sum(min(2 * NEAR, high - low) for low, high in live)
    return {"seen": seen, "expected": len(found) * near / sum(high - low for low, high in live)}


def at_lines(triggers: Sequence[Trigger], name: str, sample_rate: int) -> dict[str, float]:
    """Count narrow triggers at a group of lines, and how many their neighbourhood expects.

    The neighbourhood is as much again on either side, without what lies at other lines.
    """
    f = np.array([t.frequency for t in triggers if t.q >= NARROW])
    own = bands(LINES[name], sample_rate)
    every = bands([line for group in LINES.values() for line in group], sample_rate)
    clear = f[~_within(f, every)]
    seen, expected = int(np.count_nonzero(_within(f, own))), 0.0
    for low, high in own:
        around = low - (high - low), high + (high - low)
        room = around[1] - around[0] - _covered(around, every)
        if room > 0:
            beside = np.count_nonzero((clear >= around[0]) & (clear < around[1]))
            expected += float(beside) * (high - low) / room
    return {"seen": seen, "expected": expected}


def bands(lines: Sequence[float], sample_rate: int) -> list[Band]:
    """Return the bands around lines below 0.8 of Nyquist, touching ones joined [Hz]."""
    joined: list[Band] = []
    for line in sorted(lines):
        low, high = line * (1 - WIDTH), line * (1 + WIDTH)
        if line > 0.4 * sample_rate:
            break
        if joined and low <= joined[-1][1]:
            low = joined.pop()[0]
        joined.append((low, high))
    return joined


def _within(f: FloatArray, where: Sequence[Band]) -> npt.NDArray[np.bool_]:
    return np.asarray(np.any([(f >= low) & (f < high) for low, high in where], axis=0))


def _covered(around: Band, where: Sequence[Band]) -> float:
    """Return how much of a band others cover [Hz]."""
    return sum(max(0.0, min(h, around[1]) - max(low, around[0])) for low, h in where)


def event_of(trigger: Trigger) -> str:
    """Name the known event at a trigger's time; empty where there is none."""
    at = trigger.time_ns / NANOSECONDS
    for event in events().values():
        if event.window[0] - EVENT_REACH < at < event.window[1] + EVENT_REACH:
            return event.name
    return ""


def _named(trigger: Trigger) -> dict[str, Any]:
    return {
        "event": event_of(trigger),
        "time": trigger.time_ns / NANOSECONDS,
        "frequency": trigger.frequency,
        "snr": trigger.snr,
        "rank": trigger.rank,
        "wavelet": trigger.wavelet,
    }
