"""Rates and limits that a configuration sets: what becomes of a model's answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from transforms.classify import answers
from transforms.classify.artefact import ArtefactError
from transforms.classify.config import ClassifyConfig, Rate
from transforms.classify.handler import ClassifierHandler, Limit
from transforms.classify.stage import Classify

CLASSES = ("blip", "tomte", "noise", "unknown")
ODDS = arrays(np.float32, (5, 4), elements=st.floats(0, 1, width=32))
STRANGE = arrays(np.float32, (5, 1), elements=st.floats(-200, 200, width=32))
RATES = (Rate("blip", 3.0, "L1"), Rate("blip", 0.5), Rate("noise", 100.0))


def _answer(odds, novelty_log_odds):
    taught = (odds + np.float32(1e-6)) / (odds + 1e-6).sum(axis=1, keepdims=True)
    own = np.arange(4) == 3
    strange = 1 / (1 + np.exp(-novelty_log_odds.astype(float)))
    probabilities = (taught + strange * (own - taught)).astype(np.float32)
    return answers.Answer(probabilities, taught.astype(np.float32), novelty_log_odds)


@given(ODDS, STRANGE, st.floats(0.01, 100))
def test_another_limit_gives_probabilities_whose_unknown_part_falls_with_it(odds, strange, limit):
    said = _answer(odds, strange)
    made = answers.relimited(said, 3, limit)
    assert made.dtype == np.float32
    assert made.min() >= 0
    assert made.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    wider = answers.relimited(said, 3, 2 * limit)
    assert np.all(wider[:, 3] <= made[:, 3] + 1e-6)
    assert answers.relimited(said, 3, 1.0) == pytest.approx(said.probabilities, abs=1e-6)


def test_at_the_limit_the_odds_are_even():
    novelty_log_odds = np.float32([[answers.STEEPNESS * np.log(2.0)]])
    taught = np.float32([[1, 0, 0, 0]])
    said = answers.Answer(taught, taught, novelty_log_odds)
    assert answers.relimited(said, 3, 2.0)[0] == pytest.approx([0.5, 0, 0, 0.5], abs=1e-6)


def test_a_model_that_tells_probabilities_alone_has_one_limit():
    with pytest.raises(ValueError, match="does not say how strange"):
        answers.relimited(answers.Answer(np.ones((1, 4), np.float32)), 3, 2.0)


def test_rates_are_of_a_detector_or_of_all():
    found = answers.rates_of(RATES, CLASSES)
    assert found["L1"].tolist() == [3, 1, 100, 1]
    assert found[""].tolist() == [0.5, 1, 100, 1]
    with pytest.raises(ValueError, match="koi: not among blip, tomte"):
        answers.rates_of((Rate("koi", 2.0),), CLASSES)


@given(ODDS)
def test_rates_weigh_probabilities_by_bayes(odds):
    found = answers.rates_of(RATES, CLASSES)
    probabilities = _answer(odds, np.full((5, 1), -50, np.float32)).probabilities[0]
    for detector, values in (("L1", found["L1"]), ("V1", found[""])):
        made = answers.weighed(probabilities, found, detector)
        expected = probabilities.astype(float) * values
        assert made == pytest.approx(expected / expected.sum(), abs=1e-6)


def test_without_rates_no_bit_changes():
    probabilities = np.random.default_rng(1).random(4).astype(np.float32)
    assert answers.weighed(probabilities, answers.rates_of((), CLASSES), "H1") is probabilities
    even = (Rate("noise", 1.0, "H1"),)
    assert answers.weighed(probabilities, answers.rates_of(even, CLASSES), "H1") is probabilities


def test_nothing_is_divided_by_nothing():
    nothing = np.zeros(4, np.float32)
    assert not answers.weighed(nothing, answers.rates_of(RATES, CLASSES), "L1").any()


@pytest.mark.parametrize("backend", ["onnx", "tfx_bsl"])
@pytest.mark.slow
def test_both_back_ends_set_the_limit_alike(untrained, backend):
    from tests.test_classify_stage import trigger
    from transforms.classify.features import model_input

    batch = [model_input(trigger(number)) for number in range(3)]
    said = []
    for limit in (None, Limit(2, 1e-2), Limit(2, 1e2)):
        handler = ClassifierHandler(str(untrained.folder), untrained.id, backend, limit)
        said.append(np.stack(list(handler.run_inference(batch, handler.load_model()))))
    assert np.all(said[1][:, 2] > said[0][:, 2])
    assert np.all(said[0][:, 2] >= said[2][:, 2])
    reference = ClassifierHandler(str(untrained.folder), untrained.id, "onnx", Limit(2, 1e-2))
    expected = np.stack(list(reference.run_inference(batch, reference.load_model())))
    assert said[1] == pytest.approx(expected, abs=1e-5)


def test_rates_of_no_class_are_refused_when_the_graph_is_built(untrained):
    folder = str(untrained.folder)
    with pytest.raises(ArtefactError, match=r"classify\.rates: blips: not among "):
        Classify(config=ClassifyConfig(model=folder, rates=(Rate("blips", 2.0),)))


def test_a_limit_that_a_model_of_old_cannot_have_is_refused(untrained, tmp_path):
    import json
    import shutil

    folder = shutil.copytree(untrained.folder, tmp_path / "old")
    contents = json.loads((folder / "card.json").read_text())
    del contents["parts"]
    (folder / "card.json").write_text(json.dumps(contents))
    assert Classify(config=ClassifyConfig(model=str(folder)))
    with pytest.raises(ArtefactError, match=r"set classify\.unknown_limit: 1, or train again"):
        Classify(config=ClassifyConfig(model=str(folder), unknown_limit=2.0))
