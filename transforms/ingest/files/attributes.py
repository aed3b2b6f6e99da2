"""What a file says of itself in HDF5 attributes: read where the meaning is plain, else refused.

Anybody's program writes them: numbers come as text, as arrays of one element, as bytes,
with a unit or in one.
"""

import re
from math import isfinite
from typing import Any

import h5py
import numpy as np

from transforms.ingest.errors import DataError
from transforms.kinds import LetterKind

_TIMES = {"": 1, "s": 1, "sec": 1, "second": 1, "seconds": 1, "ms": 10**3, "us": 10**6}
_TIMES |= {"µs": 10**6, "μs": 10**6, "ns": 10**9}
"""How many of a unit of time make a second."""
_FREQUENCIES = {"": 1.0, "hz": 1.0, "hertz": 1.0, "khz": 1e3}
_SMALLEST = float(np.finfo(np.float64).tiny)
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-zµμ]*)\s*", re.ASCII)


def text(item: h5py.HLObject, name: str) -> str:
    """Return an attribute as text; empty where there is none, or it is no text."""
    value = _plain(_attribute(item, name))
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if isinstance(value, str) else ""


def names(item: h5py.HLObject, name: str) -> list[str]:
    """Return an attribute that lists names; empty where it does not."""
    value = _attribute(item, name)
    if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype.kind not in "OSU":
        return []
    return [
        each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each)
        for each in value.tolist()
    ]


def is_time(unit: str) -> bool:
    """Return whether a unit is one of time, or none."""
    return unit.strip().lower() in _TIMES


def seconds(path: str, item: h5py.HLObject, name: str, unit: str = "") -> float:
    """Return the time that an attribute holds [s].

    Args:
        path: The file, for people.
        item: What has the attribute.
        name: Of the attribute.
        unit: In which it is, where it does not say itself.

    Raises:
        DataError: It is no number, or not finite.
    """
    value, own = _number(path, item, name)
    units = (own or unit).strip().lower()
    if units not in _TIMES:
        raise _refused(path, item, name, f"in {own or unit}, no unit of time that is known")
    return value / _TIMES[units]


def hertz(path: str, item: h5py.HLObject, name: str) -> float:
    """Return the frequency that an attribute holds [Hz].

    Raises:
        DataError: It is no number, or not finite.
    """
    value, own = _number(path, item, name)
    if own.lower() not in _FREQUENCIES:
        raise _refused(path, item, name, f"in {own}, no unit of frequency that is known")
    return value * _FREQUENCIES[own.lower()]


def count(path: str, item: h5py.HLObject, name: str) -> int:
    """Return the whole number that an attribute holds.

    Raises:
        DataError: It is none.
    """
    value, own = _number(path, item, name)
    if own or value != int(value) or value < 0:
        raise _refused(path, item, name, "no whole number")
    return int(value)


def _attribute(item: h5py.HLObject, name: str) -> Any:
    try:
        return item.attrs.get(name)
    except (OSError, TypeError, ValueError, KeyError, RuntimeError):
        # Of a type that h5py does not know, or damaged: nothing that could be meant.
        return h5py.Empty("f8")


def _plain(value: Any) -> Any:
    """Return what is alone in an array, and anything else as it is."""
    if isinstance(value, np.ndarray) and value.size == 1:
        return value.reshape(-1)[0]
    return value


def _number(path: str, item: h5py.HLObject, name: str) -> tuple[float, str]:
    """Return a finite number and its unit, if it has any."""
    value, unit = _plain(_attribute(item, name)), ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        match = _NUMBER.fullmatch(value) if len(value) <= 100 else None
        if match is None:
            raise _refused(path, item, name, "no number")
        value, unit = float(match[1]), match[2]
    if isinstance(value, bool | np.bool_) or not isinstance(
        value, int | float | np.integer | np.floating
    ):
        raise _refused(path, item, name, "no number")
    if not isfinite(number := float(value)) or 0 < abs(number) < _SMALLEST:
        raise _refused(path, item, name, "no finite number, or none that can be meant")
    return number, unit


def _refused(path: str, item: h5py.HLObject, name: str, why: str) -> DataError:
    return DataError(
        f"{path}: {name} of {item.name} is {why}; write the file again with a number there",
        LetterKind.METADATA,
    )
