"""The door to files of strain: told apart by their content, never by asking.

GWOSC, gwpy and PyCBC HDF5, GWOSC's text, and GWF frames. What a file is, is read from its
first bytes; what it holds, from its own metadata and, where that is silent, from its name.
"""

import os
import stat
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from transforms import gps
from transforms.arrays import FloatArray
from transforms.elements import Span
from transforms.ingest import channels, filename, gwf_frames, quality, resample
from transforms.ingest.config import IngestConfig
from transforms.ingest.errors import DataError
from transforms.ingest.files import gwf, hdf5, text
from transforms.ingest.files.stretches import Held, Stretch
from transforms.ingest.intervals import tiled
from transforms.ingest.sampling import LATEST
from transforms.kinds import LetterKind
from transforms.texts import line

CHUNK = 1 << 20
"""Samples looked at together when a file is inspected: 8 MiB."""
SUFFIXES = (".hdf5", ".hdf", ".h5", ".gwf", ".txt", ".txt.gz")
"""How names of files of strain end: which files of a folder are looked at, and nothing else."""


class Format(Protocol):
    """What a module of a file format offers."""

    def channels(self, path: str) -> list[str]:
        """Return the names of the channels in a file; one that cannot be used as it is there."""

    def stretches(self, path: str, channel: str, require: Sequence[str]) -> Held:
        """Return what a file holds of a channel, with its data quality."""

    def read(self, path: str, channel: str, start_ns: int, end_ns: int) -> tuple[FloatArray, int]:
        """Read the strain of [start, end), not to be written to, and its rate in the file."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a file holds, and what of it cannot be used."""

    spans: tuple[Span, ...]
    errors: tuple[DataError, ...] = ()
    checks: tuple[str, ...] = ()
    """Names of the bits of its masks of data quality."""


def look(path: str, config: IngestConfig) -> Found:
    """Find what a file says that it holds: its channels, times, and gaps and flags by its masks.

    No sample is looked at; `examine` does. Nothing is raised: what is wrong with a file is
    among the errors, one for each channel or part that cannot be used.
    """
    try:
        with _guarded(path):
            _refuse_streams(path)
            source = _recognised(path)
            names = source.channels(path)
        wanted = channels.chosen(path, names, config.channels)
    except DataError as error:
        return Found(spans=(), errors=(error,))
    spans: list[Span] = []
    errors: list[DataError] = []
    checks: list[str] = []
    for name in wanted:
        try:
            with _guarded(path):
                held = source.stretches(path, name, config.require)
            spans += [_span(path, stretch, config.resample_rate) for stretch in held.stretches]
        except DataError as error:
            errors.append(error)
        else:
            errors += held.errors
            checks += held.checks
    return Found(spans=tuple(spans), errors=tuple(errors), checks=tuple(dict.fromkeys(checks)))


def describe(path: str, config: IngestConfig) -> list[Span]:
    """Find what a file says that it holds, as `look` does.

    Raises:
        DataError: The file, or a part of it, cannot be used.
    """
    return _all_of(look(path, config))


def examine(path: str, config: IngestConfig, window: tuple[int, int] | None = None) -> Found:
    """Find what of a file can be analysed: its channels, times, gaps and flags.

    All of the strain is looked at, in chunks, since masks do not tell of NaN. A constant
    run at an end of a span is among its gaps however short (`quality.scan`): the plan,
    which knows the next file, judges it.

    Args:
        path: The file.
        config: Which channels are read, and how.
        window: Look at samples of [start, end) only [GPS ns]; None: at all of them.
    """
    found = look(path, config)
    errors = list(found.errors)
    spans: list[Span] = []
    by_channel = defaultdict(list)
    for span in found.spans:
        by_channel[span.channel].append(span)
    for channel, own in by_channel.items():
        try:
            spans += _scanned(path, channel, own, window)
        except DataError as error:
            errors.append(error)
    return replace(found, spans=tuple(spans), errors=tuple(errors))


def inspect(path: str, config: IngestConfig) -> list[Span]:
    """Find what of a file can be analysed, as `examine` does.

    Raises:
        DataError: The file, or a part of it, cannot be used; one line says why and what to do.
    """
    return _all_of(examine(path, config))


def _all_of(found: Found) -> list[Span]:
    if found.errors:
        raise found.errors[0]
    return list(found.spans)


def read_native(path: str, channel: str, start_ns: int, end_ns: int) -> tuple[FloatArray, int]:
    """Read the strain of [start, end) at the file's own rate, and that rate [Hz].

    Raises:
        DataError: The file cannot be read, or does not hold the stretch.
    """
    with _guarded(path):
        return _recognised(path).read(path, channel, start_ns, end_ns)


@contextmanager
def _guarded(path: str) -> Iterator[None]:
    """Turn whatever reading a file raises into a `DataError`.

    Here alone any exception is taken for the file's fault: what libraries raise about files
    of strangers is more than can be listed, and one file must not end the run of all.
    """
    try:
        yield
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(f"{path}: needs more memory than there is; cut it into parts") from error
    except Exception as error:
        what = f"{type(error).__name__}: {line(error)}"
        raise DataError(f"{path}: cannot be read ({what}); fetch or write it again") from error


