"""The chart on this machine's cluster, from install to uninstall: `make k8s-test`.

Installs it under the "restricted" pod security standard with a broker inside, plays GW150914 in
two detectors, kills the TaskManager that works and then the JobManager, compares what comes out
with the archive's job on the same files, changes the science, and uninstalls.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

from benchmarks.rehearsals.compare import compare, last_messages, shown
from flink.images import NAMES, ImageSettings
from flink.kubernetes import release
from flink.kubernetes.cluster import Kubernetes
from flink.kubernetes.settings import CGROUP, CGROUPS, KubernetesSettings
from flink.processes import Problem
from flink.settings import ROOT

STRAIN = sorted((ROOT / "tests" / "data").glob("*_LOSC_4_V2-1126259446-32.hdf5"))
EVENT_S = 1126259462.4
"""GPS time of GW150914."""
START_S = 420.0
"""How long an installed release may take to run [s], on a busy machine."""
RECOVERY_S = 60.0
REST_S = 120.0
"""How long triggers may take to become final after the strain has ended [s]."""
LATER_THRESHOLD = 6.0
"""Of `helm upgrade`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring up the cluster unless it is, and try the chart on it."""
    inside = (sys.argv[1:] if arguments is None else list(arguments)) == ["--inside"]
    try:
        if inside:
            return _try()
        cluster, images = Kubernetes(KubernetesSettings.from_environment()), ImageSettings()
        said = cluster.up()
        print(said)
        try:
            with _told("images are imported"):
                cluster.load([images.archive(name) for name in NAMES])
            return cluster.enter([sys.executable, "-m", "flink.kubernetes.trial", "--inside"])
        finally:
            if "already" not in said:
                print(cluster.down())
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1


def _try() -> int:
    science = _science()
    release.make_namespace()
    try:
        with _told("the chart is installed"):
            release.install()
        with _told("the job runs"):
            release.wait("the job runs", release.runs, START_S)
        _play(science)
        _change(science)
        print(release.helm("test", release.NAME, "--timeout=300s").strip().splitlines()[-1])
    except BaseException:
        with suppress(Problem):
            print(release.kubectl("get", "pods"), release.events())
            release.helm("uninstall", release.NAME)
        raise
    with _told("everything of the release is gone"):
        release.helm("uninstall", release.NAME, "--wait", "--timeout=180s")
        release.wait("nothing is left", lambda: not release.left(), 60)
    return 0


def _play(science: dict[str, object]) -> None:
    """Play, kill, and compare."""
    expected = _archive(science)
    player = release.replay(STRAIN)
    try:
        time.sleep(8)
        _kill(release.worker(), "a TaskManager's pod")
        _kill(release.leader(), "the JobManager's pod")
        with _told("the replay has ended"):
            player.wait()
    finally:
        player.terminate()
        player.wait()
    wanted = {row["id"] for row in expected}

    def final() -> set[str]:
        return {str(row["id"]) for row in last_messages(release.triggers())[0]}

    with _told("all triggers are final"):
        release.wait("all triggers are final", lambda: wanted <= final(), REST_S)
    received = last_messages(release.triggers())[0]
    found = compare(expected, received)
    print(f"{found.received} triggers, {len(found.missing)} lost, {len(found.extra)} too many")
    if not found.good:
        raise Problem("\n".join(shown(found, "triggers")))
    for row in received:
        if abs(row["time"] - EVENT_S) < 0.1:
            print(f"GW150914 in {row['ifo']}: SNR {row['snr']:.1f}, {row['label']}")
    print(f"memory: {_memory() / 1e6:.0f} MB in pods")


def _kill(pod: str, what: str) -> None:
    """Delete a pod at once; wait until the job has stopped, and runs with a new checkpoint."""
    begin = time.monotonic()
    release.kubectl("delete", "pod", pod, "--grace-period=0", "--force")
    release.wait(f"{what} is missed", lambda: not release.runs(), RECOVERY_S)
    release.wait("the job runs again", release.runs, 3 * RECOVERY_S)
    took = time.monotonic() - begin
    print(f"{what} was killed: the job runs again after {took:.1f} s", flush=True)
    if took > RECOVERY_S:
        raise Problem(f"that is more than {RECOVERY_S:g} s")
    release.wait("a checkpoint", lambda: release.checkpoints() > 0, RECOVERY_S)


def _change(science: dict[str, object]) -> None:
    """Change the science: a new job analyses the last minutes again, under its own name."""
    before = {row["config"] for row in release.triggers()}
    with _told("the changed release runs"):
        release.install(f'--set-json=science.detect={{"threshold": {LATER_THRESHOLD}}}')
        release.wait("the old job ends", lambda: not release.runs(), START_S)
        release.wait("the job runs", release.runs, START_S)
    with _told("GW150914 is found again"):
        release.wait(
            "its trigger under the new configuration",
            lambda: any(
                row["config"] not in before and abs(row["time"] - EVENT_S) < 0.1
                for row in release.triggers()
            ),
            REST_S,
        )


def _science() -> dict[str, object]:
    """Read the science that the release is installed with."""
    made: dict[str, object] = {}
    for path in release.VALUES:
        made |= (yaml.safe_load(path.read_text()) or {}).get("science", {})
    return made


def _archive(science: dict[str, object]) -> list[dict[str, object]]:
    """Give what the archive's job finds in the same files."""
    import pyarrow.dataset

    with tempfile.TemporaryDirectory() as folder:
        config, output = Path(folder, "science.yaml"), Path(folder, "results")
        config.write_text(yaml.safe_dump(science))
        line = [sys.executable, "-m", "beam_pipeline.cli", "run", *map(str, STRAIN)]
        line += ["--config", str(config), "--output", str(output)]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Problem(f"the archive's job failed: {done.stderr}")
        files = sorted(map(str, (output / "triggers").rglob("*.parquet")))
        rows: list[dict[str, object]] = pyarrow.dataset.dataset(files).to_table().to_pylist()
        return rows


def _memory() -> int:
    """Add up what all pods hold of memory, without what only caches files [bytes]."""
    first = CGROUPS / "memory" / CGROUP / "memory.stat"
    path = first if first.exists() else CGROUPS / CGROUP / "memory.stat"
    known = dict(line.split() for line in path.read_text().splitlines())
    return int(known.get("total_rss") or known.get("anon") or 0)


@contextmanager
def _told(what: str) -> Iterator[None]:
    begin = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - begin:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
