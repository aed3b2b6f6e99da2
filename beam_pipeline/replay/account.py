"""What was done to each frame: a line each in a log, and a sum in the end."""

import json
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import TracebackType

from beam_pipeline import progress_bar
from beam_pipeline.replay.faults import DROP
from beam_pipeline.replay.schedule import ScheduledFrame
from beam_pipeline.replay.sender import Receipt
from transforms.gps import to_seconds


@dataclass(frozen=True, kw_only=True)
class SentFrame:
    """A frame as it is sent."""

    scheduled: ScheduledFrame
    topic: str
    messages: list[bytes]
    """What is sent once of it."""
    copies: int
    how: str = ""
    """How it was damaged, in words."""


@dataclass
class _Entry:
    sent: SentFrame
    receipt: Receipt | None = None


class Account:
    """Counts frames, and writes a line of JSON for each that the broker has, or was dropped.

    The lines are in the order of sending, whenever the broker answers.
    """

    def __init__(self, path: Path | None) -> None:
        """Open the log, anew.

        Raises:
            OSError: It cannot be written.
        """
        # In lines: whatever happens, those that are there are whole.
        self._file = path.open("w", encoding="utf-8", buffering=1) if path else None
        self._entries: deque[_Entry] = deque()
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
        # Behind what never arrived there may be what did.
        for entry in self._entries:
            self._note(entry)
        if self._file:
            self._file.close()

    def entry(self, sent: SentFrame) -> Callable[[Receipt], None]:
        """Return what is to be called when the broker has all of a frame."""
        entry = _Entry(sent)
        self._entries.append(entry)
        return partial(self._arrived, entry)

    def _arrived(self, entry: _Entry, receipt: Receipt) -> None:
        entry.receipt = receipt
        while self._entries and self._entries[0].receipt is not None:
            self._note(self._entries.popleft())

    def _note(self, entry: _Entry) -> None:
        if entry.receipt is None:
            return
        fault, frame = entry.sent.scheduled.fault, entry.sent.scheduled.played.frame
        kind, where = fault.kind if fault else "", (frame.channel, entry.sent.topic)
        self._frames[where] += kind != DROP
        self._faults[*where, kind] += 1
        progress_bar.note(0.0, to_seconds(frame.gps_end_ns - frame.gps_start_ns))
        if self._file:
            self._file.write(json.dumps(_line(entry.sent, entry.receipt, kind)) + "\n")

    def summary(self) -> Iterator[str]:
        """Yield a line for each channel."""
        for (channel, topic), number in sorted(self._frames.items()):
            faults = ", ".join(
                f"{kind} {count}"
                for (*where, kind), count in sorted(self._faults.items())
                if kind and (channel, topic) == tuple(where)
            )
            yield f"{channel}: {number} frames sent to {topic}" + (f" ({faults})" * bool(faults))


def _line(sent: SentFrame, receipt: Receipt, kind: str) -> dict[str, object]:
    played, joined = sent.scheduled.played, b"".join(sent.messages)
    return {
        "gps": to_seconds(played.frame.gps_start_ns),
        "gps_ns": played.frame.gps_start_ns,
        "file_gps": to_seconds(played.file_ns),
        "ifo": played.frame.ifo,
        "channel": played.frame.channel,
        "topic": sent.topic,
        "fault": kind,
        "how": sent.how,
        "late": (sent.scheduled.at_ns - played.due_ns) / 1e9,
        "copies": sent.copies,
        "parts": len(sent.messages),
        "bytes": len(joined),
        "sha256": sha256(joined).hexdigest() if sent.messages else "",
        "partition": receipt.partition,
        "offsets": receipt.offsets,
        "produced_ms": receipt.produced_ms,
    }
