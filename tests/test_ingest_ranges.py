"""Ranges of time: what adjoining ranges give together is what one run over both gives."""

from pathlib import Path

import gwframe
import h5py
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from beam_pipeline import cli
from beam_pipeline.config import PipelineConfig
from beam_pipeline.graph import margin_ns, reach
from transforms import gps
from transforms.detect.bank import bank_for
from transforms.detect.cluster import cluster
from transforms.detect.search import search
from transforms.detect.sessions import Sessions
from transforms.elements import Segment, Span, Trigger
from transforms.ingest.config import IngestConfig
from transforms.ingest.files.blocks import read_block
from transforms.ingest.files.formats import examine
from transforms.ingest.files.plan import EVERYTHING, Within, plan
from transforms.kinds import LetterKind
from transforms.sink import writers
from transforms.whiten.config import WhitenConfig
from transforms.whiten.stage import analysed
from transforms.whiten.whitening import whiten

S = gps.NANOSECONDS
T0, SECONDS, RATE = 1_400_000_000, 240, 512
# Short spectra, so that most borders leave samples that need not be looked at.
CONFIG = PipelineConfig(whiten=WhitenConfig(psd_seconds=16, update_seconds=16))
CONTEXT_NS = Sessions.of(CONFIG.detect).context_ns
MINIMUM_NS = CONFIG.whiten.minimum_seconds * S
BURSTS = {40.0: 60.0, 118.5: 40.0, 119.2: 60.0, 120.0: 45.0, 200.3: 90.0}
"""Frequency [Hz] by time after T0 [s]."""


def bursts(seconds: int, rate: int, at: dict[float, float]) -> np.ndarray:
    """Make noise with sine-Gaussians of SNR 25 in it."""
    strain = np.random.default_rng(7).normal(0, 1e-21, seconds * rate)
    for time, frequency in at.items():
        t = np.arange(len(strain)) / rate - time
        wave = np.exp(-((2 * np.pi * frequency * t) ** 2) / 2 / 9**2)
        wave *= np.sin(2 * np.pi * frequency * t)
        strain += wave * 25e-21 / np.sqrt((wave**2).sum())
    return strain


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
    """Write some minutes with bursts, and with samples that are no number."""
    path = tmp_path_factory.mktemp("ranges") / "a.h5"
    strain = bursts(SECONDS, RATE, BURSTS)
    strain[150 * RATE : 151 * RATE] = np.nan
    strain[160 * RATE : 161 * RATE] = np.nan
    with h5py.File(path, "w") as file:
        file["H1:X-STRAIN"] = strain
        file["H1:X-STRAIN"].attrs.update({"x0": float(T0), "dx": 1 / RATE})
    return str(path)


def found(path: str, within: Within) -> tuple[list[Trigger], list[Segment]]:
    """Do what a run does, as far as triggers and segments go."""
    needed = reach(CONFIG)
    spans: list[Span] = list(examine(path, IngestConfig(), within.known(needed, MINIMUM_NS)).spans)
    planned = plan(spans, needed, MINIMUM_NS, 64 * S, within)
    bank = bank_for(RATE, CONFIG.detect, CONFIG.whiten.low_frequency)
    candidates, segments = [], list(planned.segments)
    for wanted in planned.blocks:
        block = read_block(wanted)
        segments += analysed(block, CONFIG.whiten)
        candidates += search(whiten(block, CONFIG.whiten, margin_ns(CONFIG)), CONFIG.detect, bank)
    triggers = [
        cluster(session.candidates, CONFIG.id)
        for session in Sessions.of(CONFIG.detect).group(candidates)
    ]
    return (
        [one for one in triggers if within.holds(one.time_ns)],
        sorted(within.clipped(segments), key=lambda one: one.start_ns),
    )


@pytest.fixture(scope="module")
def whole(path) -> tuple[list[Trigger], list[Segment]]:
    """Find what one run over everything finds."""
    triggers, segments = found(path, EVERYTHING)
    assert len(triggers) >= len(BURSTS)
    assert [s.reason for s in segments if not s.analysed].count("not finite") == 2
    return triggers, segments


def tiles(segments: list[Segment]) -> list[tuple[int, int, str]]:
    """Return segments joined where they touch and say the same."""
    joined: list[tuple[int, int, str]] = []
    for one in segments:
        if joined and joined[-1][1:] == (one.start_ns, one.reason):
            joined[-1] = joined[-1][0], one.end_ns, one.reason
        else:
            joined.append((one.start_ns, one.end_ns, one.reason))
    return joined


