"""Frames (GWF): one channel over the frames of a file, and the state beside it."""

import os
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import gwframe
import numpy as np
from gwframe._core import VerifyException  # its readers raise it, nothing else exports it

from transforms import gps
from transforms.elements import FloatArray, Interval
from transforms.ingest import decoded, quality
from transforms.ingest.series import DataError, Stretch, index_of, line, rate_of

MAGIC = b"IGWD"
_FASTEST_STATE = 256
"""State vectors and masks are slower than this [Hz]; faster ones are other things."""
_LARGEST_CHECKED = 256 << 20
"""Largest file whose checksum is verified [bytes]: that takes the whole of it in memory."""


def channels(path: str) -> list[str]:
    """Give the names of the channels in a file.

    Raises:
        DataError: The file is truncated or damaged.
    """
    with _opened(path, check=True) as reader:
        return list(reader.channels)


def stretches(path: str, channel: str, require: Sequence[str]) -> list[Stretch]:
    """Give what a file holds of a channel, with its data quality.

    The state vector is read before the strain: where it says no, strain may be missing.

    Raises:
        DataError: The file is truncated, damaged, or off the GPS grid.
    """
    stamp = decoded.stamp(path)
    with _opened(path) as reader:
        failed = _failed(reader, path, channel)
        gaps, flags = quality.sorted_out(failed, (*require, quality.STATE_VECTOR))
        rate = _frame(reader, stamp, channel, 0).sample_rate
        found: list[Stretch] = []
        for span in sorted(reader.frame_spans, key=lambda span: span.start):
            first, length = index_of(path, span.start, rate), round(span.duration * rate)
            if found and found[-1].first + found[-1].length == first:
                found[-1] = replace(found[-1], length=found[-1].length + length)
            else:
                found.append(Stretch(channel, first, length, rate, "", tuple(gaps), tuple(flags)))
        return found


def read(path: str, channel: str, start_ns: int, end_ns: int) -> tuple[FloatArray, int]:
    """Read the strain of [start, end), float64, not to be written to, and its rate [Hz].

    Samples that the file marks as invalid are NaN.

    Raises:
        DataError: The file is damaged, or does not hold the stretch.
    """
    stamp = decoded.stamp(path)
    with _opened(path) as reader:
        spans = sorted(enumerate(reader.frame_spans), key=lambda item: item[1].start)
        frames = [
            _frame(reader, stamp, channel, number)
            for number, span in spans
            if gps.from_seconds(span.start) < end_ns and gps.from_seconds(span.end) > start_ns
        ]
    return decoded.joined(path, channel, frames, start_ns, end_ns)


@contextmanager
def _opened(path: str, check: bool = False) -> Iterator[gwframe.FrameReader]:
    try:
        check = check and os.path.getsize(path) <= _LARGEST_CHECKED
        with gwframe.FrameReader(path, validate_checksum=check) as reader:
            yield reader
    except DataError:
        raise
    except (VerifyException, RuntimeError, ValueError, OSError, IndexError) as error:
        raise DataError(
            f"{path}: cannot be read as GWF, truncated or damaged; fetch it again ({line(error)})"
        ) from error


def _frame(reader: gwframe.FrameReader, stamp: Hashable, channel: str, number: int) -> decoded.Part:
    """Give one frame of a channel, which can only be decompressed as a whole."""
    key = (stamp, channel, number)
    return decoded.KEPT.part(key, lambda: _decompressed(reader, channel, number))


def _decompressed(reader: gwframe.FrameReader, channel: str, number: int) -> decoded.Part:
    """Decompress one frame of a channel, checked against the frame's own times."""
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


def _failed(reader: gwframe.FrameReader, path: str, channel: str) -> list[Interval]:
    """Give where the channels beside the strain say that it is not good."""
    ifo = channel.partition(":")[0]
    failed: list[Interval] = []
    for name in reader.channels:
        if not name.startswith(f"{ifo}:"):
            continue
        if "STATE_VECTOR" in name:
            for values, first, rate in _slow(reader, path, name):
                failed += quality.not_ready(values, first, rate)
        elif name == channel.replace("STRAIN", "DQMASK") != channel:
            failed += _unset(reader, path, name, quality.DQ_NAMES)
        elif name == channel.replace("STRAIN", "INJMASK") != channel:
            failed += _unset(reader, path, name, quality.INJECTION_NAMES)
    return failed


def _unset(
    reader: gwframe.FrameReader, path: str, name: str, bits: Sequence[str]
) -> list[Interval]:
    return [
        item
        for values, first, rate in _slow(reader, path, name)
        for item in quality.unset_bits(values, bits, first, rate)
    ]


def _slow(
    reader: gwframe.FrameReader, path: str, name: str
) -> Iterator[tuple[quality.Values, int, int]]:
    """Give values, first index and rate [Hz] of a mask, frame by frame."""
    for number in range(reader.num_frames):
        data = reader.read(name, number, allow_invalid=True)
        rate = rate_of(path, data.dt)
        if rate <= _FASTEST_STATE:
            yield data.array, index_of(path, data.start, rate), rate
