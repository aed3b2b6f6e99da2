"""How good a model is on labelled events: figures, a table of the events, and a page."""

import csv
import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models import environment, metrics
from models.evaluation import labelled
from models.evaluation.evaluation import Evaluation
from models.evaluation.labelled import LabelError, LabelledTrigger, Simulated
from models.simulation import waveforms
from models.simulation.simulate import Progress
from transforms.classify import artefact
from transforms.classify.answers import UNKNOWN
from transforms.classify.features import model_input
from transforms.classify.onnx import OnnxModel
from transforms.detect.config import DetectConfig
from transforms.elements import Trigger
from transforms.files import whole_file
from transforms.whiten.config import WhitenConfig

FIGURES, EVENTS, REPORT = "evaluation.json", "events.csv", "report.html"
NOT_USABLE = "not usable"
"""Stands in the place of a label where one would say nothing."""
ADVICE = "Give 16 s of strain or more around each event, or evaluate each kind of noise by itself"
TIMED = 256
"""Events on which the time is measured."""
_COLUMNS = ("file", "time", "ifo", "label", "guessed", "score", "snr", "detected", "why")


def pipeline_of(card: artefact.Card) -> tuple[WhitenConfig, DetectConfig]:
    """Return the pipeline's whitening and detection, set as a model was trained with."""
    parts: dict[str, dict[str, Any]] = {"whiten": {}, "detect": {}}
    for key, value in card.contents["settings"].items():
        part, _, name = key.partition(".")
        parts[part][name] = value
    return WhitenConfig(**parts["whiten"]), DetectConfig(**parts["detect"])


def on_simulation(
    card: artefact.Card, wanted: Simulated, processes: int, progress: Progress
) -> Evaluation:
    """Evaluate a model on a simulated set, such as the test set of a training.

    Raises:
        ArtefactError: The model does not fit this version's features.
        LabelError: Nothing was found, or a label is not among the model's classes.
        models.pool.PoolError: A process was killed.
    """
    artefact.fits(card)
    return _evaluated(
        card, labelled.simulated(wanted, pipeline_of(card), processes, progress), waveforms.CLASSES
    )


def on_folder(card: artefact.Card, folder: Path, progress: Progress) -> Evaluation:
    """Evaluate a model on a folder of labelled strain snippets.

    Raises:
        ArtefactError: The model does not fit this version's features.
        LabelError: The folder cannot be used, or none of its events.
    """
    artefact.fits(card)
    rows = labelled.table(folder)
    labels = [row.label for row in rows]
    _truths(card, labels)  # refused before the work, not after it
    return _evaluated(card, labelled.from_folder(rows, pipeline_of(card), progress), labels)


def _truths(card: artefact.Card, labels: Iterable[str]) -> tuple[dict[str, int], str]:
    """Map labels to a model's classes; return also a note on those that are not among them."""
    counts = Counter(labels)
    others = sorted(label for label in counts if label not in card.classes)
    if others and UNKNOWN not in card.classes:
        raise LabelError(
            f"label {', '.join(others)}: not among the classes of {card.label}, which has no "
            f"{UNKNOWN!r} either; it has {', '.join(card.classes)}"
        )
    index = {label: card.classes.index(UNKNOWN if label in others else label) for label in counts}
    named = ", ".join(f"{label} ({counts[label]})" for label in others)
    return index, f"counted as {UNKNOWN}, since the model has no such class: {named}" * bool(others)


def _evaluated(
    card: artefact.Card, found: Iterable[tuple[int, LabelledTrigger]], labels: Sequence[str]
) -> Evaluation:
    index, _ = _truths(card, labels)
    model = OnnxModel(card.folder)
    rows: list[tuple[int, dict[str, Any], npt.NDArray[np.float32] | None]] = []
    timed: list[Trigger] = []
    for number, event in found:
        answer = None if event.unusable else asked(model, event.trigger)
        rows.append((number, _row(card, event, answer), answer))
        if answer is not None and len(timed) < TIMED:
            timed.append(event.trigger)
    if not rows:
        raise LabelError("there is no event to evaluate on: simulate more stretches")
    # Stretches come as they are done; their order must not depend on it.
    rows.sort(key=lambda row: (row[0], row[1]["time"]))
    told = [row for _, row, _ in rows]
    usable = [(row, answer) for _, row, answer in rows if answer is not None]
    if not usable:
        first = told[0]
        raise LabelError(
            f"none of {len(told)} events is usable; {first['file']}: {first['why']}. {ADVICE}"
        )
    return Evaluation(
        card=card,
        rows=told,
        truth=np.array([index[row["label"]] for row, _ in usable]),
        probabilities=np.array([answer for _, answer in usable]),
        milliseconds=_milliseconds(model, timed),
        notes=_notes(card, told),
    )


