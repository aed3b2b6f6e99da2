"""Evaluations: on a simulated set, and on folders of snippets in every layout."""

import csv
import json
import os
import re
from dataclasses import replace

import h5py
import numpy as np
import pytest

from beam_pipeline.cli import main
from models.evaluation import evaluate, snippets
from models.simulation import simulate, waveforms
from models.simulation.matching import find, match
from models.training import settings
from transforms.classify import artefact
from transforms.detect.config import DetectConfig
from transforms.gps import to_index
from transforms.whiten.config import WhitenConfig

RATE = 4096
QUIET = {"modulation": 0.0, "most_lines": 0}
"""Noise that a snippet knows as well as a long stretch does."""
MADE = simulate.SimulationConfig(
    *(("avirgo_O4high",), 1, 0),
    **{"sample_rates": (RATE,), "seconds": 192, "low_snr": 15.0, "high_snr": 30.0, **QUIET},
)


@pytest.fixture(scope="module")
def card():
    return artefact.load_card(artefact.default_artefact())


@pytest.fixture(scope="module")
def truths():
    """Return simulated strain, and time and label of what is in it as our detector sees it."""
    whitening, detection = WhitenConfig(), DetectConfig()
    made = simulate.stretch(MADE, 0, whitening, detection, (11,))
    found = match(find(made.block, whitening, detection), made)
    return made.block, [(e.trigger.time_ns, e.label) for e in found if e.loudest]


def _gwosc(file, samples, start):
    data = file.create_dataset("strain/Strain", data=samples)
    data.attrs.update({"Xstart": start, "Xspacing": 1 / RATE, "Npoints": len(samples)})
    file["meta/Detector"] = "V1"


def _gwpy(file, samples, start):
    data = file.create_dataset("V1:STRAIN", data=samples)
    data.attrs.update({"x0": start, "dx": 1 / RATE, "xunit": "s", "channel": "V1:STRAIN"})


def _pycbc(file, samples, start):
    data = file.create_dataset("V1/STRAIN", data=samples)
    data.attrs.update({"start_time": start, "delta_t": 1 / RATE})


def _bare(file, samples, start):
    file.create_dataset("strain", data=samples)
    # Off the grid, as a time cut around an event mostly is.
    file.attrs.update({"gps_start": start + 0.3 / RATE, "sample_rate": RATE})


LAYOUTS = (_gwosc, _gwpy, _pycbc, _bare)


def _write(folder, truths, seconds, layouts=LAYOUTS):
    block, events = truths
    rows = []
    for number, (time_ns, label) in enumerate(events):
        at = to_index(time_ns, RATE) - to_index(block.gps_start_ns, RATE)
        low = max(at - int(seconds * RATE) // 2, 0)
        high = min(low + int(seconds * RATE), len(block.samples))
        start = block.gps_start_ns // 10**9 + low / RATE
        name = f"snippet{number}.hdf5"
        with h5py.File(folder / name, "w") as file:
            layouts[number % len(layouts)](file, block.samples[low:high], start)
        rows.append([name, f"{time_ns / 1e9:.6f}", "V1", label])
    _table(folder, rows)
    return rows


def _table(folder, rows, head=("file", "time", "ifo", "label")):
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])


def _silent(*_):
    pass


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "least"), [(1.0, 0.75), (32.0, 0.9)])
def test_snippets_of_every_layout_are_labelled(card, truths, tmp_path, seconds, least):
    rows = _write(tmp_path, truths, seconds)
    made = evaluate.on_folder(card, tmp_path, _silent)
    told = evaluate.figures(made, "")
    assert told["events"] == len(rows) > 20
    assert told["accuracy"] >= least
    assert told["not_detected"] <= 0.1 * len(rows)
    assert [row["file"] for row in made.rows] == [row[0] for row in rows]


def test_short_snippets_are_whitened_to_unit_variance(truths):
    block, _ = truths
    from models.evaluation.strain_files import Strain

    cut = [
        Strain(
            ifo="V1",
            rate=RATE,
            first=to_index(block.gps_start_ns, RATE) + i * RATE,
            samples=part.copy(),
        )
        for i, part in enumerate(block.samples.reshape(-1, RATE)[:100])
    ]
    power = np.concatenate([snippets.spectra(one) for one in cut])
    made = snippets.common_filter(power, RATE, WhitenConfig())
    deviations = []
    for one in cut:
        white = snippets.whiten_short(one, *made, 4)
        inside = slice(
            *(
                to_index(t - white.gps_start_ns, RATE)
                for t in (white.valid_start_ns, white.valid_end_ns)
            )
        )
        deviations.append(white.samples[inside].std())
        assert not white.samples[: inside.start].any()
    assert np.median(deviations) == pytest.approx(1, abs=0.12)


def test_what_no_detector_finds_is_labelled_at_its_time(card, coloured, tmp_path):
    noise = coloured("avirgo_O4high", 64)
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        _gwpy(file, noise, 1e9)
    _table(tmp_path, [["a.hdf5", 1e9 + 20.25, "V1", "noise"]])
    made = evaluate.on_folder(card, tmp_path, _silent)
    assert made.rows[0]["detected"] is False
    assert 0 < made.rows[0]["snr"] < 5.5
    assert made.notes == ("not detected, but labelled at the time told: 1 of 1",)


