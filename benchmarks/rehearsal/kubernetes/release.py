"""A release of the chart on the cluster: install, look at its job, at its pods and its triggers.

Runs in the cluster's network, where services have their names and Helm and kubectl their cluster.
"""

import json
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from beam_pipeline.flink.rest import FlinkCluster, every_task_runs
from flink.kubernetes_settings import NAMESPACE
from flink.processes import Problem, run
from flink.settings import ROOT

CHART = ROOT / "flink" / "helm" / "wavefier"
VALUES = (
    ROOT / "flink" / "helm" / "values" / "laptop.yaml",
    Path(__file__).with_name("trial.yaml"),
)
NAME = "wavefier"
FLINK = FlinkCluster(f"{NAME}-jobmanager:8081")
BROKER = f"{NAME}-kafka:9092"
PUBLISH = "wavefier"
JOB = "wavefier-live-wavefier"
POLL_S = 0.5
# Of its own accord a namespace holds these.
BUILT_IN = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
KINDS = (
    *("pod", "service", "deployment", "statefulset", "job", "configmap", "secret"),
    *("serviceaccount", "role", "rolebinding", "persistentvolumeclaim"),
    *("networkpolicy", "poddisruptionbudget", "lease"),
)


def kubectl(*command: str) -> str:
    """Run kubectl in the release's namespace.

    Raises:
        Problem: It fails.
    """
    line = ["kubectl", "--namespace", NAMESPACE, *command]
    return run(f"kubectl {command[0]}", line)


def helm(*command: str) -> str:
    """Run Helm in the release's namespace.

    Raises:
        Problem: It fails.
    """
    return run(f"helm {command[0]}", ["helm", "--namespace", NAMESPACE, *command])


def make_namespace() -> None:
    """Make the namespace, under the "restricted" pod security standard."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    subprocess.run(["kubectl", "create", "namespace", NAMESPACE], capture_output=True, check=False)
    run("a label", ["kubectl", "label", "--overwrite", "namespace", NAMESPACE, label])


def refusal() -> str:
    """Ask for a pod that promises nothing; return how the API server refuses it.

    Raises:
        Problem: It does not.
    """
    line = ["kubectl", "--namespace", NAMESPACE, "run", "plain", "--image=none"]
    line += ["--dry-run=server"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode == 0 or "violates PodSecurity" not in done.stderr:
        raise Problem(f"a pod that promises nothing was not refused: {done.stdout}{done.stderr}")
    return done.stderr.strip().split(": ")[2]


def install(*more: str, name: str = NAME) -> None:
    """Install the chart, or upgrade it.

    Args:
        more: Options of Helm.
        name: Of the release.

    Raises:
        Problem: The chart is refused.
    """
    values = [f"--values={path}" for path in VALUES]
    helm("upgrade", "--install", name, str(CHART), *values, *more)


def job() -> dict[str, Any] | None:
    """Ask for the newest job and its tasks; None without an answer or a job."""
    return FLINK.newest(JOB)


def runs() -> bool:
    """Return whether every task of the job runs."""
    return FLINK.runs(JOB)


def changed() -> int:
    """Return the time at which a task of the job, or the job itself, last changed state [Unix ms].

    Raises:
        Problem: Nobody knows the job.
    """
    known = job()
    if known is None:
        raise Problem("there is no job")
    return int(known["last-modification"])


def runs_since(before: int) -> bool:
    """Return whether every task runs of a job that has changed state after a time [Unix ms]."""
    known = job()
    return known is not None and int(known["last-modification"]) > before and every_task_runs(known)


def checkpoints() -> int:
    """Count the job's checkpoints that were completed since it began, or began again."""
    known = job()
    answer = FLINK.ask(f"/jobs/{known['jid']}/checkpoints") if known else None
    return int(answer["counts"]["completed"]) if answer else 0


def worker() -> str:
    """Name the pod of a TaskManager that runs a part of the job."""
    known = job()
    if known is None:
        raise Problem("there is no job")
    for vertex in (FLINK.ask(f"/jobs/{known['jid']}") or {})["vertices"]:
        where = FLINK.ask(f"/jobs/{known['jid']}/vertices/{vertex['id']}/taskmanagers") or {}
        for one in where.get("taskmanagers", []):
            if one["status"] == "RUNNING":
                return str(one["taskmanager-id"])
    raise Problem("no TaskManager runs a part of the job")


def leader() -> str:
    """Name the pod of the JobManager that leads."""
    maps = kubectl("get", "configmaps", "--output=jsonpath={.items[*].data}")
    found = re.search(r"http://([0-9.]+):8081", maps)
    if not found:
        raise Problem("no JobManager leads")
    address = f"--field-selector=status.podIP={found[1]}"
    return kubectl("get", "pods", address, "--output=name").strip().partition("/")[2]


def wait(what: str, condition: Callable[[], bool], seconds: float) -> None:
    """Wait for something.

    Raises:
        Problem: It did not happen; with what the pods are at.
    """
    if not until(condition, seconds):
        raise Problem(f"not after {seconds:g} s: {what}\n{kubectl('get', 'pods')}{events()}")


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for something; return whether it happened."""
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(POLL_S)
    return met


def events(most: int = 15) -> str:
    """Return the last events."""
    listed = kubectl("get", "events", "--sort-by=.lastTimestamp").splitlines()
    return "\n".join(listed[-most:])


def triggers() -> list[dict[str, Any]]:
    """Read all triggers' messages, in order."""
    from confluent_kafka import Consumer, TopicPartition

    client = Consumer({"bootstrap.servers": BROKER, "group.id": "trial", "log_level": 0})
    try:
        topic = TopicPartition(f"{PUBLISH}.triggers", 0, 0)
        _, end = client.get_watermark_offsets(topic, timeout=10)
        client.assign([topic])
        found: list[dict[str, Any]] = []
        while len(found) < end:
            message = client.poll(5)
            if message is None:
                break
            found.append(json.loads(message.value()))
        return found
    finally:
        client.close()


def folder(claim: str) -> Path:
    """Return the folder of this machine that a claim is bound to, once it is."""

    def field(kind: str, name: str, path: str) -> str:
        return kubectl("get", kind, name, f"--output=jsonpath={{{path}}}")

    wait(f"{claim} is bound", lambda: field("pvc", claim, ".status.phase") == "Bound", 60)
    volume = field("pvc", claim, ".spec.volumeName")
    return Path(field("pv", volume, ".spec.hostPath.path"))


def left() -> list[str]:
    """Name what the namespace holds that is not there of its own accord."""
    found = kubectl("get", ",".join(KINDS), "--output=name").split()
    plain = [
        f"{kind.partition('.')[0]}/{name}"
        for kind, _, name in (one.partition("/") for one in found)
    ]
    return sorted(set(plain) - BUILT_IN)


def replay(files: Sequence[Path]) -> "subprocess.Popen[bytes]":
    """Begin to play files at real time, as detectors send them."""
    from sys import executable

    line = [executable, "-m", "beam_pipeline.cli", "replay", *map(str, files), "--brokers", BROKER]
    return subprocess.Popen(line, cwd=ROOT)
