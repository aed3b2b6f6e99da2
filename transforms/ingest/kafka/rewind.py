"""Where to begin to read: where it was left, and as far before that as the analysis needs."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from transforms.ingest.kafka.progress import Channel

_LARGEST_NOTE = 4000
"""Most of a note beside a committed offset [characters]; brokers take 4096 bytes."""


@dataclass(frozen=True)
class Rewind:
    """How far before the committed time a job without a checkpoint begins, in data time."""

    context_ns: int = 0
    """Past strain that the analysis needs before it gives what it would have given [ns]."""
    repeat_ns: int = 0
    """What is analysed again, as results may have been lost with the old job [ns]."""


@dataclass(frozen=True)
class Sample:
    """What the messages from some offset on hold."""

    first: int
    """Offset of the first message of the first whole frame."""
    starts: Mapping[str, int] = field(default_factory=dict)
    """GPS start [ns] of each channel's first frame."""
    ends: Mapping[str, int] = field(default_factory=dict)
    """GPS time [ns] up to which there are frames of each channel."""


def find(
    committed: int, low: int, wanted: Mapping[str, int], sample: Callable[[int], Sample]
) -> int:
    """Return the offset at which to begin, stepping back by twice as much each time.

    Args:
        committed: Offset at which the reader was.
        low: First offset that the log still has.
        wanted: GPS time [ns] to which the frames of each channel must reach back.
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


def write_note(channels: Mapping[str, Channel], partition: str) -> str:
    """Write the GPS times reached by a partition's channels, to stand beside its offset."""
    own = {name: one.end_ns for name, one in channels.items() if one.partition == partition}
    # The latest, where there are more than the broker takes.
    note: dict[str, int] = {}
    length = len("{")
    for name in sorted(own, key=lambda name: own[name], reverse=True):
        length += len(f"{json.dumps(name)}:{own[name]},")
        if length > _LARGEST_NOTE:
            break
        note[name] = own[name]
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
