"""The output folder: its names, files that appear whole, and making it ready.

A file is written under a temporary name beside its place and then renamed, so that
whoever looks sees the old file or the new one, and an interruption leaves no half.
"""

import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pyarrow.parquet as pq

from transforms.elements import Trigger
from transforms.sink.tables import trigger_table
from transforms.sink.utc import utc_day

CONFIG = "config.yaml"
EVENTS = "events.h5"
REPORT = "report/index.html"
SEGMENTS = "segments/segments.parquet"
DEAD_LETTERS = "dead_letters/dead_letters.jsonl"
SCHEMA = "triggers/schema.parquet"
"""No rows, only types and units: it makes a run without triggers readable."""

_MARK = "# wavefier "
_ORIGIN = re.compile(_MARK + r".*, configuration (?P<config>\S+?)(?P<live>, live)?\s*")
_DAY = r"\d{4}-\d\d-\d\d"
_OURS = re.compile(
    rf"triggers/[^/]+/{_DAY}/[^/]+-TRIGGERS-\d+-\d+\.parquet"
    rf"|segments/[^/]+/{_DAY}/[^/]+-SEGMENTS-\d+-60\.parquet"
    rf"|events/[^/]+/{_DAY}/[^/]+-EVENTS-\d+-\d+\.h5"
    rf"|dead_letters/{_DAY}/DEAD_LETTERS-\d+-60\.jsonl"
    r"|segments/[^/]+_ANALYSED\.txt"
    + "".join(f"|{re.escape(name)}" for name in (CONFIG, EVENTS, REPORT))
    + "".join(f"|{re.escape(name)}" for name in (SEGMENTS, DEAD_LETTERS, SCHEMA))
)
_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{32}\.part")
_ABANDONED_S = 600.0
"""A file that somebody still writes is younger."""


class OutputError(ValueError):
    """An output folder that cannot be used; one line says why and what to do."""


def partition(trigger: Trigger) -> str:
    """Give the file in which a trigger belongs: one for each detector and day of UTC.

    The name follows T050017, with the day's midnight and length in GPS seconds. It depends
    on nothing but detector and day, so that a second run overwrites and never adds.
    """
    day = utc_day(trigger.time_ns)
    name = f"{trigger.ifo}-TRIGGERS-{day.gps_start}-{day.duration}.parquet"
    return f"triggers/{trigger.ifo}/{day.date}/{name}"


def analysed_name(ifo: str, channel: str) -> str:
    """Give the file of a channel's analysed stretches."""
    description = re.sub(r"\W", "_", channel.removeprefix(f"{ifo}:"))
    return f"segments/{ifo}-{description}_ANALYSED.txt"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary name; what was written there takes its place at the end.

    Args:
        path: The file to write; its folder is made.

    Yields:
        Where to write. If the writing fails, nothing changes at ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Readers of data sets pass over names that begin with a dot.
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    # The name must not reach the disk before what it names.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def prepare(output: str, config_text: str, config_id: str, version: str) -> Path:
    """Make the output folder, clear a former run's results, and write the configuration.

    Args:
        output: The folder; made if missing.
        config_text: The configuration, as YAML.
        config_id: Its hash.
        version: Version of the software.

    Returns:
        The folder, absolute.

    Raises:
        OutputError: If it cannot be written, or holds files that no run of ours left, or a
            live job's results, which cannot be had again.
    """
    with _writable(output) as folder:
        former = _former_results(folder)
        origin = _origin(folder)
        if origin and origin["live"]:
            raise OutputError(_refusal(output, "a live job goes on in it"))
        _clear(folder, former)
        _write_origin(folder, config_text, config_id, version, "")
    return folder


