"""What was looked at: segments joined across blocks, and how long they last."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

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
    groups: dict[Segment, list[tuple[int, int]]] = defaultdict(list)
    for segment in segments:
        alike = replace(segment, start_ns=0, end_ns=0)
        groups[alike].append((segment.start_ns, segment.end_ns))
    joined = [
        replace(alike, start_ns=start, end_ns=end)
        for alike, spans in groups.items()
        for start, end in _union(spans)
    ]
    return sorted(joined, key=lambda each: tuple(vars(each).values()))


def _union(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    current: tuple[int, int] | None = None
    for start, end in sorted(spans):
        if end <= start:
            continue
        if current is None or start > current[1]:
            if current is not None:
                yield current
            current = (start, end)
        else:
            current = (current[0], max(current[1], end))
    if current is not None:
        yield current


def livetime(segments: Iterable[Segment]) -> dict[str, float]:
    """Return how long each channel was analysed [s]; channels never analysed have 0."""
    total: dict[str, int] = defaultdict(int)
    for segment in coalesce(segments):
        total[segment.channel] += (segment.end_ns - segment.start_ns) * segment.analysed
    return {channel: duration / NANOSECONDS for channel, duration in sorted(total.items())}


def segwizard(segments: Iterable[Segment]) -> str:
    """Return the analysed stretches of one channel in the segwizard format.

    Four columns: number, start, end and duration [s]; gwpy and the LIGO tools read it.
    """
    lines = ["# seg\tstart\tstop\tduration"]
    analysed = [segment for segment in coalesce(segments) if segment.analysed]
    for number, segment in enumerate(analysed):
        times = (segment.start_ns, segment.end_ns, segment.end_ns - segment.start_ns)
        lines.append("\t".join([str(number), *map(_decimal, times)]))
    return "\n".join(lines) + "\n"


def _decimal(time_ns: int) -> str:
    # Exact: a float would lose the last digits.
    seconds, nanoseconds = divmod(time_ns, NANOSECONDS)
    return f"{seconds}.{nanoseconds:09d}"
