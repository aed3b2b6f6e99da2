"""The live graph: frames of a stream instead of files, and the same stages behind."""

import math

from beam_pipeline.config import PipelineConfig
from beam_pipeline.graph import margin_ns, reach
from transforms.detect.bank import bank_for
from transforms.gps import NANOSECONDS, from_seconds
from transforms.ingest.stitch import StitchConfig


def stitching(config: PipelineConfig) -> StitchConfig:
    """Say how frames are joined."""
    bank = bank_for(config.ingest.resample_rate, config.detect, config.whiten.low_frequency)
    future = bank.future_seconds + config.whiten.lookahead_seconds
    return StitchConfig(
        reach(config),
        math.ceil(future * NANOSECONDS),
        config.whiten.minimum_seconds * NANOSECONDS,
        from_seconds(config.ingest.wait_seconds),
    )


__all__ = ["margin_ns", "stitching"]
