"""Texts that come with data: file names, channels, reasons."""

import re
from typing import Any

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""What UTF-8, HDF5 or Parquet cannot hold: lone surrogates, and the zero byte."""
LONGEST = 60
"""So much of a value is shown in a message [characters]."""


def storable(text: str) -> str:
    r"""Return a text that every format can hold; what was not UTF-8 in a file's name is \xe9.

    Args:
        text: Any; a second time changes nothing.
    """
    if text.isascii() and "\0" not in text:  # nearly all are
        return text
    return _UNSTORABLE.sub(lambda found: _escaped(found[0]), text)


def printable(text: str) -> str:
    """Return a text as any terminal and file can hold it, in one line.

    What stands for a byte that is no UTF-8, and what controls a terminal, is written as
    Python writes it.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def one_line(text: str) -> str:
    """Return a printable text whose breaks of lines are spaces."""
    if text.isprintable():
        return text
    return printable("".join(" " if char.isspace() else char for char in text))


def complaint(error: BaseException) -> str:
    """Return what a library complained about as one line, of any length."""
    return " ".join(str(error).split())


def line(error: BaseException) -> str:
    """Return what a library complained about as one short line."""
    text = complaint(error)
    return text if len(text) <= 160 else text[:157] + "..."


def cut(text: str, longest: int = LONGEST) -> str:
    """Return a text as it may stand in a line of a message: printable, and not too long."""
    return one_line(text if len(text) <= longest else f"{text[: longest - 3]}...")


def shown(value: Any) -> str:
    """Return a value as it may stand in a line of a message: as Python writes it, cut short."""
    try:
        return cut(repr(value))
    except ValueError:  # Python writes no integer of thousands of digits
        return "a number of thousands of digits"


def _escaped(char: str) -> str:
    code = ord(char)
    # Python reads a byte that is not UTF-8 as one of these.
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()
