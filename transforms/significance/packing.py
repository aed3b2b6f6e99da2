"""Columns of an hour as few bytes, for state and for files."""

import json
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]


def packed(head: dict[str, Any], *columns: Column) -> bytes:
    """Return a head, which JSON can hold, and one-dimensional columns as bytes."""
    about = json.dumps([head, [[column.dtype.str, len(column)] for column in columns]])
    return zlib.compress(b"\n".join([about.encode(), b"".join(c.tobytes() for c in columns)]))


def unpacked(content: bytes) -> tuple[dict[str, Any], list[Column]]:
    """Return the head and the columns of what ``packed`` wrote."""
    about, _, rest = zlib.decompress(content).partition(b"\n")
    head, kinds = json.loads(about)
    columns, at = [], 0
    for kind, length in kinds:
        columns.append(np.frombuffer(rest, kind, length, at))
        at += columns[-1].nbytes
    return head, columns
