"""Elements to messages: what is published of triggers, segments and dead letters, as JSON.

A message's key names what it tells of, so that of all messages with one key the last counts.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from transforms.elements import STATUSES, DeadLetter, Segment, Trigger
from transforms.gps import to_seconds
from transforms.sink.tables import (
    SEGMENT_COLUMNS,
    TRIGGER_COLUMNS,
    Column,
    class_probabilities,
    letter_row,
    segment_row,
    trigger_row,
)
from transforms.texts import storable
from transforms.utc import from_unix

TRIGGERS, SEGMENTS, DEAD_LETTERS = "triggers", "segments", "dead_letters"
"""What is published, by the name under which the graph hands it over."""

MESSAGE_COLUMNS = (
    Column("status", pa.string(), "", "how far the trigger is known"),
    Column(
        "arrived_at",
        pa.float64(),
        "s",
        "GPS time at which the last data needed had arrived; null from archives",
    ),
    Column("delay", pa.float64(), "s", "emitted_at less arrived_at; null from archives"),
)
"""What a trigger's message has beside ``TRIGGER_COLUMNS``."""

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
    arrived_at = to_seconds(from_unix(trigger.arrived_ns)) if trigger.arrived_ns else None
    value = trigger_row(trigger, version, emitted_at) | {
        "probabilities": class_probabilities(trigger),
        "status": trigger.status,
        "arrived_at": arrived_at,
        "delay": None if arrived_at is None else emitted_at - arrived_at,
    }
    return _message(trigger.id, value)


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
        kind: ``TRIGGERS``, ``SEGMENTS`` or ``DEAD_LETTERS``.
    """
    columns, title = {
        TRIGGERS: ((*TRIGGER_COLUMNS, *MESSAGE_COLUMNS), "A transient in one channel"),
        SEGMENTS: (SEGMENT_COLUMNS, "A stretch of a channel, and whether it was analysed"),
        DEAD_LETTERS: (LETTER_COLUMNS, "An input that could not be used"),
    }[kind]
    properties = {column.name: _property(column) for column in columns}
    if kind == TRIGGERS:
        properties["status"]["oneOf"] = [
            {"const": name, "description": meaning} for name, meaning in STATUSES.items()
        ]
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
