"""What can be told of quiet signals at all: evidences against sums that are made plainly."""

import json

import numpy as np
import pytest
from scipy.signal import resample_poly

from benchmarks.classification import evidence, known_shapes
from benchmarks.classification.evidence import RATE, Listener
from benchmarks.classification.known_shapes import FAMILIES, Draws, Seen
from models.simulation import injections, noise, waveforms

CURVE, LOW, SNR, LENGTH = "aligo_O4high", 16.0, (5.0, 50.0), 4096
HERE = (2950.0, 3190.0)
"""Where triggers lie [samples]."""
POINTS = {
    "sine_gaussian": [0.2, 0.4],
    "ring_down": [0.3, 0.5],
    "chirp": [0.5, 0.3, 0.4],
    "whistle": [0.2, 0.3, 0.4, 0.5, 0.2],
}


def _data(label, snr, core, seed=1, point=None):
    """Return white noise with a transient whose loudest sample lies at ``core``."""
    data = np.random.default_rng(seed).standard_normal(LENGTH)
    point = np.array(POINTS[label]) if point is None else point
    shape = evidence.template(label, point, noise.load(CURVE), LOW)
    first = core - int(np.argmax(np.abs(shape)))
    inside = slice(max(first, 0), min(first + len(shape), LENGTH))
    data[inside] += snr * shape[inside.start - first : inside.stop - first]
    return data


def _listener(label, data, extent=HERE):
    listener = Listener(label, curve=noise.load(CURVE), low_frequency=LOW, snr=SNR)
    listener.hear(data[None], np.array([extent]))
    return listener


def _plainly(shapes, data, extent):
    """Sum the likelihood ratio over starts; average it over SNR and the shapes told."""
    rho = np.exp((np.arange(800) + 0.5) / 800 * np.log(SNR[1] / SNR[0])) * SNR[0]
    first, last = np.searchsorted(np.cumsum(shapes[0] ** 2), evidence.CORE)
    total = 0.0
    for start in range(int(extent[0] - last), int(extent[1] - first)):
        low, high = max(start, 0), min(start + len(shapes[0]), LENGTH)
        for shape in shapes:
            inside = shape[low - start : high - start]
            over, part = data[low:high] @ inside, inside @ inside
            total += np.mean(np.exp(rho * over - rho**2 * part / 2)) / len(shapes)
    return np.log(total / RATE)


