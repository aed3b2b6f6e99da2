"""Where the Python workers spend their time, as Beam's own profiler sees it.

With ``--profile_cpu --profile_location=DIR --profile_sample_rate=P`` a worker profiles some of
its bundles (cProfile) and leaves a file of each.
"""

import pstats
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from flink.settings import ROOT

Key = tuple[str, int, str]
"""File, line and name of a function, as ``pstats`` has it."""
Entry = tuple[int, int, float, float, dict[Key, tuple[float, ...]]]
"""Calls, its own time, time with all that it calls, and the same for each of its callers."""
_ROOMS = ROOT / "transforms"
_WAITS = ("'acquire' of", "consume", "'poll' of", "sleep", "select", "'get' of '_queue")
"""Functions that do nothing but wait."""
REST = "Beam, coders, state"
_STITCH = ("live", "stitch")
"""Modules of ``ingest`` that are entered from Beam after the first hop."""


def options(folder: Path, rate: float) -> tuple[str, ...]:
    """Return the options of Beam that have a part ``rate`` of all bundles profiled."""
    return (
        "--profile_cpu",
        f"--profile_location={folder}",
        f"--profile_sample_rate={rate}",
    )


def shares(folder: Path) -> dict[str, float]:
    """Return the share of each stage's code, the largest first; the rest is Beam's.

    Args:
        folder: Where the profiles are.
    """
    spent: dict[str, float] = defaultdict(float)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            profile = pstats.Stats(str(path))
            for name, time in _spent(profile.stats).items():  # type: ignore[attr-defined]
                spent[name] += time
    whole, largest_first = sum(spent.values()), sorted(spent, key=lambda name: -spent[name])
    return {name: spent[name] / whole for name in largest_first if whole}


def _spent(stats: Mapping[Key, Entry]) -> dict[str, float]:
    """Return the time of one profile by stage, without what is only waiting [s]."""
    found: dict[str, float] = defaultdict(float)
    for key, (_, _, own, _, callers) in stats.items():
        found[REST] += own
        for name, time in _entries(key, callers):
            found[name] += time
            found[REST] -= time
        if any(word in key[2] for word in _WAITS):
            for caller, edge in callers.items():
                found[_stage(caller) or REST] -= edge[2]
    return found


def _entries(key: Key, callers: Mapping[Key, tuple[float, ...]]) -> Iterator[tuple[str, float]]:
    """Yield the time of a stage's function where it is called from outside of all stages [s]."""
    name = _stage(key)
    if name:
        yield from ((name, edge[3]) for caller, edge in callers.items() if not _stage(caller))


def _stage(key: Key) -> str:
    """Name the stage of a function: its room, of which the first has two; empty where none's."""
    path = Path(key[0])
    if not path.is_relative_to(_ROOMS) or path.parent == _ROOMS:
        return ""
    room = path.relative_to(_ROOMS).parts[0]
    if room != "ingest":
        return room
    return "stitch" if path.stem in _STITCH else "read"
