"""The published JSON Schemas of the messages, one file for each kind.

``python -m transforms.sink.schemas`` says where they lie; with ``--write`` it first makes
them anew from the columns, which a test holds them to.
"""

import json
from pathlib import Path

from transforms.sink.messages import KINDS, message_schema

__all__ = ["KINDS", "schema_path", "schema_text"]


def schema_path(kind: str) -> Path:
    """Return the file of a kind's schema.

    Args:
        kind: One of ``KINDS``.
    """
    return Path(__file__).parent / f"{kind}.json"


def schema_text(kind: str) -> str:
    """Return what a kind's file must hold."""
    return json.dumps(message_schema(kind), indent=2, ensure_ascii=False) + "\n"