@pytest.mark.parametrize("core", [3072, 4060])
def test_the_evidence_of_what_has_no_phase_is_the_plain_sum(core):
    data, extent = _data("ring_down", 9, core), (core - 60.0, core + 30.0)
    point = np.array(POINTS["ring_down"])
    shape = evidence.template("ring_down", point, noise.load(CURVE), LOW)
    plain = _plainly([shape, -shape], data, extent)
    (found,) = _listener("ring_down", data, extent)(point)
    assert plain > 10
    assert found == pytest.approx(plain, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("point", [POINTS["sine_gaussian"], [0.02, 0.9]])
def test_the_evidence_of_a_wave_is_the_plain_sum_over_phases(point):
    label, point, curve = "sine_gaussian", np.array(point), noise.load(CURVE)
    data, extent, shapes = _data(label, 9, 3072, point=point), (3050.0, 3090.0), []
    for phase in np.arange(8) * np.pi / 4:
        told = {**evidence.told(label, point), "phase": phase}
        wave = waveforms.sample(label, 2 * RATE, told).samples
        shape = resample_poly(np.pad(wave, RATE // 2), 1, 2)
        seen = noise.whitened(shape, RATE, curve, LOW)
        shapes.append(seen / np.linalg.norm(seen))
    plain = _plainly(shapes, data, extent)
    (found,) = _listener(label, data, extent)(point)
    assert plain > 10
    assert found == pytest.approx(plain, abs=0.1)


@pytest.mark.slow
def test_the_family_of_each_is_recovered():
    seen = [
        Seen(
            label=label,
            snr=7.0,
            curve=CURVE,
            data=_data(label, 11.0, 3072, seed),
            extent=HERE,
            answer=0,
        )
        for seed, label in enumerate(FAMILIES)
    ]
    told = known_shapes.evidences(seen, LOW, SNR, Draws(512, 1, 16), 1)
    assert told.shape == (4, len(FAMILIES), len(FAMILIES))
    assert told[-1].argmax(axis=1).tolist() == list(range(len(FAMILIES)))


def test_draws_are_the_simulation_s_and_phases_are_free():
    assert evidence.parameters("chirp") == ("start_frequency", "end_frequency", "duration")
    drawn = [waveforms.FAMILIES["whistle"].draw(np.random.default_rng(i)) for i in range(9)]
    turns = waveforms.FAMILIES["whistle"].ranges["turns"]
    values = {turns.at(share) for share in np.linspace(0, 0.999, 50)}
    assert {each["turns"] for each in drawn} == values == {1, 2}


def test_the_rate_carries_all_shapes_but_some_whistles():
    for label in set(FAMILIES) - {"whistle"}:
        for point in evidence.points(label, 16, 0).round():
            told = evidence.told(label, np.minimum(point, 0.999))
            drawn = waveforms.sample(label, 2 * RATE, told).samples
            kept = resample_poly(np.pad(drawn, 100), 1, 2)
            assert 2 * np.sum(kept**2) > injections.LEAST_KEPT * np.sum(drawn**2)


def test_whistles_that_the_rate_does_not_carry_are_none_and_the_others_the_denser():
    curve, heard = noise.load(CURVE), _listener("whistle", np.ones(4096), (2000.0, 2100.0))
    points = evidence.points("whistle", 64, 0)
    lost = [point for point in points if evidence.template("whistle", point, curve, LOW) is None]
    for point in lost:
        told = evidence.told("whistle", point)
        drawn = waveforms.sample("whistle", 2 * RATE, told).samples
        kept = resample_poly(np.pad(drawn, 100), 1, 2)
        assert 2 * np.sum(kept**2) < injections.LEAST_KEPT * np.sum(drawn**2)
        assert heard(point) == -np.inf
    assert 0 < len(lost) < 16
    assert np.isfinite([heard(point) for point in points]).sum() == 64 - len(lost)


def test_a_narrow_peak_that_even_draws_miss_is_found():
    width, at = np.array([0.003, 0.01, 0.02]), np.array([0.31, 0.97, 0.55])
    true = 30 + np.sum(np.log(width * np.sqrt(2 * np.pi))) + np.log(0.99865)

    def heard(point):
        return 30 - np.sum(((point - at) / width) ** 2) / 2

    found, evenly = [], []
    for seed in range(4):
        drawn = evidence.points("chirp", 512, seed)
        logs = np.array([heard(point) for point in drawn])
        evenly.append(np.logaddexp.reduce(logs) - np.log(len(logs)))
        rng = np.random.default_rng(seed)
        found.append(evidence.refined(heard, drawn, logs, rng, rounds=5, draws=128)[-1])
    assert np.abs(np.array(evenly) - true).max() > 0.5
    assert found == pytest.approx([true] * 4, abs=0.15)


def test_accuracies_are_told_by_snr_and_by_draws():
    rows = [("chirp", 5.5, "chirp"), ("whistle", 5.5, "chirp"), ("chirp", 7.5, "chirp")]
    seen = [
        Seen(
            label=label,
            snr=snr,
            curve=CURVE,
            data=np.zeros(4),
            extent=(0, 4),
            answer=FAMILIES.index(answer),
        )
        for label, snr, answer in rows
    ]
    observer = np.array([FAMILIES.index(label) for label in ("chirp", "whistle", "whistle")])
    told = {row[0]: row[1:] for row in known_shapes.by_snr(seen, observer)}
    assert told["5-6"] == ["2", "0.500", "1.000"]
    assert told["7-8"] == ["1", "1.000", "0.000"]
    assert told["5-8"] == ["3", "0.667", "0.667"]
    sure = np.full((3, 3, 4), -np.inf)
    sure[:2, :, FAMILIES.index("chirp")] = 0
    sure[2, np.arange(3), observer] = 0
    first, _, last = known_shapes.convergence(seen, sure, Draws(4, 0, 2))
    assert first == ["1", "0.667", "1.000", "0.333"]
    assert last == ["4", "0.667", "1.000", "1.000"]
    table = {row[0]: row[1:] for row in known_shapes.confusion(seen, observer)}
    assert table["chirp"][FAMILIES.index("whistle")] == "1"


@pytest.mark.slow
def test_the_command_prints_tables_and_writes_the_same(tmp_path, capsys):
    path = tmp_path / "figures.json"
    sizes = ["--triggers", "2", "--draws", "256", "--rounds", "1", "--each", "16"]
    assert known_shapes.main([*sizes, "--json", str(path)]) == 0
    figures = json.loads(path.read_text())
    assert figures["model"] in capsys.readouterr().out
    assert np.shape(figures["evidence"]) == (4, 2, len(FAMILIES))
    assert all(5 <= each["snr"] < 8 and each["label"] in FAMILIES for each in figures["triggers"])
