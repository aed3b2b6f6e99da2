"""The project's own commands, as their users call them: live, replay and run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flink.settings import ROOT

_PATIENCE_S = 240.0
"""How long a command may take to end after Ctrl-C [s]."""


class CommandFailed(RuntimeError):
    """What a command said as it failed."""


class Command:
    """One call of ``wavefier``."""

    def __init__(self, arguments: Sequence[str | Path], log: Path) -> None:
        """Start it; what it says goes to a file."""
        self._log = log
        self._name = f"wavefier {arguments[0]}"
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "beam_pipeline.cli", *map(str, arguments)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                # Ctrl-C is for the rehearsal, which then ends its commands in order.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def check(self) -> None:
        """Check that it runs, or has ended well.

        Raises:
            CommandFailed: It has failed.
        """
        if self._process.poll():
            raise CommandFailed(f"{self._name} ended with {self._process.returncode}:\n{self.said}")

    def wait(self, timeout_s: float) -> None:
        """Wait for it to end well.

        Raises:
            CommandFailed: It fails, or takes too long.
        """
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            message = f"{self._name} has not ended after {timeout_s:.0f} s:\n{self.said}"
            raise CommandFailed(message) from None
        self.check()

    @property
    def said(self) -> str:
        """The end of what it said."""
        return self._log.read_text(errors="replace")[-2000:]

    def interrupt(self) -> int:
        """End it as Ctrl-C does, and if need be by force; return its exit code."""
        for how in (signal.SIGINT, signal.SIGKILL):
            if self.runs:
                self._process.send_signal(how)
                end = time.monotonic() + _PATIENCE_S
                while self.runs and time.monotonic() < end:
                    time.sleep(0.1)
        return int(self._process.returncode)


@contextmanager
def running(arguments: Sequence[str | Path], log: Path) -> Iterator[Command]:
    """Run a command; it has ended when the block has."""
    command = Command(arguments, log)
    try:
        yield command
    finally:
        command.interrupt()