def resume(output: str, config_text: str, config_id: str, version: str) -> Path:
    """Make the folder of a live job, or go on in it: what is there stays.

    Args:
        output: The folder; made if missing.
        config_text: The configuration, as YAML.
        config_id: Its hash.
        version: Version of the software.

    Returns:
        The folder, absolute.

    Raises:
        OutputError: If it cannot be written, or holds files of another program, of a run on
            files or of another configuration.
    """
    with _writable(output) as folder:
        former = _former_results(folder)
        origin = _origin(folder)
        if origin and not origin["live"]:
            raise OutputError(_refusal(output, "it holds the results of a run on files"))
        if origin and origin["config"] != config_id:
            reason = f"its results are of configuration {origin['config']}, not {config_id}"
            advice = f"{_refusal(output, reason)}, or go on with {folder / CONFIG}"
            raise OutputError(advice)
        # The job may be running, or another start of it under way: only what nobody writes goes.
        since = _probe(folder) - _ABANDONED_S
        _clear(folder, [path for path in former if _is_half(path) and _changed(path) < since])
        _write_origin(folder, config_text, config_id, version, ", live")
    return folder


@contextmanager
def _writable(output: str) -> Iterator[Path]:
    """Make a folder, see that it can be written, and tell of errors in one line."""
    if "://" in output:
        raise OutputError(_refusal(output, "it is not a mounted folder"))
    folder = Path(output).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _probe(folder)
        yield folder
    except OSError as error:
        raise OutputError(_refusal(output, error.strerror or str(error))) from error


def _origin(folder: Path) -> re.Match[str] | None:
    config = folder / CONFIG
    return _ORIGIN.fullmatch(_first_line(config)) if config.is_file() else None


def _write_origin(folder: Path, config_text: str, config_id: str, version: str, live: str) -> None:
    """Write what made the results: the configuration, and the triggers' columns."""
    lines = [line for line in config_text.splitlines() if not line.startswith(_MARK)]
    header = f"{_MARK}{version}, configuration {config_id}{live}"
    with whole_file(folder / CONFIG) as temporary:
        temporary.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    with whole_file(folder / SCHEMA) as temporary:
        metadata = {"config": config_id, "version": version}
        pq.write_table(trigger_table([], version, 0.0, metadata), temporary)


def _refusal(output: str, reason: str) -> str:
    return f"cannot write to {output}: {reason}; choose another --output"


def _probe(folder: Path) -> float:
    """See that a file can be written; give the time at which it was, by the folder's clock."""
    probe = folder / f".{CONFIG}.{uuid4().hex}.part"
    probe.touch(exist_ok=False)
    written = _changed(probe)
    probe.unlink()
    return written


def _changed(path: Path) -> float:
    """Give the time of the last change; of a file that is gone meanwhile, endless."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def _former_results(folder: Path) -> list[Path]:
    """List what a former run left, interrupted or not.

    Raises:
        OutputError: If there are such names, but not the mark of a run of ours.
    """
    found = [path for path in _files(folder) if _is_ours(path.relative_to(folder))]
    config = folder / CONFIG
    # Nobody else's halves have such names. They are there before the mark is.
    whole = [path for path in found if not _is_half(path)]
    if whole and not (config.is_file() and _first_line(config).startswith(_MARK)):
        name = whole[0].relative_to(folder)
        raise OutputError(_refusal(str(folder), f"it holds {name}, which no run of ours left"))
    return [path for path in found if path != config]


def _files(folder: Path) -> Iterator[Path]:
    # Only where our names can be: the folder may hold much else.
    yield from (path for path in folder.iterdir() if path.is_file())
    for name in ("triggers", "segments", "events", "dead_letters", "report"):
        yield from sorted(path for path in (folder / name).rglob("*") if path.is_file())


def _is_half(path: Path) -> bool:
    return _TEMPORARY.fullmatch(path.name) is not None


def _is_ours(relative: Path) -> bool:
    temporary = _TEMPORARY.fullmatch(relative.name)
    name = relative.with_name(temporary[1]) if temporary else relative
    return _OURS.fullmatch(name.as_posix()) is not None


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as stream:
        return stream.readline()


def _clear(folder: Path, files: list[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)
        parent = path.parent
        while parent != folder and not any(parent.iterdir()):
            parent.rmdir()
            parent = parent.parent
