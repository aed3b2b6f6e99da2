"""What the bank sees in a block: the loudest tile of each short bin of time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.detect.bank import CUT, Bank, Octave, Tiles, halve
from transforms.detect.config import DetectConfig
from transforms.elements import Candidate, Interval, Whitened
from transforms.gps import NANOSECONDS, to_index, to_ns

FloatArray = npt.NDArray[np.floating]
Series = dict[int, npt.NDArray[np.float32]]

HOPS_AT_ONCE = 64
"""Hops handed to the bank together; any number gives the same tiles."""
MOST_DELAY = 0.15
"""Largest delay of the whitening filter that is corrected for [s]."""
SNIPPET_RATE = 4096
"""Highest rate at which whitened strain is kept with a candidate [Hz]."""


def bins_per_second(config: DetectConfig) -> int:
    """Say how many bins a second has: a power of two, at least two bins to a gap."""
    return 1 << int(np.ceil(np.log2(2 / config.gap_seconds)))


@dataclass(frozen=True)
class _Search:
    """One block under search: its octaves' strain, and where they start."""

    whitened: Whitened
    config: DetectConfig
    bank: Bank
    series: Series
    origin: int
    """GPS second of the first sample."""

    def blocks(self, octave: Octave, hop: int, count: int) -> npt.NDArray[np.float32]:
        """View the strain of ``count`` hops and their surroundings, [hop, time]."""
        strain, rate = self.series[octave.rate], octave.rate
        start = (hop - self.origin) * rate - octave.lead
        view = np.lib.stride_tricks.sliding_window_view(strain[start:], octave.size)
        return view[:: octave.rate][:count]

    def tiles(self, hop: int, count: int) -> Iterator[Tiles]:
        """Give the tiles of some hops, octave by octave."""
        for octave in self.bank.octaves:
            yield from octave.scan(self.blocks(octave, hop, count), self.config.threshold)


def octave_series(whitened: Whitened, bank: Bank) -> Series:
    """Decimate whitened strain to all the rates of a bank.

    Args:
        whitened: Starts on a whole second.
        bank: Of the same sample rate.

    Returns:
        Rate [Hz] -> [time].
    """
    series: Series = {}
    strain = whitened.samples
    for rate in bank.rates():
        if series:
            strain = halve(strain)
        series[rate] = strain
    return series


def search(whitened: Whitened, config: DetectConfig, bank: Bank) -> list[Candidate]:
    """Find what stands out in a block's analysed stretch.

    Args:
        whitened: Holds ``bank.margin_seconds`` around the analysed stretch; zero where it
            is not valid.
        config: Detection.
        bank: For the block's sample rate.

    Returns:
        One candidate for each bin of ``1 / bins_per_second`` that holds a tile over the
        threshold, in order of time.
    """
    series = octave_series(whitened, bank)
    origin = whitened.gps_start_ns // NANOSECONDS
    task = _Search(whitened, config, bank, series, origin)
    start = max(whitened.analyse_start_ns, whitened.valid_start_ns)
    end = min(whitened.analyse_end_ns, whitened.valid_end_ns)
    first, last = start // NANOSECONDS, -(-end // NANOSECONDS)
    found: list[Candidate] = []
    for hop in range(first, last, HOPS_AT_ONCE):
        tiles = list(task.tiles(hop, min(HOPS_AT_ONCE, last - hop)))
        if tiles:
            found.extend(_candidates(task, _join(tiles), hop, (start, end)))
    return found


