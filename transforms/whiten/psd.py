"""Power spectral density of the recent past, on the GPS grid.

Which data a spectrum is made of depends only on the segment and on the absolute time,
never on how the data were handed over; so live and archive use the same spectra.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy.signal import get_window

from transforms.arrays import FloatArray
from transforms.elements import Block, Interval
from transforms.gps import NANOSECONDS, to_index, to_ns
from transforms.whiten.config import WhitenConfig
from transforms.whiten.fir import pre_emphasise

SILENCE = 1e-12
"""Least PSD as a fraction of the mean over all segments."""
LOUD = 2.0
"""A Welch segment with this many times the usual power holds a transient."""
BATCH = 2
"""Segments transformed at once: enough to be fast, few enough to stay in cache."""
BAND = 1024
"""Frequencies ranked at once, to stay in cache."""


def comes_into_force(update: int, config: WhitenConfig) -> int:
    """Return the time from which on an update is in force [GPS ns]."""
    return update * config.update_seconds * NANOSECONDS


def in_force(gps_ns: int, config: WhitenConfig) -> int:
    """Return the number of the update in force at a GPS time [ns]."""
    return gps_ns // (config.update_seconds * NANOSECONDS)


def psd_window(update: int, segment: tuple[int, int], config: WhitenConfig) -> tuple[int, int]:
    """Return which stretch the spectrum of an update is made of.

    The last ``psd_seconds`` before the update comes into force. While the segment has no
    such past, its own first ``psd_seconds`` (or all of it, where it is shorter).

    Args:
        update: Number of the update on the GPS grid.
        segment: Start and end of the contiguous data [GPS ns].
        config: Whitening.

    Returns:
        Start and end [GPS ns].
    """
    length = config.psd_seconds * NANOSECONDS
    end = comes_into_force(update, config)
    start = max(end - length, segment[0])
    return start, min(start + length, segment[1])


@lru_cache(maxsize=8)
def _hann(samples: int, sample_rate: int) -> FloatArray:
    """Return a Hann window's inner samples, scaled for ``periodograms``."""
    window = get_window("hann", samples)
    return np.asarray(window * np.sqrt(2 / (sample_rate * np.sum(window**2))))[1:-1]


