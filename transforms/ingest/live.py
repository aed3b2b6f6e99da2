"""The way in from a stream: frames of each channel to blocks, in keyed state.

What is kept of a channel is a head of about a kilobyte, and its frames since the past that
the next block needs began. The frames stand in bags of ``BAG_SECONDS`` each, of which the
oldest is emptied when it is out of reach: nothing is written twice. The joined strain itself
is also held in the process, and made again of the bags where state and process disagree,
after a restart or a move.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.metrics import Metrics
from apache_beam.pvalue import PCollection, TaggedOutput
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec
from apache_beam.typehints.decorators import no_annotations

from transforms import gps
from transforms.coders import (
    DEAD_LETTERS,
    SEGMENTS,
    FrameCoder,
    TaggedDeadLetter,
    TaggedSegment,
    timed,
)
from transforms.elements import Block, DeadLetter, Frame, Segment
from transforms.ingest.head import Head
from transforms.ingest.stitch import StitchConfig, Stitcher
from transforms.observe.record import Spent, recorder

BAG_SECONDS = 104
BAGS = 3
"""Bags in turn: two hold the past that the default configuration needs, one is being filled."""
_DIGEST = 64
MOST_CHANNELS = 256
"""Channels whose strain a process holds."""


class ReachError(ValueError):
    """A configuration that needs more past than live keeps: one line."""


class Stitched(NamedTuple):
    """What comes out of frames."""

    blocks: PCollection
    """`Block`: in order, with one that is empty where nothing is analysed."""
    segments: PCollection
    """`Segment`: what is not analysed, and why not."""
    dead_letters: PCollection


@dataclass
class StitchFrames(beam.PTransform):  # type: ignore[misc]
    """Turn (channel, `Frame`) into blocks as far as they can go.

    Raises:
        ReachError: The configuration needs a longer past than the bags hold.
    """

    config: StitchConfig

    def __post_init__(self) -> None:
        super().__init__()
        if self.config.reach.past_ns > (BAGS - 1) * BAG_SECONDS * gps.NANOSECONDS:
            most = (BAGS - 1) * BAG_SECONDS
            raise ReachError(
                f"live needs whiten.psd_seconds + update_seconds + 10 s to be at most {most} s"
            )

    @no_annotations  # type: ignore[untyped-decorator]
    def expand(self, frames: PCollection) -> Stitched:
        """Wire the stage."""
        found = frames | "Stitch" >> beam.ParDo(_Stitch(self.config)).with_outputs(
            SEGMENTS, DEAD_LETTERS, main="blocks"
        )
        return Stitched(found.blocks, found[SEGMENTS], found[DEAD_LETTERS])


@dataclass
class _Held:
    """A channel as a process holds it: good for one mark only."""

    mark: bytes
    stitcher: Stitcher


class _Process:
    """The channels that this process holds, by key."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._lock = Lock()

    def take(self, channel: str, mark: bytes) -> Stitcher | None:
        """Give a channel's stitcher away, if it stands where the state does."""
        with self._lock:
            held = self._held.pop(channel, None)
        return held.stitcher if held and held.mark == mark else None

    def keep(self, channel: str, mark: bytes, stitcher: Stitcher) -> None:
        """Hold a stitcher until it is asked for."""
        with self._lock:
            self._held[channel] = _Held(mark, stitcher)
            while len(self._held) > MOST_CHANNELS:
                self._held.popitem(last=False)


_PROCESS = _Process()


