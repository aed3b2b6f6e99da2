"""Which message a process was reading when it died, so that nobody reads it for ever.

A decoder written in C++ may end its process, and whoever starts the process again gives it the
same message. So the place of a message (topic, partition and offset) stands in a file while it
is decoded. The file is mapped into memory: to write it costs no call of the system, and it
outlives the process. A process locks its file for as long as it lives. A file that nobody locks
is that of a dead process, and what stands in it is counted against the message. A process that
decodes one message without end ends itself, so that this counts too.
"""

import fcntl
import hashlib
import json
import logging
import mmap
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

_LOG = logging.getLogger(__name__)
FOLDER = "WAVEFIER_CRASH_FOLDER"
"""Environment variable: where the marks of a machine's or pod's processes stand."""
MOST_DEATHS = 3
"""A message is given up when so many processes have died of it."""
_REMEMBERED_S = 86_400
"""Deaths are forgotten after a day [s]: a topic that is made anew has the same offsets."""
_MOST_PLACES = 64
"""Messages of which deaths are remembered."""
_HUNG_S = 60.0
"""Nothing takes so long to decode [s]: it takes milliseconds."""
_LOOKS = 12
"""How often that is looked at meanwhile: a machine that stood still is no hung process."""
_SIZE = 512
"""Of a mark [bytes]: a topic's name has at most 249."""


def default_folder() -> Path:
    """Return the folder of marks, as the environment says or among the temporary files."""
    named = os.environ.get(FOLDER)
    return Path(named) if named else Path(tempfile.gettempdir(), f"wavefier-crashes-{os.getuid()}")


class Marks:
    """This process's mark, and the deaths of others; without a folder, it marks nothing."""

    def __init__(self, key: str, folder: Path | None = None, hung_s: float = _HUNG_S) -> None:
        """Begin to mark.

        Args:
            key: What is read: only processes with the same one look at each other's marks.
            folder: Where marks stand; None: as the environment says.
            hung_s: A message that takes longer is decoded without end [s].
        """
        self._number, self._place, self._closed = 0, "", Event()
        self._map: mmap.mmap | None = None
        self._file: int | None = None
        self._deaths: Mapping[str, int] = {}
        above = folder or default_folder()
        self._folder = above / hashlib.sha256(key.encode()).hexdigest()[:32]
        try:
            _own_folder(above)
            _own_folder(self._folder)
            with self._alone():
                self._begin()
        except OSError as error:
            # Whoever cannot count crashes reads all the same.
            _LOG.warning("crashes are not counted: %s; set %s to a folder", error, FOLDER)
        self.look()
        # Without marks too: a reader that hangs holds everybody up, one that ends begins again.
        Thread(target=self._watch, args=(hung_s / _LOOKS,), daemon=True).start()

    def look(self) -> None:
        """Read anew how many processes have died of which message."""
        if self._map is None:
            return
        try:
            with self._alone():
                self._deaths = self._counted()
        except (OSError, ValueError) as error:
            _LOG.warning("crashes are not counted: %s", error)

    def deaths(self, place: str) -> int:
        """Return how many processes have died of a message."""
        return self._deaths.get(place, 0)

    def begin(self, place: str) -> None:
        """Mark a message that is decoded now."""
        self._number, self._place = self._number + 1, place
        if self._map is not None:
            text = place.encode()[: _SIZE - 2]
            self._map[: len(text) + 1] = text + b"\0"

    def end(self) -> None:
        """Note that no message is decoded."""
        self._place = ""
        if self._map is not None:
            self._map[0] = 0

    def close(self) -> None:
        """Leave no mark."""
        self._closed.set()
        if self._map is None or self._file is None:
            return
        made, file, self._map, self._file = self._map, self._file, None, None
        made.close()
        self._path.unlink(missing_ok=True)
        os.close(file)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one process at a time make, count and remove marks."""
        file = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)

    def _watch(self, seconds: float) -> None:
        """End the process when it decodes one message without end."""
        before, looks = 0, 0
        while not self._closed.wait(seconds):
            place, number = self._place, self._number
            looks = looks + 1 if place and number == before else 0
            before = number
            if looks >= _LOOKS:
                _LOG.critical("%s is decoded without end: this process ends", place)
                os._exit(1)

    def _begin(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        # A number beside that of the process: two readers of one process do not meet.
        self._path = self._folder / f"{os.getpid()}-{time.monotonic_ns()}.mark"
        self._file = os.open(self._path, flags, 0o600)
        # With its blocks: to write to a map of a full disk would end the process.
        os.posix_fallocate(self._file, 0, _SIZE)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._map = mmap.mmap(self._file, _SIZE)

    def _counted(self) -> Mapping[str, int]:
        """Move the marks of the dead into the list of deaths, and return it."""
        now, path = time.time(), self._folder / "deaths.json"
        known = _listed(path)
        left = {mark: _left(mark) for mark in sorted(self._folder.glob("*.mark"))}
        dead = [place for place in left.values() if place]
        for place in dead:
            known[place] = [*known.get(place, []), now]
        recent = {
            place: times
            for place, all_times in known.items()
            if (times := [at for at in all_times if abs(now - at) < _REMEMBERED_S])
        }
        last = sorted(recent, key=lambda place: recent[place][-1])[-_MOST_PLACES:]
        kept = {place: recent[place][-MOST_DEATHS:] for place in last}
        if dead:
            # Made beside and renamed: a process that dies here leaves the old list.
            beside = path.with_suffix(".new")
            beside.write_text(json.dumps(kept))
            beside.replace(path)
        # Only now: where the list cannot be written, whoever comes next counts them.
        for mark, at in left.items():
            if at is not None:
                mark.unlink(missing_ok=True)
        return {place: len(times) for place, times in kept.items()}


def _listed(path: Path) -> dict[str, list[float]]:
    """Read the list of deaths: Unix times [s] of each message; empty where it cannot be read."""
    try:
        found = json.loads(path.read_bytes())
        return {str(place): [float(at) for at in times] for place, times in found.items()}
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return {}


def _left(mark: Path) -> str | None:
    """Return the message that a dead process was at, empty if none; None of one that lives."""
    try:
        # What is no file waits for nobody.
        file = os.open(mark, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.read(file, _SIZE).partition(b"\0")[0].decode(errors="replace")
    except OSError:
        return None
    finally:
        os.close(file)


def _own_folder(path: Path) -> None:
    """Make a folder that nobody else may write to.

    Raises:
        OSError: It cannot be made, or somebody else may write to it.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = path.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or state.st_mode & 0o022:
        raise PermissionError(f"{path} is not a folder that is ours alone")
