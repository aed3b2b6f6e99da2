"""What was done to each frame: a line each in a log, and a sum in the end."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType

from beam_pipeline.replay.faults import DROP
from beam_pipeline.replay.schedule import Sending
from beam_pipeline.replay.sender import Receipt
from transforms.gps import to_seconds


@dataclass(frozen=True)
class Parcel:
    """A frame as it is sent."""

    sending: Sending
    topic: str
    messages: list[bytes]
    """What is sent once of it."""
    copies: int
    how: str = ""
    """How it was damaged, in words."""


class Account:
    """Counts frames, and writes a line of JSON for each that the broker has, or was dropped."""

    def __init__(self, path: Path | None) -> None:
        """Open the log, anew.

        Raises:
            OSError: It cannot be written.
        """
        # In lines: whatever happens, those that are there are whole.
        self._file = path.open("w", encoding="utf-8", buffering=1) if path else None
        self._frames: Counter[tuple[str, str]] = Counter()
        self._faults: Counter[tuple[str, str, str]] = Counter()

    def __enter__(self) -> "Account":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file:
            self._file.close()

    def add(self, parcel: Parcel, receipt: Receipt) -> None:
        """Note what became of a frame."""
        fault = parcel.sending.fault
        kind = fault.kind if fault else ""
        where = parcel.sending.played.frame.channel, parcel.topic
        self._frames[where] += kind != DROP
        self._faults[*where, kind] += 1
        if self._file:
            self._file.write(json.dumps(_line(parcel, receipt, kind)) + "\n")

    def summary(self) -> Iterator[str]:
        """Give a line for each channel."""
        for (channel, topic), number in sorted(self._frames.items()):
            faults = ", ".join(
                f"{kind} {count}"
                for (*where, kind), count in sorted(self._faults.items())
                if kind and (channel, topic) == tuple(where)
            )
            yield f"{channel}: {number} frames sent to {topic}" + (f" ({faults})" * bool(faults))


def _line(parcel: Parcel, receipt: Receipt, kind: str) -> dict[str, object]:
    played, joined = parcel.sending.played, b"".join(parcel.messages)
    return {
        "gps": to_seconds(played.frame.gps_start_ns),
        "gps_ns": played.frame.gps_start_ns,
        "file_gps": to_seconds(played.file_ns),
        "ifo": played.frame.ifo,
        "channel": played.frame.channel,
        "topic": parcel.topic,
        "fault": kind,
        "how": parcel.how,
        "late": (parcel.sending.at_ns - played.due_ns) / 1e9,
        "copies": parcel.copies,
        "parts": len(parcel.messages),
        "bytes": len(joined),
        "sha256": sha256(joined).hexdigest() if parcel.messages else "",
        "partition": receipt.partition,
        "offsets": receipt.offsets,
        "produced_ms": receipt.produced_ms,
    }
