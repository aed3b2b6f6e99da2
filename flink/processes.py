"""Processes: those that are waited for, and those that outlive the command that starts them."""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

HOST = "127.0.0.1"
STEP_S = 0.1
PATIENCE_S = 10.0
TAIL_LINES = 20


class Problem(Exception):
    """What is wrong and what to do: one line, and the end of a log where there is one."""


def reported(act: Callable[[], int]) -> int:
    """Return the exit code of a command; a `Problem` is 1, and told on standard error."""
    try:
        return act()
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1


def run(
    what: str,
    command: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    given: str | None = None,
) -> str:
    """Run a command to its end, and return what it prints.

    Args:
        what: The step, for people.
        command: The program and its arguments.
        environment: All of its variables; None: ours.
        given: Its standard input.

    Raises:
        Problem: There is no such program, or it fails; with the end of what it said.
    """
    try:
        done = subprocess.run(
            command, input=given, env=environment, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise Problem(f"{Path(command[0]).name}: {error.strerror}") from error
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()[-TAIL_LINES:]
        raise Problem("\n".join([f"{what} failed:", *lines]))
    return done.stdout


class Processes:
    """The processes of one folder, by name.

    Each has a record, `pids/NAME`: its process id and the clock tick at which it was born. A
    process id that was given to another process since is thus never taken for ours.
    """

    def __init__(self, folder: Path) -> None:
        self._records = folder / "pids"
        self._logs = folder / "log"

    def start(
        self, name: str, command: Sequence[str | Path], environment: Mapping[str, str]
    ) -> None:
        """Start a command in a session of its own; what it prints goes to `log/NAME.out`."""
        self._records.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        # The shell ends at once, so that nobody has to wait for the child.
        script = '"$@" >>"$0" 2>&1 & echo $!'
        shell = subprocess.run(
            ["sh", "-c", script, self._logs / f"{name}.out", *command],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            check=True,
        )
        pid = int(shell.stdout)
        (self._records / name).write_text(f"{pid} {_born(pid)}\n")

    def names(self) -> list[str]:
        """List all that were started, ended ones too."""
        return sorted(path.name for path in self._records.glob("*"))

    def alive(self) -> dict[str, int]:
        """Return the process ids of those that run, by name."""
        records = {name: self._record(name) for name in self.names()}
        return {name: pid for name, (pid, born) in records.items() if born and _born(pid) == born}

    def kill(self, name: str) -> None:
        """Kill one as `kill -9` does; its record stays."""
        running = self.alive()
        if name not in running:
            raise Problem(f"{name} does not run; what runs: {', '.join(running) or 'nothing'}")
        os.kill(running[name], signal.SIGKILL)
        self._wait_for_end([name], PATIENCE_S)

    def end(self, names: Iterable[str]) -> None:
        """End some: by SIGTERM, and what is still there after 10 s by SIGKILL."""
        names = list(names)
        for how in (signal.SIGTERM, signal.SIGKILL):
            for name, pid in self.alive().items():
                if name in names:
                    with contextlib.suppress(ProcessLookupError):
                        # The group holds what the process started, and nothing else.
                        os.killpg(os.getpgid(pid), how)
            if self._wait_for_end(names, PATIENCE_S):
                break
        for name in names:
            (self._records / name).unlink(missing_ok=True)

    def tail(self, name: str) -> str:
        """Return the last lines of a process, from the newest of its logs that says anything."""
        patterns = (f"{name}.out", f"flink-{name}-*")
        found = [path for pattern in patterns for path in self._logs.glob(pattern)]
        logs = [path for path in found if path.stat().st_size]
        if not logs:
            return f"{name} left no log"
        newest = max(logs, key=lambda path: path.stat().st_mtime_ns)
        lines = newest.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join([f"{newest}:", *lines])

    def _record(self, name: str) -> tuple[int, int]:
        """Read a record; (0, 0) if it was cut off while it was written."""
        words = (self._records / name).read_text().split()
        return (int(words[0]), int(words[1])) if len(words) == 2 else (0, 0)

    def _wait_for_end(self, names: list[str], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while any(name in names for name in self.alive()):
            if time.monotonic() > end:
                return False
            time.sleep(STEP_S)
        return True


def refuse_taken(ports: Mapping[str, int]) -> None:
    """Refuse to start if something listens already.

    Args:
        ports: The ports, by the name of the setting that changes each.

    Raises:
        Problem: One is taken.
    """
    for name, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                raise Problem(f"port {port} is taken: free it, or set {name} to another") from None


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]


def listens(port: int) -> bool:
    """Return whether something accepts connections."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one command at a time start and stop what lives in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _born(pid: int) -> int:
    """Return the clock tick of a process's birth; 0 if it does not run."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    # The name, in brackets, may hold anything.
    fields = text.rpartition(")")[2].split()
    return 0 if fields[0] in "ZX" else int(fields[19])
