"""HDF5 as GWOSC publishes it: strain, data-quality mask and injection mask."""

from collections.abc import Sequence
from dataclasses import dataclass

import h5py

from transforms.ingest import filename, masks
from transforms.ingest.errors import DataError
from transforms.ingest.files import attributes
from transforms.ingest.files.stretches import Stretch
from transforms.ingest.names import is_interferometer
from transforms.ingest.sampling import index_of, rate_of
from transforms.kinds import LetterKind

_STRAIN = "strain/Strain"


@dataclass(frozen=True, kw_only=True)
class _Mask:
    """Where a mask is in a file."""

    role: masks.Role
    values: str
    names: str
    """Of its bits."""


_MASKS = (
    _Mask(
        role=masks.Role.QUALITY,
        values="quality/simple/DQmask",
        names="quality/simple/DQShortnames",
    ),
    _Mask(
        role=masks.Role.INJECTIONS,
        values="quality/injections/Injmask",
        names="quality/injections/InjShortnames",
    ),
)


def recognises(file: h5py.File) -> bool:
    """Return whether a file has this layout."""
    return isinstance(file.get(_STRAIN), h5py.Dataset) and (
        "Xspacing" in file[_STRAIN].attrs or "meta" in file
    )


def channels(file: h5py.File, path: str) -> list[str]:
    """Return the name of the one channel of a file.

    Raises:
        DataError: It has no sample rate.
    """
    return [_channel(file, path, _rate(file, path))]


def stretches(file: h5py.File, path: str, channel: str) -> tuple[list[Stretch], list[DataError]]:
    """Return what the file holds of its one channel.

    Raises:
        DataError: The file holds less than it promises, or not where it is.
    """
    strain, rate = file[_STRAIN], _rate(file, path)
    if strain.ndim != 1 or strain.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: {strain.name} is no row of real numbers; fetch it again",
            LetterKind.METADATA,
        )
    if _channel(file, path, rate) != channel:
        return [], []
    first = index_of(path, _start(path, strain, None), rate)
    _check_length(path, strain)
    return [
        Stretch(channel=channel, first=first, length=len(strain), sample_rate=rate, key=_STRAIN)
    ], []


def quality(
    file: h5py.File,
    path: str,
    _channel_name: str,
    extents: Sequence[tuple[int, int]],
    require: Sequence[str],
) -> list[masks.Judged]:
    """Return what the masks say.

    Raises:
        DataError: A mask cannot be read, or does not name its bits.
    """
    return [
        _judged(file, path, mask, extents, require)
        for mask in _MASKS
        if isinstance(file.get(mask.values), h5py.Dataset)
    ]


def _judged(
    file: h5py.File,
    path: str,
    mask: _Mask,
    extents: Sequence[tuple[int, int]],
    require: Sequence[str],
) -> masks.Judged:
    values = file[mask.values]
    spacing = _seconds(path, values, "Xspacing") if "Xspacing" in values.attrs else 1.0
    where = f"{path}: {mask.values}"
    rate = rate_of(where, spacing)
    first = index_of(where, _start(path, values, file[_STRAIN]), rate)
    _check_length(path, values)
    bits = masks.bits_known(path, mask.role, values.name, _bits(file, mask.names), require)
    part = masks.Part.of(path, values, first, rate)
    return masks.judged(mask.role, [part], bits, extents, require)


def _bits(file: h5py.File, names: str) -> dict[int, str]:
    listed = file.get(names)
    if not isinstance(listed, h5py.Dataset) or listed.ndim != 1 or listed.dtype.kind not in "OS":
        return {}
    return masks.bits_of(
        name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
        for name in listed[:]
    )


def _rate(file: h5py.File, path: str) -> int:
    strain = file[_STRAIN]
    if "Xspacing" not in strain.attrs:
        return rate_of(path, 0.0)
    return rate_of(path, _seconds(path, strain, "Xspacing"))


def _seconds(path: str, values: h5py.Dataset, name: str) -> float:
    return attributes.seconds(path, values, name, attributes.text(values, "Xunits"))


def _start(path: str, values: h5py.Dataset, other: h5py.Dataset | None) -> float:
    """Return where a data set starts [s], or else another, or else the file by its name."""
    for item in (values, other):
        if item is not None and "Xstart" in item.attrs:
            return _seconds(path, item, "Xstart")
    return float(filename.gps_start(path))


def _channel(file: h5py.File, path: str, rate: int) -> str:
    """Name the channel after its detector and rate, so that files of a kind go together."""
    ifo = _detector(file) or filename.interferometer(path)
    return f"{ifo}:GWOSC-{rate // 1024}KHZ_STRAIN" if rate >= 1024 else f"{ifo}:GWOSC_STRAIN"


def _detector(file: h5py.File) -> str:
    """Return the detector that the file names; empty where it does not."""
    item = file.get("meta/Detector")
    if not isinstance(item, h5py.Dataset) or item.size != 1 or item.dtype.kind not in "OS":
        return ""
    value = item[()] if item.ndim == 0 else item[:].reshape(-1)[0]
    name = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return name if is_interferometer(name) else ""


def _check_length(path: str, values: h5py.Dataset) -> None:
    if "Npoints" not in values.attrs:
        return
    promised = attributes.count(path, values, "Npoints")
    if len(values) < promised:
        raise DataError(
            f"{path}: {len(values)} samples in {values.name} where {promised} are promised;"
            " fetch it again"
        )
