"""Halving the rate of whitened strain."""

import numpy as np
import numpy.typing as npt
from scipy.signal import firwin

from transforms.detect.kernels import fold

HALF_BAND = firwin(51, 0.5, window=("kaiser", 7.857)).astype(np.float32) * np.float32(np.sqrt(2))
"""80 dB beyond 0.6 of the new rate (Kaiser 1974); white noise keeps unit variance."""
TAPS = HALF_BAND[[len(HALF_BAND) // 2, *range(len(HALF_BAND) // 2 - 1, -1, -2)]]
"""Those that are not zero, from the middle out."""


def halve(series: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Halve the rate of whitened strain; sample i of the result is sample 2 i.

    Every other tap of a half-band filter is zero, and the rest are symmetric: pairs of
    odd samples are added and weighted.

    Args:
        series: [time], an even number of samples from an even index on.

    Returns:
        [time], unit variance kept; the first and last 13 samples lack neighbours.
    """
    pairs = len(TAPS) - 1
    out = np.empty(len(series) // 2, np.float32)
    odd = np.pad(series[1::2], pairs)
    fold(np.ascontiguousarray(series[::2]), odd, TAPS, out)
    return out
