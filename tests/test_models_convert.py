"""From a SavedModel to ONNX: the same answers, the same id, a card that names the file."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from models import environment
from models.training import convert
from transforms.classify import artefact
from transforms.classify.artefact import ArtefactError
from transforms.classify.config import ONNX, ClassifyConfig
from transforms.classify.handler import ClassifierHandler
from transforms.classify.onnx import OnnxModel
from transforms.classify.stage import Classify


@pytest.fixture
def old(untrained, tmp_path):
    """Return a model as it was written before there was ONNX."""
    shutil.copytree(untrained.folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / artefact.ONNX_FILE).unlink()
    contents = {key: value for key, value in untrained.contents.items() if key != "converted"}
    (tmp_path / artefact.CARD).write_text(json.dumps(contents))
    return artefact.load_card(tmp_path)


def test_an_old_model_is_refused_until_it_is_converted_and_keeps_its_id(old, untrained, capsys):
    config = ClassifyConfig(str(old.folder))
    with pytest.raises(ArtefactError, match=r"python -m models\.training\.convert") as refused:
        Classify(config=config)
    assert str(old.folder) in str(refused.value)
    assert "\n" not in str(refused.value)
    with pytest.raises(ArtefactError, match="has no ONNX form"):
        artefact.verify(old)
    assert convert.main([str(old.folder)]) == 0
    assert old.label in capsys.readouterr().out
    Classify(config=config)
    card = artefact.load_card(old.folder)
    artefact.verify(card)
    assert card.id == old.id
    assert card.contents["versions"]["tf2onnx"]
    kept = set(old.contents) - {"versions"}
    assert {key: card.contents[key] for key in kept} == {key: old.contents[key] for key in kept}
    rng = np.random.default_rng(1)
    image = rng.random((3, *artefact.feature_spec()["image"]), np.float32)
    parameters = rng.random((3, 5), np.float32)
    answers = [OnnxModel(one.folder)(image, parameters) for one in (old, untrained)]
    assert np.array_equal(*answers)


def test_a_conversion_that_answers_otherwise_is_not_written(old, monkeypatch, capsys):
    class Other(OnnxModel):
        def answer(self, *given):
            said = super().answer(*given)
            return replace(said, probabilities=1.001 * said.probabilities)

    monkeypatch.setattr(convert, "OnnxModel", Other)
    assert convert.main([str(old.folder)]) == 1
    said = capsys.readouterr().err
    assert "differs from its SavedModel" in said
    assert said.count("\n") == 1
    assert not (old.folder / artefact.ONNX_FILE).exists()
    assert artefact.load_card(old.folder).converted == {}


def test_a_folder_without_a_model_is_one_line(tmp_path, capsys):
    assert convert.main([str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("no model in")


def test_an_onnx_form_of_another_model_is_not_served(untrained, tmp_path):
    shutil.copytree(untrained.folder, tmp_path, dirs_exist_ok=True)
    shutil.copy(artefact.default_artefact() / artefact.ONNX_FILE, tmp_path)
    with pytest.raises(ArtefactError, match="differs from its card"):
        ClassifierHandler(str(tmp_path), untrained.id, ONNX).load_model()
    with pytest.raises(ArtefactError, match="differs from its card"):
        artefact.verify(artefact.load_card(tmp_path))


def test_what_training_lacks_is_told_before_it_begins(monkeypatch):
    monkeypatch.setattr(environment, "find_spec", lambda name: None if name != "keras" else name)
    with pytest.raises(ValueError, match=r"tensorflow, tf2onnx missing.*wavefier\[train\]"):
        environment.check_training()
