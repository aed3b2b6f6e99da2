"""The whitening filter: finite, with a short look ahead and a longer look back.

A short zero-phase filter flattens the broad shape of the spectrum; what it leaves (the
lines, and the walls at the band's ends) is taken out by a minimum-phase filter that
looks only back. Their product has the magnitude 1/ASD, at most ``lookahead_seconds`` of
future, and no dispersion where the spectrum is smooth.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy.ndimage import median_filter, uniform_filter1d
from scipy.signal.windows import parzen

from transforms.arrays import FloatArray
from transforms.whiten.config import WhitenConfig

BROAD_HZ = 16.0
"""Width of the running median that separates the broad shape from the lines [Hz]."""
LEVEL_HZ = (8.0, 32.0)
"""Least and largest width over which the level of the broad shape is averaged [Hz]: a third
of the frequency between them."""
FINE_BINS = 3
"""Width of the running mean with which lines are recognised and followed."""
SIGNIFICANCE = 4.0
"""Excess of the fine over the broad spectrum that makes a line [standard deviations]."""
NOTCH_HZ = 0.5
"""Half-width of a notch at its full depth [Hz]: what a filter of two seconds can resolve."""
SKIRT_HZ = 8.0
"""Largest half-width of a notch [Hz]."""
STOP = 0.1
"""What is left of white noise below the band, in amplitude. A causal filter that stops more
delays more: with nothing left, 20 Hz came 94 ms late, with this 20 ms."""
FLOOR = 1e-12
"""Least PSD as a fraction of the band's median: below it there is only rounding."""
NOTHING = 1e-30
"""Least PSD as a fraction of the variance [1/Hz]: the square of double precision's rounding."""
ROUNDING = 3 * 2.0**-24
"""What transforms in single precision add to every frequency alike, in units of the strain's
standard deviation: 1 to 3 times the rounding, as measured on noise curves and real strain."""
ROUNDED = 1e-4
"""Largest share of the whitened noise's variance that may be rounding, in any octave."""
PRE_EMPHASIS = np.array([-1.0, 2.0, -1.0])
"""Applied before anything else: spectra that fall by many decades stay within the reach of a
Hann window and of double precision. Symmetric, so of zero phase."""


@dataclass(frozen=True, kw_only=True)
class WhiteningFilter:
    """A finite filter and the spectrum that it flattens."""

    taps: FloatArray
    """[tap], for pre-emphasised strain in units of ``level``; with the pre-emphasis, tap 0 acts
    on the sample ``lookahead`` ahead of the output."""
    lookahead: int
    """[samples]."""
    level: float
    """A power of two near the standard deviation of the pre-emphasised noise [strain]."""
    precision: type[np.floating[Any]]
    """What to filter in: float32, at half the cost, where it resolves the noise."""
    asd: FloatArray
    """[frequency], the smoothed spectrum [strain/sqrt(Hz)], resolution 1/fft_seconds."""
    response: npt.NDArray[np.complex64]
    """[frequency], what the filter does to a signal beside dividing it by the broad spectrum:
    lines taken out, and delays near them. Resolution as ``asd``."""


