"""Frames (GWF): one channel over the frames of a file, and the state beside it."""

import os
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import gwframe
from gwframe import _core  # only there can a frame be asked for its rate and not decompressed
from gwframe.types import GPSSpan

from transforms.arrays import FloatArray
from transforms.ingest import filename, frame_cache, quality
from transforms.ingest.errors import DataError
from transforms.ingest.files.stretches import Held, Stretch, settled
from transforms.ingest.gwf_frames import UNREADABLE, decompressed, failed, is_lacking
from transforms.ingest.names import completed, is_channel, is_interferometer
from transforms.ingest.sampling import index_of, rate_of
from transforms.texts import line

_LARGEST_CHECKED = 256 << 20
"""Largest file whose checksum is verified [bytes]: that takes the whole of it in memory."""


@dataclass
class _Opened:
    """A file, opened when it must be: a `gwf_frames.Reader` whose paths and names are ours."""

    filename: str
    check: bool
    """Whether its checksum is verified."""
    until: ExitStack
    """What closes it."""

    @cached_property
    def where(self) -> str:
        """Return what the library opens."""
        return self.until.enter_context(_known(self.filename))

    @cached_property
    def frames(self) -> gwframe.FrameReader:
        """Open the file."""
        check = self.check and os.path.getsize(self.filename) <= _LARGEST_CHECKED
        return self.until.enter_context(gwframe.FrameReader(self.where, validate_checksum=check))

    @property
    def channels(self) -> list[str]:
        """Return the names of all channels, each with its detector where that is known."""
        return list(self.names)

    @cached_property
    def names(self) -> dict[str, str]:
        """Return the channels' names in the file, by their whole names."""
        own = list(self.frames.channels)
        if all(map(is_channel, own)):
            return dict(zip(own, own, strict=True))
        ifo = filename.detector(self.filename) or self._frame_ifo()
        return {completed(name, ifo): name for name in sorted(own, key=_whole_last)}

    def _frame_ifo(self) -> str:
        name = self.frames.frames[0].name if self.frames.num_frames else ""
        return name if is_interferometer(name) else ""

    @property
    def frame_spans(self) -> list[GPSSpan]:
        """Return start and duration of each frame [s]."""
        spans: list[GPSSpan] = self.frames.frame_spans
        return spans

    def read(self, channels: str, frame_index: int, *, allow_invalid: bool) -> gwframe.TimeSeries:
        """Decompress one frame of a channel."""
        return self.frames.read(self.own(channels), frame_index, allow_invalid=allow_invalid)

    def own(self, channel: str) -> str:
        """Return the name that a channel has in the file."""
        return channel if channel in self.frames.channels else self.names.get(channel, channel)


def _whole_last(name: str) -> bool:
    """Order names so that one that is whole in the file wins over one that was completed."""
    return is_channel(name)


def channels(path: str) -> list[str]:
    """Return the names of the channels in a file.

    Raises:
        DataError: The file is truncated or damaged.
    """
    with _opened(path, check=True) as reader:
        return reader.channels


def stretches(path: str, channel: str, require: Sequence[str]) -> Held:
    """Return what a file holds of a channel, with its data quality.

    The state vector is read before the strain: where it says no, strain may be missing.

    Raises:
        DataError: The file is truncated, damaged, or off the GPS grid.
    """
    stamp = frame_cache.stamp(path)
    with _opened(path) as reader:
        held = _laid_out(reader, stamp, channel)
        joined = _joined(held.stretches)
        extents = [(item.start_ns, item.end_ns) for item in joined]
        judged = failed(reader, channel, range(len(reader.frame_spans)), extents, require)
        gaps, flags = (tuple(items) for items in quality.sorted_out(judged.failed, require))
        return replace(
            held,
            stretches=tuple(replace(item, gaps=gaps, flags=flags) for item in joined),
            checks=judged.names,
        )


