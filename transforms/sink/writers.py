"""Elements to files, and back: each function writes one kind of result, whole."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa

from transforms.arrays import SingleArray
from transforms.elements import DeadLetter, Event, Segment, Trigger
from transforms.files import OutputError, whole_file
from transforms.gps import to_seconds
from transforms.kinds import LetterKind, SegmentKind, gap_kind
from transforms.sink import folder, parquet
from transforms.sink.segments import coalesce, segwizard
from transforms.sink.tables import (
    EVENT_COLUMNS,
    event_table,
    letter_row,
    make_schema,
    segment_table,
    trigger_row,
    trigger_table,
)
from transforms.storage import said
from transforms.texts import storable
from transforms.utc import gps_now


class DamagedError(OutputError):
    """A file among the results that is not what this software writes."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What made the results: it stands in the metadata of every file."""

    config: str
    """Hash of the configuration."""
    version: str
    """Version of the software."""


@dataclass(frozen=True)
class Snippet:
    """A loud trigger's whitened strain, as it was kept."""

    id: str
    channel: str
    time: float
    """GPS time of the trigger's peak [s]."""
    low_frequency: float
    high_frequency: float
    """The trigger's band [Hz]."""
    start_time: float
    """GPS time of the first sample [s]."""
    sample_rate: float
    """[Hz]"""
    samples: SingleArray
    """[time], float32, in units of the noise's standard deviation."""


def write_triggers(
    output: Path, name: str, triggers: Iterable[Trigger], provenance: Provenance
) -> Path:
    """Write the triggers of one detector and day.

    Args:
        output: The output folder.
        name: The file in it, as ``folder.partition`` returns it.
        triggers: All that belong there.
        provenance: What made them.

    Returns:
        The file.
    """
    table = trigger_table(triggers, provenance.version, gps_now(), asdict(provenance))
    return _write_table(output, name, table)


def write_events(output: Path, name: str, events: Iterable[Event], provenance: Provenance) -> Path:
    """Write the events of one day.

    Args:
        output: The output folder.
        name: The file in it, as ``folder.event_partition`` returns it.
        events: All that belong there.
        provenance: What made them.

    Returns:
        The file.
    """
    table = event_table(events, provenance.version, gps_now(), asdict(provenance))
    return _write_table(output, name, table)


def _write_table(output: Path, name: str, table: pa.Table) -> Path:
    path = output / name
    with whole_file(path, output) as temporary:
        parquet.write(table, temporary)
    return path


def write_segments(output: Path, segments: Iterable[Segment], provenance: Provenance) -> Path:
    """Write the joined segments, and each channel's analysed ones as plain text.

    Returns:
        The Parquet file.
    """
    joined = coalesce(segments)
    channels = defaultdict(list)
    for segment in joined:
        channels[segment.ifo, segment.channel].append(segment)
    for each, name in folder.analysed_names(channels).items():
        stretches = channels[each]
        with whole_file(output / name, output) as temporary:
            temporary.write_text(segwizard(stretches), encoding="utf-8")
    return _write_table(output, folder.SEGMENTS, segment_table(joined, asdict(provenance)))


def write_dead_letters(output: Path, letters: Iterable[DeadLetter]) -> Path:
    """Write the dead letters, one JSON object a line, sorted; an empty file if none.

    Returns:
        The file.
    """
    lines = sorted(letter_lines(letters))
    path = output / folder.DEAD_LETTERS
    with whole_file(path, output) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def letter_lines(letters: Iterable[DeadLetter]) -> list[str]:
    """Return each dead letter as a JSON object in one line."""
    return [json.dumps(letter_row(letter), ensure_ascii=False) for letter in letters]


def write_snippets(output: Path, triggers: Iterable[Trigger], provenance: Provenance) -> Path:
    """Write the whitened strain around the loudest triggers.

    Each trigger is a group named by its id, whose attributes are its published columns and
    whose data set ``whitened`` gwpy reads as a time series.

    Returns:
        The file.
    """
    path = output / folder.SNIPPETS
    loudest_first = sorted(triggers, key=lambda each: (each.channel, -each.snr, each.id))
    with whole_file(path, output) as temporary, hdf5_file(temporary) as file:
        file.attrs.update(asdict(provenance))
        for trigger in loudest_first:
            if trigger.snippet and trigger.id not in file:
                write_snippet(file.create_group(trigger.id), trigger, provenance.version)
    return path


