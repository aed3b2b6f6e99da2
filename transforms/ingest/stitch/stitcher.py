"""One channel's frames put in order: contiguous strain, gaps, and blocks as far as they can go.

What is given depends on the frames alone, not on when they came: a second is analysed once
the next one is there, as its candidates depend on less than a second of what follows. The
blocks are those that the archive's plan makes of the same strain, cut into seconds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from transforms.elements import Block, DeadLetter, Frame, Interval, Segment
from transforms.gps import NANOSECONDS, seconds_text, to_index, to_ns
from transforms.ingest import quality
from transforms.ingest.intervals import clipped, merged, tiled
from transforms.ingest.reach import Reach
from transforms.ingest.resample import is_power_of_two
from transforms.ingest.segments import no_data, segment_of, too_short
from transforms.ingest.stitch.strain_buffer import StrainBuffer
from transforms.ingest.stitch.stream_state import StreamState
from transforms.kinds import LetterKind

Given = Block | Segment | DeadLetter
FASTEST = 1 << 16
"""Highest sample rate that is taken live [Hz]: 312 s of it are 164 MB."""
MOST_WAITING = 1024
"""Frames that wait behind a hole, at most."""
MOST_TILES = 256
"""Gaps and stretches between them that are told one by one, of those that a frame brings."""
MOST_FLAGS = 4096
"""Flags over the strain that is kept, at most: those of 201 s that change ten times a second."""


@dataclass(frozen=True, kw_only=True)
class StitchConfig:
    """Configuration of stitching."""

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

    ``state`` and the frames that ``strain`` holds are all there is to keep; a new one made of
    them goes on with the same results.
    """

    def __init__(self, config: StitchConfig, state: StreamState | None = None) -> None:
        """Begin, or go on from a state; then ``restore`` the frames that were kept with it."""
        self._config = config
        self.state = state
        self.strain = StrainBuffer()
        self.placed: list[Frame] = []
        """Strain that the frame fed last has added."""
        self.waited = False
        """Whether the frames that wait have changed with it."""
        self.forgot = False
        """Whether all that was placed before it is out of use."""

    def restore(self, frame: Frame) -> None:
        """Put back strain that was placed before."""
        self.strain.append(frame)

    def feed(self, frame: Frame) -> Iterator[Given]:
        """Add a frame; yield what is certain with it.

        Frames that were seen before yield nothing. One that comes later than a gap was
        declared, or that does not fit, is a dead letter.
        """
        self.placed, self.waited, self.forgot = [], False, False
        if not frame.data:
            if self.state is not None:
                yield from self._end()
            return
        complaint = self._complaint(frame)
        if complaint and frame.analysed:
            return  # it was seen before, and is only the past of what follows
        if complaint:
            yield _letter(frame, complaint)
            return
        if self.state is None:
            self.state = StreamState.before(frame)
        fresh = self._fresh(_on_grid(frame))
        if fresh is None or self._waits(fresh):
            return
        if fresh.gps_start_ns > self.state.end_ns:
            self.state, self.waited = self.state.waiting_for(fresh), True
        else:
            yield from self._place(fresh)
        yield from self._place_waiting(self._config.wait_ns)

    def _complaint(self, frame: Frame) -> Complaint | None:
        """Return what is wrong with a frame."""
        if not is_power_of_two(frame.sample_rate) or frame.sample_rate > FASTEST:
            rate = f"{frame.sample_rate} Hz is no power of two up to {FASTEST}"
            advice = "live data are not resampled; send 16384 Hz, or analyse the files"
            return Complaint(f"{rate}: {advice}", LetterKind.RATE)
        state = self.state
        if state is None or frame.gps_end_ns > state.end_ns:
            return None
        if clipped(state.lost, frame.gps_start_ns, frame.gps_end_ns):
            late = (state.end_ns - frame.gps_end_ns) / NANOSECONDS
            text = f"came too late: {late:g} s of newer data are analysed without it"
            return Complaint(text, LetterKind.LATE)
        there = state.rate_at(frame.gps_end_ns - 1)
        if frame.sample_rate != there:
            rates = f"comes at {frame.sample_rate} Hz, where it came at {there} Hz"
            return Complaint(f"{rates}; send one rate", LetterKind.RATE)
        return None

    @property
    def _known(self) -> StreamState:
        if self.state is None:
            raise RuntimeError("no frame has been fed")
        return self.state

    def _fresh(self, frame: Frame) -> Frame | None:
        """Return the part of a frame that was not there before; None where there is none."""
        end_ns, rate = self._known.end_ns, frame.sample_rate
        if frame.gps_start_ns >= end_ns:
            return frame
        index = to_index(end_ns, rate)
        if to_ns(index, rate) < end_ns:  # what is there ended between two samples of this rate
            index += 1
        skip = 8 * (index - to_index(frame.gps_start_ns, rate))
        if skip >= len(frame.data):
            return None
        return replace(frame, gps_start_ns=to_ns(index, rate), data=frame.data[skip:])

    def _waits(self, frame: Frame) -> bool:
        """Return whether one that waits holds all of a frame."""
        return any(
            waits.gps_start_ns <= frame.gps_start_ns
            and frame.gps_end_ns <= waits.gps_end_ns
            and frame.sample_rate == waits.sample_rate
            for waits in self._known.waiting
        )

    def _place_waiting(self, wait_ns: int) -> Iterator[Given]:
        """Place the frames that waited, as far as they follow or have waited long enough."""
        while self._known.waiting:
            state, first = self._known, self._known.waiting[0]
            follows = first.gps_start_ns <= state.end_ns
            if not follows and not _waited_long_enough(state.waiting, wait_ns):
                return
            self.state, self.waited = replace(state, waiting=state.waiting[1:]), True
            if complaint := self._complaint(first):
                yield _letter(first, complaint)
                continue
            fresh = self._fresh(first)
            if fresh is not None:
                if fresh.gps_start_ns > state.end_ns:
                    yield from self._skip_to(fresh.gps_start_ns)
                yield from self._place(fresh)

    def _skip_to(self, start_ns: int) -> Iterator[Given]:
        """Declare that what lacks before a time is a gap."""
        yield from self._release(closed=True)
        state = self._known
        gap = no_data(state.end_ns, start_ns)
        yield segment_of(state.ifo, state.channel, gap)
        self._begin_anew()
        self.state = state.after_gap(gap)

    def _begin_anew(self) -> None:
        """Drop all strain: what comes has nothing to do with it."""
        self.strain.clear()
        self.placed.clear()
        self.forgot = True

    def _place(self, frame: Frame) -> Iterator[Given]:
        """Add a frame that follows what is there."""
        if frame.sample_rate != self._known.sample_rate:
            yield from self._change_rate(frame.sample_rate)
        state, rate = self._known, frame.sample_rate
        start_ns, end_ns = frame.gps_start_ns, frame.gps_end_ns
        flags = tuple(merged((*state.flags, *clipped(frame.flags, start_ns, end_ns))))
        if len(flags) > MOST_FLAGS:
            past = seconds_text(self._config.reach.past_ns)
            text = f"has too many flags: more than {MOST_FLAGS} in {past} s"
            yield _letter(frame, Complaint(f"{text}; send fewer", LetterKind.METADATA))
            return
        found = quality.scan(frame.samples, to_index(start_ns, rate), rate)
        gaps = merged((*state.gaps, *clipped(frame.gaps, start_ns, end_ns), *found))
        self.strain.append(frame)
        self.placed.append(frame)
        self.state = replace(
            state,
            end_ns=end_ns,
            gaps=tuple(quality.open_ended(gaps, end_ns, end_ns, rate)),
            flags=flags,
            done_ns=max(state.done_ns, end_ns) if frame.analysed else state.done_ns,
            arrived_ns=max(state.arrived_ns, frame.arrived_ns),
            over=False,
        )
        yield from self._release(closed=False)

    def _change_rate(self, rate: int) -> Iterator[Given]:
        """Begin a stretch of another rate: what was there is closed."""
        yield from self._release(closed=True)
        self._begin_anew()
        self.state = self._known.at_rate(rate)

    def _end(self) -> Iterator[Given]:
        """Yield the rest: nothing more comes for now."""
        yield from self._place_waiting(-1)
        yield from self._release(closed=True)
        self._begin_anew()
        self.state = self._known.ended()

    def _release(self, closed: bool) -> Iterator[Given]:
        """Yield what is certain of what is there; all of it where nothing follows."""
        state = self._known
        bad = quality.settled(state.gaps, state.sample_rate)
        tiles = tiled(bad, state.open_ns, state.end_ns) if state.open_ns < state.end_ns else []
        if len(tiles) > MOST_TILES:
            tiles = list(_coarse(tiles, self._config.minimum_ns))
        for number, tile in enumerate(tiles):
            last = number == len(tiles) - 1 and not closed
            refused = self._refused(tile)
            if refused is not None:
                yield from self._lose(refused)
            elif last:
                yield from self._analyse_open(tile.start_ns)
            else:
                yield from self._analyse_closed(tile.start_ns, tile.end_ns)
            if not last or refused is not None:
                self.state = self._known.opened_at(tile.end_ns)
        self._forget()

    def _refused(self, tile: Interval) -> Segment | None:
        """Return the segment of a tile that must not be analysed, however long; else None."""
        state = self._known
        return segment_of(state.ifo, state.channel, tile) if tile.name else None

    def _lose(self, lost: Segment) -> Iterator[Given]:
        """Yield what is left of a stretch as a segment that is not analysed."""
        state = self._known
        if state.done_ns < lost.end_ns:
            yield replace(lost, start_ns=state.done_ns)
            self.state = replace(state, done_ns=lost.end_ns)

    def _analyse_closed(self, start_ns: int, end_ns: int) -> Iterator[Given]:
        """Analyse what is left of a stretch whose end is known."""
        state, least = self._known, self._config.minimum_ns
        if end_ns - start_ns < least:
            stretch = Interval(start_ns, end_ns, "")
            yield from self._lose(too_short(state.ifo, state.channel, stretch, least))
        elif state.done_ns < end_ns:
            yield self._block(start_ns, end_ns, end_ns)

    def _analyse_open(self, start_ns: int) -> Iterator[Given]:
        """Analyse the whole seconds of a stretch that goes on."""
        state = self._known
        whole = state.end_ns // NANOSECONDS * NANOSECONDS
        # Blocks end with whole seconds: what lies beyond them is no part of the first spectrum.
        if whole - start_ns < self._config.reach.warm_up_ns:
            return
        certain_ns = (self._certain() - self._config.certain_ns) // NANOSECONDS * NANOSECONDS
        end_ns = min(whole - NANOSECONDS, certain_ns)
        if state.done_ns < end_ns:
            yield self._block(start_ns, end_ns, whole)

    def _certain(self) -> int:
        """Return up to when samples are good for sure: a run of equal ones may become a gap."""
        state = self._known
        growing = [gap.start_ns for gap in state.gaps if gap.end_ns == state.end_ns]
        return min(growing, default=state.end_ns)

    def _block(self, start_ns: int, end_ns: int, known_ns: int) -> Block:
        """Return the block that answers for all up to a time of a stretch."""
        state, rate = self._known, self._known.sample_rate
        analyse_ns = max(state.done_ns, start_ns)
        begin = max(
            to_index(start_ns, rate), to_index(analyse_ns - self._config.reach.past_ns, rate)
        )
        begin_ns = to_ns(begin, rate)
        self.state = replace(state, done_ns=end_ns)
        return Block(
            ifo=state.ifo,
            channel=state.channel,
            sample_rate=rate,
            gps_start_ns=begin_ns,
            data=self.strain.between(begin, to_index(known_ns, rate)),
            segment_start_ns=start_ns,
            segment_end_ns=known_ns,
            analyse_start_ns=analyse_ns,
            analyse_end_ns=end_ns,
            flags=tuple(clipped(state.flags, begin_ns, known_ns)),
            arrived_ns=state.arrived_ns,
        )

    def _forget(self) -> None:
        """Drop what no block will want."""
        state = self._known
        needed_ns = max(state.open_ns, state.done_ns - self._config.reach.past_ns)
        self.strain.forget(to_index(needed_ns, state.sample_rate))
        self.state = state.from_then_on(needed_ns)


