"""File names after LIGO-T050017: ``S-DESCRIPTION-GPS-DURATION.ext``."""

import re
from dataclasses import dataclass
from pathlib import PurePath

from transforms.ingest.series import DataError
from transforms.kinds import LetterKind

_NAME = re.compile(r"(?P<site>[A-Z]+)-(?P<text>[A-Za-z0-9_+#]+)-(?P<gps>\d+)-(?P<duration>\d+)\.")
_CHANNEL = re.compile(r"(?P<ifo>[A-Z][0-9]):.+")


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
    return FileName(ifo, int(match["gps"]), int(match["duration"]))


def is_channel(name: str) -> bool:
    """Tell whether a name is a whole channel name, such as H1:GDS-CALIB_STRAIN."""
    return _CHANNEL.fullmatch(name) is not None


def interferometer(path: str, channel: str = "") -> str:
    """Give the interferometer of a channel, or else of a file by its name.

    Raises:
        DataError: Neither says.
    """
    match = _CHANNEL.fullmatch(channel)
    if match:
        return match["ifo"]
    name = parse(path)
    if name is None or not name.ifo:
        raise DataError(
            f"{path}: no interferometer in the file or its name;"
            " rename it like H-H1_STRAIN-1126259446-32.hdf5",
            LetterKind.CHANNEL,
        )
    return name.ifo


def gps_start(path: str) -> int:
    """Give the GPS start [s] that a file's name promises.

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
