"""The archive job as a user runs it: real files, any cutting, faults, exit codes."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from beam_pipeline import cli, config, exits, progress_bar
from beam_pipeline.commands import actions
from transforms.detect.wdf import denoised, window_start_ns
from transforms.sink import writers

PEAK_H1, PEAK_L1 = 1126259462.42, 1126259462.415
TIMES_OF_WRITING = {"emitted_at", "latency"}
FLAGS = ["--direct_num_workers=1"]


def run(output, *arguments):
    """Run the command in this process; give its exit code."""
    return cli.main(["run", "--output", str(output), *map(str, arguments)])


def triggers(output):
    rows = writers.read_triggers(output).to_pylist()
    kept = [{k: v for k, v in row.items() if k not in TIMES_OF_WRITING} for row in rows]
    return sorted(kept, key=lambda row: (row["channel"], row["time_ns"]))


def loudest(output, ifo):
    return max((t for t in triggers(output) if t["ifo"] == ifo), key=lambda t: t["snr"])


def write_gwosc(path, strain, start, sample_rate=4096):
    """Write strain as GWOSC does, without masks."""
    with h5py.File(path, "w") as file:
        series = file.create_dataset("strain/Strain", data=strain)
        series.attrs.update(Xstart=start, Xspacing=1 / sample_rate, Npoints=len(strain))
        file["meta/Detector"] = "H1"
        file["meta/GPSstart"] = start
        file["meta/Duration"] = len(strain) // sample_rate
    return path


@pytest.fixture(scope="module")
def event(tmp_path_factory, data):
    """Run GW150914 once for several tests."""
    output = tmp_path_factory.mktemp("event") / "out"
    files = sorted(data.glob("*_LOSC_4_V2-1126259446-32.hdf5"))
    assert len(files) == 2
    assert run(output, *files) == cli.DONE
    return output


@pytest.mark.slow
def test_gw150914_is_the_loudest_in_both_detectors(event):
    h1, l1 = loudest(event, "H1"), loudest(event, "L1")
    assert abs(h1["time"] - PEAK_H1) < 0.020
    assert h1["snr"] >= 10
    assert abs(l1["time"] - PEAK_L1) < 0.060
    assert l1["snr"] >= 6
    assert len(triggers(event)) < 10


@pytest.mark.slow
def test_gw150914_is_denoised_from_what_is_published(event):
    row = loudest(event, "H1")
    wave = denoised(row["wdf_basis"], row["wdf_rate"], row["wdf_index"], row["wdf_value"])
    start = window_start_ns(row["time_ns"], row["wdf_rate"]) / 1e9
    kept = writers.read_snippets(event)[row["id"]]
    first = round((start - kept.start_time) * kept.sample_rate)

    assert row["enwdf"] > row["snr"]
    assert abs(start + np.argmax(np.abs(wave)) / row["wdf_rate"] - PEAK_H1) < 0.020
    # The coefficients kept are a projection of the strain.
    strain = kept.samples[first : first + len(wave)]
    assert wave @ strain == pytest.approx(row["enwdf"] ** 2, rel=1e-5)


@pytest.mark.slow
def test_every_trigger_is_labelled_by_the_packaged_model(event):
    from transforms.classify import artefact

    card = artefact.load_card(artefact.default_artefact())
    for trigger in triggers(event):
        assert trigger["label"] in card.classes
        assert 0 < trigger["score"] <= 1
        assert trigger["model"] == card.label


@pytest.mark.slow
def test_the_folder_holds_what_the_readme_says(event):
    assert (event / "config.yaml").read_text().startswith("# wavefier ")
    page = (event / "report" / "index.html").read_text()
    assert "H1:GWOSC-4KHZ_STRAIN" in page
    segments = writers.read_segments(event)
    for channel in ("H1:GWOSC-4KHZ_STRAIN", "L1:GWOSC-4KHZ_STRAIN"):
        own = [s for s in segments if s.channel == channel]
        assert sum(s.end_ns - s.start_ns for s in own) == 32_000_000_000
        assert sum(s.end_ns - s.start_ns for s in own if s.analysed) == 31_750_000_000
    assert not list(event.rglob("*.part"))


@pytest.mark.slow
def test_the_summary_is_a_table_of_the_loudest(event, capsys, data):
    (file,) = data.glob("H-H1_LOSC*")
    assert run(event.parent / "again", file, "--rows", 1) == cli.DONE
    printed = capsys.readouterr()
    first, second, *rest = printed.out.splitlines()
    assert first.split()[0] == "time"
    assert second.startswith("1126259462.42")
    assert rest[-1] == f"report: {event.parent / 'again' / 'report' / 'index.html'}"
    assert printed.err == ""


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1, 4])
def test_cutting_changes_nothing(seconds, event, tmp_path, data):
    (file,) = data.glob("H-H1_LOSC*")
    with h5py.File(file) as whole:
        strain = whole["strain/Strain"][:]
    step = seconds * 4096
    pieces = [
        write_gwosc(tmp_path / f"{i}.hdf5", strain[i : i + step], 1126259446 + i // 4096)
        for i in range(0, len(strain), step)
    ]
    one = write_gwosc(tmp_path / "one.hdf5", strain, 1126259446)
    assert run(tmp_path / "pieces", *reversed(pieces)) == cli.DONE
    assert run(tmp_path / "one", one) == cli.DONE
    cut, uncut = triggers(tmp_path / "pieces"), triggers(tmp_path / "one")
    assert len(uncut) > 0
    assert cut == uncut
    assert writers.read_segments(tmp_path / "pieces") == writers.read_segments(tmp_path / "one")
    # The masks of the published file change no number either.
    published = [t for t in triggers(event) if t["ifo"] == "H1"]
    assert [t["id"] for t in published] == [t["id"] for t in uncut]
    assert [t["snr"] for t in published] == [t["snr"] for t in uncut]


@pytest.mark.slow
def test_size_of_blocks_changes_nothing(tmp_path, data):
    (file,) = data.glob("H-H1_O3A*")
    lower = "detect: {threshold: 4.7}\n"
    (tmp_path / "long.yaml").write_text(lower)
    (tmp_path / "short.yaml").write_text(lower + "ingest: {block_seconds: 37}\n")
    for name in ("long", "short"):
        assert run(tmp_path / name, file, "--config", tmp_path / f"{name}.yaml") == cli.DONE
    assert len(triggers(tmp_path / "long")) > 20
    assert triggers(tmp_path / "long") == triggers(tmp_path / "short")
    assert writers.read_segments(tmp_path / "long") == writers.read_segments(tmp_path / "short")


@pytest.mark.slow
def test_the_glitch_beside_gw170817_is_one_flagged_trigger(tmp_path, data):
    (file,) = data.glob("L-L1_GWOSC_4KHZ_R1*")
    assert run(tmp_path, file) == cli.DONE
    found = triggers(tmp_path)
    near = [t for t in found if abs(t["time"] - 1187008881.38) < 1.5]
    assert len(near) == 1
    assert near[0]["time"] == pytest.approx(1187008881.382, abs=0.02)
    assert near[0]["snr"] > 100
    assert near[0]["dq"] == "BURST_CAT2,BURST_CAT3"
    assert {t["injections"] for t in found} == {"CW_HW_INJ"}
    assert len(found) <= 3
    edges = (1187008867.0, 1187008899.0)
    assert not [t for t in found if min(abs(t["time"] - e) for e in edges) < 2]


@pytest.mark.slow
def test_the_glitch_of_o3a_is_found_and_all_seconds_accounted_for(tmp_path, data):
    (file,) = data.glob("H-H1_O3A*")
    assert run(tmp_path, file) == cli.DONE
    assert loudest(tmp_path, "H1")["time"] == pytest.approx(1238205532.099, abs=0.01)
    segments = writers.read_segments(tmp_path)
    assert sum(s.end_ns - s.start_ns for s in segments) == 500_000_000_000
    analysed = [s for s in segments if s.analysed]
    assert len(analysed) == 1
    assert analysed[0].start_ns - 1238205077_000_000_000 <= 1_000_000_000
    assert 1238205577_000_000_000 - analysed[0].end_ns <= 1_000_000_000


@pytest.mark.slow
def test_short_frames_are_said_to_be_short(tmp_path, data, capsys):
    frames = sorted(data.glob("*.gwf"))
    assert run(tmp_path, *frames) == cli.DATA_PROBLEM
    said = capsys.readouterr().err.splitlines()
    assert (
        "wavefier: H1:GDS-CALIB_STRAIN_O2Replay at 1216577976.000: too short: 4 s, 16 s needed"
        in said
    )
    assert "wavefier: V1:h_16384Hz at 968654552.000: too short: 1 s, 16 s needed" in said
    assert said[-1] == "wavefier: nothing was analysed"


@pytest.mark.slow
def test_bad_files_are_one_line_each_and_the_rest_is_analysed(tmp_path, data, capsys):
    (good,) = data.glob("H-H1_LOSC*")
    whole = good.read_bytes()
    bad = {
        "truncated.hdf5": whole[: len(whole) // 2],
        "text.hdf5": b"this is not strain\n",
        "empty.hdf5": b"",
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    write_gwosc(tmp_path / "nan.hdf5", np.full(32 * 4096, np.nan), 1126259446)
    files = [tmp_path / name for name in (*bad, "nan.hdf5", "missing.hdf5")]
    assert run(tmp_path / "out", *files, good, good) == cli.DATA_PROBLEM
    said = capsys.readouterr().err.splitlines()
    for file in files:
        assert len([line for line in said if str(file) in line]) == 1, file
    assert len([line for line in said if "named stand there twice" in line]) == 1
    assert len(said) == len(files) + 1
    assert loudest(tmp_path / "out", "H1")["snr"] >= 10


@pytest.mark.slow
def test_overlapping_files_are_read_once(tmp_path, coloured, capsys):
    strain = coloured("aligo_O4high", 60, seed=77).copy()
    t = np.arange(len(strain)) / 4096 - 25.0
    strain += 4e-21 * np.exp(-((t / 0.01) ** 2)) * np.cos(2 * np.pi * 200 * t)
    first = write_gwosc(tmp_path / "a.hdf5", strain[: 40 * 4096], 1_000_000_000)
    second = write_gwosc(tmp_path / "b.hdf5", strain[20 * 4096 :], 1_000_000_020)
    whole = write_gwosc(tmp_path / "whole.hdf5", strain, 1_000_000_000)
    assert run(tmp_path / "two", first, second) == cli.DATA_PROBLEM
    (line,) = capsys.readouterr().err.splitlines()
    assert "b.hdf5" in line
    assert "1000000020" in line
    assert run(tmp_path / "one", whole) == cli.DONE
    assert triggers(tmp_path / "two") == triggers(tmp_path / "one")
    assert len(triggers(tmp_path / "one")) >= 1


@pytest.mark.slow
def test_a_wrong_channel_is_named_with_those_there_are(tmp_path, data, capsys):
    (frame,) = data.glob("HLV*.gwf")
    assert run(tmp_path, frame, "--channel", "H1:NO-SUCH") == cli.DATA_PROBLEM
    line = capsys.readouterr().err.splitlines()[0]
    assert "H1:NO-SUCH" in line
    assert "H1:LDAS-STRAIN" in line


def test_start_and_end_bound_what_is_analysed(tmp_path, data):
    (file,) = data.glob("H-H1_LOSC*")
    span = ["--start", "1126259450", "--end", "2015-09-14T09:50:58"]
    assert run(tmp_path, file, *span) == cli.DONE
    analysed = [s for s in writers.read_segments(tmp_path) if s.analysed]
    # The filter has strain beyond both ends, so nothing is lost there.
    assert analysed[0].start_ns == 1126259450_000_000_000
    assert analysed[-1].end_ns == 1126259475_000_000_000
    assert abs(loudest(tmp_path, "H1")["time"] - PEAK_H1) < 0.020


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--config", "no.yaml"], "no.yaml: cannot be read"),
        (["--start", "yesterdayish"], "--start yesterdayish"),
        (["--start", "20", "--end", "10"], "--start must lie before --end"),
        (["--runner=NoRunner"], "--runner NoRunner: unknown"),
        (["--outptu=x"], "unknown option --outptu"),
    ],
)
def test_mistakes_in_the_call_are_one_line_and_two(arguments, said, tmp_path, data, capsys):
    (file,) = data.glob("H-H1_LOSC*")
    assert run(tmp_path / "out", file, *arguments) == cli.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_written_is_refused(tmp_path, data, capsys):
    (file,) = data.glob("H-H1_LOSC*")
    (tmp_path / "file").write_text("in the way")
    assert run(tmp_path / "file" / "out", file) == cli.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert "choose another --output" in line


@pytest.mark.slow
def test_a_file_that_may_not_be_read_is_said(tmp_path, data):
    """Run as somebody without rights: whoever runs the tests may be above them."""
    folder = tmp_path / "secret"
    folder.mkdir()
    (good,) = data.glob("H-H1_LOSC*")
    locked = folder / "locked.hdf5"
    locked.write_bytes(good.read_bytes())
    locked.chmod(0)
    for parent in (folder, *folder.parents[:3]):
        if parent.stat().st_uid == os.getuid():
            parent.chmod(0o755)
    root = os.geteuid() == 0
    script = (
        "import sys; from transforms.ingest.files import formats; "
        "from transforms.ingest.config import IngestConfig; "
        + ("import os; os.seteuid(65534); " if root else "")
        + "formats.inspect(sys.argv[1], IngestConfig())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(locked)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        check=False,
    )
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "locked.hdf5" in last
    assert "DataError" in last
    assert "permission" in last.lower() or "allowed" in last.lower()


def test_the_command_says_its_version_and_what_is_installed(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith("wavefier ")
    assert cli.main(["doctor"]) == cli.DONE
    said = capsys.readouterr().out
    assert "apache-beam" in said
    assert "MISSING" not in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, exits.INTERRUPTED), (signal.SIGTERM, exits.TERMINATED)],
)
def test_a_signal_is_one_line_and_leaves_whole_files(number, code, tmp_path, data, capsys):
    files = sorted(data.glob("*.hd*"))

    def interrupt(*_):
        signal.raise_signal(number)

    # In the middle of the graph, where Beam would wrap and log what it meets.
    progress_bar._watchers.append(interrupt)
    try:
        assert run(tmp_path / "out", *files) == code
    finally:
        progress_bar._watchers.remove(interrupt)
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "wavefier: interrupted; what was written is whole"
    assert not list(tmp_path.rglob("*.part"))
    assert run(tmp_path / "out", files[0]) == cli.DONE


@pytest.mark.slow
def test_files_stand_before_and_behind_options_whatever_they_are_called(tmp_path, data, capsys):
    h1, l1 = sorted(data.glob("*_LOSC_4_V2-1126259446-32.hdf5"))
    strange = tmp_path / os.fsdecode(b"caf\xe9 #1.hdf5")
    strange.write_bytes(l1.read_bytes())
    words = [f"file://localhost{h1}", "--runner", "DirectRunner", strange]
    assert (
        cli.main(["run", *map(str, words), "--output", str(tmp_path / "out"), *FLAGS]) == cli.DONE
    )
    assert {t["ifo"] for t in triggers(tmp_path / "out")} == {"H1", "L1"}
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_another_science_has_another_folder_where_the_output_says_so(tmp_path, data, capsys):
    (file,) = data.glob("H-H1_LOSC*")
    (tmp_path / "other.yaml").write_text("detect: {threshold: 5.6}\n")
    output = tmp_path / "live-{config}"
    for more in ([], ["--config", str(tmp_path / "other.yaml")], []):
        assert run(output, file, *more) == cli.DONE
    ids = {config.PipelineConfig().id, config.load_config(tmp_path / "other.yaml").id}
    assert {path.name for path in tmp_path.glob("live-*")} == {f"live-{one}" for one in ids}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "code"),
    [(OSError(28, "No space left on device"), cli.DATA_PROBLEM), (TypeError("a bug"), None)],
)
def test_storage_that_fails_is_one_line_and_a_bug_is_not(error, code, tmp_path, data, capsys):
    (file,) = data.glob("H-H1_LOSC*")

    def fail(*_):
        raise error

    # In the middle of the graph, where Beam wraps and logs what it meets.
    progress_bar._watchers.append(fail)
    try:
        if code is None:
            with pytest.raises(Exception, match="a bug"):
                run(tmp_path / "out", file)
            return
        assert run(tmp_path / "out", file) == code
    finally:
        progress_bar._watchers.remove(fail)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("wavefier: the run has failed: [Errno 28] No space left on device")


def test_a_report_that_cannot_be_drawn_is_one_line(tmp_path):
    with pytest.raises(exits.UserError, match="no results in") as refused:
        actions._drawn(str(tmp_path))
    assert "\n" not in str(refused.value)


def test_a_pipe_is_told_now_and_then_how_far_a_run_is(monkeypatch):
    told, clock = io.StringIO(), [0.0]
    monkeypatch.setattr(progress_bar, "LINE_EVERY", 5.0)
    monkeypatch.setattr(progress_bar.time, "monotonic", lambda: clock[0])
    with progress_bar.shown(told):
        progress_bar.note(32.0, 0.0)
        for seconds in (1.0, 4.0, 1.0, 5.0):
            clock[0] += seconds
            progress_bar.note(0.0, 8.0)
    assert told.getvalue() == "16 of 32 s of strain\n32 of 32 s of strain\n"


def test_direct_runner_is_the_one_in_this_process():
    from beam_pipeline.options import IN_PROCESS, beam_options

    for arguments in ([], ["--runner=DirectRunner"], ["--runner", "DirectRunner"]):
        assert beam_options(arguments).get_all_options()["runner"] == IN_PROCESS
    flink = beam_options(["--runner=FlinkRunner", "--parallelism=3"]).get_all_options()
    assert flink["runner"] == "FlinkRunner"
