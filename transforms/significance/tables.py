"""Tables of numbers on a grid of one to three quantities."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from transforms.arrays import FloatArray
from transforms.coincide.features import Index


@dataclass(frozen=True, kw_only=True)
class Table:
    """A number in each cell of a grid; what lies outside has that of the nearest cell."""

    edges: tuple[tuple[float, ...], ...]
    """Of each quantity, rising."""
    values: tuple[float, ...]
    """Of all cells; the last quantity varies fastest."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.edges) <= 3:
            raise ValueError("edges must be of 1 to 3 quantities")
        for axis in self.edges:
            if len(axis) < 2 or not all(low < high for low, high in pairwise(axis)):
                raise ValueError("edges must be 2 or more of each quantity, and rise")
        if not all(map(math.isfinite, (*self.values, *(e for axis in self.edges for e in axis)))):
            raise ValueError("edges and values must be finite")
        cells = math.prod(self.shape)
        if len(self.values) != cells:
            raise ValueError(f"values must be {cells}, one for each cell, not {len(self.values)}")

    @classmethod
    def of(cls, edges: tuple[FloatArray, ...], values: FloatArray) -> "Table":
        """Return the table of arrays: edges of each quantity, and values, [cell, ...]."""
        return cls(
            edges=tuple(tuple(map(float, axis)) for axis in edges),
            values=tuple(map(float, values.ravel())),
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Return how many cells there are of each quantity."""
        return tuple(len(axis) - 1 for axis in self.edges)

    @cached_property
    def _arrays(self) -> tuple[list[FloatArray], FloatArray]:
        axes = [np.array(axis) for axis in self.edges]
        return axes, np.array(self.values).reshape(self.shape)

    def __call__(self, *columns: FloatArray) -> FloatArray:
        """Return the value at each point, [point].

        Args:
            columns: Of each quantity, [point]. Where one is not a number, the result is the
                least value of the table: nothing is gained by it.
        """
        axes, values = self._arrays
        unknown = np.any([np.isnan(column) for column in columns], axis=0)
        return np.asarray(np.where(unknown, values.min(), values[cells(axes, columns)]))


def cells(edges: Sequence[FloatArray], columns: Sequence[FloatArray]) -> tuple[Index, ...]:
    """Return the cell of each point by each quantity, [point]; outside, the nearest one.

    Args:
        edges: Of each quantity, rising, [edge].
        columns: Of each quantity, [point].
    """
    return tuple(
        np.clip(np.searchsorted(axis, column, "right") - 1, 0, len(axis) - 2)
        for axis, column in zip(edges, columns, strict=True)
    )
