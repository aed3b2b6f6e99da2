"""What one can ask of each server of this machine, on the command line."""

import argparse
from typing import Protocol, TypeVar

from flink.processes import Processes
from flink.settings import Settings

S = TypeVar("S", bound=Settings)
_ANEW = ("up", "down")
"""These follow the environment; all others ask what was started before."""


class Server(Protocol):
    """A server, and its processes."""

    @property
    def processes(self) -> Processes:
        """Return its processes."""

    def up(self) -> str:
        """Start it, and say what came of it."""

    def down(self) -> str:
        """End it, remove its files, and say so."""


class Cluster(Server, Protocol):
    """A server that looks at itself."""

    def lack(self) -> str | None:
        """Return what is not well; None if all is."""

    def describe(self) -> str:
        """Return in one line what there is."""


def settings_for(action: str, kind: type[S]) -> S:
    """Return the settings with which an action works.

    Raises:
        Problem: A value cannot be.
    """
    return kind.from_environment() if action in _ANEW else kind.of_running()


def act(server: Server, action: str, name: str) -> None:
    """Do what all servers can: ``up``, ``down``, ``kill`` or ``logs``, the last two of a process.

    Raises:
        Problem: It fails.
    """
    match action:
        case "up":
            print(server.up())
        case "down":
            print(server.down())
        case "kill":
            server.processes.kill(name)
        case "logs":
            print(server.processes.tail(name))
        case _:
            raise ValueError(action)


def status(cluster: Cluster) -> int:
    """Print how a cluster is; return 1 if it is not well."""
    lack = cluster.lack()
    print(lack or cluster.describe())
    return 1 if lack else 0


def add_actions(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the actions of a cluster that ask for the name of a process."""
    actions.add_parser("kill", help="kill a process").add_argument("name")
    actions.add_parser("logs", help="print the end of a log").add_argument("name")
