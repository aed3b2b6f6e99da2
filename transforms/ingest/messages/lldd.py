"""The low-latency data distribution's messages: a frame in parts, each behind a header.

A message is ``PART,part_id=..,part_num=..,part_tot=..,evt_id=..,evt_len=..,part_off=..,
part_len=..``, one zero byte, and the part's bytes (docs/live.md).
"""

import re
import zlib
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from transforms.elements import DeadLetter
from transforms.ingest.errors import DataError, letter_of_message
from transforms.kinds import LetterKind

MAGIC = b"PART,"
PART_BYTES = 100_000
"""Bytes of a frame in one message, as the distribution's own senders cut."""
PATIENCE = 8
"""A frame lacks parts for good when so many others have begun after it."""
LARGEST_FRAME = 32 << 20
"""Most bytes of one frame."""
LARGEST_HELD = 64 << 20
"""Most bytes of messages that are held for all frames not yet whole."""
_REMEMBERED = 64
"""Whole frames that are remembered, so that their parts that come again are known."""
_LONGEST_HEADER = 1024
_FIELD = re.compile(rb"(\w+)=([0-9]{1,18})")


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a message says about its part; the names are the distribution's."""

    part_id: int
    """Which frame of the sender the part belongs to."""
    part_num: int
    """Which part it is, from 0."""
    part_tot: int
    """How many parts the frame has."""
    evt_id: int
    """GPS start of the frame [s]."""
    evt_len: int
    """Bytes of the frame."""
    part_off: int
    """Where in the frame the part begins [bytes]."""
    part_len: int
    """Bytes of the part."""

    def __bytes__(self) -> bytes:
        """Return the header as it is sent, with its closing zero byte."""
        fields = ",".join(f"{name}={value:012d}" for name, value in vars(self).items())
        return MAGIC + fields.encode() + b"\0"

    @property
    def event(self) -> tuple[int, int, int, int]:
        """Return what the parts of one frame have in common."""
        return self.part_id, self.evt_id, self.part_tot, self.evt_len


@dataclass(frozen=True)
class Whole:
    """A frame of which all parts have come."""

    payload: bytes
    source: str
    """The message that came first of it."""


@dataclass
class _Incomplete:
    source: str
    begun: int
    """How many frames had begun before."""
    nbytes: int = 0
    parts: dict[int, tuple[Header, bytes]] = field(default_factory=dict)


def split(payload: bytes, gps_start: int, part_bytes: int = PART_BYTES) -> list[bytes]:
    """Cut a frame into messages.

    Args:
        payload: The whole frame.
        gps_start: Its GPS start [s], rounded down.
        part_bytes: Bytes of it in each message.
    """
    # Receivers only compare part_id: a checksum tells frames from each other without a count.
    part_id, offsets = zlib.crc32(payload), range(0, len(payload), part_bytes)
    messages = []
    for number, offset in enumerate(offsets):
        chunk = payload[offset : offset + part_bytes]
        header = Header(
            part_id=part_id,
            part_num=number,
            part_tot=len(offsets),
            evt_id=gps_start,
            evt_len=len(payload),
            part_off=offset,
            part_len=len(chunk),
        )
        messages.append(bytes(header) + chunk)
    return messages


def parse(message: bytes, source: str) -> tuple[Header, bytes]:
    """Split a message into its header and its bytes of the frame.

    Raises:
        DataError: The header is damaged, or does not fit what follows.
    """
    end = message.find(b"\0", 0, _LONGEST_HEADER)
    found = {
        match[1].decode(): int(match[2])
        for item in message[len(MAGIC) : max(end, 0)].split(b",")
        if (match := _FIELD.fullmatch(item))
    }
    names = Header.__dataclass_fields__
    missing = ", ".join(name for name in names if name not in found)
    if missing:
        what = f"no {missing} in its header" if end >= 0 else "its header does not end"
        raise DataError(f"{source}: part of a frame is damaged: {what}; send the frame again")
    header, chunk = Header(**{name: found[name] for name in names}), message[end + 1 :]
    wrong = _misfit(header, len(chunk))
    if wrong:
        raise DataError(f"{source}: part of a frame is damaged: {wrong}; send the frame again")
    return header, chunk


