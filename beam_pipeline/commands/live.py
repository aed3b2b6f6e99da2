"""``wavefier live``: a job without end, from Kafka to Kafka and to files."""

import argparse
import math
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beam_pipeline import standard_streams
from beam_pipeline.commands import failure
from beam_pipeline.commands.live_options import live_options, stream_options
from beam_pipeline.commands.surroundings import quiet_threads
from beam_pipeline.config import PipelineConfig
from beam_pipeline.exits import DONE, DataProblem, UserError
from beam_pipeline.flink.application import POOL, write_application
from beam_pipeline.flink.job_server import typed
from beam_pipeline.flink.rest import FlinkCluster
from beam_pipeline.flink.workers import pool
from beam_pipeline.interrupt import whole
from beam_pipeline.live import LiveJob, build_live
from beam_pipeline.options import OptionError, checked
from transforms.broker import (
    BrokerAwayError,
    BrokerError,
    KafkaConfig,
    Topic,
    check_topics,
    ensure_topics,
)
from transforms.classify.artefact import ArtefactError
from transforms.files import OutputError
from transforms.ingest.stitch.stage import ReachError
from transforms.observe.config import JSON, TEXT, ObserveConfig
from transforms.sink.kafka import output_topics

MISTAKES = (BrokerError, OutputError, OptionError, ArtefactError, ReachError)
PATIENCE_S = 120.0
"""How long a cluster may not know the job before it is taken to be lost [s]."""
_POLL_S = 1.0
_MORE = "--verbose, and the workers' logs in --logs, tell more"


def run_live(options: argparse.Namespace, rest: Sequence[str], config: PipelineConfig) -> int:
    """Run until it is interrupted or the job ends.

    Raises:
        UserError: The broker, a topic, the folder or an option cannot be used.
    """
    observed = _observed(options)
    _check(options)
    try:
        typed_options = checked(rest)
        kafka = KafkaConfig(options.brokers, options.kafka_config or "")
        topics = tuple(options.topic)
        job = LiveJob(
            kafka=kafka,
            topics=topics,
            group=options.group,
            start=options.start,
            publish=options.publish,
            output=options.output or "",
        )
        typed_name = typed(typed_options).get("job_name")
        name = typed_name or f"wavefier-live-{options.group}"
        given = [*([] if typed_name else [f"--job_name={name}"]), *typed_options]
        _see_topics(job, options.make_topics, options.patience)
        if options.application:
            beam_options = [*stream_options(POOL, given), *given]
            write_application(options.application, job, config, beam_options)
            return DONE
        with ExitStack() as stack:
            logs = options.logs or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            workers = stack.enter_context(pool(logs, observed.environment()))
            beam_options = live_options(options.flink_master, workers, given)
            stack.enter_context(quiet_threads(options.verbose))
            _run(job, config, beam_options, _Watched(options.flink_master, name))
    except MISTAKES as error:
        raise UserError(error) from error
    except OSError as error:
        where = error.filename or options.application or options.logs or options.output
        raise UserError(f"{where}: cannot be used ({error.strerror or error})") from error
    return DONE


def _check(options: argparse.Namespace) -> None:
    """Refuse what contradicts itself, or would be passed over."""
    if not 0 <= options.patience < math.inf:
        raise UserError(f"--patience {options.patience:g}: give seconds, 0 or more")
    for option, values in (("--topic", options.topic), ("--channel", options.channel)):
        again = next((one for one in values if values.count(one) > 1), None)
        if again is not None:
            raise UserError(f"{option} {again} is given twice: keep one")
    if options.application:
        alone = ("flink_master", "logs", "metrics")
        named = [name for name in alone if getattr(options, name)]
        named += [name for name in ("runner", "job_endpoint") if name in typed(options.beam)]
        if named:
            left = " and --".join(named)
            raise UserError(f"--application writes a file, and runs nothing: leave out --{left}")


def _see_topics(job: LiveJob, make: bool, patience_s: float) -> None:
    """Make the topics of results, see or make those of frames; wait for a broker that is away."""
    made = dict.fromkeys(job.topics, Topic()) if make else {}
    end = time.monotonic() + patience_s
    while True:
        try:
            ensure_topics(job.kafka, {**made, **output_topics(job.publish)})
            return check_topics(job.kafka, job.topics)
        except BrokerAwayError as error:
            if time.monotonic() > end:
                raise
            standard_streams.complain(f"{error}; waiting for it")
            time.sleep(_POLL_S)


def _observed(options: argparse.Namespace) -> ObserveConfig:
    log = JSON if options.json_logs else TEXT
    try:
        return ObserveConfig(options.metrics or "", log=log)
    except ValueError as error:
        raise UserError(error) from error


@dataclass(frozen=True)
class _Watched:
    """The job as the cluster knows it, where there is one beside the job server."""

    master: str | None
    name: str

    def until_it_ends(self, outcome: str) -> str:
        """Wait on: the job server gives up with the JobManager, which another may replace."""
        if self.master is None:
            return outcome
        return FlinkCluster(self.master).watch(self.name, PATIENCE_S)

    def cancel(self, result: Any) -> None:
        """End the job, there too: the job server only stops to watch it."""
        ended = self.master is None
        try:
            with suppress(Exception):  # the job server may have ended with the same Ctrl-C
                result.cancel()
            if self.master is not None:
                ended = FlinkCluster(self.master).cancel(self.name)
        finally:  # a second signal waits for nobody
            if not ended:
                standard_streams.complain(f"{self.name} is left on {self.master}: cancel it there")


def _run(job: LiveJob, config: PipelineConfig, options: Sequence[str], watched: _Watched) -> None:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    pipeline = beam.Pipeline(options=PipelineOptions(list(options)))
    build_live(pipeline, job, config)
    result = None
    try:
        with whole():  # what is half handed over could not be cancelled
            result = pipeline.run()
        standard_streams.complain(f"live from {', '.join(job.topics)}; Ctrl-C ends it")
        try:
            outcome = str(result.wait_until_finish())
        except RuntimeError as error:
            outcome = str(failure.of(error))
        outcome = watched.until_it_ends(outcome)
    except BaseException as error:  # most of all a signal: else the job restarts for ever
        if result is not None:
            watched.cancel(result)
        if isinstance(error, MISTAKES) or not isinstance(error, Exception):
            raise
        raise DataProblem(f"the job does not run: {failure.of(error)}; {_MORE}") from error
    raise DataProblem(f"the job has ended: {outcome}; {_MORE}")
