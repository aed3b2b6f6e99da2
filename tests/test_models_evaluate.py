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
from models.evaluation import evaluate, snippets, strain_files
from models.simulation import simulate, waveforms
from models.simulation.matching import find, match
from models.training import settings
from transforms.classify import artefact
from transforms.detect.config import DetectConfig
from transforms.gps import from_seconds, to_index
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
    assert told["events"] + told["not_usable"] == len(rows) > 20
    # A signal that fills a second leaves nothing to judge the noise by.
    assert told["not_usable"] <= (0.2 if seconds < 2 else 0) * len(rows)
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


def _pieces(folder, files, seconds=4.0):
    """Cut strain into pieces, some to each file, in one folder."""
    rows = []
    for path, ifo, starts in files:
        for start in starts:
            at_ns = from_seconds(start + seconds / 2)
            strain = strain_files.read(path, ifo, at_ns)
            first = to_index(from_seconds(start), strain.rate) - strain.first
            name = f"{ifo}-{start}.hdf5"
            with h5py.File(folder / name, "w") as file:
                cut = strain.samples[first : first + int(seconds * strain.rate)]
                file.create_dataset("strain", data=cut)
                file.attrs.update({"gps_start": float(start), "sample_rate": strain.rate})
            rows.append([name, f"{at_ns / 1e9}", ifo, "noise"])
    _table(folder, rows)


def _table_of(output):
    with (output / "events.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_short_pieces_of_two_years_are_not_usable_together(tmp_path, data, capsys):
    (h1,) = data.glob("H-H1_LOSC_4_V2-1126259446-32.hdf5")
    (l1,) = data.glob("L-L1_LOSC_4_V2-1126259446-32.hdf5")
    (later,) = data.glob("L-L1_GWOSC_4KHZ_R1-1187008867-32.hdf5")
    # Without GW150914, and without the glitch beside GW170817.
    first = [1126259447, 1126259452, 1126259466, 1126259471]
    second = [1187008868, 1187008873, 1187008885, 1187008890, 1187008894]
    (tmp_path / "in").mkdir()
    _pieces(tmp_path / "in", [(h1, "H1", first), (l1, "L1", first), (later, "L1", second)])

    assert _evaluate(tmp_path / "in", "--output", tmp_path / "out") == 0

    rows = _table_of(tmp_path / "out")
    coloured = [row for row in rows if row["guessed"] == "not usable"]
    assert {row["file"] for row in coloured} == {f"L1-{start}.hdf5" for start in first}
    for row in rows:
        assert bool(row["why"]) == (row["score"] == "") == (row in coloured)
        # What the noise of another year looks like, whitened.
        assert (float(row["snr"]) > 50) == (row in coloured)
    told = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert (told["events"], told["not_usable"]) == (9, 4)
    assert sum(each["count"] for each in told["per_class"].values()) == 9
    usable = [row for row in rows if row not in coloured]
    right = np.mean([row["guessed"] == "noise" for row in usable])
    assert told["accuracy"] == pytest.approx(right, abs=1e-4)
    assert "not usable, and left out: 4 of 13 (events.csv says why)" in capsys.readouterr().out
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Events that are not usable" in page
    assert page.count(coloured[0]["why"]) >= 1


def test_long_strain_that_its_own_spectrum_does_not_whiten_is_not_usable(tmp_path, coloured):
    noise = coloured("avirgo_O4high", 64).copy()
    noise[44 * RATE :] *= 6  # after most of what the spectrum is the median of
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        _gwpy(file, noise, 1e9)
    _table(tmp_path, [["a.hdf5", 1e9 + at, "V1", "noise"] for at in (20.25, 55.25)])

    made = evaluate.on_folder(artefact.load_card(artefact.default_artefact()), tmp_path, _silent)

    assert [row["why"][:9] for row in made.rows] == ["", "not white"]
    assert made.rows[1]["guessed"] == evaluate.NOT_USABLE
    assert len(made.truth) == len(made.probabilities) == len(made.snr) == len(made.usable) == 1


def test_where_nothing_is_usable_one_line_says_why(tmp_path, coloured, capsys):
    (tmp_path / "in").mkdir()
    noise = coloured("avirgo_O4high", 64).copy()
    noise[44 * RATE :] *= 6
    with h5py.File(tmp_path / "in" / "a.hdf5", "w") as file:
        _gwpy(file, noise, 1e9)
    _table(tmp_path / "in", [["a.hdf5", 1e9 + 55.25, "V1", "noise"]])

    assert _evaluate(tmp_path / "in", "--output", tmp_path / "out") == 2

    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("wavefier: none of 1 events is usable; a.hdf5: not white: at ")
    assert not (tmp_path / "out").exists()


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
    if change.get("label") == "none_such" and waveforms.UNKNOWN in card.classes:
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
