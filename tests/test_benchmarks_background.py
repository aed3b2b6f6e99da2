"""False alarms are counted as the graph makes triggers; ends and lines beside chance."""

import json
from dataclasses import replace

import numpy as np
import pytest

from beam_pipeline.config import PipelineConfig
from benchmarks.detection import background, detector, false_alarms, real_strain
from benchmarks.detection.injection_runs import Stretch
from models.simulation import noise
from models.simulation.matching import find
from transforms.detect.bank import bank_for
from transforms.elements import Trigger
from transforms.significance.gaussian import SHAPES

GPS = 1_000_000_000


def quiet(_step):
    """Say nothing."""


def trigger(time, frequency=100.0, q=10.0, snr=6.0):
    ns = round(time * 1e9)
    text = dict.fromkeys(("ifo", "channel", "wavelet", "config"), "x")
    numbers = dict.fromkeys(
        ("low_frequency", "high_frequency", "bandwidth", "duration", "amplitude", "phase"), 1.0
    )
    whole = {"time_ns": ns, "start_ns": ns, "end_ns": ns, "data_time_ns": ns, "tiles": 1}
    own = {"id": f"{ns}", "frequency": frequency, "q": q, "snr": snr, "rank": snr, "dq": ()}
    return Trigger(**text, **numbers, **whole, **own)


def test_ranks_counted_are_those_of_the_triggers():
    config = detector.eager(PipelineConfig())
    run = false_alarms.coloured("aligo_O4high", 512, 1024, 3, config, quiet)
    rng = np.random.default_rng((3, 3, 0))
    strain = noise.coloured(noise.load("aligo_O4high"), 512 * 1024, 1024, rng)
    block = detector.block_of(strain, 1024, GPS)
    triggers = find(block, config.whiten, config.detect)
    assert len(triggers) > 20
    assert sorted(run.ranks) == sorted(t.rank for t in triggers)
    assert run.live == 511.75
    tiles = [t.rank for t in triggers if t.wavelet == "morlet"]
    assert set(tiles) <= set(run.tiles)
    assert run.above(4.5) - run.tiles_above(4.5) == run.added(4.5) >= 0


def test_white_noise_is_white_and_no_two_stretches_are_alike():
    bank = bank_for(1024, PipelineConfig().detect, 16.0)
    first, second = (
        false_alarms.white_noise(bank, 64, np.random.default_rng(seed)).samples for seed in (1, 2)
    )
    assert first.std() == pytest.approx(1, abs=0.01)
    assert abs(np.mean(first * second)) < 0.02


def test_a_run_is_compared_with_theory_in_hours():
    config = detector.eager(PipelineConfig())
    bank = bank_for(1024, config.detect, 16.0)
    tiles = false_alarms.TileField.of(bank, config.detect)
    run = false_alarms.Run(noise="white", ranks=[4.8, 5.1, 5.6], tiles=[4.8, 0.0, 5.6], live=7200.0)
    rows = false_alarms.compare(run, tiles, config, SHAPES, 1.1)
    assert [row["all"]["events"] for row in rows] == [3, 2, 1, 1, 0, 0]
    assert [row["tiles"]["events"] for row in rows] == [2, 1, 1, 1, 0, 0]
    for row in rows:
        cell = row["all"]
        assert row["hours"] == 2
        assert cell["rate"] == cell["events"] / 2
        assert cell["ratio"] == pytest.approx(cell["rate"] / cell["theory"])
        assert cell["error"] == pytest.approx((2 * cell["theory"]) ** -0.5)
        assert row["extrapolated"] == pytest.approx(1.1 * cell["theory"])
    scale = false_alarms.anchor(run, tiles, config, SHAPES)
    assert scale == pytest.approx(rows[0]["all"]["ratio"])


def test_too_little_noise_says_what_to_do():
    run = false_alarms.Run(noise="white", ranks=[4.8], tiles=[4.8], live=100.0)
    with pytest.raises(ValueError, match="more --hours"):
        false_alarms.shapes_of(run)


def test_ends_are_counted_beside_chance():
    live = [(GPS, GPS + 20.0), (GPS + 30.0, GPS + 50.0)]
    times = [(GPS + 0.3, 0), (GPS + 10.0, 0), (GPS + 30.6, 1), (GPS + 49.9, 1)]
    found = [(trigger(time), live[which]) for time, which in times]
    assert real_strain.near_ends(found, live) == {"seen": 2, "expected": pytest.approx(4 * 2 / 40)}


def test_pieces_hold_all_strain_once():
    stretch = Stretch(np.arange(50 * 16.0), 16, GPS)
    pieces = list(real_strain._pieces(stretch, 20))
    assert [len(piece.strain) // 16 for piece in pieces] == [20, 30]
    assert [piece.gps_start for piece in pieces] == [GPS, GPS + 20]
    assert np.array_equal(np.concatenate([piece.strain for piece in pieces]), stretch.strain)


def test_a_line_stands_out_of_its_neighbourhood():
    rng = np.random.default_rng(1)
    even = [trigger(GPS + i, f) for i, f in enumerate(rng.uniform(20, 800, 4000))]
    chance = real_strain.at_lines(even, "power", 4096)
    assert chance["seen"] > 200
    assert chance["seen"] == pytest.approx(chance["expected"], rel=0.15)
    more = [trigger(GPS + i, 120.3) for i in range(200)]
    line = real_strain.at_lines([*even, *more], "power", 4096)
    assert line["seen"] == chance["seen"] + 200
    assert line["expected"] == chance["expected"]
    wide = [replace(t, q=4.0) for t in more]
    assert real_strain.at_lines([*even, *wide], "power", 4096) == chance


def test_bands_join_and_end_below_nyquist():
    assert real_strain.bands([60.0, 60.5, 900.0], 2048) == [
        (pytest.approx(60 * 44 / 45), pytest.approx(60.5 * 46 / 45))
    ]


def test_known_events_are_named():
    assert real_strain.event_of(trigger(1126259462.42)) == "GW150914"
    assert real_strain.event_of(trigger(1187008881.38)) == ""


@pytest.mark.slow
def test_the_command_prints_tables_and_writes_the_same(tmp_path, capsys, data):
    path = tmp_path / "figures.json"
    real = data / "H-H1_LOSC_4_V2-1126259446-32.hdf5"
    sizes = ["--hours", "0.28", "--verify-hours", "0.14", "--rate", "2048", "--cores", "0"]
    assert background.main([*sizes, "--real", str(real), "--seed", "2", "--json", str(path)]) == 0
    printed, figures = capsys.readouterr().out, json.loads(path.read_text())
    rows = figures["gaussian"]["rows"]
    assert [row["rank"] for row in rows] == [*false_alarms.RANKS] * 2
    for row in rows[0], rows[6]:
        assert row["all"]["ratio"] == pytest.approx(1, abs=4 * row["all"]["error"])
    assert f"{rows[0]['all']['theory']:.2f}" in printed
    (found,) = figures["real"]
    assert sum(cell["events"] for cell in found["bins"]) == 1
    assert found["loud"][0]["event"] == "GW150914"
    assert "GW150914 at 1126259462.42" in printed
    assert set(figures["versions"]) >= {"wavefier", "numpy", "apache-beam"}


def test_the_command_refuses_strain_that_is_too_short(tmp_path, data):
    short = data / "HLV-HW100916-968654552-1.gwf"
    sizes = ["--hours", "0.28", "--verify-hours", "0", "--rate", "2048", "--cores", "0"]
    with pytest.raises(SystemExit, match="no 16 s of good strain"):
        background.main([*sizes, "--seed", "2", "--real", str(short)])
