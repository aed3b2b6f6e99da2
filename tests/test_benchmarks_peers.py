"""All detectors are called on the same data and judged on the same stretch."""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchmarks import simulated
from benchmarks.detection.injections import Injection
from benchmarks.detection.scoring import Event
from benchmarks.peers import comparison, measurements
from benchmarks.peers.gwpy import Gwpy
from benchmarks.peers.measurements import Findings
from benchmarks.peers.sgnax import Sgnax
from benchmarks.peers.tool import Span
from benchmarks.peers.wavefier import Wavefier
from benchmarks.peers.wdflow import Wdflow
from benchmarks.simulated import Archive, Recipe

START = simulated.FIRST_GPS
SCRIPT = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"


def event(time, rank):
    return Event(
        time=time, start=time - 0.01, end=time + 0.01, frequency=100.0, snr=rank, rank=rank
    )


def injection(time, snr=8.0):
    return Injection(
        label="sine_gaussian",
        snr=snr,
        time=time,
        start=time - 0.05,
        end=time + 0.05,
        frequency=100.0,
    )


@pytest.fixture
def span(tmp_path):
    files = tuple(tmp_path / f"H-H1_BENCH-{START + 256 * i}-256.gwf" for i in range(4))
    return Span(
        Archive(files=files, gps_start=START, seconds=1024, sample_rate=4096, injections=()),
        512,
        tmp_path / "out",
        4.5,
    )


def test_tools_are_judged_where_all_of_them_looked():
    noise, loud = (
        Archive(files=(), gps_start=START, seconds=1000, sample_rate=4096, injections=())
        for _ in range(2)
    )
    truth = tuple(injection(START + t) for t in (10.0, 500.0, 950.0))
    loud = Archive(files=(), gps_start=START, seconds=1000, sample_rate=4096, injections=truth)
    quiet = [event(START + 50.0, 20.0), *(event(START + 200.0 + i, 5.0 + i / 10) for i in range(9))]
    hits = [event(one.time, 8.0) for one in truth]
    found = {
        "ours": (Findings(quiet, 0.1, 0.1), Findings(hits, 0.1, 0.1)),
        "peer": (Findings(quiet, 100.0, 70.0), Findings(hits[:1], 100.0, 70.0)),
    }
    judged = measurements.judge(found, noise, loud, far=1 / 100)
    assert [one.time - START for one in judged.injections] == [500.0]
    assert judged.live == pytest.approx(830.0)
    assert judged.scores["ours"].threshold.value == 5.0
    assert [f.found for f in judged.efficiency("ours", None)] == [0, 0, 0, 1, 0]
    assert [f.found for f in judged.efficiency("peer", "sine_gaussian")] == [0, 0, 0, 0, 0]
    assert judged.scores["ours"].analysed == pytest.approx(0.9999)
    assert judged.scores["peer"].analysed == pytest.approx(0.93)


def test_sgnax_is_called_with_the_channel_without_its_prefix(span):
    line = [str(part) for part in Sgnax(Path("/bin/python")).command(span)]
    assert line[0] == "/bin/sgnax-qtransform"
    assert line[line.index("--channel-name") + 1] == "BENCH-STRAIN"
    assert line[line.index("--gps-end-time") + 1] == str(START + 512)
    cache = Path(line[line.index("--frame-cache") + 1]).read_text().splitlines()
    assert cache[0] == f"H H1_BENCH {START} 256 file://localhost{span.archive.files[0]}"
    assert len(cache) == 2


def test_sgnax_features_are_read(span):
    folder = span.output / "features" / "10000"
    folder.mkdir(parents=True)
    kind = [(name, "f8") for name in ("time", "snr", "frequency", "q", "duration")]
    row = (START + 3.0, 7.0, 120.0, 9.0, 0.5)
    with h5py.File(folder / "H1-SGNAX_FEATURES-1-2.h5", "w") as file:
        file["BENCH-STRAIN/1_20"] = np.array([row], kind)
    (found,) = Sgnax(Path("python")).events(span)
    assert (found.start, found.end) == (START + 2.75, START + 3.25)
    assert (found.frequency, found.snr, found.rank) == (120.0, 7.0, 7.0)
    assert Sgnax(Path("python")).analysed(span) == (200.0, 509.0)


@pytest.mark.parametrize("kind", [Wdflow, Gwpy])
def test_scripts_get_the_frames_and_their_rows_are_thinned(kind, span):
    tool = kind(Path("python"))
    script, listed = tool.command(span)[1:3]
    assert script.exists()
    assert str(span.archive.files[1]) in listed.read_text()
    rows = [f"{START + t},{START + t},{START + t + 0.1},99,{snr}" for t, snr in ((1, 5), (1.05, 6))]
    (span.output / "events.csv").write_text("\n".join(rows) + "\n")
    assert [found.snr for found in tool.events(span)] == [6.0]


def test_our_own_command_is_the_real_one_at_the_threshold_asked_for(span):
    line = [str(part) for part in Wavefier().command(span)]
    assert line[1] == "run"
    assert "threshold: 4.5" in Path(line[line.index("--config") + 1]).read_text()


class Fake:
    """Finds every injection, and nothing else but some noise."""

    length = 1.0

    def __init__(self, name, snr):
        self.name, self.snr = name, snr

    def version(self):
        return "1"

    def command(self, span):
        return [sys.executable, "-c", SCRIPT, span.output / "done", "yes"]

    def events(self, span):
        assert (span.output / "done").read_text() == "yes"
        if span.archive.injections:
            return [event(one.time, self.snr) for one in span.archive.injections]
        return [event(START + 9.0 + i, 5.0 + i / 100) for i in range(20)]

    def analysed(self, _span):
        return 0.5, 0.5


@pytest.mark.slow
def test_the_command_prints_ratios_and_writes_the_same(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(comparison, "_tools", lambda _: [Fake("wavefier", 9.0), Fake("slow", 4.0)])
    path = tmp_path / "figures.json"
    sizes = ["--seconds", "64", "--noise-seconds", "64", "--far", "0.1", "--cores", "0"]
    assert comparison.main([*sizes, "--measure", "efficiency", "--json", str(path)]) == 0
    figures = json.loads(path.read_text())
    counted = [row for row in figures["rows"] if row.get("count")]
    assert counted
    assert all(row["values"] == {"wavefier": 1.0, "slow": 0.0} for row in counted)
    assert "wavefier/slow" in capsys.readouterr().out


def test_cost_is_measured_on_two_lengths(tmp_path):
    recipe = Recipe(curve="aligo_O4high", seconds=32, sample_rate=1024, seed=1)
    costs = measurements.race([Fake("a", 9.0)], recipe, 16, 1, tmp_path, lambda _: None)
    assert costs["a"].peak > 1e6


def test_a_missing_interpreter_is_one_line(capsys, tmp_path):
    assert comparison.main(["--cores", "0", "--sgnax-python", str(tmp_path / "none")]) == 1
    assert "make peers-env" in capsys.readouterr().err
