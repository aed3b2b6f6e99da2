"""A Kubernetes of one node on this machine: `python -m flink.dev.kubernetes.cluster up`.

Everything runs in namespaces of one process (`node.py`): with it goes all that the cluster made,
but for control groups and the folder, which `down` removes.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from flink.dev.actions import act, add_actions, settings_for, status
from flink.dev.kubernetes import binaries, configuration, launch, node
from flink.dev.kubernetes.pause_image import write_pause_image
from flink.images import ImageSettings
from flink.kubernetes_settings import CGROUP, CGROUPS, KubernetesSettings
from flink.processes import Problem, Processes, alone, reported, run

POLL_S = 0.25


class Kubernetes:
    """The cluster; its processes outlive the command that starts them, until `down`."""

    def __init__(self, settings: KubernetesSettings) -> None:
        self.settings = settings
        self.processes = Processes(settings.folder)

    def up(self) -> str:
        """Start what does not run, wait until pods can be started, and say so.

        Raises:
            Problem: Something is missing, or does not come up.
        """
        with alone(self.settings.folder.parent):
            if self.lack() is None:
                self._furnish()
                return f"the cluster is up already: {self.describe()}"
            self._prepare()
            try:
                self._start()
                self._furnish()
            except BaseException:
                self._end()
                raise
            return f"the cluster is up: {self.describe()}"

    def down(self) -> str:
        """End every process, remove every file, and say so."""
        with alone(self.settings.folder.parent):
            if not self.settings.marks(self.settings.folder):
                return "the cluster is down already"
            self._end()
            shutil.rmtree(self.settings.folder)
        return "the cluster is down"

    def load(self, archives: Sequence[Path]) -> None:
        """Import images from files, for pods that never pull; what is in already is left.

        Raises:
            Problem: A file is missing or no image.
        """
        for archive in archives:
            if not archive.exists():
                raise Problem(f"{archive} is missing: make images")
            known, state = self.settings.folder / f"{archive.name}.loaded", archive.stat()
            version = f"{state.st_size} {state.st_mtime_ns}"
            if known.exists() and known.read_text() == version:
                continue
            where = ["--address", configuration.SOCKET, "--namespace", "k8s.io"]
            line = ["ctr", *where, "images", "import", str(archive)]
            run(f"import of {archive.name}", self._inside(line))
            known.write_text(version)

    def client(self, *command: str) -> str:
        """Run kubectl, and return what it prints.

        Raises:
            Problem: It fails.
        """
        return run(f"kubectl {command[0]}", self._client([*command]))

    def enter(self, command: Sequence[str]) -> int:
        """Run a command in the cluster's network: its names, its programs first on the path.

        Raises:
            Problem: The cluster is not up.
        """
        if launch.MACHINE not in self.processes.alive():
            raise Problem("the cluster is not up: make k8s-up")
        path = f"{self.settings.binaries}{os.pathsep}{os.environ.get('PATH', '')}"
        own = {**os.environ, "KUBECONFIG": str(self.settings.kubeconfig), "PATH": path}
        own["no_proxy"] = own["NO_PROXY"] = "*"  # none can be reached from there
        names = str(self.settings.conf / "client-resolv.conf")
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        line = self._network(["unshare", "--mount", "sh", "-c", script, names, *command])
        return subprocess.run(line, env=own, check=False).returncode

    def lack(self) -> str | None:
        """Return what is not well, the process's name first; None if pods can be started."""
        running = self.processes.alive()
        for name in (launch.MACHINE, *launch.ORDER):
            if name not in running:
                return f"{name} does not run"
        asked = ["get", "node", launch.MACHINE, "--output"]
        ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
        done = subprocess.run(
            self._client([*asked, ready]), capture_output=True, text=True, check=False
        )
        return None if done.stdout == "True" else f"{launch.KUBELET} is not ready"

    def describe(self) -> str:
        """Return in one line how to use it."""
        return "python -m flink.dev.kubernetes.cluster run kubectl get pods --all-namespaces"

    def _prepare(self) -> None:
        """Refuse what cannot work, then write the configuration."""
        folder = self.settings.folder
        self.settings.refuse_others()
        for hidden in (*node.KEPT.values(), "/run"):
            if folder.is_relative_to(hidden) or self.settings.binaries.is_relative_to(hidden):
                raise Problem(f"{folder} is under {hidden}, which the node hides: choose another")
        binaries.require_packages()
        if missing := binaries.missing(self.settings.binaries):
            raise Problem(f"not built: {', '.join(missing)}: make k8s-binaries")
        folder.mkdir(parents=True, exist_ok=True)
        self.settings.save()
        configuration.write(self.settings)
        for number in range(1, self.settings.volumes + 1):
            self._make_volume(configuration.volume(self.settings, number))

    def _start(self) -> None:
        end = time.monotonic() + self.settings.timeout_s
        running = self.processes.alive()
        if launch.MACHINE not in running:
            # What outlived it cannot be used.
            self.processes.end(running)
            running = {}
            ready = self.settings.folder / node.READY
            ready.unlink(missing_ok=True)
            environment = {"PYTHONPATH": str(Path(__file__).parents[3])}
            self.processes.start(launch.MACHINE, launch.machine(self.settings), environment)
            self._wait(launch.MACHINE, ready.exists, end)
        for name in launch.ORDER:
            if name not in running:
                line = launch.command(self.settings, name)
                self.processes.start(name, self._inside([str(part) for part in line]), {})
            if name == launch.CONTAINERS:
                self._wait(name, self._imported, end)
            if name == launch.API:
                self._wait(name, self._answers, end)
        self._wait(launch.KUBELET, lambda: self.lack() is None, end)

    def _furnish(self) -> None:
        """Offer volumes; those that a claim gave back are emptied first."""
        state = "jsonpath={range .items[?(@.status.phase=='Released')]}{.metadata.name}{' '}{end}"
        for name in self.client("get", "persistentvolumes", "--output", state).split():
            self.client("delete", "persistentvolume", name)
            folder = configuration.volume(self.settings, int(name.rpartition("-")[2]))
            shutil.rmtree(folder)
            self._make_volume(folder)
        self.client("apply", "--filename", str(self.settings.conf / "storage.json"))

    def _make_volume(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)

    def _imported(self) -> bool:
        """Import the image of every pod's first container; return whether that worked."""
        archive = self.settings.folder / "pause.tar"
        if not archive.exists():
            write_pause_image(self.settings.binaries / "pause", archive)
        try:
            self.load([archive])
        except Problem:
            return False
        return True

    def _answers(self) -> bool:
        try:
            return self.client("get", "--raw", "/readyz") == "ok"
        except Problem:
            return False

    def _wait(self, name: str, condition: Callable[[], bool], end: float) -> None:
        while not condition():
            for one in sorted(set(self.processes.names()) - set(self.processes.alive())):
                raise Problem(f"{one} has ended; {self.processes.tail(one)}")
            if time.monotonic() > end:
                waited = f"after {self.settings.timeout_s:g} s"
                raise Problem(f"{name} is not ready {waited}; {self.processes.tail(name)}")
            time.sleep(POLL_S)

    def _first(self) -> int:
        """Return the process id of the first process inside."""
        outer = self.processes.alive().get(launch.MACHINE)
        if outer is None:
            raise Problem("the cluster is not up: make k8s-up")
        children = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
        return int(children[0])

    def _inside(self, command: Sequence[str]) -> list[str]:
        target = f"--target={self._first()}"
        # It ends with its parent out here, which is what can be killed by name.
        tied = ["setpriv", "--pdeathsig", "KILL"]
        return ["nsenter", target, "--mount", "--net", "--pid", "--", *tied, *command]

    def _network(self, command: Sequence[str]) -> list[str]:
        return ["nsenter", f"--target={self._first()}", "--net", "--", *command]

    def _client(self, command: Sequence[str]) -> list[str]:
        program = str(self.settings.binaries / "kubectl")
        return self._network([program, f"--kubeconfig={self.settings.kubeconfig}", *command])

    def _end(self) -> None:
        """End everything: servers in order, pods with the namespaces, then what these leave."""
        names = self.processes.names()
        self.processes.end([name for name in names if name != launch.MACHINE])
        self.processes.end([launch.MACHINE])
        remove_cgroups(CGROUPS, CGROUP)


