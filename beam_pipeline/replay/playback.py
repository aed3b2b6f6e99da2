"""Files played again: the frames that a detector would have sent, in the order of time.

Frames lie on the GPS grid of their own length. What is sent of a frame is what the archive
reads of the same samples, bit for bit; a frame of which the files hold nothing is not sent.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import merge
from itertools import count, pairwise

import numpy as np

from transforms import gps
from transforms.arrays import FloatArray
from transforms.elements import Frame, Interval, Span
from transforms.gps import NANOSECONDS
from transforms.ingest.config import IngestConfig
from transforms.ingest.errors import DataError
from transforms.ingest.files import formats
from transforms.ingest.files.plan import settle
from transforms.ingest.intervals import clipped, merged, runs
from transforms.ingest.quality import NOT_FINITE

READ_NS = 32 * NANOSECONDS
"""Read at once of each channel, and held [ns]: some formats decompress long stretches as a
whole, which would be done again for every frame."""

Complain = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class FrameCutting:
    """How files become frames."""

    frame_ns: int = NANOSECONDS
    """Length of a frame [ns]: whole seconds, or a second's even part."""
    shift_ns: int = 0
    """Added to all times [ns], whole seconds."""
    start_ns: int | None = None
    """Play the frames from the one that holds this time of the files on."""
    end_ns: int | None = None
    """Play no frame that begins at this time of the files or later."""
    passes: int = 1
    """How often to play them, each time later; 0: without end."""

    def __post_init__(self) -> None:
        if self.frame_ns <= 0 or (self.frame_ns % NANOSECONDS and NANOSECONDS % self.frame_ns):
            raise ValueError("a frame lasts whole seconds, or an even part of one")
        if self.shift_ns % NANOSECONDS:
            raise ValueError("times are shifted by whole seconds")
        if self.passes < 0:
            raise ValueError("files are played once or more, or 0: without end")


@dataclass(frozen=True, kw_only=True)
class PlayedFrame:
    """A frame, and where it is in what is played."""

    frame: Frame
    due_ns: int
    """When its last sample is taken [GPS ns, as sent]."""
    file_ns: int
    """When it starts in the files [GPS ns]."""
    place: int
    """How many frames a detector can have sent before, whether or not it did."""


def gather(
    paths: Iterable[str], channels: Sequence[str], complain: Complain
) -> dict[str, list[Span]]:
    """Find what files hold, by channel, in the order of time.

    No check of data quality is required: who receives the frames judges.

    Args:
        paths: The files.
        channels: Channels to play; empty: the one strain of each detector in each file.
        complain: Told of each file, or part of one, that is not played: one line.
    """
    config = IngestConfig(channels=tuple(channels), require=())
    found: dict[str, list[Span]] = defaultdict(list)
    for path in paths:
        held = formats.look(path, config)
        for span in held.spans:
            found[span.channel].append(span)
        for error in held.errors:
            complain(str(error))
    settled: dict[str, list[Span]] = {}
    for channel, spans in sorted(found.items()):
        settled[channel], letters = settle(spans)
        for letter in letters:
            complain(letter.reason)
    return settled


