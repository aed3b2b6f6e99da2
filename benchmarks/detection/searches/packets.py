"""Wavelet packets: bands of equal width, their coefficients, and rectangles of them.

Coifman & Wickerhauser 1992, doi:10.1109/18.119732. The packets of one level are an
orthonormal basis, so the sum of n squares is a chi^2_n in white noise.
"""

from collections.abc import Iterator

import numpy as np
import pywt

from benchmarks.detection.scoring import Event
from benchmarks.detection.searches import ranking
from transforms.arrays import RealArray, SingleArray
from transforms.detect.searchable import NYQUIST_PART

BASIS = "sym12"
BANDS = (128, 64, 32, 16)
"""Widths of the bands [Hz]: levels 4 to 7 at 4096 Hz."""
LOWEST = 20.0
"""Lowest centre of a rectangle's band [Hz]."""
HEIGHTS = (1, 2, 4, 8)
"""Neighbouring bands of a rectangle."""
LENGTHS = (1, 2, 4, 8, 16)
"""Neighbouring coefficients of a rectangle in each band."""


def search(white: SingleArray, rate: int, least: float) -> list[Event]:
    """Find rare sums of energies over rectangles of packets, level by level."""
    levels = [round(np.log2(rate / 2 / band)) for band in BANDS]
    # PyWavelets wants an array that it could write to.
    tree = pywt.WaveletPacket(white.copy(), BASIS, "periodization", max(levels))
    found: list[RealArray] = []
    for level in levels:
        nodes = tree.get_level(level, order="freq")
        energy = np.array([node.data for node in nodes]) ** 2
        found += _level(energy, rate / 2 / len(nodes), least)
    return ranking.events(found)


def _level(energy: SingleArray, width: float, least: float) -> Iterator[RealArray]:
    """Yield the rectangles over the least rank of one level's energies, [band, time]."""
    step, top = 1 / (2 * width), NYQUIST_PART * width * len(energy)
    high = energy
    for height in HEIGHTS:
        if height > 1:
            high = high[: -(height // 2)] + high[height // 2 :]
        centre = (np.arange(len(high)) + height / 2) * width
        searched = (centre >= LOWEST) & (centre <= top)
        centre, sums = centre[searched], high[searched]
        for length in LENGTHS:
            if length > 1:
                sums = sums[:, : -(length // 2)] + sums[:, length // 2 :]
            count = height * length
            limits = np.array([ranking.limit(least, count, float(f)) for f in centre], np.float32)
            row, at = np.nonzero(sums > limits[:, None])
            if len(row):
                yield ranking.hits(
                    centre=(at + length / 2) * step,
                    half=length * step / 2,
                    frequency=centre[row],
                    energy=sums[row, at],
                    count=count,
                )
