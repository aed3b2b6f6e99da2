"""HDF5 as gwpy writes it: one data set a channel, with x0 and dx."""

from collections.abc import Sequence

import h5py

from transforms.ingest import filename
from transforms.ingest.series import Stretch, index_of, rate_of

_START = ("x0", "t0", "epoch")
_SPACING = ("dx", "dt")


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
    own = dataset.name.rsplit("/", 1)[-1]
    for name in (own, _text(dataset, "channel"), _text(dataset, "name")):
        if filename.is_channel(name):
            return name
    return f"{filename.interferometer(path)}:{own}"


def _text(dataset: h5py.Dataset, name: str) -> str:
    value = dataset.attrs.get(name, "")
    return value.decode() if isinstance(value, bytes) else str(value)
