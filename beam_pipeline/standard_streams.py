"""Standard output and error: whatever terminal, pipe or encoding there is, or none."""

import io
import os
import sys

from beam_pipeline.exits import DATA_PROBLEM
from transforms import texts

_GONE = (BrokenPipeError, ConnectionResetError)
_LONGEST = 4000
"""Most characters of a line."""


class _Patient(io.FileIO):
    """A stream whose reader may go, as ``head`` does: the rest is for nobody."""

    def write(self, data: object) -> int:
        """Write what is still wanted."""
        try:
            return super().write(data) or 0  # type: ignore[arg-type]
        except _GONE:
            return memoryview(data).nbytes  # type: ignore[arg-type]


class _Deaf(_Patient):
    """A stream of words that nobody need hear: a full disk must not end the work."""

    def write(self, data: object) -> int:
        """Write what can be written."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes  # type: ignore[arg-type]


def prepare() -> None:
    """Make both streams take any character, and outlive whoever reads them."""
    _occupy()
    if sys.stdout is sys.__stdout__:
        sys.stdout = _remade(sys.stdout, 1, _Patient)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _remade(sys.stderr, 2, _Deaf)


def complain(what: object) -> None:
    """Write one line on standard error."""
    sys.stderr.write(f"wavefier: {one_line(what)}\n")


def one_line(what: object) -> str:
    """Return a text as one line that any terminal shows; with a name's bytes in hexadecimal."""
    text = str(what)
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 500]} ... {text[-400:]}"
    return texts.one_line(text)


def finished(code: int) -> int:
    """Return how the command ends, when all that it said is written."""
    try:
        sys.stdout.flush()
    except OSError as error:
        complain(f"standard output cannot be written ({error.strerror})")
        # What is left in it is tried again as the interpreter ends.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
        return code or DATA_PROBLEM
    return code


def _remade(stream: io.TextIOBase | None, number: int, kind: type[io.FileIO]) -> io.TextIOWrapper:
    if stream is not None:
        stream.flush()
    encoding = getattr(stream, "encoding", None) or "utf-8"
    raw = kind(number, "w", closefd=False)
    lines = number == 2 or raw.isatty()
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=lines
    )


def _occupy() -> None:
    """Open the null device where a stream is closed: the next file would take its number."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(opened)
