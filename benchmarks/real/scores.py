"""Whether labels are right, and whether scores mean what they say."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models import metrics
from models.metrics import SURE
from transforms.arrays import RealArray
from transforms.classify.answers import UNKNOWN


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the model said of something that a person named."""

    name: str
    truth: str
    """The person's label, in the model's words."""
    label: str
    score: float
    probabilities: RealArray
    """[class]."""
    snr: float
    """Of the trigger."""
    detected: bool


def told(answers: Sequence[Answer], classes: Sequence[str]) -> dict[str, Any]:
    """Return counts and score figures of answers.

    A label that the model has no class for is right as ``unknown``, and is counted apart:
    ``known`` is about the others alone.

    Args:
        answers: What was said.
        classes: Of the model, in the order of the probabilities.

    Returns:
        ``known`` and ``all``, each with ``count``, ``right``, the expected calibration error
        ``ece`` (None where there is nothing), and ``sure``, of which ``sure_wrong``.
    """
    known = [each for each in answers if each.truth in classes]
    return {"known": _figures(known, classes), "all": _figures(answers, classes)}


def _figures(answers: Sequence[Answer], classes: Sequence[str]) -> dict[str, Any]:
    right = [is_right(each, classes) for each in answers]
    sure = [each.score > SURE for each in answers]
    return {
        "count": len(answers),
        "right": sum(right),
        "ece": _calibration_error(answers, classes),
        "sure": sum(sure),
        "sure_wrong": sum(s and not r for s, r in zip(sure, right, strict=True)),
    }


def is_right(answer: Answer, classes: Sequence[str]) -> bool:
    """Return whether a label is the person's, or ``unknown`` where the model has no such class."""
    return answer.label == (answer.truth if answer.truth in classes else UNKNOWN)


def _calibration_error(answers: Sequence[Answer], classes: Sequence[str]) -> float | None:
    if not answers:
        return None
    # No index is right of a class that the model lacks, unless it has one for the unknown.
    index = {name: number for number, name in enumerate(classes)}
    truth = np.array([index.get(each.truth, index.get(UNKNOWN, -1)) for each in answers])
    stacked = np.stack([each.probabilities for each in answers])
    return round(metrics.calibration_error(stacked, truth), 4)


def by_class(answers: Sequence[Answer], classes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return for each person's label: how many, how many right, and which labels they got."""
    rows: dict[str, dict[str, Any]] = {}
    for truth in sorted({each.truth for each in answers}):
        own = [each for each in answers if each.truth == truth]
        counts = Counter(each.label for each in own).most_common()
        rows[truth] = {
            "known": truth in classes,
            "count": len(own),
            "right": sum(each.label == truth for each in own),
            "unknown": sum(each.label == UNKNOWN for each in own),
            "labels": {
                label: {"count": count, "scores": _range(own, label)} for label, count in counts
            },
        }
    return rows


def _range(answers: Sequence[Answer], label: str) -> tuple[float, float]:
    scores = [each.score for each in answers if each.label == label]
    return round(min(scores), 4), round(max(scores), 4)
