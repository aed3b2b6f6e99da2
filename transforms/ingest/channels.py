"""Which channels of a file or message are read."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from transforms.ingest import filename, masks
from transforms.ingest.errors import DataError
from transforms.ingest.names import is_channel
from transforms.kinds import LetterKind

_STRAIN = re.compile(r"strain|:h_|:Hrec_hoft", re.IGNORECASE)


def chosen(path: str, names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Choose the channels to read: those wanted, or the one strain of each detector.

    Raises:
        DataError: None is there, or it cannot be told which is the strain.
    """
    usable = [name for name in names if is_channel(name)]
    if wanted:
        found = [name for name in wanted if name in usable]
        if not found:
            raise DataError(
                f"{path}: no channel {_listed(wanted)}; it holds {_listed(names)};"
                " name one of these with --channel",
                LetterKind.CHANNEL,
            )
        return found
    odd = [name for name in names if not is_channel(name)]
    if odd and (not usable or any(map(_STRAIN.search, odd))):
        raise _unusable(path, next(filter(_STRAIN.search, odd), odd[0]))
    by_ifo = defaultdict(list)
    for name in usable:
        # Where a detector is down, its state may come alone: that is no strain.
        if masks.is_beside(name):
            continue
        by_ifo[filename.interferometer(path, name)].append(name)
    if not by_ifo:
        why = f"no strain; it holds {_listed(names)}; leave it out"
        raise DataError(f"{path}: {why}", LetterKind.CHANNEL)
    return [_only(path, candidates) for candidates in by_ifo.values()]


def _unusable(path: str, name: str) -> DataError:
    """Return why a channel's name cannot be used."""
    whole = name if name[2:3] == ":" else f"{filename.interferometer(path)}:{name}"
    return DataError(
        f"{path}: the channel name {whole!r} cannot be used; write it again with a name like"
        " H1:GDS-CALIB_STRAIN, of at most 250 characters of ASCII without space, slash, quote"
        " or bracket",
        LetterKind.CHANNEL,
    )


def _only(path: str, names: Sequence[str]) -> str:
    candidates = [name for name in names if _STRAIN.search(name)] or names
    if len(candidates) > 1:
        raise DataError(
            f"{path}: several channels may be the strain: {_listed(candidates)};"
            " name one with --channel",
            LetterKind.CHANNEL,
        )
    return candidates[0]


def _listed(names: Iterable[str], most: int = 10) -> str:
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
