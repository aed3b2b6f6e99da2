"""A run's folder: one run at a time, and the former results or the new ones, whatever happens."""

import json
import os
import subprocess
import sys

import pytest

from beam_pipeline import cli
from tests.samples import TRIGGER, prepare
from transforms.files import OutputError
from transforms.sink import folder, staging, writers
from transforms.sink.folder import partition, resume
from transforms.sink.lock import LOCK, BusyError, locked
from transforms.sink.staging import opened, written

MADE = writers.Provenance(config="c0ffee", version="0.1.0")
ORIGIN = ("threshold: 5.5\n", "c0ffee", "0.1.0")
MORE = ("segments/H1-OLD_ANALYSED.txt", "triggers/H1/2001-01-01/H1-TRIGGERS-1-86400.parquet")


def results(run, text, more=()):
    """Write what a run leaves."""
    (run.staged / "segments").mkdir()
    for name in ("segments/segments.parquet", "snippets.h5", *more):
        path = run.staged / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    written(run.staged, ["segments/segments.parquet", "snippets.h5", *more])


def leave(output, text, more=()):
    with opened(str(output), *ORIGIN) as run:
        results(run, text, more)
        run.commit()


def contents(output):
    """Read all files, hidden ones too."""
    return {
        path.relative_to(output).as_posix(): path.read_bytes()
        for path in sorted(output.rglob("*"))
        if path.is_file()
    }


def test_results_take_their_place_at_the_end_and_former_ones_go(tmp_path):
    leave(tmp_path, "old", MORE)
    before = contents(tmp_path)

    with opened(str(tmp_path), *ORIGIN) as run:
        results(run, "new")
        now = {name: text for name, text in contents(tmp_path).items() if not name.startswith(".")}
        assert now == before
        run.commit()

    after = contents(tmp_path)
    assert sorted(after) == [
        "config.yaml", "events/schema.parquet", "segments/segments.parquet", "snippets.h5",
        "triggers/schema.parquet",
    ]  # fmt: skip
    assert after["snippets.h5"] == b"new"
    assert not (tmp_path / "triggers" / "H1").exists()


@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt, OSError])
def test_a_run_that_fails_leaves_the_former_results(tmp_path, fault):
    leave(tmp_path, "old", MORE)
    before = contents(tmp_path)

    with pytest.raises(fault), opened(str(tmp_path), *ORIGIN) as run:  # noqa: PT012
        results(run, "new")
        raise fault

    assert contents(tmp_path) == before


def test_a_run_that_fails_leaves_no_folder_where_none_was(tmp_path):
    output = tmp_path / "a" / "b"
    with pytest.raises(ZeroDivisionError), opened(str(output), *ORIGIN):
        raise ZeroDivisionError

    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_killed_is_cleaned_up_after(tmp_path):
    leave(tmp_path, "old")
    script = (
        "import os, signal, sys\n"
        "from transforms.sink.staging import opened\n"
        "with opened(sys.argv[1], '', 'c0ffee', '0.1.0') as run:\n"
        "    (run.staged / 'snippets.h5').write_text('new')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False, timeout=120)
    assert [path for path in tmp_path.iterdir() if path.name.startswith(staging.STAGED)]
    assert (tmp_path / "snippets.h5").read_text() == "old"

    leave(tmp_path, "newer")

    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert (tmp_path / "snippets.h5").read_text() == "newer"


@pytest.mark.parametrize("moved", range(5))
def test_a_run_that_was_killed_while_it_moved_is_taken_to_its_end(tmp_path, monkeypatch, moved):
    leave(tmp_path, "old", MORE)
    rename, count = os.replace, iter(range(100))

    def killed(source, target):
        moves = staging.STAGED in str(source) and staging.STAGED not in str(target)
        if moves and next(count) == moved:
            raise KeyboardInterrupt
        rename(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt), opened(str(tmp_path), *ORIGIN) as run:  # noqa: PT012
            results(run, "new", MORE[:1])
            run.commit()

    # At any moment what is there can be read, old or new.
    texts = [text for name, text in contents(tmp_path).items() if name in ("snippets.h5", *MORE)]
    assert set(texts) <= {b"old", b"new"}
    assert writers.read_provenance(tmp_path) == MADE

    with pytest.raises(ZeroDivisionError), opened(str(tmp_path), *ORIGIN):
        raise ZeroDivisionError

    after = contents(tmp_path)
    assert after["snippets.h5"] == after[MORE[0]] == b"new"
    assert MORE[1] not in after
    assert not [name for name in after if name.startswith(".")]


# -- one at a time


def test_a_second_run_is_refused_in_one_line_and_the_first_goes_on(tmp_path):
    with opened(str(tmp_path), *ORIGIN) as run:
        with (
            pytest.raises(OutputError, match=r"another run writes to it now; choose another"),
            opened(str(tmp_path), *ORIGIN),
        ):
            raise AssertionError
        results(run, "first")
        run.commit()

    assert (tmp_path / "snippets.h5").read_text() == "first"
    leave(tmp_path, "later")


def test_a_live_job_does_not_begin_where_a_run_is_under_way(tmp_path):
    with opened(str(tmp_path), *ORIGIN), pytest.raises(OutputError, match="another run writes"):
        resume(str(tmp_path), *ORIGIN)


def test_the_lock_of_another_process_counts_and_goes_with_it(tmp_path):
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from transforms.sink.lock import locked\n"
        "with locked(Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BusyError), locked(tmp_path):
            raise AssertionError
        other.kill()
    assert (tmp_path / LOCK).exists()

    with locked(tmp_path):
        pass

    assert not (tmp_path / LOCK).exists()


def test_those_who_share_a_lock_keep_it_from_others_until_the_last_has_ended(tmp_path):
    with locked(tmp_path, shared=True):
        with locked(tmp_path, shared=True):
            pass
        with pytest.raises(BusyError), locked(tmp_path):
            raise AssertionError


def test_the_second_command_at_once_ends_with_two(tmp_path, data, capsys):
    (file,) = data.glob("H-H1_LOSC*")
    with locked(tmp_path):
        assert cli.main(["run", str(file), "--output", str(tmp_path)]) == cli.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"wavefier: cannot write to {tmp_path}: another run writes to it now")


