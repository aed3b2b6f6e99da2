"""The strain of a live channel that is still needed, in one array."""

import numpy as np

from transforms.arrays import FloatArray
from transforms.elements import Frame
from transforms.gps import to_index

_ROOM = 1.5
"""How much larger than what it holds an array is made: each sample is moved twice at most."""


class StrainBuffer:
    """Contiguous strain on the GPS grid: grows at its end, is forgotten from its start."""

    def __init__(self) -> None:
        self._array: FloatArray = np.empty(0)
        self._at = 0
        self.first = 0
        """Index of the first sample on the grid."""
        self.length = 0

    def append(self, frame: Frame) -> None:
        """Add a frame that begins where the last one ended.

        Raises:
            ValueError: It does not.
        """
        samples = frame.samples
        first = to_index(frame.gps_start_ns, frame.sample_rate)
        if not self.length:
            self.first, self._at = first, 0
        elif first != self.first + self.length:
            raise ValueError(f"sample {first} does not follow {self.first + self.length - 1}")
        if self._at + self.length + len(samples) > len(self._array):
            self._make_room(len(samples))
        end = self._at + self.length
        self._array[end : end + len(samples)] = samples
        self.length += len(samples)

    def between(self, begin: int, end: int) -> bytes:
        """Return the samples of the indices [begin, end), float64.

        Raises:
            ValueError: They are not all there.
        """
        if not self.first <= begin <= end <= self.first + self.length:
            raise ValueError(f"{begin} to {end} is not within what is kept")
        offset = self._at - self.first
        return self._array[offset + begin : offset + end].tobytes()

    def forget(self, before: int) -> None:
        """Drop the samples before an index."""
        less = min(max(before - self.first, 0), self.length)
        self.first, self._at, self.length = self.first + less, self._at + less, self.length - less

    def clear(self) -> None:
        """Drop all, and the room for it: a channel that has ended needs none."""
        self._array, self._at, self.length = np.empty(0), 0, 0

    def _make_room(self, more: int) -> None:
        held = self._array[self._at : self._at + self.length]
        larger = np.empty(int(_ROOM * (self.length + more)))
        larger[: self.length] = held
        self._array, self._at = larger, 0
