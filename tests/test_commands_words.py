"""Every word of a command line is used, or refused in one line with exit code 2."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from beam_pipeline import cli, standard_streams
from beam_pipeline.commands import failure, live_options
from beam_pipeline.exits import UserError
from beam_pipeline.flink import job_server
from beam_pipeline.options import OptionError, beam_options, checked, known_options, see_runner
from beam_pipeline.words import OneLineParser, divide, options_of

ROOT = Path(__file__).parents[1]
RUN = ["run", "a.h5", "--output", "out"]
LIVE = ["live", "--brokers", "nowhere", "--topic", "t"]
REPLAY = ["replay", "a.h5", "--brokers", "127.0.0.1:1"]


def refused(words, capsys):
    """Run a command that cannot be; give the line it ends with."""
    assert cli.main(words) == cli.USAGE
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("wavefier: ")
    return line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*RUN, "-channel", "H1:X"], "unknown option -channel"),
        ([*RUN, "-channel", "H1:X"], "did you mean --channel"),
        ([*RUN, "--chanel", "H1:X"], "did you mean --channel"),
        ([*RUN, "--chan", "H1:X"], "unknown option --chan"),
        ([*RUN, "--runer=FlinkRunner"], "did you mean --runner"),
        ([*RUN, "--runner"], "--runner needs a value"),
        ([*RUN, "--runner", "--streaming"], "--runner needs a value"),
        ([*RUN, "--streaming=true"], "--streaming takes no value"),
        ([*RUN, "--direct_num_workers=two"], "invalid int value: 'two'"),
        ([*RUN, "--direct_num_workers=1", "--direct_num_workers=2"], "is given twice"),
        ([*RUN, "--checkpointing_interval=1"], "is of Flink"),
        ([*RUN, "--runner=PortableRunner"], "needs --job_endpoint"),
        ([*RUN, "--output", "other"], "--output is given twice"),
        (["run", "a.h5", "--output", ""], "--output is empty"),
        (["run", "a.h5", "--output="], "--output is empty"),
        (["run", "a.h5"], "required: --output"),
        (["run", "--output", "out"], "required: FILE"),
        ([*RUN, ""], "an empty word is no file"),
        (["report", ""], "an empty word is no file or folder"),
        (["evaluate", "", "--output", "out"], "an empty word is no file or folder"),
        ([*RUN, "--rows", "-1"], "--rows -1: give 0 or more"),
        ([*RUN, "--rows", "ten"], "invalid int value: 'ten'"),
        ([*RUN, "--channel", "A", "--channel", "A"], "channels: A stands twice"),
        ([*RUN, "https://gwosc.org/x.hdf5"], "https:// is not read"),
        ([*RUN, "@nowhere.txt"], "@nowhere.txt: cannot be read"),
        ([*RUN, "a\0b"], "zero byte"),
        ([*RUN, "a\ud800b"], "no name can have"),
        ([*RUN, "--start", "inf"], "--start inf: neither"),
        ([*RUN, "--start", "1e400"], "--start 1e400: neither"),
        ([*RUN, "--start", "-5"], "--start -5: neither"),
        ([*RUN, "--end", "1126259462s"], "--end 1126259462s: neither"),
        ([*LIVE, "b"], "b: wavefier live has no place for this word"),
        (["live", "--topic", "a", "b", "--brokers", "x:1"], "b: wavefier live has no place"),
        (["live", "--topic", "t", "--topic", "t", "--brokers", "x:1"], "--topic t is given twice"),
        ([*LIVE, "--patience", "nan"], "--patience nan"),
        ([*LIVE, "--patience", "inf"], "--patience inf"),
        ([*LIVE, "--parallelism=x"], "invalid int value: 'x'"),
        ([*LIVE, "--parallel=2"], "did you mean --parallelism"),
        ([*LIVE, "--metrics", "host:٩٤"], "must be HOST:PORT"),
        ([*LIVE, "--metrics", "host:99999"], "must be HOST:PORT"),
        ([*LIVE, "--application", "x", "--logs", "y"], "leave out --logs"),
        (["live", "--brokers", "h:99999", "--topic", "t"], "is not HOST:PORT"),
        ([*REPLAY, "--speed", "nan"], "--speed nan"),
        ([*REPLAY, "--frame-seconds", "0"], "--frame-seconds"),
        ([*REPLAY, "--frame-seconds", "nan"], "--frame-seconds"),
        ([*REPLAY, "--loop", "-1"], "--loop"),
        ([*REPLAY, "--shift", "9" * 20], "--shift"),
        ([*REPLAY, "--delay", "1e300:1e300"], "--delay"),
        ([*REPLAY, "--runner=FlinkRunner"], "unknown option --runner"),
        (["report", "a", "b"], "b: wavefier report has no place"),
        (["report", "nowhere"], "no results in nowhere"),
        (["evaluate", "--processes", "0", "--output", "x"], "--processes must be at least 1"),
        (["evaluate", "--seed", "-1", "--output", "x"], "seed must be at least 0, not -1"),
        (["train", "--output", ""], "--output is empty"),
        (["train", "--output", "x", "--config", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["rnu"], "invalid choice: 'rnu'"),
        ([], "required: COMMAND"),
        (["--verbose", "run"], "--verbose"),
    ],
)
def test_a_word_that_cannot_be_used_is_one_line(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in refused(words, capsys)
    assert not list(tmp_path.iterdir())


NAMES = ["--output", "--channel", "--rows", "--start", "--config", "--runner", "--topic", "--help"]
NAMES += ["--brokers", "--patience", "--seed", "--speed", "--processes", "--loop", "--parallelism"]
WORDS = st.one_of(
    st.sampled_from([*NAMES, *(f"{name}={value}" for name in NAMES for value in ("", "1", "é"))]),
    st.sampled_from(["--", "-", "-h", "-x", "@", "@nowhere", "nan", "-1", "=", "--=", "---x"]),
    st.text(max_size=8),
)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@given(
    command=st.sampled_from(
        [["run"], ["live"], ["replay"], ["report"], ["evaluate"], ["train"], []]
    ),
    words=st.lists(WORDS, max_size=6),
)
@example(command=["run"], words=["--", "--output"])
@example(command=["train"], words=["--output=\udce9"])
def test_no_words_end_in_a_traceback(command, words):
    # The last word lets no command begin: it is of none of them.
    given_ = [*command, *words[: words.index("--") if "--" in words else None], "--no such option"]
    said = said_by(given_)
    if "--help" in words or "-h" in words:
        return
    assert len(said.splitlines()) == 1
    assert said.startswith("wavefier: ")


def said_by(words):
    """Run a command in this process; give its standard error."""
    said, told = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(told):
        try:
            code = cli.main(words)
        except SystemExit as stop:  # --help
            code = cli.USAGE if stop.code == 0 else stop.code
    assert code == cli.USAGE
    return said.getvalue()


OWN = OneLineParser("x", add_help=False, allow_abbrev=False)
OWN.add_argument("files", nargs="*")
OWN.add_argument("--one")
OWN.add_argument("--many", action="append", default=[])
OWN.add_argument("--flag", action="store_true")


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("file"), st.text(min_size=1).filter(lambda t: not t.startswith("-"))),
            st.tuples(st.sampled_from(["--many", "--many="]), st.text(min_size=1)),
            st.tuples(st.just("--flag"), st.just("")),
        )
    )
)
def test_files_may_stand_anywhere_and_no_word_is_lost(parts):
    words, files, many = [], [], []
    for kind, text in parts:
        if kind == "file":
            words.append(text)
            files.append(text)
        elif kind == "--many=" or text.startswith("-"):
            words.append(f"--many={text}")
            many.append(text)
        elif kind == "--many":
            words += ["--many", text]
            many.append(text)
        else:
            words.append(kind)
    read = OWN.parse_args(divide(words, options_of(OWN)).given())
    assert read.files == files
    assert read.many == many
    assert read.flag == ("--flag" in [kind for kind, _ in parts])


def test_what_follows_two_dashes_is_a_file_whatever_it_is_called():
    sorted_ = divide(["--one=1", "--", "--flag", "-x"], options_of(OWN))
    assert OWN.parse_args(sorted_.given()).files == ["--flag", "-x"]
    with pytest.raises(UserError, match="unknown option -x"):
        divide(["-x"], options_of(OWN))


def test_a_value_of_beams_may_be_a_word_of_its_own():
    sorted_ = divide(["--runner", "DirectRunner", "a.h5"], options_of(OWN), known_options)
    assert sorted_.beam == ["--runner=DirectRunner"]
    assert sorted_.rest == ["a.h5"]


@pytest.mark.parametrize(
    "words",
    [
        [
            "--runner=DirectRunner",
            "--direct_num_workers=2",
            "--direct_running_mode=multi_processing",
        ],
        ["--runner=FlinkRunner", "--flink_master=[local]", "--parallelism=3", "--object_reuse"],
        [
            f"--{name}={value}" if value else f"--{name}"
            for name, value in live_options.STREAM.items()
        ],
        ["--flink_version=1.19", "--flink_job_server_jar=x", "--job_server_jvm_properties=-Da=b"],
        ["--job_server_jvm_properties=-Da=b", "--job_server_jvm_properties=-Dc=d"],
        ["--environment_type=LOOPBACK", "--job_endpoint=h:1", "--state_backend=rocksdb"],
        ["--profile_cpu", "--profile_location=x", "--profile_sample_rate=0.5", "--experiments=a"],
    ],
)
def test_options_of_the_documents_are_known(words):
    assert checked(words) == words


@pytest.mark.parametrize("word", ["x", "-x", "--x", "--runne=DirectRunner", "--object_reuse=1"])
def test_what_is_no_option_of_beams_is_refused(word):
    with pytest.raises(OptionError) as told:
        beam_options([word])
    assert "\n" not in str(told.value)


def test_a_job_server_that_is_not_there_is_one_line_from_any_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert job_server.JOB_SERVER.is_relative_to(ROOT)
    monkeypatch.setenv(job_server.JAR_VARIABLE, str(tmp_path / "none.jar"))
    with pytest.raises(OptionError, match=r"no job server at .*none\.jar: build it"):
        see_runner(["--runner=FlinkRunner"])
    (tmp_path / "none.jar").touch()
    launcher = f"--job_server_java_launcher={tmp_path}/java"
    with pytest.raises(OptionError, match="install Java"):
        see_runner(["--runner=FlinkRunner", launcher])
    made = beam_options(["--runner=FlinkRunner"]).get_all_options()
    assert made["flink_job_server_jar"] == str(tmp_path / "none.jar")
    assert made["flink_master"] == "[local]"


@pytest.mark.parametrize(
    ("text", "kind", "ours"),
    [
        (
            "Traceback (most recent call last):\n  File x\nOSError: [Errno 28] No space left on"
            " device [while running 'Sink/Write']\n",
            "OSError",
            True,
        ),
        ("RuntimeError: Can't close file (errno = 28, 'No space left on device')", None, True),
        (
            "Traceback\nTypeError: Noise() missing\n\nDuring handling\nTypeError: x",
            "TypeError",
            False,
        ),
        (
            "Pipeline failed in state FAILED: java.lang.RuntimeException: Error received from SDK"
            " harness: Traceback\n  File y\ntransforms.files.OutputError: cannot write\n\n"
            "Caused by: java.lang.RuntimeException: closed",
            "OutputError",
            True,
        ),
        ("no error is named", "RuntimeError", False),
    ],
)
def test_the_root_of_a_failed_job_is_found_in_what_beam_says(text, kind, ours):
    found = failure.of(RuntimeError(text))
    assert kind in (None, found.kind)
    assert found.of_surroundings == ours
    assert "while running" not in str(found)
    assert "\n" not in str(found)


@given(st.text())
@example("a\nb\u2028c\x1b[2J\udce9\ud800")
def test_what_is_told_is_one_line_of_any_encoding(text):
    line = standard_streams.one_line(text)
    assert line.isprintable()
    assert len(line.splitlines()) <= 1
    assert len(standard_streams.one_line("x" * 10**5)) < 5000


def command(*words, **kwargs):
    return subprocess.run(
        [sys.executable, "-m", "beam_pipeline.cli", *words],
        cwd=ROOT,
        check=False,
        **{"capture_output": True, "timeout": 500, **kwargs},
    )


def test_a_job_server_that_does_not_start_is_one_line(tmp_path, data, java):
    (file,) = data.glob("H-H1_LOSC*")
    jar = tmp_path / "job-server.jar"
    jar.write_text("no jar")
    words = ["--runner=FlinkRunner", f"--flink_job_server_jar={jar}"]
    done = command("run", file, "--output", tmp_path / "out", *words)
    assert done.returncode == 1
    assert done.stderr.startswith(b"wavefier: the run has failed: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.slow
def test_words_that_are_not_text_are_told_on_any_terminal():
    done = command(b"report", b"caf\xe9\n\xc3\xbc", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 2
    assert done.stderr.startswith(b"wavefier: no results in caf\\xe9 \\xfc: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_has_gone_is_no_fault(stream):
    reader, writer = os.pipe()
    os.close(reader)
    words = ["doctor"] if stream == "stdout" else ["report", "nowhere"]
    other = {"stdout": "stderr", "stderr": "stdout"}[stream]
    done = command(*words, capture_output=False, **{stream: writer, other: subprocess.PIPE})
    os.close(writer)
    assert done.returncode == (0 if stream == "stdout" else 2)
    assert not getattr(done, other)


@pytest.mark.slow
def test_a_full_disk_behind_standard_output_is_one_line():
    with open("/dev/full", "w") as full:
        done = command("doctor", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == b"wavefier: standard output cannot be written (No space left on device)\n"


@pytest.mark.slow
def test_closed_streams_stay_closed_to_files(tmp_path):
    shell = f"{sys.executable} -m beam_pipeline.cli report nowhere >&- 2>&- <&-"
    done = subprocess.run(["sh", "-c", shell], cwd=ROOT, check=False, timeout=500)
    assert done.returncode == 2
