"""The live graph: frames of a stream instead of files, and the same stages behind."""

import math
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from beam_pipeline.config import PipelineConfig
from beam_pipeline.graph import margin_ns, reach
from transforms.classify.stage import Classify
from transforms.detect.bank import bank_for
from transforms.detect.stage import Follow
from transforms.gps import NANOSECONDS, from_seconds
from transforms.ingest.live import StitchFrames
from transforms.ingest.stitch import StitchConfig
from transforms.whiten.stage import Whiten


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


@dataclass
class AnalyseLive(beam.PTransform):  # type: ignore[misc]
    """Frames by channel to triggers, segments and dead letters."""

    config: PipelineConfig

    def expand(self, frames: Any) -> Any:
        """Wire stitching before, and following behind, the archive's stages."""
        science = self.config
        stitched = frames | "Ingest" >> StitchFrames(stitching(science))
        white = stitched.blocks | "Whiten" >> Whiten(science.whiten, margin_ns(science))
        triggers = (
            white.whitened
            | "Detect" >> Follow(science.detect, science.whiten.low_frequency, science.id)
            | "Classify" >> Classify(science.classify, science.whiten, science.detect)
        )
        return {
            "triggers": triggers,
            "segments": (stitched.segments, white.segments) | "Segments" >> beam.Flatten(),
            "dead_letters": stitched.dead_letters,
        }
