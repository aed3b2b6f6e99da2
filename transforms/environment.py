"""Settings in environment variables: texts to a frozen dataclass, strictly.

Only Python's own library is needed, so that every process can afford it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from transforms.checks import split
from transforms.texts import shown

LONGEST_NAME = 255
"""Of a file, in characters."""
_BOOLEANS = {"0": False, "false": False, "1": True, "true": True}
_Kind = TypeVar("_Kind")


def read_texts(kind: type[_Kind], texts: Mapping[str, str], called: Callable[[str], str]) -> _Kind:
    """Return a dataclass made of texts; what is empty or missing keeps its default.

    Args:
        kind: The dataclass, whose values are texts, numbers, booleans and paths.
        texts: The text of each field.
        called: The environment variable of a field.

    Raises:
        ValueError: A text cannot be read, or its value not be; the line names the variable.
    """
    kinds = get_type_hints(kind, include_extras=True)
    made = {}
    for name in (field.name for field in fields(kind)):  # type: ignore[arg-type]
        if text := texts.get(name):
            plain, _ = split(kinds[name])
            read, what = _READERS[plain]
            try:
                if not text.isprintable():
                    what = f"{what} on one line"
                    raise ValueError(text)
                made[name] = read(text)
            except (KeyError, ValueError, RuntimeError, OSError):
                raise ValueError(f"{called(name)} must be {what}, not {shown(text)}") from None
    return kind(**made)


def as_path(text: str) -> Path:
    """Return an absolute path; ``~`` is a home folder.

    Raises:
        ValueError: No file can be called so.
        RuntimeError: There is no such home.
        OSError: A folder on the way cannot be looked at.
    """
    if max(map(len, text.split("/"))) > LONGEST_NAME:
        raise ValueError(text)
    return Path(text).expanduser().resolve()


def _whole(text: str) -> int:
    # Python would take digits of every script, of any number, and underscores between.
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise ValueError(text)
    return int(text)


def _number(text: str) -> float:
    if not re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,9})?", text):
        raise ValueError(text)
    return float(text)


_READERS: dict[type, tuple[Callable[[str], Any], str]] = {
    bool: (lambda text: _BOOLEANS[text.lower()], "0 or 1"),
    str: (str, "a text"),
    int: (_whole, "a whole number"),
    float: (_number, "a number"),
    Path: (as_path, "a path"),
}
