"""``wavefier live``: a job without end, from Kafka to Kafka and to files."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from beam_pipeline.config import PipelineConfig
from beam_pipeline.exits import DONE, UserError
from beam_pipeline.interrupt import Interrupted
from beam_pipeline.live import LiveJob, build_live
from beam_pipeline.live_options import live_options
from beam_pipeline.options import OptionError
from beam_pipeline.workers import pool
from transforms.broker import BrokerError, KafkaConfig, ensure_topics
from transforms.ingest.client import KafkaError, check_topics
from transforms.sink.folder import OutputError
from transforms.sink.kafka import output_topics


def run_live(options: argparse.Namespace, rest: Sequence[str], config: PipelineConfig) -> int:
    """Run until it is interrupted or the job ends.

    Raises:
        UserError: The broker, a topic, the folder or an option cannot be used.
    """
    try:
        kafka = KafkaConfig(options.brokers, options.kafka_config or "")
        topics = tuple(options.topic)
        job = LiveJob(
            kafka, topics, options.group, options.start, options.publish, options.output or ""
        )
        ensure_topics(kafka, output_topics(options.publish))
        check_topics(kafka.client_settings(), topics)
        with ExitStack() as stack:
            logs = options.logs or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            workers = stack.enter_context(pool(logs))
            _run(job, config, live_options(options.flink_master, workers, rest))
    except (BrokerError, KafkaError, OutputError, OptionError) as error:
        raise UserError(error) from error
    return DONE


def _run(job: LiveJob, config: PipelineConfig, options: Sequence[str]) -> None:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    pipeline = beam.Pipeline(options=PipelineOptions(list(options)))
    build_live(pipeline, job, config)
    result = pipeline.run()
    sys.stderr.write(f"wavefier: live from {', '.join(job.topics)}; Ctrl-C ends it\n")
    try:
        result.wait_until_finish()
    except Interrupted:
        result.cancel()
        raise
