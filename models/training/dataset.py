"""Training sets on disk: simulated by many processes, kept while they are made.

A set is simulated in shards of a few stretches. Each shard is a file that appears whole, so
that a training that was interrupted goes on from what is there; then the shards are put
together: images into one file that is mapped, all else into another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models import pool
from models.simulation.simulate import Progress, SimulationConfig, stretch_examples
from models.training import examples
from models.training.examples import NAMES, Examples
from transforms.detect.config import DetectConfig
from transforms.files import whole_file
from transforms.whiten.config import WhitenConfig

SHARD = 2
"""Stretches to a shard: what is lost by a kill, and what Ctrl-C waits for."""


@dataclass(frozen=True, kw_only=True)
class SetPlan:
    """One set to be simulated."""

    name: str
    config: SimulationConfig
    whitening: WhitenConfig
    detection: DetectConfig
    seed: tuple[int, ...]

    @property
    def stretches(self) -> int:
        """Count the stretches, those of noise alone among them."""
        return self.config.stretches + self.config.noise_stretches


@dataclass(frozen=True)
class _Shard:
    plan: SetPlan
    numbers: range
    path: Path


def make(plan: SetPlan, work: Path, processes: int, progress: Progress) -> Examples:
    """Simulate what of a set is missing, and return the set.

    Args:
        plan: The set.
        work: Where shards and sets are kept.
        processes: How many simulate; the set does not depend on it.
        progress: Told after each shard, in stretches.

    Raises:
        ValueError: There is no example in it.
        models.pool.PoolError: A process was killed.
    """
    images, rest = _files(work, plan.name)
    if not rest.is_file():
        shards = list(_shards(plan, work))
        _simulate(plan, shards, processes, progress)
        _assemble([shard.path for shard in shards], images, rest)
    progress(f"simulating {plan.name}", plan.stretches, plan.stretches)
    made = read(work, plan.name)
    for shard in _shards(plan, work):
        shard.path.unlink(missing_ok=True)
    return made


def read(work: Path, name: str) -> Examples:
    """Return a set of a work folder in which it is whole.

    Raises:
        FileNotFoundError: It is not.
    """
    images, rest = _files(work, name)
    with np.load(rest) as file:
        # Mapped for its shape; what is read is mapped anew each time.
        columns = {name: file[name] for name in NAMES if name != "image"}
        return Examples(image=np.load(images, mmap_mode="r"), **columns)


def _files(work: Path, name: str) -> tuple[Path, Path]:
    return work / f"{name}.image.npy", work / f"{name}.npz"


def _shards(plan: SetPlan, work: Path) -> Iterator[_Shard]:
    for first in range(0, plan.stretches, SHARD):
        numbers = range(first, min(first + SHARD, plan.stretches))
        yield _Shard(plan, numbers, work / "shards" / f"{plan.name}-{first:06d}.npz")


def _simulate(plan: SetPlan, shards: Sequence[_Shard], processes: int, progress: Progress) -> None:
    missing = [shard for shard in shards if not shard.path.is_file()]
    done = plan.stretches - sum(len(shard.numbers) for shard in missing)
    if not missing:
        return
    for count in pool.each(_write, missing, min(processes, len(missing))):
        done += count
        progress(f"simulating {plan.name}", done, plan.stretches)


def _write(shard: _Shard) -> int:
    """Simulate a shard's stretches and write it; return how many they are."""
    plan = shard.plan
    parts = [
        examples.arrays(
            stretch_examples(plan.config, number, plan.whitening, plan.detection, plan.seed),
            number,
        )
        for number in shard.numbers
    ]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in NAMES}
    with whole_file(shard.path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **columns)
    return len(shard.numbers)


def _assemble(shards: Sequence[Path], images: Path, rest: Path) -> None:
    """Put shards together; the file without images comes last, and says that all is there."""
    columns: dict[str, list[np.ndarray]] = {name: [] for name in NAMES[1:]}
    for shard in shards:
        with np.load(shard) as file:
            for name, parts in columns.items():
                parts.append(file[name])
            shape, kind = file[NAMES[0]].shape, file[NAMES[0]].dtype
    whole = {name: np.concatenate(parts) for name, parts in columns.items()}
    count = len(whole[NAMES[1]])
    if not count:
        raise examples.nothing_found()
    head = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False}
    with whole_file(images) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {**head, "shape": (count, *shape[1:])})
        for shard in shards:
            with np.load(shard) as part:
                file.write(part[NAMES[0]].tobytes())
    with whole_file(rest) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **whole)
