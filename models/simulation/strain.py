"""Stretches of real strain by name: which detector, when, and in which file they are."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from transforms.checks import Form, Limits, check_values
from transforms.gps import NANOSECONDS, from_seconds
from transforms.ingest.config import IngestConfig
from transforms.ingest.files import formats
from transforms.texts import complaint

SHORTEST = 16
"""Shortest stretch of real strain [s]: what whitening analyses."""
GWOSC = "https://gwosc.org"
"""Where strain comes from that is in no folder."""
BEFORE, AFTER = 6.0, 2.0
"""Left out around an event [s]: an inspiral of chirp mass 9 is seen for 5 s from 20 Hz on."""

Interval = tuple[int, int]
"""Start and end [GPS ns]."""


@dataclass(frozen=True)
class RealStrain:
    """A stretch of real strain to put transients into, and to learn noise from."""

    detector: Annotated[str, Form("[A-Z][0-9]", "a detector such as H1")]
    """Which one."""
    start: Annotated[int, Limits(ge=0)]
    """First second [GPS s]."""
    seconds: Annotated[int, Limits(ge=SHORTEST)]
    """Length [s]; what a file does not hold of it is left out."""
    event: str = ""
    """GWOSC's name of the event in it; empty: none."""
    time: Annotated[float, Limits(ge=0)] = 0.0
    """When that event is [GPS s]."""
    file: str = ""
    """Holds it; empty: looked for by detector and time."""

    def __post_init__(self) -> None:
        check_values(self)
        if bool(self.event) != bool(self.time):
            raise ValueError("event and time must be given together")
        if self.event and not self.start <= self.time < self.start + self.seconds:
            # Its own signal would be learnt as noise.
            raise ValueError(
                f"time must lie in the stretch, {self.start} to {self.start + self.seconds}, "
                f"not {self.time}"
            )

    @property
    def name(self) -> str:
        """Return detector and time in one word."""
        return f"{self.detector}-{self.start}-{self.seconds}"

    @property
    def span(self) -> Interval:
        """Return start and end."""
        return self.start * NANOSECONDS, (self.start + self.seconds) * NANOSECONDS

    @property
    def taken(self) -> tuple[Interval, ...]:
        """Return the time of the event, if there is one."""
        if not self.event:
            return ()
        return ((from_seconds(self.time - BEFORE), from_seconds(self.time + AFTER)),)


def located(wanted: Sequence[RealStrain], folders: Sequence[Path]) -> tuple[RealStrain, ...]:
    """Return stretches with the files that hold them.

    Args:
        wanted: The stretches; one with a file keeps it.
        folders: Where the others are looked for; without any, they come from GWOSC.

    Raises:
        ValueError: A stretch is nowhere; the line names it.
    """
    held = [each for folder in folders for each in _held(folder)]
    found, missing = [], []
    for each in wanted:
        if each.file:
            path = each.file if Path(each.file).is_file() else ""
        elif folders:
            path = next((path for path, own in held if _holds(each, own)), "")
        else:
            path = _fetched(each)
        if not path:
            missing.append(each)
        found.append(replace(each, file=path))
    if missing:
        where = ", ".join(map(str, folders)) or "this folder, to which file is relative"
        names = ", ".join(f"{one.name} {one.file or one.event}".strip() for one in missing)
        raise ValueError(f"strain {names}: not in {where}; add the files, or leave these out")
    return tuple(found)


def checksum(stretches: Sequence[RealStrain]) -> str:
    """Hash the files of stretches, as far as they are known: other strain makes other examples."""
    made = hashlib.sha256()
    for path in dict.fromkeys(each.file for each in stretches if each.file):
        made.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return made.hexdigest()[:16]


def _held(folder: Path) -> Iterator[tuple[str, tuple[str, Interval]]]:
    """Yield the files of a folder, each with a detector and the time that it holds of it."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder: give one with files of strain")
    for path in sorted(folder.rglob("*")):
        if path.name.endswith(formats.SUFFIXES):
            # One that cannot be read holds nothing that is looked for.
            for span in formats.look(str(path), IngestConfig(require=())).spans:
                yield str(path), (span.ifo, (span.gps_start_ns, span.gps_end_ns))


def _holds(wanted: RealStrain, held: tuple[str, Interval]) -> bool:
    """Return whether a file holds a stretch, but for a part of a second at its ends."""
    ifo, (start, end) = held
    low, high = wanted.span
    return ifo == wanted.detector and start < low + NANOSECONDS and end > high - NANOSECONDS


def _fetched(wanted: RealStrain) -> str:
    """Return GWOSC's file of a stretch, which is kept in astropy's cache."""
    from astropy.utils.data import download_file
    from gwosc.locate import get_urls

    low, high = wanted.start, wanted.start + wanted.seconds
    try:
        (url,) = get_urls(wanted.detector, low, high, sample_rate=4096, host=GWOSC)
        return str(download_file(url, cache=True, show_progress=False))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"strain {wanted.name} {wanted.event}: GWOSC does not answer with it "
            f"({complaint(error)}); give the folder that holds it with --strain"
        ) from None