def test_another_live_job_does_not_go_on_in_the_folder_of_one(tmp_path):
    resume(str(tmp_path), *ORIGIN, job="wavefier")
    resume(str(tmp_path), *ORIGIN, job="wavefier")

    with pytest.raises(OutputError, match=r'of the live job "wavefier", not "other"; .*--group'):
        resume(str(tmp_path), *ORIGIN, job="other")

    assert folder.origin_of(tmp_path)["job"] == '"wavefier"'


def test_a_live_folder_of_an_older_version_is_gone_on_in(tmp_path):
    resume(str(tmp_path), *ORIGIN)

    resume(str(tmp_path), *ORIGIN, job='we "two"\n')

    assert json.loads(folder.origin_of(tmp_path)["job"]) == 'we "two"\n'
    with (
        pytest.raises(OutputError, match="a live job goes on in it"),
        opened(str(tmp_path), *ORIGIN),
    ):
        raise AssertionError


# -- what storage does


def test_what_was_not_all_written_is_not_moved(tmp_path):
    leave(tmp_path, "old")
    before = contents(tmp_path)

    with opened(str(tmp_path), *ORIGIN) as run:
        (run.staged / "snippets.h5").write_text("new")
        with pytest.raises(OutputError, match=r"No space left on device; choose another --output$"):
            run.commit(["No space left on device"])
        with pytest.raises(OutputError, match="every worker must see the folder under this path"):
            run.commit()

    assert contents(tmp_path) == before


def test_what_a_worker_wrote_where_nobody_sees_it_is_missed(tmp_path):
    with opened(str(tmp_path), *ORIGIN) as run:
        results(run, "new")
        (run.staged / "snippets.h5").unlink()
        with pytest.raises(OutputError, match=r"snippets\.h5 was written, and is gone"):
            run.commit()


def test_a_folder_that_vanishes_is_told_and_not_made_anew(tmp_path):
    output = tmp_path / "out"
    with opened(str(output), *ORIGIN) as run:
        os.rename(output, tmp_path / "elsewhere")
        with pytest.raises(FileNotFoundError):
            writers.write_triggers(run.staged, partition(TRIGGER), [TRIGGER], MADE)
        with pytest.raises(OutputError, match="the folder is gone"):
            run.commit()

    assert not output.exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("snippets.h5", r"snippets\.h5 in it is a folder"),
        ("triggers/schema.parquet", r"triggers/schema\.parquet in it is a folder"),
        ("report/index.html", r"report/index\.html in it is a folder"),
    ],
)
def test_a_folder_in_a_file_s_place_is_refused_before_the_work(tmp_path, name, said):
    (tmp_path / name).mkdir(parents=True)

    with pytest.raises(OutputError, match=said), opened(str(tmp_path), *ORIGIN):
        raise AssertionError


