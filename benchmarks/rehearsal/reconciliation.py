"""Where every frame is in the end: analysed, in a gap, a dead letter, or lost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.rehearsal.deliveries import DAMAGED, DROPPED, Delivery
from transforms.elements import Interval, Segment
from transforms.ingest.intervals import clipped
from transforms.sink.segments import coalesce


@dataclass(frozen=True)
class Frames:
    """How many frames went where; but for ``dropped``, of those that were sent."""

    sent: int
    dropped: int
    """Never sent, on purpose."""
    damaged: int
    """Sent with wrong bytes, on purpose."""
    received: int
    """Of which the job has said what became of them."""
    analysed: int
    gap: int
    """In a segment that says why they were not analysed."""
    dead_lettered: int
    lost: int
    """Of which the job says nothing."""
    corrupted: int
    """Damaged, and taken for good."""
    unsaid: int
    """Seconds never sent, of which no segment says that they lack."""


def account(
    deliveries: Sequence[Delivery], segments: Iterable[Segment], sources: Iterable[str]
) -> Frames:
    """Return where every frame is.

    Args:
        deliveries: What was sent.
        segments: What the job has published.
        sources: Messages that became dead letters, as ``topic/partition/offset``.
    """
    letters, covered = set(sources), _Covered(segments)
    where = {"analysed": 0, "gap": 0, "dead_lettered": 0, "lost": 0, "corrupted": 0}
    sent = [one for one in deliveries if one.sent]
    for one in sent:
        if one.sources & letters:
            # A copy that came too late takes nothing from the first.
            place = "dead_lettered"
        elif one.fault == DAMAGED:
            place = "corrupted"
        else:
            place = covered.place(one)
        where[place] += 1
    dropped = [one for one in deliveries if one.fault == DROPPED]
    return Frames(
        sent=len(sent),
        dropped=len(dropped),
        damaged=sum(one.fault == DAMAGED for one in sent),
        received=len(sent) - where["lost"],
        unsaid=sum(covered.is_unsaid(one) for one in dropped),
        **where,
    )


class _Covered:
    """What segments say of each channel."""

    def __init__(self, segments: Iterable[Segment]) -> None:
        self._analysed: dict[str, list[Interval]] = {}
        self._all: dict[str, list[Interval]] = {}
        for one in coalesce(segments):
            self._add(self._all, one)
            if one.analysed:
                self._add(self._analysed, one)

    def place(self, frame: Delivery) -> str:
        """Return where a frame is."""
        span = frame.start_ns, frame.end_ns
        if _covers(self._analysed.get(frame.channel, []), *span):
            return "analysed"
        return "gap" if _covers(self._all.get(frame.channel, []), *span) else "lost"

    def is_unsaid(self, frame: Delivery) -> bool:
        """Return whether no segment covers a time between those that are."""
        known = self._all.get(frame.channel, [])
        inside = bool(known) and (
            min(one.start_ns for one in known) < frame.start_ns
            and frame.end_ns < max(one.end_ns for one in known)
        )
        return inside and not _covers(known, frame.start_ns, frame.end_ns)

    @staticmethod
    def _add(into: dict[str, list[Interval]], one: Segment) -> None:
        into.setdefault(one.channel, []).append(Interval(one.start_ns, one.end_ns, ""))


def _covers(known: Sequence[Interval], start_ns: int, end_ns: int) -> bool:
    at = start_ns
    for one in sorted(clipped(known, start_ns, end_ns), key=lambda item: item.start_ns):
        if one.start_ns > at:
            return False
        at = max(at, one.end_ns)
    return at >= end_ns
