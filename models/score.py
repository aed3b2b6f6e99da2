"""How good a classifier is: the figures that go on a model's card."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.integer]


def confusion(truth: IntArray, guess: IntArray, classes: int) -> IntArray:
    """Count examples by true class (row) and guessed class (column), [class, class]."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (truth, guess), 1)
    return table


def per_class(table: IntArray, classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """Give each class's precision, recall and F1 from a confusion table; 0 where undefined."""
    right = np.diag(table)
    precision = right / np.maximum(table.sum(axis=0), 1)
    recall = right / np.maximum(table.sum(axis=1), 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return {
        name: {
            "precision": round(float(precision[i]), 4),
            "recall": round(float(recall[i]), 4),
            "f1": round(float(f1[i]), 4),
        }
        for i, name in enumerate(classes)
    }


def calibration_error(
    probabilities: npt.NDArray[np.floating], truth: IntArray, bins: int = 15
) -> float:
    """Give the expected calibration error of the best class, Guo et al. 2017, eq. 3.

    The mean distance between score and accuracy over bins of equal width
    (arXiv:1706.04599); 0 for honest probabilities.
    """
    score = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    index = np.minimum((score * bins).astype(int), bins - 1)
    gaps = [
        abs(score[index == b].mean() - right[index == b].mean()) * np.mean(index == b)
        for b in np.unique(index)
    ]
    return float(np.sum(gaps))


def summary(
    probabilities: npt.NDArray[np.floating], truth: IntArray, classes: Sequence[str]
) -> dict[str, Any]:
    """Give accuracy, macro F1, the figures by class and the confusion table.

    Args:
        probabilities: [example, class].
        truth: Index of the right class, [example].
        classes: Labels in order.
    """
    table = confusion(truth, probabilities.argmax(axis=1), len(classes))
    by_class = per_class(table, classes)
    present = [name for i, name in enumerate(classes) if table[i].any()]
    return {
        "examples": len(truth),
        "overall": round(float(np.trace(table) / max(len(truth), 1)), 4),
        "macro_f1": round(float(np.mean([by_class[n]["f1"] for n in present] or [0.0])), 4),
        "calibration_error": round(calibration_error(probabilities, truth), 4),
        "by_class": {name: by_class[name] for name in present},
        "confusion": table.tolist(),
    }
