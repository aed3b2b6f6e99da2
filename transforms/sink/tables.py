"""The published columns of triggers, events and segments: names, types, units and meanings.

This is their one definition: Parquet, HDF5 and messages are all made from it.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa

from transforms.elements import DeadLetter, Event, Segment, Trigger
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
# No lists of texts: EventTable cannot join those of several files.
_INTS, _FLOATS = pa.list_(_INT), pa.list_(_FLOAT)
_Found = TypeVar("_Found", Trigger, Event)

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

EVENT_COLUMNS = (
    Column("id", _TEXT, "", "name of the event: the same whenever the same data are analysed"),
    Column("time", _FLOAT, "s", "GPS time of the peak in the first of its detectors"),
    Column("time_ns", _INT, "ns", "GPS time of the peak in the first of its detectors, exact"),
    Column("start_time", _FLOAT, "s", "GPS time at which the first of its triggers starts"),
    Column("end_time", _FLOAT, "s", "GPS time at which the last of its triggers ends"),
    Column("detectors", _TEXT, "", "its detectors, in order of name, joined by commas"),
    Column("frequency", _FLOAT, "Hz", "central frequency of its trigger of the largest SNR"),
    Column("low_frequency", _FLOAT, "Hz", "lowest edge of its triggers"),
    Column("high_frequency", _FLOAT, "Hz", "highest edge of its triggers"),
    Column("bandwidth", _FLOAT, "Hz", "bandwidth of its trigger of the largest SNR"),
    Column("duration", _FLOAT, "s", "duration of its trigger of the largest SNR"),
    Column("snr", _FLOAT, "", "network SNR: root of the sum of its triggers' squared SNRs"),
    Column("rank", _FLOAT, "", "ranking statistic of its best pair, with labels"),
    Column("rank_unlabelled", _FLOAT, "", "ranking statistic of its best pair without labels"),
    Column("pair", _TEXT, "", "its best pair of detectors, as H1L1"),
    Column("correlation", _FLOAT, "", "largest correlation of the pair's waveforms, -1 to 1"),
    Column("time_delay", _FLOAT, "s", "how much later the wave is in the pair's second detector"),
    Column("label", _TEXT, "", "most probable class; empty where no model looked"),
    Column("score", _FLOAT, "", "probability of that class; null where no model looked"),
    Column("far", _FLOAT, "Hz", "false-alarm rate; null where it was not estimated"),
    Column("far_livetime", _FLOAT, "s", "slid live time in which the rate was counted"),
    Column("far_louder", _INT, "", "number of slid pairs at least as loud"),
    Column("far_method", _TEXT, "", "how the rate was made; empty where it was not"),
    Column("trigger_id", _TEXT, "", "id of the trigger of each detector, joined by commas"),
    Column("trigger_label", _TEXT, "", "label of each trigger, joined by commas"),
    Column("trigger_time", _FLOATS, "s", "GPS time of the peak of each trigger"),
    Column("trigger_time_ns", _INTS, "ns", "GPS time of the peak of each trigger, exact"),
    Column("trigger_frequency", _FLOATS, "Hz", "central frequency of each trigger"),
    Column("trigger_snr", _FLOATS, "", "SNR of each trigger"),
    Column("trigger_rank", _FLOATS, "", "ranking statistic of each trigger"),
    Column("trigger_amplitude", _FLOATS, "Hz(-1/2)", "root-sum-square strain of each trigger"),
    Column("dq", _TEXT, "", "data-quality flags over its triggers, as H1:CAT2, joined by commas"),
    Column("injections", _TEXT, "", "hardware injections over its triggers, in the same form"),
    Column("version", _TEXT, "", "version of the software"),
    Column("config", _TEXT, "", "hash of the configuration of the ranking"),
    Column("model", _TEXT, "", "model that gave the labels; empty where none looked"),
    Column("emitted_at", _FLOAT, "s", "GPS time at which the row was written"),
    Column("latency", _FLOAT, "s", "emitted_at less time"),
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
        "score": _known(trigger.score),
        "probabilities": json.dumps(class_probabilities(trigger)),
        "far": None,
        "dq": ",".join(trigger.dq),
        "injections": ",".join(trigger.injections),
        "version": version,
        "data_time": data_time,
        "emitted_at": emitted_at,
        "latency": emitted_at - data_time,
    }
    return _row(TRIGGER_COLUMNS, trigger, given)


def event_row(event: Event, version: str, emitted_at: float) -> dict[str, Any]:
    """Return what is published of one event, in the order of ``EVENT_COLUMNS``.

    Args:
        event: The event.
        version: Version of the software.
        emitted_at: GPS time of the writing [s].

    Returns:
        Column to value, as of `trigger_row`.

    Raises:
        ValueError: A number is not finite, or too large, or the triggers are not those of the
            detectors.
    """
    triggers = event.triggers
    if not triggers or event.detectors != tuple(each.ifo for each in triggers):
        raise ValueError("its triggers are not those of its detectors")
    loudest = max(triggers, key=lambda each: each.snr)
    time = to_seconds(event.time_ns)
    given: dict[str, Any] = {
        "time": time,
        "start_time": to_seconds(min(each.start_ns for each in triggers)),
        "end_time": to_seconds(max(each.end_ns for each in triggers)),
        "detectors": ",".join(event.detectors),
        "frequency": loudest.frequency,
        "low_frequency": min(each.low_frequency for each in triggers),
        "high_frequency": max(each.high_frequency for each in triggers),
        "bandwidth": loudest.bandwidth,
        "duration": loudest.duration,
        "time_delay": to_seconds(event.delay_ns),
        "score": _known(event.score),
        "far": _known(event.far),
        "far_livetime": to_seconds(event.far_livetime_ns),
        "trigger_id": ",".join(each.id for each in triggers),
        "trigger_label": ",".join(each.label for each in triggers),
        "trigger_time": [to_seconds(each.time_ns) for each in triggers],
        "trigger_time_ns": [each.time_ns for each in triggers],
        "trigger_frequency": [each.frequency for each in triggers],
        "trigger_snr": [each.snr for each in triggers],
        "trigger_rank": [each.rank for each in triggers],
        "trigger_amplitude": [each.amplitude for each in triggers],
        "dq": ",".join(_of_detector(each.ifo, flag) for each in triggers for flag in each.dq),
        "injections": ",".join(
            _of_detector(each.ifo, flag) for each in triggers for flag in each.injections
        ),
        "version": version,
        "model": triggers[0].model,
        "emitted_at": emitted_at,
        "latency": emitted_at - time,
    }
    return _row(EVENT_COLUMNS, event, given)


def _of_detector(ifo: str, flag: str) -> str:
    return flag if flag.startswith(f"{ifo}:") else f"{ifo}:{flag}"


def _row(columns: Iterable[Column], element: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of columns: those given, and the element's own fields.

    Raises:
        ValueError: No table can hold one.
    """
    return {
        name: _published(name, given[name] if name in given else getattr(element, name))
        for name in (column.name for column in columns)
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


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
    if isinstance(value, list):
        return [_published(name, each) for each in value]
    return value


def trigger_table(
    triggers: Iterable[Trigger], version: str, emitted_at: float, metadata: Mapping[str, str]
) -> pa.Table:
    """Return the triggers as a table: by time, then id, each id once."""
    rows = [trigger_row(trigger, version, emitted_at) for trigger in unique(triggers)]
    return rows_table(TRIGGER_COLUMNS, rows, metadata)


def event_table(
    events: Iterable[Event], version: str, emitted_at: float, metadata: Mapping[str, str]
) -> pa.Table:
    """Return the events as a table: by time, then id, each id once."""
    rows = [event_row(event, version, emitted_at) for event in unique(events)]
    return rows_table(EVENT_COLUMNS, rows, metadata)


def unique(found: Iterable[_Found]) -> list[_Found]:
    """Return each id once."""
    # A replay may hand over an id twice; the louder is the one that saw more of the data.
    return list({each.id: each for each in sorted(found, key=lambda each: each.snr)}.values())


def rows_table(
    columns: Iterable[Column], rows: Iterable[Mapping[str, Any]], metadata: Mapping[str, str]
) -> pa.Table:
    """Return rows of triggers or of events as a table, by time, then id."""
    ordered = sorted(rows, key=lambda row: (row["time_ns"], row["id"]))
    widths = text_widths(columns, ordered)
    return pa.Table.from_pylist(ordered, schema=make_schema(columns, {**metadata, **widths}))


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
    given = {
        "kind": segment.kind.value,
        "start_time": to_seconds(segment.start_ns),
        "end_time": to_seconds(segment.end_ns),
    }
    return _row(SEGMENT_COLUMNS, segment, given)


def letter_row(letter: DeadLetter) -> dict[str, str]:
    """Return what is published of one dead letter."""
    return {name: storable(str(value)) for name, value in vars(letter).items()}


def segment_table(segments: Iterable[Segment], metadata: Mapping[str, str]) -> pa.Table:
    """Return the segments as a table, in their order."""
    rows = [segment_row(segment) for segment in segments]
    widths = text_widths(SEGMENT_COLUMNS, rows)
    return pa.Table.from_pylist(rows, schema=make_schema(SEGMENT_COLUMNS, {**metadata, **widths}))
