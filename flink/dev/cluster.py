"""A Flink cluster on this machine, with Beam's job server: `python -m flink.dev.cluster up`."""

import argparse
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from beam_pipeline.flink.rest import FlinkCluster
from flink import parts
from flink.dev import configuration, launch
from flink.dev.actions import act, add_actions, settings_for, status
from flink.dev.launch import JOB_SERVER, JOBMANAGER, KINDS, TASKMANAGER, ZOOKEEPER
from flink.processes import HOST, Problem, Processes, alone, listens, refuse_taken, reported
from flink.settings import ClusterSettings

POLL_S = 0.25


class Cluster:
    """A JobManager, TaskManagers `tm-1`, `tm-2` and so on, a job server and, on demand, ZooKeeper.

    A TaskManager's name is its id in Flink too; a name is never used twice.
    """

    def __init__(self, settings: ClusterSettings) -> None:
        self.settings = settings
        self.processes = Processes(settings.folder)
        self._flink = FlinkCluster(f"{HOST}:{settings.port}")

    def up(self) -> str:
        """Start what does not run, wait until all of it is healthy, and say what came of it.

        Raises:
            Problem: Something is missing or taken, or a process does not come up.
        """
        with alone(self.settings.folder.parent):
            self._refuse_others()
            missing = self._missing()
            if not missing:
                self.wait()
                return f"the cluster is up already: {self.describe()}"
            self._prepare(missing)
            try:
                for name in missing:
                    self._start(name)
                self.wait(missing)
            except BaseException:
                self._end(missing)
                raise
            return f"the cluster is up: {self.describe()}"

    def down(self) -> str:
        """End every process, remove every file, and say so; after a crash too."""
        folder = self.settings.folder
        with alone(folder.parent):
            if not self.settings.marks(folder):
                return "the cluster is down already"
            self._end(self.processes.names())
            shutil.rmtree(folder)
        return "the cluster is down"

    def kill(self, name: str) -> None:
        """Kill a process as a crash would, and leave it at that."""
        self.processes.kill(name)

    def start(self, kind: str) -> str:
        """Start one process more, of one of `launch.KINDS`, wait for it, and return its name."""
        with alone(self.settings.folder.parent):
            name = self._new_taskmanagers(1)[0] if kind == TASKMANAGER else kind
            if name in self.processes.alive():
                raise Problem(f"{name} runs already")
            self._start(name)
            self.wait([name])
        return name

    def wait(self, started: Iterable[str] = ()) -> None:
        """Wait until all is well with what runs and what was just started.

        Raises:
            Problem: A process has ended, or time is up; with the end of a log.
        """
        end = time.monotonic() + self.settings.timeout_s
        begun = {*self.processes.alive(), *started}
        while (lack := self.lack()) is not None:
            for name in sorted(begun - set(self.processes.alive())):
                raise Problem(f"{name} has ended; {self.processes.tail(name)}")
            if time.monotonic() > end:
                log = self.processes.tail(lack.partition(" ")[0])
                raise Problem(f"{lack} after {self.settings.timeout_s:g} s; {log}")
            time.sleep(POLL_S)

    def lack(self) -> str | None:
        """Return what is not well, the process's name first; None if all is."""
        running = self.processes.alive()
        for name in self._fixed():
            if name not in running:
                return f"{name} does not run"
        known = self.taskmanagers()
        if known is None:
            return f"{JOBMANAGER} does not answer on port {self.settings.port}"
        if not listens(self.settings.job_port):
            return f"{JOB_SERVER} does not listen on port {self.settings.job_port}"
        return self._workers_lack(known)

    def taskmanagers(self) -> dict[str, int] | None:
        """Ask for the TaskManagers and how many slots each has; None without an answer."""
        answer = self.ask("/taskmanagers")
        if answer is None or "taskmanagers" not in answer:
            return None
        return {one["id"]: one["slotsNumber"] for one in answer["taskmanagers"]}

    def ask(self, path: str, method: str = "GET") -> dict[str, Any] | None:
        """Ask the JobManager's REST interface; None if it does not answer (yet)."""
        return self._flink.ask(path, method)

    def job(self, name: str) -> dict[str, Any] | None:
        """Ask for the newest job of a name; None if there is none, or no answer."""
        newest = self._flink.newest(name)
        return self.ask(f"/jobs/{newest['jid']}") if newest else None

    def runs(self, name: str) -> bool:
        """Return whether every task of a job runs."""
        return self._flink.runs(name)

    def describe(self) -> str:
        """Return in one line what there is."""
        known = self.taskmanagers() or {}
        return (
            f"http://localhost:{self.settings.port}, {', '.join(sorted(known))}, "
            f"{sum(known.values())} slots; jobs to localhost:{self.settings.job_port}"
        )

    def _fixed(self) -> list[str]:
        first = [ZOOKEEPER] if self.settings.high_availability else []
        return [*first, JOBMANAGER, JOB_SERVER]

    def _taskmanagers_running(self) -> set[str]:
        return {name for name in self.processes.alive() if name.startswith(f"{TASKMANAGER}-")}

    def _workers_lack(self, known: Mapping[str, int]) -> str | None:
        """Compare those that the JobManager knows, and their slots, with those that run."""
        running, slots = self._taskmanagers_running(), self.settings.slots
        for name in sorted(set(known) ^ running):
            return f"{name} has not registered" if name in running else f"{name} has ended"
        for name in sorted(name for name in known if known[name] < slots):
            return f"{name} has {known[name]} slots, not {slots}"
        if len(running) < self.settings.taskmanagers:
            return f"{TASKMANAGER} runs {len(running)} times, not {self.settings.taskmanagers}"
        return None

    def _missing(self) -> list[str]:
        """List what to start, with new names for TaskManagers."""
        running = self.processes.alive()
        lost = self.settings.taskmanagers - len(self._taskmanagers_running())
        fixed = [name for name in self._fixed() if name not in running]
        return [*fixed, *self._new_taskmanagers(lost)]

    def _new_taskmanagers(self, count: int) -> list[str]:
        names = [name.partition("-") for name in self.processes.names()]
        last = max((int(number) for kind, _, number in names if kind == TASKMANAGER), default=0)
        return [f"{TASKMANAGER}-{last + 1 + i}" for i in range(count)]

    def _refuse_others(self) -> None:
        """Refuse a folder that holds something else, or a cluster with other settings."""
        folder = self.settings.folder
        self.settings.refuse_others()
        found = ClusterSettings.load(folder)
        if found not in (None, self.settings):
            raise Problem(f"{folder} is of a cluster with other settings: make flink-down first")

    def _prepare(self, missing: Sequence[str]) -> None:
        """Refuse what cannot work, then write the configuration."""
        parts.java()
        parts.job_server()
        distribution = parts.distribution()
        refuse_taken(self._ports(missing))
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        self.settings.save()
        configuration.write_cluster(self.settings, distribution)

    def _ports(self, missing: Sequence[str]) -> dict[str, int]:
        """Return the ports that the processes to be started will listen on."""
        of = {
            JOBMANAGER: ("port",) if self.settings.high_availability else ("port", "rpc_port"),
            JOB_SERVER: ("job_port", "artifact_port"),
            ZOOKEEPER: ("zookeeper_port",),
        }
        fields = [field for name in missing for field in of.get(name, ())]
        return {self.settings.variable(field): getattr(self.settings, field) for field in fields}

    def _start(self, name: str) -> None:
        environment = launch.environment(self.settings, name)
        self.processes.start(name, launch.command(self.settings, name), environment)

    def _end(self, names: Sequence[str]) -> None:
        """End workers before those whom they ask, so that none waits for an answer."""
        leading = [JOBMANAGER, ZOOKEEPER]
        self.processes.end([name for name in names if name not in leading])
        for name in leading:
            self.processes.end([name] if name in names else [])


def main(arguments: Sequence[str] | None = None) -> int:
    """Start, look at and stop a Flink cluster. Environment variables set it: docs/flink.md."""
    parser = argparse.ArgumentParser(prog="python -m flink.dev.cluster", description=main.__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("up", help="start what does not run, wait until it is healthy")
    actions.add_parser("down", help="end every process, remove every file")
    actions.add_parser("status", help="say what runs; 1 if something does not")
    actions.add_parser("options", help="print the options of a Beam pipeline")
    actions.add_parser("start", help="start a process").add_argument("kind", choices=KINDS)
    add_actions(actions)
    given = parser.parse_args(arguments)
    return reported(lambda: _act(given))


def _act(given: argparse.Namespace) -> int:
    settings = settings_for(given.action, ClusterSettings)
    cluster = Cluster(settings)
    if given.action == "status":
        return status(cluster)
    if given.action == "options":
        print(" ".join(configuration.pipeline_options(settings)))
    elif given.action == "start":
        print(f"{cluster.start(given.kind)} has started")
    else:
        act(cluster, given.action, getattr(given, "name", ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