def smooth_psd(psd: FloatArray, resolution: float, segments: int) -> tuple[FloatArray, FloatArray]:
    """Separate the broad shape of a spectrum from its lines.

    Between lines the broad shape is a far better estimate than a single frequency's
    median of few segments; filters made from it keep unit variance.

    Args:
        psd: [frequency], about 1 when summed [1/Hz].
        resolution: Spacing of the frequencies [Hz].
        segments: How many Welch segments the PSD is the median of.

    Returns:
        Broad shape, and the spectrum to whiten with: broad, and fine where lines are.
    """
    psd = np.maximum(psd, FLOOR * np.median(psd) + NOTHING)
    width = 2 * round(BROAD_HZ / resolution / 2) + 1
    # Of the logarithm: the walls at the band's ends fall by decades within the width.
    median = np.log(median_filter(psd, width, mode="nearest"))
    broad = np.exp(uniform_filter1d(median, width // 4))
    fine = uniform_filter1d(psd, FINE_BINS)
    # The median's variance is pi/2 of the mean's (for large numbers); half-overlapping Hann
    # segments are correlated by 1/6 in power, and neighbouring bins of a Hann window by 4/9.
    scatter = np.sqrt(np.pi / 2 / segments * (1 + 1 / 3) * (1 + 8 / 9) / FINE_BINS)
    lines = fine > broad * (1 + SIGNIFICANCE * scatter)
    broad *= _height(psd / broad, ~lines, resolution)
    level = np.where(lines, np.maximum(fine, psd), 0)
    return broad, np.maximum(broad, _with_skirts(level, resolution))


def _height(ratio: FloatArray, known: npt.NDArray[np.bool_], resolution: float) -> FloatArray:
    """Average what a spectrum is of its broad shape, without the lines.

    A running median lies below the mean, and scatters more. 1 where all is lines.
    """
    bins = np.arange(len(ratio))
    half = (np.clip(bins * resolution / 3, *LEVEL_HZ) / resolution / 2).astype(int)
    low, high = np.maximum(bins - half, 0), np.minimum(bins + half + 1, len(bins))
    sums, counts = (
        np.concatenate([[0.0], np.cumsum(column)]) for column in (np.where(known, ratio, 0), known)
    )
    count = counts[high] - counts[low]
    return np.where(count > 0, (sums[high] - sums[low]) / np.maximum(count, 1), 1)


def _with_skirts(level: FloatArray, resolution: float) -> FloatArray:
    """Widen lines as far as a finite filter needs to reach their depth.

    The transform of the filter's smooth end falls as the third power of the distance; a
    notch whose walls rise no faster is filled by nothing from outside.
    """
    wide = level.copy()
    for bins in range(1, round(SKIRT_HZ / resolution) + 1):
        fall = min(1.0, (NOTCH_HZ / (bins * resolution)) ** 6)
        np.maximum(wide[bins:], fall * level[:-bins], out=wide[bins:])
        np.maximum(wide[:-bins], fall * level[bins:], out=wide[:-bins])
    return wide


def _band(frequencies: FloatArray, low: float) -> FloatArray:
    """Return the amplitude of the band: 1 above ``low``, a cosine ramp to the stop level below."""
    ramp = np.clip((frequencies / low - 0.6) / 0.4, 0, 1)
    return np.asarray(STOP + (1 - STOP) * np.sin(np.pi / 2 * ramp) ** 2)


def minimum_phase(magnitude: FloatArray) -> FloatArray:
    """Return the causal impulse response of least delay with a magnitude.

    Homomorphic (cepstral) method: Oppenheim & Schafer, Discrete-Time Signal Processing,
    section 12; the logarithm is floored at -200 dB of the largest value.

    Args:
        magnitude: [frequency], 0 to Nyquist, even number of samples in time.

    Returns:
        [time], twice as many samples as frequencies less two.
    """
    log = np.log(np.maximum(magnitude, 1e-10 * magnitude.max()))
    cepstrum = scipy.fft.irfft(log)
    n = len(cepstrum)
    fold = np.zeros(n)
    fold[0] = fold[n // 2] = 1
    fold[1 : n // 2] = 2
    return np.asarray(scipy.fft.irfft(np.exp(scipy.fft.rfft(cepstrum * fold))))


def _compose(target: FloatArray, broad: FloatArray, sizes: tuple[int, int]) -> FloatArray:
    """Return the taps whose magnitude is ``target``: zero phase ``broad``, causal the rest."""
    ahead, past = sizes
    n = 2 * (len(target) - 1)
    short = scipy.fft.irfft(broad)
    # The Parzen window's transform is nowhere negative, so the magnitude has no zeros.
    window = parzen(2 * ahead + 1)
    kernel = np.zeros(n)
    kernel[: ahead + 1] = short[: ahead + 1] * window[ahead:]
    kernel[-ahead:] = short[-ahead:] * window[:ahead]
    realised = scipy.fft.rfft(kernel).real
    rest = minimum_phase(target / np.maximum(realised, 1e-12 * realised.max()))
    taper = np.ones(past)
    half = past // 2
    taper[-half:] = np.cos(np.pi / 2 * (np.arange(half) + 1) / (half + 1)) ** 2
    rest[:past] *= taper
    rest[past:] = 0
    both = scipy.fft.irfft(scipy.fft.rfft(rest) * realised)
    return np.concatenate([both[-ahead:], both[:past]])


def _precision(smooth: FloatArray, lowest: int) -> type[np.floating[Any]]:
    """Choose single precision where it resolves noise of a spectrum in each octave."""
    octaves = lowest * 2 ** np.arange(max(int(np.log2((len(smooth) - 1) / lowest)), 1))
    rounding = ROUNDING**2 * np.mean(smooth) / smooth
    sums = np.add.reduceat(rounding, octaves)
    share = np.max(sums / np.diff([*octaves, len(smooth)]))
    return np.float32 if share < ROUNDED else np.float64


def _level(psd: FloatArray, resolution: float) -> float:
    """Return a power of two near the standard deviation of noise of a spectrum; 1 of silence."""
    deviation = np.sqrt(np.sum(psd) * resolution)
    return float(np.ldexp(1.0, int(np.frexp(deviation)[1]))) if deviation else 1.0


@dataclass(frozen=True, kw_only=True)
class _Grid:
    """What of a filter's frequencies does not depend on the noise."""

    band: FloatArray
    """[frequency], as ``_band`` gives it."""
    emphasis: FloatArray
    """[frequency], the gain of ``PRE_EMPHASIS``; at 0 Hz that of the next frequency."""
    turn: npt.NDArray[np.complex128]
    """[frequency], takes off the delay of the look ahead."""
    lowest: int
    """Number of the first frequency in the band."""


@lru_cache(maxsize=8)
def _grid(bins: int, sample_rate: int, config: WhitenConfig) -> _Grid:
    frequencies = np.arange(bins, dtype=np.float64) / config.fft_seconds
    gain = 4 * np.sin(np.pi * frequencies / sample_rate) ** 2
    ahead = round(config.lookahead_seconds * sample_rate) - 1
    return _Grid(
        band=_band(frequencies, config.low_frequency),
        emphasis=np.maximum(gain, gain[1]),
        turn=np.exp(2j * np.pi * frequencies * ahead / sample_rate),
        lowest=int(np.searchsorted(frequencies, config.low_frequency)),
    )


def design(
    psd: FloatArray, segments: int, sample_rate: int, config: WhitenConfig
) -> WhiteningFilter:
    """Make the filter that whitens noise of a spectrum to unit variance.

    White noise of one-sided density S has the variance S * sample_rate / 2, so the filter's
    magnitude is sqrt(2 / sample_rate) / ASD above ``low_frequency``.

    Args:
        psd: One-sided PSD of the pre-emphasised strain, [frequency], resolution
            1/fft_seconds.
        segments: How many Welch segments it was made of.
        sample_rate: [Hz].
        config: Whitening.

    Returns:
        Filter of ``past_seconds + lookahead_seconds``, of which the pre-emphasis is a part.
    """
    grid = _grid(len(psd), sample_rate, config)
    level = _level(psd, 1 / config.fft_seconds)
    broad, smooth = smooth_psd(psd / level**2, 1 / config.fft_seconds, segments)
    # One sample less at either end: room for the pre-emphasis.
    sizes = (
        round(config.lookahead_seconds * sample_rate) - 1,
        round(config.past_seconds * sample_rate) - 1,
    )
    scale = np.sqrt(2 / sample_rate)
    wanted = scale * grid.band
    taps = _compose(wanted / np.sqrt(smooth), wanted / np.sqrt(broad), sizes)
    spectrum = scipy.fft.rfft(taps, 2 * (len(psd) - 1))
    white = (spectrum.real**2 + spectrum.imag**2) * smooth / scale**2
    deviation = np.sqrt(np.mean(white[grid.lowest :]))
    response = (spectrum * grid.turn * np.sqrt(broad) / (deviation * scale)).astype(np.complex64)
    asd = level * np.sqrt(smooth) / grid.emphasis
    precision = _precision(smooth, grid.lowest)
    return WhiteningFilter(
        taps=taps / deviation,
        lookahead=sizes[0] + 1,
        level=level,
        precision=precision,
        asd=asd,
        response=response,
    )


def pre_emphasise(strain: FloatArray) -> FloatArray:
    """Apply ``PRE_EMPHASIS``.

    Args:
        strain: [time].

    Returns:
        [time], two samples fewer: one at either end has too few neighbours. Its spectrum is
        the strain's times (4 sin^2(pi f / sample_rate))^2.
    """
    emphasised = 2 * strain[1:-1]
    emphasised -= strain[:-2]
    emphasised -= strain[2:]
    return emphasised
