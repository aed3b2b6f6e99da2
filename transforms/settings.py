"""Settings: a YAML file to frozen dataclasses, strictly, and their JSON schema.

What is read is what was meant: an unknown key, a key that stands twice, a value of another type
or a number that is not finite is refused by name. Text, numbers and words are told apart as in
YAML 1.2: ``1e-3`` is a number, ``010`` is ten, ``yes`` and ``1:30`` are texts. PyYAML reads the
document, pydantic holds it to the dataclasses.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from functools import cache, reduce
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

import yaml

from transforms.texts import cut, shown

_LARGEST = 1 << 20
"""Largest file that is read [bytes]."""
_MOST_NODES = 10_000
"""Most values of a file, each alias counted as what it stands for."""
_MERGE = "tag:yaml.org,2002:merge"
_UNIT = re.compile(r" ?\[([^]]+)\]")
"""Of a field, in its documentation."""
_Kind = TypeVar("_Kind")


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
        raise SettingsError(f"not YAML ({cut(' '.join(str(error).split()), 300)})") from error


def build(kind: type[_Kind], values: Any) -> _Kind:
    """Return a dataclass made of a mapping; fields that are dataclasses are made likewise.

    Raises:
        SettingsError: A key is unknown or missing, or a value impossible; the line begins with
            its path.
    """
    from pydantic import ValidationError

    _refuse_other_keys(values, "")
    try:
        document = _document(cast(Any, kind)).model_validate_json(json.dumps({"value": values}))
    except ValidationError as error:
        raise SettingsError(_refusal(kind, values, error.errors(include_url=False))) from error
    made: _Kind = document.value
    return made


def schema(kind: type) -> dict[str, Any]:
    """Return the JSON schema of a dataclass: what `build` takes, and what each field means."""
    tree = _document(kind, documented=True).model_json_schema()
    described: dict[str, Any] = _described(tree["properties"]["value"], tree["$defs"])
    return described


@cache
def _document(kind: Any, *, documented: bool = False) -> Any:
    """Return a model that holds a dataclass; its strictness holds for all inside.

    Args:
        kind: The dataclass.
        documented: Whether the fields' documentation is looked up, in the source.
    """
    # Only who reads a file waits for pydantic: workers are sent what was read.
    from pydantic import ConfigDict, create_model

    strictly = ConfigDict(
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=documented,
    )
    return create_model("Document", __config__=strictly, value=(kind, ...))


def _refuse_other_keys(values: Any, prefix: str) -> None:
    """Refuse keys that are no text: JSON would make texts of them."""
    for key, value in values.items() if isinstance(values, dict) else ():
        if not isinstance(key, str):
            raise SettingsError(f"unknown key {prefix}{shown(key)}: keys are texts")
        _refuse_other_keys(value, f"{prefix}{key}.")


def _refusal(kind: Any, values: Any, errors: Sequence[Mapping[str, Any]]) -> str:
    """Return one line of what is wrong; an unknown key may explain what else is missing."""
    first = {error["type"]: error for error in reversed(errors)}
    if error := first.get("unexpected_keyword_argument"):
        *path, key = _path(error)
        return _unknown(path, key, [field.name for field in fields(_item(_field(kind, path)))])
    if "missing" in first:
        missing = [".".join(_path(error)) for error in errors if error["type"] == "missing"]
        return f"missing keys: {', '.join(missing)}"
    path, where = _path(errors[0]), ".".join(_path(errors[0]))
    match errors[0]["type"]:
        case "value_error":
            reason = str(errors[0]["ctx"]["error"])
            # What begins with the name of a field is told by its path.
            named = reason.partition(" ")[0].rstrip(":") in get_type_hints(
                _item(_field(kind, path))
            )
            return f"{where}{'.' if named else ': '}{reason}" if where else reason
        case "dataclass_type":
            return f"{where or 'the file'} must hold keys and values"
        case "json_invalid":
            return f"cannot be read ({cut(errors[0]['msg'], 200)})"
        case "finite_number":
            wanted = "a finite number"
        case _:
            wanted = _called(_field(kind, path))
    return f"{where} must be {wanted}, not {shown(_held(values, errors[0]['loc'][1:]))}"


def _path(error: Mapping[str, Any]) -> list[str]:
    """Return the keys that lead to an error; a list is named, not its item."""
    return [name for name in error["loc"] if isinstance(name, str)][1:]


def _field(kind: Any, path: Sequence[str]) -> Any:
    """Return the type of a field of a field."""
    return reduce(lambda outer, name: get_type_hints(_item(outer))[name], path, kind)


def _held(values: Any, place: Sequence[str | int]) -> Any:
    """Return what is held in a place; of a list of values the whole list."""
    while place and isinstance(place[-1], int):
        place = place[:-1]
    return reduce(lambda outer, name: outer[name], place, values)


def _item(kind: Any) -> Any:
    """Return the type of a list's items; any other type as it is."""
    return get_args(kind)[0] if get_origin(kind) is tuple else kind


def _called(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return f"a list of {get_args(kind)[0].__name__}"
    return f"of type {kind.__name__}"


def _unknown(path: Sequence[str], key: str, known: list[str]) -> str:
    prefix = "".join(f"{name}." for name in path)
    near = get_close_matches(key, known, n=1)
    advice = f"did you mean {prefix}{near[0]}? " if near else ""
    name = cut(f"{prefix}{key}", 200)
    return f"unknown key {name}; {advice}known: {', '.join(known)}"


def _described(node: Any, kinds: Mapping[str, Any]) -> Any:
    """Return a part of a schema with each dataclass in its place, and units apart."""
    if isinstance(node, list):
        return [_described(each, kinds) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        own = {key: value for key, value in node.items() if key != "$ref"}
        return _described({**kinds[node["$ref"].rpartition("/")[2]], **own}, kinds)
    made = {key: node[key] for key in node if key not in ("title", "properties")}
    if isinstance(text := made.get("description"), str):
        made["description"] = " ".join(_UNIT.sub("", text).split())
        if found := _UNIT.search(text):
            made["unit"] = found[1]
    if "items" in node:
        made["items"] = _described(node["items"], kinds)
    if "properties" in node:
        made["properties"] = {
            name: _described(each, kinds) for name, each in node["properties"].items()
        }
    return made


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML 1.2's plain values, and no key twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012
    # No dates, bytes or sets: JSON has none either.
    yaml_constructors = {  # noqa: RUF012
        tag: make
        for tag, make in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in ("null", "bool", "str", "seq", "map")
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Make a mapping; one that names a key twice is none."""
        seen: set[Any] = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            key = self.construct_object(key_node, deep=True)
            if key_node.tag != _MERGE and (str(key_node.tag), repr(key)) in seen:
                line = key_node.start_mark.line + 1
                raise SettingsError(f"{cut(str(key))} stands twice (line {line}): keep one")
            seen.add((str(key_node.tag), repr(key)))
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


def _integer(loader: Any, node: Any) -> int:
    text = loader.construct_scalar(node)
    if len(text) > 400:
        raise SettingsError(f"{cut(text)}: too large a number (line {node.start_mark.line + 1})")
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
