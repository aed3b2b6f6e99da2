"""What ``wavefier run`` does to its folder when something goes wrong."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from beam_pipeline import cli, progress_bar
from transforms.sink import writers

ROOT = Path(__file__).parents[1]


def run(output, *arguments):
    return cli.main(["run", "--output", str(output), *map(str, arguments)])


def contents(output):
    """Read all files, hidden ones too."""
    return {
        path.relative_to(output).as_posix(): path.read_bytes()
        for path in sorted(output.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def strain(data):
    (file,) = data.glob("H-H1_LOSC*")
    return file


@pytest.fixture(scope="module")
def former(tmp_path_factory, strain):
    """Leave results that nothing below may change."""
    output = tmp_path_factory.mktemp("former") / "out"
    assert run(output, strain) == cli.DONE
    return output


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_the_former_results(former, strain, number):
    before = contents(former)

    def interrupt(*_):
        signal.raise_signal(number)

    progress_bar._watchers.append(interrupt)
    try:
        assert run(former, strain) == 128 + number
    finally:
        progress_bar._watchers.remove(interrupt)

    assert contents(former) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [["--config", "{}/bad.yaml"], ["--runner=NoRunner"], ["--start", "9", "--end", "1"]],
)
def test_a_call_that_cannot_be_done_leaves_the_former_results(former, strain, tmp_path, arguments):
    (tmp_path / "bad.yaml").write_text("classify: {model: /no/such/model}\n")
    before = contents(former)

    assert run(former, strain, *(each.format(tmp_path) for each in arguments)) == cli.USAGE

    assert contents(former) == before


@pytest.mark.slow
def test_a_run_that_crashes_leaves_the_former_results(former, strain):
    before = contents(former)

    def crash(*_):
        raise ZeroDivisionError

    progress_bar._watchers.append(crash)
    try:
        with pytest.raises(Exception, match="ZeroDivisionError"):
            run(former, strain)
    finally:
        progress_bar._watchers.remove(crash)

    assert contents(former) == before


@pytest.mark.slow
@pytest.mark.parametrize("most", [100, 3000, 9000])
def test_a_disk_that_is_full_is_one_line_and_leaves_the_former_results(former, strain, most):
    """A limit on the size of files stands for the disk."""
    before = contents(former)
    script = (
        "import resource, sys\n"
        "from beam_pipeline import cli\n"
        "limit = int(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
        "sys.exit(cli.main(sys.argv[2:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(most), "run", strain, "--output", former],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert done.stderr == (
        f"wavefier: cannot write to {former}: File too large; choose another --output\n"
    )
    assert (done.returncode, done.stdout) == (cli.USAGE, "")
    assert contents(former) == before


@pytest.mark.slow
def test_the_summary_is_of_the_run_and_not_of_what_lies_about(strain, tmp_path, capsys):
    (tmp_path / "triggers").mkdir()
    (tmp_path / "triggers" / "README").write_text("mine")
    (tmp_path / "dead_letters").mkdir()
    (tmp_path / "dead_letters" / "other.jsonl").write_text("{")

    assert run(tmp_path, strain, "--rows", "1") == cli.DONE

    printed = capsys.readouterr()
    assert printed.err == ""
    assert "H1:GWOSC-4KHZ_STRAIN" in printed.out
    assert (tmp_path / "triggers" / "README").read_text() == "mine"


@pytest.mark.slow
def test_a_folder_whose_name_is_not_utf8_takes_results(strain, tmp_path):
    output = tmp_path / os.fsdecode(b"caf\xe9")
    script = "import sys; from beam_pipeline import cli; sys.exit(cli.main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", script, "run", strain, "--output", output],
        capture_output=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:backslashreplace"},
    )

    # A slow machine says meanwhile how far it is.
    said = [line for line in done.stderr.splitlines() if not line.endswith(b" s of strain")]
    assert (done.returncode, said) == (cli.DONE, [])
    assert len(writers.read_triggers(output)) > 0
    assert (output / "report" / "index.html").is_file()
