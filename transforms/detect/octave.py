"""One octave of the bank: complex wavelets that share a sample rate.

A wavelet of quality q at frequency f is exp(-(t/tau)^2 + 2 pi i f t), tau = q / (sqrt(2) pi
f) (Chatterji et al. 2004, doi:10.1088/0264-9381/21/20/024): a Gaussian of amplitude width
f/q in frequency. Each is applied as a Gaussian on a block's spectrum and transformed
back at the lowest rate that holds its band. Blocks lie on the GPS grid, so a second
gives the same tiles when it comes alone and when it comes with hundreds of others.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.fft

from transforms.arrays import IntArray, RealArray, SingleArray
from transforms.detect.kernels import summarise, weigh
from transforms.detect.ranking import tile_trials_penalty

BINS = 32
"""Bins of a second in which energies are averaged for extended signals."""
CUT = 2.5
"""Half-width of a wavelet's band, in units of f / q; the amplitude there is 4 %, and
4e-4 of its energy lie beyond."""
SUPPORT = 3.0
"""Half-length of a wavelet, in units of tau; the amplitude there is 1e-4."""
CACHE_TILES = 1 << 15
"""Tiles transformed at once, few enough to stay in cache."""
CLOSER = 1.1
"""How much more energy a closer look may find than the bank's best tile."""
REFINED = 1.22
"""Most that a peak's energy rises between two samples: they lie q / (5 f) apart."""


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """Tiles over the threshold, as columns: [tile] each."""

    hop: IntArray
    """Which of the blocks handed over."""
    time: RealArray
    """Centre, refined between samples, from the hop's start [s]."""
    sample: RealArray
    """Centre as sampled, from the hop's start [s]: in [0, 1) always."""
    frequency: RealArray
    q: RealArray
    snr: RealArray
    rank: RealArray
    """Ranking statistic, see ``trials_penalty``."""
    phase: RealArray
    """At ``time`` [rad]."""


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Wavelets of one octave that share a length of the inverse transform."""

    length: int
    weight: SingleArray
    """[wavelet, length], from each one's lowest frequency up; zero beyond its band."""
    lowest: IntArray
    frequency: RealArray
    q: RealArray
    row: IntArray
    """Places of the wavelets in the bank."""
    trials_penalty: RealArray
    """What the squared rank lacks of the squared SNR."""
    span: tuple[int, int]
    """First and last of a hop's own samples."""
    edges: IntArray
    """[2, bin], as ``_bins`` gives them."""


@dataclass(frozen=True, kw_only=True)
class Wavelet:
    """One wavelet of the bank."""

    frequency: float
    q: float
    row: int
    """Its place in the bank."""


@dataclass(frozen=True, kw_only=True)
class _Band:
    """A wavelet on a block's spectrum."""

    wavelet: Wavelet
    lowest: int
    """Place of its lowest frequency."""
    weight: RealArray
    """[frequency], from ``lowest`` up."""


