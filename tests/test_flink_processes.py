"""What starts and stops clusters and brokers, without Java: processes, settings, missing parts."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flink import parts
from flink.dev import broker, cluster
from flink.processes import Problem, Processes, refuse_taken, reported, run
from flink.settings import ClusterSettings


@pytest.fixture
def processes(tmp_path):
    made = Processes(tmp_path)
    yield made
    made.end(made.names())


def wait_for(what):
    end = time.monotonic() + 240
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def test_a_step_that_fails_shows_what_it_said():
    with pytest.raises(Problem, match="step failed:\nreason"):
        run("step", ["sh", "-c", "echo reason >&2; exit 3"], {"PATH": "/bin:/usr/bin"})


def test_a_program_that_is_missing_is_one_line():
    with pytest.raises(Problem, match=r"^no-such-program: No such file or directory$"):
        run("step", ["no-such-program"])


def test_a_problem_is_told_on_standard_error_and_is_no_success(capsys):
    def act():
        raise Problem("the broker is down")

    assert reported(act) == 1
    assert capsys.readouterr().err == "error: the broker is down\n"
    assert reported(lambda: 3) == 3


def test_a_process_is_ended_with_what_it_started(processes):
    processes.start("parent", ["sh", "-c", "sleep 600 & echo child $!; wait"], {})
    (child,) = wait_for(lambda: re.findall(r"child (\d+)", processes.tail("parent")))
    command = Path(f"/proc/{child}/cmdline")
    wait_for(lambda: b"sleep" in command.read_bytes())
    processes.end(["parent"])
    assert not processes.names()
    # What is left of a dead process until its parent looks has no command line.
    wait_for(lambda: not command.exists() or not command.read_bytes())


def test_who_does_not_listen_to_a_polite_word_is_killed(processes, monkeypatch):
    monkeypatch.setattr("flink.processes.PATIENCE_S", 0.5)
    processes.start("deaf", ["sh", "-c", "trap '' TERM; echo set; sleep 600; sleep 600"], {})
    wait_for(lambda: "set" in processes.tail("deaf"))
    processes.end(["deaf"])
    assert not processes.alive()


def test_the_process_id_of_another_is_never_taken_for_ours(processes, tmp_path):
    processes.start("short", ["true"], {})
    (tmp_path / "pids" / "short").write_text(f"{os.getpid()} 1\n")
    (tmp_path / "pids" / "cut").write_text("")
    assert not processes.alive()
    with pytest.raises(Problem, match="short does not run; what runs: nothing"):
        processes.kill("short")
    processes.end(["short", "cut"])
    os.kill(os.getpid(), 0)


def test_a_process_outlives_who_started_it(processes, tmp_path):
    script = (
        "import sys; from pathlib import Path; from flink.processes import Processes;"
        "Processes(Path(sys.argv[1])).start('long', ['sleep', '600'], {})"
    )
    line = [sys.executable, "-c", script, str(tmp_path)]
    subprocess.run(line, check=True, cwd=parts.ROOT)
    (pid,) = processes.alive().values()
    assert os.getpgid(pid) != os.getpgid(0)
    os.kill(pid, signal.SIGINT)
    assert processes.alive()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"FLINK_PORT": "http"}, "FLINK_PORT must be a whole number, not 'http'"),
        ({"FLINK_PORT": "0"}, "FLINK_PORT must lie in 1 to 65535, not 0"),
        ({"FLINK_PORT": "6123"}, "two ports are the same: FLINK_PORT, FLINK_RPC_PORT"),
        ({"FLINK_TASKMANAGERS": "0"}, "FLINK_TASKMANAGERS must lie in 1 to 256, not 0"),
        (
            {"FLINK_TASKMANAGER_MB": "100"},
            "FLINK_TASKMANAGER_MB must lie in 1024 to 1048576, not 100",
        ),
        (
            {"FLINK_HIGH_AVAILABILITY": "maybe"},
            "FLINK_HIGH_AVAILABILITY must be 0 or 1, not 'maybe'",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_one_line(given, said):
    with pytest.raises(Problem) as caught:
        ClusterSettings.from_environment(given)
    assert str(caught.value).startswith(said)
    assert len(str(caught.value).splitlines()) == 1


def test_settings_come_back_as_they_were_saved(tmp_path):
    given = {"FLINK_FOLDER": str(tmp_path), "FLINK_CHECKPOINTS": "/x", "FLINK_TIMEOUT_S": "7.5"}
    settings = ClusterSettings.from_environment({**given, "FLINK_HIGH_AVAILABILITY": "1"})
    assert settings.checkpoint_folder == Path("/x")
    settings.save()
    assert ClusterSettings.load(tmp_path) == settings
    assert ClusterSettings.load(tmp_path / "none") is None


def test_a_taken_port_is_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Problem, match=f"port {port} is taken: free it, or set X to another"):
            refuse_taken({"X": port})
    refuse_taken({"X": port})


@pytest.mark.parametrize(("module", "prefix"), [(cluster, "FLINK"), (broker, "KAFKA")])
def test_files_of_others_are_left_alone(module, prefix, tmp_path, monkeypatch, capsys):
    (tmp_path / "thesis.tex").write_text("years")
    monkeypatch.setenv(f"{prefix}_FOLDER", str(tmp_path))
    assert module.main(["up"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"error: {tmp_path} holds other files: set {prefix}_FOLDER to a new folder"
    assert module.main(["down"]) == 0
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "no Java in JAVA_HOME="),
        ('echo openjdk version \\"11.0.2\\" >&2', "Java in JAVA_HOME="),
    ],
)
def test_without_java_one_line_says_which_is_needed(script, said, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.delenv("WAVEFIER_REQUIRE_JAVA", raising=False)
    if script:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "java").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / "java").chmod(0o755)
    assert parts.main(["--if-possible"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Left out: what needs Java (a Flink cluster, a Kafka broker)")
    assert said in line
    with pytest.raises(Problem, match=said):
        parts.tools()
    assert "install a Java runtime of version 17 or newer" in line
    monkeypatch.setenv("WAVEFIER_REQUIRE_JAVA", "1")
    assert parts.main(["--if-possible"]) == 1


def test_maven_is_needed_only_for_what_is_not_made_yet(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "java", lambda: Path("java"))
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("JOB_SERVER", "BROKER", "S3"):
        monkeypatch.setattr(parts, name, tmp_path / name / "made")
    with pytest.raises(Problem, match="no mvn on the PATH: install Maven"):
        parts.tools()
    monkeypatch.setattr(parts, "_stale", lambda _: False)
    parts.tools()


def test_parts_of_other_versions_are_made_anew(monkeypatch, tmp_path):
    monkeypatch.setattr(parts, "WHEELS", tmp_path)
    with pytest.raises(Problem, match="make flink-env"):
        parts.distribution()
    (tmp_path / "made-from").write_text(parts.versions()["flink.version"] + "\n")
    assert parts.distribution() == tmp_path / "pyflink"
    changed = {**parts.versions(), "flink.version": "2.2.1"}
    monkeypatch.setattr(parts, "versions", lambda: changed)
    with pytest.raises(Problem, match="missing or of other versions"):
        parts.distribution()
