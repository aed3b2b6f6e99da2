"""Filtering one second at a time, with the same transforms however many seconds come.

Uniformly partitioned overlap-save: Gardner 1995, J. Audio Eng. Soc. 43(3) 127. The
transforms lie on the GPS grid of whole seconds, so a second gives the same bits when it
comes alone and when it comes in an array of hundreds.
"""

import numpy as np
import scipy.fft

from transforms.arrays import ComplexArray, RealArray


def partition(taps: RealArray, hop: int) -> ComplexArray:
    """Transform a filter in parts of one hop.

    Args:
        taps: [tap], float32 or float64.
        hop: Samples of a hop.

    Returns:
        [part, frequency], of the taps' precision.
    """
    parts = -(-len(taps) // hop)
    padded = np.zeros((parts, 2 * hop), taps.dtype)
    padded[:, :hop] = np.pad(taps, (0, parts * hop - len(taps))).reshape(parts, hop)
    return np.asarray(scipy.fft.rfft(padded))


def convolve(strain: RealArray, filters: ComplexArray, hop: int) -> RealArray:
    """Filter causally.

    Args:
        strain: [time], float32 or float64, whole hops: as many as the filter has parts
            before the first output, then one for each output. A few outputs at a time
            stay in cache.
        filters: As ``partition`` gives it, of the strain's precision.
        hop: Samples of a hop.

    Returns:
        [time], a hop for each of the strain's but the first ones.
    """
    parts = len(filters)
    # windows[i] ends with hop i + 1; output hop j is strain hop j + parts.
    windows = np.lib.stride_tricks.sliding_window_view(strain, 2 * hop)[::hop]
    spectra = scipy.fft.rfft(windows, axis=1)
    count = len(spectra) - parts + 1
    total = spectra[parts - 1 :] * filters[0]
    for part in range(1, parts):
        total += spectra[parts - 1 - part :][:count] * filters[part]
    filtered = scipy.fft.irfft(total, 2 * hop, axis=1, overwrite_x=True)
    return np.asarray(filtered[:, hop:].reshape(-1))