@contextmanager
def hdf5_file(path: Path) -> Iterator[h5py.File]:
    """Yield an HDF5 file in memory, whose bytes are written when it is complete.

    HDF5 itself ends the process where a disk is full. What is kept is bounded by ``loudest``.
    """
    with h5py.File(path.name, "w", driver="core", backing_store=False) as file:
        yield file
        file.flush()
        image = file.id.get_file_image()
    path.write_bytes(image)


def write_snippet(group: Any, trigger: Trigger, version: str) -> None:
    """Fill a group of a snippets' file: the published columns, and the whitened strain."""
    row = trigger_row(trigger, version, emitted_at=0.0)
    del row["emitted_at"], row["latency"]  # when it was written is no part of it
    group.attrs.update({name: value for name, value in row.items() if value is not None})
    whitened = group.create_dataset("whitened", data=trigger.snippet_array)
    whitened.attrs.update(
        {
            "name": f"{row['channel']} whitened",
            "channel": row["channel"],
            "unit": "",
            "x0": to_seconds(trigger.snippet_start_ns),
            "dx": 1 / trigger.snippet_rate,
            "xunit": "s",
        }
    )


def read_triggers(output: str | Path) -> pa.Table:
    """Read all triggers of an output folder, by time, then id.

    Raises:
        OutputError: If there are none of our results, or a file is damaged.
    """
    first = _existing(output, folder.TRIGGER_SCHEMA)
    with readable(first):
        schema = _seen(parquet.read_schema(first), "channel")
    return _read_tables(folder.trigger_files(Path(output)), schema, "channel")


def read_events(output: str | Path) -> pa.Table:
    """Read all events of an output folder, by time, then id; none where an older version wrote it.

    Raises:
        OutputError: If there are none of our results, or a file is damaged.
    """
    _existing(output, folder.TRIGGER_SCHEMA)
    first = Path(output) / folder.EVENT_SCHEMA
    schema = make_schema(EVENT_COLUMNS, {})
    if first.exists():
        with readable(first):
            schema = _seen(parquet.read_schema(first), "detectors")
    return _read_tables(folder.event_files(Path(output)), schema, "detectors")


def _read_tables(paths: Iterable[Path], schema: pa.Schema, source: str) -> pa.Table:
    tables = [schema.empty_table()]
    for path in paths:
        with readable(path):
            table = parquet.read(path)
            _seen(table.schema, source)
            tables.append(_fitted(table, schema))
    table = pa.concat_tables(tables).combine_chunks()
    return table.sort_by([("time_ns", "ascending"), ("id", "ascending")])


