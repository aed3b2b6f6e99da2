"""Strain as text, as GWOSC publishes it: a header of ``#``, then a number in each line; or gzip.

Text cannot be read from its middle: a file is read as a whole, in chunks, and kept while the
next block may want it again, as a frame is.
"""

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np

from transforms.arrays import FloatArray
from transforms.ingest import filename, frame_cache
from transforms.ingest.errors import DataError
from transforms.ingest.files.stretches import Held, Stretch
from transforms.ingest.sampling import index_of, rate_of
from transforms.kinds import LetterKind
from transforms.texts import line

MAGIC = b"#"
ZIPPED = b"\x1f\x8b"
_RATE = re.compile(rb"(\d{1,9}) samples per second")
_TIMES = re.compile(rb"starting GPS (\d{1,12}) duration (\d{1,9})\b")
_DETECTOR = re.compile(rb"\bfor ([A-Z][0-9])\b")
_HEAD = 4096
"""Bytes within which the header ends."""
_CHUNK = 4 << 20
"""Bytes of text that become numbers together."""
_LONGEST_LINE = 100
"""Bytes of a line: more than any number needs."""
_MOST = 1 << 26
"""Samples of a file: 4096 s at 16384 Hz, GWOSC's longest."""


@dataclass(frozen=True)
class _Head:
    """What the header says."""

    channel: str
    rate: int
    first: int
    length: int


def channels(path: str) -> list[str]:
    """Return the name of the one channel of a file.

    Raises:
        DataError: It is no text as GWOSC publishes it.
    """
    with _opened(path) as file:
        return [_head(path, file).channel]


def stretches(path: str, channel: str, _require: Sequence[str]) -> Held:
    """Return what a file holds; text has no data quality.

    Raises:
        DataError: It is no text as GWOSC publishes it.
    """
    with _opened(path) as file:
        head = _head(path, file)
    if head.channel != channel:
        raise DataError(f"{path}: no longer holds {channel}; run again with the files at rest")
    return Held(
        stretches=(
            Stretch(channel=channel, first=head.first, length=head.length, sample_rate=head.rate),
        )
    )


def read(path: str, channel: str, start_ns: int, end_ns: int) -> tuple[FloatArray, int]:
    """Read the strain of [start, end), float64, not to be written to, and its rate [Hz].

    Raises:
        DataError: The file is damaged, or does not hold the stretch.
    """
    part = frame_cache.KEPT.part((frame_cache.stamp(path), channel), lambda: _whole(path))
    return frame_cache.joined(path, channel, [part], start_ns, end_ns)


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    try:
        with open(path, "rb") as file:
            zipped = file.read(2) == ZIPPED
            file.seek(0)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=file)) if zipped else file
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path}: cannot be read as text, truncated or damaged; fetch it again ({line(error)})"
        ) from error


def _head(path: str, file: BinaryIO) -> _Head:
    """Read the header; the file then stands at an unknown place."""
    begin = file.read(_HEAD)
    header = b"\n".join(text for text in begin.split(b"\n") if text.startswith(MAGIC))
    rate, times = _RATE.search(header), _TIMES.search(header)
    if not begin.startswith(MAGIC) or rate is None or times is None:
        raise DataError(
            f"{path}: is text, but its header does not give samples per second, start and"
            " duration as GWOSC's does; fetch it in HDF5",
            LetterKind.UNKNOWN_FORMAT,
        )
    hertz = rate_of(path, 1 / int(rate[1]) if int(rate[1]) else 0.0)
    length = int(times[2]) * hertz
    if not 0 < length <= _MOST:
        raise DataError(
            f"{path}: its header promises {length} samples, text is read up to {_MOST};"
            " fetch it in HDF5",
            LetterKind.METADATA,
        )
    said = _DETECTOR.search(header)
    ifo = said[1].decode() if said else filename.interferometer(path)
    name = f"GWOSC-{hertz // 1024}KHZ_STRAIN" if hertz >= 1024 else "GWOSC_STRAIN"
    return _Head(f"{ifo}:{name}", hertz, index_of(path, float(times[1]), hertz), length)


def _whole(path: str) -> frame_cache.Part:
    with _opened(path) as file:
        head = _head(path, file)
        file.seek(0)
        samples = np.empty(head.length)
        at = 0
        for numbers in _numbers(path, file):
            if at + len(numbers) > head.length:
                at += len(numbers)
                break
            samples[at : at + len(numbers)] = numbers
            at += len(numbers)
    if at != head.length:
        found = f"more than {head.length}" if at > head.length else str(at)
        raise DataError(
            f"{path}: {found} samples where its header promises {head.length}; fetch it again"
        )
    return frame_cache.Part(head.first, head.rate, samples)


def _numbers(path: str, file: BinaryIO) -> Iterator[FloatArray]:
    """Yield the numbers of the lines that are no comments, in chunks."""
    rest = b""
    while chunk := file.read(_CHUNK):
        text, newline, rest = (rest + chunk).rpartition(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise DataError(f"{path}: a line is longer than any number; fetch it again")
        yield _parsed(path, text + newline)
    yield _parsed(path, rest)


def _parsed(path: str, text: bytes) -> FloatArray:
    if MAGIC in text:
        text = b"\n".join(one for one in text.split(b"\n") if not one.startswith(MAGIC))
    try:
        return np.array(text.split(), np.float64)
    except ValueError as error:
        raise DataError(f"{path}: a line is no number ({line(error)}); fetch it again") from error
