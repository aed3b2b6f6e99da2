"""Prometheus beside a rehearsal: what it has seen of the job, by the dashboard and the rules."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flink.dev.prometheus import (
    Prometheus,
    dashboard_queries,
    metrics_of,
    prometheus,
    rules,
)
from flink.processes import HOST, Problem

PYTHON, FLINK, SERVER = 9400, 9249, 9090
"""Ports, fixed: a monitored rehearsal has a network of its own, as Flink's can be reached from
every interface."""
ALONE = ("unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
"""Before a command: it gets a network namespace of its own, with loopback only."""
MANAGERS = 6
"""TaskManagers that there may be in turn, at most."""


@dataclass(frozen=True)
class Seen:
    """What Prometheus says at the end."""

    metrics: tuple[str, ...]
    unanswered: tuple[str, ...]
    """Queries of the dashboard that never had a result, and metrics of the rules never seen."""
    alerts: tuple[str, ...]
    """Those that were pending or fired at some time."""


def refuse_company() -> None:
    """Refuse a network that others are in.

    Raises:
        Problem: There is a way out of it.
    """
    routes = Path("/proc/self/net/route").read_text().splitlines()[1:]
    others = sorted({route.split()[0] for route in routes} - {"lo"})
    if others:
        line = f"{shlex.join(ALONE)} COMMAND"
        raise Problem(f"Flink's metrics would be open to {', '.join(others)}: run it as {line}")


@contextmanager
def monitor(folder: Path) -> Iterator[Prometheus]:
    """Run Prometheus while the block does."""
    ports = [PYTHON, *(FLINK + number for number in range(MANAGERS + 1))]
    with prometheus(folder, SERVER, [f"{HOST}:{port}" for port in ports]) as server:
        yield server


def look(server: Prometheus) -> Seen:
    """Ask for everything that the dashboard and the rules want to know."""
    names = tuple(server.names())
    unanswered: Sequence[str] = [query for query in dashboard_queries() if not server.has(query)]
    wanted = {name for rule in rules() for name in metrics_of(rule["expr"])}
    missing = sorted(wanted - set(names))
    return Seen(names, (*unanswered, *missing), tuple(server.fired()))