@pytest.mark.parametrize("name", ["triggers", "segments", "triggers/H1", "triggers/H1/2015-09-14"])
def test_a_file_in_a_folder_s_place_is_refused_before_the_work(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("mine")

    with (
        pytest.raises(OutputError, match=f"{name} in it is no folder"),
        opened(str(tmp_path), *ORIGIN),
    ):
        raise AssertionError


@pytest.mark.parametrize("name", ["triggers", "report", "triggers/H1", "snippets/L1/2015-09-14"])
def test_a_link_that_leads_out_of_the_folder_is_refused_before_the_work(tmp_path, name):
    outside, output = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    (output / name).parent.mkdir(parents=True)
    (output / name).symlink_to(outside)

    with pytest.raises(OutputError, match=f"{name} in it is a link"), opened(str(output), *ORIGIN):
        raise AssertionError
    with pytest.raises(OutputError, match=f"{name} in it is a link"):
        resume(str(output), *ORIGIN)


def test_a_link_that_is_laid_while_the_run_goes_on_leads_nothing_out(tmp_path):
    outside, output = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    with opened(str(output), *ORIGIN) as run:
        results(run, "new")
        (output / "segments").symlink_to(outside)
        with pytest.raises(OutputError, match="lies outside of it"):
            run.commit()

    assert list(outside.iterdir()) == []


def test_no_output_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(OutputError, match="--output is empty"), opened("", *ORIGIN):
        raise AssertionError

    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_too_long_is_told(tmp_path):
    with (
        pytest.raises(OutputError, match=r"File name too long; choose another --output$"),
        opened(str(tmp_path / ("x" * 300)), *ORIGIN),
    ):
        raise AssertionError


def test_an_output_that_is_not_utf8_is_used(tmp_path):
    output = tmp_path / os.fsdecode(b"caf\xe9")

    prepare(str(output), *ORIGIN)

    assert writers.read_triggers(output).num_rows == 0


@pytest.mark.parametrize(
    "note",
    [
        "{",
        "[]",
        '{"new": []}',
        '{"new": 5, "former": []}',
        '{"new": [], "former": ["../precious"]}',
        '{"new": [], "former": ["notes.txt"]}',
        '{"new": ["/etc/passwd"], "former": []}',
    ],
)
def test_a_note_of_moves_that_is_not_ours_moves_and_removes_nothing(tmp_path, note):
    output = tmp_path / "out"
    leave(output, "old")
    (tmp_path / "precious").write_text("kept")
    (output / "notes.txt").write_text("kept")
    left = output / f"{staging.STAGED}a"
    left.mkdir()
    (left / ".moves").write_text(note)
    before = contents(tmp_path)
    with (
        pytest.raises(OutputError, match=r"\.run-a in it is damaged"),
        opened(str(output), *ORIGIN),
    ):
        pass
    assert contents(tmp_path) == before


def test_what_only_looks_like_a_run_is_told(tmp_path):
    leave(tmp_path, "old")
    (tmp_path / f"{staging.STAGED}a").symlink_to(tmp_path.parent)
    with (
        pytest.raises(OutputError, match=r"\.run-a in it is no folder of a run"),
        opened(str(tmp_path), *ORIGIN),
    ):
        pass


@pytest.mark.parametrize(
    "row",
    [
        "5",
        "[1]",
        "null",
        '{"source": 1, "reason": "a", "checksum": ""}',
        '{"source": "a", "reason": "a", "checksum": "", "kind": []}',
        '{"source": "a"}',
    ],
)
def test_a_dead_letter_that_is_none_is_told(tmp_path, row):
    path = tmp_path / folder.DEAD_LETTERS
    path.parent.mkdir()
    path.write_text(f"{row}\n")
    with pytest.raises(OutputError, match="damaged, or not of this software"):
        writers.read_dead_letters(tmp_path)


def test_a_pipe_among_results_is_not_waited_for(tmp_path):
    path = tmp_path / folder.DEAD_LETTERS
    path.parent.mkdir()
    os.mkfifo(path)
    with pytest.raises(OutputError, match="it is no file"):
        writers.read_dead_letters(tmp_path)
