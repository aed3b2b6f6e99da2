"""Where a live job runs: Beam's options for a stream on Flink."""

import socket
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from beam_pipeline.options import OptionError

JOB_SERVER = Path("flink/job-server/target/job-server.jar")
"""What ``make flink-jar`` builds."""
EMBEDDED = "[local]"
FLINK_SERIES = "1.19"
_OPENED = ("lang", "nio", "util")
_PATIENCE_S = 5.0
"""How long a cluster may take to accept a connection [s]."""
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
    """Give Beam's options.

    Args:
        master: Address of a cluster's REST interface; None: Flink inside the job server, unless
            the rest names a job endpoint.
        workers: Address of the pool of workers.
        rest: Options of Beam as typed; they come last and win.

    Raises:
        OptionError: The job server is missing, or nobody answers where one is named.
    """
    typed = _typed(rest)
    given = set(typed)
    _see("--flink_master", master)
    _see("--job_endpoint", typed.get("job_endpoint"))
    own = []
    if "job_endpoint" in given:
        own.append(("runner", "PortableRunner"))
    elif "runner" not in given:
        own += _flink(master or EMBEDDED, given)
    return [*stream_options(workers, rest), *_options(own, given), *rest]


def stream_options(workers: str, rest: Sequence[str]) -> list[str]:
    """Give the options of a stream, wherever it runs, but for those that were typed."""
    return _options([*STREAM.items(), ("environment_config", workers)], set(_typed(rest)))


def _typed(rest: Sequence[str]) -> dict[str, str]:
    return dict(name[2:].partition("=")[::2] for name in rest if name.startswith("--"))


def _options(values: Iterable[tuple[str, str]], given: set[str]) -> list[str]:
    return [
        f"--{name}={value}" if value else f"--{name}" for name, value in values if name not in given
    ]


def _see(option: str, address: str | None) -> None:
    """See that somebody answers at an address; Beam would wait for ever."""
    host, _, port = (address or "").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), _PATIENCE_S).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise OptionError(
            f"nobody answers at {option} {address} ({reason}): start it, or correct the address"
        ) from error


def _flink(master: str, given: set[str]) -> list[tuple[str, str]]:
    if "flink_job_server_jar" not in given and not JOB_SERVER.is_file():
        raise OptionError(
            f"no job server at {JOB_SERVER}: build it with make flink-jar, or name one with"
            " --flink_job_server_jar or a running one with --job_endpoint"
        )
    opened = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPENED]
    return [
        ("runner", "FlinkRunner"),
        ("flink_master", master),
        ("flink_version", FLINK_SERIES),
        ("flink_job_server_jar", str(JOB_SERVER)),
        # Each for itself: Java takes two in one word for one, and opens nothing.
        *(
            ("job_server_jvm_properties", each)
            for each in (*opened, f"-Djava.io.tmpdir={tempfile.gettempdir()}")
        ),
    ]
