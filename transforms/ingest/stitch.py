"""One channel's frames put in order: contiguous strain, gaps, and blocks as far as they can go.

What is given depends on the frames alone, not on when they came: a second is analysed once
the next one is there, as its candidates depend on less than a second of what follows. The
blocks are those that the archive's plan makes of the same strain, cut into seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from transforms.elements import Block, DeadLetter, Frame, Interval, Segment
from transforms.gps import NANOSECONDS, to_index, to_ns
from transforms.ingest import quality
from transforms.ingest.head import Head
from transforms.ingest.intervals import clipped, merged, tiled
from transforms.ingest.past import Past
from transforms.ingest.plan import Reach, no_data, segment_of, too_short
from transforms.ingest.resample import is_power_of_two
from transforms.kinds import LetterKind

Given = Block | Segment | DeadLetter


@dataclass(frozen=True)
class StitchConfig:
    """What stitching is told."""

    reach: Reach
    """What a block needs around the stretch it answers for."""
    certain_ns: int
    """What must be known after a stretch before it is analysed, at most a second [ns]."""
    minimum_ns: int
    """Shortest contiguous good data that is analysed [ns]."""
    wait_ns: int
    """How much newer data a missing frame is waited for [ns]."""


@dataclass(frozen=True)
class Complaint:
    """What is wrong with a frame."""

    reason: str
    kind: LetterKind


class Stitcher:
    """The frames of one channel: what is known of it, and the strain still needed.

    ``head`` and the frames that ``past`` holds are all there is to keep; a new one made of
    them goes on with the same results.
    """

    def __init__(self, config: StitchConfig, head: Head | None = None) -> None:
        """Begin, or go on from a head; then ``remember`` the frames that were kept with it."""
        self._config = config
        self.head = head
        self.past = Past()
        self.placed: list[Frame] = []
        """Strain that the frame fed last has added."""
        self.waited = False
        """Whether the frames that wait have changed with it."""

    def remember(self, frame: Frame) -> None:
        """Take strain back that was placed before."""
        self.past.append(frame)

    def feed(self, frame: Frame) -> Iterator[Given]:
        """Take a frame; give what can be given now.

        Frames that were seen before give nothing. One that comes later than a gap was
        declared, or that does not fit, is a dead letter.
        """
        self.placed, self.waited = [], False
        if self.head is None:
            if not frame.data:
                return
            self.head = Head.before(frame)
        if not frame.data:
            yield from self._end()
            return
        complaint = self._complaint(frame)
        if complaint and frame.analysed:
            return  # it was seen before, and is only the past of what follows
        if complaint:
            reason = f"{frame.source}: {frame.channel} {complaint.reason}"
            yield DeadLetter(frame.source, reason, kind=complaint.kind)
            return
        fresh = self._fresh(frame)
        if fresh is None:
            return
        if fresh.gps_start_ns > self.head.end_ns:
            self.head, self.waited = self.head.waiting_for(fresh), True
        else:
            yield from self._place(fresh)
        yield from self._place_waiting(self._config.wait_ns)

    def _complaint(self, frame: Frame) -> Complaint | None:
        """Return what is wrong with a frame."""
        head = self._known
        if frame.sample_rate != head.sample_rate:
            rates = f"comes at {frame.sample_rate} Hz, before at {head.sample_rate} Hz"
            return Complaint(f"{rates}; send one rate", LetterKind.RATE)
        if not is_power_of_two(frame.sample_rate):
            rate = f"{frame.sample_rate} Hz is no power of two"
            advice = "live data are not resampled; send 16384 Hz, or analyse the files"
            return Complaint(f"{rate}: {advice}", LetterKind.RATE)
        if frame.gps_end_ns <= head.end_ns and clipped(
            head.lost, frame.gps_start_ns, frame.gps_end_ns
        ):
            late = (head.end_ns - frame.gps_end_ns) / NANOSECONDS
            text = f"came too late: {late:g} s of newer data are analysed without it"
            return Complaint(text, LetterKind.LATE)
        return None

    @property
    def _known(self) -> Head:
        if self.head is None:
            raise RuntimeError("no frame has been fed")
        return self.head

    def _fresh(self, frame: Frame) -> Frame | None:
        """Give the part of a frame that was not there before; None where there is none."""
        head = self._known
        if any(w.gps_start_ns <= frame.gps_start_ns < w.gps_end_ns for w in head.waiting):
            return None
        skip = to_index(head.end_ns, frame.sample_rate) - to_index(
            frame.gps_start_ns, frame.sample_rate
        )
        if skip <= 0:
            return frame
        if 8 * skip >= len(frame.data):
            return None
        return replace(frame, gps_start_ns=head.end_ns, data=frame.data[8 * skip :])

    def _place_waiting(self, wait_ns: int) -> Iterator[Given]:
        """Place the frames that waited, as far as they follow or have waited long enough."""
        while self._known.waiting:
            head, first = self._known, self._known.waiting[0]
            newest = max(frame.gps_end_ns for frame in head.waiting)
            if first.gps_start_ns > head.end_ns and newest - first.gps_start_ns <= wait_ns:
                return
            self.head, self.waited = replace(head, waiting=head.waiting[1:]), True
            fresh = self._fresh(first)
            if fresh is not None:
                if fresh.gps_start_ns > head.end_ns:
                    yield from self._skip_to(fresh.gps_start_ns)
                yield from self._place(fresh)

    def _skip_to(self, start_ns: int) -> Iterator[Given]:
        """Declare that what lacks before a time is a gap."""
        yield from self._release(closed=True)
        head = self._known
        gap = no_data(head.end_ns, start_ns)
        yield segment_of(head.ifo, head.channel, gap)
        self.past.clear()
        self.head = head.after_gap(gap)

    def _place(self, frame: Frame) -> Iterator[Given]:
        """Add a frame that follows what is there."""
        head = self._known
        first = to_index(frame.gps_start_ns, frame.sample_rate)
        found = quality.scan(frame.samples, first, frame.sample_rate)
        gaps = merged((*head.gaps, *frame.gaps, *found))
        self.past.append(frame)
        self.placed.append(frame)
        self.head = replace(
            head,
            end_ns=frame.gps_end_ns,
            gaps=tuple(
                quality.open_ended(gaps, frame.gps_end_ns, frame.gps_end_ns, frame.sample_rate)
            ),
            flags=tuple(merged((*head.flags, *frame.flags))),
            done_ns=max(head.done_ns, frame.gps_end_ns) if frame.analysed else head.done_ns,
            arrived_ns=max(head.arrived_ns, frame.arrived_ns),
        )
        yield from self._release(closed=False)

    def _end(self) -> Iterator[Given]:
        """Give the rest: nothing more comes for now."""
        yield from self._place_waiting(-1)
        yield from self._release(closed=True)
        self.past.clear()
        self.head = self._known.ended()

    def _release(self, closed: bool) -> Iterator[Given]:
        """Give what is certain of what is there; all of it where nothing follows."""
        head = self._known
        bad = quality.settled(head.gaps, head.sample_rate)
        tiles = tiled(bad, head.open_ns, head.end_ns) if head.open_ns < head.end_ns else []
        for number, tile in enumerate(tiles):
            last = number == len(tiles) - 1 and not closed
            if tile.name:
                yield from self._lose(segment_of(head.ifo, head.channel, tile))
            elif last:
                yield from self._analyse_open(tile.start_ns)
            else:
                yield from self._analyse_closed(tile.start_ns, tile.end_ns)
            if not last or tile.name:
                self.head = self._known.opened_at(tile.end_ns)
        self._forget()

    def _lose(self, lost: Segment) -> Iterator[Given]:
        """Say of what is left of a stretch that it is not analysed."""
        head = self._known
        if head.done_ns < lost.end_ns:
            yield replace(lost, start_ns=head.done_ns)
            self.head = replace(head, done_ns=lost.end_ns)

    def _analyse_closed(self, start_ns: int, end_ns: int) -> Iterator[Given]:
        """Analyse what is left of a stretch whose end is known."""
        head, least = self._known, self._config.minimum_ns
        if end_ns - start_ns < least:
            stretch = Interval(start_ns, end_ns, "")
            yield from self._lose(too_short(head.ifo, head.channel, stretch, least))
        elif head.done_ns < end_ns:
            yield self._block(start_ns, end_ns, end_ns)

    def _analyse_open(self, start_ns: int) -> Iterator[Given]:
        """Analyse the whole seconds of a stretch that goes on."""
        head = self._known
        if head.end_ns - start_ns < self._config.reach.warm_up_ns:
            return
        whole = head.end_ns // NANOSECONDS * NANOSECONDS
        certain_ns = (self._certain() - self._config.certain_ns) // NANOSECONDS * NANOSECONDS
        end_ns = min(whole - NANOSECONDS, certain_ns)
        if head.done_ns < end_ns:
            yield self._block(start_ns, end_ns, whole)

    def _certain(self) -> int:
        """Give up to when samples are good for sure: a run of equal ones may become a gap."""
        head = self._known
        growing = [gap.start_ns for gap in head.gaps if gap.end_ns == head.end_ns]
        return min(growing, default=head.end_ns)

    def _block(self, start_ns: int, end_ns: int, known_ns: int) -> Block:
        """Make the block that answers for all up to a time of a stretch."""
        head, rate = self._known, self._known.sample_rate
        analyse_ns = max(head.done_ns, start_ns)
        begin = max(
            to_index(start_ns, rate), to_index(analyse_ns - self._config.reach.past_ns, rate)
        )
        begin_ns = to_ns(begin, rate)
        self.head = replace(head, done_ns=end_ns)
        return Block(
            head.ifo,
            head.channel,
            rate,
            begin_ns,
            self.past.between(begin, to_index(known_ns, rate)),
            start_ns,
            known_ns,
            analyse_ns,
            end_ns,
            tuple(clipped(head.flags, begin_ns, known_ns)),
            head.arrived_ns,
        )

    def _forget(self) -> None:
        """Let go of what no block will want."""
        head = self._known
        needed_ns = max(head.open_ns, head.done_ns - self._config.reach.past_ns)
        self.past.forget(to_index(needed_ns, head.sample_rate))
        self.head = head.from_then_on(needed_ns)