class Octave:
    """All wavelets that one rate carries."""

    def __init__(self, rate: int, wavelets: list[Wavelet], band_low: float) -> None:
        """Lay out wavelets over blocks of one second."""
        self.rate = rate
        reach = max(SUPPORT * w.q / (np.sqrt(2) * np.pi * w.frequency) for w in wavelets)
        # Circular transforms: a wavelet in the hop may run into what lies before the block by
        # a little of its end, so that less must be waited for.
        before, after = reach + 2 / rate, 0.75 * reach + 2 / rate
        need = (1 + before + after) * rate
        size = 1 << int(np.ceil(np.log2(need)))
        sizes = (size * 9 // 16, size * 5 // 8, size * 3 // 4, size * 7 // 8, size)
        self.size = next(n for n in sizes if n >= need)
        spare = self.size - int(np.ceil(need))
        self.lead = int(np.ceil(before * rate)) + spare // 2
        self.trail = self.size - rate - self.lead
        """Samples of a block before and after its hop."""
        self.step = rate / self.size
        """Spacing of a block's spectrum [Hz]."""
        self._lowest = max(1, int(np.ceil(band_low / self.step)))
        self._wavelets = wavelets

    @cached_property
    def groups(self) -> list[_Group]:
        """Return the wavelets as they are applied; whoever asks for sizes only makes none."""
        return self._group(self._wavelets)

    def band(self, low: float, high: float) -> tuple[int, int]:
        """Return the first and last frequency of a block's spectrum in a band [Hz]."""
        first = max(self._lowest, int(np.ceil(low / self.step)))
        return first, min(self.size // 2, int(high / self.step))

    def _group(self, wavelets: list[Wavelet]) -> list[_Group]:
        by_length: dict[int, list[_Band]] = {}
        lengths = sorted(n for n in range(4, self.size // 2 + 1) if self.size % n == 0)
        for wavelet in wavelets:
            f, q = wavelet.frequency, wavelet.q
            low, high = self.band(f - CUT * f / q, f + CUT * f / q)
            k = np.arange(low, high + 1)
            weight = np.exp(-(((k * self.step - f) * q / (np.sqrt(2) * f)) ** 2))
            # A wavelet that lasts for long needs few samples, but each hop has two.
            length = next(n for n in lengths if n >= max(len(k), 2 * self.size / self.rate))
            # Unit white noise in gives a mean of |y|^2 of 2 out.
            weight *= np.sqrt(2 / np.sum(weight**2) / self.size) * length
            band = _Band(wavelet=wavelet, lowest=low, weight=weight)
            by_length.setdefault(length, []).append(band)
        return [self._stack(length, bands) for length, bands in by_length.items()]

    def _stack(self, length: int, bands: list[_Band]) -> _Group:
        weight = np.zeros((len(bands), length), np.float32)
        for i, band in enumerate(bands):
            weight[i, : len(band.weight)] = band.weight
        frequency = np.array([band.wavelet.frequency for band in bands])
        stride = self.size / length
        first, last = (int(np.ceil((self.lead + end) / stride)) for end in (0, self.rate))
        sampled = (np.arange(first, last) * stride - self.lead) / self.rate
        return _Group(
            length=length,
            weight=weight,
            lowest=np.array([band.lowest for band in bands]),
            frequency=frequency,
            q=np.array([band.wavelet.q for band in bands]),
            row=np.array([band.wavelet.row for band in bands]),
            trials_penalty=tile_trials_penalty(frequency),
            span=(first, last),
            edges=_bins(sampled),
        )

    def scan(self, blocks: SingleArray, threshold: float, energy: SingleArray) -> Iterator[Tiles]:
        """Yield the tiles over a threshold, and the mean energy of every bin of time.

        Args:
            blocks: [hop, time] whitened strain at this octave's rate, ``lead`` samples
                before each hop and ``trail`` after it.
            threshold: Least rank.
            energy: [hop, row of the bank, bin]; the rows of this octave are written: |y|^2 / 2,
                whose mean is 1 in white noise, averaged over each of ``BINS`` bins.
        """
        spectrum = scipy.fft.rfft(blocks, axis=1).view(np.float32)
        for group in self.groups:
            count = max(1, CACHE_TILES // (group.length * len(group.weight)))
            for hop in range(0, len(blocks), count):
                own = slice(hop, hop + count)
                tiles = self._scan_group(spectrum[own], group, threshold, energy[own])
                if tiles is not None:
                    yield replace(tiles, hop=tiles.hop + hop)

    def _scan_group(
        self, spectrum: SingleArray, group: _Group, threshold: float, means: SingleArray
    ) -> Tiles | None:
        """Search some hops with the wavelets of one group."""
        band = np.empty((len(spectrum), len(group.weight), 2 * group.length), np.float32)
        weigh(spectrum, group.weight, group.lowest, band)
        y = scipy.fft.ifft(band.view(np.complex64), axis=2, overwrite_x=True)
        loudest = np.empty(y.shape[:2], np.float32)
        summarise(y.view(np.float32), group.span, group.edges, group.row, means, loudest)
        limit = (threshold**2 + 2 + group.trials_penalty) / CLOSER
        hop, row = np.nonzero(loudest > limit / REFINED)
        if not len(hop):
            return None
        return self._tiles(y[hop, row], group, hop=hop, row=row, limit=limit[row])

    def _tiles(
        self,
        y: npt.NDArray[np.complex64],
        group: _Group,
        *,
        hop: IntArray,
        row: IntArray,
        limit: RealArray,
    ) -> Tiles | None:
        """Return the tiles over a limit of energy in wavelets' series.

        Args:
            y: [series, sample].
            group: Of the wavelets.
            hop: [series], which of the blocks handed over.
            row: [series], place of the wavelet in the group.
            limit: [series].
        """
        first, last = group.span
        around = y[:, first - 1 : last + 1]
        # A Gaussian's logarithm is a parabola: its top from three samples.
        log = np.log(np.square(around.real) + np.square(around.imag) + np.float32(1e-20))
        left, middle, right = log[:, :-2], log[:, 1:-1], log[:, 2:]
        curve = np.minimum(left - 2 * middle + right, np.float32(-1e-6))
        shift = np.clip(0.5 * (left - right) / curve, -0.5, 0.5)
        rise = np.where((middle >= left) & (middle >= right), (left - right) * shift / -4, 0)
        energy = np.exp(middle + np.minimum(rise, np.float32(np.log(REFINED))))
        series, at = np.nonzero(energy > limit[:, None])
        if not len(at):
            return None
        shift, energy = shift[series, at], energy[series, at]
        hop, row, place = hop[series], row[series], at + first
        f, q = group.frequency[row], group.q[row]
        stride = self.size / group.length
        carrier = 2 * np.pi * ((group.lowest[row] * place) % group.length) / group.length
        turn = 2 * np.pi * f * shift * stride / self.rate
        phase = np.angle(np.exp(1j * (np.angle(y[series, place]) + carrier + turn)))
        sampled = (place * stride - self.lead) / self.rate
        refined = sampled + shift * stride / self.rate
        # At the lowest thresholds a tile may hold less energy than noise does in the mean.
        excess = (energy - 2 - less for less in (0, group.trials_penalty[row]))
        snr, rank = (np.sqrt(np.maximum(each, 0)) for each in excess)
        return Tiles(
            hop=hop,
            time=refined,
            sample=sampled,
            frequency=f,
            q=q,
            snr=snr,
            rank=rank,
            phase=phase,
        )


def _bins(sampled: RealArray) -> IntArray:
    """Return the first and last sample of each bin of a hop, [2, bin], at times [s].

    A bin without a sample of its own takes the nearest one.
    """
    edges = np.searchsorted(sampled, np.arange(BINS + 1) / BINS - 1e-9)
    centres = (np.arange(BINS) + 0.5) / BINS
    nearest = np.abs(sampled[:, None] - centres).argmin(axis=0)
    empty = edges[1:] == edges[:-1]
    low, high = np.where(empty, nearest, edges[:-1]), np.where(empty, nearest + 1, edges[1:])
    return np.array([low, high])
