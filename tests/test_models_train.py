"""Training from end to end, small; and what is refused."""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, replace

import numpy as np
import pytest
import yaml

from models import environment
from models.evaluation import labelled
from models.simulation import simulate, strain, waveforms
from models.training import calibrated, examples, fit, network, settings, train, work
from transforms.classify import artefact
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
REAL = replace(
    SMALL, strain=(strain.RealStrain("H1", 1126259447, 31, "GW150914", 1126259462.4),), shortest=32
)
TINY = replace(
    settings.read(),
    **{"name": "tiny", "train": REAL, "validation": SMALL, "test": SMALL},
    **{"epochs": 1, "labelled_copies": 3},
)


@pytest.fixture(scope="session")
def strain_folder(data, tmp_path_factory):
    """Return a folder with the real strain that the tiny training names."""
    folder = tmp_path_factory.mktemp("strain")
    shutil.copy(data / "H-H1_LOSC_4_V2-1126259446-32.hdf5", folder)
    return folder


@pytest.fixture(scope="session")
def glitches(data, tmp_path_factory):
    """Return a folder of labelled strain: real, though its labels are for the test alone."""
    folder = tmp_path_factory.mktemp("glitches")
    shutil.copy(data / "L-L1_GWOSC_4KHZ_R1-1187008867-32.hdf5", folder)
    shutil.copy(data / "H-H1_LOSC_4_V2-1126259446-32.hdf5", folder)
    (folder / "labels.csv").write_text(
        "file,time,ifo,label\n"
        "L-L1_GWOSC_4KHZ_R1-1187008867-32.hdf5,1187008881.382,L1,tomte\n"
        "H-H1_LOSC_4_V2-1126259446-32.hdf5,1126259462.42,H1,my_own\n"
        "H-H1_LOSC_4_V2-1126259446-32.hdf5,1126259470.5,H1,blip\n"
    )
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory, strain_folder):
    told, notes = [], []
    folder = tmp_path_factory.mktemp("model") / "tiny"
    tell = train.Tell(lambda *step: told.append(step), notes.append)
    run = train.Run(keep_work=True, command="wavefier train --output tiny", strain=(strain_folder,))
    card = train.train(TINY, folder, run, tell)
    return card, told, notes


def test_training_writes_a_model_that_its_card_describes(trained):
    card, told, notes = trained
    artefact.verify(card)
    artefact.fits(card, WhitenConfig(), DetectConfig())
    assert card.classes == waveforms.CLASSES
    assert card.label.startswith("tiny/")
    assert ("simulating test", 3, 3) in told
    assert [step for step in told if step[0] == "training"]
    assert notes[-1].startswith("epoch 1 of 1: loss ")
    table = np.array(card.contents["accuracy"]["all"]["confusion"])
    assert table.sum() == card.contents["accuracy"]["all"]["examples"] > 10
    assert sum(card.contents["data"]["sets"]["test"]["examples"].values()) == table.sum()


def test_a_card_tells_how_its_model_was_made(trained):
    contents = trained[0].contents
    assert contents["command"] == "wavefier train --output tiny"
    assert {"training", "simulating train", "measuring"} <= set(contents["seconds"])
    assert contents["machine"]["cores"] >= contents["machine"]["cores_used"] >= 1
    assert contents["versions"]["keras"]
    assert len(contents["training"]["history"]) == contents["training"]["epochs_run"] == 1
    assert (
        sum(row["count"] for row in contents["by_snr"]) == contents["accuracy"]["all"]["examples"]
    )
    assert 0 <= contents["binary"]["auc"] <= 1


