"""The published columns of triggers and segments: names, types, units and meanings.

This is their one definition: Parquet, HDF5 and messages are all made from it.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from transforms.elements import DeadLetter, Segment, Trigger
from transforms.gps import to_seconds
from transforms.texts import storable


@dataclass(frozen=True)
class Column:
    """A published column."""

    name: str
    type: pa.DataType
    unit: str
    """As astropy writes it; empty for numbers without a unit, and for text."""
    description: str


_TEXT, _INT, _FLOAT = pa.string(), pa.int64(), pa.float64()

TRIGGER_COLUMNS = (
    Column("id", _TEXT, "", "name of the trigger: the same whenever the same data are analysed"),
    Column("ifo", _TEXT, "", "detector"),
    Column("channel", _TEXT, "", "channel"),
    Column("time", _FLOAT, "s", "GPS time of the peak: centre of the loudest tile"),
    Column("time_ns", _INT, "ns", "GPS time of the peak, exact"),
    Column("start_time", _FLOAT, "s", "GPS time at which the cluster of tiles starts"),
    Column("end_time", _FLOAT, "s", "GPS time at which the cluster of tiles ends"),
    Column("frequency", _FLOAT, "Hz", "central frequency of the loudest tile"),
    Column("low_frequency", _FLOAT, "Hz", "lower edge of the cluster"),
    Column("high_frequency", _FLOAT, "Hz", "upper edge of the cluster"),
    Column("bandwidth", _FLOAT, "Hz", "bandwidth of the trigger"),
    Column("duration", _FLOAT, "s", "duration of the trigger"),
    Column("q", _FLOAT, "", "quality factor of the loudest tile"),
    Column(
        "snr",
        _FLOAT,
        "",
        "signal-to-noise ratio of the loudest tile or shape",
    ),
    Column(
        "rank",
        _FLOAT,
        "",
        "ranking statistic: as rare in the noise around at any frequency and for any shape",
    ),
    Column("amplitude", _FLOAT, "Hz(-1/2)", "root-sum-square strain of the loudest tile or shape"),
    Column(
        "phase",
        _FLOAT,
        "rad",
        "phase of the loudest tile at its centre; 0 for shapes",
    ),
    Column("wavelet", _TEXT, "", "what was loudest: morlet (a tile), box or sweep"),
    Column("tiles", _INT, "", "number of tiles above threshold in the cluster"),
    Column("wdf_basis", _TEXT, "", "best wavelet basis; empty where none keeps a coefficient"),
    Column("enwdf", _FLOAT, "", "norm of the kept coefficients over the noise's deviation"),
    Column("wdf_coefficients", _INT, "", "number of wavelet coefficients kept"),
    Column("wdf_rate", _INT, "Hz", "sample rate of the transformed window; 0 where none was"),
    Column("wdf_index", pa.list_(pa.uint16()), "", "places of the kept coefficients"),
    Column("wdf_value", pa.list_(pa.float32()), "", "kept coefficients"),
    Column("label", _TEXT, "", "most probable class; empty where no model looked"),
    Column("score", _FLOAT, "", "probability of that class; null where no model looked"),
    Column("probabilities", _TEXT, "", "probability of each class, as a JSON object"),
    Column("far", _FLOAT, "Hz", "false-alarm rate; null where it was not estimated"),
    Column("dq", _TEXT, "", "data-quality flags over the trigger, joined by commas"),
    Column("injections", _TEXT, "", "hardware injections over the trigger, joined by commas"),
    Column("version", _TEXT, "", "version of the software"),
    Column("config", _TEXT, "", "hash of the configuration"),
    Column("model", _TEXT, "", "model that gave the label; empty where none looked"),
    Column("data_time", _FLOAT, "s", "GPS time of the end of the last sample needed"),
    Column("emitted_at", _FLOAT, "s", "GPS time at which the row was written"),
    Column("latency", _FLOAT, "s", "emitted_at less data_time"),
)

SEGMENT_COLUMNS = (
    Column("ifo", _TEXT, "", "detector"),
    Column("channel", _TEXT, "", "channel"),
    Column("start_time", _FLOAT, "s", "GPS time at which the segment starts"),
    Column("end_time", _FLOAT, "s", "GPS time at which the segment ends, not included"),
    Column("start_ns", _INT, "ns", "GPS time at which the segment starts, exact"),
    Column("end_ns", _INT, "ns", "GPS time at which the segment ends, exact, not included"),
    Column("analysed", pa.bool_(), "", "whether triggers were looked for"),
    Column("reason", _TEXT, "", "why not; empty where analysed"),
    Column("kind", _TEXT, "", "analysed, or why not: one of few words, for programs"),
)


def make_schema(columns: Iterable[Column], metadata: Mapping[str, str]) -> pa.Schema:
    """Return the Arrow schema: units and descriptions in the fields' metadata."""
    fields = [
        pa.field(
            column.name,
            column.type,
            metadata={"unit": column.unit, "description": column.description},
        )
        for column in columns
    ]
    return pa.schema(fields, metadata=dict(metadata))


