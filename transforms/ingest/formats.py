"""The door to files of strain: told apart by their content, never by asking.

GWOSC, gwpy and PyCBC HDF5, and GWF frames. What a file is, is read from its first
bytes; what it holds, from its own metadata and, where that is silent, from a file name
after LIGO-T050017.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from transforms import gps
from transforms.elements import FloatArray, Span
from transforms.ingest import filename, gwf, gwf_frames, hdf5, quality, resample
from transforms.ingest.config import IngestConfig
from transforms.ingest.intervals import tiled
from transforms.ingest.series import DataError, Stretch
from transforms.kinds import LetterKind

CHUNK = 1 << 20
"""Samples looked at together when a file is inspected: 8 MiB."""
_STRAIN = re.compile(r"strain|:h_|:Hrec_hoft", re.IGNORECASE)


class Format(Protocol):
    """What a module of a file format offers."""

    def channels(self, path: str) -> list[str]:
        """Give the names of the channels in a file."""

    def stretches(self, path: str, channel: str, require: Sequence[str]) -> list[Stretch]:
        """Give what a file holds of a channel, with its data quality."""

    def read(self, path: str, channel: str, start_ns: int, end_ns: int) -> tuple[FloatArray, int]:
        """Read the strain of [start, end), not to be written to, and its rate in the file."""


def describe(path: str, config: IngestConfig) -> list[Span]:
    """Find what a file says that it holds: its channels, times, and gaps and flags by its masks.

    No sample is looked at; `inspect` does.

    Raises:
        DataError: The file cannot be used; one line says why and what to do.
    """
    source = _recognised(path)
    names = chosen(path, source.channels(path), config.channels)
    return [
        _span(path, stretch, config.resample_rate)
        for name in names
        for stretch in source.stretches(path, name, config.require)
    ]


def inspect(path: str, config: IngestConfig) -> list[Span]:
    """Find what of a file can be analysed: its channels, times, gaps and flags.

    All of the strain is looked at, in chunks, since masks do not tell of NaN. A constant
    run at an end of a span is among its gaps however short (`quality.scan`): the plan,
    which knows the next file, judges it.

    Raises:
        DataError: The file cannot be used; one line says why and what to do.
    """
    return [_scanned(span) for span in describe(path, config)]


def read_native(path: str, channel: str, start_ns: int, end_ns: int) -> tuple[FloatArray, int]:
    """Read the strain of [start, end) at the file's own rate, and that rate [Hz].

    Raises:
        DataError: The file cannot be read, or does not hold the stretch.
    """
    return _recognised(path).read(path, channel, start_ns, end_ns)


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


def _recognised(path: str) -> Format:
    try:
        with open(path, "rb") as file:
            head = file.read(8)
    except FileNotFoundError:
        text = "no such file; check the path or pattern"
        raise DataError(f"{path}: {text}", LetterKind.ACCESS) from None
    except IsADirectoryError:
        text = "is a directory; name the files in it"
        raise DataError(f"{path}: {text}", LetterKind.ACCESS) from None
    except OSError as error:
        text = f"cannot be opened ({error.strerror}); check its permissions"
        raise DataError(f"{path}: {text}", LetterKind.ACCESS) from error
    if head == hdf5.MAGIC:
        return hdf5
    if head.startswith(gwf_frames.MAGIC):
        return gwf
    what = "is neither HDF5 nor GWF inside" if head else "is empty"
    text = f"{path}: {what}; fetch or convert it again"
    raise DataError(text, LetterKind.UNKNOWN_FORMAT)


def chosen(path: str, names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Choose the channels to read: those wanted, or the one strain of each detector.

    Raises:
        DataError: None is there, or it cannot be told which is the strain.
    """
    if wanted:
        found = [name for name in wanted if name in names]
        if not found:
            raise DataError(
                f"{path}: no channel {_listed(wanted)}; it holds {_listed(names)};"
                " name one of these with --channel",
                LetterKind.CHANNEL,
            )
        return found
    by_ifo = defaultdict(list)
    for name in names:
        # Where a detector is down, its state may come alone: that is no strain.
        if quality.STATE_CHANNEL in name:
            continue
        by_ifo[filename.interferometer(path, name)].append(name)
    if not by_ifo:
        text = f"no strain; it holds {_listed(names)}; leave it out"
        raise DataError(f"{path}: {text}", LetterKind.CHANNEL)
    return [_only(path, candidates) for candidates in by_ifo.values()]


def _only(path: str, names: Sequence[str]) -> str:
    candidates = [name for name in names if _STRAIN.search(name)] or names
    if len(candidates) > 1:
        raise DataError(
            f"{path}: several channels may be the strain: {_listed(candidates)};"
            " name one with --channel",
            LetterKind.CHANNEL,
        )
    return candidates[0]


def _listed(names: Iterable[str], most: int = 10) -> str:
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def _span(path: str, stretch: Stretch, ceiling: int) -> Span:
    rate = resample.rate_for(stretch.sample_rate, ceiling)
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


def _scanned(span: Span) -> Span:
    """Add the gaps that the samples of a span show."""
    rate = span.file_rate or span.sample_rate
    first, last = (gps.to_index(time, rate) for time in (span.gps_start_ns, span.gps_end_ns))
    gaps = list(span.gaps)
    finite = False
    for begin in range(first, last, CHUNK):
        times = gps.to_ns(begin, rate), gps.to_ns(min(begin + CHUNK, last), rate)
        chunk, _ = read_native(span.path, span.channel, *times)
        finite = finite or bool(np.isfinite(chunk).any())
        gaps += quality.scan(chunk, begin, rate)
    if not finite and not _is_masked(span):
        raise DataError(f"{span.path}: no finite sample of {span.channel}; leave the file out")
    ends = span.gps_start_ns, span.gps_end_ns
    return replace(span, gaps=tuple(quality.open_ended(gaps, *ends, span.sample_rate)))


def _is_masked(span: Span) -> bool:
    """Tell whether masks alone leave nothing of a span: then its strain may be missing."""
    tiles = tiled(span.gaps, span.gps_start_ns, span.gps_end_ns)
    return bool(tiles) and all(tile.name for tile in tiles)