def test_labels_are_taught_without_another_fit(trained, glitches, strain_folder, tmp_path):
    place = shutil.copytree(trained[0].folder.with_name("tiny.work"), tmp_path / "work")
    before = (place / "fit" / "state.npz").read_bytes()
    notes, told = [], []
    run = train.Run(work=place, keep_work=True, labelled=glitches, strain=(strain_folder,))
    tell = train.Tell(lambda *step: told.append(step[0]), notes.append)
    card = train.train(TINY, tmp_path / "taught", run, tell)
    assert (place / "fit" / "state.npz").read_bytes() == before
    assert card.contents["training"]["labelled"] == {"tomte": 1, "unknown": 1}
    assert "labelled, but not found by the detector in white noise: 1 of 3" in notes
    assert "taught as unknown, since there is no such class: my_own" in notes
    assert "labelled strain" in told
    artefact.verify(card)
    assert card.parts == ("probabilities", "known_probabilities", "novelty_log_odds")
    assert card.id != trained[0].id
    seen = examples.read_examples(place / work.LABELLED)
    own = seen.truth == waveforms.CLASSES.index("tomte")
    tomte = waveforms.CLASSES.index("tomte")
    said = [train.served(folder, seen)[own, tomte] for folder in (trained[0].folder, card.folder)]
    assert said[1].mean() > said[0].mean()
    told.clear()
    again = train.train(TINY, tmp_path / "again", run, tell)
    assert "labelled strain" not in told
    assert np.array_equal(train.served(again.folder, seen), train.served(card.folder, seen))


def test_without_labels_the_work_forgets_them(trained, glitches, strain_folder, tmp_path):
    config = settings.with_strain(TINY, [strain_folder])
    pipeline = WhitenConfig(), DetectConfig()
    rows = labelled.table(glitches)
    keys = [work.keys(config, *pipeline, told) for told in ((), rows, rows[:1])]
    assert len({key["labelled"] for key in keys}) == 3
    assert len({(key["data"], key["fit"]) for key in keys}) == 1
    for key, kept in ((keys[1], False), (keys[1], True), (keys[0], False)):
        with work.opened(tmp_path / "work", key):
            assert (tmp_path / "work" / work.LABELLED).is_file() == kept
            (tmp_path / "work" / work.LABELLED).touch()


def test_other_strain_is_other_work(strain_folder, tmp_path):
    pipeline = WhitenConfig(), DetectConfig()
    config = settings.with_strain(TINY, [strain_folder])
    moved = shutil.copytree(strain_folder, tmp_path / "moved")
    assert work.keys(settings.with_strain(TINY, [moved]), *pipeline) == work.keys(config, *pipeline)
    with next(moved.iterdir()).open("ab") as file:
        file.write(b"more")
    other = work.keys(settings.with_strain(TINY, [moved]), *pipeline)
    assert other["data"] != work.keys(config, *pipeline)["data"]


def test_figures_lie_beside_the_card_and_are_no_part_of_the_model(trained, tmp_path):
    folder = shutil.copytree(trained[0].folder, tmp_path / "tiny")
    plots = sorted(path.name for path in (folder / artefact.PLOTS).iterdir())
    assert plots == [
        f"{n}.png" for n in ("accuracy_by_snr", "calibration", "confusion", "learning", "roc")
    ]
    for name in plots:
        assert (folder / artefact.PLOTS / name).stat().st_size <= 100_000
    shutil.rmtree(folder / artefact.PLOTS)
    artefact.verify(artefact.load_card(folder))
    (folder / "variables" / "variables.index").write_bytes(b"")
    with pytest.raises(artefact.ArtefactError, match="differ"):
        artefact.verify(artefact.load_card(folder))


def test_the_written_model_serves_probabilities(trained):
    card = trained[0]
    found = examples.collect(
        simulate.simulate(SMALL, WhitenConfig(), DetectConfig(threshold=5), (5,))
    )
    first, again = (train.served(card.folder, found) for _ in range(2))
    assert first.shape == (len(found), len(waveforms.CLASSES))
    assert first.sum(axis=1) == pytest.approx(np.ones(len(found)), abs=1e-5)
    assert np.array_equal(first, again)


def _random(count=300):
    rng = np.random.default_rng(1)
    spec = artefact.feature_spec()
    return examples.Examples(
        image=rng.random((count, *spec["image"]), np.float32).astype(np.float16),
        parameters=rng.random((count, len(spec["parameters"])), np.float32),
        truth=rng.integers(0, len(waveforms.CLASSES), count),
        snr=np.full(count, 9.0),
        injected_snr=np.full(count, 9.0),
        loudest=np.ones(count, bool),
        stretch=np.zeros(count, int),
    )


