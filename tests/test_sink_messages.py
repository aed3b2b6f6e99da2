"""Messages: what is published, under which key, and that the published schemas tell it."""

import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import jsonschema
import pytest

from tests import samples
from transforms.elements import STATUSES, WITHDRAWN, DeadLetter, Segment
from transforms.sink.messages import (
    DEAD_LETTERS,
    EVENT_STATUSES,
    EVENTS,
    MESSAGE_COLUMNS,
    SEGMENTS,
    TRIGGERS,
    dead_letter_message,
    event_message,
    segment_message,
    trigger_message,
)
from transforms.sink.schemas import KINDS, schema_path, schema_text
from transforms.sink.tables import EVENT_COLUMNS, SEGMENT_COLUMNS, TRIGGER_COLUMNS
from transforms.utc import from_unix

UNIX_NS = 1_442_224_247_250_000_000
"""1126259464.25 GPS: 17 leap seconds since 1980."""
BARE = {"snippet": b"", "snippet_rate": 0, "snippet_start_ns": 0}
TRIGGER = replace(samples.TRIGGER, wavelet="morlet", arrived_ns=UNIX_NS, **BARE)
UNLABELLED = replace(
    TRIGGER, label="", score=float("nan"), probabilities=(), model="", dq=(), wdf_basis="",
    wdf_rate=0, wdf_index=b"", wdf_value=b"", status=WITHDRAWN, arrived_ns=0,
)  # fmt: skip
EVENT = replace(samples.EVENT, arrived_ns=UNIX_NS)
BARE_EVENT = replace(
    samples.EVENT, label="", score=float("nan"), far=float("nan"), far_method="", status=WITHDRAWN
)
SEGMENT = Segment(
    ifo="H1",
    channel="H1:GDS-CALIB_STRAIN",
    start_ns=1126259462_250000000,
    end_ns=1126259463_000000000,
    analysed=True,
)
IDLE = replace(SEGMENT, analysed=False, reason="not finite")
LETTERS = [
    DeadLetter(source="frames/0/17", reason="truncated; send it again", checksum="00ff"),
    DeadLetter(source="Größe", reason=""),
]
MESSAGES = {
    TRIGGERS: [trigger_message(each, "0.1.0", 1126259465.0) for each in (TRIGGER, UNLABELLED)],
    EVENTS: [event_message(each, "0.1.0", 1126259465.0) for each in (EVENT, BARE_EVENT)],
    SEGMENTS: [segment_message(each) for each in (SEGMENT, IDLE)],
    DEAD_LETTERS: [dead_letter_message(each) for each in LETTERS],
}


def published(kind):
    return json.loads(schema_path(kind).read_text("utf-8"))


def decoded(message):
    return json.loads(message.value)


@pytest.mark.parametrize("kind", KINDS)
def test_messages_are_what_the_published_schema_says(kind):
    validator = jsonschema.Draft202012Validator(published(kind))

    for message in MESSAGES[kind]:
        validator.validate(decoded(message))
        assert list(decoded(message)) == published(kind)["required"]


@pytest.mark.parametrize("kind", KINDS)
def test_published_schemas_are_those_of_the_columns(kind):
    jsonschema.Draft202012Validator.check_schema(published(kind))
    again = "make it anew: python -m transforms.sink.schemas --write"
    assert schema_path(kind).read_text("utf-8") == schema_text(kind), again


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("snr", "loud"),
        ("snr", None),
        ("tiles", 1.5),
        ("status", "perhaps"),
        ("wdf_index", [-1]),
        ("probabilities", '{"blip": 1}'),
        ("probabilities", {"blip": 1.5}),
    ],
)
def test_the_schema_refuses_what_no_trigger_says(name, value):
    wrong = decoded(MESSAGES[TRIGGERS][0]) | {name: value}

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, published(TRIGGERS))


@pytest.mark.parametrize(
    ("name", "value"),
    [("rank", None), ("far", "rare"), ("trigger_snr", 12.0), ("status", "settled")],
)
def test_the_schema_refuses_what_no_event_says(name, value):
    wrong = decoded(MESSAGES[EVENTS][0]) | {name: value}

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, published(EVENTS))


def test_schemas_name_every_column_with_its_unit():
    for kind, columns in (
        (TRIGGERS, TRIGGER_COLUMNS), (EVENTS, EVENT_COLUMNS), (SEGMENTS, SEGMENT_COLUMNS)
    ):  # fmt: skip
        properties = published(kind)["properties"]
        assert list(properties)[: len(columns)] == [column.name for column in columns]
        for column in columns:
            assert properties[column.name].get("unit", "") == column.unit
    assert list(published(DEAD_LETTERS)["properties"]) == [one.name for one in fields(DeadLetter)]
    for kind, meanings in ((TRIGGERS, STATUSES), (EVENTS, EVENT_STATUSES)):
        statuses = published(kind)["properties"]["status"]["oneOf"]
        assert {each["const"]: each["description"] for each in statuses} == meanings


def test_a_command_says_where_the_schemas_are():
    command = [sys.executable, "-m", "transforms.sink.schemas"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout.split() == [str(schema_path(kind)) for kind in KINDS]


def test_keys_name_what_is_told_of_and_nothing_else():
    assert [one.key for one in MESSAGES[TRIGGERS]] == [b"a1b2", b"a1b2"]
    assert [one.key for one in MESSAGES[EVENTS]] == [EVENT.id.encode()] * 2
    assert [one.key for one in MESSAGES[SEGMENTS]] == [
        b"H1:GDS-CALIB_STRAIN|1126259462250000000"
    ] * 2
    assert [one.key for one in MESSAGES[DEAD_LETTERS]] == [b"00ff|frames/0/17", "|Größe".encode()]


def test_a_trigger_tells_how_long_it_took():
    row = decoded(MESSAGES[TRIGGERS][0])

    assert row["arrived_at"] == 1126259464.25
    assert row["delay"] == 0.75
    assert row["latency"] == 2.0
    assert row["probabilities"] == {"blip": 0.25, "chirp": 0.75}


def test_an_event_tells_how_long_it_took_and_what_is_not_known_is_null():
    row, bare = map(decoded, MESSAGES[EVENTS])

    assert (row["arrived_at"], row["delay"], row["status"]) == (1126259464.25, 0.75, "final")
    assert (row["far"], row["trigger_snr"]) == (2e-9, [12.0, 9.0])
    assert [bare[name] for name in ("far", "score", "arrived_at", "delay")] == [None] * 4
    assert bare["status"] == WITHDRAWN


def test_what_came_from_an_archive_did_not_arrive():
    row = decoded(MESSAGES[TRIGGERS][1])

    assert (row["arrived_at"], row["delay"], row["score"]) == (None, None, None)
    assert row["status"] == WITHDRAWN


def test_unix_times_become_gps_times_to_the_nanosecond():
    assert from_unix(UNIX_NS + 1) == 1126259464_250000001


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        trigger_message(replace(TRIGGER, snr=float("inf")), "0.1.0", 0.0)
    with pytest.raises(ValueError, match="JSON"):
        event_message(replace(EVENT, far=float("inf")), "0.1.0", 0.0)


def test_the_documentation_names_what_only_messages_have():
    documentation = (Path(__file__).parents[1] / "docs" / "data-model.md").read_text("utf-8")

    for column in MESSAGE_COLUMNS:
        row = f"| `{column.name}` | {column.type} | {column.unit} | {column.description} |"
        assert row in documentation
    for name, meaning in (*STATUSES.items(), *EVENT_STATUSES.items()):
        assert f"| `{name}` | {meaning} |" in documentation
