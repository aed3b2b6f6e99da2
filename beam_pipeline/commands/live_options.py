"""Where a live job runs: Beam's options for a stream on Flink."""

from collections.abc import Iterable, Sequence

from beam_pipeline.flink import job_server
from beam_pipeline.flink.job_server import JOB_SERVER
from beam_pipeline.options import FLINK, PORTABLE, OptionError

STREAM = {
    "streaming": "",
    "parallelism": "2",
    "checkpointing_interval": "10000",
    "max_bundle_time_mills": "100",
    "max_bundle_size": "32",
    "max_cache_memory_usage_mb": "256",
    "auto_watermark_interval": "100",
    "environment_type": "EXTERNAL",
    "job_name": "wavefier-live",
}
"""Two of each stage, so that what one TaskManager had is known to another; short bundles, as
each hop may take one (docs/live.md); and a cache for keyed state."""


def live_options(master: str | None, workers: str, rest: Sequence[str]) -> list[str]:
    """Return Beam's options.

    Args:
        master: Address of a cluster's REST interface; None: Flink inside the job server, unless
            the rest names a job endpoint.
        workers: Address of the pool of workers.
        rest: Options of Beam as typed; they come last and win.

    Raises:
        OptionError: The job server is missing, or nobody answers where one is named.
    """
    given = job_server.typed(rest)
    runner = given.get("runner", PORTABLE if "job_endpoint" in given else FLINK)
    if runner not in (FLINK, PORTABLE):
        raise OptionError(f"--runner {runner}: a live job runs on Flink; leave it out")
    own = [] if "runner" in given else [f"--runner={runner}"]
    try:
        job_server.see_those_named(rest, master)
        if runner == FLINK:
            own += job_server.flink_options(rest, master, JOB_SERVER)
            job_server.see_installed([*own, *rest])
    except job_server.JobServerError as error:
        raise OptionError(error) from error
    return [*stream_options(workers, rest), *own, *rest]


def stream_options(workers: str, rest: Sequence[str]) -> list[str]:
    """Return the options of a stream, wherever it runs, but for those that were typed."""
    given = set(job_server.typed(rest))
    return _options([*STREAM.items(), ("environment_config", workers)], given)


def _options(values: Iterable[tuple[str, str]], given: set[str]) -> list[str]:
    return [
        f"--{name}={value}" if value else f"--{name}" for name, value in values if name not in given
    ]
