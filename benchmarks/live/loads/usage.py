"""What processes take, as Linux counts it in ``/proc``."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True)
class Taken:
    """What some processes have taken since they began."""

    cpu_s: float
    """User and system time [s]."""
    rss: int
    """Memory that is resident now [bytes]."""


def of(pids: Iterable[int]) -> Taken:
    """Look at processes; one that has ended counts nothing."""
    cpu, rss = 0.0, 0
    for pid in pids:
        with suppress(OSError):
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            cpu += (int(fields[11]) + int(fields[12])) / _TICKS
            rss += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return Taken(cpu, rss)


def children(pid: int) -> list[int]:
    """List the processes that a process has started and that run."""
    found = []
    for path in _PROC.glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(path.parent.name))
    return found


def busy_s() -> float:
    """Return the processor time that the whole machine has spent at work [s]."""
    fields = [int(word) for word in (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle, waiting = fields[3:5]
    return (sum(fields) - idle - waiting) / _TICKS


@dataclass
class Meter:
    """Cores and memory of parts of a system over a while."""

    parts: Mapping[str, tuple[int, ...]]
    """Process ids by part."""
    _before: dict[str, Taken] = field(init=False)

    def __post_init__(self) -> None:
        self._before, self._busy = self._look(), busy_s()

    def _look(self) -> dict[str, Taken]:
        return {name: of(pids) for name, pids in self.parts.items()}

    def read(self, seconds: float) -> dict[str, dict[str, float]]:
        """Return ``cores`` and ``rss`` [bytes] of each part.

        And the cores of the whole machine, and of those processes that are no part.

        Args:
            seconds: How long ago the meter was made [s].
        """
        now = self._look()
        found = {
            name: {"cores": (now[name].cpu_s - before.cpu_s) / seconds, "rss": float(now[name].rss)}
            for name, before in self._before.items()
        }
        busy = (busy_s() - self._busy) / seconds
        others = busy - sum(one["cores"] for one in found.values())
        return {**found, "machine": {"cores": busy}, "others": {"cores": others}}
