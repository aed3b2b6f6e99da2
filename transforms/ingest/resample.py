"""Resampling to a power of two, on the GPS grid, the same however the data were cut.

Every output sample is one fixed weighted sum of the input samples around its GPS time
(Kaiser-windowed sinc, 136 dB), so a cut changes nothing as long as `margin_ns` of input
lie on both sides. Without that margin there is no output: nothing is ever padded.
"""

from functools import lru_cache
from math import gcd

import numpy as np
from scipy import signal

from transforms import gps
from transforms.arrays import FloatArray

HALF_LENGTH = 256
"""Half of the filter's length [output samples]."""
_KAISER_BETA = 14.0
_ATTENUATION = 136.0
"""Stop band that the window gives [dB]: low-frequency strain is 120 dB over the kHz band,
and its images must stay below that."""


def is_power_of_two(rate: int) -> bool:
    """Return whether a rate [Hz] is a power of two."""
    return rate > 0 and not rate & (rate - 1)


def rate_for(file_rate: int, ceiling: int) -> int:
    """Return the rate [Hz] at which a channel is read: its own, or a power of two below."""
    if is_power_of_two(file_rate):
        return file_rate
    return 1 << (min(file_rate, ceiling).bit_length() - 1)


def margin_ns(rate: int) -> int:
    """Return how much input is needed on each side of the output [ns]."""
    return gps.to_ns(HALF_LENGTH + 2, rate)


def resample(
    samples: FloatArray, first: int, file_rate: int, rate: int, span: tuple[int, int]
) -> FloatArray:
    """Resample strain.

    Args:
        samples: Strain at ``file_rate``, shape [time].
        first: Index of ``samples[0]`` on the GPS grid of ``file_rate``.
        file_rate: [Hz].
        rate: [Hz], below ``file_rate``.
        span: First and last-plus-one index of the output on the GPS grid of ``rate``.

    Returns:
        Strain at ``rate``, shape [time], float64. Flat to about 96 % of its Nyquist
        frequency; above, it falls to nothing.

    Raises:
        ValueError: The samples do not reach ``margin_ns`` beyond the span.
    """
    common = gcd(file_rate, rate)
    up, down = rate // common, file_rate // common
    half = HALF_LENGTH * down
    # Positions on the grid of the common multiple of both rates, from the first input.
    begin = span[0] * down - first * up
    end = (span[1] - 1) * down - first * up
    if begin < half or end + half > (len(samples) - 1) * up:
        raise ValueError("resampling needs more samples on both sides")
    # The filter's peak must fall on a multiple of `down` from the output's grid.
    shift = -(begin + half) % down
    taps = np.concatenate((np.zeros(shift), _taps(up, down, rate)))
    skip = (begin + half + shift) // down
    output = signal.upfirdn(taps, np.asarray(samples, np.float64), up, down)
    result: FloatArray = output[skip : skip + span[1] - span[0]]
    return result


@lru_cache(maxsize=4)
def _taps(up: int, down: int, rate: int) -> FloatArray:
    half = HALF_LENGTH * down
    fine_rate = float(rate) * down
    # Kaiser's estimate of the transition band; it ends at the new Nyquist frequency.
    width = (_ATTENUATION - 7.95) * fine_rate / (2.285 * 2 * np.pi * 2 * half)
    cutoff = rate / 2 - width / 2
    window = ("kaiser", _KAISER_BETA)
    taps: FloatArray = up * signal.firwin(2 * half + 1, cutoff, window=window, fs=fine_rate)
    return taps