def read(path: str, channel: str, start_ns: int, end_ns: int) -> tuple[FloatArray, int]:
    """Read the strain of [start, end), float64, not to be written to, and its rate [Hz].

    Samples that the file marks as invalid are NaN.

    Raises:
        DataError: The file is damaged, or does not hold the stretch.
    """
    stamp = frame_cache.stamp(path)
    with _opened(path) as reader:
        frames = [
            frame_cache.within(_frame(reader, stamp, channel, int(item.key)), item.first, item.last)
            for item in _laid_out(reader, stamp, channel).stretches
            if item.start_ns < end_ns and item.end_ns > start_ns
        ]
    return frame_cache.joined(path, channel, frames, start_ns, end_ns)


@contextmanager
def _opened(path: str, check: bool = False) -> Iterator[_Opened]:
    try:
        with ExitStack() as until:
            yield _Opened(path, check, until)
    except DataError:
        raise
    except UNREADABLE as error:
        raise DataError(
            f"{path}: cannot be read as GWF, truncated or damaged; fetch it again ({line(error)})"
        ) from error


@contextmanager
def _known(path: str) -> Iterator[str]:
    """Yield a path that the library can open: it knows none that is not UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        with open(path, "rb") as file:
            yield f"/dev/fd/{file.fileno()}"
    else:
        yield path


def _frame(reader: _Opened, stamp: Hashable, channel: str, number: int) -> frame_cache.Part:
    """Return one frame of a channel, which can only be decompressed as a whole."""
    key = (stamp, channel, number)
    return frame_cache.KEPT.part(key, lambda: decompressed(reader, channel, number))


@dataclass(frozen=True)
class _Same:
    """What is asked for, and equal where that is; with what answers, which makes no difference."""

    key: Hashable
    ask: Callable[[], Held]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def _laid_out(reader: _Opened, stamp: Hashable, channel: str) -> Held:
    """Return the frames of a channel that are read, in order of time; remembered for a file."""
    return _remembered(_Same((stamp, channel), lambda: _lay_out(reader, stamp, channel)))


@lru_cache(maxsize=32)
def _remembered(asked: _Same) -> Held:
    return asked.ask()


def _lay_out(reader: _Opened, stamp: Hashable, channel: str) -> Held:
    spans = reader.frame_spans
    path = reader.filename
    frames: list[Stretch] = []
    errors: list[DataError] = []
    for number, spacing in _spacings(reader, stamp, channel):
        try:
            rate = rate_of(path, spacing)
            first = index_of(path, spans[number].start, rate)
        except DataError as error:
            errors.append(error)
        else:
            length = round(spans[number].duration * rate)
            frames.append(
                Stretch(
                    channel=channel, first=first, length=length, sample_rate=rate, key=str(number)
                )
            )
    if not frames:
        gone = DataError(f"{path}: no longer holds {channel}; run again with the files at rest")
        raise next(iter(errors), gone)
    held = settled(path, frames)
    return replace(held, errors=(*errors, *held.errors))


def _spacings(reader: _Opened, stamp: Hashable, channel: str) -> Iterator[tuple[int, float]]:
    """Yield the spacing [s] in each frame that holds a channel."""
    numbers = range(len(reader.frame_spans))
    if len(numbers) == 1:
        yield 0, 1 / _frame(reader, stamp, channel, 0).sample_rate
        return
    # Of many, none is decompressed for its rate: that is a twentieth of the time.
    stream, name = _core.IFrameFStream(reader.where), reader.own(channel)
    toc = stream.get_toc()
    if name in list(toc.get_proc()):
        ask = stream.read_fr_proc_data
    elif name in list(toc.get_adc()):
        ask = stream.read_fr_adc_data
    else:
        ask = stream.read_fr_sim_data
    for number in numbers:
        try:
            vector = ask(number, name).get_data_vector(0)
        except ValueError as error:
            if not is_lacking(error):
                raise
            continue
        yield number, vector.get_dim(0).dx if vector.get_n_dim() else 0.0


def _joined(frames: Sequence[Stretch]) -> list[Stretch]:
    """Join frames that touch."""
    found: list[Stretch] = []
    for frame in frames:
        if found and found[-1].last == frame.first:
            found[-1] = replace(found[-1], length=found[-1].length + frame.length)
        else:
            found.append(frame)
    return found
