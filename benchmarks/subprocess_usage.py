"""What a command costs, as the operating system counts it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


class CommandError(RuntimeError):
    """A command that was measured failed; the message ends with what it said."""


_STARTER = """
import resource, subprocess, sys, time
begin = time.perf_counter()
code = subprocess.call(sys.argv[2:])
wall = time.perf_counter() - begin
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w") as told:
    told.write(f"{used.ru_utime + used.ru_stime} {wall} {used.ru_maxrss}")
sys.exit(code if code >= 0 else 128 - code)
"""
"""Starts the command: to a child, Linux counts the memory of whoever forked it, so a small
process has to. It counts the child and those of its children that it waited for."""


@dataclass(frozen=True)
class Usage:
    """What a command and its children took."""

    cpu: float
    """User and system time [s]."""
    wall: float
    """[s]."""
    peak: int
    """Largest resident memory of any one of its processes [bytes]."""


@dataclass(frozen=True, kw_only=True)
class Marginal:
    """The cost of more data, with the cost of starting taken away."""

    cpu_rate: float
    """Seconds of strain per CPU second."""
    wall_rate: float
    """Seconds of strain per second of time."""
    start_cpu: float
    """What a run of no length would cost [CPU s]."""
    peak: int
    """Of the longer run [bytes]."""


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Usage:
    """Run a command to its end and measure it.

    Raises:
        CommandError: It failed.
    """
    words = [str(part) for part in command]
    with tempfile.TemporaryFile() as said, tempfile.NamedTemporaryFile("r") as told:
        done = subprocess.run(
            [sys.executable, "-IS", "-c", _STARTER, told.name, *words],
            stdout=said,
            stderr=said,
            env={**os.environ, **(environment or {})},
            check=False,
        )
        if done.returncode:
            said.seek(0)
            text = said.read().decode(errors="replace")[-2000:]
            raise CommandError(f"{command[0]} ended with {done.returncode}:\n{text}")
        cpu, wall, peak = map(float, told.read().split())
    scale = 1 if sys.platform == "darwin" else 1024
    return Usage(cpu, wall, int(peak) * scale)


def marginal(short: Sequence[Usage], long: Sequence[Usage], seconds: tuple[int, int]) -> Marginal:
    """Compare runs of two lengths, each by the median of its repeats.

    Args:
        short: Runs on ``seconds[0]`` of strain.
        long: Runs on ``seconds[1]`` of strain.
        seconds: The two lengths.
    """
    more = seconds[1] - seconds[0]
    cpu = [median(usage.cpu for usage in runs) for runs in (short, long)]
    wall = [median(usage.wall for usage in runs) for runs in (short, long)]
    each = (cpu[1] - cpu[0]) / more
    return Marginal(
        cpu_rate=1 / each if each > 0 else float("nan"),
        wall_rate=more / (wall[1] - wall[0]) if wall[1] > wall[0] else float("nan"),
        start_cpu=cpu[0] - seconds[0] * each,
        peak=max(usage.peak for usage in long),
    )
