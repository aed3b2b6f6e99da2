"""Files that appear whole, and folders that nobody leaves.

A file is written under a temporary name beside its place and then renamed, so that
whoever looks sees the old file or the new one, and an interruption leaves no half.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from transforms.texts import storable


class OutputError(ValueError):
    """An output folder that cannot be used; one line says why and what to do."""


@contextmanager
def whole_file(path: Path, within: Path | None = None) -> Iterator[Path]:
    """Yield a temporary name; what was written there takes its place at the end.

    Args:
        path: The file to write; its folder is made.
        within: The folder that it must not leave, which exists; None: any place will do.

    Yields:
        Where to write. If the writing fails, nothing changes at ``path``.

    Raises:
        OutputError: ``path`` lies outside of ``within``, perhaps behind a link.
    """
    if within is not None:
        see_within(path, within)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Readers of data sets pass over names that begin with a dot.
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def see_within(path: Path, folder: Path) -> None:
    """Check that a file's place lies inside a folder, whatever links say.

    Raises:
        OutputError: It does not.
        FileNotFoundError: The folder is gone; nobody makes it anew.
    """
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "the folder is gone", str(folder))
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise OutputError(refusal(str(folder), f"{path} lies outside of it"))


def refusal(output: str, reason: str) -> str:
    """Return the line that says why a folder cannot be used."""
    return f"cannot write to {storable(output)}: {reason}; choose another --output"


def _flush(path: Path) -> None:
    # The name must not reach the disk before what it names.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
