"""The door to files of strain: told apart by their content, never by asking.

GWOSC, gwpy and PyCBC HDF5, and GWF frames. What a file is, is read from its first
bytes; what it holds, from its own metadata and, where that is silent, from a file name
after LIGO-T050017.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from transforms import gps
from transforms.elements import FloatArray, Span
from transforms.ingest import filename, gwf, gwf_frames, hdf5, quality, resample
from transforms.ingest.config import IngestConfig
from transforms.ingest.intervals import tiled
from transforms.ingest.series import DataError, Stretch

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


def inspect(path: str, config: IngestConfig) -> list[Span]:
    """Find what of a file can be analysed: its channels, times, gaps and flags.

    All of the strain is looked at, in chunks, since masks do not tell of NaN. A constant
    run at an end of a span is among its gaps however short (`quality.scan`): the plan,
    which knows the next file, judges it.

    Raises:
        DataError: The file cannot be used; one line says why and what to do.
    """
    source = _recognised(path)
    names = chosen(path, source.channels(path), config.channels)
    return [
        _span(path, source, stretch, config)
        for name in names
        for stretch in source.stretches(path, name, config.require)
    ]


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
        raise DataError(f"{path}: no such file; check the path or pattern") from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a directory; name the files in it") from None
    except OSError as error:
        text = error.strerror
        raise DataError(f"{path}: cannot be opened ({text}); check its permissions") from error
    if head == hdf5.MAGIC:
        return hdf5
    if head.startswith(gwf_frames.MAGIC):
        return gwf
    what = "is neither HDF5 nor GWF inside" if head else "is empty"
    raise DataError(f"{path}: {what}; fetch or convert it again")


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
                " name one of these with --channel"
            )
        return found
    by_ifo = defaultdict(list)
    for name in names:
        # Where a detector is down, its state may come alone: that is no strain.
        if quality.STATE_CHANNEL in name:
            continue
        by_ifo[filename.interferometer(path, name)].append(name)
    if not by_ifo:
        raise DataError(f"{path}: no strain; it holds {_listed(names)}; leave it out")
    return [_only(path, candidates) for candidates in by_ifo.values()]


def _only(path: str, names: Sequence[str]) -> str:
    candidates = [name for name in names if _STRAIN.search(name)] or names
    if len(candidates) > 1:
        raise DataError(
            f"{path}: several channels may be the strain: {_listed(candidates)};"
            " name one with --channel"
        )
    return candidates[0]


def _listed(names: Iterable[str], most: int = 10) -> str:
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def _span(path: str, source: Format, stretch: Stretch, config: IngestConfig) -> Span:
    start_ns, end_ns, file_rate = stretch.start_ns, stretch.end_ns, stretch.sample_rate
    gaps = list(stretch.gaps)
    finite = False
    for begin in range(stretch.first, stretch.first + stretch.length, CHUNK):
        stop = min(begin + CHUNK, stretch.first + stretch.length)
        times = gps.to_ns(begin, file_rate), gps.to_ns(stop, file_rate)
        chunk, _ = source.read(path, stretch.channel, *times)
        finite = finite or bool(np.isfinite(chunk).any())
        gaps += quality.scan(chunk, begin, file_rate)
    rate = resample.rate_for(file_rate, config.resample_rate)
    if not finite and not _is_masked(stretch):
        raise DataError(f"{path}: no finite sample of {stretch.channel}; leave the file out")
    return Span(
        path=path,
        ifo=filename.interferometer(path, stretch.channel),
        channel=stretch.channel,
        gps_start_ns=start_ns,
        gps_end_ns=end_ns,
        sample_rate=rate,
        gaps=tuple(quality.open_ended(gaps, start_ns, end_ns, rate)),
        flags=tuple(stretch.flags),
        file_rate=0 if rate == file_rate else file_rate,
    )


def _is_masked(stretch: Stretch) -> bool:
    """Tell whether masks alone leave nothing of a stretch: then its strain may be missing."""
    tiles = tiled(stretch.gaps, stretch.start_ns, stretch.end_ns)
    return stretch.length > 0 and all(tile.name for tile in tiles)