def _misfit(header: Header, length: int) -> str:
    """Return how a header contradicts itself or the bytes behind it, in words; empty if not."""
    end = header.part_off + header.part_len
    if header.part_len != length:
        return f"{length} bytes where its header promises {header.part_len}"
    if not length or header.part_num >= header.part_tot or end > header.evt_len:
        return (
            f"part {header.part_num + 1} of {header.part_tot}, bytes {header.part_off} to {end}"
            f" of {header.evt_len}"
        )
    if header.evt_len > LARGEST_FRAME:
        return f"a frame of {header.evt_len} bytes, of which at most {LARGEST_FRAME} are taken"
    return ""


class Assembler:
    """Join the messages of one topic partition, in their order, to frames.

    Parts may come twice, in any order, and between those of other frames. What is held is
    bounded by `PATIENCE` and `LARGEST_HELD`.
    """

    def __init__(self) -> None:
        self._incomplete: OrderedDict[tuple[int, ...], _Incomplete] = OrderedDict()
        self._done: deque[tuple[int, ...]] = deque(maxlen=_REMEMBERED)
        self._begun = 0
        self.nbytes = 0
        """Bytes that are held."""

    @property
    def pending(self) -> str | None:
        """Return the source of the oldest message still needed, or None."""
        return next((item.source for item in self._incomplete.values()), None)

    def feed(self, message: bytes, source: str) -> list[Whole | DeadLetter]:
        """Add a message; return the frame that it makes whole, and what is given up."""
        try:
            header, chunk = parse(message, source)
        except DataError as error:
            return [letter_of_message(source, str(error), message, error.kind)]
        event = header.event
        if event in self._done:
            return []
        if event not in self._incomplete:
            self._incomplete[event] = _Incomplete(source, self._begun)
            self._begun += 1
        item = self._incomplete[event]
        if header.part_num not in item.parts:
            item.parts[header.part_num] = header, chunk
            item.nbytes += len(message)
            self.nbytes += len(message)
        given = [self._whole(event)] if len(item.parts) == header.part_tot else []
        return [*given, *self._given_up()]

    def _whole(self, event: tuple[int, ...]) -> Whole | DeadLetter:
        item, payload = self._taken(event)
        offset = 0
        for _, (header, chunk) in sorted(item.parts.items()):
            if header.part_off != offset:
                return _lost(item, payload, "parts that overlap or leave holes")
            offset += len(chunk)
        if offset != event[-1]:
            return _lost(item, payload, "all parts but not all bytes")
        self._done.append(event)
        return Whole(payload, item.source)

    def _given_up(self) -> list[Whole | DeadLetter]:
        given: list[Whole | DeadLetter] = []
        while self._incomplete:
            event, item = next(iter(self._incomplete.items()))
            if self.nbytes <= LARGEST_HELD and self._begun - item.begun <= PATIENCE:
                break
            _, payload = self._taken(event)
            given.append(_lost(item, payload, "parts are missing"))
        return given

    def _taken(self, event: tuple[int, ...]) -> tuple[_Incomplete, bytes]:
        item = self._incomplete.pop(event)
        self.nbytes -= item.nbytes
        return item, b"".join(chunk for _, (_, chunk) in sorted(item.parts.items()))


def _lost(item: _Incomplete, payload: bytes, what: str) -> DeadLetter:
    header, _ = next(iter(item.parts.values()))
    reason = (
        f"{item.source}: {what} of the frame of GPS {header.evt_id}: {len(item.parts)} of"
        f" {header.part_tot} parts came, {len(payload)} of {header.evt_len} bytes;"
        " send the frame again"
    )
    return letter_of_message(item.source, reason, payload, LetterKind.INCOMPLETE)
