"""The output folder: the names in it, and making it ready."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from transforms.elements import Event, Trigger
from transforms.files import OutputError, refusal, whole_file
from transforms.sink import parquet
from transforms.sink.lock import BusyError, locked
from transforms.sink.tables import event_table, trigger_table
from transforms.storage import storage
from transforms.utc import utc_day

CONFIG = "config.yaml"
SNIPPETS = "snippets.h5"
FORMER_SNIPPETS = "events.h5"
"""As it was called before; read, and replaced, but not written."""
REPORT = "report/index.html"
SEGMENTS = "segments/segments.parquet"
DEAD_LETTERS = "dead_letters/dead_letters.jsonl"
TRIGGER_SCHEMA, EVENT_SCHEMA = "triggers/schema.parquet", "events/schema.parquet"
"""No rows, only types and units: they make a run without triggers or events readable."""

_MARK = "# wavefier "
_ORIGIN = re.compile(
    _MARK + r".*, configuration (?P<config>\S+?)(?P<live>, live(?: job (?P<job>\".*\"))?)?\s*"
)
_DAY = r"\d{4}-\d\d-\d\d"
_PART = r"[^/.][^/]*"
_TRIGGERS = rf"triggers/{_PART}/{_DAY}/{_PART}-TRIGGERS-\d+-\d+\.parquet"
_EVENTS = rf"events/{_DAY}/EVENTS-\d+-\d+\.parquet"
_SEGMENTS = rf"segments/{_PART}/{_DAY}/{_PART}-SEGMENTS-\d+-60\.parquet"
_SNIPPETS = rf"snippets/{_PART}/{_DAY}/{_PART}-SNIPPETS-\d+-\d+\.h5"
_FORMER = rf"events/{_PART}/{_DAY}/{_PART}-EVENTS-\d+-\d+\.h5"
_LETTERS = rf"dead_letters/{_DAY}/DEAD_LETTERS-\d+-60\.jsonl"
_FIXED = (
    *(CONFIG, SNIPPETS, FORMER_SNIPPETS, REPORT, SEGMENTS, DEAD_LETTERS),
    *(TRIGGER_SCHEMA, EVENT_SCHEMA),
)
_OURS = re.compile(
    "|".join(
        [
            *(_TRIGGERS, _EVENTS, _SEGMENTS, _SNIPPETS, _FORMER, _LETTERS),
            rf"segments/{_PART}_ANALYSED\.txt",
            *map(re.escape, _FIXED),
        ]
    )
)
_FOLDERS = ("triggers", "segments", "snippets", "events", "dead_letters", "report")
_LEVEL = re.compile(rf"[A-Z][0-9]|{_DAY}")
"""Names of the folders in them."""
_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{32}\.part")
_ABANDONED_S = 600.0
"""A file that somebody still writes is younger."""
_LONGEST = 150
"""Characters of a channel in a file's name."""


def partition(trigger: Trigger) -> str:
    """Return the file in which a trigger belongs: one for each detector and day of UTC.

    The name follows T050017, with the day's midnight and length in GPS seconds. It depends
    on nothing but detector and day, so that a second run overwrites and never adds.
    """
    day = utc_day(trigger.time_ns)
    name = f"{trigger.ifo}-TRIGGERS-{day.gps_start}-{day.duration}.parquet"
    return f"triggers/{trigger.ifo}/{day.date}/{name}"


def event_partition(event: Event) -> str:
    """Return the file in which an event belongs: one for each day of UTC, as of triggers."""
    day = utc_day(event.time_ns)
    return f"events/{day.date}/EVENTS-{day.gps_start}-{day.duration}.parquet"


