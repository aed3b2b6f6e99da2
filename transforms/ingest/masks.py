"""The channels beside strain that say where it is good: state vectors and masks of bits.

The same for frames and HDF5, files and messages: what is beside a channel is told by its
name, what its bits mean by what it says of itself.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

import h5py
import numpy as np

from transforms import gps
from transforms.elements import Interval
from transforms.ingest import quality
from transforms.ingest.errors import DataError
from transforms.ingest.intervals import tiled
from transforms.kinds import LetterKind

FASTEST = 256
"""State vectors and masks are no faster than this [Hz]; faster ones are other things."""
_MOST_BITS = 63
_MOST_VALUES = 1 << 26
"""Values of a mask in one file: three days of the fastest."""
_NAMED = re.compile(r"(\d{1,2}):([A-Za-z0-9_.+-]{1,64})(?:[\s,;]|$)", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_.+-]{1,64}")
_DOCUMENTED = re.compile(r"[A-Z][0-9]:GWOSC[-_].*DQMASK")


_QUALITY, _INJECTIONS = "DQMASK", "INJMASK"
_WORDS = (quality.STATE_CHANNEL, _QUALITY, _INJECTIONS)


class Role(Enum):
    """What a channel beside strain says of it."""

    STATE = "state vector"
    QUALITY = "data quality"
    INJECTIONS = "injections"


@dataclass(frozen=True, kw_only=True)
class Part:
    """Contiguous values of a state vector or mask."""

    values: quality.Values
    first: int
    """Index of the first value on the GPS grid of ``rate``."""
    rate: int

    @classmethod
    def of(cls, path: str, dataset: h5py.Dataset, first: int, rate: int) -> "Part":
        """Read the values of a mask in HDF5.

        Raises:
            DataError: They are no row of integers.
        """
        if not is_mask(dataset) or len(dataset) > _MOST_VALUES:
            raise DataError(
                f"{path}: {dataset.name} is no row of integers, or too long a one; fetch or write"
                " it again",
                LetterKind.METADATA,
            )
        return cls(values=dataset[:], first=first, rate=rate)

    @property
    def held(self) -> Interval:
        """Return the stretch of time that it tells of."""
        start_ns = gps.to_ns(self.first, self.rate)
        return Interval(start_ns, gps.to_ns(self.first + len(self.values), self.rate), "held")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What state vectors and masks say of strain: where it is not good, and their bits' names."""

    failed: tuple[Interval, ...] = ()
    names: tuple[str, ...] = ()


def role(strain: str, name: str) -> Role | None:
    """Return which role a channel has beside a channel of strain; None: it has none."""
    if name[:3] != strain[:3] or name == strain or not is_beside(name):
        return None
    whole, other = strain.upper(), name.upper()
    if quality.STATE_CHANNEL in other:
        return Role.STATE
    if other == whole.replace("STRAIN", _QUALITY):
        return Role.QUALITY
    if other == whole.replace("STRAIN", _INJECTIONS):
        return Role.INJECTIONS
    return None


def is_beside(name: str) -> bool:
    """Return whether a channel's name says that it is no strain, but stands beside it."""
    whole = name.upper()
    return any(word in whole for word in _WORDS)


def bits_in(unit: str) -> dict[int, str]:
    """Return the names of bits that the unit of GWOSC's masks in frames holds: ``0:DATA 1:...``."""
    return {int(bit): name for bit, name in _NAMED.findall(unit) if int(bit) < _MOST_BITS}


def unit_of(names: Iterable[str]) -> str:
    """Return the unit that names bits, the lowest first: what `bits_in` reads."""
    return " ".join(f"{bit}:{name}" for bit, name in enumerate(names))


def bits_of(names: Iterable[str]) -> dict[int, str]:
    """Return the names of bits from a list of them, the lowest first; {} where one is no name."""
    listed = list(names)
    if len(listed) > _MOST_BITS or not all(map(_NAME.fullmatch, listed)):
        return {}
    return dict(enumerate(listed))


def bits_known(
    path: str, what: Role, name: str, said: dict[int, str], require: Sequence[str]
) -> dict[int, str]:
    """Return the names of a mask's bits: as the file says, or as is documented of such a mask.

    GWOSC's masks of data quality had other bits in S5 and S6 than since O1. Channels called
    GWOSC-... came later than that; injections had the same bits always.

    Raises:
        DataError: Nothing tells, and the configuration requires bits.
    """
    if said:
        return said
    if what is Role.INJECTIONS:
        return dict(enumerate(quality.INJECTION_NAMES))
    if _DOCUMENTED.fullmatch(name):
        return dict(enumerate(quality.DQ_NAMES))
    if not require:
        return {}
    raise DataError(
        f"{path}: the mask {name} does not say what its bits mean, so {', '.join(require)}"
        " cannot be checked; take the file in GWOSC's HDF5, or require no checks with"
        " `ingest: {require: []}`",
        LetterKind.METADATA,
    )


def judged(
    what: Role,
    parts: Iterable[Part],
    bits: dict[int, str],
    extents: Sequence[tuple[int, int]],
    require: Sequence[str],
) -> Judged:
    """Return where a state vector or mask says that strain is not good, or does not say.

    Args:
        what: Which of them it is.
        parts: Its values.
        bits: Names of a mask's bits.
        extents: Where there is strain, [start, end) [GPS ns].
        require: Bits without which strain is not analysed.
    """
    parts = list(parts)
    lacking = _lacking([part.held for part in parts], extents)
    failed: list[Interval] = []
    reason = quality.UNKNOWN
    for part in parts:
        if what is Role.STATE:
            failed += quality.not_ready(part.values, part.first, part.rate)
        else:
            failed += quality.unset_bits(part.values, bits, part.first, part.rate)
    if what is Role.STATE:
        reason = quality.STATE_VECTOR
    if what is Role.STATE or set(bits.values()) & set(require):
        failed += [Interval(tile.start_ns, tile.end_ns, reason) for tile in lacking]
    names = () if what is Role.STATE else tuple(bits.values())
    return Judged(failed=tuple(failed), names=names)


def _lacking(held: Sequence[Interval], extents: Sequence[tuple[int, int]]) -> list[Interval]:
    """Return where there is strain and no value of a mask."""
    start, end = min(extents)[0], max(end for _, end in extents)
    if any(item.start_ns <= start and item.end_ns >= end for item in held):
        return []
    return [tile for ends in extents for tile in tiled(held, *ends) if not tile.name]


def is_mask(values: np.ndarray | h5py.Dataset) -> bool:
    """Return whether values can be those of a mask: a row of real numbers."""
    return values.ndim == 1 and values.dtype.kind in "iuf"
