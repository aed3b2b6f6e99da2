"""The published JSON Schemas of the messages, one file for each kind.

``python -m transforms.sink.schemas`` says where they lie; with ``--write`` it first makes
them anew from the columns, which a test holds them to.
"""

import json
from pathlib import Path

from transforms.sink.messages import DEAD_LETTERS, SEGMENTS, TRIGGERS, message_schema

KINDS = (TRIGGERS, SEGMENTS, DEAD_LETTERS)


def schema_path(kind: str) -> Path:
    """Return the file of a kind's schema.

    Args:
        kind: ``triggers``, ``segments`` or ``dead_letters``.
    """
    return Path(__file__).parent / f"{kind}.json"


def schema_text(kind: str) -> str:
    """Return what a kind's file must hold."""
    return json.dumps(message_schema(kind), indent=2, ensure_ascii=False) + "\n"
