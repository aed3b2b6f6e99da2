"""Our own whitening, search and clustering on a stretch of strain, in this process."""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from beam_pipeline.config import PipelineConfig, load_config
from benchmarks.detection.scoring import Event
from models.simulation.matching import find
from transforms.arrays import RealArray, SingleArray
from transforms.elements import Block, Trigger, Whitened
from transforms.gps import NANOSECONDS, to_ns
from transforms.whiten.config import WhitenConfig
from transforms.whiten.whitening import valid_range

SEARCH_THRESHOLD = 4.5
"""Least SNR reported in measurements of efficiency, low enough to count false alarms."""
RANKING = "rank"
"""Column of the triggers that thresholds are set on: the one place that knows it."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--threshold`` and ``--config``."""
    parser.add_argument("--threshold", type=float, default=SEARCH_THRESHOLD)
    parser.add_argument("--config", type=Path, metavar="YAML", help="the science to measure")


def config_of(options: argparse.Namespace) -> PipelineConfig:
    """Return the configuration that ``--config`` names, or the default."""
    return load_config(options.config) if options.config else PipelineConfig()


def eager(config: PipelineConfig, threshold: float = SEARCH_THRESHOLD) -> PipelineConfig:
    """Return a configuration that reports what lies below the usual threshold, too."""
    return replace(config, detect=replace(config.detect, threshold=threshold))


def as_event(trigger: Trigger) -> Event:
    """Return what the measurements need of a trigger."""
    return Event(
        time=trigger.time_ns / NANOSECONDS,
        start=trigger.start_ns / NANOSECONDS,
        end=trigger.end_ns / NANOSECONDS,
        frequency=trigger.frequency,
        snr=trigger.snr,
        rank=float(getattr(trigger, RANKING)),
    )


def row_as_event(row: Mapping[str, Any]) -> Event:
    """Return what the measurements need of a row of published triggers."""
    return Event(
        time=float(row["time"]),
        start=float(row["start_time"]),
        end=float(row["end_time"]),
        frequency=float(row["frequency"]),
        snr=float(row["snr"]),
        rank=float(row[RANKING]),
    )


def block_of(strain: RealArray, sample_rate: int, gps_start: int) -> Block:
    """Return strain as one block that is a segment of its own."""
    start = gps_start * NANOSECONDS
    end = start + to_ns(len(strain), sample_rate)
    return Block(
        ifo="H1",
        channel="H1:BENCH-STRAIN",
        sample_rate=sample_rate,
        gps_start_ns=start,
        data=strain.tobytes(),
        segment_start_ns=start,
        segment_end_ns=end,
        analyse_start_ns=start,
        analyse_end_ns=end,
    )


def flat(
    white: SingleArray,
    sample_rate: int,
    start_ns: int,
    *,
    valid_ns: tuple[int, int],
    analyse_ns: tuple[int, int],
) -> Whitened:
    """Return white strain as whitening gives it of a spectrum that is flat and known.

    Args:
        white: [time], unit variance.
        sample_rate: [Hz].
        start_ns: Of the first sample.
        valid_ns: Start and end of what is valid.
        analyse_ns: Start and end of what is to be searched.
    """
    resolution = 1 / WhitenConfig().fft_seconds
    ones = np.ones(round(sample_rate / 2 / resolution) + 1, np.float32)
    asd, response = ones.tobytes(), ones.astype(np.complex64).tobytes()
    return Whitened(
        ifo="H1",
        channel="H1:BENCH-STRAIN",
        sample_rate=sample_rate,
        gps_start_ns=start_ns,
        data=white.tobytes(),
        valid_start_ns=valid_ns[0],
        valid_end_ns=valid_ns[1],
        analyse_start_ns=analyse_ns[0],
        analyse_end_ns=analyse_ns[1],
        asd=asd,
        asd_start_ns=start_ns,
        asd_step_ns=to_ns(len(white), sample_rate),
        asd_resolution=resolution,
        response=response,
    )


def analyse(
    strain: RealArray, sample_rate: int, gps_start: int, config: PipelineConfig
) -> tuple[list[Event], float]:
    """Search a stretch of strain.

    Args:
        strain: [time].
        sample_rate: [Hz].
        gps_start: Whole GPS second of the first sample.
        config: Whitening and detection.

    Returns:
        Events, and the time that was analysed [s].
    """
    block = block_of(strain, sample_rate, gps_start)
    low, high = valid_range((block.segment_start_ns, block.segment_end_ns), config.whiten)
    found = find(block, config.whiten, config.detect)
    return [as_event(trigger) for trigger in found], (high - low) / NANOSECONDS
