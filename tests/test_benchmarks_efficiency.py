"""Signals have the loudness asked for, and the command measures it."""

import json
from itertools import pairwise

import numpy as np
import pytest

from benchmarks.detection import efficiency, injection_runs, injections, signals
from benchmarks.detection.injections import Grid
from benchmarks.detection.signals import Deck
from models.simulation import noise

RATE = 4096


@pytest.fixture(scope="module")
def curve():
    return noise.load("aligo_O4high")


@pytest.mark.parametrize("label", signals.FAMILIES)
def test_signal_has_the_snr_asked_for(label, curve):
    rng = np.random.default_rng(1)
    signal = signals.draw(label, RATE, rng)
    placed = injections.place(signal, 7.5, 1000, Grid(1_000_000_000, RATE, curve))
    snr = noise.optimal_snr(placed.strain, RATE, curve, injections.BAND_LOW)
    assert snr == pytest.approx(7.5, rel=1e-6)


@pytest.mark.parametrize("label", signals.FAMILIES)
def test_interval_holds_nearly_all_of_the_energy(label, curve):
    signal = signals.draw(label, RATE, np.random.default_rng(2))
    placed = injections.place(signal, 10.0, 0, Grid(0, RATE, curve))
    white = noise.whitened(placed.strain, RATE, curve, injections.BAND_LOW) ** 2
    low, high = round(placed.injection.start * RATE), round(placed.injection.end * RATE)
    assert white[low : high + 1].sum() / white.sum() == pytest.approx(0.96, abs=0.02)


def test_shapes_do_not_depend_on_the_rate_they_are_brought_to():
    fine, coarse = (signals.draw("blip", r, np.random.default_rng(3)) for r in (16384, 4096))
    assert fine.samples[fine.reference] == pytest.approx(coarse.samples[coarse.reference], abs=0.02)
    assert fine.reference / 16384 == pytest.approx(coarse.reference / 4096, abs=1 / 4096)


def test_nothing_is_centred_beyond_what_the_rate_carries():
    rng = np.random.default_rng(4)
    assert all(signals.draw("sine_gaussian", 1024, rng).frequency < 400 for _ in range(40))


def test_all_classes_come_equally_often():
    deck = Deck(tuple("abc"), np.random.default_rng(5))
    assert sorted(deck.deal() for _ in range(30)) == sorted("abc" * 10)


def test_signals_lie_apart_and_inside(curve):
    deck, rng = Deck(tuple(signals.FAMILIES), np.random.default_rng(6)), np.random.default_rng(7)
    truth = [p.injection for p in injections.schedule(deck, 200, Grid(5000, RATE, curve), rng)]
    assert len(truth) > 20
    assert all(b.start - a.end >= 4 for a, b in pairwise(truth))
    assert truth[0].start >= 5000 + injections.EDGE - 1
    assert truth[-1].end <= 5200 - injections.EDGE + 1


def test_real_files_are_read_in_whole_good_seconds(data):
    (stretch,) = injection_runs.read(data / "L-L1_LOSC_4_V2-1126259446-32.hdf5")
    # Its first and last samples repeat their neighbours, which is taken for a gap.
    assert (len(stretch.strain), stretch.gps_start) == (30 * 4096, 1126259447)
    assert np.isfinite(stretch.strain).all()


def test_the_command_prints_a_table_and_writes_the_same(tmp_path, capsys):
    path = tmp_path / "figures.json"
    sizes = ["--seconds", "96", "--noise-seconds", "96", "--real", "--seed", "3", "--rate", "1024"]
    wanted = ["--classes", "blip", "chirp", "--curves", "aligo_O4high", "--cores", "0"]
    assert efficiency.main([*sizes, *wanted, "--json", str(path)]) == 0
    printed, figures = capsys.readouterr().out, json.loads(path.read_text())
    assert [row["signals"] for row in figures["rows"][:3]] == ["blip", "chirp", "all"]
    everything = next(r for r in figures["rows"] if r["signals"] == "all")
    assert sum(cell["count"] for cell in everything["bins"]) >= 8
    assert everything["bins"][-1]["efficiency"] == 1
    assert figures["analysed"] == pytest.approx(1 - 0.25 / 96)
    assert figures["seed"] == 3
    assert f"exceeded by {figures['thresholds'][0]['events']} noise events" in printed
    assert "blip " in printed
    assert set(figures["versions"]) >= {"wavefier", "numpy", "apache-beam"}
