"""Settings: a YAML file to frozen dataclasses, strictly.

What is read is what was meant: an unknown key, a key that stands twice, a value of another type
or a number that is not finite is refused by name. Text, numbers and words are told apart as in
YAML 1.2: ``1e-3`` is a number, ``010`` is ten, ``yes`` and ``1:30`` are texts.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from transforms.texts import one_line

_LARGEST = 1 << 20
"""Largest file that is read [bytes]."""
_MOST_NODES = 10_000
"""Most values of a file, each alias counted as what it stands for."""
_LONGEST_SHOWN = 60
_MERGE = "tag:yaml.org,2002:merge"


class SettingsError(ValueError):
    """Settings that cannot be used; the message is one line for the user."""


def load(path: Path) -> Any:
    """Return what a YAML file holds: mappings, lists, texts, numbers; None of an empty one.

    Raises:
        SettingsError: It cannot be read, or is not YAML; the message begins with the path.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > _LARGEST:
        raise SettingsError(f"{path}: larger than settings can be ({_LARGEST >> 20} MiB)")
    try:
        return parse(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not YAML (not UTF-8 at byte {error.start})") from error
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def parse(text: str) -> Any:
    """Return what a YAML document holds.

    Raises:
        SettingsError: It is not YAML, a key stands twice, or there is too much of it.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {}, set())
        return loader.construct_document(node)
    except RecursionError as error:
        raise SettingsError("not YAML: nested too deeply") from error
    except SettingsError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError, TypeError) as error:
        raise SettingsError(f"not YAML ({shown(' '.join(str(error).split()), 300)})") from error


def build(kind: Any, values: Any, prefix: str = "") -> Any:
    """Return a dataclass made of a mapping; fields that are dataclasses are made likewise.

    Args:
        kind: The dataclass.
        values: The mapping.
        prefix: Path of keys that leads to it, with a dot at its end.

    Raises:
        SettingsError: A key is unknown or missing, or a value impossible; it is named.
    """
    if not isinstance(values, Mapping):
        raise SettingsError(f"{prefix.rstrip('.') or 'the file'} must hold keys and values")
    kinds = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}
    for key in values:
        if key not in known:
            _refuse(prefix, key, list(known))
    needed = [
        name
        for name, field in known.items()
        if field.default is MISSING and field.default_factory is MISSING
    ]
    missing = [f"{prefix}{name}" for name in needed if name not in values]
    if missing:
        raise SettingsError(f"missing keys: {', '.join(missing)}")
    made = {key: _value(kinds[key], value, f"{prefix}{key}") for key, value in values.items()}
    try:
        return kind(**made)
    except SettingsError:
        raise
    except ValueError as error:
        where = f"{prefix.rstrip('.')}: " if prefix else ""
        raise SettingsError(f"{where}{error}") from error


def refuse_not_finite(settings: Any) -> None:
    """Refuse a dataclass one of whose numbers is infinite or none.

    Raises:
        ValueError: One is; it is named.
    """
    for name, value in vars(settings).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} must be a finite number, not {value}")


def _refuse(prefix: str, key: Any, known: list[str]) -> None:
    near = get_close_matches(str(key), known, n=1)
    advice = f"did you mean {prefix}{near[0]}? " if near else ""
    name = f"{prefix}{key}" if isinstance(key, str) else f"{prefix}{shown(repr(key))}"
    raise SettingsError(f"unknown key {shown(name, 200)}; {advice}known: {', '.join(known)}")


def finite(value: float, key: str) -> float:
    """Return a number as a float.

    Raises:
        SettingsError: It is infinite, none, or too large for one.
    """
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise SettingsError(f"{key} must be a finite number, not {shown(value)}")
    return number


def shown(value: Any, longest: int = _LONGEST_SHOWN) -> str:
    """Return a value as it may stand in a line."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except ValueError:  # an integer of thousands of digits
        text = "a number of thousands of digits"
    return one_line(text if len(text) <= longest else f"{text[: longest - 3]}...")


def _value(kind: Any, value: Any, key: str) -> Any:
    """Check one value against the type of its field."""
    if is_dataclass(kind):
        return build(kind, value, f"{key}.")
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        if isinstance(value, list) and all(_fits(item, each) for each in value):
            return tuple(_plain(item, each, key) for each in value)
        raise SettingsError(f"{key} must be a list of {item.__name__}, not {shown(repr(value))}")
    if not _fits(kind, value):
        raise SettingsError(f"{key} must be of type {kind.__name__}, not {shown(repr(value))}")
    return _plain(kind, value, key)


def _fits(kind: Any, value: Any) -> bool:
    # A boolean is an integer to Python, and to nobody else.
    return type(value) is kind or (kind is float and type(value) is int)


def _plain(kind: Any, value: Any, key: str) -> Any:
    return finite(value, key) if kind is float else value


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML 1.2's plain values, and no key twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Make a mapping; one that names a key twice is none."""
        seen: set[Any] = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            key = self.construct_object(key_node, deep=True)
            if key_node.tag != _MERGE and (str(key_node.tag), repr(key)) in seen:
                line = key_node.start_mark.line + 1
                raise SettingsError(f"{shown(str(key))} stands twice (line {line}): keep one")
            seen.add((str(key_node.tag), repr(key)))
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


def _integer(loader: Any, node: Any) -> int:
    text = loader.construct_scalar(node)
    if len(text) > 400:
        raise SettingsError(f"{shown(text)}: too large a number (line {node.start_mark.line + 1})")
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _float(loader: Any, node: Any) -> float:
    text = loader.construct_scalar(node)
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


_PLAIN = {
    "null": (r"~|null|Null|NULL|", "~nN"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    "merge": (r"<<", "<"),
}
for _tag, (_form, _first) in _PLAIN.items():
    _starts = [*_first, ""] if _tag == "null" else list(_first)
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_form})$"), _starts
    )
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


def _count(node: Any, known: dict[int, int], above: set[int]) -> int:
    """Return how many values a node holds, those of aliases among them.

    Raises:
        SettingsError: There are too many, or a node holds itself.
    """
    if id(node) in known:
        return known[id(node)]
    if id(node) in above:
        raise SettingsError(f"a value holds itself (line {node.start_mark.line + 1})")
    above.add(id(node))
    inside = node.value if isinstance(node, yaml.CollectionNode) else ()
    number = 1 + sum(
        _count(each, known, above)
        for item in inside
        for each in (item if isinstance(item, tuple) else (item,))
    )
    if number > _MOST_NODES:
        raise SettingsError(
            f"holds more than {_MOST_NODES} values; aliases count as what they name"
        )
    above.discard(id(node))
    known[id(node)] = number
    return number
