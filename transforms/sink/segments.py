"""What was looked at: segments joined across blocks, and how long they last."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from igwn_segments import segment, segmentlist

from transforms.elements import Segment
from transforms.gps import NANOSECONDS


def coalesce(segments: Iterable[Segment]) -> list[Segment]:
    """Join segments of one channel and one verdict that touch or overlap.

    Args:
        segments: In any order; blocks hand over theirs one by one.

    Returns:
        By detector, channel and time. Stretches that were not analysed join only where
        their reasons are equal. Empty segments vanish.
    """
    groups: dict[Segment, segmentlist] = defaultdict(segmentlist)
    for each in segments:
        if each.start_ns < each.end_ns:
            alike = replace(each, start_ns=0, end_ns=0)
            groups[alike].append(segment(each.start_ns, each.end_ns))
    joined = [
        replace(alike, start_ns=start, end_ns=end)
        for alike, stretches in groups.items()
        for start, end in stretches.coalesce()
    ]
    return sorted(joined, key=lambda each: tuple(vars(each).values()))


def livetime(segments: Iterable[Segment]) -> dict[str, float]:
    """Return how long each channel was analysed [s]; channels never analysed have 0."""
    total: dict[str, int] = defaultdict(int)
    for each in coalesce(segments):
        total[each.channel] += (each.end_ns - each.start_ns) * each.analysed
    return {channel: duration / NANOSECONDS for channel, duration in sorted(total.items())}


def segwizard(segments: Iterable[Segment]) -> str:
    """Return the analysed stretches of one channel in the segwizard format.

    Four columns: number, start, end and duration [s]; gwpy and the LIGO tools read it.
    """
    lines = ["# seg\tstart\tstop\tduration"]
    analysed = [each for each in coalesce(segments) if each.analysed]
    for number, each in enumerate(analysed):
        times = (each.start_ns, each.end_ns, each.end_ns - each.start_ns)
        lines.append("\t".join([str(number), *map(_decimal, times)]))
    return "\n".join(lines) + "\n"


def _decimal(time_ns: int) -> str:
    # Exact: a float would lose the last digits.
    seconds, nanoseconds = divmod(time_ns, NANOSECONDS)
    return f"{seconds}.{nanoseconds:09d}"
