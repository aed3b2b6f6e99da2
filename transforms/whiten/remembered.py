"""What was made last in this process, to be given again for the same strain.

Blocks that follow each other share spectra: an archive's at their borders, and live, where a
block is a second, for minutes. Equal strain is found by comparing it, so that what is given
is what would be made.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Made = TypeVar("Made")

EACH = 3
"""Kept of each channel: a block shares two with its neighbour."""
LARGEST = 256 << 20
"""Bytes of strain kept of all channels: ten at 16384 Hz, forty at 4096 Hz with 64 s each."""


@dataclass(frozen=True)
class _Entry(Generic[Made]):
    strain: FloatArray
    rest: Hashable
    made: Made


class Remembered(Generic[Made]):
    """The last few of what was made of each channel's strain; any thread may ask."""

    def __init__(self, each: int = EACH, largest: int = LARGEST) -> None:
        """Keep so many of each channel, and no more bytes of strain in all."""
        self._each, self._largest = each, largest
        self._entries: OrderedDict[str, tuple[_Entry[Made], ...]] = OrderedDict()
        self._lock = Lock()

    def of(
        self, channel: str, strain: FloatArray, rest: Hashable, make: Callable[[], Made]
    ) -> Made:
        """Give what is made of strain, now or before.

        Args:
            channel: Whose strain it is.
            strain: [time], finite.
            rest: What else it depends on.
            make: Makes it of the strain and the rest, and of nothing else.
        """
        for entry in self._entries.get(channel, ()):
            if entry.rest == rest and _equal(entry.strain, strain):
                return entry.made
        made = make()
        with self._lock:
            newest = _Entry(strain.copy(), rest, made)
            self._entries[channel] = (newest, *self._entries.pop(channel, ())[: self._each - 1])
            while len(self._entries) > 1 and self._nbytes() > self._largest:
                self._entries.popitem(last=False)
        return made

    def _nbytes(self) -> int:
        return sum(e.strain.nbytes for entries in self._entries.values() for e in entries)


def _equal(one: FloatArray, other: FloatArray) -> bool:
    # The first samples tell nearly always.
    return np.array_equal(one[:16], other[:16]) and np.array_equal(one, other)
