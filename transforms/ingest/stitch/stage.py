"""The way in from a stream: frames of each channel to blocks, in keyed state.

What is kept of a channel is its `StreamState`, of about a kilobyte, and its frames since the
past that the next block needs began. The frames stand in bags of ``BAG_SECONDS`` each, by
their last samples. A bag is emptied when it is out of reach: nothing is written twice. The
joined strain itself is also held in the process, and made again of the bags where state and
process disagree, after a restart or a move. Of a channel that has ended a small state is left,
for a day of data time.
"""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.metrics import Metrics
from apache_beam.pvalue import PCollection, TaggedOutput
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import (
    BagStateSpec,
    ReadModifyWriteStateSpec,
    TimerSpec,
    on_timer,
)
from apache_beam.typehints.decorators import no_annotations

from transforms import gps
from transforms.coders import (
    DEAD_LETTERS,
    SEGMENTS,
    FrameCoder,
    TaggedDeadLetter,
    TaggedSegment,
    event_time,
    timed,
)
from transforms.elements import Block, DeadLetter, Frame, Segment
from transforms.ingest import quality
from transforms.ingest.stitch.stitcher import StitchConfig, Stitcher
from transforms.ingest.stitch.stream_state import StreamState
from transforms.observe.record import Spent, recorder
from transforms.results import Strain

BAG_SECONDS = 104
BAGS = 3
"""Bags in turn: two hold the past that the default configuration needs, one is being filled."""
_LAG_NS = 3 * gps.NANOSECONDS
"""How far behind the newest sample analysis is, at most, beside a run of equal samples [ns]."""
_DIGEST = 64
MOST_CHANNELS = 256
"""Channels whose strain a process holds."""


class ReachError(ValueError):
    """A configuration that needs more past than live keeps: one line."""


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
    def expand(self, frames: PCollection[tuple[str, Frame]]) -> Strain:
        """Wire the stage."""
        found = frames | "Stitch" >> beam.ParDo(_Stitch(self.config)).with_outputs(
            SEGMENTS, DEAD_LETTERS, main="blocks"
        )
        return Strain(
            blocks=found.blocks, segments=found[SEGMENTS], dead_letters=found[DEAD_LETTERS]
        )


@dataclass
class _Cached:
    """A channel as a process holds it: good for one mark only."""

    mark: bytes
    stitcher: Stitcher


