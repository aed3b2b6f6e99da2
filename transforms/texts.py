"""Texts that come with data: file names, channels, reasons."""

import re

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""What UTF-8, HDF5 or Parquet cannot hold: lone surrogates, and the zero byte."""


def storable(text: str) -> str:
    r"""Return a text that every format can hold; what was not UTF-8 in a file's name is \xe9.

    Args:
        text: Any; a second time changes nothing.
    """
    if text.isascii() and "\0" not in text:  # nearly all are
        return text
    return _UNSTORABLE.sub(lambda found: _escaped(found[0]), text)


def one_line(text: str) -> str:
    """Return a text as any terminal and file can hold it; breaks of lines become spaces."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _shown(char) for char in text)


def _shown(char: str) -> str:
    return " " if char.isspace() else _escaped(char)


def _escaped(char: str) -> str:
    code = ord(char)
    # Python reads a byte that is not UTF-8 as one of these.
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x20 else char.encode("unicode_escape").decode()
