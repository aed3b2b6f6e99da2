"""A run's results beside the former ones: they take their place when the run has ended well.

A run writes into a hidden folder inside the output folder. Its last act is to list what it
wrote, to note that it moves, and to move each file by a rename. Who is stopped before that
note has changed nothing; who is stopped after it is taken to the end by the next run.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from transforms.files import OutputError, refusal, see_within, whole_file
from transforms.sink.folder import (
    CONFIG,
    clear,
    former_results,
    held,
    is_ours,
    made,
    origin_of,
    see_clear,
    write_origin,
)
from transforms.storage import storage

STAGED = ".run-"
"""What the hidden folder's name begins with."""
_WRITTEN, _MOVES = ".written", ".moves"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run into an output folder, which is held for it."""

    output: str
    """The folder as the user calls it."""
    folder: Path
    staged: Path
    """Where the run's files go until it has ended; the workers must see it too."""
    former: Sequence[str]
    """Names of what a former run left."""

    def commit(self, failures: Sequence[str] = ()) -> None:
        """Put the results into their place, and remove what a former run left.

        Args:
            failures: Why something could not be written, as far as that is known.

        Raises:
            OutputError: Not all was written, or it cannot be moved.
        """
        with storage(self.output):
            self._see_whole(failures)
            names = [path.relative_to(self.staged) for path in self.staged.rglob("*")]
            new = sorted(str(name) for name in names if is_ours(name))
            for name in new:
                target = self.folder / name
                see_within(target, self.folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                if target.is_dir():
                    raise OutputError(refusal(self.output, f"{name} in it is a folder"))
            moves = {"new": new, "former": sorted(set(self.former) - set(new))}
            with whole_file(self.staged / _MOVES, self.staged) as temporary:
                temporary.write_text(json.dumps(moves), encoding="utf-8")
            _move(self.folder, self.staged)

    def _see_whole(self, failures: Sequence[str]) -> None:
        if failures:
            raise OutputError(refusal(self.output, failures[0]))
        listed = self.staged / _WRITTEN
        if not self.folder.is_dir():
            raise OutputError(refusal(self.output, "the folder is gone"))
        if not listed.is_file():
            reason = "not all results came; every worker must see the folder under this path"
            raise OutputError(refusal(self.output, reason))
        for name in json.loads(listed.read_text(encoding="utf-8")):
            if not (self.staged / name).is_file():
                raise OutputError(refusal(self.output, f"{name} was written, and is gone"))


@contextmanager
def opened(output: str, config_text: str, config_id: str, version: str) -> Iterator[Run]:
    """Hold an output folder for a run; unless it commits, what is there stays as it was.

    Args:
        output: The folder; made if missing.
        config_text: The configuration, as YAML.
        config_id: Its hash.
        version: Version of the software.

    Yields:
        The run.

    Raises:
        OutputError: If the folder cannot be written, if another run writes to it, or if it holds
            files that no run of ours left, or a live job's results, which cannot be had again.
    """
    missing = _missing(Path(output).absolute())
    try:
        with ExitStack() as stack:
            with storage(output):
                folder = made(output)
                stack.enter_context(held(folder, output))
                run = _begun(folder, output)
                stack.enter_context(_tidied(run))
                write_origin(run.staged, config_text, config_id, version)
            yield run
    finally:
        for path in missing:
            with suppress(OSError):  # what holds something stays
                path.rmdir()


def written(staged: Path, names: Sequence[str]) -> Path:
    """Write a note that a run has written all its results, with their names.

    Returns:
        Path of the note.
    """
    path = staged / _WRITTEN
    with whole_file(path, staged) as temporary:
        temporary.write_text(json.dumps(sorted(names)), encoding="utf-8")
    return path


def _missing(folder: Path) -> list[Path]:
    """List the folders that are made for this one, the innermost first."""
    return [path for path in (folder, *folder.parents) if not os.path.lexists(path)]


def _begun(folder: Path, output: str) -> Run:
    see_clear(folder, output)
    for left in folder.glob(f"{STAGED}*"):
        if left.is_symlink() or not left.is_dir():
            raise OutputError(refusal(output, f"{left.name} in it is no folder of a run"))
        _settle(folder, left)
    former = [str(path.relative_to(folder)) for path in former_results(folder)]
    origin = origin_of(folder)
    if origin and origin["live"]:
        raise OutputError(refusal(output, "a live job goes on in it"))
    staged = folder / f"{STAGED}{uuid4().hex}"
    staged.mkdir()
    return Run(output=output, folder=folder, staged=staged, former=former)


@contextmanager
def _tidied(run: Run) -> Iterator[None]:
    try:
        yield
    finally:
        # What has begun to move is taken to its end by the next run.
        if not (run.staged / _MOVES).exists():
            shutil.rmtree(run.staged, ignore_errors=True)


def _settle(folder: Path, staged: Path) -> None:
    """Finish a run that was killed, or remove what it had begun."""
    if (staged / _MOVES).is_file():
        _move(folder, staged)
    else:
        shutil.rmtree(staged)


def _noted(folder: Path, staged: Path) -> dict[str, list[str]]:
    """Read the note of moves.

    Raises:
        OutputError: It is not ours: it might remove any file.
    """
    try:
        moves = json.loads((staged / _MOVES).read_text(encoding="utf-8"))
        noted = {key: list(moves[key]) for key in ("new", "former")}
        ours = all(is_ours(Path(name)) for names in noted.values() for name in names)
    except (ValueError, TypeError, KeyError):
        ours = False
    if not ours:
        reason = f"{staged.name} in it is damaged, or not of this software; move it away"
        raise OutputError(refusal(str(folder), reason))
    return noted


def _move(folder: Path, staged: Path) -> None:
    """Do what the note of moves says, as often as it takes."""
    moves = _noted(folder, staged)
    # The mark comes first: without it, no later run would take the rest for ours.
    for name in sorted(moves["new"], key=lambda name: (name != CONFIG, name)):
        target = folder / name
        see_within(target, folder)
        with suppress(FileNotFoundError):  # it was moved before
            os.replace(staged / name, target)
    clear(folder, [folder / name for name in moves["former"]])
    shutil.rmtree(staged)
