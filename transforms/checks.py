"""What a stage is told, checked: each value is of its field's type, finite, and within its rules.

A rule stands beside the type it narrows: ``Annotated[int, Limits(ge=1)]``. It is checked when a
configuration is made, in Python or from a file, and is written into JSON schemas.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from transforms.texts import shown


class Rule:
    """What a value must be, beside its type."""

    def wanted(self, value: Any) -> str:
        """Return what follows "must" if a value breaks the rule; empty if it does not."""
        raise NotImplementedError

    def refusal(self, name: str, value: Any) -> str:
        """Return why a value of the right type cannot be, with its name; empty if it can."""
        wanted = self.wanted(value)
        return f"{name} must {wanted}, not {shown(value)}" if wanted else ""

    def keywords(self) -> dict[str, Any]:
        """Return the same as keywords of JSON Schema, as far as these can say it."""
        return {}

    # What pydantic asks for when it describes a field.
    def __get_pydantic_json_schema__(self, core: Any, describe: Any) -> dict[str, Any]:
        return {**describe(core), **self.keywords()}


@dataclass(frozen=True, kw_only=True)
class Limits(Rule):
    """The least and the most that a number may be; `gt` itself is too little."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    unit: str = ""
    why: str = ""
    """Said after the limits."""

    def wanted(self, value: Any) -> str:
        """Return the limits if a number passes one of them."""
        if (
            (self.ge is None or value >= self.ge)
            and (self.gt is None or value > self.gt)
            and (self.le is None or value <= self.le)
        ):
            return ""
        return f"{self._range()}{self.unit and f' {self.unit}'}{self.why and f' ({self.why})'}"

    def keywords(self) -> dict[str, Any]:
        """Return the limits that are set."""
        limits = {"minimum": self.ge, "exclusiveMinimum": self.gt, "maximum": self.le}
        return {name: limit for name, limit in limits.items() if limit is not None}

    def _range(self) -> str:
        if self.ge is not None and self.le is not None:
            return f"lie in {self.ge} to {self.le}"
        words = {"at least": self.ge, "more than": self.gt, "at most": self.le}
        return "be " + ", and ".join(f"{word} {x}" for word, x in words.items() if x is not None)


@dataclass(frozen=True)
class OneOf(Rule):
    """One of few values."""

    values: tuple[Any, ...]
    what: str = ""
    """All of them in a few words, where there are many."""

    def wanted(self, value: Any) -> str:
        """Return which values there are, if this is none of them."""
        return "" if value in self.values else f"be {self.what or ' or '.join(self.values)}"

    def keywords(self) -> dict[str, Any]:
        """Return the values."""
        return {"enum": list(self.values)}


@dataclass(frozen=True)
class Form(Rule):
    """A text of a form: a regular expression, of ASCII."""

    pattern: str
    what: str
    """The form, for a person."""

    def wanted(self, value: Any) -> str:
        """Return the form, if a text has another one."""
        return "" if re.fullmatch(self.pattern, value, re.ASCII) else f"be {self.what}"

    def keywords(self) -> dict[str, Any]:
        """Return the expression."""
        return {"pattern": f"^({self.pattern})$"}


class Names(Rule):
    """Names, each once."""

    def wanted(self, value: Any) -> str:
        """Return what all names are, if one is not."""
        return "hold names, each once" if self.refusal("", value) else ""

    def refusal(self, name: str, value: Any) -> str:
        """Return which text is no name, or stands twice."""
        for each in value:
            if not each or not each.isprintable() or each != each.strip():
                return f"{name}: {each!r} is no name"
            if value.count(each) > 1:
                return f"{name}: {each} stands twice: keep one"
        return ""

    def keywords(self) -> dict[str, Any]:
        """Return the JSON schema of a list of names."""
        return {"uniqueItems": True, "items": {"type": "string", "pattern": r"^\S(.*\S)?$"}}


def check_values(config: Any, called: Callable[[str], str] = str) -> None:
    """Check the fields of a dataclass against their annotations.

    A whole number may stand for any number. A boolean is no number, though Python counts with
    it; and what is not a number passes every comparison.

    Args:
        config: The dataclass.
        called: The name by which the user knows a field.

    Raises:
        ValueError: One is of another type, infinite or no number, or breaks a rule; the line
            names it.
    """
    made: Any = type(config)
    for name, (kind, rules) in _checked(made).items():
        value = getattr(config, name)
        _check(called(name), kind, value)
        for rule in rules:
            if reason := rule.refusal(called(name), value):
                raise ValueError(reason)


@cache
def _checked(kind: Any) -> dict[str, tuple[Any, list[Rule]]]:
    """Return the type and the rules of each field of a dataclass."""
    kinds = get_type_hints(kind, include_extras=True)
    return {field.name: split(kinds[field.name]) for field in fields(kind)}


def split(kind: Any) -> tuple[Any, list[Rule]]:
    """Return an annotation's type, and its rules."""
    if get_origin(kind) is not Annotated:
        return kind, []
    plain, *more = get_args(kind)
    return plain, [one for one in more if isinstance(one, Rule)]


def _check(name: str, kind: Any, value: Any) -> None:
    if get_origin(kind) is tuple:
        if not isinstance(value, tuple):
            raise ValueError(f"{name} must be a tuple, not {shown(value)}")
        for item in value:
            _check(name, get_args(kind)[0], item)
        return
    accepted = (float, int) if kind is float else kind
    if not isinstance(value, accepted) or isinstance(value, bool) is not (kind is bool):
        raise ValueError(f"{name} must be of type {kind.__name__}, not {shown(value)}")
    if kind is float and not _is_finite(value):
        raise ValueError(f"{name} must be a finite number, not {shown(value)}")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond what a float holds
        return False
