"""Flink's job server: where its jar lies, what options it takes, and whether somebody answers."""

import os
import shutil
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

JAR_VARIABLE = "WAVEFIER_JOB_SERVER"
"""Environment variable that names the jar, where it lies elsewhere."""
JOB_SERVER = Path(__file__).resolve().parents[2] / "flink/job-server/target/job-server.jar"
"""What ``make flink-jar`` builds, beside this package's sources."""
EMBEDDED = "[local]"
FLINK_SERIES = "1.19"
_OPENED = ("lang", "nio", "util")
_PATIENCE_S = 5.0
"""How long a server may take to accept a connection [s]."""

_NUMBERS = """
auto_watermark_interval bundle_processor_cache_timeout checkpoint_timeout_millis
checkpointing_interval environment_expiration_millis execution_retry_delay
file_input_split_max_size_m_b grouping_table_max_size_mb job_check_interval_in_secs
latency_tracking_interval max_bundle_size max_bundle_time_mills min_pause_between_checkpoints
num_concurrent_checkpoints number_of_execution_retries options_id shutdown_sources_after_idle_ms
"""
_FLAGS = """
allow_non_restored_state attached_mode auto_balance_write_files_sharding_enabled disable_metrics
enable_heap_dumps enable_stable_input_drain externalized_checkpoints_enabled
fail_on_checkpointing_errors faster_copy finish_bundle_before_checkpointing
force_slot_sharing_group force_unaligned_checkpoint_enabled load_balance_bundles object_reuse
operator_chaining re_iterable_group_by_key_result
retain_externalized_checkpoints_on_cancellation unaligned_checkpoint_enabled
"""
_TEXTS = """
app_name checkpointing_mode default_environment_config default_environment_type
execution_mode_for_batch flink_conf_dir report_checkpoint_duration savepoint_path state_backend
state_backend_factory state_backend_storage_path
"""
OPTIONS: dict[str, type] = {
    **dict.fromkeys(_NUMBERS.split(), int),
    "max_cache_memory_usage_percent": float,
    **dict.fromkeys(_FLAGS.split(), bool),
    **dict.fromkeys(_TEXTS.split(), str),
}
"""What Beam's job server for Flink adds to Beam's own options (``FlinkPipelineOptions``): it
describes them only once it runs."""


class JobServerError(ValueError):
    """A job on Flink lacks something; the message is one line that says what to do."""


def typed(words: Sequence[str]) -> dict[str, str]:
    """Return the values of options as typed, by their names without dashes."""
    return dict(word[2:].partition("=")[::2] for word in words if word.startswith("--"))


def flink_options(
    words: Sequence[str], master: str | None = None, jar: Path = JOB_SERVER
) -> list[str]:
    """Return the options of a job on Flink that were not typed.

    Args:
        words: Options as typed.
        master: Address of a cluster's REST interface; None: Flink inside the job server.
        jar: The job server's, where neither options nor the environment name it.
    """
    given = typed(words)
    own = {
        "flink_master": master or EMBEDDED,
        "flink_version": FLINK_SERIES,
        "flink_job_server_jar": os.environ.get(JAR_VARIABLE) or str(jar),
    }
    opened = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPENED]
    # Each for itself: Java takes two in one word for one, and opens nothing.
    properties = [] if "job_server_jvm_properties" in given else [*opened, _temporary_folder()]
    return [
        *(f"--{name}={value}" for name, value in own.items() if name not in given),
        *(f"--job_server_jvm_properties={each}" for each in properties),
    ]


def see_installed(words: Sequence[str]) -> None:
    """Check that the job server and Java are here.

    Raises:
        JobServerError: One of them is not.
    """
    given = typed(words)
    path = given["flink_job_server_jar"]
    if "://" not in path and not Path(path).is_file():
        raise JobServerError(
            f"no job server at {path}: build it with make flink-jar, or name one with"
            f" --flink_job_server_jar or {JAR_VARIABLE}, or a running one with --job_endpoint"
        )
    java = given.get("job_server_java_launcher", "java")
    if not shutil.which(java):
        raise JobServerError(f"no {java} here, which Flink's job server needs: install Java 17")


def see_those_named(words: Sequence[str], master: str | None = None) -> None:
    """Check that a server answers at each address that the options name.

    Without this check, Beam would wait for ever.

    Raises:
        JobServerError: No server answers at an address.
    """
    given = typed(words)
    _see("--flink_master", master or given.get("flink_master"))
    _see("--job_endpoint", given.get("job_endpoint"))


def _temporary_folder() -> str:
    return f"-Djava.io.tmpdir={tempfile.gettempdir()}"


def _see(option: str, address: str | None) -> None:
    host, _, port = (address or "").rpartition(":")
    host = host.rpartition("/")[2]  # Flink's may be a URL
    if not host or not (port.isascii() and port.isdigit()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE_S).close()
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise JobServerError(
            f"nobody answers at {option} {address} ({reason}): start it, or correct the address"
        ) from error
