"""The chart on this machine's cluster, from install to uninstall: `make k8s-test`.

Installs it under the "restricted" pod security standard with a broker inside, plays GW150914 in
two detectors, kills the TaskManager that works and then the JobManager, compares what comes out
with the archive's job on the same files, changes the science, goes back, and uninstalls.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from benchmarks.rehearsal.compare import Comparison, Row, compare, judged
from benchmarks.rehearsal.kubernetes import release, strain
from benchmarks.rehearsal.kubernetes.reprocess import reprocess
from flink.dev.kubernetes.cluster import Kubernetes
from flink.images import NAMES, ImageSettings
from flink.kubernetes_settings import CGROUP, CGROUPS, KubernetesSettings
from flink.processes import Problem, reported

START_S = 420.0
"""How long an installed release may take to run [s], on a busy machine."""
RECOVERY_S = 60.0
REST_S = 120.0
"""How long triggers may take to come, or to become final after the strain has ended [s]."""
LATER_THRESHOLD = 6.0
"""Of `helm upgrade`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the cluster unless it runs, and try the chart on it."""
    inside = (sys.argv[1:] if arguments is None else list(arguments)) == ["--inside"]
    return reported(_inside if inside else _on_a_cluster)


def _inside() -> int:
    with _told("the trial"), tempfile.TemporaryDirectory() as folder:
        return _try(Path(folder))


def _on_a_cluster() -> int:
    cluster, images = Kubernetes(KubernetesSettings.from_environment()), ImageSettings()
    said = cluster.up()
    print(said)
    try:
        with _told("images are imported"):
            cluster.load([images.archive(name) for name in NAMES])
        return cluster.enter(
            [sys.executable, "-m", "benchmarks.rehearsal.kubernetes.trial", "--inside"]
        )
    finally:
        if "already" not in said:
            print(cluster.down())


def _try(folder: Path) -> int:
    files = strain.played(folder)
    with _told("the archive's job has run twice"):
        science = strain.science()
        expected = strain.archived(files, folder / "first", science)
        changed = replace(science, detect=replace(science.detect, threshold=LATER_THRESHOLD))
        other = strain.archived(files, folder / "changed", changed)
    release.make_namespace()
    print("a pod that promises nothing is refused:", release.refusal())
    try:
        with _told("the chart is installed"):
            release.install()
        with _told("the job runs"):
            release.wait("the job runs", release.runs, START_S)
        _play(files, expected)
        later = f'--set-json=science.detect={{"threshold": {LATER_THRESHOLD}}}'
        _replace("the changed release", lambda: release.install(later), other)
        back = "the release that was rolled back"
        _replace(back, lambda: release.helm("rollback", release.NAME), expected)
        with _told("helm test has passed"):
            release.helm("test", release.NAME, "--timeout=300s")
    except BaseException:
        with suppress(Problem):
            print(release.kubectl("get", "pods"), release.events())
            release.helm("uninstall", release.NAME)
        raise
    with _told("everything of the release is gone"):
        release.helm("uninstall", release.NAME, "--wait", "--timeout=180s")
        release.wait("nothing is left", lambda: not release.left(), 60)
    with _told("the archive's job has run on the cluster"):
        found = reprocess(files, expected, folder)
    print(_counted(found))
    if not found.good:
        raise Problem("the archive's job on the cluster finds other triggers")
    release.wait("nothing is left", lambda: not release.left(), 60)
    return 0


def _play(files: Sequence[Path], expected: Sequence[Row]) -> None:
    """Play, kill once GW150914 is out, and compare."""
    player = release.replay(files)
    try:
        with _told("GW150914 is out"):
            release.wait("GW150914", lambda: any(map(strain.event, release.triggers())), REST_S)
        _kill(release.worker(), "a TaskManager's pod")
        _kill(release.leader(), "the JobManager's pod")
        with _told("the rest was played"):
            player.wait()
    finally:
        player.terminate()
        player.wait()
    _settle(expected)
    print(f"memory: {_memory() / 1e6:.0f} MB in pods")


def _settle(expected: Sequence[Row], known: int = 0) -> None:
    """Wait until the triggers are the archive's, and report.

    Args:
        expected: What the archive's job found.
        known: How many messages came before the job began.
    """
    since, config = strain.left_open(expected), expected[0]["config"]

    def messages() -> list[Row]:
        # The last ones of a job that was ended may still be on their way.
        return [row for row in release.triggers()[known:] if row["config"] == config]

    with _told("all triggers are there"):
        release.until(lambda: compare(expected, judged(messages(), since)[0]).good, REST_S)
    _report(expected, messages())


def _report(expected: Sequence[Row], messages: Sequence[Row]) -> None:
    """Say what came out.

    Raises:
        Problem: It is not what the archive's job found: each trigger that is not.
    """
    received, left = judged(messages, strain.left_open(expected))
    found = compare(expected, received)
    print(
        f"{_counted(found)}; {len(messages)} messages; {len(left)} end so near the end of the "
        "strain that they stay open"
    )
    if not found.good:
        last = {row["id"]: row for row in [*expected, *messages]}
        raise Problem(
            "\n".join(
                [
                    "the live job's triggers are not the archive's",
                    *(f"missing: {strain.told(last[name])}" for name in found.missing),
                    *(f"too many: {strain.told(last[name])}" for name in found.extra),
                    *(f"differs: {text}" for text in found.differing),
                ]
            )
        )
    for row in received:
        if strain.event(row):
            print(f"GW150914 in {row['ifo']}: SNR {row['snr']:.1f}, {row['label']}")


def _counted(found: Comparison) -> str:
    return (
        f"{found.received} triggers: {len(found.missing)} lost, {len(found.extra)} too many, "
        f"{len(found.differing)} differ"
    )


def _kill(pod: str, what: str) -> None:
    """Delete a pod at once; wait until the job has begun again, and runs with a checkpoint."""
    before, begin = release.changed(), time.monotonic()
    release.kubectl("delete", "pod", pod, "--grace-period=0", "--force")
    # What answers may be the old job for a moment, or nothing because the service is behind.
    release.wait("the job runs again", lambda: release.runs_since(before), 3 * RECOVERY_S)
    took = time.monotonic() - begin
    print(f"{what} was killed: the job runs again after {took:.1f} s", flush=True)
    if took > RECOVERY_S:
        raise Problem(f"that is more than {RECOVERY_S:g} s")
    release.wait("a checkpoint", lambda: release.checkpoints() > 0, RECOVERY_S)


def _replace(what: str, start: Callable[[], object], expected: Sequence[Row]) -> None:
    """Replace the job that runs by another; compare what that one finds.

    Args:
        what: Runs then.
        start: Has Helm start it.
        expected: What the archive's job finds with its science.
    """
    known = len(release.triggers())
    with _told(f"{what} runs"):
        start()
        release.wait("the former job ends", lambda: not release.runs(), START_S)
        release.wait("the job runs", release.runs, START_S)
    _settle(expected, known)


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
