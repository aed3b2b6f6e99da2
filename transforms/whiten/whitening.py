"""White noise out of strain: each second filtered with the spectrum in force there.

The output of hop ``j`` covers the second that ends ``lookahead`` before the strain's own
hop ``j`` does: a live second of strain is whitened the moment it has come.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import oaconvolve

from transforms.arrays import FloatArray, RealArray, SingleArray
from transforms.elements import Block, Whitened
from transforms.gps import NANOSECONDS, to_index, to_ns
from transforms.whiten.config import WhitenConfig
from transforms.whiten.convolve import convolve, partition
from transforms.whiten.filter_cache import FilterCache
from transforms.whiten.fir import PRE_EMPHASIS, WhiteningFilter, design, pre_emphasise
from transforms.whiten.psd import Spectra, comes_into_force, in_force

BATCH = 16
"""Hops filtered at once: enough to be fast, few enough to stay in cache."""
LOUDEST = 2.0**40
"""Where pre-emphasised strain is cut off, in units of its noise: far beyond any signal, and
what a filter makes of it is far from the largest number of single precision."""
LOUDEST_STRAIN = 2.0**80
"""The same of strain as it comes, which is filtered in double precision: it may lie far from 0."""
LOUDEST_WHITE = 2.0**20
"""Where white noise is cut off, in units of its standard deviation: ten times the loudest glitch,
and the squares of sums of its energies, which detection makes, hold in single precision."""


def past_needed(config: WhitenConfig, margin_ns: int) -> int:
    """Return how much strain before the analysed stretch a block must hold [ns].

    The filter's past, the past of the oldest spectrum in force there, and two whole hops
    for the grid.
    """
    seconds = config.psd_seconds + config.update_seconds + config.past_seconds + 2
    return margin_ns + round(seconds * NANOSECONDS)


def future_needed(config: WhitenConfig, margin_ns: int) -> int:
    """Return how much strain after the analysed stretch a block must hold [ns]."""
    return margin_ns + 2 * NANOSECONDS


def valid_range(segment: tuple[int, int], config: WhitenConfig) -> tuple[int, int]:
    """Return where in a segment the whitened strain is valid [GPS ns].

    All of it but ``lookahead_seconds`` at either end: the first seconds, which have no
    past, are filtered backwards in time.
    """
    edge = round(config.lookahead_seconds * NANOSECONDS)
    return segment[0] + edge, segment[1] - edge


@dataclass(frozen=True)
class _Prepared:
    """A filter, and the same in parts and in its own precision."""

    filter: WhiteningFilter
    parts: npt.NDArray[np.complexfloating[Any, Any]]

    @property
    def nbytes(self) -> int:
        """Return how much it holds [bytes]."""
        made = self.filter
        return sum(array.nbytes for array in (self.parts, made.taps, made.asd, made.response))


def _remembered() -> FilterCache[_Prepared]:
    return FilterCache(size=lambda made: made.nbytes)


_PREPARED = _remembered()


@dataclass
class _Filters:
    """The filters of a block's updates, each made once."""

    block: Block
    config: WhitenConfig

    def __post_init__(self) -> None:
        self._psd = Spectra(self.block, self.config)
        self._made: dict[int, _Prepared] = {}

    def of_update(self, update: int) -> WhiteningFilter:
        """Return the filter that an update puts into force."""
        return self._of(update).filter

    def parts_of_update(self, update: int) -> npt.NDArray[np.complexfloating[Any, Any]]:
        """Return the filter that an update puts into force, in parts and in its precision."""
        return self._of(update).parts

    def _of(self, update: int) -> _Prepared:
        if update not in self._made:
            strain, quiet = self._psd.past_of(update)
            rest = self.block.sample_rate, self.config, quiet.tobytes()
            prepare = partial(self._prepare, update, quiet)
            self._made[update] = _PREPARED.of(self.block.channel, strain, rest, prepare)
        return self._made[update]

    def _prepare(self, update: int, quiet: npt.NDArray[np.bool_]) -> _Prepared:
        rate = self.block.sample_rate
        made = design(*self._psd.of_update(update, quiet), rate, self.config)
        return _Prepared(made, partition(made.taps.astype(made.precision), rate))

    def runs(self, first_hop: int, last_hop: int) -> Iterator[tuple[int, int, int]]:
        """Cut hops [first, last) into batches of one filter: start, end, and its update."""
        while first_hop < last_hop:
            update = in_force(first_hop * NANOSECONDS, self.config)
            until = comes_into_force(update + 1, self.config) // NANOSECONDS
            end = min(last_hop, first_hop + BATCH, until)
            yield first_hop, end, update
            first_hop = end


def _steady(filters: _Filters, first_hop: int, last_hop: int) -> SingleArray:
    """Filter whole hops [first, last) whose past lies in the segment."""
    rate = filters.block.sample_rate
    out = np.empty((last_hop - first_hop) * rate, np.float32)
    for start, end, update in filters.runs(first_hop, last_hop):
        made, parts = filters.of_update(update), filters.parts_of_update(update)
        strain = _emphasised(filters.block, (start - len(parts), end), made)
        at = (start - first_hop) * rate
        out[at : at + (end - start) * rate] = convolve(strain, parts, rate)
    return out