def test_other_labels_are_unknown_where_a_model_has_that(card):
    with pytest.raises(evaluate.LabelError, match="label koi_fish: not among the classes"):
        evaluate._truths(replace(card, classes=("blip", "noise")), ["blip", "koi_fish"])
    open_card = replace(card, classes=("blip", "noise", "unknown"))
    index, note = evaluate._truths(open_card, ["koi_fish", "koi_fish", "blip"])
    assert index == {"blip": 0, "koi_fish": 2}
    assert note.endswith("no such class: koi_fish (2)")


def _set(folder, **change):
    folder.mkdir(exist_ok=True)
    with h5py.File(folder / "a.hdf5", "w") as file:
        _pycbc(file, np.random.default_rng(1).standard_normal(4 * RATE), 1e9)
    row = {"file": "a.hdf5", "time": "1000000001.5", "ifo": "V1", "label": "blip", **change}
    _table(folder, [list(row.values())], list(row))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": "soon"}, "labels.csv, line 2: time 'soon' is no number"),
        ({"file": "b.hdf5"}, "labels.csv, line 2: there is no file b.hdf5"),
        ({"ifo": "H1"}, "it holds V1, not H1; correct the table"),
        ({"label": ""}, "file, ifo and label must not be empty"),
        ({"time": "1000000009"}, "not at the time of the event"),
        ({"label": "none_such"}, "not among the classes"),
    ],
)
def test_a_wrong_line_is_told_in_one(tmp_path, capsys, change, message):
    folder = tmp_path / "data"
    _set(folder, **change)
    card = artefact.load_card(artefact.default_artefact())
    if change.get("label") == "none_such" and evaluate.UNKNOWN in card.classes:
        card = replace(card, classes=waveforms.CLASSES[:2])
    with pytest.raises(evaluate.LabelError, match=re.escape(message)) as raised:
        evaluate.on_folder(card, folder, _silent)
    assert "\n" not in str(raised.value)


def _evaluate(*options):
    return main(["evaluate", *map(str, options)])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: (d / "labels.csv").unlink(), "must hold one CSV with file,time,ifo,label"),
        (
            lambda d: ((d / "labels.csv").unlink(), os.mkfifo(d / "labels.csv")),
            "labels.csv is a pipe",
        ),
        (lambda d: (d / "more.csv").touch(), "it holds labels.csv, more.csv"),
        (lambda d: _table(d, [["a.hdf5", "1", "V1"]], ("file", "time", "ifo")), "columns label"),
        (lambda d: _table(d, []), "has no line"),
        (lambda d: (d / "a.hdf5").write_bytes(b"x"), "neither HDF5 nor GWF, nor GWOSC's text"),
    ],
)
def test_a_folder_that_cannot_be_used_is_one_line(tmp_path, capsys, spoil, message):
    _set(tmp_path / "data")
    spoil(tmp_path / "data")
    assert _evaluate(tmp_path / "data", "--output", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.splitlines()[-1].startswith("wavefier: ")
    assert not (tmp_path / "out").exists()


def test_strain_of_zeros_is_no_strain(tmp_path, capsys):
    _set(tmp_path)
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        _gwpy(file, np.zeros(4 * RATE), 1e9)
    assert _evaluate(tmp_path, "--output", tmp_path / "out") == 2
    assert "no strain" in capsys.readouterr().err


def test_options_of_a_simulation_are_refused_with_data(tmp_path, capsys):
    assert _evaluate(tmp_path, "--seed", 3, "--output", tmp_path / "out") == 2
    assert "--config and --seed are of a simulated set" in capsys.readouterr().err


@pytest.mark.slow
def test_an_evaluation_on_a_simulated_set_is_written(tmp_path, monkeypatch, capsys):
    test = replace(settings.read().test, stretches=2, noise_stretches=1, seconds=96)
    monkeypatch.setattr(settings, "read", lambda _: replace(TRAINED, test=test))
    output = tmp_path / "out"
    assert _evaluate("--output", output, "--seed", 5, "--processes", 1) == 0
    told = json.loads((output / "evaluation.json").read_text())
    labels = list(artefact.load_card(artefact.default_artefact()).classes)
    assert told["confusion"]["labels"] == labels == list(told["per_class"])
    assert np.sum(told["confusion"]["table"]) == told["events"] > 10
    assert sum(each["count"] for each in told["per_class"].values()) == told["events"]
    assert {"accuracy", "macro_f1", "ece", "by_snr", "command", "versions"} <= set(told)
    assert set(told["binary"]) == {"auc", "removed_at_1_percent_loss"}
    assert told["ms_per_event"] > 0
    with (output / "events.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == told["events"]
    right = np.mean([row["label"] == row["guessed"] for row in rows])
    assert right == pytest.approx(told["accuracy"], abs=1e-4)
    assert f"accuracy {told['accuracy']:.3f}" in capsys.readouterr().out
    page = (output / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!#|data:)', page)
    assert page.count("<svg") == 4
    for label in labels:
        assert label in page


TRAINED = settings.read()
