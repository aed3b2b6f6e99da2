"""Messages that end the process which reads them: given up after three, and nobody else's loss."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from transforms.elements import DeadLetter
from transforms.ingest.kafka import crashes
from transforms.ingest.kafka.crashes import Marks
from transforms.ingest.kafka.guarded import Guarded
from transforms.kinds import LetterKind

READER = """
import os, sys, time
from pathlib import Path
from tests_decoder import Deadly
from transforms.ingest.kafka.crashes import Marks
from transforms.ingest.kafka.guarded import Guarded

marks = Marks("source", Path(sys.argv[1]), hung_s=2.0)
decoder, log = Guarded(Deadly(), marks), open(sys.argv[2], "a")
for offset in range(int(sys.argv[3]), 6):
    for item in decoder.feed(b"%d" % offset, f"t/0/{offset}", 0):
        print(offset, getattr(item, "kind", "frame"), file=log, flush=True)
    if sys.argv[4:] == [str(offset)]:
        print("between", flush=True)
        time.sleep(600)
"""
DECODER = """
import os, signal, time

class Deadly:
    pending = None

    def feed(self, payload, source, arrived_ns):
        if payload == b"3":
            {how}
        return ["what it holds"]
"""
ENDS = {
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "aborted": "os.abort()",
    "out of bounds": "import ctypes; ctypes.string_at(0)",
    "hung": "time.sleep(600)",
}


@pytest.fixture
def reader(tmp_path):
    """Run a reader from some offset on, in a process of its own."""
    started = []

    def run(how, begin, *stop):
        (tmp_path / "tests_decoder.py").write_text(DECODER.format(how=how))
        paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
        given = [str(tmp_path / "marks"), str(tmp_path / "log"), str(begin), *map(str, stop)]
        process = subprocess.Popen(
            [sys.executable, "-c", READER, *given],
            env={**os.environ, "PYTHONPATH": paths, "PYTHONFAULTHANDLER": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("how", ENDS)
def test_a_message_that_ends_its_reader_is_given_up_after_three(reader, tmp_path, how):
    ended = []
    for begin in (0, 3, 3, 3):  # from its checkpoint
        ended.append(reader(ENDS[how], begin).wait(120))
    assert [code != 0 for code in ended] == [True, True, True, False]
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines == ["0 frame", "1 frame", "2 frame", "3 crashed", "4 frame", "5 frame"]


def test_a_process_that_is_killed_between_messages_counts_against_nobody(reader, tmp_path):
    for _ in range(crashes.MOST_DEATHS + 1):
        process = reader("pass", 2, 3)
        assert process.stdout.readline() == "between\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
    marks = Marks("source", tmp_path / "marks")
    assert [marks.deaths(f"t/0/{offset}") for offset in range(6)] == [0] * 6
    marks.close()
    assert not list((tmp_path / "marks").rglob("*.mark"))


@pytest.fixture(autouse=True)
def closed(monkeypatch):
    """Close each mark at the end: what is left open would end this process in a minute."""
    made = []
    begin = Marks._begin

    def noted(self):
        made.append(self)
        begin(self)

    monkeypatch.setattr(Marks, "_begin", noted)
    yield
    for one in made:
        one.close()


def test_who_lives_is_not_counted_and_another_source_does_not_look(tmp_path):
    one, other = Marks("source", tmp_path), Marks("source", tmp_path)
    one.begin("t/0/1")
    other.begin("t/0/2")
    other.look()
    assert other.deaths("t/0/1") == 0
    assert Marks("another", tmp_path).deaths("t/0/1") == 0
    one.close()
    other.look()
    assert other.deaths("t/0/1") == 0


def died(folder, place):
    """Leave a mark as a process does that dies."""
    marks = Marks("source", folder)
    marks.begin(place)
    left = marks._path.with_suffix(".left")
    left.write_bytes(marks._path.read_bytes())
    marks.close()
    left.rename(left.with_suffix(".mark"))


def test_deaths_are_counted_once_forgotten_after_a_day_and_bounded(tmp_path, monkeypatch):
    for _ in range(2):
        died(tmp_path, "t/0/1")
    counts = [Marks("source", tmp_path).deaths("t/0/1") for _ in range(3)]
    assert counts == [2, 2, 2]
    now = time.time()
    monkeypatch.setattr(crashes.time, "time", lambda: now + 90_000)
    assert Marks("source", tmp_path).deaths("t/0/1") == 0
    for number in range(200):
        died(tmp_path, f"t/0/{number}")
    (listed,) = tmp_path.rglob("deaths.json")
    Marks("source", tmp_path)
    assert len(json.loads(listed.read_text())) == 64


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        '{"t/0/1": 3}',
        '{"t/0/1": ["x"]}',
        '{"t/0/1": [1e999, NaN, 9e99]}',
        "[" * 100_000,
        f'{{"t/0/1": [1{"0" * 400}]}}',
    ],
)
def test_a_list_of_deaths_that_cannot_be_read_is_begun_anew(tmp_path, text):
    marks = Marks("source", tmp_path)
    (marks._folder / "deaths.json").write_text(text)
    died(tmp_path, "t/0/1")
    marks.look()
    assert marks.deaths("t/0/1") == 1


@pytest.mark.parametrize("odd", ["folder", "pipe", "link", "list"])
def test_what_else_lies_in_the_folder_hides_no_death(tmp_path, odd):
    """A list that cannot be written is one that somebody else writes later."""
    marks = Marks("source", tmp_path)
    place = marks._folder / ("deaths.json" if odd == "list" else "1-0.mark")
    if odd == "pipe":
        os.mkfifo(place)
    elif odd == "link":
        place.symlink_to(tmp_path / "nowhere")
    else:
        place.mkdir()
    died(tmp_path, "t/0/1")
    marks.look()
    if odd == "list":
        assert marks.deaths("t/0/1") == 0
        place.rmdir()
        marks.look()
    assert marks.deaths("t/0/1") == 1
    assert Marks("source", tmp_path).deaths("t/0/1") == 1


@pytest.mark.parametrize("wrong", ["file", "open to all", "a link"])
def test_a_folder_that_is_not_ours_alone_is_not_used_and_reading_goes_on(tmp_path, wrong, caplog):
    folder = tmp_path / "marks"
    if wrong == "file":
        folder.write_text("")
    elif wrong == "a link":
        (tmp_path / "other").mkdir()
        folder.symlink_to(tmp_path / "other")
    else:
        folder.mkdir()
        folder.chmod(0o777)
    marks = Marks("source", folder)
    assert "crashes are not counted" in caplog.text
    marks.begin("t/0/1")
    marks.end()
    assert marks.deaths("t/0/1") == 0
    marks.close()
    assert not list((tmp_path / "other").glob("*")) if wrong == "a link" else True


def test_the_folder_is_the_users_own_or_the_one_that_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv(crashes.FOLDER, raising=False)
    monkeypatch.setattr(crashes.tempfile, "gettempdir", lambda: str(tmp_path))
    Marks("source").close()
    made = tmp_path / f"wavefier-crashes-{os.getuid()}"
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    monkeypatch.setenv(crashes.FOLDER, str(tmp_path / "named"))
    Marks("source").close()
    assert (tmp_path / "named").is_dir()


class Raises:
    pending = "t/0/0"

    def __init__(self, error):
        self.error = error

    def feed(self, payload, source, arrived_ns):
        raise self.error


@pytest.mark.parametrize(
    "error",
    [KeyError("x"), MemoryError(), RecursionError("deep\nline"), AssertionError(), Exception(7)],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_decoder_raises_is_a_dead_letter(tmp_path, error):
    marks = Marks("source", tmp_path)
    decoder = Guarded(Raises(error), marks)
    (letter,) = decoder.feed(b"x", "t/0/1", 0)
    assert isinstance(letter, DeadLetter)
    assert letter.reason.startswith("t/0/1: cannot be read: ")
    assert "\n" not in letter.reason
    assert letter.kind is LetterKind.DAMAGED
    assert decoder.pending == "t/0/0"
    marks.close()
    assert Marks("source", tmp_path).deaths("t/0/1") == 0