def _fitted(folder, config, progress=lambda *_: None, notes=None):
    made, note = _random(), (notes if notes is not None else []).append
    place = fit.FitPlace(folder)
    return fit.fit(config, (made, made), place, progress, note)


def _logits(model):
    return calibrated.outputs(calibrated.with_hidden(model), _random(24))[0]


@pytest.mark.slow
def test_the_same_seed_trains_the_same_network(tmp_path):
    config = replace(TINY, epochs=1)
    first, again = (_logits(_fitted(tmp_path / n, config)[0]) for n in "ab")
    assert np.array_equal(first, again)


class Stopped(Exception):
    """Stands for Ctrl-C."""


@pytest.mark.slow
def test_a_fit_that_was_interrupted_ends_as_one_that_was_not(tmp_path):
    config = replace(TINY, epochs=4, batch_size=100)
    model, history = _fitted(tmp_path / "whole", config)

    def stop(_step, done, _total):
        if done == 8:  # inside the third of four epochs of three batches
            raise Stopped

    with pytest.raises(Stopped):
        _fitted(tmp_path / "cut", config, stop)
    notes = []
    again, gone_on = _fitted(tmp_path / "cut", config, notes=notes)
    assert notes[0] == "training goes on after epoch 2"
    assert gone_on == history
    assert np.array_equal(_logits(model), _logits(again))
    notes.clear()
    finished, same = _fitted(tmp_path / "cut", config, notes=notes)
    assert (same, len(notes)) == (history, 1)
    assert np.array_equal(_logits(model), _logits(finished))


def test_a_training_that_was_killed_goes_on_at_its_epoch(trained, strain_folder, tmp_path):
    place = shutil.copytree(trained[0].folder.with_name("tiny.work"), tmp_path / "work")
    (place / "fit" / "state.npz").unlink()
    (place / "fit" / "seconds.json").write_text('{"training": 1e6}')  # of another fit
    config = replace(TINY, epochs=15, patience=15, batch_size=16)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(asdict(config)))))
    command = [sys.executable, "-m", "beam_pipeline.cli", "train", "--processes=1"]
    command += [f"--config={tmp_path / 'tiny.yaml'}", f"--output={tmp_path / 'made'}"]
    command += [f"--strain={strain_folder}"]
    with subprocess.Popen([*command, f"--work={place}"], stderr=subprocess.DEVNULL) as process:
        while not (place / "fit" / "state.npz").is_file():
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    with np.load(place / "fit" / "state.npz") as file:
        known = json.loads(str(file["about"]))["history"]
    assert 1 <= len(known) < config.epochs
    notes = []
    run = train.Run(work=place, strain=(strain_folder,))
    card = train.train(config, tmp_path / "made", run, train.Tell(note=notes.append))
    history = card.contents["training"]["history"]
    assert notes[0] == f"training goes on after epoch {len(known)}"
    assert history[: len(known)] == known
    assert len(history) == config.epochs
    assert 0 < card.contents["seconds"]["training"] < 1e6
    assert not place.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "another configuration or version: give another --work, or remove it"),
        ({"threshold": 5.5}, "another configuration"),
        ({"test": replace(SMALL, stretches=3)}, "another configuration"),
    ],
)
def test_the_work_of_another_training_is_refused(trained, strain_folder, tmp_path, change, message):
    run = train.Run(work=trained[0].folder.with_name("tiny.work"))
    with pytest.raises(work.WorkError, match=message):
        train.train(
            replace(TINY, **change), tmp_path / "other", replace(run, strain=(strain_folder,))
        )


