"""From tiles and shapes to candidates: what stands out in each short bin of time."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from transforms.arrays import BoolArray, FloatArray, IntArray, RealArray
from transforms.detect.config import DetectConfig
from transforms.detect.extended import Extended
from transforms.detect.octave import BINS, Tiles
from transforms.detect.ranking import tile_rank_over
from transforms.detect.refine import Peak, refine
from transforms.detect.view import NO_SNIPPET, View, flags_over
from transforms.elements import TILE, Candidate
from transforms.gps import NANOSECONDS

LevelAt = Callable[[IntArray, IntArray], FloatArray]


def bins_per_second(config: DetectConfig) -> int:
    """Return how many bins a second has: a power of two, at least two bins to a gap."""
    return 1 << int(np.ceil(np.log2(2 / config.gap_seconds)))


def tile_candidates(
    view: View, tiles: Tiles, first_hop: int, stretch: tuple[int, int], level_at: LevelAt
) -> Iterator[Candidate]:
    """Gather the tiles of a stretch into bins and describe each bin.

    Args:
        view: Of the block.
        tiles: All that the bank saw.
        first_hop: GPS second that their hops count from.
        stretch: Start and end [GPS ns].
        level_at: Returns the level of noise around tiles, of the rows and bins that they lie in.
    """
    grid = bins_per_second(view.config)
    when = (first_hop + tiles.hop) * NANOSECONDS + (tiles.sample * NANOSECONDS).astype(np.int64)
    inside = (when >= stretch[0]) & (when < stretch[1])
    if not inside.any():
        return
    tiles = _pick(tiles, inside)
    bins = (first_hop + tiles.hop) * grid + np.floor(tiles.sample * grid).astype(np.int64)
    # Within a bin the loudest comes first; frequency and q settle ties alike everywhere.
    order = np.lexsort((tiles.q, tiles.frequency, -tiles.rank, bins))
    tiles, bins = _pick(tiles, order), bins[order]
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    ends = np.append(starts[1:], len(bins))
    loud = _pick(tiles, starts)
    at = loud.hop * BINS + np.floor(loud.sample * BINS).astype(np.int64)
    level = level_at(view.bank.rows_of(loud.frequency, loud.q), at)
    # A bin louder than its neighbours within the gap may be a trigger's peak.
    rank = tile_rank_over(loud.rank, loud.frequency, level)
    peak = _peaks(bins[starts], rank, grid, view.config.gap_seconds)
    for i, end, is_peak, around in zip(starts, ends, peak, level, strict=True):
        own = _pick(tiles, np.arange(i, end))
        loudest = _closer(view, own, first_hop) if is_peak else _loudest(own)
        if loudest.rank >= view.config.threshold:
            over = tile_rank_over(loudest.rank, loudest.frequency, around)
            loudest = replace(loudest, rank=float(over))
            bin_ns = int(bins[i]) * NANOSECONDS // grid
            hop = first_hop + int(own.hop[0])
            yield _describe(view, own, loudest, hop=hop, bin_ns=bin_ns, with_snippet=bool(is_peak))


def _loudest(tiles: Tiles) -> Peak:
    return Peak(**{name: float(getattr(tiles, name)[0]) for name in Peak.__dataclass_fields__})


def _closer(view: View, tiles: Tiles, first_hop: int) -> Peak:
    """Look closer at the loudest tile of a bin."""
    tile = _loudest(tiles)
    octave = view.bank.octave_of(tile.frequency, tile.q)
    (block,) = view.blocks(octave, first_hop + int(tiles.hop[0]), 1)
    return refine(block, octave, tile, view.bank.spacing(tile.q))


def _peaks(bins: IntArray, loudness: RealArray, grid: int, gap: float) -> BoolArray:
    """Return which bins have no louder one within the gap [s] in the same second."""
    reach = int(gap * grid) + 1
    near = np.abs(bins[:, None] - bins) <= reach
    near &= bins[:, None] // grid == bins // grid
    return np.asarray(loudness >= np.where(near, loudness, 0).max(axis=1, initial=0))


def _describe(
    view: View, tiles: Tiles, loudest: Peak, *, hop: int, bin_ns: int, with_snippet: bool
) -> Candidate:
    """Describe one bin's tiles and what is loudest there.

    The extent of a tile is one standard deviation of its energy either way: tau / 2 in
    time, f / (sqrt(2) q) in frequency.

    Args:
        view: Of the block.
        tiles: Of the bin, the loudest first.
        loudest: That one, as the closer look sees it where there was one.
        hop: GPS second that the tiles' times count from.
        bin_ns: Start of the bin [GPS ns].
        with_snippet: Whether the whitened strain is kept.
    """
    whitened, grid = view.whitened, bins_per_second(view.config)
    f, q = loudest.frequency, loudest.q
    delay = view.delay(bin_ns, f, q)
    hop_ns = hop * NANOSECONDS - round(delay * NANOSECONDS)
    time_ns = hop_ns + round(loudest.time * NANOSECONDS)
    half_time = tiles.q / (2 * np.sqrt(2) * np.pi * tiles.frequency)
    half_band = tiles.frequency / (np.sqrt(2) * tiles.q)
    snippet = view.snippet(time_ns) if with_snippet else NO_SNIPPET
    dq, injections = flags_over(whitened.flags, bin_ns, bin_ns + NANOSECONDS // grid)
    return Candidate(
        ifo=whitened.ifo,
        channel=whitened.channel,
        bin_ns=bin_ns,
        time_ns=time_ns,
        frequency=f,
        q=q,
        snr=loudest.snr,
        rank=loudest.rank,
        phase=loudest.phase,
        amplitude=loudest.snr * view.asd(bin_ns, f) / np.sqrt(2),
        start_ns=hop_ns + round(float(np.min(tiles.time - half_time)) * NANOSECONDS),
        end_ns=hop_ns + round(float(np.max(tiles.time + half_time)) * NANOSECONDS),
        low_frequency=float(np.min(tiles.frequency - half_band)),
        high_frequency=float(np.max(tiles.frequency + half_band)),
        tiles=len(tiles.snr),
        dq=dq,
        injections=injections,
        wavelet=TILE,
        snippet=snippet.samples,
        snippet_rate=snippet.rate,
        snippet_start_ns=snippet.start_ns,
    )


def extended_candidates(
    view: View, shapes: list[Extended], hop_ns: int, stretch: tuple[int, int]
) -> Iterator[Candidate]:
    """Describe the extended shapes that end in a stretch [GPS ns]."""
    bin_ns = NANOSECONDS // BINS
    own = [s for s in shapes if stretch[0] <= hop_ns + s.bin * bin_ns < stretch[1]]
    if not own:
        return
    bins = np.array([shape.bin for shape in own])
    ranks = np.array([shape.rank for shape in own])
    peaks = _peaks(bins, ranks, BINS, view.config.gap_seconds)
    for shape, is_peak in zip(own, peaks, strict=True):
        yield _describe_shape(view, shape, hop_ns + shape.bin * bin_ns, bool(is_peak))


def _describe_shape(view: View, shape: Extended, end_bin_ns: int, with_snippet: bool) -> Candidate:
    """Describe one extended shape; its time is the centre of its energy, it has no phase."""
    bin_ns = NANOSECONDS // BINS
    start = end_bin_ns - shape.first * bin_ns
    end = end_bin_ns + (1 - shape.last) * bin_ns
    time_ns = end_bin_ns + bin_ns // 2 - round(shape.middle * bin_ns)
    frequency = float(np.sqrt(shape.low_frequency * shape.high_frequency))
    snippet = view.snippet(time_ns) if with_snippet else NO_SNIPPET
    dq, injections = flags_over(view.whitened.flags, start, end)
    return Candidate(
        ifo=view.whitened.ifo,
        channel=view.whitened.channel,
        bin_ns=end_bin_ns - shape.last * bin_ns,
        time_ns=time_ns,
        frequency=frequency,
        q=frequency / (shape.high_frequency - shape.low_frequency),
        snr=shape.snr,
        rank=shape.rank,
        phase=0.0,
        amplitude=float(np.sqrt(max(shape.energy, 0) / 2)) * view.asd(end_bin_ns, frequency),
        start_ns=start,
        end_ns=end,
        low_frequency=shape.low_frequency,
        high_frequency=shape.high_frequency,
        tiles=0,
        dq=dq,
        injections=injections,
        wavelet=shape.kind,
        snippet=snippet.samples,
        snippet_rate=snippet.rate,
        snippet_start_ns=snippet.start_ns,
    )


def join(parts: list[Tiles]) -> Tiles:
    """Put lists of tiles together."""
    names = Tiles.__dataclass_fields__
    return Tiles(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    )


def _pick(tiles: Tiles, index: npt.NDArray[np.integer | np.bool_]) -> Tiles:
    return Tiles(**{name: getattr(tiles, name)[index] for name in Tiles.__dataclass_fields__})