def periodograms(strain: FloatArray, sample_rate: int, fft_seconds: int) -> FloatArray:
    """Return the one-sided periodograms of Hann-windowed, half-overlapping segments.

    Welch 1967, doi:10.1109/TAU.1967.1161901. A segment depends on its own samples only: its
    first and last have no pre-emphasis and do not enter (Hann gives them 0 and 4e-8 or less).

    Args:
        strain: [time].
        sample_rate: [Hz].
        fft_seconds: Length of a segment [s].

    Returns:
        [segment, frequency], strain^2/Hz times the pre-emphasis, at a resolution of
        ``1 / fft_seconds``.

    Raises:
        ValueError: The strain is shorter than one segment.
    """
    n = fft_seconds * sample_rate
    if len(strain) < n:
        raise ValueError(f"{len(strain)} samples are fewer than one segment of {n}")
    cut = np.lib.stride_tricks.sliding_window_view(strain, n)[:: n // 2]
    power = np.empty((len(cut), n // 2 + 1))
    tapered = np.zeros((min(BATCH, len(cut)), n))
    for first in range(0, len(cut), BATCH):
        batch = cut[first : first + BATCH]
        for row, segment in zip(tapered, batch, strict=False):
            np.multiply(pre_emphasise(segment), _hann(n, sample_rate), out=row[1:-1])
        spectra = scipy.fft.rfft(tapered[: len(batch)], axis=1)
        np.add(spectra.real**2, spectra.imag**2, out=power[first : first + BATCH])
    power[:, [0, -1]] /= 2
    return power


def median_bias(segments: int) -> float:
    """Return the expected median of ``segments`` exponential variables of unit mean.

    Allen et al. 2012, arXiv:gr-qc/0509116, appendix B (odd number of segments; the even
    ones lie between their neighbours and use the lower).
    """
    odd = np.arange(1, segments + segments % 2)
    return float(np.sum((-1.0) ** (odd + 1) / odd))


def _median(power: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the median over segments [frequency], and each segment's mean ratio to it [segment].

    A band at a time, to stay in cache, and by sorting: numpy sorts short contiguous rows with
    vector instructions, but does not select two ranks of them so.
    """
    segments, bins = power.shape
    middle, total = np.empty(bins), np.zeros(segments)
    half = segments // 2
    for first in range(0, bins, BAND):
        band = power[:, first : first + BAND]
        ranked = np.ascontiguousarray(band.T)
        ranked.sort(axis=1)
        own = middle[first : first + BAND]
        ranked[:, half - 1 + segments % 2 : half + 1].mean(axis=1, out=own)
        with np.errstate(over="ignore"):  # a signal in silence is as loud as can be
            total += np.sum(band * (1 / np.maximum(own, np.finfo(float).tiny)), axis=1)
    return middle, total / bins


def median_psd(power: FloatArray, quiet: npt.NDArray[np.bool_]) -> tuple[FloatArray, int]:
    """Return the median spectrum of the segments that are quiet and not loud.

    Args:
        power: Periodograms, [segment, frequency].
        quiet: [segment], False for segments under a data-quality flag. They are used
            all the same where fewer than half would be left.

    Returns:
        One-sided PSD [strain^2/Hz], [frequency], and how many segments it was made of.
    """
    kept = power if quiet.all() or 2 * quiet.sum() < len(quiet) else power[quiet]
    middle, level = _median(kept)
    usual = level <= LOUD * np.median(level)
    if not usual.all():
        kept = kept[usual]
        middle, _ = _median(kept)
    # Where most of the past is silent the median is nothing, and nothing cannot be divided by.
    floor = SILENCE * power.mean(axis=0)
    return np.maximum(middle / median_bias(len(kept)), floor), len(kept)


def quiet_segments(
    flags: tuple[Interval, ...], bounds: list[tuple[int, int]]
) -> npt.NDArray[np.bool_]:
    """Return which Welch segments lie under no data-quality flag.

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


class Spectra:
    """The spectra of one block's updates, to be asked for in the order of time.

    Where one update's past overlaps the next one's, a periodogram is made once.
    """

    def __init__(self, block: Block, config: WhitenConfig) -> None:
        """Hold a block that has the stretches which ``psd_window`` names."""
        self._block, self._config = block, config
        self._last: dict[int, FloatArray] = {}

    def past_of(self, update: int) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Return the strain that an update's spectrum is made of, and its quiet segments."""
        rate, starts = self._block.sample_rate, self._starts(update)
        n = self._config.fft_seconds * rate
        origin = to_index(self._block.gps_start_ns, rate)
        bounds = [(to_ns(at, rate), to_ns(at + n, rate)) for at in starts]
        strain = self._block.samples[starts[0] - origin : starts[-1] + n - origin]
        return strain, quiet_segments(self._block.flags, bounds)

    def of_update(self, update: int, quiet: npt.NDArray[np.bool_]) -> tuple[FloatArray, int]:
        """Return the spectrum of the pre-emphasised strain that an update puts into force.

        Returns:
            As ``median_psd``.
        """
        n = self._config.fft_seconds * self._block.sample_rate
        return median_psd(self._periodograms(self._starts(update), n), quiet)

    def _starts(self, update: int) -> range:
        """Return the first samples of the Welch segments of an update."""
        block, rate = self._block, self._block.sample_rate
        segment = (block.segment_start_ns, block.segment_end_ns)
        start, end = (to_index(t, rate) for t in psd_window(update, segment, self._config))
        n = self._config.fft_seconds * rate
        return range(start, end - n + 1, n // 2)

    def _periodograms(self, starts: range, n: int) -> FloatArray:
        rate = self._block.sample_rate
        origin = to_index(self._block.gps_start_ns, rate)
        # The rest is given back before its place is needed.
        known = self._last = {at: self._last[at] for at in starts if at in self._last}
        missing = [at for at in starts if at not in known]
        made = np.empty((0, n // 2 + 1))
        if missing:
            strain = self._block.samples[missing[0] - origin : missing[-1] + n - origin]
            made = periodograms(strain, rate, self._config.fft_seconds)
        if known:
            made = np.array([*known.values(), *made])
        self._last = dict(zip(starts, made, strict=True))
        return made
