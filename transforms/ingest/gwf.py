"""Frames (GWF): one channel over the frames of a file, and the state beside it."""

import os
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import gwframe

from transforms import gps
from transforms.elements import FloatArray
from transforms.ingest import decoded, quality
from transforms.ingest.gwf_frames import UNREADABLE, decompressed, failed
from transforms.ingest.series import DataError, Stretch, index_of, line

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
        bad = failed(reader, channel, range(reader.num_frames))
        gaps, flags = quality.sorted_out(bad, (*require, quality.STATE_VECTOR))
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
    except UNREADABLE as error:
        raise DataError(
            f"{path}: cannot be read as GWF, truncated or damaged; fetch it again ({line(error)})"
        ) from error


def _frame(reader: gwframe.FrameReader, stamp: Hashable, channel: str, number: int) -> decoded.Part:
    """Give one frame of a channel, which can only be decompressed as a whole."""
    key = (stamp, channel, number)
    return decoded.KEPT.part(key, lambda: decompressed(reader, channel, number))
