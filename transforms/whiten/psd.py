"""Power spectral density of the recent past, on the GPS grid.

Which data a spectrum is made of depends only on the segment and on the absolute time,
never on how the data were handed over; so live and archive use the same spectra.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy.signal import get_window

from transforms.elements import Block, Interval
from transforms.gps import NANOSECONDS, to_index, to_ns
from transforms.whiten.config import WhitenConfig
from transforms.whiten.fir import pre_emphasise

FloatArray = npt.NDArray[np.float64]

LOUD = 2.0
"""A Welch segment with this many times the usual power holds a transient."""


def psd_window(update: int, segment: tuple[int, int], config: WhitenConfig) -> tuple[int, int]:
    """Say which stretch the spectrum of an update is made of.

    The last ``psd_seconds`` before the update comes into force. While the segment has no
    such past, its own first ``psd_seconds`` (or all of it, where it is shorter).

    Args:
        update: Number of the update on the GPS grid: it is in force from
            ``update * update_seconds`` on.
        segment: Start and end of the contiguous data [GPS ns].
        config: Whitening.

    Returns:
        Start and end [GPS ns].
    """
    length = config.psd_seconds * NANOSECONDS
    end = update * config.update_seconds * NANOSECONDS
    start = max(end - length, segment[0])
    return start, min(start + length, segment[1])


@lru_cache(maxsize=8)
def _hann(samples: int, sample_rate: int) -> FloatArray:
    window = get_window("hann", samples)
    return np.asarray(window * np.sqrt(2 / (sample_rate * np.sum(window**2))))


def periodograms(strain: FloatArray, sample_rate: int, fft_seconds: int) -> FloatArray:
    """Give the one-sided periodograms of Hann-windowed, half-overlapping segments.

    Welch 1967, doi:10.1109/TAU.1967.1161901.

    Args:
        strain: [time].
        sample_rate: [Hz].
        fft_seconds: Length of a segment [s].

    Returns:
        [segment, frequency], strain^2/Hz, at a resolution of ``1 / fft_seconds``.

    Raises:
        ValueError: The strain is shorter than one segment.
    """
    n = fft_seconds * sample_rate
    if len(strain) < n:
        raise ValueError(f"{len(strain)} samples are fewer than one segment of {n}")
    cut = np.lib.stride_tricks.sliding_window_view(strain, n)[:: n // 2]
    spectra = scipy.fft.rfft((cut - cut.mean(axis=1, keepdims=True)) * _hann(n, sample_rate))
    power = np.asarray(spectra.real**2 + spectra.imag**2)
    power[:, [0, -1]] /= 2
    return power


def median_bias(segments: int) -> float:
    """Give the expected median of ``segments`` exponential variables of unit mean.

    Allen et al. 2012, arXiv:gr-qc/0509116, appendix B (odd number of segments; the even
    ones lie between their neighbours and use the lower).
    """
    odd = np.arange(1, segments + segments % 2)
    return float(np.sum((-1.0) ** (odd + 1) / odd))


def median_psd(power: FloatArray, quiet: npt.NDArray[np.bool_]) -> tuple[FloatArray, int]:
    """Give the median spectrum of the segments that are quiet and not loud.

    Args:
        power: Periodograms, [segment, frequency].
        quiet: [segment], False for segments under a data-quality flag. They are used
            all the same where fewer than half would be left.

    Returns:
        One-sided PSD [strain^2/Hz], [frequency], and how many segments it was made of.
    """
    kept = power[quiet] if 2 * quiet.sum() >= len(quiet) else power
    middle = np.median(kept, axis=0)
    level = np.mean(kept / np.maximum(middle, np.finfo(float).tiny), axis=1)
    usual = level <= LOUD * np.median(level)
    if not usual.all():
        kept = kept[usual]
        middle = np.median(kept, axis=0)
    return middle / median_bias(len(kept)), len(kept)


def quiet_segments(
    flags: tuple[Interval, ...], bounds: list[tuple[int, int]]
) -> npt.NDArray[np.bool_]:
    """Say which Welch segments lie under no data-quality flag.

    A flag over more than half of them (a hardware injection that lasts for days, say) does
    not tell one from another, and is left out.

    Args:
        flags: Of the block.
        bounds: Start and end of each segment [GPS ns].

    Returns:
        [segment].
    """
    quiet = np.ones(len(bounds), bool)
    for name in {flag.name for flag in flags}:
        own = [flag for flag in flags if flag.name == name]
        under = [any(f.start_ns < end and f.end_ns > start for f in own) for start, end in bounds]
        if 2 * sum(under) <= len(under):
            quiet &= ~np.array(under)
    return quiet


def psd_of_update(block: Block, update: int, config: WhitenConfig) -> tuple[FloatArray, int]:
    """Give the spectrum of the pre-emphasised strain that an update puts into force.

    Args:
        block: Holds the stretch that ``psd_window`` names.
        update: Number of the update on the GPS grid.
        config: Whitening.

    Returns:
        As ``median_psd``.
    """
    rate = block.sample_rate
    start_ns, end_ns = psd_window(update, (block.segment_start_ns, block.segment_end_ns), config)
    start, end = to_index(start_ns, rate), to_index(end_ns, rate)
    first = to_index(block.gps_start_ns, rate)
    strain = pre_emphasise(block.samples[start - first : end - first])
    power = periodograms(strain, rate, config.fft_seconds)
    n = config.fft_seconds * rate
    starts = [start + i * (n // 2) for i in range(len(power))]
    bounds = [(to_ns(s, rate), to_ns(s + n, rate)) for s in starts]
    return median_psd(power, quiet_segments(block.flags, bounds))
