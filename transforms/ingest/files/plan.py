"""From what the files hold to what is read: segments, and blocks on the GPS grid.

The plan depends on the strain, not on how it was cut into files: only the paths of the
pieces differ. Segments that are analysed and segments that are not tile the range from
the first sample to the last.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from transforms import gps
from transforms.elements import BlockPlan, DeadLetter, Interval, Piece, Segment, Span
from transforms.ingest import quality, resample
from transforms.ingest.errors import DataError, letter_of
from transforms.ingest.files.stretches import chosen_rate
from transforms.ingest.intervals import clipped, merged, tiled
from transforms.ingest.reach import Reach
from transforms.ingest.segments import no_data, segment_of, too_short
from transforms.kinds import LetterKind, SegmentKind
from transforms.texts import printable

_FIRST, _LAST = -(1 << 64), 1 << 64
_SPARE = 2 * gps.NANOSECONDS
"""For edges of resampling, and runs of equal samples."""


@dataclass(frozen=True, kw_only=True)
class Within:
    """The times [start, end) that a run reports on."""

    start_ns: int | None = None
    """None: from the first sample on."""
    end_ns: int | None = None
    """None: to the last."""
    context_ns: int = 0
    """How much more is searched on either side, for signals that lie across the ends."""

    @property
    def searched(self) -> tuple[int, int] | None:
        """Return the stretch that is searched, in whole seconds; None: all."""
        if self.start_ns is None and self.end_ns is None:
            return None
        second = gps.NANOSECONDS
        begin = _FIRST if self.start_ns is None else self.start_ns - self.context_ns
        end = _LAST if self.end_ns is None else self.end_ns + self.context_ns
        return begin // second * second, -(-end // second) * second

    def known(self, reach: Reach, minimum_ns: int) -> tuple[int, int] | None:
        """Return the stretch of which every sample counts for the result; None: all.

        Beyond what a block may hold, and what tells whether a segment is too short.
        """
        if self.searched is None:
            return None
        more = reach.past_ns + reach.future_ns + reach.warm_up_ns + minimum_ns + _SPARE
        return self.searched[0] - more, self.searched[1] + more

    def touches(self, start_ns: int, end_ns: int) -> bool:
        """Return whether a run reports on a part of [start, end)."""
        return (self.start_ns is None or end_ns > self.start_ns) and (
            self.end_ns is None or start_ns < self.end_ns
        )

    def holds(self, time_ns: int) -> bool:
        """Return whether a run reports on a time."""
        return (self.start_ns is None or time_ns >= self.start_ns) and (
            self.end_ns is None or time_ns < self.end_ns
        )

    def clipped(self, segments: Iterable[Segment]) -> Iterator[Segment]:
        """Yield the parts of segments that a run reports on."""
        for item in segments:
            start = item.start_ns if self.start_ns is None else max(item.start_ns, self.start_ns)
            end = item.end_ns if self.end_ns is None else min(item.end_ns, self.end_ns)
            if start < end:
                yield replace(item, start_ns=start, end_ns=end)

    def text(self) -> str:
        """Return the range in words."""
        parts = [] if self.start_ns is None else [f"from {gps.seconds_text(self.start_ns)} on"]
        if self.end_ns is not None:
            parts.append(f"before {gps.seconds_text(self.end_ns)}")
        return " and ".join(parts)


EVERYTHING = Within()


@dataclass(frozen=True, kw_only=True)
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
    within: Within = EVERYTHING,
) -> Plan:
    """Plan the blocks of one channel.

    ``within`` restricts what is reported, and not what is known: segments are judged on all
    data, so runs over adjoining ranges find what one run over both finds.

    Args:
        spans: What the files hold of the channel, in any order.
        reach: What a block needs around the stretch it answers for.
        minimum_ns: Shortest contiguous good data that is analysed [ns].
        block_ns: Grid on which segments are cut into blocks [ns of GPS time].
        within: The times that the run reports on.
    """
    kept, letters = settle(spans, within)
    if not kept:
        return Plan(blocks=(), segments=(), dead_letters=letters)
    good, bad = _segments(kept, minimum_ns)
    if not any(within.touches(span.gps_start_ns, span.gps_end_ns) for span in kept):
        return Plan(
            blocks=(),
            segments=tuple(within.clipped(bad)),
            dead_letters=(*letters, _outside(kept, within)),
        )
    flags = merged(item for span in kept for item in _own(span, span.flags))
    blocks = tuple(
        block
        for segment in good
        for block in _blocks(kept, flags, segment, reach, block_ns, within.searched)
    )
    return Plan(blocks=blocks, segments=tuple(within.clipped(bad)), dead_letters=letters)


def settle(
    spans: Iterable[Span], within: Within = EVERYTHING
) -> tuple[list[Span], tuple[DeadLetter, ...]]:
    """Choose the spans to read of one channel: of one rate, each time once, in order.

    Spans that are left out are reported if they lie in the times that the run reports on.
    """
    agreed, odd = _agreed(list(spans), within)
    kept, covered = _without_overlap(agreed, within)
    return kept, tuple(sorted((*odd, *covered), key=lambda one: (one.source, one.reason)))


def _outside(kept: Sequence[Span], within: Within) -> DeadLetter:
    """Return a note that a channel has nothing in the range asked for, and what it has."""
    start_ns, end_ns = kept[0].gps_start_ns, kept[-1].gps_end_ns
    inside = ", with a gap there" if within.touches(start_ns, end_ns) else ""
    reason = (
        f"{kept[0].channel}: nothing {within.text()}; the files hold"
        f" {gps.seconds_text(start_ns)} to {gps.seconds_text(end_ns)}{inside};"
        " change --start or --end"
    )
    return DeadLetter(source=printable(kept[0].path), reason=reason, kind=LetterKind.NOTE)


def _agreed(spans: Sequence[Span], within: Within) -> tuple[list[Span], list[DeadLetter]]:
    """Keep the spans of the rate that most of the time has; the earlier, if two have it."""
    best = chosen_rate((_rate(span), span.gps_start_ns, span.gps_end_ns) for span in spans)
    kept, letters = [], []
    for span in spans:
        rate = _rate(span)
        if rate == best:
            kept.append(span)
        elif within.touches(span.gps_start_ns, span.gps_end_ns):
            text = f"{span.channel} has {rate} Hz here and {best} Hz elsewhere"
            reason = f"{span.path}: {text}; analyse it on its own"
            letters.append(letter_of(span.path, DataError(reason, LetterKind.RATE)))
    return kept, letters


def _rate(span: Span) -> int:
    """Return the rate that a span has in its file [Hz]."""
    return span.file_rate or span.sample_rate


def _without_overlap(spans: Iterable[Span], within: Within) -> tuple[list[Span], list[DeadLetter]]:
    """Read every time once: from the span that starts first, then the longer one."""
    kept: list[Span] = []
    letters: list[DeadLetter] = []
    for span in sorted(spans, key=lambda span: (span.gps_start_ns, -span.gps_end_ns, span.path)):
        covered = kept[-1].gps_end_ns if kept else span.gps_start_ns
        if span.gps_start_ns >= covered:
            kept.append(span)
            continue
        end = min(span.gps_end_ns, covered)
        if within.touches(span.gps_start_ns, end):
            letters.append(_covered(span, end, kept[-1].path))
        if span.gps_end_ns > covered:
            kept.append(replace(span, gps_start_ns=covered))
    return kept, letters


def _covered(span: Span, end_ns: int, by: str) -> DeadLetter:
    stretch = f"{span.channel} {gps.seconds_text(span.gps_start_ns)} to {gps.seconds_text(end_ns)}"
    reason = f"{span.path}: {stretch} is already covered by {by}, not read again"
    return letter_of(span.path, DataError(reason, LetterKind.COVERED))


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
    """Cut off a good tile what resampling loses at its ends, so that nothing is ever padded."""
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


def _lost_to_resampling(start_ns: int, end_ns: int) -> Interval:
    return Interval(start_ns, end_ns, SegmentKind.RESAMPLING.value)


def _blocks(
    spans: Sequence[Span],
    flags: Sequence[Interval],
    segment: Segment,
    reach: Reach,
    block_ns: int,
    searched: tuple[int, int] | None,
) -> Iterator[BlockPlan]:
    rate = spans[0].sample_rate
    margin = resample.margin_ns(rate) if spans[0].file_rate else 0
    first_ns, last_ns = segment.start_ns, segment.end_ns
    if searched is not None:
        first_ns, last_ns = max(first_ns, searched[0]), min(last_ns, searched[1])
    if first_ns >= last_ns:
        return
    for number in range(first_ns // block_ns, -(-last_ns // block_ns)):
        analyse = max(first_ns, number * block_ns), min(last_ns, (number + 1) * block_ns)
        begin, end = _needed(segment, analyse, reach, rate)
        yield BlockPlan(
            ifo=segment.ifo,
            channel=segment.channel,
            sample_rate=rate,
            segment_start_ns=segment.start_ns,
            segment_end_ns=segment.end_ns,
            analyse_start_ns=analyse[0],
            analyse_end_ns=analyse[1],
            pieces=tuple(_pieces(spans, begin - margin, end + margin)),
            flags=tuple(clipped(flags, begin, end)),
        )


def _needed(segment: Segment, analyse: tuple[int, int], reach: Reach, rate: int) -> tuple[int, int]:
    """Return what a block must hold, in whole samples."""
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
        yield Piece(
            path=span.path,
            start_ns=max(span.gps_start_ns, start_ns),
            end_ns=min(span.gps_end_ns, end_ns),
        )


def _own(span: Span, items: Iterable[Interval]) -> list[Interval]:
    return clipped(items, span.gps_start_ns, span.gps_end_ns)


def _grid_before(time_ns: int, rate: int) -> int:
    """Return the last sample's time that is not after a time [ns]."""
    index = gps.to_index(time_ns, rate)
    return gps.to_ns(index - (gps.to_ns(index, rate) > time_ns), rate)


def _grid_after(time_ns: int, rate: int) -> int:
    """Return the first sample's time that is not before a time [ns]."""
    index = gps.to_index(time_ns, rate)
    return gps.to_ns(index + (gps.to_ns(index, rate) < time_ns), rate)
