"""File names after LIGO-T050017: ``S-DESCRIPTION-GPS-DURATION.ext``."""

import re
from dataclasses import dataclass
from pathlib import PurePath

from transforms.ingest.errors import DataError
from transforms.ingest.names import ifo_of, is_channel
from transforms.kinds import LetterKind

_NAME = re.compile(
    r"(?P<site>[A-Z]+)-(?P<text>[A-Za-z0-9_+#]+)-(?P<gps>[0-9]+)-(?P<duration>[0-9]+)\."
)
_DETECTORS = frozenset(("G1", "H1", "H2", "I1", "K1", "L1", "T1", "V1"))
"""Known in names that follow no convention, where R1 and V2 are versions."""


@dataclass(frozen=True)
class FileName:
    """What a file's name says about its content."""

    ifo: str
    """Such as H1; empty where the file holds several, or the name does not say."""
    gps_start: int
    duration: int


def parse(path: str) -> FileName | None:
    """Read a file name; None where it does not follow the convention."""
    match = _NAME.match(PurePath(path).name)
    if not match:
        return None
    site, text = match["site"], match["text"]
    ifo = text[:2] if len(site) == 1 and re.match(rf"{site}[0-9]", text) else ""
    # Longer numbers are no times, and Python refuses to read very long ones.
    start, duration = (int(match[name][:20]) for name in ("gps", "duration"))
    return FileName(ifo, start, duration)


def detector(path: str) -> str:
    """Return the interferometer that a file's name has; empty where it has none."""
    name = parse(path)
    if name is not None:
        return name.ifo
    words = set(re.split(r"[^A-Za-z0-9]+", PurePath(path).name))
    known = words & _DETECTORS
    return known.pop() if len(known) == 1 else ""


def interferometer(path: str, channel: str = "") -> str:
    """Return the interferometer of a channel, or else of a file by its name.

    Raises:
        DataError: Neither says.
    """
    if is_channel(channel):
        return ifo_of(channel)
    ifo = detector(path)
    if not ifo:
        raise DataError(
            f"{path}: no interferometer in the file or its name;"
            " rename it like H-H1_STRAIN-1126259446-32.hdf5",
            LetterKind.CHANNEL,
        )
    return ifo


def gps_start(path: str) -> int:
    """Return the GPS start [s] that a file's name promises.

    Raises:
        DataError: The name does not say.
    """
    name = parse(path)
    if name is None:
        raise DataError(
            f"{path}: no start time in the file or its name;"
            " rename it like H-H1_STRAIN-1126259446-32.hdf5",
            LetterKind.METADATA,
        )
    return name.gps_start
