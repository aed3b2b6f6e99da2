"""What a stage is told, checked: each value is of its field's type, and each number finite."""

import math
from typing import Any, get_args, get_origin, get_type_hints


def check_values(config: Any) -> None:
    """Check the fields of a dataclass against their annotations.

    A whole number may stand for any number. A boolean is no number, though Python counts with
    it; and what is not a number passes every comparison.

    Raises:
        ValueError: One is of another type, infinite or no number; the line names it.
    """
    for name, kind in get_type_hints(type(config)).items():
        _check(name, kind, getattr(config, name))


def _check(name: str, kind: Any, value: Any) -> None:
    if get_origin(kind) is tuple:
        if not isinstance(value, tuple):
            raise ValueError(f"{name} must be a tuple, not {value!r}")
        for item in value:
            _check(name, get_args(kind)[0], item)
        return
    accepted = (float, int) if kind is float else kind
    if not isinstance(value, accepted) or isinstance(value, bool) is not (kind is bool):
        raise ValueError(f"{name} must be of type {kind.__name__}, not {value!r}")
    if kind is float and not _is_finite(value):
        raise ValueError(f"{name} must be a finite number, not {value!r}")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond what a float holds
        return False
