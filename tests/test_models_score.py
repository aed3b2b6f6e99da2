"""The figures on the card."""

import numpy as np
import pytest

from models import score

CLASSES = ("a", "b", "c")


def test_figures_of_a_table_done_by_hand():
    truth = np.array([0, 0, 0, 1, 1, 2])
    guess = np.array([0, 0, 1, 1, 1, 0])
    figures = score.summary(np.eye(3)[guess], truth, CLASSES)
    assert figures["confusion"] == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert figures["overall"] == pytest.approx(4 / 6, abs=1e-4)
    assert figures["by_class"]["a"]["precision"] == pytest.approx(2 / 3, abs=1e-4)
    assert figures["by_class"]["b"] == {"precision": 0.6667, "recall": 1.0, "f1": 0.8}
    assert figures["by_class"]["c"]["f1"] == 0
    assert figures["macro_f1"] == pytest.approx((2 / 3 + 0.8 + 0) / 3, abs=1e-4)


def test_a_class_that_does_not_occur_has_no_figures():
    figures = score.summary(np.eye(3)[[0, 1]], np.array([0, 1]), CLASSES)
    assert set(figures["by_class"]) == {"a", "b"}
    assert figures["macro_f1"] == figures["overall"] == 1.0


def test_calibration_error_tells_honest_from_boastful():
    rng = np.random.default_rng(1)
    score_of_best = rng.uniform(0.5, 1, 20_000)
    right = rng.random(20_000) < score_of_best
    probabilities = np.stack([score_of_best, 1 - score_of_best], axis=1)
    truth = np.where(right, 0, 1)
    assert score.calibration_error(probabilities, truth) < 0.02
    boast = np.tile([1.0, 0.0], (20_000, 1))
    assert score.calibration_error(boast, truth) == pytest.approx(0.25, abs=0.02)
