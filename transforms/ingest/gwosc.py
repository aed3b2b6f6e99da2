"""HDF5 as GWOSC publishes it: strain, data-quality mask and injection mask."""

from collections.abc import Sequence
from typing import Any

import h5py

from transforms.elements import Interval
from transforms.ingest import filename, quality
from transforms.ingest.series import DataError, Stretch, index_of, rate_of

_STRAIN = "strain/Strain"
_MASKS = (
    ("quality/simple/DQmask", "quality/simple/DQShortnames"),
    ("quality/injections/Injmask", "quality/injections/InjShortnames"),
)


def recognises(file: h5py.File) -> bool:
    """Tell whether a file has this layout."""
    return isinstance(file.get(_STRAIN), h5py.Dataset)


def contents(file: h5py.File, path: str, require: Sequence[str]) -> list[Stretch]:
    """Give the one channel of a file.

    Raises:
        DataError: The file holds less than it promises.
    """
    strain = file[_STRAIN]
    rate = rate_of(path, float(strain.attrs.get("Xspacing", 0)))
    start = strain.attrs.get("Xstart")
    first = index_of(path, filename.gps_start(path) if start is None else start, rate)
    _check_length(path, strain)
    failed = [item for mask, names in _MASKS for item in _failed(file, path, mask, names)]
    gaps, flags = quality.sorted_out(failed, require)
    channel = _channel(file, path, rate)
    return [Stretch(channel, first, len(strain), rate, _STRAIN, tuple(gaps), tuple(flags))]


def _channel(file: h5py.File, path: str, rate: int) -> str:
    """Name the channel after its detector and rate, so that files of a kind go together."""
    detector = file.get("meta/Detector")
    ifo = detector[()].decode() if detector is not None else filename.interferometer(path)
    return f"{ifo}:GWOSC-{rate // 1024}KHZ_STRAIN" if rate >= 1024 else f"{ifo}:GWOSC_STRAIN"


def _failed(file: h5py.File, path: str, mask: str, names: str) -> list[Interval]:
    if mask not in file or names not in file:
        return []
    values = file[mask]
    rate = rate_of(path, float(values.attrs.get("Xspacing", 1)))
    start = values.attrs.get("Xstart", file[_STRAIN].attrs.get("Xstart"))
    first = index_of(path, filename.gps_start(path) if start is None else start, rate)
    _check_length(path, values)
    return quality.unset_bits(values[:], [name.decode() for name in file[names][:]], first, rate)


def _check_length(path: str, values: Any) -> None:
    promised = int(values.attrs.get("Npoints", len(values)))
    if len(values) < promised:
        raise DataError(
            f"{path}: {len(values)} samples in {values.name} where {promised} are promised;"
            " fetch it again"
        )