class _Stitch(beam.DoFn):  # type: ignore[misc]
    HEAD = ReadModifyWriteStateSpec("head", BytesCoder())
    WAITING = BagStateSpec("waiting", FrameCoder())
    BAG_0 = BagStateSpec("frames0", FrameCoder())
    BAG_1 = BagStateSpec("frames1", FrameCoder())
    BAG_2 = BagStateSpec("frames2", FrameCoder())

    def __init__(self, config: StitchConfig) -> None:
        self._config = config
        self._blocks = Metrics.counter("ingest", "blocks")
        self._repeated = Metrics.counter("ingest", "repeated_frames")
        self._gaps = Metrics.counter("ingest", "gaps")
        self._dead_letters = Metrics.counter("ingest", "dead_letters")

    def process(
        self,
        element: tuple[str, Frame],
        head: Any = beam.DoFn.StateParam(HEAD),
        waiting: Any = beam.DoFn.StateParam(WAITING),
        bag0: Any = beam.DoFn.StateParam(BAG_0),
        bag1: Any = beam.DoFn.StateParam(BAG_1),
        bag2: Any = beam.DoFn.StateParam(BAG_2),
    ) -> Iterator[Block | TaggedSegment | TaggedDeadLetter]:
        """Take one frame."""
        channel, frame = element
        kept = _Kept(head, waiting, (bag0, bag1, bag2))
        before = head.read() or b""
        stitcher = _PROCESS.take(channel, before) or kept.restored(before, self._config)
        was = stitcher.head
        kept.last = _number(was.end_ns - 1) if was and was.kept_ns < was.end_ns else None
        with Spent("stitch"):
            given = list(stitcher.feed(frame))
        _PROCESS.keep(channel, kept.write(before, stitcher), stitcher)
        if frame.data and stitcher.head == was and not given:
            self._repeat(channel)
        for each in given:
            yield self._out(each)
            if isinstance(each, Segment) and stitcher.head is not None:
                yield timed(_nothing(each, stitcher.head), each.start_ns)

    def _repeat(self, channel: str) -> None:
        self._repeated.inc()
        if (record := recorder()) is not None:
            record.repeated(channel)

    def _out(self, given: Block | Segment | DeadLetter) -> Any:
        if isinstance(given, DeadLetter):
            self._dead_letters.inc()
            return TaggedOutput(DEAD_LETTERS, given)
        if isinstance(given, Segment):
            self._gaps.inc()
            return TaggedOutput(SEGMENTS, timed(given, given.start_ns))
        self._blocks.inc()
        if (record := recorder()) is not None:
            record.block(given)
        return timed(given, given.analyse_start_ns)


def _nothing(gap: Segment, head: Head) -> Block:
    """Tell those behind that nothing of a stretch is analysed: they need not wait for it."""
    span = gap.start_ns, gap.end_ns
    names = gap.ifo, gap.channel, head.sample_rate
    return Block(*names, gap.start_ns, b"", *span, *span, arrived_ns=head.arrived_ns)


@dataclass
class _Kept:
    """A channel's state."""

    head: Any
    waiting: Any
    bags: tuple[Any, ...]
    last: int | None = None
    """Number of the bag that was added to last."""

    def restored(self, encoded: bytes, config: StitchConfig) -> Stitcher:
        """Make the stitcher again of what is kept."""
        if not encoded:
            return Stitcher(config)
        waiting = tuple(sorted(self.waiting.read(), key=_start))
        head = Head.from_bytes(encoded[_DIGEST:], waiting)
        stitcher = Stitcher(config, head)
        frames = [frame for bag in self.bags for frame in bag.read()]
        for frame in sorted(frames, key=_start):
            if head.kept_ns < frame.gps_end_ns <= head.end_ns:
                stitcher.remember(frame)
        return stitcher

    def write(self, before: bytes, stitcher: Stitcher) -> bytes:
        """Write what has changed; give the mark of the state, which is its head."""
        head = stitcher.head
        if head is None:
            return b""
        digest = hashlib.sha256(before[:_DIGEST])
        for frame in stitcher.placed:
            self._add(frame)
            digest.update(frame.data)
        if stitcher.waited:
            self.waiting.clear()
            for frame in head.waiting:
                self.waiting.add(frame)
        # The strain placed, frame after frame, is part of the mark: equal marks, equal strain.
        text = head.to_bytes()
        digest.update(text)
        encoded = digest.hexdigest().encode() + text
        self.head.write(encoded)
        return encoded

    def _add(self, frame: Frame) -> None:
        number = _number(frame.gps_start_ns)
        bag = self.bags[number % BAGS]
        if number != self.last:
            # What is in there is out of reach: a whole turn has passed.
            bag.clear()
            self.last = number
        bag.add(frame)


def _number(time_ns: int) -> int:
    return time_ns // (BAG_SECONDS * gps.NANOSECONDS)


def _start(frame: Frame) -> int:
    return frame.gps_start_ns
