"""HDF5 files: which layout one has, and its samples, without reading the whole."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import h5py
import numpy as np

from transforms import gps
from transforms.elements import FloatArray
from transforms.ingest import dataset_hdf5, decoded, gwosc
from transforms.ingest.series import DataError, Stretch, line
from transforms.kinds import LetterKind

MAGIC = b"\x89HDF\r\n\x1a\n"
_LAYOUTS = (gwosc, dataset_hdf5)
_PIECE = 1 << 17
"""Samples decompressed together: 1 MiB, so that little is in vain where few are wanted."""


def channels(path: str) -> list[str]:
    """Give the names of the channels in a file.

    Raises:
        DataError: The file cannot be read, or has no layout that is known.
    """
    with _opened(path) as file:
        return [stretch.channel for stretch in _contents(file, path, ())]


def stretches(path: str, channel: str, require: Sequence[str]) -> list[Stretch]:
    """Give what a file holds of a channel, with its data quality.

    Raises:
        DataError: The file cannot be read, or promises more than it holds.
    """
    with _opened(path) as file:
        return [_found(file, path, channel, require)]


def read(path: str, channel: str, start_ns: int, end_ns: int) -> tuple[FloatArray, int]:
    """Read the strain of [start, end), float64, not to be written to, and its rate [Hz].

    Raises:
        DataError: The file cannot be read, or does not hold the stretch.
    """
    stamp = decoded.stamp(path)
    with _opened(path) as file:
        stretch = _found(file, path, channel, ())
        begin = gps.to_index(start_ns, stretch.sample_rate) - stretch.first
        end = gps.to_index(end_ns, stretch.sample_rate) - stretch.first
        size = _piece_size(file[stretch.key])
        pieces = [
            decoded.KEPT.part((stamp, channel, at), partial(_piece, file, stretch, at, size))
            for at in range(max(0, begin - begin % size), min(end, stretch.length), size)
        ]
    return decoded.joined(path, channel, pieces, start_ns, end_ns)


def _piece_size(strain: h5py.Dataset) -> int:
    """Give a number of samples that splits no chunk, since a chunk is decompressed whole."""
    chunk: int = strain.chunks[0] if strain.chunks else 1
    return chunk * max(1, _PIECE // chunk)


def _piece(file: h5py.File, stretch: Stretch, first: int, size: int) -> decoded.Part:
    samples = np.asarray(file[stretch.key][first : first + size], np.float64)
    return decoded.Part(stretch.first + first, stretch.sample_rate, samples)


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


def _contents(file: h5py.File, path: str, require: Sequence[str]) -> list[Stretch]:
    for layout in _LAYOUTS:
        if layout.recognises(file):
            contents: list[Stretch] = layout.contents(file, path, require)
            return contents
    names = ", ".join(list(file)[:5]) or "nothing"
    raise DataError(
        f"{path}: no sample rate: it holds {names}, but no strain in the layout of GWOSC, gwpy"
        " or PyCBC; write it with gwpy's TimeSeries.write",
        LetterKind.METADATA,
    )


def _found(file: h5py.File, path: str, channel: str, require: Sequence[str]) -> Stretch:
    for stretch in _contents(file, path, require):
        if stretch.channel == channel:
            return stretch
    raise DataError(f"{path}: no longer holds {channel}; run again with the files at rest")
