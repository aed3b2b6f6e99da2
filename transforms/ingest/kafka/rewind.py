"""Where to begin to read: where it was left, and as far before that as is needed in data time.

Names are those of what a source follows in data time, such as channels.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
_LARGEST_NOTE = 4000
"""Most of a note beside a committed offset [characters]; brokers take 4096 bytes."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """What an element covers in data time."""

    name: str
    start_ns: int
    end_ns: int
    source: str
    """The message that came first of it."""


@dataclass(frozen=True, kw_only=True)
class Rewind(Generic[T]):
    """How far before the committed time a job without a checkpoint begins, in data time."""

    extent: Callable[[T], Extent]
    context_ns: int = 0
    """Past that is needed before the first element that counts [ns]."""
    repeat_ns: int = 0
    """How much is analysed again, as its results may have been lost with the old job [ns]."""


@dataclass(frozen=True)
class Sample:
    """What a sample of messages, read from an offset on, holds."""

    first: int
    """Offset of the first message of the first whole element."""
    starts: Mapping[str, int] = field(default_factory=dict)
    """GPS start [ns] of each name's first element."""
    ends: Mapping[str, int] = field(default_factory=dict)
    """GPS time [ns] up to which there are elements of each name."""


def find(
    committed: int, low: int, wanted: Mapping[str, int], sample: Callable[[int], Sample]
) -> int:
    """Return the offset at which to begin, stepping back by twice as much each time.

    Args:
        committed: Offset at which the reader was.
        low: First offset that the log still has.
        wanted: GPS time [ns] to which the elements of each name must reach back.
        sample: Looks into the log from an offset on.
    """
    step = 1
    while committed - step > low:
        found = sample(committed - step)
        common = wanted.keys() & found.starts.keys()
        if common and all(found.starts[name] <= wanted[name] for name in common):
            return found.first
        step *= 2
    return sample(low).first if low < committed else committed


def write_note(reached_ns: Mapping[str, int]) -> str:
    """Write the GPS time [ns] that each name of a partition has reached, beside its offset."""
    # The latest, where there are more than the broker takes.
    note: dict[str, int] = {}
    length = len("{")
    for name in sorted(reached_ns, key=lambda name: reached_ns[name], reverse=True):
        length += len(f"{json.dumps(name)}:{reached_ns[name]},")
        if length > _LARGEST_NOTE:
            break
        note[name] = reached_ns[name]
    return json.dumps(note, separators=(",", ":"))


def read_note(text: str | None) -> dict[str, int]:
    """Read what ``write_note`` wrote; empty where somebody else committed the offset."""
    try:
        found = json.loads(text or "")
    except ValueError:
        return {}
    if not isinstance(found, dict) or not all(type(ns) is int for ns in found.values()):
        return {}
    return found
