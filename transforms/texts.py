"""Texts that come with data: file names, channels, reasons."""

import re

_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")
"""What UTF-8, HDF5 or Parquet cannot hold: lone surrogates, and the zero byte."""


def printable(text: str) -> str:
    r"""Return a text that every format can hold; what was not UTF-8 in a file's name is \xe9.

    Args:
        text: Any; a second time changes nothing.
    """
    return _UNWRITABLE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    # Python reads a byte that is not UTF-8 as one of these.
    byte = code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code
    return f"\\x{byte:02x}" if byte < 0x100 else f"\\u{code:04x}"
