"""The wavelet bank: complex Morlet wavelets of several Q, each octave at its own rate.

A wavelet of quality q at frequency f is exp(-(t/tau)^2 + 2 pi i f t), tau = q / (sqrt(2) pi
f) (Chatterji et al. 2004, doi:10.1088/0264-9381/21/20/024): a Gaussian of amplitude width
f/q in frequency. Each is applied as a Gaussian on a block's spectrum and transformed
back at the lowest rate that holds its band. Blocks lie on the GPS grid, so a second
gives the same tiles when it comes alone and when it comes with hundreds of others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy.signal import firwin

from transforms.detect.config import DetectConfig

FloatArray = npt.NDArray[np.floating]
SingleArray = npt.NDArray[np.float32]

BINS = 32
"""Bins of a second in which energies are averaged for extended signals."""
PAST_SECONDS = 3
"""What of them must be known before the hop in which an extended signal ends."""

CUT = 3.0
"""Half-width of a wavelet's band, in units of f / q; the amplitude there is 1 %."""
SUPPORT = 3.0
"""Half-length of a wavelet, in units of tau; the amplitude there is 1e-4."""
PASSBAND = 0.4
"""Part of an octave's rate that its decimation filter leaves untouched."""
CACHE_SAMPLES = 1 << 13
"""Samples decimated at once, few enough to stay in cache."""
LOWEST_RATE = 128
NYQUIST_PART = 0.84
"""Highest frequency as a part of Nyquist: above, published strain is cut off."""
CACHE_TILES = 1 << 15
"""Tiles transformed at once, few enough to stay in cache."""
HALF_BAND = firwin(51, 0.5, window=("kaiser", 7.857)).astype(np.float32) * np.float32(np.sqrt(2))
"""80 dB beyond 0.6 of the new rate (Kaiser 1974); white noise keeps unit variance."""


def q_ladder(low: float, high: float, mismatch: float) -> list[float]:
    """Space Q so that neighbours lose at most ``mismatch`` of a signal's energy.

    Chatterji 2005 (PhD thesis, MIT), section 5: the metric is dq^2 / (2 q^2), and three
    dimensions share the loss.
    """
    length = np.log(high / low) / np.sqrt(2)
    steps = max(1, int(np.ceil(length / (2 * np.sqrt(mismatch / 3)))))
    return [float(low * np.exp(np.sqrt(2) * length / steps * (i + 0.5))) for i in range(steps)]


def f_ladder(q: float, low: float, high: float, mismatch: float) -> list[float]:
    """Space frequencies [Hz] of one Q as ``q_ladder``; metric (2 + q^2) df^2 / (4 f^2)."""
    length = np.log(high / low) * np.sqrt(2 + q * q) / 2
    steps = max(1, int(np.ceil(length / (2 * np.sqrt(mismatch / 3)))))
    stretch = 2 / np.sqrt(2 + q * q) * length / steps
    return [float(low * np.exp(stretch * (i + 0.5))) for i in range(steps)]


@dataclass(frozen=True)
class Tiles:
    """Tiles over the threshold, as columns: [tile] each."""

    hop: npt.NDArray[np.int64]
    """Which of the blocks handed over."""
    time: FloatArray
    """Centre, refined between samples, from the hop's start [s]."""
    sample: FloatArray
    """Centre as sampled, from the hop's start [s]: in [0, 1) always."""
    frequency: FloatArray
    q: FloatArray
    snr: FloatArray
    phase: FloatArray
    """At ``time`` [rad]."""


@dataclass(frozen=True)
class _Group:
    """Wavelets of one octave that share a length of the inverse transform."""

    length: int
    weight: npt.NDArray[np.float32]
    """[wavelet, length], from each one's lowest frequency up; zero beyond its band."""
    lowest: npt.NDArray[np.int64]
    frequency: FloatArray
    q: FloatArray
    row: npt.NDArray[np.int64]
    """Places of the wavelets in the bank."""


Row = tuple[float, float, int]
"""A wavelet: frequency [Hz], q, and its place in the bank."""


