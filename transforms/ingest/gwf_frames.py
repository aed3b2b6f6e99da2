"""What a frame (GWF) holds of a channel: its samples, and the state and masks beside it.

The same for frames in files and in messages: both give a `Reader`.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from gwframe import TimeSeries
from gwframe._core import VerifyException  # its readers raise it, nothing else exports it
from gwframe.types import GPSSpan

from transforms.elements import Interval
from transforms.ingest import frame_cache, masks
from transforms.ingest.errors import DataError
from transforms.ingest.sampling import index_of, rate_of
from transforms.kinds import LetterKind

MAGIC = b"IGWD"
UNREADABLE = (VerifyException, RuntimeError, ValueError, OSError, IndexError)
"""What reading a truncated or damaged frame raises."""
FASTEST_STATE = masks.FASTEST


class Reader(Protocol):
    """One or more frames that are open; `gwframe.FrameReader` is one."""

    @property
    def filename(self) -> str:
        """Return where the frames are, for people."""

    @property
    def channels(self) -> list[str]:
        """Return the names of all channels."""

    @property
    def frame_spans(self) -> list[GPSSpan]:
        """Return start and duration of each frame [s]."""

    def read(self, channels: str, frame_index: int, *, allow_invalid: bool) -> TimeSeries:
        """Decompress one frame of a channel."""


def decompressed(reader: Reader, channel: str, number: int) -> frame_cache.Part:
    """Decompress one frame of a channel, checked against the frame's own times.

    Samples that the frame marks as invalid are NaN.

    Raises:
        DataError: The frame lacks samples, has no sample rate, or lies off the GPS grid.
    """
    path, span = reader.filename, reader.frame_spans[number]
    data = reader.read(channel, number, allow_invalid=True)
    rate = rate_of(path, data.dt)
    index_of(path, data.start, rate)
    if len(data.array) < round(span.duration * rate) or abs(data.start - span.start) * rate > 0.5:
        raise DataError(
            f"{path}: {len(data.array)} samples of {channel} at {data.start} s where the frame"
            f" promises {span.duration} s at {span.start} s; fetch it again"
        )
    if data.array.ndim != 1 or data.array.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: {channel} is no row of real numbers; leave it out", LetterKind.CHANNEL
        )
    samples = data.array if data.mask is None else np.where(data.mask, np.nan, data.array)
    first = index_of(path, span.start, rate)
    return frame_cache.Part(first, rate, samples.astype(np.float64, copy=False))


def failed(
    reader: Reader,
    channel: str,
    numbers: Iterable[int],
    extents: Sequence[tuple[int, int]],
    require: Sequence[str],
) -> masks.Judged:
    """Return where, in some of the frames, the channels beside the strain say that it is not good.

    Args:
        reader: The frames.
        channel: The strain.
        numbers: Of the frames.
        extents: Where there is strain in them, [start, end) [GPS ns].
        require: Bits without which it is not analysed.

    Raises:
        DataError: A mask has no sample rate, lies off the GPS grid, or does not name its bits.
    """
    numbers = list(numbers)
    found: list[Interval] = []
    names: list[str] = []
    for name in reader.channels:
        role = masks.role(channel, name)
        if role is None:
            continue
        parts, units = _slow(reader, name, numbers)
        if not parts:
            continue
        bits: dict[int, str] = {}
        if role is not masks.Role.STATE:
            said = next((said for unit in units if (said := masks.bits_in(unit))), {})
            bits = masks.bits_known(reader.filename, role, name, said, require)
        judged = masks.judged(role, parts, bits, extents, require)
        found += judged.failed
        names += judged.names
    return masks.Judged(failed=tuple(found), names=tuple(names))


def is_lacking(error: ValueError) -> bool:
    """Return whether a reader complains that one of the frames has no such channel."""
    return "does not exist in frame" in str(error)


def _slow(reader: Reader, name: str, numbers: Iterable[int]) -> tuple[list[masks.Part], list[str]]:
    """Return the values of a mask and its units, frame by frame; of none that lacks it."""
    parts, units = [], []
    for number in numbers:
        try:
            data = reader.read(name, number, allow_invalid=True)
        except ValueError as error:
            if not is_lacking(error):
                raise
            continue
        where = f"{reader.filename}: {name}"
        rate = rate_of(where, data.dt)
        if rate <= masks.FASTEST and masks.is_mask(data.array):
            first = index_of(where, data.start, rate)
            parts.append(masks.Part(values=data.array, first=first, rate=rate))
            units.append(str(data.unit))
    return parts, units
