"""A live job: topics of frames to topics, and files, of results."""

from dataclasses import dataclass
from functools import partial

import apache_beam as beam

from beam_pipeline.config import PipelineConfig
from beam_pipeline.graph import build, reach, stitching
from beam_pipeline.version import own_version
from transforms.broker import KafkaConfig
from transforms.gps import NANOSECONDS
from transforms.ingest.kafka.stage import ReadKafka
from transforms.ingest.kafka.timekeeper import IdleConfig
from transforms.ingest.messages.decoder import Decoder
from transforms.ingest.strain.source import strain_source
from transforms.ingest.stream import ReadStream
from transforms.results import Results
from transforms.sink.kafka import PublishKafka
from transforms.sink.live import WriteLive
from transforms.sink.writers import Provenance

REPEAT_NS = 120 * NANOSECONDS
"""What a job without a checkpoint analyses again: what was on its way in the old one, and the
minute whose file was not closed."""


@dataclass(frozen=True, kw_only=True)
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


def build_live(pipeline: beam.Pipeline, job: LiveJob, config: PipelineConfig) -> Results:
    """Lay the graph from topics of frames to topics and files of results.

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
    version = own_version()
    sinks = ["Publish" >> PublishKafka(config=job.kafka, prefix=job.publish, version=version)]
    if job.output:
        files = WriteLive(
            output=job.output,
            config=config.sink,
            config_text=config.to_yaml(),
            provenance=Provenance(config=config.id, version=version),
            job=job.group,
        )
        sinks.append("Write files" >> files)
    return build(pipeline, ReadStream(ReadKafka(source), stitching(config)), sinks, config)