def analysed_names(channels: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the file of each channel's analysed stretches.

    A name holds letters, digits and underscores; other characters become underscores. Where
    two channels of a run would share one, those that had to change get a suffix.

    Args:
        channels: Each with its detector, detector first.
    """
    plain = {each: _description(*each) for each in channels}
    shared = Counter((ifo, name) for (ifo, _), name in plain.items())
    names = {}
    for (ifo, channel), name in plain.items():
        own = channel.removeprefix(f"{ifo}:")
        clash = shared[ifo, name] > 1 and own != name
        digest = sha256(channel.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        suffix = f"_{digest}" if clash or len(name) > _LONGEST else ""
        names[ifo, channel] = f"segments/{ifo}-{name[:_LONGEST]}{suffix}_ANALYSED.txt"
    return names


def _description(ifo: str, channel: str) -> str:
    return re.sub(r"\W", "_", channel.removeprefix(f"{ifo}:"), flags=re.ASCII)


def resume(output: str, config_text: str, config_id: str, version: str, job: str = "") -> Path:
    """Make the folder of a live job, or go on in it: what is there stays.

    Args:
        output: The folder; made if missing.
        config_text: The configuration, as YAML.
        config_id: Its hash.
        version: Version of the software.
        job: What tells the job from others that have the same configuration.

    Returns:
        The folder, absolute.

    Raises:
        OutputError: If it cannot be written, or holds files of another program, of a run on
            files, of another job or of another configuration; or a run on files is under way.
    """
    with storage(output):
        folder = made(output)
        # Shared: two starts of one job at once are no mistake.
        with held(folder, output, shared=True):
            see_clear(folder, output)
            former = former_results(folder)
            _see_same_job(folder, output, config_id, job)
            # The job may be running, or another start under way: only what nobody writes goes.
            since = _probe(folder) - _ABANDONED_S
            clear(folder, [path for path in former if _is_half(path) and _changed(path) < since])
            live = f", live job {json.dumps(job)}" if job else ", live"
            write_origin(folder, config_text, config_id, version, live)
    return folder


def _see_same_job(folder: Path, output: str, config_id: str, job: str) -> None:
    origin = origin_of(folder)
    if origin is None:
        return
    if not origin["live"]:
        raise OutputError(refusal(output, "it holds the results of a run on files"))
    if origin["config"] != config_id:
        reason = f"its results are of configuration {origin['config']}, not {config_id}"
        raise OutputError(f"{refusal(output, reason)}, or go on with {folder / CONFIG}")
    known = json.dumps(job)
    if job and origin["job"] not in (None, known):
        reason = f"its results are of the live job {origin['job']}, not {known}"
        raise OutputError(f"{refusal(output, reason)}, or go on with its --group")


@contextmanager
def held(folder: Path, output: str, *, shared: bool = False) -> Iterator[None]:
    """Hold a folder's lock.

    Raises:
        OutputError: Another run holds it.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder, shared=shared))
        except BusyError as error:
            raise OutputError(refusal(output, "another run writes to it now")) from error
        yield


def made(output: str) -> Path:
    """Make an output folder.

    Returns:
        The folder, absolute.

    Raises:
        OutputError: It is no place for files.
        OSError: It cannot be made.
    """
    if not output:
        raise OutputError("--output is empty: name a folder")
    if "://" in output:
        raise OutputError(refusal(output, "it is not a mounted folder"))
    folder = Path(output).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def origin_of(folder: Path) -> re.Match[str] | None:
    """Return what the folder's configuration says of its results; None if there are none."""
    config = folder / CONFIG
    return _ORIGIN.fullmatch(_first_line(config)) if config.is_file() else None


def write_origin(
    folder: Path, config_text: str, config_id: str, version: str, live: str = ""
) -> None:
    """Write what made the results: the configuration, and the columns."""
    lines = [line for line in config_text.splitlines() if not line.startswith(_MARK)]
    header = f"{_MARK}{version}, configuration {config_id}{live}"
    with whole_file(folder / CONFIG, folder) as temporary:
        temporary.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    metadata = {"config": config_id, "version": version}
    empty = {
        TRIGGER_SCHEMA: trigger_table([], version, 0.0, metadata),
        EVENT_SCHEMA: event_table([], version, 0.0, metadata),
    }
    for name, table in empty.items():
        with whole_file(folder / name, folder) as temporary:
            parquet.write(table, temporary)


