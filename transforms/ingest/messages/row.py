"""A row of samples: one channel's frame as one message, in a layout of this project.

All numbers are little endian (docs/live.md has the layout byte by byte): a fixed head, the
names and intervals, the samples, and the CRC-32 of all that.
"""

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from transforms import gps
from transforms.elements import Frame, Interval
from transforms.ingest.errors import DataError
from transforms.ingest.sampling import GRID_TOLERANCE
from transforms.kinds import LetterKind

MAGIC = b"WROW"
VERSION = 1
FASTEST = 1 << 20
"""Highest sample rate that is believed [Hz]."""
MOST_INTERVALS, MOST_NAMES = 1024, 32
"""Gaps and flags of one row, and names that these have, at most."""
_HEAD = struct.Struct("<4sHHIqIIHH")
"""Magic, version, bytes of a sample, bytes of the message, start [ns], rate [Hz], samples,
gaps, flags."""
_START = struct.Struct("<4sH")
_INTERVAL = struct.Struct("<qq")
_CRC = struct.Struct("<I")
_DTYPES = {4: "<f4", 8: "<f8"}
_AGAIN = "send it again"


def encode(frame: Frame, single: bool = False) -> bytes:
    """Return a frame as a message; ``single`` rounds the samples to float32."""
    samples = frame.samples.astype(_DTYPES[4 if single else 8]).tobytes()
    names = b"".join(_string(text) for text in (frame.ifo, frame.channel))
    intervals = b"".join(
        _INTERVAL.pack(item.start_ns, item.end_ns) + _string(item.name)
        for item in (*frame.gaps, *frame.flags)
    )
    head = _HEAD.pack(
        MAGIC,
        VERSION,
        4 if single else 8,
        _HEAD.size + len(names) + len(intervals) + len(samples) + _CRC.size,
        frame.gps_start_ns,
        frame.sample_rate,
        len(frame.data) // 8,
        len(frame.gaps),
        len(frame.flags),
    )
    body = head + names + intervals + samples
    return body + _CRC.pack(zlib.crc32(body))


def decode(payload: bytes, source: str) -> Frame:
    """Read a message.

    Samples that are not finite stay as they are. Names are not checked here, but where all
    frames are (`transforms.ingest.strain.frame_checks`).

    Raises:
        DataError: It is truncated or damaged, of another version, off the GPS grid, or has
            an impossible rate.
    """
    _verify(payload, source)
    _, _, width, _, start_ns, rate, count, *numbers = _HEAD.unpack_from(payload)
    try:
        (ifo, channel), offset = _strings(payload, _HEAD.size)
        gaps, offset = _intervals(payload, offset, numbers[0])
        flags, offset = _intervals(payload, offset, numbers[1])
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise DataError(f"{source}: its names and intervals cannot be read; {_AGAIN}") from error
    if width not in _DTYPES or offset + width * count + _CRC.size != len(payload):
        raise DataError(
            f"{source}: {count} samples of {width} bytes do not fit its {len(payload)} bytes;"
            f" {_AGAIN}"
        )
    _check_intervals(source, (*gaps, *flags))
    samples = np.frombuffer(payload, _DTYPES[width], count, offset).astype(np.float64)
    start_ns = _on_grid(source, start_ns, rate)
    return Frame(
        ifo=ifo,
        channel=channel,
        sample_rate=rate,
        gps_start_ns=start_ns,
        data=samples.tobytes(),
        gaps=gaps,
        flags=flags,
        source=source,
    )


def _verify(payload: bytes, source: str) -> None:
    """Check what says that the rest can be believed."""
    if len(payload) >= _START.size:
        _, version = _START.unpack_from(payload)
        if version != VERSION:
            raise DataError(
                f"{source}: a row of version {version}, and only {VERSION} is known;"
                " upgrade the receiver or send the older version",
                LetterKind.UNKNOWN_FORMAT,
            )
    promised = _HEAD.unpack_from(payload)[3] if len(payload) >= _HEAD.size else _HEAD.size
    if len(payload) < promised:
        raise DataError(
            f"{source}: truncated: {len(payload)} of at least {promised} bytes; {_AGAIN}"
        )
    if zlib.crc32(payload[: -_CRC.size]) != _CRC.unpack_from(payload, len(payload) - 4)[0]:
        raise DataError(f"{source}: damaged: its checksum does not fit; {_AGAIN}")


def _check_intervals(source: str, intervals: Sequence[Interval]) -> None:
    """Check gaps and flags.

    Raises:
        DataError: There are too many, or one has no extent.
    """
    names = {item.name for item in intervals}
    if any(item.start_ns >= item.end_ns for item in intervals):
        text = "a gap or flag ends before it starts; send start and end"
    elif len(intervals) > MOST_INTERVALS or len(names) > MOST_NAMES:
        text = (
            f"{len(intervals)} gaps and flags of {len(names)} names; send at most"
            f" {MOST_INTERVALS} of {MOST_NAMES}, or shorter frames"
        )
    else:
        return
    raise DataError(f"{source}: {text}", LetterKind.METADATA)


def _on_grid(source: str, start_ns: int, rate: int) -> int:
    """Return the start [ns] of the grid's sample nearest to a start.

    Raises:
        DataError: The rate is impossible, or the start lies off the grid.
    """
    if not 1 <= rate <= FASTEST:
        raise DataError(
            f"{source}: a sample rate of {rate} Hz is impossible; send 1 to {FASTEST} Hz",
            LetterKind.RATE,
        )
    index = gps.to_index(start_ns, rate)
    off = (start_ns * rate - index * gps.NANOSECONDS) / gps.NANOSECONDS
    # Nanoseconds are rounded, by half of one at most.
    if start_ns < 0 or abs(off) > GRID_TOLERANCE + rate / gps.NANOSECONDS / 2:
        raise DataError(
            f"{source}: its samples do not lie on the GPS grid: {start_ns} ns is {off:+.3f}"
            f" samples off at {rate} Hz; resample it to the grid",
            LetterKind.OFF_GRID,
        )
    return gps.to_ns(index, rate)


def _string(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "little") + data


def _strings(payload: bytes, offset: int, number: int = 2) -> tuple[Sequence[str], int]:
    found = []
    for _ in range(number):
        length = int.from_bytes(payload[offset : offset + 2], "little")
        offset += 2 + length
        if offset > len(payload):
            raise IndexError("beyond the end")
        found.append(payload[offset - length : offset].decode())
    return found, offset


def _intervals(payload: bytes, offset: int, number: int) -> tuple[tuple[Interval, ...], int]:
    found = []
    for _ in range(number):
        start_ns, end_ns = _INTERVAL.unpack_from(payload, offset)
        (name,), offset = _strings(payload, offset + _INTERVAL.size, 1)
        found.append(Interval(start_ns, end_ns, name))
    return tuple(found), offset
