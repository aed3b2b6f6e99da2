"""What the comparison needs of a detector."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.detection.scoring import Event
from benchmarks.simulated import CHANNEL, IFO, Archive

CLUSTER = 0.1
"""Tiles and windows of tools that do not cluster are thinned to one in this time [s]."""


@dataclass(frozen=True)
class Span:
    """Which part of an archive is analysed, and to where."""

    archive: Archive
    seconds: int
    """From the archive's start [s]."""
    output: Path
    threshold: float
    """Least SNR that is reported, in the tool's own measure."""

    @property
    def end(self) -> int:
        """Return the GPS second at which the part ends."""
        return self.archive.gps_start + self.seconds

    @property
    def files(self) -> list[Path]:
        """List the files that hold it."""
        return [path for path in self.archive.files if frame_times(path)[0] < self.end]


class Tool(Protocol):
    """A detector."""

    name: str
    length: float
    """Part of the usual lengths on which throughput is measured: less for a slow tool."""

    def version(self) -> str:
        """Return which version is measured."""

    def command(self, span: Span) -> Sequence[str | Path]:
        """Prepare a run, and return its command line."""

    def events(self, span: Span) -> list[Event]:
        """Read what a run found."""

    def analysed(self, span: Span) -> tuple[float, float]:
        """Return how much at the start is unreliable, and how much of the end is lost [s]."""


def frame_times(path: Path) -> tuple[int, int]:
    """Read start and length [s] from a frame's name (LIGO-T050017)."""
    *_, start, length = path.stem.split("-")
    return int(start), int(length)


def lal_cache(span: Span) -> Path:
    """Write the list of frames as LAL reads it."""
    lines = [
        f"{IFO[0]} {IFO}_BENCH {start} {length} file://localhost{path}"
        for path in span.files
        for start, length in [frame_times(path)]
    ]
    return _write(span.output / "frames.cache", lines)


def frame_list(span: Span) -> Path:
    """Write the list of frames as FrameL reads it."""
    lines = [
        f"{path} {start} {length} 0 0"
        for path in span.files
        for start, length in [frame_times(path)]
    ]
    return _write(span.output / "frames.ffl", lines)


def _write(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def read_csv(path: Path) -> list[Event]:
    """Read events written as time, start, end, frequency, snr."""
    with path.open(newline="") as file:
        rows = [tuple(map(float, row)) for row in csv.reader(file)]
    return [
        Event(time=t, start=start, end=end, frequency=f, snr=snr, rank=snr)
        for t, start, end, f, snr in rows
    ]


__all__ = ["CHANNEL", "CLUSTER", "IFO", "Span", "Tool", "frame_list", "lal_cache", "read_csv"]
