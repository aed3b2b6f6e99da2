"""Elements to messages: what is published of triggers, events, segments and dead letters, as JSON.

A message's key names what it tells of, so that of all messages with one key the last counts.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from transforms.elements import (
    FINAL,
    PRELIMINARY,
    STATUSES,
    WITHDRAWN,
    DeadLetter,
    Event,
    Segment,
    Trigger,
)
from transforms.gps import to_seconds
from transforms.sink.tables import (
    EVENT_COLUMNS,
    SEGMENT_COLUMNS,
    TRIGGER_COLUMNS,
    Column,
    class_probabilities,
    event_row,
    letter_row,
    segment_row,
    trigger_row,
)
from transforms.texts import storable
from transforms.utc import from_unix

TRIGGERS, EVENTS, SEGMENTS, DEAD_LETTERS = "triggers", "events", "segments", "dead_letters"
KINDS = (TRIGGERS, EVENTS, SEGMENTS, DEAD_LETTERS)
"""What is published, by the name under which the graph hands it over."""

EVENT_STATUSES = {
    PRELIMINARY: "published at once; its triggers may change, and a detector may still join",
    FINAL: "nothing can change any more: what an analysis of the archive gives",
    WITHDRAWN: "no event any more: a trigger of it was withdrawn or is part of another event",
}
"""How far an event is known, live; from archives, all are final."""

MESSAGE_COLUMNS = (
    Column("status", pa.string(), "", "how far the trigger or event is known"),
    Column(
        "arrived_at",
        pa.float64(),
        "s",
        "GPS time at which the last data needed had arrived; null from archives",
    ),
    Column("delay", pa.float64(), "s", "emitted_at less arrived_at; null from archives"),
)
"""What the message of a trigger or of an event has beside its columns."""

LETTER_COLUMNS = (
    Column("source", pa.string(), "", "the file or topic, and where in it"),
    Column("reason", pa.string(), "", "what is wrong and what to do, in one line"),
    Column("checksum", pa.string(), "", "SHA-256 of the bytes; empty where there were none"),
    Column("kind", pa.string(), "", "what is wrong: one of few words, for programs"),
)

_NULLABLE = {"score", "far", "arrived_at", "delay"}
_NUMBER = {"type": "number"}


@dataclass(frozen=True)
class Message:
    """A message as it is sent."""

    key: bytes
    """UTF-8."""
    value: bytes
    """A JSON object, UTF-8."""


def trigger_message(trigger: Trigger, version: str, emitted_at: float) -> Message:
    """Return a trigger's message; its key is the id.

    Args:
        trigger: The trigger.
        version: Version of the software.
        emitted_at: GPS time of the sending [s].

    Raises:
        ValueError: A number is not finite, which JSON cannot hold.
    """
    value = trigger_row(trigger, version, emitted_at) | {
        "probabilities": class_probabilities(trigger),
        **_standing(trigger, emitted_at),
    }
    return _message(trigger.id, value)


def event_message(event: Event, version: str, emitted_at: float) -> Message:
    """Return an event's message; its key is the id.

    Args:
        event: The event.
        version: Version of the software.
        emitted_at: GPS time of the sending [s].

    Raises:
        ValueError: A number is not finite, which JSON cannot hold, or the triggers are not those
            of the detectors.
    """
    return _message(event.id, event_row(event, version, emitted_at) | _standing(event, emitted_at))


def _standing(found: Trigger | Event, emitted_at: float) -> dict[str, Any]:
    """Return the values of ``MESSAGE_COLUMNS``."""
    arrived_at = to_seconds(from_unix(found.arrived_ns)) if found.arrived_ns else None
    return {
        "status": found.status,
        "arrived_at": arrived_at,
        "delay": None if arrived_at is None else emitted_at - arrived_at,
    }


def segment_message(segment: Segment) -> Message:
    """Return a segment's message; its key is channel and start, as in ``H1:STRAIN|12``."""
    return _message(f"{segment.channel}|{segment.start_ns}", segment_row(segment))


def dead_letter_message(letter: DeadLetter) -> Message:
    """Return a dead letter's message; its key is checksum and source."""
    return _message(f"{letter.checksum}|{letter.source}", letter_row(letter))


def _message(key: str, value: Mapping[str, Any]) -> Message:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Message(storable(key).encode(), text.encode())


def message_schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of one kind of message.

    Columns may be added to messages, so that what a schema does not name is allowed.

    Args:
        kind: One of ``KINDS``.
    """
    columns, title = {
        TRIGGERS: ((*TRIGGER_COLUMNS, *MESSAGE_COLUMNS), "A transient in one channel"),
        EVENTS: ((*EVENT_COLUMNS, *MESSAGE_COLUMNS), "Coincident transients of several detectors"),
        SEGMENTS: (SEGMENT_COLUMNS, "A stretch of a channel, and whether it was analysed"),
        DEAD_LETTERS: (LETTER_COLUMNS, "An input that could not be used"),
    }[kind]
    properties = {column.name: _property(column) for column in columns}
    statuses = {TRIGGERS: STATUSES, EVENTS: EVENT_STATUSES}
    if kind in statuses:
        properties["status"]["oneOf"] = [
            {"const": name, "description": meaning} for name, meaning in statuses[kind].items()
        ]
    if kind == TRIGGERS:
        properties["probabilities"] = {
            "type": "object",
            "additionalProperties": {**_NUMBER, "minimum": 0, "maximum": 1},
            "description": "probability of each class, by its name",
        }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:wavefier:{kind}",
        "title": title,
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def _property(column: Column) -> dict[str, Any]:
    described: dict[str, Any] = _json_type(column.type)
    if column.name in _NULLABLE:
        described["type"] = [described["type"], "null"]
    described["description"] = column.description
    if column.unit:
        described["unit"] = column.unit
    return described


def _json_type(kind: pa.DataType) -> dict[str, Any]:
    if pa.types.is_list(kind):
        return {"type": "array", "items": _json_type(kind.value_type)}
    if pa.types.is_unsigned_integer(kind):
        return {"type": "integer", "minimum": 0, "maximum": 2**kind.bit_width - 1}
    if pa.types.is_integer(kind):
        return {"type": "integer"}
    if pa.types.is_floating(kind):
        return dict(_NUMBER)
    return {"type": "boolean" if pa.types.is_boolean(kind) else "string"}
