"""Training from end to end, small; and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml

from models import artefact, examples, network, settings, simulate, train, waveforms
from transforms.classify.features import model_input
from transforms.detect.config import DetectConfig
from transforms.whiten.config import WhitenConfig

# Keras 3.15 reads its variables in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)
SMALL = simulate.SimulationConfig(
    ("aligo_O4high",), stretches=2, noise_stretches=1, sample_rates=(2048,), seconds=96
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    config = replace(
        settings.read(), name="tiny", train=SMALL, validation=SMALL, test=SMALL, epochs=1
    )
    told = []
    folder = tmp_path_factory.mktemp("model") / "tiny"
    card = train.train(config, folder, lambda *step: told.append(step))
    return card, told


def test_training_writes_a_model_that_its_card_describes(trained):
    card, told = trained
    artefact.verify(card)
    artefact.fits(card, WhitenConfig(), DetectConfig())
    assert card.classes == waveforms.CLASSES
    assert card.label.startswith("tiny/")
    assert ("training", 1, 1) in told
    table = np.array(card.contents["accuracy"]["all"]["confusion"])
    assert table.sum() == card.contents["accuracy"]["all"]["examples"] > 10
    assert sum(card.contents["data"]["sets"]["test"]["examples"].values()) == table.sum()


def test_the_written_model_serves_probabilities(trained):
    card, _ = trained
    found = examples.collect(
        simulate.simulate(SMALL, WhitenConfig(), DetectConfig(threshold=5), (5,))
    )
    first, again = (train.served(card.folder, found) for _ in range(2))
    assert first.shape == (len(found), len(waveforms.CLASSES))
    assert first.sum(axis=1) == pytest.approx(np.ones(len(found)), abs=1e-5)
    assert np.array_equal(first, again)


def test_the_same_seed_trains_the_same_network():
    rng = np.random.default_rng(1)
    spec = artefact.feature_spec()
    made = examples.Examples(
        rng.random((24, *spec["image"]), np.float32),
        rng.random((24, len(spec["parameters"])), np.float32),
        rng.integers(0, len(waveforms.CLASSES), 24),
        np.full(24, 9.0),
        np.ones(24, bool),
    )
    config = replace(settings.read(), epochs=1)
    first, again = (
        train._logits(train._fit(config, made, made, lambda *_: None)[0], made) for _ in range(2)
    )
    assert np.array_equal(first, again)


def test_a_model_of_other_settings_is_refused(trained):
    card, _ = trained
    with pytest.raises(artefact.ArtefactError, match=r"whiten.low_frequency = 30"):
        artefact.fits(card, WhitenConfig(low_frequency=30.0), DetectConfig())
    other = replace(card, contents={**card.contents, "features": {"version": 0}})
    with pytest.raises(artefact.ArtefactError, match="other features"):
        artefact.fits(other)


def test_a_changed_file_is_noticed(trained, tmp_path):
    card, _ = trained
    changed = replace(card, contents={**card.contents, "files": {"saved_model.pb": "0"}})
    with pytest.raises(artefact.ArtefactError, match="differ"):
        artefact.verify(changed)


def test_a_card_that_lacks_something_is_refused(tmp_path):
    (tmp_path / artefact.CARD).write_text(json.dumps({"name": "x"}))
    with pytest.raises(artefact.ArtefactError, match="lacks id"):
        artefact.load_card(tmp_path)
    (tmp_path / artefact.CARD).write_text("{")
    with pytest.raises(artefact.ArtefactError, match="cannot be read"):
        artefact.load_card(tmp_path)


def test_training_overwrites_nothing(tmp_path):
    (tmp_path / "mine").write_text("x")
    with pytest.raises(ValueError, match="not empty"):
        train.train(settings.read(), tmp_path)


def test_the_packaged_configuration_keeps_the_test_noise_apart():
    config = settings.read()
    assert not set(config.test.curves) & set(config.train.curves + config.validation.curves)


def _packaged():
    from importlib import resources

    return yaml.safe_load((resources.files("models") / "train.yaml").read_text())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": 3}, "unknown keys: epoch"),
        ({"epochs": 0}, "epochs must be positive"),
        ({"epochs": "many"}, "epochs must be a int"),
        ({"threshold": 1.0}, "threshold must be at least 4"),
        ({"test": {"curves": ["x"], "stretches": 1}}, "missing keys: test.noise_stretches"),
        ({"test": {"curve": []}}, "unknown keys: test.curve"),
        (
            {"test": {"curves": ["x"], "stretches": 1, "noise_stretches": 1}},
            r"test.curves \['x'\] are not",
        ),
        ({"test": 5}, "test must hold keys and values"),
    ],
)
def test_a_wrong_configuration_is_refused_by_its_key(change, message):
    with pytest.raises(ValueError, match=message):
        settings.from_mapping({**_packaged(), **change})


def test_a_configuration_is_read_from_a_file(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text(yaml.safe_dump({**_packaged(), "seed": 7}))
    assert settings.read(path) == replace(settings.read(), seed=7)


def test_temperature_softens_what_is_too_sure():
    rng = np.random.default_rng(1)
    logits = rng.standard_normal((4000, 3))
    odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(3, p=p) for p in odds])
    assert network.fit_temperature(3 * logits, truth) == pytest.approx(3.0, rel=0.1)


def test_the_network_is_small():
    assert network.build(len(waveforms.CLASSES)).count_params() <= 300_000


def test_the_model_sees_what_training_saw():
    config = replace(SMALL, stretches=1, noise_stretches=0)
    found = list(simulate.simulate(config, WhitenConfig(), DetectConfig(threshold=5), (6,)))
    arrays = examples.collect(found)
    seen = model_input(found[0].trigger)
    assert np.array_equal(arrays.image[0], seen.image)
    assert np.array_equal(arrays.parameters[0], seen.parameters)
