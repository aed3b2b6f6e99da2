"""Parquet files under any name: Arrow takes names in UTF-8 only, so others are opened for it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.texts import storable


def write(table: pa.Table, path: Path) -> None:
    """Write a table, compressed with zstd."""
    with _taken(path, "wb") as place:
        pq.write_table(table, place, compression="zstd")


def read(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read one file as it is, whatever its folders are called."""
    with _taken(path, "rb") as place:
        return pq.read_table(place, columns=columns, partitioning=None)


def read_schema(path: Path) -> pa.Schema:
    """Read a file's columns and metadata."""
    with _taken(path, "rb") as place:
        return pq.read_schema(place)


@contextmanager
def _taken(path: Path, mode: str) -> Iterator[Any]:
    """Yield what Arrow takes for a file."""
    if storable(str(path)) == str(path):
        yield path
    else:
        with path.open(mode) as stream:
            yield stream
