"""HDF5 as gwpy and PyCBC write it: one data set a channel, with its start and spacing.

Other things lie in such files too, spectra for one: they are passed over.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import h5py

from transforms.ingest import filename, masks
from transforms.ingest.errors import DataError
from transforms.ingest.files import attributes
from transforms.ingest.files.stretches import Stretch
from transforms.ingest.names import completed, is_channel
from transforms.ingest.sampling import index_of, rate_of
from transforms.kinds import LetterKind

_START = ("x0", "t0", "epoch", "start_time")
_SPACING = ("dx", "dt", "delta_t")
_RATE = ("sample_rate",)
_FREQUENCY = ("delta_f", "df")
"""What has one of these, and no spacing in time, is a spectrum."""
_MOST_OBJECTS = 100_000
"""Groups and data sets that are looked at."""
_UNNAMED = ("data", "strain")
"""Keys that say no more than that it is strain."""


def recognises(file: h5py.File) -> bool:
    """Return whether a file has this layout."""
    return next(_series(file), None) is not None


def channels(file: h5py.File, path: str) -> list[str]:
    """Return the names of the channels, each once; one that cannot be used as it is there.

    Raises:
        DataError: None can be used, and one is nowhere in time.
    """
    series = list(_series(file))
    names = [_channel(path, dataset) for dataset in series]
    if not any(map(is_channel, names)):
        for name, dataset in zip(names, series, strict=True):
            _stretch(path, name, dataset)
    return list(dict.fromkeys(names))


def stretches(file: h5py.File, path: str, channel: str) -> tuple[list[Stretch], list[DataError]]:
    """Return the stretches of a channel in a file, and an error for each that cannot be used."""
    found, errors = [], []
    for dataset in _series(file):
        if _channel(path, dataset) == channel:
            try:
                found.append(_stretch(path, channel, dataset))
            except DataError as error:
                errors.append(error)
    return found, errors


def quality(
    file: h5py.File,
    path: str,
    channel: str,
    extents: Sequence[tuple[int, int]],
    require: Sequence[str],
) -> list[masks.Judged]:
    """Return what the state vectors and masks beside a channel say.

    Raises:
        DataError: One of them cannot be read.
    """
    beside: dict[str, list[h5py.Dataset]] = defaultdict(list)
    for dataset in _series(file):
        name = _channel(path, dataset)
        if masks.role(channel, name):
            beside[name].append(dataset)
    return [
        judged
        for name, datasets in beside.items()
        if (judged := _judged(path, channel, name, datasets, extents, require)) is not None
    ]


def _judged(
    path: str,
    channel: str,
    name: str,
    datasets: Sequence[h5py.Dataset],
    extents: Sequence[tuple[int, int]],
    require: Sequence[str],
) -> masks.Judged | None:
    role = masks.role(channel, name)
    places = [(_stretch(path, name, dataset), dataset) for dataset in datasets]
    slow = [(place, dataset) for place, dataset in places if place.sample_rate <= masks.FASTEST]
    if role is None or not slow:
        return None
    said: dict[int, str] = {}
    if role is not masks.Role.STATE:
        first = slow[0][1]
        listed = masks.bits_of(attributes.names(first, "bits"))
        said = masks.bits_in(attributes.text(first, "unit")) or listed
        said = masks.bits_known(path, role, name, said, require)
    parts = [
        masks.Part.of(path, dataset, place.first, place.sample_rate) for place, dataset in slow
    ]
    return masks.judged(role, parts, said, extents, require)


def _series(file: h5py.File) -> Iterator[h5py.Dataset]:
    """Yield the data sets that are series in time, those of outer groups first."""
    groups, seen, looked = [file], {_address(file)}, 0
    for group in groups:
        for key in group:
            looked += 1
            if looked > _MOST_OBJECTS:
                raise DataError(
                    f"{file.filename}: more than {_MOST_OBJECTS} groups and data sets;"
                    " write the strain into a file of its own",
                    LetterKind.METADATA,
                )
            item = _inside(group, key)
            if isinstance(item, h5py.Dataset) and _is_series(item):
                yield item
            elif isinstance(item, h5py.Group) and _address(item) not in seen:
                seen.add(_address(item))
                groups.append(item)


def _inside(group: h5py.Group, key: str) -> h5py.HLObject | None:
    """Return a member of a group; None where it leads to another file, or nowhere."""
    link = group.get(key, getlink=True)
    if not isinstance(link, h5py.HardLink):
        return None
    return group[key]


def _address(group: h5py.Group) -> int:
    address: int = h5py.h5o.get_info(group.id).addr
    return address


def _is_series(item: h5py.Dataset) -> bool:
    has = item.attrs.__contains__
    if not item.ndim:
        return False
    # A mask that cannot be read is no reason to take strain for good.
    if not masks.is_beside(item.name) and (item.ndim != 1 or item.dtype.kind not in "fiu"):
        return False
    if not any(map(has, (*_START, *_SPACING, *_RATE))):
        return False
    if any(map(has, _FREQUENCY)) and not any(map(has, (*_SPACING, *_RATE))):
        return False
    return not _is_frequency(attributes.text(item, "xunit"))


def _is_frequency(unit: str) -> bool:
    return unit.strip().lower() in ("hz", "khz", "mhz", "1/s", "1 / s", "s-1", "rad/s")


def _stretch(path: str, channel: str, dataset: h5py.Dataset) -> Stretch:
    unit = attributes.text(dataset, "xunit")
    rate = _rate(path, dataset, unit)
    name = next((name for name in _START if name in dataset.attrs), None)
    if name is None:
        start = float(filename.gps_start(path))
    else:
        start = attributes.seconds(path, dataset, name, unit)
    first = index_of(f"{path}: {dataset.name}", start, rate)
    return Stretch(
        channel=channel, first=first, length=len(dataset), sample_rate=rate, key=dataset.name
    )


def _rate(path: str, dataset: h5py.Dataset, unit: str) -> int:
    where = f"{path}: {dataset.name}"
    for name in _SPACING:
        if name in dataset.attrs:
            return rate_of(where, attributes.seconds(path, dataset, name, unit))
    for name in _RATE:
        if name in dataset.attrs:
            rate = attributes.hertz(path, dataset, name)
            return rate_of(where, 1 / rate if rate else 0.0)
    return rate_of(where, 0.0)


def _channel(path: str, dataset: h5py.Dataset) -> str:
    """Return the channel that the data set names, else its key with the file's detector.

    gwpy names it in the key or an attribute, PyCBC in the key: H1:NAME, H1/NAME, or H1 alone.
    What is just called data or strain is STRAIN.
    """
    key: str = dataset.name.strip("/").replace("/", ":")
    own: str = dataset.name.rsplit("/", 1)[-1]
    said = (own, *(attributes.text(dataset, name) for name in ("channel", "name")))
    for name in (*said, key, f"{key}:STRAIN"):
        if is_channel(name):
            return name
    return completed("STRAIN" if key in _UNNAMED else key, filename.detector(path))
