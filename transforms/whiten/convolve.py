"""Filtering one second at a time, with the same transforms however many seconds come.

Uniformly partitioned overlap-save: Gardner 1995, J. Audio Eng. Soc. 43(3) 127. The
transforms lie on the GPS grid of whole seconds, so a second gives the same bits when it
comes alone and when it comes in an array of hundreds.
"""

import numpy as np
import numpy.typing as npt
import scipy.fft

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

BATCH = 16
"""Seconds transformed at once: enough to be fast, few enough to stay in cache."""


def partition(taps: FloatArray, hop: int) -> ComplexArray:
    """Transform a filter in parts of one hop.

    Args:
        taps: [tap].
        hop: Samples of a hop.

    Returns:
        [part, frequency].
    """
    parts = -(-len(taps) // hop)
    padded = np.zeros((parts, 2 * hop))
    padded[:, :hop] = np.pad(taps, (0, parts * hop - len(taps))).reshape(parts, hop)
    return np.asarray(scipy.fft.rfft(padded))


def convolve(strain: FloatArray, filters: list[ComplexArray], hop: int) -> FloatArray:
    """Filter causally, each hop with its own filter.

    Args:
        strain: [time], whole hops: as many before the first output as the filters have
            parts, then one for each output.
        filters: One for each output hop, as ``partition`` gives it.
        hop: Samples of a hop.

    Returns:
        [time], ``len(filters) * hop`` samples.
    """
    parts, count = len(filters[0]), len(filters)
    windows = np.lib.stride_tricks.sliding_window_view(strain, 2 * hop)[::hop]
    out = np.empty((count, hop))
    for first in range(0, count, BATCH):
        last = min(first + BATCH, count)
        # windows[i] ends with hop i + 1; output hop j is strain hop j + parts.
        spectra = scipy.fft.rfft(windows[first : last + parts - 1], axis=1)
        for j in range(first, last):
            newest = j - first + parts - 1
            total = spectra[newest] * filters[j][0]
            for part in range(1, parts):
                total += spectra[newest - part] * filters[j][part]
            out[j] = scipy.fft.irfft(total, 2 * hop)[hop:]
    return out.reshape(-1)
