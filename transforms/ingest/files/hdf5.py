"""HDF5 files: which layout one has, and its samples, without reading the whole."""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import ModuleType

import h5py
import numpy as np

from transforms import gps
from transforms.arrays import FloatArray
from transforms.ingest import frame_cache, quality
from transforms.ingest.errors import DataError
from transforms.ingest.files import gwosc_hdf5, gwpy_hdf5
from transforms.ingest.files.stretches import Held, Stretch, settled
from transforms.kinds import LetterKind
from transforms.texts import line

MAGIC = b"\x89HDF\r\n\x1a\n"
_LAYOUTS = (gwosc_hdf5, gwpy_hdf5)
_PIECE = 1 << 17
"""Samples decompressed together: 1 MiB, so that little is in vain where few are wanted."""
_LEAST_WRITTEN = 1000
"""Of so many samples that are promised, one at least was written."""
_FIRST_BLOCK = 512
"""Least size of what may lie before HDF5; it is that times a power of two [bytes]."""


def is_behind_block(path: str) -> bool:
    """Return whether HDF5 begins behind something else, as in files of MATLAB."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        at = _FIRST_BLOCK
        while at < size:
            file.seek(at)
            if file.read(len(MAGIC)) == MAGIC:
                return True
            at *= 2
    return False


def channels(path: str) -> list[str]:
    """Return the names of the channels in a file.

    Raises:
        DataError: The file cannot be read, or has no layout that is known.
    """
    with _opened(path) as file:
        names: list[str] = _layout(file, path).channels(file, path)
        return names


def stretches(path: str, channel: str, require: Sequence[str]) -> Held:
    """Return what a file holds of a channel, with its data quality.

    Raises:
        DataError: The file cannot be read, or promises more than it holds.
    """
    with _opened(path) as file:
        layout = _layout(file, path)
        held = _held(layout, file, path, channel)
        extents = [(item.start_ns, item.end_ns) for item in held.stretches]
        judged = layout.quality(file, path, channel, extents, require)
        failed = [item for each in judged for item in each.failed]
        gaps, flags = (tuple(items) for items in quality.sorted_out(failed, require))
        return replace(
            held,
            stretches=tuple(replace(item, gaps=gaps, flags=flags) for item in held.stretches),
            checks=tuple(name for each in judged for name in each.names),
        )


def read(path: str, channel: str, start_ns: int, end_ns: int) -> tuple[FloatArray, int]:
    """Read the strain of [start, end), float64, not to be written to, and its rate [Hz].

    Raises:
        DataError: The file cannot be read, or does not hold the stretch.
    """
    stamp = frame_cache.stamp(path)
    with _opened(path) as file:
        pieces = [
            piece
            for stretch in _held(_layout(file, path), file, path, channel).stretches
            for piece in _pieces(file, stamp, stretch, start_ns, end_ns)
        ]
    return frame_cache.joined(path, channel, pieces, start_ns, end_ns)


def _pieces(
    file: h5py.File, stamp: Hashable, stretch: Stretch, start_ns: int, end_ns: int
) -> Iterator[frame_cache.Part]:
    """Yield what a stretch holds of [start, end), in pieces that are kept."""
    rate = stretch.sample_rate
    origin = stretch.first - stretch.skip
    begin = max(gps.to_index(start_ns, rate), stretch.first) - origin
    end = min(gps.to_index(end_ns, rate), stretch.last) - origin
    size = _piece_size(file[stretch.key])
    for at in range(begin - begin % size, end, size):
        key = stamp, stretch.channel, stretch.key, at
        part = frame_cache.KEPT.part(key, partial(_piece, file, stretch, at, size))
        yield frame_cache.within(part, stretch.first, stretch.last)


def _piece_size(strain: h5py.Dataset) -> int:
    """Return a number of samples that splits no chunk, since a chunk is decompressed whole."""
    chunk: int = strain.chunks[0] if strain.chunks else 1
    return chunk * max(1, _PIECE // chunk)


def _piece(file: h5py.File, stretch: Stretch, first: int, size: int) -> frame_cache.Part:
    samples = np.asarray(file[stretch.key][first : first + size], np.float64)
    return frame_cache.Part(stretch.first - stretch.skip + first, stretch.sample_rate, samples)


@contextmanager
def _opened(path: str) -> Iterator[h5py.File]:
    try:
        # An archive is read only, often from file systems that cannot lock.
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except (OSError, KeyError, RuntimeError) as error:
        raise DataError(
            f"{path}: cannot be read as HDF5, truncated or damaged; fetch it again ({line(error)})"
        ) from error


def _layout(file: h5py.File, path: str) -> ModuleType:
    for layout in _LAYOUTS:
        if layout.recognises(file):
            return layout
    names = ", ".join(list(file)[:5]) or "nothing"
    raise DataError(
        f"{path}: no sample rate: it holds {names}, but no strain in the layout of GWOSC, gwpy"
        " or PyCBC; write it with gwpy's TimeSeries.write",
        LetterKind.METADATA,
    )


def _held(layout: ModuleType, file: h5py.File, path: str, channel: str) -> Held:
    """Return where a channel is in a file, without its data quality."""
    found, errors = layout.stretches(file, path, channel)
    if not found and errors:
        raise errors[0]
    if not found:
        raise DataError(f"{path}: no longer holds {channel}; run again with the files at rest")
    for item in found:
        _check_written(file[item.key], path)
    held = settled(path, found)
    return replace(held, errors=(*errors, *held.errors))


def _check_written(strain: h5py.Dataset, path: str) -> None:
    """Check that samples were written: a file of 2 kB may promise any number of them.

    Each that was promised is looked at. Where nearly none is there, that takes days.
    """
    elsewhere = strain.is_virtual or strain.external is not None
    stored = strain.id.get_storage_size()
    if not strain.size or elsewhere or stored * _LEAST_WRITTEN > strain.size:
        return
    written = strain.id.get_num_chunks() * strain.chunks[0] if stored and strain.chunks else 0
    if written * _LEAST_WRITTEN < strain.size:
        found = f"only {written} were" if written else "none was"
        raise DataError(
            f"{path}: {len(strain)} samples are promised in {strain.name} and {found} written;"
            " fetch it again"
        )
