"""HDF5 as PyCBC saves it: one data set a channel, with start_time and delta_t."""

from collections.abc import Sequence

import h5py

from transforms.ingest import filename
from transforms.ingest.series import Stretch, index_of, rate_of


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
        and ("delta_t" in item.attrs or "start_time" in item.attrs)
    )


def _stretch(path: str, dataset: h5py.Dataset) -> Stretch:
    rate = rate_of(path, float(dataset.attrs.get("delta_t", 0)))
    start = dataset.attrs.get("start_time")
    first = index_of(path, filename.gps_start(path) if start is None else float(start), rate)
    return Stretch(_channel(path, dataset.name), first, len(dataset), rate, dataset.name)


def _channel(path: str, key: str) -> str:
    """Give H1:NAME for a key that says it, with a colon or a group; else H1:STRAIN."""
    name = key.strip("/").replace("/", ":", 1)
    if filename.is_channel(name):
        return name
    if filename.is_channel(f"{name}:STRAIN"):
        return f"{name}:STRAIN"
    ifo = filename.interferometer(path)
    return f"{ifo}:STRAIN" if name.lower() in ("data", "strain") else f"{ifo}:{name}"