def read(path: str, channel: str, start_ns: int, end_ns: int, sample_rate: int) -> FloatArray:
    """Read the strain of [start, end) from one file, shape [time], float64; copy it to write.

    A channel of another rate is resampled; the file must then hold `resample.margin_ns`
    on both sides of the stretch. Blocks read across files and need no such thing.

    Raises:
        DataError: The file cannot be read, or does not hold the stretch.
    """
    samples, rate = read_native(path, channel, start_ns, end_ns)
    if rate == sample_rate:
        return samples
    margin = resample.margin_ns(sample_rate)
    samples, rate = read_native(path, channel, start_ns - margin, end_ns + margin)
    span = gps.to_index(start_ns, sample_rate), gps.to_index(end_ns, sample_rate)
    first = gps.to_index(start_ns - margin, rate)
    return resample.resample(samples, first, rate, sample_rate, span)


def _refuse_streams(path: str) -> None:
    """Check that a path is no pipe, socket or terminal: to open one may wait for ever."""
    with suppress(OSError):
        mode = os.stat(path).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode):
            why = "is a pipe or device, which cannot be read twice; write it into a file"
            raise DataError(f"{path}: {why}", LetterKind.ACCESS)


def _recognised(path: str) -> Format:
    try:
        with open(path, "rb") as file:
            head = file.read(8)
    except FileNotFoundError:
        why = "no such file; check the path or pattern"
        raise DataError(f"{path}: {why}", LetterKind.ACCESS) from None
    except IsADirectoryError:
        why = "is a directory; name the files in it"
        raise DataError(f"{path}: {why}", LetterKind.ACCESS) from None
    except OSError as error:
        why = f"cannot be opened ({error.strerror}); check its permissions"
        raise DataError(f"{path}: {why}", LetterKind.ACCESS) from error
    if head == hdf5.MAGIC:
        return hdf5
    if head.startswith(gwf_frames.MAGIC):
        return gwf
    if head.startswith((text.MAGIC, text.ZIPPED)):
        return text
    if hdf5.is_behind_block(path):
        return hdf5
    what = "is neither HDF5 nor GWF, nor GWOSC's text, inside" if head else "is empty"
    raise DataError(f"{path}: {what}; fetch or convert it again", LetterKind.UNKNOWN_FORMAT)


def _span(path: str, stretch: Stretch, ceiling: int) -> Span:
    rate = resample.rate_for(stretch.sample_rate, ceiling)
    if stretch.end_ns > LATEST * gps.NANOSECONDS:
        raise DataError(
            f"{path}: {stretch.channel} ends after GPS {LATEST} s; write it again with its times",
            LetterKind.METADATA,
        )
    return Span(
        path=path,
        ifo=filename.interferometer(path, stretch.channel),
        channel=stretch.channel,
        gps_start_ns=stretch.start_ns,
        gps_end_ns=stretch.end_ns,
        sample_rate=rate,
        gaps=tuple(stretch.gaps),
        flags=tuple(stretch.flags),
        file_rate=0 if rate == stretch.sample_rate else stretch.sample_rate,
    )


def _scanned(
    path: str, channel: str, spans: Sequence[Span], window: tuple[int, int] | None
) -> list[Span]:
    """Add the gaps that the samples of a channel show.

    Raises:
        DataError: Nothing of it is finite, or it cannot be read.
    """
    scans = [_scan(span, window) for span in spans]
    whole = all(scan.whole for scan in scans)
    if whole and not any(scan.usable for scan in scans):
        raise DataError(f"{path}: no finite sample of {channel}; leave the file out")
    return [scan.span for scan in scans]


@dataclass(frozen=True)
class _Scan:
    span: Span
    whole: bool
    """All of its samples were looked at."""
    usable: bool
    """One was finite, or its masks alone leave nothing of it."""


def _scan(span: Span, window: tuple[int, int] | None) -> _Scan:
    rate = span.file_rate or span.sample_rate
    ends = span.gps_start_ns, span.gps_end_ns
    first, last = (gps.to_index(time, rate) for time in ends)
    begin, end = first, last
    if window is not None:
        begin = max(first, gps.to_index(window[0], rate))
        end = min(last, gps.to_index(window[1], rate))
    gaps = list(span.gaps)
    finite = False
    for at in range(begin, end, CHUNK):
        times = gps.to_ns(at, rate), gps.to_ns(min(at + CHUNK, end), rate)
        chunk, _ = read_native(span.path, span.channel, *times)
        finite = finite or bool(np.isfinite(chunk).any())
        gaps += quality.scan(chunk, at, rate)
    scanned = replace(span, gaps=tuple(quality.open_ended(gaps, *ends, span.sample_rate)))
    return _Scan(scanned, (begin, end) == (first, last), finite or _is_masked(span))


def _is_masked(span: Span) -> bool:
    """Return whether masks alone leave nothing of a span: then its strain may be missing."""
    tiles = tiled(span.gaps, span.gps_start_ns, span.gps_end_ns)
    return bool(tiles) and all(tile.name for tile in tiles)
