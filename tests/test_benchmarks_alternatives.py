"""Other searches find what is loud, where it is, and the command compares them with ours."""

import json

import numpy as np
import pytest
from scipy.stats import chi2

from beam_pipeline.config import PipelineConfig
from benchmarks.detection import alternatives, injection_runs, scoring
from benchmarks.detection.alternatives import SEARCHES
from benchmarks.detection.searches import orthonormal, ranking
from transforms.detect import wdf

RATE = 2048


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(1).standard_normal(128 * RATE).astype(np.float32)


def sine_gaussian(time, frequency, q, snr, seconds):
    t = np.arange(seconds * RATE) / RATE - time
    tau = q / (np.sqrt(2) * np.pi * frequency)
    shape = np.exp(-((t / tau) ** 2)) * np.cos(2 * np.pi * frequency * t + 1)
    return (shape * snr / np.sqrt(np.sum(shape**2))).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize(("time", "frequency", "q"), [(20.33, 50, 4), (41.7, 350, 12)])
def test_a_loud_sine_gaussian_is_the_loudest_where_it_is(name, time, frequency, q, noise):
    strain = noise[: 64 * RATE] + sine_gaussian(time, frequency, q, 15, 64)
    search, _ = SEARCHES[name]
    loudest = max(search(strain, RATE, 7.0), key=lambda e: e.rank)
    assert loudest.time == pytest.approx(time, abs=0.03)
    assert loudest.start <= time <= loudest.end
    # The octaves of an orthonormal basis know frequencies no better.
    assert abs(np.log2(loudest.frequency / frequency)) < 0.75
    assert 10 < loudest.snr < 20


@pytest.mark.slow
@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_is_quiet_on_other_noise_at_its_threshold(name, noise):
    search, floor = SEARCHES[name]
    half = len(noise) // 2
    ranks, others = (
        [e.rank for e in scoring.thin(search(part, RATE, floor), scoring.REACH)]
        for part in (noise[:half], noise[half:])
    )
    limit = scoring.threshold(ranks, 64.0, 1 / 20)
    assert sum(rank > limit.value for rank in others) <= 10


@pytest.mark.slow
@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_reports_nothing_below_the_least_and_the_loudest_whatever_it_is(name, noise):
    search, floor = SEARCHES[name]
    few, many = (
        sorted(e.rank for e in scoring.thin(search(noise, RATE, least), scoring.REACH))
        for least in (floor + 0.4, floor)
    )
    assert min(few, default=np.inf) >= floor + 0.4
    # Near the least, ours differ: what is looked at closer, and what merges, depends on it.
    loudest = min(len(few), 3)
    assert loudest > 0
    assert few[-loudest:] == pytest.approx(many[-loudest:], abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEARCHES)
def test_silence_holds_nothing(name):
    search, floor = SEARCHES[name]
    assert search(np.zeros(32 * RATE, np.float32), RATE, floor) == []


@pytest.mark.parametrize("count", [1, 2, 8, 64])
def test_survival_is_that_of_chi_square_and_finite_far_out(count):
    energy = np.array([0.5, 20.0, 150.0]) * np.sqrt(count)
    expected = chi2.logsf(energy, count)
    assert ranking.log_survival(energy, count) == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert ranking.log_survival(np.array([1e5]), count)[0] == pytest.approx(-5e4, rel=0.02)


@pytest.mark.parametrize("count", [1, 4, 32])
def test_limit_is_the_energy_of_a_rank(count):
    energy = ranking.limit(5.5, count, 300.0)
    assert ranking.rank(np.array([energy]), count, 300.0)[0] == pytest.approx(5.5)


def test_windows_are_transformed_as_triggers_are():
    windows = np.random.default_rng(2).standard_normal((2, RATE // wdf.WINDOWS_PER_SECOND))
    for row in range(len(wdf.BASES)):
        expected = wdf.transform(windows[1])[row]
        assert wdf.transform(windows)[row][1] == pytest.approx(expected)


def test_enwdf_is_that_of_a_trigger_in_the_same_window(noise):
    strain = noise[: 8 * RATE] + sine_gaussian(4.0, 200, 8, 12, 8)
    window = strain[4 * RATE - RATE // 4 : 4 * RATE + RATE // 4]
    expected = wdf.wdf(strain, RATE, 0, 4 * 10**9)
    _, enwdf = orthonormal.kept(window[None])
    assert enwdf[0] == pytest.approx(expected.enwdf, rel=1e-5)


@pytest.mark.slow
def test_rarity_of_enwdf_bounds_that_in_white_noise():
    windows = np.random.default_rng(3).standard_normal((8000, RATE // wdf.WINDOWS_PER_SECOND))
    # A few at a time, as the search takes them: all bases of all windows are 655 MB.
    enwdf = np.concatenate([orthonormal.kept(part)[1] for part in np.split(windows, 80)])
    rank = orthonormal.rank(np.array([np.quantile(enwdf, 1 - 3e-3)]), RATE)[0]
    bound = len(wdf.BASES) * np.exp(-(rank**2 + 2) / 2)
    assert 0.8 * 3e-3 < bound < 3 * 3e-3


def test_the_data_are_those_of_efficiency():
    plan = injection_runs.Plan(("blip", "chirp"), ("aligo_O4high",), 64, 32, 0, 1024, 4)
    made = list(alternatives.stretches(plan))
    (outcome,) = injection_runs.simulated(plan, PipelineConfig(), lambda _: None)
    assert [stretch.truth is None for stretch in made] == [True, False]
    assert repr(list(made[1].truth)) == repr(outcome.injections)
    assert made[0].live == outcome.noise_live


def test_the_command_prints_both_tables_and_writes_the_same(tmp_path, capsys):
    path = tmp_path / "figures.json"
    sizes = ["--seconds", "96", "--noise-seconds", "64", "--rate", "1024", "--far", "0.05"]
    wanted = ["--classes", "blip", "--searches", "ours", "packets", "--cores", "0", "--seed", "3"]
    assert alternatives.main([*sizes, *wanted, "--json", str(path)]) == 0
    printed, figures = capsys.readouterr().out, json.loads(path.read_text())
    assert [one["name"] for one in figures["searches"]] == ["ours", "packets"]
    for one in figures["searches"]:
        assert one["threshold"]["events"] == 3
        assert one["classes"]["blip"] == one["classes"]["all"]
        assert one["classes"]["all"][-1]["efficiency"] == 1
        assert one["milliseconds"] > 0
        assert f"{one['threshold']['value']:.3f}" in printed
