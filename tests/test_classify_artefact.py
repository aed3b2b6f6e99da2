"""The packaged model: whole, as good as its card says, and right about a real event."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from models import metrics
from models.simulation import noise, simulate, waveforms
from models.training import examples, train
from transforms.classify import artefact
from transforms.classify.features import model_input
from transforms.classify.onnx import OnnxModel
from transforms.detect.config import DetectConfig
from transforms.elements import Block
from transforms.whiten.config import WhitenConfig

DATA = Path(__file__).parent / "data"
MERGER_NS = 1_126_259_462_400_000_000
"""GW150914 at the detectors, to 50 ms."""


@pytest.fixture(scope="module")
def card():
    return artefact.load_card(artefact.default_artefact())


def test_its_files_are_those_of_its_card(card):
    artefact.verify(card)


def test_it_fits_the_pipeline_s_defaults(card):
    artefact.fits(card, WhitenConfig(), DetectConfig())
    assert card.classes == waveforms.CLASSES


def test_it_is_small(card):
    size = sum(path.stat().st_size for path in card.folder.rglob("*") if path.is_file())
    assert size <= artefact.LARGEST == 10_000_000


def test_its_card_says_how_good_it_is_and_on_what(card):
    accuracy, data = card.contents["accuracy"], card.contents["data"]["sets"]
    assert accuracy["snr_from_8"]["overall"] >= 0.9
    assert not set(data["test"]["curves"]) & set(data["train"]["curves"])
    assert set(data["test"]["curves"]) <= set(noise.names())


def test_the_documentation_tells_its_figures(card):
    text = (Path(__file__).parents[1] / "docs" / "classification.md").read_text("utf-8")
    assert card.label in text
    for part in ("all", "snr_below_8", "snr_from_8"):
        assert f"{card.contents['accuracy'][part]['overall']:.3f}" in text


@pytest.mark.slow
def test_it_is_as_good_on_a_new_simulation(card):
    config = simulate.SimulationConfig(
        ("avirgo_O4high", "kagra_10Mpc"), stretches=4, noise_stretches=0, seconds=192
    )
    found = examples.collect(
        simulate.simulate(config, WhitenConfig(), DetectConfig(threshold=5.0), (987_654_321,))
    )
    loud = found.snr >= metrics.LOUD
    figures = metrics.summary(
        train.served(card.folder, found)[loud], found.truth[loud], card.classes
    )
    assert figures["examples"] > 50
    assert figures["overall"] >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize("ifo", ["H1", "L1"])
def test_gw150914_is_a_compact_binary(card, ifo):
    block = _event(ifo)
    triggers = simulate.find(block, WhitenConfig(), DetectConfig())
    near = [t for t in triggers if abs(t.time_ns - MERGER_NS) < 5e7]
    assert len(near) == 1
    seen = model_input(near[0])
    probabilities = OnnxModel(card.folder)(seen.image[None], seen.parameters[None])[0]
    assert card.classes[int(np.argmax(probabilities))] == "cbc"


def _event(ifo):
    name = f"{ifo[0]}-{ifo}_LOSC_4_V2-1126259446-32.hdf5"
    with h5py.File(DATA / name) as file:
        strain = np.asarray(file["strain/Strain"], np.float64)
    start, rate = 1_126_259_446 * 10**9, len(strain) // 32
    end = start + 32 * 10**9
    return Block(
        ifo=ifo,
        channel=f"{ifo}:STRAIN",
        sample_rate=rate,
        gps_start_ns=start,
        data=strain.tobytes(),
        segment_start_ns=start,
        segment_end_ns=end,
        analyse_start_ns=start,
        analyse_end_ns=end,
    )
