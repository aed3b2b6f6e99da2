"""The data as they should have been analysed: files without the frames that are no good."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import h5py

from benchmarks import simulated
from benchmarks.rehearsal.deliveries import Delivery, stretches
from benchmarks.simulated import Archive
from transforms.gps import NANOSECONDS, to_index


def without_faults(
    archives: Sequence[Archive], good: Iterable[Delivery], folder: Path
) -> list[Path]:
    """Write the good frames, those that are contiguous to one file; return the files."""
    by_ifo: dict[str, list[Delivery]] = defaultdict(list)
    for one in good:
        by_ifo[one.channel[:2]].append(one)
    written = []
    for made in archives:
        into = folder / made.ifo
        into.mkdir(parents=True)
        for path in made.files:
            written += _parts(path, made, by_ifo[made.ifo], into)
    return written


def _parts(path: Path, made: Archive, good: Iterable[Delivery], folder: Path) -> list[Path]:
    with h5py.File(path, "r") as file:
        strain, start = file["strain/Strain"][:], int(file["strain/Strain"].attrs["Xstart"])
    rate, found = made.sample_rate, []
    end_ns = start * NANOSECONDS + len(strain) * NANOSECONDS // rate
    inside = (one for one in good if start * NANOSECONDS <= one.start_ns < end_ns)
    for first, last in stretches(inside):
        begin, end = (to_index(time, rate) - start * rate for time in (first, last))
        at = first // NANOSECONDS
        found.append(simulated.write(folder, strain[begin:end], at, made, "hdf5"))
    return found