def trigger_row(trigger: Trigger, version: str, emitted_at: float) -> dict[str, Any]:
    """Return what is published of one trigger, in the order of ``TRIGGER_COLUMNS``.

    Args:
        trigger: The trigger; its snippet is not published here.
        version: Version of the software.
        emitted_at: GPS time of the writing [s].

    Returns:
        Column to value: text, integers, finite floats, lists of them or None, so that JSON can
        hold it.

    Raises:
        ValueError: A number is not finite, or too large.
    """
    data_time = to_seconds(trigger.data_time_ns)
    given: dict[str, Any] = {
        "time": to_seconds(trigger.time_ns),
        "start_time": to_seconds(trigger.start_ns),
        "end_time": to_seconds(trigger.end_ns),
        "wdf_coefficients": len(trigger.wdf_value_array),
        "wdf_index": trigger.wdf_index_array.tolist(),
        "wdf_value": trigger.wdf_value_array.tolist(),
        "score": None if math.isnan(trigger.score) else trigger.score,
        "probabilities": json.dumps(class_probabilities(trigger)),
        "far": None,
        "dq": ",".join(trigger.dq),
        "injections": ",".join(trigger.injections),
        "version": version,
        "data_time": data_time,
        "emitted_at": emitted_at,
        "latency": emitted_at - data_time,
    }
    row = {
        column.name: given[column.name] if column.name in given else getattr(trigger, column.name)
        for column in TRIGGER_COLUMNS
    }
    return {name: _published(name, value) for name, value in row.items()}


def class_probabilities(trigger: Trigger) -> dict[str, float]:
    """Return the probability of each class, by its name.

    Raises:
        ValueError: One is not finite.
    """
    if not all(math.isfinite(value) for _, value in trigger.probabilities):
        raise ValueError("probabilities are not finite, which neither JSON nor a table may hold")
    return {storable(name): value for name, value in trigger.probabilities}


def _published(name: str, value: Any) -> Any:
    """Return what is written of a value.

    Raises:
        ValueError: No table can hold it, and JSON neither.
    """
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}, which neither JSON nor a table may hold")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"{name} is {value}, beyond what JSON's readers and tables hold")
    if isinstance(value, list) and not all(map(math.isfinite, value)):
        raise ValueError(f"{name} is not finite, which neither JSON nor a table may hold")
    return value


def trigger_table(
    triggers: Iterable[Trigger], version: str, emitted_at: float, metadata: Mapping[str, str]
) -> pa.Table:
    """Return the triggers as a table: by time, then id, each id once."""
    rows = [trigger_row(trigger, version, emitted_at) for trigger in unique(triggers)]
    return trigger_rows_table(rows, metadata)


def unique(triggers: Iterable[Trigger]) -> list[Trigger]:
    """Return each id once."""
    # A replay may hand over an id twice; the louder is the one that saw more of the data.
    return list({each.id: each for each in sorted(triggers, key=lambda each: each.snr)}.values())


def trigger_rows_table(rows: Iterable[Mapping[str, Any]], metadata: Mapping[str, str]) -> pa.Table:
    """Return rows of triggers as a table, by time, then id."""
    ordered = sorted(rows, key=lambda row: (row["time_ns"], row["id"]))
    widths = text_widths(TRIGGER_COLUMNS, ordered)
    schema = make_schema(TRIGGER_COLUMNS, {**metadata, **widths})
    return pa.Table.from_pylist(ordered, schema=schema)


def text_widths(columns: Iterable[Column], rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the metadata from which astropy, and so EventTable, learns how wide texts are.

    Without it they warn of every column, and refuse a table without rows.
    """
    widths = {column.name: 1 for column in columns if column.type == _TEXT}
    for row in rows:
        for name, width in widths.items():
            # A row that another version wrote may lack a column.
            widths[name] = max(width, len(row.get(name) or ""))
    return {f"table::len::{name}": str(width) for name, width in widths.items()}


def segment_row(segment: Segment) -> dict[str, Any]:
    """Return what is published of one segment, in the order of ``SEGMENT_COLUMNS``.

    Raises:
        ValueError: A time is too large.
    """
    row = {
        **vars(segment),
        "kind": segment.kind.value,
        "start_time": to_seconds(segment.start_ns),
        "end_time": to_seconds(segment.end_ns),
    }
    return {column.name: _published(column.name, row[column.name]) for column in SEGMENT_COLUMNS}


def letter_row(letter: DeadLetter) -> dict[str, str]:
    """Return what is published of one dead letter."""
    return {name: storable(str(value)) for name, value in vars(letter).items()}


def segment_table(segments: Iterable[Segment], metadata: Mapping[str, str]) -> pa.Table:
    """Return the segments as a table, in their order."""
    rows = [segment_row(segment) for segment in segments]
    widths = text_widths(SEGMENT_COLUMNS, rows)
    return pa.Table.from_pylist(rows, schema=make_schema(SEGMENT_COLUMNS, {**metadata, **widths}))