def _on_grid(frame: Frame) -> Frame:
    """Return a frame with the time of its first sample as the grid has it."""
    start_ns = to_ns(to_index(frame.gps_start_ns, frame.sample_rate), frame.sample_rate)
    return frame if start_ns == frame.gps_start_ns else replace(frame, gps_start_ns=start_ns)


def _waited_long_enough(waiting: Sequence[Frame], wait_ns: int) -> bool:
    """Return whether so much has come after the first frame that waits that it waits no more."""
    newest_ns = max(frame.gps_end_ns for frame in waiting)
    # Frames that overlap count each: what waits has a bound.
    came_ns = sum(frame.gps_end_ns - frame.gps_start_ns for frame in waiting)
    longest_ns = max(newest_ns - waiting[0].gps_start_ns, came_ns)
    return longest_ns > wait_ns or len(waiting) > MOST_WAITING


def _coarse(tiles: Sequence[Interval], minimum_ns: int) -> Iterator[Interval]:
    """Join gaps with what is too short to be analysed between them, but for either end.

    Nothing more or less is analysed. A detector whose every other sample is bad would hold up
    all others with thousands of segments a second.
    """
    first, *between, last = tiles
    yield first
    gaps: list[Interval] = []
    for tile in between:
        if tile.name or tile.end_ns - tile.start_ns < minimum_ns:
            gaps.append(tile)
            continue
        yield from _joined(gaps)
        gaps = []
        yield tile
    yield from _joined(gaps)
    yield last


def _joined(gaps: Sequence[Interval]) -> Iterator[Interval]:
    """Join gaps that follow each other; what has no name between them takes theirs."""
    if gaps:
        names = sorted({name for gap in gaps if gap.name for name in gap.name.split(", ")})
        yield Interval(gaps[0].start_ns, gaps[-1].end_ns, ", ".join(names))


def _letter(frame: Frame, complaint: Complaint) -> DeadLetter:
    reason = f"{frame.source}: {frame.channel} {complaint.reason}"
    return DeadLetter(source=frame.source, reason=reason, kind=complaint.kind)