def _join(parts: list[Tiles]) -> Tiles:
    names = Tiles.__dataclass_fields__
    return Tiles(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _pick(tiles: Tiles, index: npt.NDArray[np.integer | np.bool_]) -> Tiles:
    return Tiles(*(getattr(tiles, name)[index] for name in Tiles.__dataclass_fields__))


def _candidates(
    task: _Search, tiles: Tiles, first_hop: int, stretch: tuple[int, int]
) -> Iterator[Candidate]:
    """Gather tiles into bins and describe each bin."""
    grid = bins_per_second(task.config)
    when = (first_hop + tiles.hop) * NANOSECONDS + (tiles.sample * NANOSECONDS).astype(np.int64)
    inside = (when >= stretch[0]) & (when < stretch[1])
    tiles = _pick(tiles, inside)
    bins = (first_hop + tiles.hop) * grid + np.floor(tiles.sample * grid).astype(np.int64)
    # Within a bin the loudest comes first; frequency and q settle ties alike everywhere.
    order = np.lexsort((tiles.q, tiles.frequency, -tiles.snr, bins))
    tiles, bins = _pick(tiles, order), bins[order]
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    ends = np.append(starts[1:], len(bins))
    loudest_of_hop: dict[int, int] = {}
    for i in starts[np.argsort(-tiles.snr[starts], kind="stable")]:
        loudest_of_hop.setdefault(int(tiles.hop[i]), int(i))
    for i, end in zip(starts, ends, strict=True):
        snippet = loudest_of_hop[int(tiles.hop[i])] == i
        bin_ns = int(bins[i]) * NANOSECONDS // grid
        yield _describe(task, _pick(tiles, np.arange(i, end)), (first_hop, bin_ns), snippet)


def _describe(task: _Search, tiles: Tiles, place: tuple[int, int], with_snippet: bool) -> Candidate:
    """Describe one bin's tiles, the loudest of which comes first.

    The extent of a tile is one standard deviation of its energy either way: tau / 2 in
    time, f / (sqrt(2) q) in frequency.
    """
    first_hop, bin_ns = place
    whitened, grid = task.whitened, bins_per_second(task.config)
    f, q, snr = (float(c[0]) for c in (tiles.frequency, tiles.q, tiles.snr))
    delay = filter_delay(_in_force(whitened, whitened.response_array, bin_ns), whitened, f, q)
    hop_ns = (first_hop + int(tiles.hop[0])) * NANOSECONDS - round(delay * NANOSECONDS)
    time_ns = hop_ns + round(float(tiles.time[0]) * NANOSECONDS)
    half_time = tiles.q / (2 * np.sqrt(2) * np.pi * tiles.frequency)
    half_band = tiles.frequency / (np.sqrt(2) * tiles.q)
    asd = _in_force(whitened, whitened.asd_array, bin_ns)
    grid_hz = np.arange(len(asd)) * whitened.asd_resolution
    snippet = _snippet(task, time_ns) if with_snippet else (b"", 0, 0)
    return Candidate(
        ifo=whitened.ifo,
        channel=whitened.channel,
        bin_ns=bin_ns,
        time_ns=time_ns,
        frequency=f,
        q=q,
        snr=snr,
        phase=float(tiles.phase[0]),
        amplitude=float(snr * np.interp(f, grid_hz, asd) / np.sqrt(2)),
        start_ns=hop_ns + round(float(np.min(tiles.time - half_time)) * NANOSECONDS),
        end_ns=hop_ns + round(float(np.max(tiles.time + half_time)) * NANOSECONDS),
        low_frequency=float(np.min(tiles.frequency - half_band)),
        high_frequency=float(np.max(tiles.frequency + half_band)),
        tiles=len(tiles.snr),
        dq=_dq(whitened.flags, bin_ns, bin_ns + NANOSECONDS // grid),
        snippet=snippet[0],
        snippet_rate=snippet[1],
        snippet_start_ns=snippet[2],
    )


def _in_force(whitened: Whitened, rows: npt.NDArray[Any], time_ns: int) -> npt.NDArray[Any]:
    """Give the row of ``asd`` or ``response`` in force at a time."""
    update = (time_ns - whitened.asd_start_ns) // whitened.asd_step_ns
    row: npt.NDArray[Any] = rows[min(max(update, 0), len(rows) - 1)]
    return row


def filter_delay(
    response: npt.NDArray[np.complex64], whitened: Whitened, frequency: float, q: float
) -> float:
    """Say by how much the whitening filter delays a wavelet [s].

    The time from the wavelet's centre to the top of the envelope that the bank sees of it.

    Args:
        response: [frequency], of the whitening filter.
        whitened: Gives the spacing of the frequencies.
        frequency: Of the wavelet [Hz].
        q: Of the wavelet.
    """
    step = whitened.asd_resolution
    low = max(0, int((frequency - CUT * frequency / q) / step))
    band = response[low : int((frequency + CUT * frequency / q) / step) + 2]
    f = (low + np.arange(len(band))) * step
    weight = np.exp(-(((f - frequency) * q / frequency) ** 2))
    size = 1 << (8 * len(band)).bit_length()
    envelope = np.abs(np.fft.ifft(weight * band, size))
    near = int(MOST_DELAY * step * size)
    lag = np.arange(-near, near + 1)
    return float(lag[np.argmax(envelope[lag])] / (step * size))


def _dq(flags: tuple[Interval, ...], start_ns: int, end_ns: int) -> tuple[str, ...]:
    return tuple(sorted({f.name for f in flags if f.start_ns < end_ns and f.end_ns > start_ns}))


def _snippet(task: _Search, time_ns: int) -> tuple[bytes, int, int]:
    """Cut the whitened strain around a time: bytes, rate, start; zero beyond its ends."""
    rate = min(SNIPPET_RATE, task.bank.sample_rate)
    strain = task.series[rate]
    start = to_index(time_ns, rate) - round(task.config.snippet_before * rate)
    count = round((task.config.snippet_before + task.config.snippet_after) * rate)
    at = start - task.origin * rate
    out = np.zeros(count, np.float32)
    low, high = max(at, 0), min(at + count, len(strain))
    if low < high:
        out[low - at : high - at] = strain[low:high]
    return out.tobytes(), rate, to_ns(start, rate)