def _seen(schema: pa.Schema, source: str) -> pa.Schema:
    """Return a schema that has what every version has.

    Args:
        schema: Of the file.
        source: Name of the column that says where its rows were seen.

    Raises:
        KeyError: It lacks that.
    """
    for name in ("id", "time_ns", source, "snr"):
        schema.field(name)
    return schema


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with the columns of a schema; another version's may lack some."""
    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what reading a file raises into an error of one line.

    Raises:
        DamagedError: It is not what this software writes.
        OutputError: The storage does not give it.
    """
    name = storable(str(path))
    if path.is_dir():  # Arrow takes it for a data set
        raise DamagedError(f"{name}: it is a folder; move it away")
    if path.exists() and not path.is_file():  # a pipe is waited for
        raise DamagedError(f"{name}: it is no file; move it away")
    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, ArithmeticError) as error:
        # Arrow, HDF5 and JSON know many ways to say that a file is not what we wrote.
        if isinstance(error, OSError) and error.errno:
            raise OutputError(f"{name}: {said(error)}") from error
        text = f"{name}: damaged, or not of this software; move it away, or run wavefier again"
        raise DamagedError(text) from error


def read_segments(output: str | Path) -> list[Segment]:
    """Read the segments of an output folder, by detector, channel and time.

    Raises:
        OutputError: If there are none of our results, or a file is damaged.
    """
    first = _existing(output, folder.SEGMENTS)
    segments = []
    for path in (first, *folder.segment_files(Path(output))):
        with readable(path):
            segments += segments_of(path)
    return coalesce(segments)


def segments_of(path: Path) -> list[Segment]:
    """Read the segments of one file."""
    columns = [field.name for field in fields(Segment)]
    # A file of an older version lacks the kind.
    there = [name for name in columns if name in parquet.read_schema(path).names]
    rows = parquet.read(path, there).to_pylist()
    return [segment_from(row) for row in rows]


def segment_from(row: Mapping[str, Any]) -> Segment:
    """Return the segment of a published row, or of one that lacks its kind."""
    values = {field.name: row[field.name] for field in fields(Segment) if field.name in row}
    usual = SegmentKind.ANALYSED if values["analysed"] else gap_kind(values["reason"])
    kind = values.get("kind")
    # A newer version may know more of them.
    known = SegmentKind(kind) if kind in frozenset(SegmentKind) else usual
    return Segment(**{**values, "kind": known})


def read_dead_letters(output: str | Path) -> list[DeadLetter]:
    """Read the dead letters of an output folder; none if there is no file of them.

    Raises:
        OutputError: If a file is damaged.
    """
    letters = []
    for path in (Path(output) / folder.DEAD_LETTERS, *folder.letter_files(Path(output))):
        if path.exists():
            with readable(path):
                letters += [letter_from(json.loads(line)) for line in lines_of(path)]
    # Live, a letter may stand in two minutes, after a fault.
    return list(dict.fromkeys(letters))


def lines_of(path: Path) -> list[str]:
    """Read the lines of a file, which end as JSON's do: there are more ends of lines in texts."""
    return [line for line in path.read_text(encoding="utf-8").split("\n") if line]


def letter_from(row: Any) -> DeadLetter:
    """Return the dead letter of a published row.

    Raises:
        ValueError: It is the row of none.
        KeyError: It lacks a column.
    """
    if not isinstance(row, Mapping):
        raise ValueError("a dead letter is no mapping")
    source, reason, checksum = row["source"], row["reason"], row["checksum"]
    kind = row.get("kind", "")
    if not all(isinstance(text, str) for text in (source, reason, checksum, kind)):
        raise ValueError("a column of a dead letter is no text")
    # An older version wrote none, a newer one may know more.
    known = LetterKind(kind) if kind in frozenset(LetterKind) else LetterKind.OTHER
    return DeadLetter(source=source, reason=reason, checksum=checksum, kind=known)


def read_snippets(output: str | Path) -> dict[str, Snippet]:
    """Read the loudest triggers' whitened strain, by id; none if there is no file of it.

    Raises:
        OutputError: If a file is damaged.
    """
    root = Path(output)
    snippets = {}
    fixed = (root / folder.FORMER_SNIPPETS, root / folder.SNIPPETS)
    for path in (*fixed, *folder.snippet_files(root)):
        if path.exists():
            with readable(path), h5py.File(path, "r") as file:
                snippets.update({name: _read_snippet(name, group) for name, group in file.items()})
    return snippets


def _read_snippet(name: str, group: Any) -> Snippet:
    whitened = group["whitened"]
    return Snippet(
        id=name,
        channel=str(group.attrs["channel"]),
        time=float(group.attrs["time"]),
        low_frequency=float(group.attrs["low_frequency"]),
        high_frequency=float(group.attrs["high_frequency"]),
        start_time=float(whitened.attrs["x0"]),
        sample_rate=1 / float(whitened.attrs["dx"]),
        samples=np.asarray(whitened[:], np.float32),
    )


def read_provenance(output: str | Path) -> Provenance:
    """Read what made the results of an output folder.

    Raises:
        OutputError: If there are none of our results.
    """
    path = _existing(output, folder.TRIGGER_SCHEMA)
    with readable(path):
        metadata = parquet.read_schema(path).metadata or {}
        return Provenance(
            config=metadata[b"config"].decode(), version=metadata[b"version"].decode()
        )


def _existing(output: str | Path, name: str) -> Path:
    path = Path(output) / name
    if not path.exists():
        where = storable(str(output))
        raise OutputError(f"no results in {where}: {name} is missing; run wavefier first")
    return path
