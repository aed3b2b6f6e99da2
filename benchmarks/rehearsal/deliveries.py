"""What became of each frame on its way to the job, as the replay's log of faults tells it."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from transforms.gps import NANOSECONDS

FRAME_NS = NANOSECONDS
"""Length of a frame."""
DROPPED, DAMAGED = "drop", "corrupt"


@dataclass(frozen=True)
class Delivery:
    """A frame, and what the broker has of it."""

    channel: str
    start_ns: int
    """GPS time."""
    fault: str
    """As ``wavefier replay`` names it; empty: none."""
    late: float
    """How much later than it was due it was sent [s of data]."""
    topic: str
    partition: int
    offsets: tuple[int, ...]
    """Of its messages, copies too."""
    parts: int
    """Messages of one copy."""
    produced: float
    """Kafka's time of its last message [Unix s]; 0 where it was not sent."""

    @property
    def end_ns(self) -> int:
        """GPS time of its end."""
        return self.start_ns + FRAME_NS

    @property
    def sent(self) -> bool:
        """Whether the broker has it."""
        return bool(self.offsets)

    @property
    def arrived(self) -> int:
        """Offset of the message with which it was whole for the first time."""
        return self.offsets[self.parts - 1]

    @property
    def sources(self) -> set[str]:
        """Names of its messages, as dead letters have them."""
        return {f"{self.topic}/{self.partition}/{offset}" for offset in self.offsets}


class Log:
    """The replay's log, which grows."""

    def __init__(self, path: Path) -> None:
        self._path, self._known = path, 0
        self._found: list[Delivery] = []

    def read(self) -> list[Delivery]:
        """Return all that is there by now, of whole lines."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._known)
                lines = file.read().splitlines(keepends=True)
            whole = [line for line in lines if line.endswith(b"\n")]
            self._known += sum(map(len, whole))
            self._found += (_delivery(json.loads(line)) for line in whole)
        return list(self._found)


def _delivery(line: dict[str, object]) -> Delivery:
    values = {
        "channel": line["channel"],
        "start_ns": line["gps_ns"],
        "fault": line["fault"],
        "late": line["late"],
        "topic": line["topic"],
        "partition": line["partition"],
        "offsets": tuple(line["offsets"]),  # type: ignore[arg-type]
        "parts": line["parts"],
        "produced": float(line["produced_ms"]) / 1e3,  # type: ignore[arg-type]
    }
    return Delivery(**values)  # type: ignore[arg-type]


def good(deliveries: Iterable[Delivery], wait_ns: int) -> list[Delivery]:
    """Return the frames that must be analysed: whole, and in time.

    A frame is too late if the job has, of what follows it, more than it waits for; or if the
    first frame that the job saw follows it.

    Args:
        deliveries: Of any channels.
        wait_ns: How much newer data a missing frame is waited for [ns].

    Returns:
        By channel and time.
    """
    found: list[Delivery] = []
    usable = (one for one in deliveries if one.sent and one.fault != DAMAGED)
    ordered = sorted(usable, key=lambda one: (one.channel, one.arrived))
    for _, frames in groupby(ordered, key=lambda one: one.channel):
        found += _in_time(frames, wait_ns)
    return sorted(found, key=lambda one: (one.channel, one.start_ns))


def _in_time(frames: Iterable[Delivery], wait_ns: int) -> Iterator[Delivery]:
    """Yield one channel's frames that are in time, of those in the order in which they came."""
    came: set[int] = set()
    first = newest = 0
    for frame in frames:
        start = frame.start_ns
        first = first or start
        if start < newest:
            following = min(other for other in came if other > start)
            if start < first or newest - following > wait_ns:
                continue
        came.add(start)
        newest = max(newest, frame.end_ns)
        yield frame


def stretches(frames: Iterable[Delivery]) -> list[tuple[int, int]]:
    """Join the frames of one channel where they touch: start and end [GPS ns]."""
    found: list[tuple[int, int]] = []
    for frame in sorted(frames, key=lambda one: one.start_ns):
        if found and frame.start_ns <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], frame.end_ns)
        else:
            found.append((frame.start_ns, frame.end_ns))
    return found


def counts(deliveries: Sequence[Delivery]) -> dict[str, int]:
    """Count the frames that each fault befell."""
    kinds = sorted(one.fault for one in deliveries if one.fault)
    return {kind: len(list(same)) for kind, same in groupby(kinds)}
