"""Which files a command is given: paths, ``file://`` URLs, and lists of them.

A list has a path or a URL in each line, or lines of a LAL cache (``H H1_R 1126259446 32
file://localhost/...``) or of an FFL (``/... 1126259446 32 0 0``). Blank lines, and those that
begin with ``#``, are passed over.
"""

import os
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote_to_bytes

from beam_pipeline.exits import UserError

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/]*)(.*)", re.DOTALL)
_HERE = ("", "localhost", "127.0.0.1")
_NUMBER = r"[-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?"
_CACHE = re.compile(rf"\S+\s+\S+\s+(?:{_NUMBER}|-)\s+(?:{_NUMBER}|-)\s+(\S*[/:]\S*)")
_FFL = re.compile(rf"(\S.*?)\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}")
_LARGEST = 256 << 20
"""Largest list that is read [bytes]."""


class InputError(UserError):
    """A word or a list that names no files, and what to do: one line."""


def expand(words: Iterable[str]) -> list[str]:
    """Return the paths that words name, in order; each file once.

    Args:
        words: Paths, ``file://`` URLs, or ``@LIST``.

    Raises:
        InputError: A list cannot be read, or a URL is of another place.
    """
    found: dict[str, str] = {}
    for word in words:
        for path in _listed(word[1:]) if word.startswith("@") else [path_of(word)]:
            found.setdefault(os.path.abspath(path), path)
    return list(found.values())


def path_of(word: str) -> str:
    """Return the path that a word names: the word itself, or that of a ``file://`` URL.

    Raises:
        InputError: It is a URL of another place, or empty.
    """
    if not word:
        raise InputError("an empty word is no file: leave it out")
    if word[:6].lower() == "file:/" and word[6:7] != "/":
        word = f"file://{word[5:]}"
    match = _URL.fullmatch(word)
    if not match:
        return _without_zero(word, word)
    scheme, host, path = match.groups()
    if scheme.lower() != "file":
        raise InputError(f"{word}: {scheme}:// is not read; copy the file here, and give its path")
    if host.lower() not in _HERE or not path.strip("/"):
        raise InputError(f"{word}: names no file of this machine; write file:///PATH")
    return _without_zero(os.fsdecode(unquote_to_bytes(os.fsencode(path))), word)


def parse_line(line: str) -> str | None:
    """Return the path that a line of a list names; None where it names none.

    Raises:
        InputError: It is a list itself, or names a file of another place.
    """
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    if text.startswith("@"):
        raise InputError(f"{text}: a list in a list is not read; put its lines there")
    for form in (_CACHE, _FFL):
        if match := form.fullmatch(text):
            return path_of(match[1])
    return path_of(text)


def _listed(name: str) -> Iterator[str]:
    """Yield the paths of a list."""
    if not name:
        raise InputError("@ names no list: write @FILE")
    try:
        with open(path_of(name), "rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise InputError(f"@{name}: cannot be read ({error.strerror})") from error
    if b"\0" in content or len(content) > _LARGEST:
        raise InputError(f"@{name}: no list of files: each line must be a path")
    lines = content.removeprefix(b"\xef\xbb\xbf").splitlines()
    empty = True
    for number, line in enumerate(lines, 1):
        try:
            path = parse_line(os.fsdecode(line))
        except InputError as error:
            raise InputError(f"@{name}, line {number}: {error}") from error
        if path is not None:
            empty = False
            yield path
    if empty:
        raise InputError(f"@{name}: names no file: write a path in each line")


def _without_zero(path: str, word: str) -> str:
    if "\0" in path:
        raise InputError(f"{word!r}: holds a zero byte, which no name can")
    return path
