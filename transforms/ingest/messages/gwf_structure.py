"""Whether the structures of a frame (GWF) are sound, before a library walks through them.

A frame is a header of 40 bytes and structures. Each begins with its length and, from version 8
of the format on, ends with a checksum of its own. The reader's library checks the checksum of
the whole alone; where that fits and a length does not, it goes round in circles for minutes.

LIGO-T970130-v3, sections 4.2 and 4.3; the checksum is that of POSIX ``cksum``.
"""

import struct
import zlib

from transforms.ingest.errors import DataError

_HEADER = 40
_VERSION = 5
"""Where the header holds the version of the format [bytes]."""
_ORDER = 12
"""Where the header holds 0x1234, in the byte order of the file [bytes]."""
_COMMON = 14
"""Length, checksum's kind, class and instance of each structure [bytes]."""
_SUMMED = 8
"""From this version on, each structure ends with its checksum."""
_CRC = 1
"""The one kind of checksum."""
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def check(payload: bytes, source: str) -> None:
    """Check that structures follow each other to the end of a frame, and their checksums.

    Args:
        payload: The whole frame, or all frames of a file.
        source: Where it came from, for people.

    Raises:
        DataError: A structure is damaged.
    """
    order = "<" if payload[_ORDER : _ORDER + 2] == b"\x34\x12" else ">"
    begin, end = struct.Struct(f"{order}QB"), struct.Struct(f"{order}I")
    summed = payload[_VERSION : _VERSION + 1] >= bytes([_SUMMED])
    at, size = _HEADER, len(payload)
    if size <= _HEADER:
        raise DataError(f"{source}: truncated: {size} bytes are no frame; send it again")
    while at < size:
        length, kind = begin.unpack_from(payload, at) if at + _COMMON <= size else (0, 0)
        after = at + length
        if length < _COMMON or after > size:
            raise DataError(f"{source}: truncated or damaged at byte {at}; send it again")
        # The last one holds the checksum of the whole in this place.
        if summed and kind == _CRC and after < size:
            (promised,) = end.unpack_from(payload, after - end.size)
            if cksum(payload[at : after - end.size]) != promised:
                raise DataError(f"{source}: damaged at byte {at} to {after}; send it again")
        at = after


def cksum(data: bytes) -> int:
    """Return the checksum of POSIX ``cksum``: zlib's, with all bits in the other order."""
    length = len(data)
    tail = length.to_bytes((length.bit_length() + 7) // 8, "little")
    mirrored = zlib.crc32((data + tail).translate(_MIRRORED), 0xFFFFFFFF)
    return int(f"{mirrored:032b}"[::-1], 2)
