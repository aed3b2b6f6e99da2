"""Labelled triggers to evaluate a model on: simulated ones, or strain snippets in a folder."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models import pool
from models.evaluation import snippets, strain_files, whiteness
from models.evaluation.strain_files import Strain
from models.simulation.matching import Example
from models.simulation.simulate import Progress, SimulationConfig, stretch_examples
from transforms.detect.config import DetectConfig
from transforms.detect.searchable import unsearchable
from transforms.elements import Trigger, Whitened
from transforms.gps import LATEST_NS, from_seconds, to_seconds
from transforms.ingest.errors import DataError
from transforms.whiten.config import WhitenConfig
from transforms.whiten.fir import WhiteningFilter

COLUMNS = ("file", "time", "ifo", "label")
POOLED = 512
"""Snippets of a detector and rate that enter its spectrum at most."""


class LabelError(ValueError):
    """Data that cannot be evaluated on; one line says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class LabelledTrigger:
    """A trigger whose label is known."""

    file: str
    time: float
    """GPS [s]."""
    ifo: str
    label: str
    trigger: Trigger
    detected: bool = True
    """Whether our detector found it."""
    unusable: str = ""
    """Why a label of it would say nothing; empty where it can be evaluated on."""


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """A set to be simulated."""

    config: SimulationConfig
    threshold: float
    """Detector's, where there are transients: least rank."""
    seed: tuple[int, ...]


@dataclass(frozen=True)
class _Task:
    wanted: Simulated
    number: int
    whitening: WhitenConfig
    detection: DetectConfig


def simulated(
    wanted: Simulated,
    pipeline: tuple[WhitenConfig, DetectConfig],
    processes: int,
    progress: Progress,
) -> Iterator[tuple[int, LabelledTrigger]]:
    """Simulate a set, and yield its events by stretch, in any order.

    Yields:
        Events, each with a number that orders them.
    """
    whitening, detection = pipeline
    detection = replace(detection, threshold=wanted.threshold)
    total = wanted.config.stretches + wanted.config.noise_stretches
    tasks = (_Task(wanted, number, whitening, detection) for number in range(total))
    found = pool.each(_stretch, tasks, min(processes, total))
    for done, (number, examples) in enumerate(found):
        yield from ((number, _event(number, example)) for example in examples)
        progress("simulating", done + 1, total)


def _stretch(task: _Task) -> tuple[int, list[Example]]:
    config, seed = task.wanted.config, task.wanted.seed
    return task.number, stretch_examples(config, task.number, task.whitening, task.detection, seed)


