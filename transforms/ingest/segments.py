"""What of a channel is analysed, and what not: segments of tiles."""

from transforms import gps
from transforms.elements import Interval, Segment
from transforms.kinds import SegmentKind


def segment_of(ifo: str, channel: str, tile: Interval) -> Segment:
    """Return the segment of a tile: not analysed where the tile has a name."""
    kind = tile.kind if tile.name else SegmentKind.ANALYSED
    return Segment(
        ifo=ifo,
        channel=channel,
        start_ns=tile.start_ns,
        end_ns=tile.end_ns,
        analysed=not tile.name,
        reason=tile.name,
        kind=kind,
    )


def too_short(ifo: str, channel: str, stretch: Interval, minimum_ns: int) -> Segment:
    """Return the segment of good data that are too short to be analysed."""
    length, needed = stretch.end_ns - stretch.start_ns, gps.seconds_text(minimum_ns)
    reason = f"too short: {gps.seconds_text(length)} s, {needed} s needed"
    return Segment(
        ifo=ifo,
        channel=channel,
        start_ns=stretch.start_ns,
        end_ns=stretch.end_ns,
        analysed=False,
        reason=reason,
        kind=SegmentKind.TOO_SHORT,
    )


def no_data(start_ns: int, end_ns: int) -> Interval:
    """Return the gap between samples."""
    return Interval(start_ns, end_ns, SegmentKind.NO_DATA.value)
