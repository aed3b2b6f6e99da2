"""What a frame (GWF) holds of a channel: its samples, and the state and masks beside it.

The same for frames in files and in messages: both give a `Reader`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from gwframe import TimeSeries
from gwframe._core import VerifyException  # its readers raise it, nothing else exports it
from gwframe.types import GPSSpan

from transforms.elements import Interval
from transforms.ingest import decoded, quality
from transforms.ingest.series import DataError, index_of, rate_of

MAGIC = b"IGWD"
UNREADABLE = (VerifyException, RuntimeError, ValueError, OSError, IndexError)
"""What reading a truncated or damaged frame raises."""
FASTEST_STATE = 256
"""State vectors and masks are slower than this [Hz]; faster ones are other things."""


class Reader(Protocol):
    """One or more frames that are open; `gwframe.FrameReader` is one."""

    @property
    def filename(self) -> str:
        """Give where the frames are, for people."""

    @property
    def channels(self) -> list[str]:
        """Give the names of all channels."""

    @property
    def frame_spans(self) -> list[GPSSpan]:
        """Give start and duration of each frame [s]."""

    def read(self, channels: str, frame_index: int, *, allow_invalid: bool) -> TimeSeries:
        """Decompress one frame of a channel."""


def decompressed(reader: Reader, channel: str, number: int) -> decoded.Part:
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
    samples = data.array if data.mask is None else np.where(data.mask, np.nan, data.array)
    first = index_of(path, span.start, rate)
    return decoded.Part(first, rate, samples.astype(np.float64, copy=False))


def failed(reader: Reader, channel: str, numbers: Iterable[int]) -> list[Interval]:
    """Give where, in some of the frames, the channels beside the strain say that it is not good.

    Raises:
        DataError: A mask has no sample rate, or lies off the GPS grid.
    """
    ifo = channel.partition(":")[0]
    numbers = list(numbers)
    found: list[Interval] = []
    for name in reader.channels:
        if not name.startswith(f"{ifo}:"):
            continue
        if quality.STATE_CHANNEL in name:
            for values, first, rate in _slow(reader, name, numbers):
                found += quality.not_ready(values, first, rate)
        elif name == channel.replace("STRAIN", "DQMASK") != channel:
            found += _unset(reader, name, numbers, quality.DQ_NAMES)
        elif name == channel.replace("STRAIN", "INJMASK") != channel:
            found += _unset(reader, name, numbers, quality.INJECTION_NAMES)
    return found


def _unset(
    reader: Reader, name: str, numbers: Iterable[int], bits: Sequence[str]
) -> list[Interval]:
    return [
        item
        for values, first, rate in _slow(reader, name, numbers)
        for item in quality.unset_bits(values, bits, first, rate)
    ]


def _slow(
    reader: Reader, name: str, numbers: Iterable[int]
) -> Iterator[tuple[quality.Values, int, int]]:
    """Give values, first index and rate [Hz] of a mask, frame by frame."""
    for number in numbers:
        data = reader.read(name, number, allow_invalid=True)
        rate = rate_of(reader.filename, data.dt)
        if rate <= FASTEST_STATE:
            yield data.array, index_of(reader.filename, data.start, rate), rate
