"""Frames (GWF): one channel over the frames of a file, and the state beside it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache

import gwframe
import numpy as np
from gwframe._core import VerifyException  # its readers raise it, nothing else exports it

from transforms import gps
from transforms.elements import FloatArray, Interval
from transforms.ingest import quality
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
    with _opened(path) as reader:
        failed = _failed(reader, path, channel)
        gaps, flags = quality.sorted_out(failed, (*require, quality.STATE_VECTOR))
        rate = _load(path, channel, 0)[1]
        found: list[Stretch] = []
        for span in sorted(reader.frame_spans, key=lambda span: span.start):
            first, length = index_of(path, span.start, rate), round(span.duration * rate)
            if found and found[-1].first + found[-1].length == first:
                found[-1] = replace(found[-1], length=found[-1].length + length)
            else:
                found.append(Stretch(channel, first, length, rate, "", tuple(gaps), tuple(flags)))
        return found


def read(path: str, channel: str, start_ns: int, end_ns: int) -> tuple[FloatArray, int]:
    """Read the strain of [start, end), float64, and its rate [Hz] in the file.

    Samples that the file marks as invalid are NaN. A frame is decompressed as a whole,
    and the last one kept, since the next block will most likely want it again.

    Raises:
        DataError: The file is damaged, or does not hold the stretch.
    """
    parts, rate = [], 0
    with _opened(path) as reader:
        spans = sorted(enumerate(reader.frame_spans), key=lambda item: item[1].start)
        for number, span in spans:
            if gps.from_seconds(span.start) >= end_ns or gps.from_seconds(span.end) <= start_ns:
                continue
            samples, rate = _load(path, channel, number)
            first = index_of(path, span.start, rate)
            begin, end = gps.to_index(start_ns, rate) - first, gps.to_index(end_ns, rate) - first
            parts.append(samples[max(begin, 0) : max(end, 0)])
    expected = gps.to_index(end_ns, rate) - gps.to_index(start_ns, rate)
    if not rate or sum(map(len, parts)) != expected:
        raise DataError(f"{path}: no longer holds {start_ns} to {end_ns} ns of {channel}")
    return np.concatenate(parts).astype(np.float64), rate


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


def _load(path: str, channel: str, number: int) -> tuple[FloatArray, int]:
    state = os.stat(path)
    return _frame(path, channel, number, (state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=1)
def _frame(path: str, channel: str, number: int, _stamp: tuple[int, int]) -> tuple[FloatArray, int]:
    """Read one frame of a channel, checked against the frame's own times."""
    with gwframe.FrameReader(path) as reader:
        data = reader.read(channel, number, allow_invalid=True)
        span = reader.frame_spans[number]
    rate = rate_of(path, data.dt)
    index_of(path, data.start, rate)
    if len(data.array) < round(span.duration * rate) or abs(data.start - span.start) * rate > 0.5:
        raise DataError(
            f"{path}: {len(data.array)} samples of {channel} at {data.start} s where the frame"
            f" promises {span.duration} s at {span.start} s; fetch it again"
        )
    samples: FloatArray = data.array
    if data.mask is not None:
        samples = np.where(data.mask, np.nan, samples)
    return samples, rate


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