def _probe(folder: Path) -> float:
    """Check that a file can be written; return the time at which it was, by the folder's clock."""
    probe = folder / f".{CONFIG}.{uuid4().hex}.part"
    probe.touch(exist_ok=False)
    written = _changed(probe)
    probe.unlink()
    return written


def _changed(path: Path) -> float:
    """Return the time of the last change; of a file that is gone meanwhile, endless."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def former_results(folder: Path) -> list[Path]:
    """List what a former run left, interrupted or not.

    Raises:
        OutputError: If there are such names, but not the mark of a run of ours.
    """
    found = [path for path in _files(folder) if is_ours(path.relative_to(folder))]
    config = folder / CONFIG
    # Nobody else's halves have such names. They are there before the mark is.
    whole = [path for path in found if not _is_half(path)]
    if whole and not (config.is_file() and _first_line(config).startswith(_MARK)):
        name = whole[0].relative_to(folder)
        raise OutputError(refusal(str(folder), f"it holds {name}, which no run of ours left"))
    return [path for path in found if path != config]


def _files(folder: Path) -> Iterator[Path]:
    # Only where our names can be: the folder may hold much else.
    yield from (path for path in folder.iterdir() if path.is_file())
    for name in _FOLDERS:
        yield from sorted(path for path in (folder / name).rglob("*") if path.is_file())


def see_clear(folder: Path, output: str) -> None:
    """Check that nothing stands where our files and folders go.

    Raises:
        OutputError: Something does.
    """
    wrong = [folder / name for name in _FIXED if (folder / name).is_dir()]
    for name in _FOLDERS:
        inner = [each for each in (folder / name).glob("*") if _LEVEL.fullmatch(each.name)]
        inner += [each for one in inner for each in one.glob("*") if _LEVEL.fullmatch(each.name)]
        for path in (folder / name, *inner):
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                wrong.append(path)
    if wrong:
        path = min(wrong)
        kind = "a link" if path.is_symlink() else "a folder" if path.is_dir() else "no folder"
        raise OutputError(refusal(output, f"{path.relative_to(folder)} in it is {kind}"))


def trigger_files(folder: Path) -> list[Path]:
    """List the files of triggers in a folder; other names are not ours."""
    return _named(folder, "triggers/*/*/*.parquet", _TRIGGERS)


def event_files(folder: Path) -> list[Path]:
    """List the files of events in a folder."""
    return _named(folder, "events/*/*.parquet", _EVENTS)


def segment_files(folder: Path) -> list[Path]:
    """List the files of segments that a live job left."""
    return _named(folder, "segments/*/*/*.parquet", _SEGMENTS)


def snippet_files(folder: Path) -> list[Path]:
    """List the files of snippets that a live job left."""
    former = _named(folder, "events/*/*/*.h5", _FORMER)
    return former + _named(folder, "snippets/*/*/*.h5", _SNIPPETS)


def letter_files(folder: Path) -> list[Path]:
    """List the files of dead letters that a live job left."""
    return _named(folder, "dead_letters/*/*.jsonl", _LETTERS)


def _named(folder: Path, places: str, names: str) -> list[Path]:
    found = sorted(folder.glob(places))
    return [path for path in found if re.fullmatch(names, path.relative_to(folder).as_posix())]


def _is_half(path: Path) -> bool:
    return _TEMPORARY.fullmatch(path.name) is not None


def is_ours(relative: Path) -> bool:
    """Return whether a name in a folder is one of ours, whole or half."""
    temporary = _TEMPORARY.fullmatch(relative.name)
    name = relative.with_name(temporary[1]) if temporary else relative
    return _OURS.fullmatch(name.as_posix()) is not None


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as stream:
        return stream.readline()


def clear(folder: Path, files: list[Path]) -> None:
    """Remove files of ours, and the folders that they leave empty."""
    for path in files:
        path.unlink(missing_ok=True)
        parent = path.parent
        while parent != folder and parent.is_dir() and not any(parent.iterdir()):
            parent.rmdir()
            parent = parent.parent