def test_examples_serve_another_fit_and_what_was_fitted_does_not(tmp_path):
    keys = work.keys(TINY, WhitenConfig(), DetectConfig())
    longer = work.keys(replace(TINY, epochs=9), WhitenConfig(), DetectConfig())
    assert longer["data"] == keys["data"]
    state = tmp_path / "work" / "fit" / "state.npz"
    with work.opened(tmp_path / "work", keys):
        state.parent.mkdir()
        state.write_text("x")
    with work.opened(tmp_path / "work", keys):
        assert state.is_file()
    with work.opened(tmp_path / "work", longer):
        assert not state.exists()


def test_a_work_folder_serves_one_training_at_a_time(tmp_path):
    keys = {"data": "a", "fit": "b", "labelled": "c"}
    with (
        work.opened(tmp_path / "work", keys),
        pytest.raises(work.WorkError, match="another training is at work"),
        work.opened(tmp_path / "work", keys),
    ):
        pass


def test_a_folder_of_something_else_is_no_work_folder(tmp_path):
    (tmp_path / "mine").write_text("x")
    with (
        pytest.raises(work.WorkError, match="holds other files"),
        work.opened(tmp_path, {"data": "a", "fit": "b", "labelled": "c"}),
    ):
        pass


def test_without_tensorboard_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "has_tensorboard", lambda: False)
    notes = []
    assert train._logs(train.Run(), tmp_path, notes.append) is None
    assert "pip install" in notes[0]
    with pytest.raises(ValueError, match="tensorboard is missing"):
        train._logs(train.Run(logs=tmp_path / "logs"), tmp_path, notes.append)


def test_a_large_model_is_said_to_be_large(monkeypatch, trained, strain_folder, tmp_path):
    monkeypatch.setattr(artefact, "LARGEST", 1000)
    place = shutil.copytree(trained[0].folder.with_name("tiny.work"), tmp_path / "work")
    notes = []
    run = train.Run(work=place, strain=(strain_folder,))
    train.train(TINY, tmp_path / "made", run, train.Tell(note=notes.append))
    assert "make the network smaller" in notes[-1]


def test_a_model_of_other_settings_is_refused(trained):
    card = trained[0]
    with pytest.raises(artefact.ArtefactError, match=r"whiten.low_frequency = 30"):
        artefact.fits(card, WhitenConfig(low_frequency=30.0), DetectConfig())
    other = replace(card, contents={**card.contents, "features": {"version": 0}})
    with pytest.raises(artefact.ArtefactError, match="other features"):
        artefact.fits(other)


def test_a_changed_file_is_noticed(trained, tmp_path):
    card = trained[0]
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


@pytest.mark.parametrize("option", ["output", "parent", "work", "logs"])
def test_a_file_in_the_place_of_a_folder_is_told_in_one_line(tmp_path, strain_folder, option):
    file = tmp_path / "file"
    file.write_text("x")
    output = {"output": file, "parent": file / "model"}.get(option, tmp_path / "model")
    run = train.Run(**{option: file} if option in ("work", "logs") else {}, strain=(strain_folder,))
    with pytest.raises(
        ValueError, match=rf"^{file} (is no folder|cannot be made .*): give "
    ) as told:
        train.train(TINY, output, run)
    assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "bad.hdf5"}, "bad.hdf5: is neither HDF5 nor GWF"),
        ({"start": 1126259478, "seconds": 3000, "event": "", "time": 0.0}, "no contiguous strain"),
        ({}, "its rate of 4096 Hz gives none of"),
    ],
)
def test_strain_that_cannot_be_used_is_told_before_work_begins(
    data, tmp_path, monkeypatch, change, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.hdf5").write_bytes(b"no strain" * 99)
    named = replace(REAL.strain[0], file=str(data / "H-H1_LOSC_4_V2-1126259446-32.hdf5"))
    named = replace(named, **change)
    # It may lie among hundreds of stretches, and be drawn last.
    rates = (2048,) if change else ()
    config = replace(TINY, train=replace(REAL, strain=(named,), sample_rates=rates))
    with pytest.raises(ValueError, match=message):
        train.train(config, tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.hdf5"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (",V1,", "it holds L1, not V1; correct the table"),
        ("1187008871.0,L1,", "none of 1 labelled glitches is found by the detector in white"),
    ],
)
def test_labels_that_cannot_be_taught_are_told_before_anything_is_simulated(
    data, strain_folder, tmp_path, change, message
):
    name = "L-L1_GWOSC_4KHZ_R1-1187008867-32.hdf5"
    folder = tmp_path / "labels"
    folder.mkdir()
    shutil.copy(data / name, folder)
    line = change if change[0] != "," else f"1187008881.382{change}"
    (folder / "labels.csv").write_text(f"file,time,ifo,label\n{name},{line}tomte\n")
    steps = []
    run = train.Run(labelled=folder, strain=(strain_folder,))
    with pytest.raises(ValueError, match=message):
        train.train(TINY, tmp_path / "m", run, train.Tell(lambda step, *_: steps.append(step)))
    assert not [step for step in steps if step.startswith("simulating")]


