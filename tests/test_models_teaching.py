"""The last layer taught what people have labelled: little by few, nothing by none."""

import numpy as np
import pytest

from models.training import calibration, teaching
from models.training.teaching import Layer, Lesson

FEATURES, CLASSES = 6, 3


def _lesson(rng, count, shift=0.0, glitch=0, labels=CLASSES):
    truth = rng.integers(0, labels, count)
    features = rng.standard_normal((count, FEATURES))
    features[np.arange(count), truth] += 3
    return Lesson(features + shift, truth, glitch + np.arange(count))


@pytest.fixture(scope="module")
def simulated():
    return _lesson(np.random.default_rng(1), 900)


@pytest.fixture(scope="module")
def layer(simulated):
    nothing = Layer(np.zeros((FEATURES, CLASSES)), np.zeros(CLASSES))
    return teaching.taught(nothing, simulated, simulated.only(np.arange(900) < 3), 1e9)


def _right(layer, lesson):
    return np.mean(layer.logits(lesson.features).argmax(axis=1) == lesson.truth)


def test_without_labels_nothing_changes(simulated, layer):
    assert teaching.taught(layer, simulated, simulated.only(np.zeros(900, bool)), 20.0) is layer


def test_classes_weigh_alike_and_glitches_by_their_number():
    simulated = Lesson(np.zeros((5, 2)), np.array([0, 0, 0, 0, 1]), np.arange(5))
    labelled = Lesson(np.zeros((4, 2)), np.array([0, 0, 0, 2]), np.array([7, 7, 8, 9]))
    own, told = teaching.weights(simulated, labelled, 2.0)
    assert own.sum() + told.sum() == pytest.approx(1)
    # Two glitches of class 0, which has half of its weight from them; one of class 2, alone.
    assert own == pytest.approx([1 / 24] * 4 + [1 / 3])
    assert told == pytest.approx([1 / 24, 1 / 24, 1 / 12, 1 / 3])


def test_copies_of_a_glitch_count_as_one():
    simulated = Lesson(np.zeros((2, 2)), np.array([0, 1]), np.arange(2))
    for copies in (1, 5, 50):
        labelled = Lesson(np.zeros((copies, 2)), np.zeros(copies, int), np.zeros(copies, int))
        assert teaching.weights(simulated, labelled, 4.0)[1].sum() == pytest.approx(0.1)


def test_labels_teach_what_simulation_lacks_and_cost_it_little(simulated, layer):
    rng = np.random.default_rng(2)
    # Real ones lie elsewhere, where the simulated fit is wrong.
    shift = np.array([0, 0, 3.0, 0, 4.0, 0])
    real = [_lesson(rng, count, shift, 10_000, labels=2) for count in (60, 400)]
    before = [_right(layer, one) for one in (simulated, real[1])]
    made = teaching.taught(layer, simulated, real[0], 20.0)
    after = [_right(made, one) for one in (simulated, real[1])]
    assert after[1] > before[1] + 0.2
    assert after[0] > before[0] - 0.02


def test_a_wrong_label_moves_little(simulated, layer):
    wrong = simulated.only(np.arange(900) == 0)
    wrong = Lesson(wrong.features, (wrong.truth + 1) % CLASSES, np.array([10_000]))
    made = teaching.taught(layer, simulated, wrong, 20.0)
    assert _right(made, simulated) > _right(layer, simulated) - 0.02


def test_no_glitch_is_judged_by_a_fit_that_it_was_taught_to(simulated, layer):
    rng = np.random.default_rng(3)
    real = _lesson(rng, 12, 1.0, 10_000)
    twice = Lesson(*(np.repeat(part, 2, axis=0) for part in vars(real).values()))
    logits = teaching.apart(layer, simulated, twice, 20.0)
    assert np.array_equal(logits[::2], logits[1::2])
    other = np.where(np.arange(24) < 2, (twice.truth + 1) % CLASSES, twice.truth)
    changed = teaching.apart(layer, simulated, Lesson(twice.features, other, twice.glitch), 20.0)
    assert np.array_equal(changed[:2], logits[:2])
    assert not np.array_equal(changed[2:], logits[2:])


def test_one_glitch_is_judged_by_the_simulated_fit(simulated, layer):
    one = simulated.only(np.arange(900) == 5)
    assert np.array_equal(teaching.apart(layer, simulated, one, 20.0), layer.logits(one.features))


def test_some_of_each_class_are_chosen():
    truth = np.repeat([0, 1, 2], [1000, 40, 700])
    chosen = teaching.some(truth, np.random.default_rng(1), 100)
    assert np.bincount(truth[chosen]).tolist() == [100, 40, 100]
    assert np.array_equal(chosen, teaching.some(truth, np.random.default_rng(1), 100))


def test_labelled_glitches_pull_the_temperature_by_their_share():
    rng = np.random.default_rng(4)
    log_snr = np.full(4000, np.log(10))
    logits = 2 * rng.standard_normal((4000, 4))
    odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (odds.cumsum(axis=1) > rng.random((4000, 1))).argmax(axis=1)
    none = np.zeros(4000, bool)
    plain = calibration.fit(logits, truth, log_snr, none)
    wrong = rng.integers(0, 4, 50)
    fits = [
        calibration.fit(
            logits,
            truth,
            log_snr,
            none,
            calibration.Judged(3 * logits[:50], wrong, log_snr[:50], share),
        )[0]
        for share in (0.0, 0.1, 0.5)
    ]
    assert fits[0] == pytest.approx(plain[0], abs=1e-3)
    assert fits[0] < fits[1] < fits[2]
