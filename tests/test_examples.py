"""The examples run as they stand, and find what is in the real files."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from beam_pipeline.analysis import analyse
from benchmarks.rehearsal.servers import end_all, servers
from flink.settings import ROOT
from transforms.broker import KafkaConfig, Topic, ensure_topics

pytestmark = pytest.mark.slow
EVENT = "H-H1_LOSC_4_V2-1126259446-32.hdf5"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
EXAMPLES = ROOT / "examples"


def run(name, *arguments):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *map(str, arguments)],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_picture(path):
    return path.read_bytes().startswith(b"\x89PNG")


def test_each_example_has_a_test():
    text = (ROOT / "tests" / "test_examples.py").read_text()
    for path in EXAMPLES.glob("*.py"):
        assert f'"{path.name}"' in text


def test_whitened_strain_has_unit_variance(tmp_path):
    said = run("whiten_a_file.py", "--picture", tmp_path / "white.png")
    assert 0.9 < float(re.search(r"standard deviation ([\d.]+)", said)[1]) < 1.1
    assert is_picture(tmp_path / "white.png")


def test_the_bank_finds_gw150914():
    (line,) = run("search_with_the_bank.py").splitlines()
    assert line.startswith("H1:GWOSC-4KHZ_STRAIN 1126259462.42")
    assert run("search_with_the_bank.py", "--threshold", 20) == ""


def test_a_run_is_plotted(data, tmp_path):
    analyse([data / EVENT], tmp_path / "found")
    analyse([tmp_path / "missing"], tmp_path / "nothing")
    said = run("plot_a_run.py", tmp_path / "found", "--picture", tmp_path / "triggers.png")
    assert "cbc" in said
    assert is_picture(tmp_path / "triggers.png")

    run("plot_a_run.py", tmp_path / "nothing", "--picture", tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_known_events_are_labelled(tmp_path):
    lines = run("label_your_glitches.py", "--output", tmp_path / "judged").splitlines()
    judged = [line for line in lines if re.match(r"[HL]1 ", line)]
    assert len(judged) == 3
    assert sum("cbc: cbc" in line for line in judged) == 2


# Five Java machines start.
@pytest.mark.timeout(1800)
def test_triggers_of_a_replay_come_from_kafka(java, tmp_path):
    name = "examples"
    with servers(tmp_path / "there") as there:
        broker = there.broker.address
        topics = [f"{name}.strain.H1", f"{name}.triggers"]
        ensure_topics(KafkaConfig(broker), dict.fromkeys(topics, Topic()))
        shutil.copy(ROOT / "flink" / "dev" / "demo.yaml", tmp_path / "science.yaml")
        options = ["--publish", name, "--group", name, *there.live_options(topics[:1], tmp_path)]
        job = subprocess.Popen(
            [sys.executable, "-m", "beam_pipeline.cli", "live", *map(str, options)],
            cwd=ROOT,
            env=ENVIRONMENT,
        )
        try:
            # The strain waits on its topic until the job runs.
            said = run(
                "triggers_from_kafka.py",
                *("--brokers", broker, "--topic", f"{name}.strain.{{ifo}}"),
                *("--publish", name, "--wait", 600),
            )
        finally:
            job.kill()
            job.wait()
            end_all(tmp_path)
    assert re.search(r"^H1 1126259462\.42\d* SNR 13\.\d cbc final$", said, re.MULTILINE)
