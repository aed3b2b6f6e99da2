"""From what the files hold to what is read: segments, and blocks on the GPS grid.

The plan depends on the strain, not on how it was cut into files: only the paths of the
pieces differ. Segments that are analysed and segments that are not tile the range from
the first sample to the last.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from transforms import gps
from transforms.elements import BlockPlan, DeadLetter, Interval, Piece, Segment, Span
from transforms.ingest import quality, resample
from transforms.ingest.intervals import clipped, merged, tiled
from transforms.kinds import LetterKind, SegmentKind


@dataclass(frozen=True)
class Reach:
    """What a block needs around the stretch that it answers for."""

    past_ns: int
    future_ns: int
    warm_up_ns: int
    """Data at the start of a segment that a block there must hold, as far as there is."""


@dataclass(frozen=True)
class Plan:
    """What becomes of one channel."""

    blocks: tuple[BlockPlan, ...]
    segments: tuple[Segment, ...]
    """Only those that are not analysed."""
    dead_letters: tuple[DeadLetter, ...]


def plan(
    spans: Iterable[Span],
    reach: Reach,
    minimum_ns: int,
    block_ns: int,
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> Plan:
    """Plan the blocks of one channel.

    Args:
        spans: What the files hold of the channel, in any order.
        reach: What a block needs around the stretch it answers for.
        minimum_ns: Shortest contiguous good data that is analysed [ns].
        block_ns: Grid on which segments are cut into blocks [ns of GPS time].
        start_ns: Analyse nothing before; None: from the first sample.
        end_ns: Analyse nothing from here on; None: to the last sample.
    """
    wanted = list(_cut(spans, start_ns, end_ns))
    kept, letters = settle(wanted)
    if not kept:
        return Plan((), (), letters)
    good, bad = _segments(kept, minimum_ns)
    flags = merged(item for span in kept for item in _own(span, span.flags))
    blocks = tuple(
        block for segment in good for block in _blocks(kept, flags, segment, reach, block_ns)
    )
    return Plan(blocks, tuple(bad), letters)


def settle(spans: Iterable[Span]) -> tuple[list[Span], tuple[DeadLetter, ...]]:
    """Choose what is read of one channel: one rate, and every time once, in its order."""
    agreed, odd = _agreed(list(spans))
    kept, covered = _without_overlap(agreed)
    return kept, tuple(sorted((*odd, *covered), key=lambda one: (one.source, one.reason)))


def _cut(spans: Iterable[Span], start_ns: int | None, end_ns: int | None) -> Iterator[Span]:
    """Cut spans to the range asked for, inwards to whole samples."""
    for span in spans:
        begin, end = span.gps_start_ns, span.gps_end_ns
        if start_ns is not None and start_ns > begin:
            begin = _grid_after(start_ns, span.sample_rate)
        if end_ns is not None and end_ns < end:
            end = _grid_before(end_ns, span.sample_rate)
        if begin < end:
            yield replace(span, gps_start_ns=begin, gps_end_ns=end)


def _agreed(spans: Sequence[Span]) -> tuple[list[Span], list[DeadLetter]]:
    """Keep the spans of the rate that most of the time has; the earlier, if two have it."""
    duration: Counter[int] = Counter()
    first: dict[int, int] = {}
    for span in spans:
        rate = span.file_rate or span.sample_rate
        duration[rate] += span.gps_end_ns - span.gps_start_ns
        first[rate] = min(first.get(rate, span.gps_start_ns), span.gps_start_ns)
    if len(duration) < 2:
        return list(spans), []
    best = min(duration, key=lambda rate: (-duration[rate], first[rate], rate))
    kept, letters = [], []
    for span in spans:
        rate = span.file_rate or span.sample_rate
        if rate == best:
            kept.append(span)
        else:
            text = f"{span.channel} has {rate} Hz here and {best} Hz elsewhere"
            reason = f"{span.path}: {text}; analyse it on its own"
            letters.append(DeadLetter(span.path, reason, kind=LetterKind.RATE))
    return kept, letters


def _without_overlap(spans: Iterable[Span]) -> tuple[list[Span], list[DeadLetter]]:
    """Read every time once: from the span that starts first, then the longer one."""
    kept: list[Span] = []
    letters: list[DeadLetter] = []
    for span in sorted(spans, key=lambda span: (span.gps_start_ns, -span.gps_end_ns, span.path)):
        covered = kept[-1].gps_end_ns if kept else span.gps_start_ns
        if span.gps_start_ns >= covered:
            kept.append(span)
            continue
        end = min(span.gps_end_ns, covered)
        stretch = f"{span.channel} {gps.seconds_text(span.gps_start_ns)} to {gps.seconds_text(end)}"
        reason = f"{stretch} is already covered by {kept[-1].path}, not read again"
        letters.append(DeadLetter(span.path, f"{span.path}: {reason}", kind=LetterKind.COVERED))
        if span.gps_end_ns > covered:
            kept.append(replace(span, gps_start_ns=covered))
    return kept, letters


def _segments(spans: Sequence[Span], minimum_ns: int) -> tuple[list[Segment], list[Segment]]:
    """Split the covered range into segments to analyse, and others with their reason."""
    start_ns, end_ns = spans[0].gps_start_ns, spans[-1].gps_end_ns
    bad = [no_data(before.gps_end_ns, after.gps_start_ns) for before, after in pairwise(spans)]
    gaps = [item for span in spans for item in _own(span, span.gaps)]
    bad += quality.settled(gaps, spans[0].sample_rate)
    segments = [
        _judged(spans[0], tile, minimum_ns)
        for outer in tiled(bad, start_ns, end_ns)
        for tile in _without_edges(spans[0], outer)
    ]
    return [item for item in segments if item.analysed], [
        item for item in segments if not item.analysed
    ]


def _without_edges(span: Span, tile: Interval) -> Iterator[Interval]:
    """Take off a good tile what resampling cannot give, so that nothing is ever padded."""
    if tile.name or not span.file_rate:
        yield tile
        return
    margin = resample.margin_ns(span.sample_rate)
    begin = _grid_after(tile.start_ns + margin, span.sample_rate)
    end = _grid_before(tile.end_ns - margin, span.sample_rate)
    if begin >= end:
        yield _lost_to_resampling(tile.start_ns, tile.end_ns)
        return
    yield _lost_to_resampling(tile.start_ns, begin)
    yield Interval(begin, end, "")
    yield _lost_to_resampling(end, tile.end_ns)


def _judged(span: Span, tile: Interval, minimum_ns: int) -> Segment:
    if not tile.name and tile.end_ns - tile.start_ns < minimum_ns:
        return too_short(span.ifo, span.channel, tile, minimum_ns)
    return segment_of(span.ifo, span.channel, tile)


def segment_of(ifo: str, channel: str, tile: Interval) -> Segment:
    """Return the segment of a tile: not analysed where the tile has a name."""
    kind = tile.kind if tile.name else SegmentKind.ANALYSED
    return Segment(ifo, channel, tile.start_ns, tile.end_ns, not tile.name, tile.name, kind)


def too_short(ifo: str, channel: str, stretch: Interval, minimum_ns: int) -> Segment:
    """Return the segment of good data that are too short to be analysed."""
    length, needed = stretch.end_ns - stretch.start_ns, gps.seconds_text(minimum_ns)
    reason = f"too short: {gps.seconds_text(length)} s, {needed} s needed"
    ends = stretch.start_ns, stretch.end_ns
    return Segment(ifo, channel, *ends, False, reason, SegmentKind.TOO_SHORT)


def no_data(start_ns: int, end_ns: int) -> Interval:
    """Return the gap between samples."""
    return Interval(start_ns, end_ns, SegmentKind.NO_DATA.value)


def _lost_to_resampling(start_ns: int, end_ns: int) -> Interval:
    return Interval(start_ns, end_ns, SegmentKind.RESAMPLING.value)


def _blocks(
    spans: Sequence[Span],
    flags: Sequence[Interval],
    segment: Segment,
    reach: Reach,
    block_ns: int,
) -> Iterator[BlockPlan]:
    rate = spans[0].sample_rate
    margin = resample.margin_ns(rate) if spans[0].file_rate else 0
    for number in range(segment.start_ns // block_ns, -(-segment.end_ns // block_ns)):
        analyse = (
            max(segment.start_ns, number * block_ns),
            min(segment.end_ns, (number + 1) * block_ns),
        )
        begin, end = _needed(segment, analyse, reach, rate)
        yield BlockPlan(
            segment.ifo,
            segment.channel,
            rate,
            segment.start_ns,
            segment.end_ns,
            *analyse,
            tuple(_pieces(spans, begin - margin, end + margin)),
            tuple(clipped(flags, begin, end)),
        )


def _needed(segment: Segment, analyse: tuple[int, int], reach: Reach, rate: int) -> tuple[int, int]:
    """Give what a block must hold, in whole samples."""
    begin = max(segment.start_ns, _grid_before(analyse[0] - reach.past_ns, rate))
    end = analyse[1] + reach.future_ns
    if begin == segment.start_ns:
        end = max(end, segment.start_ns + reach.warm_up_ns)
    return begin, min(segment.end_ns, _grid_after(end, rate))


def _pieces(spans: Sequence[Span], start_ns: int, end_ns: int) -> Iterator[Piece]:
    # An observing run has millions of frames: bisect, for every block.
    first = bisect_right(spans, start_ns, key=lambda span: span.gps_end_ns)
    for index in range(first, len(spans)):
        span = spans[index]
        if span.gps_start_ns >= end_ns:
            return
        yield Piece(span.path, max(span.gps_start_ns, start_ns), min(span.gps_end_ns, end_ns))


def _own(span: Span, items: Iterable[Interval]) -> list[Interval]:
    return clipped(items, span.gps_start_ns, span.gps_end_ns)


def _grid_before(time_ns: int, rate: int) -> int:
    """Give the last sample's time that is not after a time [ns]."""
    index = gps.to_index(time_ns, rate)
    return gps.to_ns(index - (gps.to_ns(index, rate) > time_ns), rate)


def _grid_after(time_ns: int, rate: int) -> int:
    """Give the first sample's time that is not before a time [ns]."""
    index = gps.to_index(time_ns, rate)
    return gps.to_ns(index + (gps.to_ns(index, rate) < time_ns), rate)
