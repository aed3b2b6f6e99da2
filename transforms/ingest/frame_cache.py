"""Strain that has been decompressed, kept for as long as the next block may need it again.

Blocks overlap: without this, a frame would be decompressed for every block that touches it.
With it, a pass over an archive decompresses everything once. There are two passes, since a
plan needs every file inspected, and inspection must look at every sample; they share what
is decompressed only where all of it can be kept.
"""

import math
import os
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from cachetools import LRUCache

from transforms import gps
from transforms.arrays import FloatArray
from transforms.ingest.errors import DataError
from transforms.kinds import LetterKind

LARGEST = 64 << 20
"""Bytes kept in a process: at 16384 Hz, two frames of 256 s just fit. Blocks that follow
each other share 208 s, which lie in two frames at most if frames are as long."""
LONGEST_NS = 768 * gps.NANOSECONDS
"""Strain kept in a process [ns]: three such frames, for the 400 s that blocks share with
spectra from 256 s. Slower channels would fill the bytes with what no block wants again."""


@dataclass(frozen=True)
class Part:
    """What is decompressed as a whole: contiguous samples of one channel."""

    first: int
    """Index of the first sample on the GPS grid of ``sample_rate``."""
    sample_rate: int
    """[Hz] in the file."""
    samples: FloatArray
    """Shape [time], float64."""

    @property
    def duration_ns(self) -> int:
        """Return how long it is [ns]."""
        return gps.to_ns(len(self.samples), self.sample_rate)


class FrameCache:
    """The parts asked for last, up to a size and a duration; any thread may ask.

    The very last one is kept however large it is: a long frame would otherwise be
    decompressed again for every block that is read of it.
    """

    def __init__(self, largest: int = LARGEST, longest_ns: int = LONGEST_NS) -> None:
        self.largest, self.longest_ns = largest, longest_ns
        self.duration_ns = 0
        # Two bounds, of which the cache knows none: it would refuse a part beyond its own.
        self._parts: LRUCache[Hashable, Part] = LRUCache(
            math.inf, getsizeof=lambda part: part.samples.nbytes
        )
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """Return how much is kept [bytes]."""
        return int(self._parts.currsize)

    def part(self, key: Hashable, decode: Callable[[], Part]) -> Part:
        """Return a part, decompressed now if it is not kept; its samples are read only."""
        with self._lock:
            if key in self._parts:
                return self._parts[key]
        # Not under the lock, for it takes long: at worst, two threads do the same work.
        part = decode()
        part.samples.flags.writeable = False
        with self._lock:
            if key not in self._parts:
                self._keep(key, part)
        return part

    def _keep(self, key: Hashable, part: Part) -> None:
        self._parts[key] = part
        self.duration_ns += part.duration_ns
        while self._is_over() and len(self._parts) > 1:
            _, oldest = self._parts.popitem()
            self.duration_ns -= oldest.duration_ns

    def _is_over(self) -> bool:
        return self.nbytes > self.largest or self.duration_ns > self.longest_ns


KEPT = FrameCache()


def stamp(path: str) -> Hashable:
    """Return what changes when a file is written again.

    To be taken before the file is opened, so that no new stamp gets old samples.

    Raises:
        DataError: The file is gone.
    """
    try:
        state = os.stat(path)
    except OSError as error:
        text = f"cannot be read any more ({error.strerror}); run again with the files at rest"
        raise DataError(f"{path}: {text}", LetterKind.ACCESS) from error
    return path, state.st_ino, state.st_mtime_ns, state.st_ctime_ns, state.st_size


def within(part: Part, first: int, last: int) -> Part:
    """Return the samples of a part with indices in [first, last); if all, the part itself."""
    begin, end = max(first - part.first, 0), min(last - part.first, len(part.samples))
    if begin == 0 and end == len(part.samples):
        return part
    return Part(part.first + begin, part.sample_rate, part.samples[begin : max(begin, end)])


def joined(
    path: str, channel: str, parts: Sequence[Part], start_ns: int, end_ns: int
) -> tuple[FloatArray, int]:
    """Return the strain of [start, end), shape [time], float64, and its rate [Hz].

    Where one of the parts, in the order of time, holds all of it, nothing is copied, and
    nobody can write to what others read too.

    Raises:
        DataError: The parts do not hold all of it.
    """
    if len({part.sample_rate for part in parts}) == 1:
        rate = parts[0].sample_rate
        begin, end = gps.to_index(start_ns, rate), gps.to_index(end_ns, rate)
        cuts = [
            part.samples[max(begin - part.first, 0) : max(end - part.first, 0)] for part in parts
        ]
        if sum(map(len, cuts)) == end - begin:
            return cuts[0] if len(cuts) == 1 else np.concatenate(cuts), rate
    times = f"{gps.seconds_text(start_ns)} to {gps.seconds_text(end_ns)}"
    raise DataError(f"{path}: no longer holds {channel} {times}; run again with the files at rest")