class Playback:
    """The frames of some spans."""

    def __init__(
        self,
        spans: Mapping[str, Sequence[Span]],
        cut: FrameCutting,
        complain: Complain = lambda _: None,
    ) -> None:
        """Lay the frames out; no file is read yet.

        Args:
            spans: By channel, in the order of time, without overlap.
            cut: How they are cut.
            complain: Told of what cannot be read any more when its time comes: one line.
        """
        self.cut, self._complain = cut, complain
        self._cells = {
            channel: ranges for channel in spans if (ranges := self._ranges(spans[channel]))
        }
        self._spans = {channel: spans[channel] for channel in self._cells}
        self._first = min((ranges[0][0] for ranges in self._cells.values()), default=0)
        self._last = max((ranges[-1][1] for ranges in self._cells.values()), default=0)

    @property
    def channels(self) -> dict[str, str]:
        """Return the detector of each channel."""
        return {channel: spans[0].ifo for channel, spans in self._spans.items()}

    @property
    def first_due_ns(self) -> int:
        """Return when the first frame's last sample is taken [GPS ns, as sent]."""
        return (self._first + 1) * self.cut.frame_ns

    @property
    def frames_in_pass(self) -> int:
        """Return how many frames one pass has, over all channels."""
        return sum(end - begin for ranges in self._cells.values() for begin, end in ranges)

    def frames(self) -> Iterator[PlayedFrame]:
        """Yield all frames in the order of time, and of channels within one time."""
        if not self._cells:
            return
        frame_ns = self.cut.frame_ns
        # A seam is no contiguous strain: a hole of a second, or a frame, parts two passes.
        step = max(frame_ns, NANOSECONDS) // frame_ns
        period = -(-(self._last - self._first + step) // step) * step
        for number in count() if self.cut.passes == 0 else range(self.cut.passes):
            channels = [self._channel(channel, number * period) for channel in self._cells]
            yield from merge(*channels, key=lambda one: (one.place, one.frame.channel))

    def _ranges(self, spans: Sequence[Span]) -> list[tuple[int, int]]:
        """Return first and last-plus-one number of the frames with samples, as ranges."""
        ranges: list[tuple[int, int]] = []
        for span in spans:
            begin, end = self._within(*self._touched(span))
            if ranges and begin <= ranges[-1][1]:
                ranges[-1] = ranges[-1][0], max(ranges[-1][1], end)
            elif begin < end:
                ranges.append((begin, end))
        return ranges

    def _touched(self, span: Span) -> tuple[int, int]:
        shift, length = self.cut.shift_ns, self.cut.frame_ns
        return (span.gps_start_ns + shift) // length, -(-(span.gps_end_ns + shift) // length)

    def _within(self, begin: int, end: int) -> tuple[int, int]:
        """Leave of a range of frames what is asked for."""
        start_ns, end_ns, shift = self.cut.start_ns, self.cut.end_ns, self.cut.shift_ns
        if start_ns is not None:
            begin = max(begin, (start_ns + shift) // self.cut.frame_ns)
        if end_ns is not None:
            end = min(end, -(-(end_ns + shift) // self.cut.frame_ns))
        return begin, end

    def _channel(self, channel: str, later: int) -> Iterator[PlayedFrame]:
        """Yield the frames of a channel in one pass, so many frames later than in the first."""
        most = max(1, READ_NS // self.cut.frame_ns)
        spans = self._spans[channel]
        for begin, end in self._cells[channel]:
            # On a grid, so that what is read does not depend on where playing starts.
            edges = [begin, *range(begin - begin % most + most, end, most), end]
            for first, last in pairwise(edges):
                yield from self._stretch(spans, range(first, last), later)

    def _stretch(self, spans: Sequence[Span], cells: range, later: int) -> Iterator[PlayedFrame]:
        """Read some frames of a channel together, and yield them one by one."""
        frame_ns, shift_ns = self.cut.frame_ns, self.cut.shift_ns
        rate = spans[0].file_rate or spans[0].sample_rate
        start_ns = cells.start * frame_ns - shift_ns
        read = _Stretch(spans, start_ns, start_ns + len(cells) * frame_ns, self._complain)
        later_ns = shift_ns + later * frame_ns
        for cell in cells:
            file_ns = cell * frame_ns - shift_ns
            begin, end = gps.to_index(file_ns, rate), gps.to_index(file_ns + frame_ns, rate)
            if not read.holds(begin, end):
                continue
            frame = _moved(read.frame(begin, end), later_ns)
            due_ns = (cell + later + 1) * frame_ns
            yield PlayedFrame(
                frame=frame, due_ns=due_ns, file_ns=file_ns, place=cell + later - self._first
            )


class _Stretch:
    """Contiguous samples of a channel; NaN where no file has any."""

    def __init__(
        self, spans: Sequence[Span], start_ns: int, end_ns: int, complain: Complain
    ) -> None:
        begin = bisect_right(spans, start_ns, key=lambda span: span.gps_end_ns)
        end = bisect_left(spans, end_ns, key=lambda span: span.gps_start_ns)
        self._spans = spans[begin:end]
        self._rate = spans[0].file_rate or spans[0].sample_rate
        self._first = gps.to_index(start_ns, self._rate)
        length = gps.to_index(end_ns, self._rate) - self._first
        self._samples: FloatArray = np.full(length, np.nan)
        self._held: list[tuple[int, int]] = []
        for span in self._spans:
            times = max(span.gps_start_ns, start_ns), min(span.gps_end_ns, end_ns)
            begin, end = (gps.to_index(time, self._rate) for time in times)
            try:
                part, rate = formats.read_native(span.path, span.channel, *times)
                if rate != self._rate:
                    raise DataError(f"{span.path}: no longer has {self._rate} Hz")
                self._samples[begin - self._first : end - self._first] = part
            except DataError as error:
                complain(str(error))
            else:
                self._held.append((begin, end))

    def holds(self, begin: int, end: int) -> bool:
        """Return whether a file has any of the samples [begin, end)."""
        return any(first < end and last > begin for first, last in self._held)

    def frame(self, begin: int, end: int) -> Frame:
        """Return the samples [begin, end) as a frame, with what the files say of them."""
        rate = self._rate
        samples = self._samples[begin - self._first : end - self._first]
        start_ns, end_ns = gps.to_ns(begin, rate), gps.to_ns(end, rate)
        lacking = [
            Interval(
                gps.to_ns(begin + first, rate),
                gps.to_ns(begin + last, rate),
                NOT_FINITE,
            )
            for first, last in runs(~np.isfinite(samples)).tolist()
        ]
        gaps, flags = list(lacking), []
        for span in self._spans:
            own = max(span.gps_start_ns, start_ns), min(span.gps_end_ns, end_ns)
            gaps += clipped(span.gaps, *own)
            flags += clipped(span.flags, *own)
        return Frame(
            ifo=self._spans[0].ifo,
            channel=self._spans[0].channel,
            sample_rate=rate,
            gps_start_ns=start_ns,
            data=samples.tobytes(),
            gaps=tuple(merged(gaps)),
            flags=tuple(merged(flags)),
        )


def _moved(frame: Frame, later_ns: int) -> Frame:
    """Return a frame at a later time."""
    return replace(
        frame,
        gps_start_ns=frame.gps_start_ns + later_ns,
        gaps=tuple(_later(frame.gaps, later_ns)),
        flags=tuple(_later(frame.flags, later_ns)),
    )


def _later(items: Iterable[Interval], later_ns: int) -> Iterator[Interval]:
    for item in items:
        yield replace(item, start_ns=item.start_ns + later_ns, end_ns=item.end_ns + later_ns)