def test_strain_that_is_not_there_is_said_before_work_begins(tmp_path):
    with pytest.raises(ValueError, match="strain H1-1126259447-31 GW150914: not in"):
        train.train(TINY, tmp_path / "model", train.Run(strain=(tmp_path,)))
    assert not list(tmp_path.iterdir())


def test_the_packaged_configuration_keeps_the_test_noise_apart():
    config = settings.read()
    assert not set(config.test.curves) & set(config.train.curves + config.validation.curves)


def _packaged():
    from importlib import resources

    return yaml.safe_load((resources.files("models.training") / "train.yaml").read_text())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": 3}, "unknown key epoch; did you mean epochs"),
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"epochs": "many"}, "epochs must be of type int"),
        ({"threshold": 1.0}, "threshold must be at least 4"),
        ({"test": {"curves": ["x"], "stretches": 1}}, "missing keys: test.noise_stretches"),
        ({"test": {"curve": []}}, "unknown key test.curve; did you mean test.curves"),
        (
            {"test": {"curves": ["x"], "stretches": 1, "noise_stretches": 1}},
            r"test\.curves \['x'\] are not",
        ),
        ({"test": 5}, "test must hold keys and values"),
        (
            {
                "train": {
                    "curves": [],
                    "stretches": 1,
                    "noise_stretches": 1,
                    "strain": [{"begin": 1}],
                }
            },
            "unknown key train.strain.begin; known: detector, start",
        ),
        *(
            (
                {
                    "train": {
                        "curves": ["aligo_O4high"],
                        "stretches": 1,
                        "noise_stretches": 1,
                        "strain": [
                            {"detector": "H1", "start": 900, "seconds": 30, **strain_change}
                        ],
                    }
                },
                strain_message,
            )
            for strain_change, strain_message in (
                ({"start": 900.5}, r"train\.strain\.start must be of type int, not 900\.5$"),
                # A slip of the pen, and the event would be learnt as noise.
                (
                    {"event": "GW1", "time": 1900.0},
                    r"train\.strain\.time must lie in the stretch, 900 to 930, not 1900",
                ),
            )
        ),
    ],
)
def test_a_wrong_configuration_is_refused_by_its_key(change, message):
    with pytest.raises(ValueError, match=message):
        settings.from_mapping({**_packaged(), **change})


def test_a_configuration_is_read_from_a_file(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text(yaml.safe_dump({**_packaged(), "seed": 7}))
    assert settings.read(path) == replace(settings.read(), seed=7)


def test_the_network_is_small():
    assert network.build(len(waveforms.CLASSES)).count_params() <= 500_000


def test_the_model_sees_what_training_saw():
    config = replace(SMALL, stretches=1, noise_stretches=0)
    found = list(simulate.simulate(config, WhitenConfig(), DetectConfig(threshold=5), (6,)))
    arrays = examples.collect(found)
    seen = model_input(found[0].trigger)
    image, parameters = arrays.inputs(np.array([0]))
    assert image[0] == pytest.approx(seen.image, rel=1e-3, abs=1e-6)
    assert np.array_equal(parameters[0], seen.parameters)