def remove_cgroups(root: Path, name: str) -> None:
    """Remove a control group with those below it, in every hierarchy.

    Args:
        root: Where the hierarchies are mounted.
        name: Of the group.
    """
    for top in (root / name, *root.glob(f"*/{name}")):
        for folder, _, _ in os.walk(top, topdown=False):
            # A group whose last process is still on its way out can be removed a moment later.
            for _ in range(20):
                with contextlib.suppress(FileNotFoundError):
                    try:
                        os.rmdir(folder)
                    except OSError:
                        time.sleep(POLL_S)
                        continue
                break


def main(arguments: Sequence[str] | None = None) -> int:
    """Start, use and stop a Kubernetes cluster. Variables set it: docs/kubernetes.md."""
    parser = argparse.ArgumentParser(
        prog="python -m flink.dev.kubernetes.cluster", description=main.__doc__
    )
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("up", help="start what does not run, wait until pods can be started")
    actions.add_parser("down", help="end every process, remove every file")
    actions.add_parser("status", help="say what runs; 1 if something does not")
    actions.add_parser("load", help="import the images that `make images` built")
    inside = actions.add_parser(
        "run", help="run a command, such as kubectl or helm, on the cluster"
    )
    inside.add_argument("command", nargs=argparse.REMAINDER)
    add_actions(actions)
    given = parser.parse_args(arguments)
    return reported(lambda: _act(given))


def _act(given: argparse.Namespace) -> int:
    cluster = Kubernetes(settings_for(given.action, KubernetesSettings))
    if given.action == "status":
        return status(cluster)
    if given.action == "run":
        return cluster.enter(given.command)
    if given.action == "load":
        images = ImageSettings.from_environment()
        cluster.load(sorted(images.folder.glob("*.tar")))
    else:
        act(cluster, given.action, getattr(given, "name", ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
