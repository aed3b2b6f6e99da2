"""What was made last in this process, to be given again for the same strain.

Blocks that follow each other share spectra: an archive's at their borders, and live, where a
block is a second, for minutes. Equal strain is found by a hash of it, so that what is given
is what would be made, and no strain is kept.
"""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

import numpy as np
from cachetools import LRUCache
from xxhash import xxh3_128_digest

from transforms.arrays import FloatArray

Made = TypeVar("Made")

LARGEST = 256 << 20
"""Bytes kept of all channels: what was made for 170 channels at 16384 Hz, 680 at 4096 Hz."""


class FilterCache(Generic[Made]):
    """What was made last, of all channels; any thread may ask."""

    def __init__(self, size: Callable[[Made], int], largest: int = LARGEST) -> None:
        """Keep no more bytes in all.

        Args:
            size: Tells how many bytes something holds that was made.
            largest: Bytes; the newest is kept whatever it holds.
        """
        # What is larger than all counts as all: the cache would refuse it.
        self._made: LRUCache[Hashable, Made] = LRUCache(
            largest, getsizeof=lambda made: min(size(made), largest)
        )
        self._lock = Lock()

    def of(
        self, channel: str, strain: FloatArray, rest: Hashable, make: Callable[[], Made]
    ) -> Made:
        """Return what is made of strain, now or before.

        Args:
            channel: Whose strain it is.
            strain: [time], finite.
            rest: What else it depends on.
            make: Makes it of the strain and the rest, and of nothing else.
        """
        # 128 bits: that two strains of one channel and length share them is as likely as 1 in
        # 3e38. XXH3 reads the strain where it lies; Python's hash needs a copy of it as bytes.
        key = channel, len(strain), xxh3_128_digest(np.ascontiguousarray(strain).data), rest
        with self._lock:
            if key in self._made:
                return self._made[key]
        # Not under the lock, for it takes long: at worst, two threads do the same work.
        made = make()
        with self._lock:
            return self._made.setdefault(key, made)
