"""Simulated strain as archives hold it: continuous noise, cut into files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gwframe
import h5py
import numpy as np

from benchmarks.detection import injections
from benchmarks.detection.injections import Injection
from benchmarks.detection.signals import Deck
from models.simulation import noise
from models.simulation.noise import NoiseCurve
from transforms.arrays import RealArray

FIRST_GPS = 1_000_000_000
PIECE = 512
"""Noise is made in pieces of this length [s]."""
FADE = 4
"""Pieces are faded into one another over this [s]."""
IFO, NAME = "H1", "BENCH-STRAIN"
CHANNEL = f"{IFO}:{NAME}"
FORMATS = ("gwf", "hdf5")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What strain is simulated."""

    curve: str
    seconds: int
    sample_rate: int
    seed: int
    classes: tuple[str, ...] = ()
    """Signals put in; none: noise alone."""
    gap: tuple[float, float] = injections.GAP
    """Between signals [s]."""
    ifo: str = IFO
    """Detector."""


@dataclass(frozen=True, kw_only=True)
class Archive:
    """Files of one channel, and the truth about them."""

    files: tuple[Path, ...]
    gps_start: int
    seconds: int
    sample_rate: int
    injections: tuple[Injection, ...]
    ifo: str = IFO


def make(folder: Path, recipe: Recipe, kind: str, file_seconds: int) -> Archive:
    """Simulate strain and write it to files.

    Args:
        folder: Where to; made where missing.
        recipe: What is simulated.
        kind: One of ``FORMATS``: frames (one to a file, gwframe's default compression), or
            HDF5 as GWOSC publishes it (gzip, chunks of 2048 samples).
        file_seconds: Length of a file [s].
    """
    folder.mkdir(parents=True, exist_ok=True)
    rate = recipe.sample_rate
    files: list[Path] = []
    truth: list[Injection] = []
    held, start = np.empty(0), FIRST_GPS
    for piece, found in pieces(recipe):
        truth += found
        held = np.concatenate([held, piece])
        while len(held) >= file_seconds * rate:
            files.append(write(folder, held[: file_seconds * rate], start, recipe, kind))
            held, start = held[file_seconds * rate :], start + file_seconds
    if len(held):
        files.append(write(folder, held, start, recipe, kind))
    return Archive(
        files=tuple(files),
        gps_start=FIRST_GPS,
        seconds=recipe.seconds,
        sample_rate=rate,
        injections=tuple(truth),
        ifo=recipe.ifo,
    )


def pieces(recipe: Recipe) -> Iterator[tuple[RealArray, tuple[Injection, ...]]]:
    """Yield continuous strain in pieces, and the signals in each.

    Two pieces of noise with weights sin and cos have the spectrum and variance of one.
    """
    curve, rate = noise.load(recipe.curve), recipe.sample_rate
    # Vorbis' window: smooth enough that the steep spectrum does not leak.
    phase = np.pi / 2 * np.sin(np.linspace(0, np.pi / 2, FADE * rate)) ** 2
    deck = Deck(recipe.classes, np.random.default_rng((recipe.seed, 0)))
    tail = None
    for number, start in enumerate(range(0, recipe.seconds, PIECE)):
        rng = np.random.default_rng((recipe.seed, 1, number))
        length = min(PIECE, recipe.seconds - start)
        made = noise.coloured(curve, (PIECE + FADE) * rate, rate, rng)
        if tail is not None:
            made[: FADE * rate] *= np.sin(phase)
            made[: FADE * rate] += np.cos(phase) * tail
        tail = made[PIECE * rate :]
        strain = made[: length * rate]
        yield strain, _signals(strain, recipe, deck, FIRST_GPS + start, curve)


def _signals(
    strain: RealArray, recipe: Recipe, deck: Deck, gps_start: int, curve: NoiseCurve
) -> tuple[Injection, ...]:
    if not recipe.classes:
        return ()
    rate = recipe.sample_rate
    rng = np.random.default_rng((recipe.seed, 2, gps_start))
    grid = injections.Grid(gps_start, rate, curve)
    return injections.inject(
        strain, injections.schedule(deck, len(strain) / rate, grid, rng, recipe.gap)
    )


def write(folder: Path, strain: RealArray, start: int, source: Recipe | Archive, kind: str) -> Path:
    """Write one file.

    Args:
        folder: Where to.
        strain: Of one channel, [time].
        start: GPS time of the first sample [s].
        source: What it is a part of.
        kind: One of ``FORMATS``.
    """
    ifo, rate = source.ifo, source.sample_rate
    stem = folder / f"{ifo[0]}-{ifo}_BENCH-{start}-{-(-len(strain) // rate)}"
    if kind == "gwf":
        path = stem.with_suffix(".gwf")
        gwframe.write(str(path), {f"{ifo}:{NAME}": strain}, float(start), rate, name=ifo)
        return path
    path = stem.with_suffix(".hdf5")
    with h5py.File(path, "w") as file:
        held = file.create_dataset(
            "strain/Strain", data=strain, chunks=(2048,), compression="gzip", compression_opts=1
        )
        held.attrs.update(Xstart=start, Xspacing=1 / rate, Npoints=len(strain))
        file["meta/Detector"] = ifo
    return path
