"""The live graph: frames of a stream instead of files, and the same stages behind."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam

from beam_pipeline.config import PipelineConfig
from beam_pipeline.graph import reach, whitening
from beam_pipeline.version import own_version
from transforms.broker import KafkaConfig
from transforms.classify.stage import Classify
from transforms.detect.stage import TrackClusters
from transforms.detect.surroundings import future_seconds
from transforms.gps import NANOSECONDS, from_seconds
from transforms.ingest.kafka.stage import ReadKafka
from transforms.ingest.kafka.timekeeper import IdleConfig
from transforms.ingest.messages.decoder import Decoder
from transforms.ingest.stitch.stage import StitchFrames
from transforms.ingest.stitch.stitcher import StitchConfig
from transforms.ingest.strain.source import strain_source
from transforms.sink.kafka import PublishKafka
from transforms.sink.live import WriteLive

REPEAT_NS = 120 * NANOSECONDS
"""What a job without a checkpoint analyses again: what was on its way in the old one, and the
minute whose file was not closed."""


@dataclass(frozen=True)
class LiveJob:
    """What one live job is asked to do."""

    kafka: KafkaConfig
    topics: tuple[str, ...]
    """Topics of frames."""
    group: str
    """Consumer group whose committed offsets say where a job without a checkpoint goes on."""
    start: str
    """Where to begin if there are none: ``latest`` or ``earliest``."""
    publish: str
    """What the names of the topics of results begin with."""
    output: str = ""
    """Folder of files; empty: none."""


def stitching(config: PipelineConfig) -> StitchConfig:
    """Return how frames are joined."""
    future = future_seconds(config.whiten, config.detect) + config.whiten.lookahead_seconds
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
        white = stitched.blocks | "Whiten" >> whitening(science)
        triggers = (
            white.whitened
            | "Detect" >> TrackClusters(science.detect, science.whiten.low_frequency, science.id)
            | "Classify" >> Classify(science.classify, science.whiten, science.detect)
        )
        return {
            "triggers": triggers,
            "segments": (stitched.segments, white.segments) | "Segments" >> beam.Flatten(),
            "dead_letters": stitched.dead_letters,
        }


def build_live(pipeline: beam.Pipeline, job: LiveJob, config: PipelineConfig) -> Any:
    """Lay the live graph: topics of frames to topics and files of results.

    Raises:
        transforms.ingest.stitch.stage.ReachError: The configuration cannot be used live.
        transforms.classify.artefact.ArtefactError: The model is missing or does not fit.
        transforms.files.OutputError: The output folder cannot be used.
    """
    source = strain_source(
        kafka=job.kafka,
        topics=job.topics,
        group=job.group,
        decoder=partial(Decoder, config.ingest),
        context_ns=reach(config).past_ns + 2 * NANOSECONDS,
        repeat_ns=REPEAT_NS,
        start=job.start,
        idle=IdleConfig(quiet_seconds=config.ingest.quiet_seconds),
    )
    read = pipeline | "Ingest frames" >> ReadKafka(source)
    results = read.elements | "Analyse" >> AnalyseLive(config)
    results["dead_letters"] = (
        read.dead_letters,
        results["dead_letters"],
    ) | "Dead letters" >> beam.Flatten()
    results | "Publish" >> PublishKafka(job.kafka, job.publish, own_version())
    if job.output:
        text, version = config.to_yaml(), own_version()
        results | "Sink" >> WriteLive(
            job.output, config.sink, text, config.id, version, job=job.group
        )
    return results
