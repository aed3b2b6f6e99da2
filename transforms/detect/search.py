"""What stands out in a block: tiles of the bank, and extended shapes of their energies."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np

from transforms.arrays import SingleArray
from transforms.detect.bank import PAST_SECONDS, Bank, bank_for
from transforms.detect.config import DetectConfig
from transforms.detect.describe import (
    bins_per_second,
    extended_candidates,
    join,
    tile_candidates,
)
from transforms.detect.extended import ExtendedSearch
from transforms.detect.octave import BINS, Tiles
from transforms.detect.view import View
from transforms.elements import Candidate, Whitened
from transforms.gps import NANOSECONDS

__all__ = ["bins_per_second", "extended_for", "search", "warm_up"]


HOPS_AT_ONCE = 128
"""Hops handed to the bank together; any number gives the same candidates."""
HOPS_IN_CACHE = 16
"""Hops whose extended shapes are sought together."""
NOISE_SECONDS = 128
"""White noise from which the distributions of extended shapes are learnt [s]."""
RATE = 4096
"""Of the noise with which a process warms up [Hz]; what it compiles serves any rate."""
LOUDER_THAN_NOISE = 100.0


def search(whitened: Whitened, config: DetectConfig, bank: Bank) -> list[Candidate]:
    """Find what stands out in a block's analysed stretch.

    Args:
        whitened: Holds ``bank.margin_seconds`` around the analysed stretch; zero where it
            is not valid.
        config: Detection.
        bank: For the block's sample rate.

    Returns:
        One candidate for each bin of ``1 / bins_per_second`` that holds a tile over the
        threshold, and one for each of ``1 / BINS`` in which an extended shape over it ends.
    """
    view = View.of(whitened, config, bank)
    start = max(whitened.analyse_start_ns, whitened.valid_start_ns)
    end = min(whitened.analyse_end_ns, whitened.valid_end_ns)
    first, last = start // NANOSECONDS, -(-end // NANOSECONDS)
    candidates: list[Candidate] = []
    shapes = extended_for(bank)
    for hop in range(first, last, HOPS_AT_ONCE):
        tiles, energy = _scan(view, hop, min(HOPS_AT_ONCE, last - hop))
        own_start = max(start, hop * NANOSECONDS)
        if tiles:
            first_hop = hop - PAST_SECONDS
            level = partial(shapes.levels.of_tiles, energy, known=_known(whitened, first_hop))
            stretch = own_start, end
            candidates.extend(tile_candidates(view, join(tiles), first_hop, stretch, level))
        for at, part in _parts(energy):
            known = _known(whitened, hop + at - PAST_SECONDS)
            found = shapes.scan(part, config.threshold, known)
            start_ns = (hop + at) * NANOSECONDS
            candidates.extend(extended_candidates(view, found, start_ns, (own_start, end)))
    return candidates


def _known(whitened: Whitened, hop: int) -> int:
    """Return the first bin after a GPS second of which anything is known."""
    return -(-(whitened.valid_start_ns - hop * NANOSECONDS) * BINS // NANOSECONDS)


def _parts(energy: SingleArray) -> Iterator[tuple[int, SingleArray]]:
    """Cut energies into parts that stay in cache: each with its past, and its first hop."""
    hops = energy.shape[1] // BINS - PAST_SECONDS
    for at in range(0, hops, HOPS_IN_CACHE):
        yield at, energy[:, at * BINS : (at + HOPS_IN_CACHE + PAST_SECONDS) * BINS]


def _scan(view: View, hop: int, count: int) -> tuple[list[Tiles], SingleArray]:
    """Return the tiles of some hops, and the energies [row, bin], from the past on."""
    bank, first, hops = view.bank, hop - PAST_SECONDS, PAST_SECONDS + count
    energy = np.empty((hops, len(bank.q), BINS), np.float32)
    tiles = [
        over
        for octave in bank.octaves
        for over in octave.scan(view.blocks(octave, first, hops), view.config.threshold, energy)
    ]
    return tiles, energy.transpose(1, 0, 2).reshape(len(bank.q), -1)


@lru_cache(maxsize=8)
def extended_for(bank: Bank) -> ExtendedSearch:
    """Return the extended shapes of a bank, made once in a process.

    What they are in noise is learnt from white noise of a fixed seed.
    """
    margin = bank.margin_seconds
    view = View.of(_white(bank.sample_rate, NOISE_SECONDS), DetectConfig(), bank)
    _, energy = _scan(view, margin, NOISE_SECONDS - 2 * margin)
    return ExtendedSearch(bank.frequency, bank.q, energy)


def _white(rate: int, seconds: int) -> Whitened:
    noise = np.random.default_rng(0).standard_normal(seconds * rate, np.float32).tobytes()
    end = seconds * NANOSECONDS
    return Whitened(
        ifo="",
        channel="",
        sample_rate=rate,
        gps_start_ns=0,
        data=noise,
        valid_start_ns=0,
        valid_end_ns=end,
        analyse_start_ns=0,
        analyse_end_ns=end,
        asd=b"",
        asd_start_ns=0,
        asd_step_ns=end,
        asd_resolution=1.0,
        response=b"",
    )


def warm_up(config: DetectConfig, band_low: float) -> None:
    """Search noise, so that all that a search runs is compiled: seconds of processor time.

    Args:
        config: Detection; its bank is made too, for data of 4096 Hz.
        band_low: Lower end of the whitened band [Hz].
    """
    bank = bank_for(RATE, config, band_low)
    first, last = bank.margin_seconds, bank.margin_seconds + 1
    noise = replace(
        _white(RATE, first + last),
        analyse_start_ns=first * NANOSECONDS,
        analyse_end_ns=last * NANOSECONDS,
    )
    # A candidate would ask for a spectrum.
    search(noise, replace(config, threshold=LOUDER_THAN_NOISE), bank)
