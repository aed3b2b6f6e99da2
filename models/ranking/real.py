"""Real strain as noise to slide: what detectors saw of files, set end to end."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from models.ranking import sets
from models.ranking.resample import GRID_NS, moved
from models.ranking.sets import NOTHING, Plan, Seen
from models.simulation.matching import Stretch
from transforms.elements import Arrival
from transforms.ingest.files import formats
from transforms.ingest.files.blocks import read_file


def noise(folders: Sequence[Path], plan: Plan, start_ns: int) -> dict[str, list[Seen]]:
    """Search all good strain of some folders, and set it end to end.

    Files are of any times, often of a minute alone, and slides of near lags would find no two of
    them together. So each detector's stretches follow one another from one time on, in the order of
    folders and names. What two detectors saw at once may stay at once: only slides may use it.

    Args:
        folders: With files of strain.
        plan: Of the pipeline, and which detectors count.
        start_ns: When the first stretch of each detector shall begin [GPS ns].

    Returns:
        By detector.

    Raises:
        ValueError: A folder is none or holds no strain of these detectors, or a file cannot be
            used.
    """
    found: dict[str, list[Seen]] = {ifo: [] for ifo in plan.network.detectors}
    ends = dict.fromkeys(found, start_ns)
    for path in (path for folder in folders for path in _files(folder)):
        for block in read_file(path, minimum_seconds=plan.whitening.minimum_seconds):
            if block.ifo not in found:
                continue
            made = Stretch(block=block, curve=path.name, key=path.name, injections=())
            one = _at(sets.seen(made, plan), ends[block.ifo])
            found[block.ifo].append(one)
            ends[block.ifo] = one.end_ns
    if folders and not any(found.values()):
        names = ", ".join(map(str, folders))
        raise ValueError(f"{names}: no strain of {', '.join(found)}; give another --strain")
    return found


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder: give one with files of strain")
    return sorted(path for path in folder.rglob("*") if path.name.endswith(formats.SUFFIXES))


def _at(seen: Seen, start_ns: int) -> Seen:
    """Move a stretch to another time, by whole steps of the grid: not before it."""
    delta = -((seen.start_ns - start_ns) // GRID_NS) * GRID_NS
    arrivals: tuple[Arrival, ...] = tuple(moved(each, delta, "r") for each in seen.arrivals)
    return replace(
        seen,
        start_ns=seen.start_ns + delta,
        end_ns=seen.end_ns + delta,
        arrivals=arrivals,
        causes=(NOTHING,) * len(arrivals),
    )
