"""Labels on glitches that people labelled: a folder with a CSV, as ``wavefier evaluate`` reads."""

from pathlib import Path

from benchmarks.real.judged import Judge
from benchmarks.real.scores import Answer
from models.evaluation import labelled
from models.simulation.simulate import Progress


def answers(judge: Judge, folder: Path, progress: Progress) -> list[Answer]:
    """Return what a model says of each labelled glitch.

    Raises:
        LabelError: The folder cannot be used.
    """
    pipeline = judge.whitening, judge.detection
    found = labelled.from_folder(labelled.table(folder), pipeline, progress)
    return [
        judge.answer(each.trigger, name=each.file, truth=each.label, detected=each.detected)
        for _, each in found
    ]
