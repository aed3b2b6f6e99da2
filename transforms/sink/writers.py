"""Elements to files, and back: each function writes one kind of result, whole."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from transforms.elements import DeadLetter, Segment, SingleArray, Trigger
from transforms.gps import to_seconds
from transforms.kinds import LetterKind, SegmentKind, gap_kind
from transforms.sink import folder
from transforms.sink.segments import coalesce, segwizard
from transforms.sink.tables import segment_table, trigger_row, trigger_table
from transforms.sink.utc import gps_now


@dataclass(frozen=True)
class Provenance:
    """What made the results: it stands in the metadata of every file."""

    config: str
    """Hash of the configuration."""
    version: str
    """Version of the software."""


@dataclass(frozen=True)
class Event:
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
        name: The file in it, as ``folder.partition`` gives it.
        triggers: All that belong there.
        provenance: What made them.

    Returns:
        The file.
    """
    path = output / name
    table = trigger_table(triggers, provenance.version, gps_now(), asdict(provenance))
    with folder.whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
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
    for (ifo, channel), stretches in channels.items():
        with folder.whole_file(output / folder.analysed_name(ifo, channel)) as temporary:
            temporary.write_text(segwizard(stretches), encoding="utf-8")
    path = output / folder.SEGMENTS
    with folder.whole_file(path) as temporary:
        table = segment_table(joined, asdict(provenance))
        pq.write_table(table, temporary, compression="zstd")
    return path


def write_dead_letters(output: Path, letters: Iterable[DeadLetter]) -> Path:
    """Write the dead letters, one JSON object a line, sorted; an empty file if none.

    Returns:
        The file.
    """
    lines = sorted(letter_lines(letters))
    path = output / folder.DEAD_LETTERS
    with folder.whole_file(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def letter_lines(letters: Iterable[DeadLetter]) -> list[str]:
    """Give each dead letter as a JSON object in one line."""
    return [json.dumps(asdict(letter), ensure_ascii=False) for letter in letters]


def write_events(output: Path, triggers: Iterable[Trigger], provenance: Provenance) -> Path:
    """Write the whitened strain around the loudest triggers.

    Each trigger is a group named by its id, whose attributes are its published columns and
    whose data set ``whitened`` gwpy reads as a time series.

    Returns:
        The file.
    """
    path = output / folder.EVENTS
    loudest_first = sorted(triggers, key=lambda each: (each.channel, -each.snr, each.id))
    with folder.whole_file(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update(asdict(provenance))
        for trigger in loudest_first:
            if trigger.snippet and trigger.id not in file:
                write_event(file.create_group(trigger.id), trigger, provenance.version)
    return path


def write_event(group: Any, trigger: Trigger, version: str) -> None:
    """Fill a group of an events' file: the published columns, and the whitened strain."""
    row = trigger_row(trigger, version, emitted_at=0.0)
    del row["emitted_at"], row["latency"]  # when it was written is no part of the event
    group.attrs.update({name: value for name, value in row.items() if value is not None})
    whitened = group.create_dataset("whitened", data=trigger.snippet_array)
    whitened.attrs.update(
        {
            "name": f"{trigger.channel} whitened",
            "channel": trigger.channel,
            "unit": "",
            "x0": to_seconds(trigger.snippet_start_ns),
            "dx": 1 / trigger.snippet_rate,
            "xunit": "s",
        }
    )


def read_triggers(output: str | Path) -> pa.Table:
    """Read all triggers of an output folder, by time, then id.

    Raises:
        OutputError: If there are none of our results.
    """
    path = _existing(output, folder.SCHEMA).parent
    table = pq.read_table(path, partitioning=None)
    return table.sort_by([("time_ns", "ascending"), ("id", "ascending")])


def read_segments(output: str | Path) -> list[Segment]:
    """Read the segments of an output folder, by detector, channel and time.

    Raises:
        OutputError: If there are none of our results.
    """
    first = _existing(output, folder.SEGMENTS)
    files = [first, *first.parent.glob("*/*/*-SEGMENTS-*.parquet")]
    return coalesce(each for path in files for each in segments_of(path))


def segments_of(path: Path) -> list[Segment]:
    """Read the segments of one file."""
    columns = [field.name for field in fields(Segment)]
    # A file of an older version lacks the kind.
    there = [name for name in columns if name in pq.read_schema(path).names]
    rows = pq.read_table(path, columns=there, partitioning=None).to_pylist()
    return [segment_from(row) for row in rows]


def segment_from(row: Mapping[str, Any]) -> Segment:
    """Return the segment of a published row, or of one that lacks its kind."""
    values = {field.name: row[field.name] for field in fields(Segment) if field.name in row}
    usual = SegmentKind.ANALYSED if values["analysed"] else gap_kind(values["reason"])
    return Segment(**{**values, "kind": SegmentKind(values.get("kind") or usual)})


def read_dead_letters(output: str | Path) -> list[DeadLetter]:
    """Read the dead letters of an output folder; none if there is no file of them."""
    files = [
        Path(output) / folder.DEAD_LETTERS,
        *sorted(Path(output).glob("dead_letters/*/DEAD_LETTERS-*.jsonl")),
    ]
    texts = [path.read_text(encoding="utf-8") for path in files if path.is_file()]
    # Live, a letter may stand in two minutes, after a fault.
    lines = dict.fromkeys(line for text in texts for line in text.splitlines())
    return [_letter(json.loads(line)) for line in lines]


def _letter(row: Mapping[str, str]) -> DeadLetter:
    kind = row.get("kind", LetterKind.OTHER)
    return DeadLetter(row["source"], row["reason"], row["checksum"], LetterKind(kind))


def read_events(output: str | Path) -> dict[str, Event]:
    """Read the loudest triggers' whitened strain, by id; none if there is no file of it."""
    files = [Path(output) / folder.EVENTS, *Path(output).glob("events/*/*/*-EVENTS-*.h5")]
    events = {}
    for path in files:
        if path.is_file():
            with h5py.File(path, "r") as file:
                events.update({name: _read_event(name, group) for name, group in file.items()})
    return events


def _read_event(name: str, group: Any) -> Event:
    whitened = group["whitened"]
    return Event(
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
    metadata = pq.read_schema(_existing(output, folder.SCHEMA)).metadata
    return Provenance(metadata[b"config"].decode(), metadata[b"version"].decode())


def _existing(output: str | Path, name: str) -> Path:
    path = Path(output) / name
    if not path.is_file():
        raise folder.OutputError(f"no results in {output}: {name} is missing; run wavefier first")
    return path
