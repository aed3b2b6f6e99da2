"""Unions of our own search with others, by ranking statistic."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from benchmarks.detection.scoring import Event
from benchmarks.detection.searches import orthonormal, ours, packets
from transforms.arrays import SingleArray

WINDOWS = -11.0
"""What the squared rank of a window lacks of its own probability's: negative, since a second has 8
windows and thousands of tiles. Windows bring about a tenth of the false alarms so."""
RECTANGLES = 7.0
"""The same of rectangles of packets, of which a second has more than of tiles."""


def tiles_and_windows(white: SingleArray, rate: int, least: float) -> list[Event]:
    """Find our tiles, and windows by how improbable their EnWDF is."""
    windows = orthonormal.search(white, rate, 0.0)
    rarities = orthonormal.rank(np.array([window.rank for window in windows]), rate)
    return [*ours.tiles(white, rate, least), *_ranked(windows, rarities, WINDOWS, least)]


def ours_and_packets(white: SingleArray, rate: int, least: float) -> list[Event]:
    """Find all that we find, and rectangles of packets."""
    found = packets.search(white, rate, float(np.sqrt(least**2 + RECTANGLES)))
    ranks = np.array([event.rank for event in found])
    return [*ours.search(white, rate, least), *_ranked(found, ranks, RECTANGLES, least)]


def _ranked(
    events: Sequence[Event], ranks: npt.NDArray[np.floating], trials_penalty: float, least: float
) -> list[Event]:
    """Return events with their ranks less a trials_penalty, those of at least ``least``."""
    weighed = np.sqrt(np.maximum(np.square(ranks) - trials_penalty, 0))
    pairs = zip(events, weighed, strict=True)
    return [replace(event, rank=float(rank)) for event, rank in pairs if rank >= least]
