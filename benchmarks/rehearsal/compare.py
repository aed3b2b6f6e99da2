"""What a live job found beside what the archive's job finds in the same data."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transforms.detect.config import DetectConfig
from transforms.detect.sessions import Sessions
from transforms.elements import FINAL, WITHDRAWN, Segment
from transforms.gps import NANOSECONDS, to_seconds
from transforms.sink.segments import coalesce
from transforms.sink.tables import TRIGGER_COLUMNS

RELATIVE = 1e-6
LEFT_OUT = frozenset({"emitted_at", "latency", "version"})
"""Of the moment and of the software, not of the data."""
COMPARED = tuple(column.name for column in TRIGGER_COLUMNS if column.name not in LEFT_OUT)
Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How triggers differ from those that they should be."""

    expected: int
    received: int
    missing: tuple[str, ...]
    """Ids."""
    extra: tuple[str, ...]
    """Ids."""
    differing: tuple[str, ...]
    """As in ``ID column: expected, received``: the first column of each."""

    @property
    def good(self) -> bool:
        """Whether they are the same."""
        return not (self.missing or self.extra or self.differing)


def compare(expected: Iterable[Row], received: Iterable[Row]) -> Comparison:
    """Compare triggers by id, each column that depends on the data."""
    wanted = {row["id"]: row for row in expected}
    found = {row["id"]: row for row in received}
    both = sorted(wanted.keys() & found.keys())
    differences = (_difference(wanted[name], found[name]) for name in both)
    return Comparison(
        expected=len(wanted),
        received=len(found),
        missing=tuple(sorted(wanted.keys() - found.keys())),
        extra=tuple(sorted(found.keys() - wanted.keys())),
        differing=tuple(each for each in differences if each),
    )


def _difference(wanted: Row, found: Row) -> str:
    for name in COMPARED:
        if not same(_plain(name, wanted[name]), _plain(name, found[name])):
            return f"{wanted['id']} {name}: {wanted[name]}, {found[name]}"
    return ""


def _plain(name: str, value: Any) -> Any:
    # Files hold them as JSON, messages as they are.
    return json.loads(value) if name == "probabilities" and isinstance(value, str) else value


def same(one: Any, other: Any) -> bool:
    """Return whether two values are: numbers within 1e-6 of each other, all else equal."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=RELATIVE)
    return bool(one == other)


def last_messages(messages: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Return the last message of each id that was not withdrawn: those final, and the others."""
    last = {message["id"]: message for message in messages}
    final = [row for row in last.values() if row["status"] == FINAL]
    others = [row for row in last.values() if row["status"] not in (FINAL, WITHDRAWN)]
    return final, others


def judged(messages: Iterable[Row], since: Mapping[str, float]) -> tuple[list[Row], list[Row]]:
    """Return what counts as received, and what of it could not become final.

    What lies so near the end of the data that more data could change it does not become final;
    it counts with what is known of it. What is not final elsewhere counts as never received.

    Args:
        messages: In order.
        since: From when on [GPS s], by channel, triggers may be left open.
    """
    final, others = last_messages(messages)
    left = [row for row in others if row["end_time"] > since.get(row["channel"], math.inf)]
    return [*final, *left], left


def open_since(detect: DetectConfig, ends_ns: Mapping[str, int]) -> dict[str, float]:
    """Return the time from which on more data could still join a trigger [GPS s], by channel.

    Args:
        detect: How triggers are found.
        ends_ns: End of the data [GPS ns], by channel.
    """
    sessions = Sessions.of(detect)
    open_ns = sessions.back_ns + sessions.gap_ns + sessions.bin_ns + 2 * NANOSECONDS
    return {channel: to_seconds(end_ns - open_ns) for channel, end_ns in ends_ns.items()}


def analysed_differently(expected: Iterable[Segment], received: Iterable[Segment]) -> int:
    """Count the stretches that were analysed in one and not so in the other."""
    wanted, found = (
        {one for one in coalesce(each) if one.analysed} for each in (expected, received)
    )
    return len(wanted ^ found)


def shown(comparison: Comparison, what: str, most: int = 5) -> Sequence[str]:
    """Return lines on the first few of what is not as it should be."""
    lines = [f"{what}: missing {name}" for name in comparison.missing[:most]]
    lines += [f"{what}: extra {name}" for name in comparison.extra[:most]]
    return [*lines, *(f"{what}: differs {text}" for text in comparison.differing[:most])]
