"""The figures of cards and evaluations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from models import metrics

CLASSES = ("a", "b", "c")


def test_figures_of_a_table_done_by_hand():
    truth = np.array([0, 0, 0, 1, 1, 2])
    guess = np.array([0, 0, 1, 1, 1, 0])
    figures = metrics.summary(np.eye(3)[guess], truth, CLASSES)
    assert figures["confusion"] == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert figures["overall"] == pytest.approx(4 / 6, abs=1e-4)
    assert figures["by_class"]["a"]["precision"] == pytest.approx(2 / 3, abs=1e-4)
    expected = {"precision": 0.6667, "recall": 1.0, "f1": 0.8, "count": 2}
    assert figures["by_class"]["b"] == expected
    assert figures["by_class"]["c"]["f1"] == 0
    assert figures["macro_f1"] == pytest.approx((2 / 3 + 0.8 + 0) / 3, abs=1e-4)


def test_a_class_that_does_not_occur_has_no_figures():
    figures = metrics.summary(np.eye(3)[[0, 1]], np.array([0, 1]), CLASSES)
    assert set(figures["by_class"]) == {"a", "b"}
    assert figures["macro_f1"] == figures["overall"] == 1.0


def test_calibration_error_tells_honest_from_boastful():
    rng = np.random.default_rng(1)
    score_of_best = rng.uniform(0.5, 1, 20_000)
    right = rng.random(20_000) < score_of_best
    probabilities = np.stack([score_of_best, 1 - score_of_best], axis=1)
    truth = np.where(right, 0, 1)
    assert metrics.calibration_error(probabilities, truth) < 0.02
    boast = np.tile([1.0, 0.0], (20_000, 1))
    assert metrics.calibration_error(boast, truth) == pytest.approx(0.25, abs=0.02)


def test_calibration_error_by_hand():
    best = np.array([0.9, 0.9, 0.6, 0.6])
    probabilities = np.stack([best, 1 - best], axis=1)
    truth = np.array([0, 1, 0, 0])  # half of those at 0.9 are right, and all at 0.6
    error = metrics.calibration_error(probabilities, truth, bins=10)
    assert error == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)
    curve = metrics.calibration_curve(probabilities, truth, bins=10)
    assert [(round(each["score"], 6), each["accuracy"], each["count"]) for each in curve] == [
        (0.6, 1.0, 2),
        (0.9, 0.5, 2),
    ]


SAMPLES = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=2, max_size=60)


@settings(deadline=None)
@given(SAMPLES)
def test_auc_is_that_of_mann_and_whitney(samples):
    statistic = np.array([float(value) for value, _ in samples])
    positive = np.array([kind for _, kind in samples])
    if positive.all() or not positive.any():
        assert metrics.auc(statistic, positive) is None
        return
    u = mannwhitneyu(statistic[positive], statistic[~positive]).statistic
    expected = u / (positive.sum() * (~positive).sum())
    assert metrics.auc(statistic, positive) == pytest.approx(expected, abs=1e-5)


@settings(deadline=None)
@given(SAMPLES)
def test_a_roc_curve_rises_and_has_its_auc_below_it(samples):
    statistic = np.array([float(value) for value, _ in samples])
    positive = np.array([kind for _, kind in samples])
    false, true = metrics.roc(statistic, positive)
    assert (false[0], true[0]) == (0, 0)
    assert np.all(np.diff(false) >= 0)
    assert np.all(np.diff(true) >= 0)
    if positive.any() and not positive.all():
        assert (false[-1], true[-1]) == (1, 1)
        area = np.trapezoid(true, false)
        assert area == pytest.approx(metrics.auc(statistic, positive), abs=1e-5)


def test_what_is_removed_at_a_loss_by_hand():
    signals = np.arange(100.0)
    assert metrics.removed_at_loss(signals, np.array([-1.0, 0.5, 1.0, 50.0])) == 0.5
    # Of 99 signals, 1 % is none.
    assert metrics.removed_at_loss(signals[1:], np.array([0.5, 1.0, 2.0, 3.0])) == 0.25
    assert metrics.removed_at_loss(signals, np.array([])) is None
    assert metrics.removed_at_loss(np.array([]), signals) is None


@settings(deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=80), st.floats(0, 0.5))
def test_no_more_is_lost_than_may_be(values, loss):
    signals = np.array(values)
    removed = metrics.removed_at_loss(signals, signals, loss)
    assert removed <= loss + 1e-4


def test_noise_is_told_from_loud_signals():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]])
    truth, snr = np.array([0, 1, 1, 0]), np.array([10.0, 5.0, 6.0, 20.0])
    told = metrics.binary(probabilities, truth, snr, noise=1)
    assert told == {"auc": 0.75, "removed_at_1_percent_loss": 0.5}


def test_accuracy_in_bins_of_snr():
    probabilities = np.eye(2)[[0, 0, 1, 1]]
    truth = np.array([0, 1, 1, 1])
    rows = metrics.by_snr(probabilities, truth, np.array([5.0, 5.5, 8.0, 1e4]))
    assert rows == [
        {"low": 0.0, "high": 6.0, "count": 2, "accuracy": 0.5},
        {"low": 8.0, "high": 10.0, "count": 1, "accuracy": 1.0},
        {"low": 100.0, "high": None, "count": 1, "accuracy": 1.0},
    ]
