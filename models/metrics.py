"""How good a classifier is: the figures of a model's card and of an evaluation."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import sklearn.metrics

from transforms.arrays import BoolArray, IntArray, RealArray

BINS = 15
"""Bins of the calibration curve, as many as Guo et al. 2017 take."""
LOUD = 8.0
"""SNR of a trigger from which on its shape can be told [matched-filter units]."""
SURE = 0.9
"""A score above it says that the label is right in nine of ten cases."""
SNR_EDGES = (0.0, 6.0, 7.0, 8.0, 10.0, 14.0, 20.0, 30.0, 50.0, 100.0, np.inf)
"""Bins in which accuracy is told; the last one has no end."""
LOSS = 0.01
"""Share of true signals that may be lost where the gain against false ones is told."""


def confusion(truth: IntArray, guess: IntArray, classes: int) -> IntArray:
    """Count examples by true class (row) and guessed class (column), [class, class]."""
    table: IntArray = sklearn.metrics.confusion_matrix(truth, guess, labels=range(classes))
    return table


def per_class(
    truth: IntArray, guess: IntArray, classes: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return each class's precision, recall, F1 and count; 0 where undefined."""
    figures = sklearn.metrics.precision_recall_fscore_support(
        truth, guess, labels=range(len(classes)), zero_division=0
    )
    return {
        name: {
            "precision": round(float(precision), 4),
            "recall": round(float(recall), 4),
            "f1": round(float(f1), 4),
            "count": int(count),
        }
        for name, precision, recall, f1, count in zip(classes, *figures, strict=True)
    }


def calibration_curve(
    probabilities: RealArray, truth: IntArray, bins: int = BINS
) -> list[dict[str, float]]:
    """Return mean score, accuracy and count of the best class in bins of equal width.

    Bins without an example are left out.
    """
    score = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    index = np.minimum((score * bins).astype(int), bins - 1)
    return [
        {
            "score": float(score[index == b].mean()),
            "accuracy": float(right[index == b].mean()),
            "count": int(np.sum(index == b)),
        }
        for b in np.unique(index)
    ]


def calibration_error(probabilities: RealArray, truth: IntArray, bins: int = BINS) -> float:
    """Return the expected calibration error of the best class, Guo et al. 2017, eq. 3.

    The mean distance between score and accuracy over bins of equal width
    (arXiv:1706.04599); 0 for honest probabilities.
    """
    curve = calibration_curve(probabilities, truth, bins)
    gaps = [abs(each["score"] - each["accuracy"]) * each["count"] for each in curve]
    return float(np.sum(gaps) / max(len(truth), 1))


def auc(statistic: RealArray, positive: BoolArray) -> float | None:
    """Return the area under the ROC curve: how often a positive ranks over a negative.

    Ties count half. None where one of the two kinds is missing.
    """
    if positive.all() or not positive.any():
        return None
    return round(float(sklearn.metrics.roc_auc_score(positive, statistic)), 5)


def roc(statistic: RealArray, positive: BoolArray, points: int = 200) -> tuple[Any, Any]:
    """Return a ROC curve: false and true positive rate, [point] each, from (0, 0) to (1, 1)."""
    counts = sklearn.metrics.confusion_matrix_at_thresholds(positive, statistic, pos_label=True)
    # True and false positives, of which the last are all; 0 of a kind that is missing.
    false, true = (np.append(0, counts[i]) / max(counts[i][-1], 1) for i in (1, 3))
    # Even in both rates together, so that corners stay.
    way = true + false
    kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], points)))
    return false[kept], true[kept]


def removed_at_loss(signals: RealArray, false: RealArray, loss: float = LOSS) -> float | None:
    """Return the share of false triggers below a threshold that ``loss`` of the signals miss.

    Args:
        signals: Statistic of true signals, large for signals, [signal].
        false: Statistic of false triggers, [trigger].
        loss: Largest share of the signals below the threshold.

    Returns:
        None where there are no signals or no false triggers.
    """
    if not len(signals) or not len(false):
        return None
    # A hair more: 1 % of 100 is one, whatever the product's last digit.
    threshold = np.sort(signals)[int(loss * len(signals) + 1e-9)]
    return round(float(np.mean(false < threshold)), 4)


def binary(
    probabilities: RealArray, truth: IntArray, snr: RealArray, noise: int
) -> dict[str, float | None]:
    """Return how well transients are told from noise by the probability of noise alone.

    Args:
        probabilities: [example, class].
        truth: [example].
        snr: Of the triggers, [example].
        noise: Index of the class of false triggers.
    """
    statistic, real = -probabilities[:, noise], truth != noise
    return {
        "auc": auc(statistic, real),
        "removed_at_1_percent_loss": removed_at_loss(
            statistic[real & (snr >= LOUD)], statistic[~real]
        ),
    }


def by_snr(probabilities: RealArray, truth: IntArray, snr: RealArray) -> list[dict[str, Any]]:
    """Return the accuracy in each bin of SNR that holds an example; the last has no ``high``."""
    right = probabilities.argmax(axis=1) == truth
    rows = []
    for low, high in pairwise(SNR_EDGES):
        own = (snr >= low) & (snr < high)
        if own.any():
            end = high if np.isfinite(high) else None
            accuracy = round(float(right[own].mean()), 4)
            rows.append({"low": low, "high": end, "count": int(own.sum()), "accuracy": accuracy})
    return rows


def macro_f1(figures: dict[str, dict[str, float]]) -> float:
    """Return the mean F1 of the classes that occur; 0 where none does."""
    present = [each["f1"] for each in figures.values() if each["count"]]
    return round(float(np.mean(present or [0.0])), 4)


def summary(probabilities: RealArray, truth: IntArray, classes: Sequence[str]) -> dict[str, Any]:
    """Return accuracy, macro F1, the figures by class and the confusion table.

    Args:
        probabilities: [example, class].
        truth: Index of the right class, [example].
        classes: Labels in order.
    """
    guess = probabilities.argmax(axis=1)
    table, figures = confusion(truth, guess, len(classes)), per_class(truth, guess, classes)
    return {
        "examples": len(truth),
        "overall": round(float(np.trace(table) / max(len(truth), 1)), 4),
        "macro_f1": macro_f1(figures),
        "calibration_error": round(calibration_error(probabilities, truth), 4),
        "by_class": {name: each for name, each in figures.items() if each["count"]},
        "confusion": table.tolist(),
    }