def _event(number: int, example: Example) -> LabelledTrigger:
    trigger = example.trigger
    file = f"stretch {number}, {trigger.channel.partition(':')[2]}"
    return LabelledTrigger(
        file=file,
        time=to_seconds(trigger.time_ns),
        ifo=trigger.ifo,
        label=example.label,
        trigger=trigger,
    )


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table beside snippets."""

    number: int
    file: Path
    time: float
    ifo: str
    label: str

    @property
    def time_ns(self) -> int:
        """Return the GPS time [ns]."""
        return from_seconds(self.time)


def table(folder: Path) -> list[Row]:
    """Read the one CSV of a folder of snippets.

    Raises:
        LabelError: There is no folder, not one CSV, a column is missing, a time is no
            number, or a file is not there.
    """
    if not folder.is_dir():
        raise LabelError(f"{folder} is no folder: give one with HDF5 files and a CSV")
    tables = sorted(folder.glob("*.csv"))
    if len(tables) != 1:
        names = ", ".join(path.name for path in tables) or "none"
        raise LabelError(f"{folder} must hold one CSV with {','.join(COLUMNS)}; it holds {names}")
    if tables[0].is_fifo():
        raise LabelError(f"{tables[0]} is a pipe, which is not waited for: write it into a file")
    try:
        rows = _rows(tables[0])
    except (UnicodeDecodeError, csv.Error) as error:
        raise LabelError(f"{tables[0]} is no CSV in UTF-8 ({error}): write it anew") from error
    except OSError as error:
        raise LabelError(f"{tables[0]} cannot be read ({error.strerror})") from error
    if not rows:
        raise LabelError(f"{tables[0]} has no line: list the events in it")
    return rows


def _rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
        if missing:
            raise LabelError(f"{path} lacks the columns {', '.join(missing)}: add them")
        return [_row(path, reader.line_num, line) for line in reader]


def _row(path: Path, number: int, line: dict[str, str | None]) -> Row:
    file, text, ifo, label = ((line[name] or "").strip() for name in COLUMNS)
    place = f"{path}, line {number}"
    try:
        time = float(text)
    except ValueError:
        time = np.nan
    if not 0 <= time <= to_seconds(LATEST_NS):
        raise LabelError(f"{place}: time {text!r} is no number: give GPS seconds")
    if not (file and ifo and label):
        raise LabelError(f"{place}: file, ifo and label must not be empty")
    if not (path.parent / file).is_file():
        raise LabelError(f"{place}: there is no file {file} in {path.parent}: add it")
    return Row(number=number, file=path.parent / file, time=time, ifo=ifo, label=label)


Pipeline = tuple[WhitenConfig, DetectConfig]
Filters = dict[tuple[str, int], tuple[WhiteningFilter, WhitenConfig]]
"""Of short snippets, by detector and rate [Hz]."""


def from_folder(
    rows: Sequence[Row], pipeline: Pipeline, progress: Progress
) -> Iterator[tuple[int, LabelledTrigger]]:
    """Yield the events of snippets, each with its number.

    Those whose noise is not white after whitening say so.

    Raises:
        LabelError: A file cannot be used.
    """
    filters = common_filters(strains(rows, pipeline, progress), pipeline)
    for done, row in enumerate(rows):
        white = whitened(strain_of(row, pipeline), row.time_ns, pipeline, filters)
        found = trigger_in(white, row.time_ns, pipeline)
        event = LabelledTrigger(
            file=row.file.name,
            time=row.time,
            ifo=row.ifo,
            label=row.label,
            trigger=found.trigger,
            detected=found.detected,
            unusable=whiteness.fault(white, found.trigger, pipeline[0].low_frequency),
        )
        yield done, event
        progress("reading", done + 1, len(rows))


def whitened(strain: Strain, time_ns: int, pipeline: Pipeline, filters: Filters) -> Whitened:
    """Whiten strain of any length around a time.

    Args:
        strain: Around it.
        time_ns: The time [GPS ns].
        pipeline: Whitening and detection.
        filters: For strain that is too short to be whitened by itself.
    """
    whitening, detection = pipeline
    margin = snippets.bank_of(strain.rate, whitening, detection).margin_seconds
    if snippets.is_long(strain, whitening):
        return snippets.whiten_long(strain, time_ns, whitening, margin)
    return snippets.whiten_short(strain, *filters[strain.ifo, strain.rate], margin)


def trigger_in(white: Whitened, time_ns: int, pipeline: Pipeline) -> snippets.Found:
    """Return what stands for the event at a time [GPS ns] in whitened strain."""
    whitening, detection = pipeline
    bank = snippets.bank_of(white.sample_rate, whitening, detection)
    return snippets.trigger_at(white, time_ns, detection, bank)


def event_in(strain: Strain, time_ns: int, pipeline: Pipeline, filters: Filters) -> snippets.Found:
    """Return what stands for the event at a time [GPS ns] in strain of any length."""
    return trigger_in(whitened(strain, time_ns, pipeline, filters), time_ns, pipeline)


def strains(rows: Sequence[Row], pipeline: Pipeline, progress: Progress) -> Iterator[Strain]:
    """Yield the strain of each line.

    Raises:
        LabelError: A file cannot be used.
    """
    for done, row in enumerate(rows):
        yield strain_of(row, pipeline)
        progress("spectra", done + 1, len(rows))


def strain_of(row: Row, pipeline: Pipeline) -> Strain:
    """Read the strain of a line of the table.

    Raises:
        LabelError: The file cannot be used.
    """
    try:
        strain = strain_files.read(row.file, row.ifo, row.time_ns)
    except DataError as error:
        raise LabelError(str(error)) from error
    if reason := unsearchable(strain.rate, *pipeline):
        raise LabelError(f"{row.file}: {reason}; leave it out")
    return strain


def common_filters(all_: Iterable[Strain], pipeline: Pipeline) -> Filters:
    """Make the filters of short snippets: by detector and rate, of all that there are.

    Raises:
        LabelError: There is too little strain for one.
    """
    power: dict[tuple[str, int], list[np.ndarray]] = defaultdict(list)
    needed: set[tuple[str, int]] = set()
    whitening, _ = pipeline
    for strain in all_:
        kind = strain.ifo, strain.rate
        if not snippets.is_long(strain, whitening):
            needed.add(kind)
        if len(power[kind]) < POOLED:
            power[kind].append(snippets.spectra(strain))
    try:
        return {
            kind: snippets.common_filter(np.concatenate(power[kind]), kind[1], whitening)
            for kind in needed
        }
    except ValueError as error:
        raise LabelError(str(error)) from error
