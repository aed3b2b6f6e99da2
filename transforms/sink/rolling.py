"""The files of a live job: one for each minute, of a detector where one has it alone.

Only whole files replace them. Each function adds to a file what is new, and leaves the file
alone where nothing is. So the same elements handed over again, after a fault or a restart,
change nothing.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py

from transforms.elements import DeadLetter, Event, Segment, Trigger
from transforms.files import whole_file
from transforms.gps import NANOSECONDS
from transforms.sink import parquet
from transforms.sink.segments import coalesce
from transforms.sink.tables import (
    EVENT_COLUMNS,
    TRIGGER_COLUMNS,
    Column,
    event_row,
    rows_table,
    segment_row,
    segment_table,
    trigger_row,
    unique,
)
from transforms.sink.writers import (
    Provenance,
    hdf5_file,
    letter_from,
    letter_lines,
    lines_of,
    readable,
    segment_from,
    segments_of,
    write_snippet,
)
from transforms.texts import storable
from transforms.utc import gps_now, utc_day

MINUTE = 60
"""[s], on the grid of GPS time."""
_WHEN = ("emitted_at", "latency")


def minute_start(gps_ns: int) -> int:
    """Return the GPS time at which the minute of a GPS time [ns] begins [s]."""
    return gps_ns // NANOSECONDS // MINUTE * MINUTE


def minute_end_ns(gps_ns: int) -> int:
    """Return the GPS time at which the minute of a GPS time [ns] ends [ns]."""
    return (minute_start(gps_ns) + MINUTE) * NANOSECONDS


def trigger_name(trigger: Trigger) -> str:
    """Return the file of a trigger: of its detector, and the minute of its peak."""
    return f"triggers/{_place(trigger.ifo, 'TRIGGERS', trigger.time_ns)}.parquet"


def event_name(event: Event) -> str:
    """Return the file of an event: of the minute of its peak in its first detector."""
    start = minute_start(event.time_ns)
    return f"events/{_date(start)}/EVENTS-{start}-{MINUTE}.parquet"


def segment_name(segment: Segment) -> str:
    """Return the file of a segment: of its detector, and the minute in which it begins."""
    return f"segments/{_place(segment.ifo, 'SEGMENTS', segment.start_ns)}.parquet"


def snippet_name(trigger: Trigger) -> str:
    """Return the file of a trigger's strain: of its detector, and the day of UTC."""
    day = utc_day(trigger.time_ns)
    name = f"{trigger.ifo}-SNIPPETS-{day.gps_start}-{day.duration}.h5"
    return f"snippets/{trigger.ifo}/{day.date}/{name}"


def letter_name(gps_ns: int) -> str:
    """Return the file of the dead letters that came at a GPS time [ns]."""
    start = minute_start(gps_ns)
    return f"dead_letters/{_date(start)}/DEAD_LETTERS-{start}-{MINUTE}.jsonl"


def _place(ifo: str, what: str, gps_ns: int) -> str:
    start = minute_start(gps_ns)
    return f"{ifo}/{_date(start)}/{ifo}-{what}-{start}-{MINUTE}"


def _date(start: int) -> str:
    return utc_day(start * NANOSECONDS).date


def add_triggers(path: Path, triggers: Iterable[Trigger], provenance: Provenance) -> bool:
    """Add triggers to a file; one whose id is there replaces it, if it differs.

    Args:
        path: The file; made if missing.
        triggers: In any order.
        provenance: What made them.

    Returns:
        Whether the file was written.

    Raises:
        DamagedError: What is there is not what was written.
    """
    return _add_rows(path, unique(triggers), TRIGGER_COLUMNS, trigger_row, provenance)


def add_events(path: Path, events: Iterable[Event], provenance: Provenance) -> bool:
    """Add events to a file, as ``add_triggers`` adds triggers.

    Returns:
        Whether the file was written.

    Raises:
        DamagedError: What is there is not what was written.
    """
    return _add_rows(path, unique(events), EVENT_COLUMNS, event_row, provenance)


def _add_rows(
    path: Path,
    found: Iterable[Any],
    columns: tuple[Column, ...],
    make: Callable[[Any, str, float], dict[str, Any]],
    provenance: Provenance,
) -> bool:
    rows = {}
    if path.exists():
        with readable(path):
            there = parquet.read(path).to_pylist()
            rows = {row["id"]: row for row in there if row["time_ns"] is not None}
    changed = False
    now = gps_now()
    for each in found:
        row = make(each, provenance.version, now)
        known = rows.get(each.id, {})
        if {**row, **dict.fromkeys(_WHEN)} != {**known, **dict.fromkeys(_WHEN)}:
            rows[each.id] = row
            changed = True
    if changed:
        table = rows_table(columns, rows.values(), asdict(provenance))
        with whole_file(path) as temporary:
            parquet.write(table, temporary)
    return changed


def add_segments(path: Path, segments: Iterable[Segment], provenance: Provenance) -> bool:
    """Add segments to a file, joined with those that are there where they touch.

    Returns:
        Whether the file was written.

    Raises:
        DamagedError: What is there is not what was written.
    """
    there: list[Segment] = []
    if path.exists():
        with readable(path):
            there = segments_of(path)
    new = (segment_from(segment_row(each)) for each in segments)  # as they are read again
    joined = coalesce([*there, *new])
    if joined == there:
        return False
    with whole_file(path) as temporary:
        table = segment_table(joined, asdict(provenance))
        parquet.write(table, temporary)
    return True


def add_letters(path: Path, letters: Iterable[DeadLetter]) -> bool:
    """Add dead letters to a file, each once.

    Returns:
        Whether the file was written.

    Raises:
        DamagedError: What is there is not what was written.
    """
    there: list[str] = []
    if path.exists():
        with readable(path):
            there = lines_of(path)
            for line in there:
                letter_from(json.loads(line))
    lines = sorted({*there, *letter_lines(letters)})
    if lines == there:
        return False
    with whole_file(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return True


def add_snippets(
    path: Path, triggers: Iterable[Trigger], provenance: Provenance, loudest: int
) -> bool:
    """Add the whitened strain of triggers to a file, which keeps the loudest of each channel.

    Args:
        path: The file; made if missing.
        triggers: In any order; those without strain are left out.
        provenance: What made them.
        loudest: How many of each channel are kept.

    Returns:
        Whether the file was written.

    Raises:
        DamagedError: What is there is not what was written.
    """
    new = {each.id: each for each in unique(triggers) if each.snippet}
    there = _strain(path)
    known = there | {each.id: (storable(each.channel), each.snr) for each in new.values()}
    ranked: dict[str, list[str]] = {}
    for name in sorted(known, key=lambda name: (-known[name][1], name)):
        ranked.setdefault(known[name][0], []).append(name)
    kept = [name for names in ranked.values() for name in names[:loudest]]
    if set(kept) == set(there):
        return False
    with whole_file(path) as temporary, hdf5_file(temporary) as file:
        file.attrs.update(asdict(provenance))
        if there:
            with readable(path), h5py.File(path, "r") as old:
                for name in set(kept) & set(there):
                    old.copy(name, file)
        for name in sorted(set(kept) - set(there)):
            write_snippet(file.create_group(name), new[name], provenance.version)
    return True


def _strain(path: Path) -> dict[str, tuple[str, float]]:
    """Return channel and SNR of what a file holds, by id."""
    if not path.exists():
        return {}
    with readable(path), h5py.File(path, "r") as file:
        return {
            name: (str(group.attrs["channel"]), float(group.attrs["snr"]))
            for name, group in file.items()
        }