def _notes(card: artefact.Card, rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    usable = [row for row in rows if not row["why"]]
    left = len(rows) - len(usable)
    unusable = f"not usable, and left out: {left} of {len(rows)} ({EVENTS} says why). {ADVICE}"
    missed = sum(not row["detected"] for row in usable)
    found = f"not detected, but labelled at the time told: {missed} of {len(usable)}"
    _, other = _truths(card, [row["label"] for row in usable])
    notes = unusable if left else "", found if missed else "", other
    return tuple(note for note in notes if note)


def asked(model: OnnxModel, trigger: Trigger) -> npt.NDArray[np.float32]:
    """Return the probabilities of one trigger, [class]."""
    seen = model_input(trigger)
    answer: npt.NDArray[np.float32] = model(seen.image[None], seen.parameters[None])[0]
    return answer


def _row(
    card: artefact.Card, event: LabelledTrigger, answer: npt.NDArray[np.float32] | None
) -> dict[str, Any]:
    guessed, score = NOT_USABLE, None
    if answer is not None:
        best = int(np.argmax(answer))
        guessed, score = card.classes[best], round(float(answer[best]), 4)
    return {
        "file": event.file,
        "time": event.time,
        "ifo": event.ifo,
        "label": event.label,
        "guessed": guessed,
        "score": score,
        "snr": round(float(event.trigger.snr), 2),
        "detected": event.detected,
        "why": event.unusable,
    }


def _milliseconds(model: OnnxModel, triggers: Sequence[Trigger]) -> float:
    """Return the CPU time of one event, all of it in this thread."""
    start = time.process_time()
    for trigger in triggers:
        asked(model, trigger)
    return (time.process_time() - start) * 1e3 / len(triggers)


def figures(evaluation: Evaluation, command: str) -> dict[str, Any]:
    """Return what ``evaluation.json`` holds."""
    card, truth, answers = evaluation.card, evaluation.truth, evaluation.probabilities
    guess = answers.argmax(axis=1)
    table = metrics.confusion(truth, guess, len(card.classes))
    classes: dict[str, dict[str, Any]] = {
        name: {**each, "auc": metrics.auc(answers[:, i], truth == i)}
        for i, (name, each) in enumerate(metrics.per_class(truth, guess, card.classes).items())
    }
    noise = card.classes.index(waveforms.NOISE)
    return {
        "model": card.label,
        "events": len(truth),
        "not_usable": len(evaluation.unusable),
        "not_detected": sum(not row["detected"] for row in evaluation.usable),
        "accuracy": round(float(np.trace(table) / len(truth)), 4),
        "macro_f1": metrics.macro_f1(classes),
        "ece": round(metrics.calibration_error(answers, truth), 4),
        "ms_per_event": round(evaluation.milliseconds, 3),
        "binary": metrics.binary(answers, truth, evaluation.snr, noise),
        "by_snr": metrics.by_snr(answers, truth, evaluation.snr),
        "per_class": classes,
        "confusion": {"labels": list(card.classes), "table": table.tolist()},
        "calibration": metrics.calibration_curve(answers, truth),
        "notes": list(evaluation.notes),
        "command": command,
        "machine": environment.about(),
        "versions": environment.versions(),
    }


def write(evaluation: Evaluation, output: Path, command: str) -> dict[str, Any]:
    """Write figures, events and page; each file appears whole.

    Returns:
        The figures.

    Raises:
        OSError: The folder cannot be written.
    """
    # Only now: what draws is imported in half a second.
    from models.evaluation.page import render

    told = figures(evaluation, command)
    with whole_file(output / FIGURES) as path:
        path.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    with whole_file(output / EVENTS) as path, path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(evaluation.rows)
    with whole_file(output / REPORT) as path:
        path.write_text(render(evaluation, told), "utf-8")
    return told
