"""A broker and a highly available cluster of the rehearsal's own, and what is killed of them."""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rehearsal import monitor
from flink.dev.broker import Broker
from flink.dev.cluster import Cluster
from flink.processes import HOST, free_ports
from flink.settings import QUICK, BrokerSettings, ClusterSettings

TASKMANAGER, JOBMANAGER, BROKER = ("taskmanager", "jobmanager", "broker")
UPGRADE = "upgrade"
"""The job itself, which ends and begins anew without a checkpoint."""
KILLS = (TASKMANAGER, JOBMANAGER, BROKER, UPGRADE)
START_S = 300.0
"""How long a server may take to start [s]."""


@dataclass(frozen=True)
class Servers:
    """Both, on free ports of this machine."""

    broker: Broker
    cluster: Cluster

    def live_options(self, topics: Iterable[str], folder: Path) -> list[str | Path]:
        """Return the options of a live job on both, whose ``science.yaml`` is in its folder."""
        settings = self.cluster.settings
        shown = ("--metrics", f"{HOST}:{monitor.PYTHON}") if settings.metrics_port else ()
        return [
            *shown,
            *("--brokers", self.broker.address),
            *(part for topic in topics for part in ("--topic", topic)),
            *("--start", "earliest", "--output", folder / "live", "--logs", folder / "workers"),
            *("--config", folder / "science.yaml"),
            *("--flink_master", f"localhost:{settings.port}"),
            f"--job_endpoint=localhost:{settings.job_port}",
        ]

    def checkpoint_bytes(self, name: str) -> int | None:
        """Return the size of a job's last checkpoint."""
        job = self.cluster.job(name)
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
        job = self.cluster.job(name)
        if job is None:
            raise RuntimeError(f"the cluster does not know {name}")
        vertex = self.cluster.ask(f"/jobs/{job['jid']}/vertices/{job['vertices'][0]['id']}")
        return str((vertex or {})["subtasks"][0]["taskmanager-id"])


@contextmanager
def servers(
    folder: Path,
    java: str = QUICK,
    taskmanager_mb: int = ClusterSettings.taskmanager_mb,
    monitored: bool = False,
) -> Iterator[Servers]:
    """Run both while the block does; none of their processes and files is left.

    Args:
        folder: Where their files are.
        java: Options of the Java machines; those of servers that live for minutes, unless
            said otherwise.
        taskmanager_mb: Memory of each TaskManager [MB].
        monitored: Whether both show metrics, at the ports of ``monitor``.
    """
    kafka, controller, *flink = free_ports(7)
    broker = Broker(
        BrokerSettings(folder / "broker", START_S, java, port=kafka, controller_port=controller)
    )
    cluster = Cluster(
        ClusterSettings(
            folder / "cluster",
            START_S,
            java,
            taskmanager_mb=taskmanager_mb,
            high_availability=True,
            metrics_port=monitor.FLINK if monitored else 0,
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


def end_all(folder: Path, patience_s: float = 10.0) -> list[int]:
    """End every process that still writes into a folder, or names it; return which there were."""
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
