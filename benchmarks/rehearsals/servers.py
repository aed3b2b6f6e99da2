"""A broker and a highly available cluster of the rehearsal's own, and what is killed of them."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flink.broker import Broker
from flink.cluster import Cluster
from flink.processes import HOST
from flink.settings import BrokerSettings, ClusterSettings

TASKMANAGER, JOBMANAGER, BROKER = ("taskmanager", "jobmanager", "broker")
UPGRADE = "upgrade"
"""The job itself, which ends and begins anew without a checkpoint."""
KILLS = (TASKMANAGER, JOBMANAGER, BROKER, UPGRADE)
# Half the processor time of a start goes to compiling code.
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
START_S = 300.0
"""How long a server may take to start [s]."""


@dataclass(frozen=True)
class Servers:
    """Both, on free ports of this machine."""

    broker: Broker
    cluster: Cluster

    def job(self, name: str) -> dict[str, Any] | None:
        """Give what the cluster says of the newest job of a name; None if it says nothing."""
        found = (self.cluster.ask("/jobs/overview") or {}).get("jobs", [])
        own = sorted(
            (one for one in found if one["name"] == name), key=lambda one: one["start-time"]
        )
        return self.cluster.ask(f"/jobs/{own[-1]['jid']}") if own else None

    def runs(self, name: str) -> bool:
        """Tell whether every task of a job runs."""
        job = self.job(name)
        return bool(job and all(one["status"] == "RUNNING" for one in job["vertices"]))

    def checkpoint_bytes(self, name: str) -> int | None:
        """Give the size of a job's last checkpoint."""
        job = self.job(name)
        found = self.cluster.ask(f"/jobs/{job['jid']}/checkpoints") if job else None
        last = ((found or {}).get("latest") or {}).get("completed")
        return int(last["state_size"]) if last else None

    def kill(self, what: str, name: str) -> None:
        """Kill one of ``KILLS`` as a crash would: of the TaskManagers, the one that works."""
        if what == BROKER:
            self.broker.kill()
        else:
            self.cluster.kill(JOBMANAGER if what == JOBMANAGER else self._working(name))

    def replace(self, what: str) -> None:
        """Start again what was killed, as an orchestrator would."""
        if what == BROKER:
            self.broker.up()
        else:
            self.cluster.start(JOBMANAGER if what == JOBMANAGER else "tm")

    def _working(self, name: str) -> str:
        job = self.job(name)
        if job is None:
            raise RuntimeError(f"the cluster does not know {name}")
        vertex = self.cluster.ask(f"/jobs/{job['jid']}/vertices/{job['vertices'][0]['id']}")
        return str((vertex or {})["subtasks"][0]["taskmanager-id"])


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Run both while the block does; none of their processes and files is left."""
    kafka, controller, *flink = _free_ports(7)
    broker = Broker(
        BrokerSettings(folder / "broker", START_S, QUICK, port=kafka, controller_port=controller)
    )
    cluster = Cluster(
        ClusterSettings(
            folder / "cluster",
            START_S,
            QUICK,
            high_availability=True,
            port=flink[0],
            rpc_port=flink[1],
            job_port=flink[2],
            artifact_port=flink[3],
            zookeeper_port=flink[4],
        )
    )
    with ExitStack() as stack:
        stack.callback(broker.down)
        broker.up()
        stack.callback(cluster.down)
        cluster.up()
        yield Servers(broker, cluster)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]


def end_all(folder: Path, patience_s: float = 10.0) -> list[int]:
    """End every process that still writes into a folder, or names it; give which there were."""
    found = _processes_of(folder)
    for how in (signal.SIGTERM, signal.SIGKILL):
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, how)
        end = time.monotonic() + patience_s
        while _processes_of(folder) and time.monotonic() < end:
            time.sleep(0.1)
    return found


def _processes_of(folder: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            names = (process / "cmdline").read_bytes() + os.readlink(process / "fd" / "1").encode()
            if str(folder).encode() in names and int(process.name) != os.getpid():
                found.append(int(process.name))
    return found