def _emphasised(block: Block, hops: tuple[int, int], made: WhiteningFilter) -> RealArray:
    """Return whole hops of pre-emphasised strain in a filter's level and precision.

    It lies one sample behind the strain. 0 where there is none.
    """
    rate = block.sample_rate
    origin = to_index(block.gps_start_ns, rate)
    first, last = (hop * rate - origin for hop in hops)
    begin = max(first - 2, 0)
    known = pre_emphasise(block.samples[begin:last])
    # Before it is divided: noise may be as small as numbers get.
    np.clip(known, -LOUDEST * made.level, LOUDEST * made.level, out=known)
    known /= made.level
    out = np.zeros(last - first, made.precision)
    out[begin + 2 - first :][: len(known)] = known
    return out


def _head(filters: _Filters, end: int) -> FloatArray:
    """Filter the segment's first samples, up to index ``end``, backwards in time.

    The mirrored filter has the same magnitude, a short past and a long future; at a
    segment's start the future is at hand, because the first spectrum needed it.
    """
    block, rate = filters.block, filters.block.sample_rate
    start = to_index(block.segment_start_ns, rate)
    made = filters.of_update(in_force(block.segment_start_ns, filters.config))
    taps = np.convolve(made.taps, PRE_EMPHASIS)
    reach = len(taps) - made.lookahead
    limit = LOUDEST_STRAIN * made.level
    strain = np.clip(block.samples[: end - start + reach][::-1], -limit, limit)
    white = oaconvolve(strain / made.level, taps)[made.lookahead :][: len(strain)]
    return np.asarray(white[::-1][: end - start])


def whiten(block: Block, config: WhitenConfig, margin_ns: int) -> Whitened:
    """Whiten a block to unit variance.

    Args:
        block: Holds ``past_needed`` and ``future_needed`` around the analysed stretch,
            where its segment does.
        config: Whitening.
        margin_ns: How much whitened strain is wanted around the analysed stretch [ns].

    Returns:
        Whitened strain, zero outside its ``valid`` range; never NaN.
    """
    rate = block.sample_rate
    filters = _Filters(block, config)
    hops = (
        (block.analyse_start_ns - margin_ns) // NANOSECONDS,
        -(-(block.analyse_end_ns + margin_ns) // NANOSECONDS),
    )
    segment = (block.segment_start_ns, block.segment_end_ns)
    low, high = (to_index(t, rate) for t in valid_range(segment, config))
    out, origin = _filtered(filters, hops, (low, high)), hops[0] * rate
    np.clip(out, -LOUDEST_WHITE, LOUDEST_WHITE, out=out)
    out[: max(low - origin, 0)] = 0
    out[max(high - origin, 0) :] = 0
    asd, response, first_update = _spectra(filters, block)
    return Whitened(
        ifo=block.ifo,
        channel=block.channel,
        sample_rate=rate,
        gps_start_ns=to_ns(origin, rate),
        data=out.tobytes(),
        valid_start_ns=to_ns(max(low, origin), rate),
        valid_end_ns=to_ns(min(high, origin + len(out)), rate),
        analyse_start_ns=block.analyse_start_ns,
        analyse_end_ns=block.analyse_end_ns,
        asd=asd.tobytes(),
        asd_start_ns=comes_into_force(first_update, config),
        asd_step_ns=config.update_seconds * NANOSECONDS,
        asd_resolution=1 / config.fft_seconds,
        response=response.tobytes(),
        flags=block.flags,
        arrived_ns=block.arrived_ns,
    )


def _filtered(filters: _Filters, hops: tuple[int, int], valid: tuple[int, int]) -> SingleArray:
    """Filter the hops [first, last) as far as samples are valid, from the index to the index."""
    block, config, rate = filters.block, filters.config, filters.block.sample_rate
    lookahead = round(config.lookahead_seconds * rate)
    past = round(config.past_seconds * rate)
    start, (want_start, want_end) = to_index(block.segment_start_ns, rate), hops
    # The first hop all of whose filter lies inside the segment.
    steady = -(-(start + past + lookahead) // rate) + 1
    first = max(want_start, steady)
    # Beyond the hop in which the valid range ends there is nothing to know.
    last = max(min(want_end + 1, -(-(valid[1] + lookahead) // rate)), first)
    out = np.zeros((want_end - want_start) * rate, np.float32)
    origin = want_start * rate
    if want_start < steady:
        _place(out, _head(filters, min(steady * rate - lookahead, valid[1])), start - origin)
    if first < last:
        _place(out, _steady(filters, first, last), first * rate - lookahead - origin)
    return out


def _place(out: npt.NDArray[np.float32], samples: FloatArray | SingleArray, at: int) -> None:
    """Write samples into ``out`` from index ``at`` on, as far as they fit."""
    start, end = max(at, 0), min(at + len(samples), len(out))
    if start < end:
        out[start:end] = samples[start - at : end - at]


def _spectra(
    filters: _Filters, block: Block
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.complex64], int]:
    """Return spectra and responses over the analysed stretch, and the first's number."""
    times = block.analyse_start_ns, block.analyse_end_ns - 1
    first, last = (in_force(time, filters.config) for time in times)
    made = [filters.of_update(update) for update in range(first, last + 1)]
    return np.array([f.asd for f in made], np.float32), np.array([f.response for f in made]), first
