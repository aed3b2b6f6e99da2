"""HDF5 as gwpy and PyCBC write it: one data set a channel, with its start and spacing."""

from collections.abc import Sequence

import h5py

from transforms.ingest import filename
from transforms.ingest.series import Stretch, index_of, rate_of

_START = ("x0", "t0", "epoch", "start_time")
_SPACING = ("dx", "dt", "delta_t")


def recognises(file: h5py.File) -> bool:
    """Tell whether a file has this layout."""
    return bool(_series(file))


def contents(file: h5py.File, path: str, _require: Sequence[str]) -> list[Stretch]:
    """Give the channels of a file; the layout has no data quality.

    Raises:
        DataError: A channel has no sample rate, start or interferometer.
    """
    return [_stretch(path, dataset) for dataset in _series(file)]


def _series(file: h5py.File) -> list[h5py.Dataset]:
    groups = [file, *(item for item in file.values() if isinstance(item, h5py.Group))]
    return [item for group in groups for item in group.values() if _is_series(item)]


def _is_series(item: object) -> bool:
    return (
        isinstance(item, h5py.Dataset)
        and item.ndim == 1
        and item.dtype.kind in "fiu"
        and any(name in item.attrs for name in (*_START, *_SPACING))
        and _text(item, "xunit") in ("", "s")
    )


def _stretch(path: str, dataset: h5py.Dataset) -> Stretch:
    spacing = next((dataset.attrs[name] for name in _SPACING if name in dataset.attrs), 0.0)
    rate = rate_of(path, float(spacing))
    start = next((dataset.attrs[name] for name in _START if name in dataset.attrs), None)
    first = index_of(path, filename.gps_start(path) if start is None else float(start), rate)
    return Stretch(_channel(path, dataset), first, len(dataset), rate, dataset.name)


def _channel(path: str, dataset: h5py.Dataset) -> str:
    """Give the channel that the data set names, else its key with the file's detector.

    gwpy names it in the key or an attribute, PyCBC in the key: H1:NAME, H1/NAME, or H1 alone.
    What is just called data or strain is STRAIN.
    """
    key = dataset.name.strip("/").replace("/", ":", 1)
    own = dataset.name.rsplit("/", 1)[-1]
    said = (own, _text(dataset, "channel"), _text(dataset, "name"), key, f"{key}:STRAIN")
    for name in said:
        if filename.is_channel(name):
            return name
    ifo = filename.interferometer(path)
    return f"{ifo}:STRAIN" if key in ("data", "strain") else f"{ifo}:{key}"


def _text(dataset: h5py.Dataset, name: str) -> str:
    value = dataset.attrs.get(name, "")
    return value.decode() if isinstance(value, bytes) else str(value)