BORDERS = st.integers(0, SECONDS * S) | st.integers(0, SECONDS * 8).map(lambda at: at * S // 8)


@pytest.mark.slow
@given(border=BORDERS)
@example(border=40 * S)
@example(border=int(119.2 * S))
@example(border=int(150.5 * S))
@example(border=155 * S)
def test_adjoining_ranges_find_what_one_run_finds(path, whole, border):
    at = T0 * S + border
    before = found(path, Within(end_ns=at, context_ns=CONTEXT_NS))
    after = found(path, Within(start_ns=at, context_ns=CONTEXT_NS))
    assert before[0] + after[0] == whole[0]
    assert tiles(before[1] + after[1]) == tiles(whole[1])


def columns(output: Path) -> list[dict]:
    rows = writers.read_triggers(output).to_pylist()
    return [{k: v for k, v in row.items() if k not in ("emitted_at", "latency")} for row in rows]


@pytest.mark.slow
def test_a_burst_at_the_border_is_in_one_of_two_runs(tmp_path):
    """As by the command, over files of one second."""
    strain = bursts(40, 1024, {20.3: 200.0})
    files = []
    for second in range(40):
        files.append(str(tmp_path / f"H-H1_X-{T0 + second}-1.gwf"))
        part = strain[second * 1024 : (second + 1) * 1024]
        gwframe.write(files[-1], {"H1:X-STRAIN": part}, float(T0 + second), 1024)
    border = f"{T0}.".replace("00.", "20.3")
    ranges = {"whole": [], "before": ["--end", border], "after": ["--start", border]}
    for name, options in ranges.items():
        assert cli.main(["run", *files, "--output", str(tmp_path / name), *options]) == cli.DONE
    whole, before, after = (columns(tmp_path / name) for name in ranges)
    assert len(whole) == 1
    assert before + after == whole
    assert next(s.start_ns for s in writers.read_segments(tmp_path / "after")) == (
        T0 * S + 20_300_000_000
    )


@pytest.mark.slow
def test_a_range_without_data_says_what_the_data_cover(tmp_path, data, capsys):
    (file,) = data.glob("H-H1_LOSC*")
    run = ["run", str(file), "--output", str(tmp_path), "--start", "1500000000"]
    assert cli.main(run) == cli.DATA_PROBLEM
    lines = capsys.readouterr().err.splitlines()
    assert "the files hold 1126259446 to 1126259478" in lines[0]
    (letter,) = writers.read_dead_letters(tmp_path)
    assert letter.kind is LetterKind.NOTE


@pytest.mark.slow
def test_any_path_and_odd_attributes_beside_good_files(tmp_path, data, capsys):
    """A file whose path is no UTF-8 is analysed; what cannot be read is a line of its own."""
    (file,) = data.glob("H-H1_LOSC*")
    named = tmp_path / "caf\udce9.h5"
    named.write_bytes(file.read_bytes())
    odd = tmp_path / "H-H1_X-1000-1.h5"
    with h5py.File(odd, "w") as written:
        written["H1:X-STRAIN"] = np.ones(512)
        written["H1:X-STRAIN"].attrs.update({"x0": np.nan, "dx": 1 / 512})
    output = tmp_path / "out"
    assert cli.main(["run", str(named), str(odd), "--output", str(output)]) == cli.DATA_PROBLEM
    (letter,) = writers.read_dead_letters(output)
    assert (letter.source, letter.kind) == (str(odd), LetterKind.METADATA)
    assert len(writers.read_triggers(output)) == 1


@pytest.mark.slow
def test_a_slip_in_require_is_told_and_no_fault(tmp_path, data, capsys):
    (file,) = data.glob("H-H1_LOSC*")
    config = tmp_path / "c.yaml"
    config.write_text("ingest: {require: [DATA, BURST_CAT_1]}\n")
    run = ["run", str(file), "--output", str(tmp_path / "out"), "--config", str(config)]
    assert cli.main(run) == cli.DONE
    lines = [one for one in capsys.readouterr().err.splitlines() if "BURST_CAT_1" in one]
    assert len(lines) == 1
    assert "no mask has BURST_CAT_1" in lines[0]
