"""Labels on glitches that people labelled: in files of their own, or by eye in strain."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from benchmarks.real.judged import Judge, Searched
from benchmarks.real.scores import Answer
from models.evaluation import labelled
from models.simulation.simulate import Progress


def answers(judge: Judge, folder: Path, progress: Progress) -> list[Answer]:
    """Return what a model says of each labelled glitch of a folder.

    Args:
        judge: The model.
        folder: Files and a CSV, as ``wavefier evaluate`` reads.
        progress: Told of each file.

    Raises:
        LabelError: The folder cannot be used.
    """
    pipeline = judge.whitening, judge.detection
    found = labelled.from_folder(labelled.table(folder), pipeline, progress)
    return [
        judge.answer(each.trigger, name=each.file, truth=each.label, detected=each.detected)
        for _, each in found
    ]


@dataclass(frozen=True, kw_only=True)
class Sight:
    """A shape seen by eye in scans of strain."""

    ifo: str
    time: float
    """GPS [s]."""
    label: str
    """In the model's words."""


def sights() -> list[Sight]:
    """Return what was seen in published strain: loud, and of a shape that leaves no doubt."""
    text = (resources.files("benchmarks.real") / "by_eye.csv").read_text("utf-8")
    return [
        Sight(ifo=row["ifo"], time=float(row["time"]), label=row["label"])
        for row in csv.DictReader(text.splitlines())
    ]


def by_eye(
    judge: Judge, found: Sequence[Searched], seen: Sequence[Sight]
) -> tuple[list[Answer], list[str]]:
    """Return what a model says of what was seen in strain, and names of what was not found.

    What lies outside the strain at hand is left out.
    """
    answers, missed = [], []
    for sight in seen:
        for each in found:
            if each.ifo != sight.ifo or not each.live[0] <= sight.time < each.live[1]:
                continue
            name = f"{sight.ifo} {sight.time:.2f}"
            trigger = each.trigger_at(sight.time)
            if trigger is None:
                missed.append(f"{name} {sight.label}")
            else:
                answers.append(judge.answer(trigger, name=name, truth=sight.label, detected=True))
    return answers, missed