class Octave:
    """All wavelets that one rate carries."""

    def __init__(self, rate: int, rows: list[Row], band_low: float) -> None:
        """Lay out wavelets over blocks of one second."""
        self.rate = rate
        reach = max(SUPPORT * q / (np.sqrt(2) * np.pi * f) for f, q, _ in rows)
        # Circular transforms: a wavelet may run into the next block's copy up to its middle.
        pad = 0.75 * reach + 2 / rate
        need = (1 + 2 * pad) * rate
        size = 1 << int(np.ceil(np.log2(need)))
        sizes = (size * 5 // 8, size * 3 // 4, size * 7 // 8, size)
        self.size = next(n for n in sizes if n >= need)
        self.lead = (self.size - rate) // 2
        self.groups = self._group(rows, band_low)

    def _group(self, rows: list[Row], band_low: float) -> list[_Group]:
        step = self.rate / self.size
        by_length: dict[int, list[tuple[int, FloatArray, Row]]] = {}
        lengths = sorted(n for n in range(4, self.size // 2 + 1) if self.size % n == 0)
        for row in rows:
            f, q, _ = row
            low = max(1, int(np.ceil(band_low / step)), int(np.ceil((f - CUT * f / q) / step)))
            high = min(self.size // 2, int((f + CUT * f / q) / step))
            k = np.arange(low, high + 1)
            weight = np.exp(-(((k * step - f) * q / (np.sqrt(2) * f)) ** 2))
            length = next(n for n in lengths if n >= len(k))
            # Unit white noise in gives a mean of |y|^2 of 2 out.
            weight *= np.sqrt(2 / np.sum(weight**2) / self.size) * length
            by_length.setdefault(length, []).append((low, weight, row))
        return [self._stack(length, members) for length, members in by_length.items()]

    def _stack(self, length: int, rows: list[tuple[int, FloatArray, Row]]) -> _Group:
        weight = np.zeros((len(rows), length), np.float32)
        for i, (_, w, _) in enumerate(rows):
            weight[i, : len(w)] = w
        f, q, place = (np.array([row[i] for _, _, row in rows]) for i in range(3))
        return _Group(length, weight, np.array([r[0] for r in rows]), f, q, place)

    def scan(
        self, blocks: npt.NDArray[np.float32], threshold: float, energy: SingleArray
    ) -> Iterator[Tiles]:
        """Give the tiles over a threshold, and the mean energy of every bin of time.

        Args:
            blocks: [hop, time] whitened strain at this octave's rate, ``lead`` samples
                before each hop and as many after it.
            threshold: Least SNR.
            energy: [hop, row of the bank, bin]; the rows of this octave are written: |y|^2 / 2,
                whose mean is 1 in white noise, averaged over each of ``BINS`` bins.
        """
        spectrum = scipy.fft.rfft(blocks, axis=1)
        for group in self.groups:
            batch = max(1, CACHE_TILES // (group.length * len(blocks)))
            for row in range(0, len(group.weight), batch):
                tiles = self._scan_rows(
                    spectrum, group, (slice(row, row + batch), threshold), energy
                )
                if tiles is not None:
                    yield tiles

    def _scan_rows(
        self,
        spectrum: npt.NDArray[np.complex64],
        group: _Group,
        what: tuple[slice, float],
        means: SingleArray,
    ) -> Tiles | None:
        rows, threshold = what
        weight = group.weight[rows]
        band = np.empty((len(spectrum), *weight.shape), np.complex64)
        for i, low in enumerate(group.lowest[rows]):
            part = spectrum[:, low : low + group.length]
            width = part.shape[1]
            np.multiply(part, weight[i, :width], out=band[:, i, :width])
            band[:, i, width:] = 0
        stride = self.size / group.length
        first = int(np.ceil(self.lead / stride))
        last = int(np.ceil((self.lead + self.rate) / stride))
        # The hop's own samples, and one more on either side to refine the time.
        y = scipy.fft.ifft(band, axis=2, overwrite_x=True)[:, :, first - 1 : last + 1]
        energy = np.square(y.real)
        energy += np.square(y.imag)
        sampled = ((np.arange(first, last) * stride) - self.lead) / self.rate
        means[:, group.row[rows]] = _bin_means(energy[:, :, 1:-1], sampled)
        loud = np.flatnonzero(energy > threshold**2 + 2)
        at = np.unravel_index(loud, energy.shape)
        own = (at[2] > 0) & (at[2] <= last - first)
        if not own.any():
            return None
        at = hop, row, sample = tuple(index[own] for index in at)
        # A Gaussian's logarithm is a parabola: its top from three samples.
        left, middle, right = (np.log(energy[hop, row, sample + i] + 1e-20) for i in (-1, 0, 1))
        curve = np.minimum(left - 2 * middle + right, -1e-6)
        shift = np.clip(0.5 * (left - right) / curve, -0.5, 0.5)
        place = sample + first - 1
        f, q = group.frequency[rows][row], group.q[rows][row]
        lowest = group.lowest[rows][row]
        carrier = 2 * np.pi * ((lowest * place) % group.length) / group.length
        turn = 2 * np.pi * f * shift * stride / self.rate
        phase = np.angle(np.exp(1j * (np.angle(y[at]) + carrier + turn)))
        sampled = (place * stride - self.lead) / self.rate
        refined = sampled + shift * stride / self.rate
        return Tiles(hop, refined, sampled, f, q, np.sqrt(energy[at] - 2), phase)


def _bin_means(energy: SingleArray, sampled: FloatArray) -> SingleArray:
    """Average samples [hop, row, sample] at times [s] of a hop over its bins; halved.

    A bin without a sample of its own takes the nearest one.
    """
    edges = np.searchsorted(sampled, np.arange(BINS + 1) / BINS - 1e-9)
    counts = np.diff(edges)
    if counts.min() > 0:
        sums = np.add.reduceat(energy, edges[:-1], axis=2)
        return np.asarray(sums * (0.5 / counts).astype(np.float32))
    centres = (np.arange(BINS) + 0.5) / BINS
    nearest = np.abs(sampled[:, None] - centres).argmin(axis=0)
    return np.asarray(energy[:, :, nearest] * np.float32(0.5))


def halve(series: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Halve the rate of whitened strain; sample i of the result is sample 2 i.

    Every other tap of a half-band filter is zero, and the rest are symmetric: pairs of
    odd samples are added and weighted, a stretch at a time that stays in cache. Sums of
    whole arrays have one order, so a sample has the same bits in any array.

    Args:
        series: [time], an even number of samples from an even index on.

    Returns:
        [time], unit variance kept; the first and last 13 samples lack neighbours.
    """
    pairs = (len(HALF_BAND) // 2 + 1) // 2
    count = len(series) // 2
    odd = np.pad(series[1::2], pairs)
    out = series[::2] * HALF_BAND[2 * pairs - 1]
    both = np.empty(min(count, CACHE_SAMPLES), np.float32)
    for start in range(0, count, CACHE_SAMPLES):
        part = out[start : start + CACHE_SAMPLES]
        pair, n = both[: len(part)], len(part)
        for k in range(pairs):
            # Sample 2 i has the odd samples i - 1 - k and i + k at distance 2 k + 1.
            near = start + pairs - 1 - k
            np.add(odd[near : near + n], odd[near + 2 * k + 1 :][:n], out=pair)
            pair *= HALF_BAND[2 * pairs - 2 - 2 * k]
            part += pair
    return np.asarray(out)


class Bank:
    """The octaves of one sample rate."""

    def __init__(self, sample_rate: int, config: DetectConfig, band_low: float) -> None:
        """Lay out all wavelets of a configuration.

        Args:
            sample_rate: [Hz].
            config: Detection.
            band_low: Lower end of the whitened band [Hz].
        """
        top = min(config.high_frequency, NYQUIST_PART * sample_rate / 2)
        ladder = [
            (f, q)
            for q in q_ladder(config.low_q, config.high_q, config.mismatch)
            for f in f_ladder(q, config.low_frequency, top, config.mismatch)
        ]
        by_rate: dict[int, list[Row]] = {}
        for place, (f, q) in enumerate(ladder):
            rate = sample_rate
            while rate > LOWEST_RATE and f * (1 + CUT / q) <= PASSBAND * rate / 2:
                rate //= 2
            by_rate.setdefault(rate, []).append((f, q, place))
        self.sample_rate = sample_rate
        self.frequency, self.q = (np.array(column) for column in zip(*ladder, strict=True))
        self.octaves = [Octave(r, rows, band_low) for r, rows in sorted(by_rate.items())[::-1]]

    @property
    def margin_seconds(self) -> int:
        """Say how much whitened strain a search needs around a hop: whole seconds."""
        reach = max(octave.lead / octave.rate for octave in self.octaves)
        halvings = len(HALF_BAND) / min(octave.rate for octave in self.octaves)
        return int(np.ceil(reach + halvings)) + PAST_SECONDS

    def rates(self) -> list[int]:
        """List the sample rates from the highest to the lowest octave [Hz]."""
        lowest = min(octave.rate for octave in self.octaves)
        steps = (self.sample_rate // lowest).bit_length()
        return [self.sample_rate >> i for i in range(steps)]


@lru_cache(maxsize=8)
def bank_for(sample_rate: int, config: DetectConfig, band_low: float) -> Bank:
    """Give the bank of a rate, made once in a process."""
    return Bank(sample_rate, config, band_low)
