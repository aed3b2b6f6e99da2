"""What is measured: CPU time of commands, and continuous strain in files."""

import json
import sys

import numpy as np
import pytest
from scipy.signal import welch

from beam_pipeline.config import PipelineConfig
from benchmarks import simulated, subprocess_usage
from benchmarks.simulated import Recipe
from benchmarks.subprocess_usage import Usage
from benchmarks.throughput import archive, stages
from models.simulation import noise
from transforms.gps import NANOSECONDS
from transforms.ingest.config import IngestConfig
from transforms.ingest.files import formats

BURN = "import time\nwhile time.process_time() < {}: pass\n"


def test_usage_is_the_childs_and_its_childrens():
    inner = BURN.format(0.3)
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    usage = subprocess_usage.run([sys.executable, "-c", outer])
    # One waits for the other: together they are never at work twice.
    assert 0.3 <= usage.cpu <= usage.wall + 0.05
    assert 1e6 < usage.peak < 1e9


def test_the_peak_is_not_that_of_the_process_that_measures():
    held = bytearray(500 << 20)
    held[::4096] = bytes(len(held[::4096])).replace(b"\0", b"1")
    usage = subprocess_usage.run([sys.executable, "-S", "-c", "pass"])
    assert len(held) > 2 * usage.peak


def test_a_failing_command_says_what_it_said():
    with pytest.raises(subprocess_usage.CommandError, match="no such luck"):
        subprocess_usage.run([sys.executable, "-c", "raise SystemExit('no such luck')"])


def test_starting_cancels_and_one_odd_run_does_not_count():
    short = [Usage(cpu, cpu, 1) for cpu in (11.0, 11.0, 40.0)]
    long = [Usage(cpu, cpu, 2) for cpu in (15.0, 15.0, 3.0)]
    cost = subprocess_usage.marginal(short, long, (100, 500))
    assert (cost.cpu_rate, cost.start_cpu, cost.peak) == (100.0, 10.0, 2)


@pytest.mark.parametrize("kind", simulated.FORMATS)
def test_files_hold_the_strain_that_was_made(kind, tmp_path):
    recipe = Recipe(curve="aligo_O4high", seconds=40, sample_rate=1024, seed=1, classes=("blip",))
    made = simulated.make(tmp_path, recipe, kind, 16)
    (whole,) = [strain for strain, _ in simulated.pieces(recipe)]
    assert len(made.files) == 3
    parts = []
    for number, path in enumerate(made.files):
        (span,) = formats.inspect(str(path), IngestConfig())
        assert span.gps_start_ns == (made.gps_start + 16 * number) * NANOSECONDS
        times = span.gps_start_ns, span.gps_end_ns
        parts.append(formats.read(str(path), span.channel, *times, 1024))
    assert np.array_equal(np.concatenate(parts), whole)
    assert len(made.injections) >= 3


def test_pieces_join_without_a_seam():
    recipe = Recipe(curve="kagra_10Mpc", seconds=2 * simulated.PIECE, sample_rate=256, seed=2)
    strain = np.concatenate([piece for piece, _ in simulated.pieces(recipe)])
    level = []
    for at in range(simulated.PIECE - 384, simulated.PIECE + 385, 128):
        around = strain[(at - 4) * 256 : (at + 6) * 256]
        frequency, psd = welch(around, 256, nperseg=256)
        band = (frequency > 20) & (frequency < 100)
        expected = noise.load("kagra_10Mpc").at(frequency[band])
        level.append(np.mean(np.sqrt(psd[band]) / expected))
    assert level == pytest.approx([1] * len(level), abs=0.1)


@pytest.mark.slow
def test_each_stage_has_a_cost(tmp_path):
    config = PipelineConfig(ingest=IngestConfig(block_seconds=256))
    made = simulated.make(
        tmp_path,
        Recipe(curve="aligo_O4high", seconds=300, sample_rate=1024, seed=3, classes=("blip",)),
        "gwf",
        256,
    )
    spent = stages.archive_stages(made, config, tmp_path / "output")
    assert tuple(spent) == stages.STAGES
    assert all(each > 0 for each in spent.values())
    assert all(each > 0 for each in stages.live_stages(made, config, 2).values())
    assert list((tmp_path / "output").rglob("*.parquet"))


@pytest.mark.slow
def test_the_command_prints_a_table_and_writes_the_same(tmp_path, capsys, monkeypatch):
    measured = []

    def command(_made, seconds, _processes, _output):
        return [sys.executable, "-c", BURN.format(0.05 + seconds / 200)]

    def run(line):
        measured.append(usage_run(line))
        return measured[-1]

    usage_run = subprocess_usage.run
    monkeypatch.setattr(archive, "command", command)
    monkeypatch.setattr(archive.subprocess_usage, "run", run)
    monkeypatch.setattr(archive, "_stages", lambda *_: iter(()))
    path = tmp_path / "figures.json"
    sizes = ["--rates", "1024", "--seconds", "16", "64", "--repeats", "1", "--processes", "1"]
    assert archive.main([*sizes, "--formats", "hdf5", "--json", str(path)]) == 0
    (row,) = json.loads(path.read_text())["rows"]
    short, long = measured
    # As many samples as at 4096 Hz.
    assert row["cpu_rate"] == subprocess_usage.marginal([short], [long], (64, 256)).cpu_rate
    assert short.cpu >= 0.05 + 64 / 200
    assert long.cpu >= 0.05 + 256 / 200
    assert "whole chain, hdf5, 1 process" in capsys.readouterr().out


def test_the_command_measured_is_the_real_one(tmp_path):
    made = simulated.make(
        tmp_path, Recipe(curve="aligo_O4high", seconds=32, sample_rate=1024, seed=1), "hdf5", 16
    )
    line = archive.command(made, 16, 2, tmp_path / "output")
    assert [str(part) for part in line[1:3]] == ["run", str(made.files[0])]
    assert str(made.files[1]) not in map(str, line)
    assert "--direct_num_workers=2" in line