class _ProcessCache:
    """The channels that this process holds, by key."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, _Cached] = OrderedDict()
        self._lock = Lock()

    def take(self, channel: str, mark: bytes) -> Stitcher | None:
        """Remove and return the cached stitcher; None if its mark is not that of the state."""
        with self._lock:
            held = self._held.pop(channel, None)
        return held.stitcher if held and held.mark == mark else None

    def keep(self, channel: str, mark: bytes, stitcher: Stitcher) -> None:
        """Hold a stitcher until it is asked for."""
        with self._lock:
            self._held[channel] = _Cached(mark, stitcher)
            while len(self._held) > MOST_CHANNELS:
                self._held.popitem(last=False)


_PROCESS = _ProcessCache()


_FORGET = TimerSpec("forget", TimeDomain.WATERMARK)


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

    def process(  # noqa: PLR0917 - Beam hands over each state as an argument
        self,
        element: tuple[str, Frame],
        head: Any = beam.DoFn.StateParam(HEAD),
        waiting: Any = beam.DoFn.StateParam(WAITING),
        bag0: Any = beam.DoFn.StateParam(BAG_0),
        bag1: Any = beam.DoFn.StateParam(BAG_1),
        bag2: Any = beam.DoFn.StateParam(BAG_2),
        forget: Any = beam.DoFn.TimerParam(_FORGET),
    ) -> Iterator[Block | TaggedSegment | TaggedDeadLetter]:
        """Stitch one frame."""
        channel, frame = element
        kept = _StoredState(
            head=head, waiting=waiting, bags=(bag0, bag1, bag2), past_ns=self._config.reach.past_ns
        )
        before = head.read() or b""
        stitcher = _PROCESS.take(channel, before) or kept.restored(before, self._config)
        was = stitcher.state
        with Spent("stitch"):
            given = list(stitcher.feed(frame))
        _PROCESS.keep(channel, kept.write(before, stitcher, was), stitcher)
        if frame.data and stitcher.state == was and not given:
            self._repeat(channel)
        if stitcher.state is not None and stitcher.state.over:
            forget.set(event_time(stitcher.state.end_ns + gps.REMEMBERED_NS))
        for each in given:
            yield self._out(each)
            if isinstance(each, Segment) and stitcher.state is not None:
                yield timed(_nothing(each.start_ns, each.end_ns, stitcher.state), each.start_ns)
        if not frame.data and stitcher.state is not None:
            end_ns = stitcher.state.end_ns
            yield timed(_nothing(end_ns, end_ns, stitcher.state), end_ns)

    @on_timer(_FORGET)  # type: ignore[untyped-decorator]
    def forget(self, head: Any = beam.DoFn.StateParam(HEAD)) -> None:
        """Forget a channel that has ended long ago, unless it has come back since."""
        encoded = head.read()
        if encoded and StreamState.from_bytes(encoded[_DIGEST:]).over:
            head.clear()

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


def _nothing(start_ns: int, end_ns: int, state: StreamState) -> Block:
    """Return a block that says that nothing of a stretch is analysed: nobody need wait for it.

    A stretch of no length says that the channel has ended.
    """
    return Block(
        ifo=state.ifo,
        channel=state.channel,
        sample_rate=state.sample_rate,
        gps_start_ns=start_ns,
        data=b"",
        segment_start_ns=start_ns,
        segment_end_ns=end_ns,
        analyse_start_ns=start_ns,
        analyse_end_ns=end_ns,
        arrived_ns=state.arrived_ns,
    )


@dataclass(kw_only=True)
class _StoredState:
    """A channel's state."""

    head: Any
    waiting: Any
    bags: tuple[Any, ...]
    past_ns: int
    """Strain that a block needs before the stretch it answers for [ns]."""

    def restored(self, encoded: bytes, config: StitchConfig) -> Stitcher:
        """Return the stitcher, made again of the state."""
        if not encoded:
            return Stitcher(config)
        waiting = tuple(sorted(self.waiting.read(), key=_start))
        state = StreamState.from_bytes(encoded[_DIGEST:], waiting)
        stitcher = Stitcher(config, state)
        frames = [frame for bag in self.bags for frame in bag.read()]
        for frame in sorted(frames, key=_start):
            if state.kept_ns < frame.gps_end_ns <= state.end_ns:
                stitcher.restore(frame)
        return stitcher

    def write(self, before: bytes, stitcher: Stitcher, was: StreamState | None) -> bytes:
        """Write what has changed; return the mark of the state, which is its head.

        Args:
            before: The head as it was, encoded.
            stitcher: What has taken a frame.
            was: Its state before.
        """
        state = stitcher.state
        if state is None:
            return b""
        digest = hashlib.sha256(before[:_DIGEST])
        self._add(stitcher, state, was)
        for frame in stitcher.placed:
            digest.update(frame.data)
        if stitcher.waited:
            self.waiting.clear()
            for frame in state.waiting:
                self.waiting.add(frame)
        # The strain placed, frame after frame, is part of the mark: equal marks, equal strain.
        text = state.to_bytes()
        digest.update(text)
        encoded = digest.hexdigest().encode() + text
        self.head.write(encoded)
        return encoded

    def _add(self, stitcher: Stitcher, state: StreamState, was: StreamState | None) -> None:
        """Add the strain placed to the bag of its last sample, and empty those out of reach."""
        length_ns = _bag_ns(self.past_ns, state.sample_rate)
        begun = was is not None and was.kept_ns < was.end_ns and not stitcher.forgot
        last = (was.end_ns - 1) // length_ns if was and begun else None
        if stitcher.forgot:
            self._empty(range(BAGS))
        for frame in stitcher.placed:
            number = (frame.gps_end_ns - 1) // length_ns
            first = number - BAGS if last is None else max(last, number - BAGS)
            # What is in there is out of reach: a whole turn has passed.
            self._empty(range(first + 1, number + 1))
            self.bags[number % BAGS].add(frame)
            last = number

    def _empty(self, numbers: range) -> None:
        for number in numbers:
            self.bags[number % BAGS].clear()


def _bag_ns(past_ns: int, rate: int) -> int:
    """Return how long a bag is [ns]: two hold all that a block needs, one is being filled."""
    needed_ns = past_ns + _LAG_NS + quality.shortest_constant_ns(rate)
    seconds = math.ceil(needed_ns / (BAGS - 1) / gps.NANOSECONDS)
    return max(BAG_SECONDS, seconds) * gps.NANOSECONDS


def _start(frame: Frame) -> int:
    return frame.gps_start_ns
