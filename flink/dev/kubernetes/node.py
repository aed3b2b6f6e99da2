"""The machine that the cluster sees: `python -m flink.dev.kubernetes.node FOLDER`.

This process is the first one of new mount, network and process namespaces. It lays out a private
`/run`, `/var/lib` and `/var/log` in the folder, a network with the node's address, and then
buries the dead. When it ends, the kernel ends every process, mount, address and firewall rule
that came to be inside.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from flink.kubernetes_settings import CGROUP, CGROUPS, NODE

READY = "ready"
# What the programs would otherwise leave all over the machine. /run goes with the node.
KEPT = {"lib": "/var/lib", "log": "/var/log"}
LINK, PEER = "node", "node-peer"
SWITCHES = {
    "net/ipv4/ip_forward": "1",
    # A pod that asks for another by its service's address gets the answer from that address.
    "net/bridge/bridge-nf-call-iptables": "1",
}


def lay_out(folder: Path) -> list[list[str]]:
    """Return the commands that make this process's namespaces the node's."""
    commands = [
        ["mount", "--make-rprivate", "/"],
        ["mount", "-t", "proc", "proc", "/proc"],
        ["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"],
    ]
    for name, where in KEPT.items():
        commands.append(["mount", "--bind", str(folder / name), where])
    # Containers share what is mounted for them later.
    commands.append(["mount", "--make-rshared", "/"])
    return [
        *commands,
        ["ip", "link", "set", "lo", "up"],
        ["ip", "link", "add", LINK, "type", "veth", "peer", "name", PEER],
        ["ip", "address", "add", f"{NODE}/32", "dev", LINK],
        ["ip", "link", "set", PEER, "up"],
        ["ip", "link", "set", LINK, "up"],
        # The way to services, whose addresses the firewall changes before anything leaves.
        ["ip", "route", "add", "default", "dev", LINK],
    ]


def make_cgroups(root: Path, name: str, cores: int) -> None:
    """Make a control group in every hierarchy: the kubelet does not make its pods' first one.

    Beside what else runs on the machine it weighs as much as the kubelet's own group would;
    as it is made, all pods together weigh as one process.

    Args:
        root: Where the hierarchies are mounted.
        name: Of the group.
        cores: Of the machine.
    """
    shares = 1024 * cores
    weights = {"cpu.shares": shares, "cpu.weight": 1 + (shares - 2) * 9999 // 262142}
    for hierarchy in (root, *root.iterdir()):
        if (hierarchy / "cgroup.procs").exists():
            group = hierarchy / name
            group.mkdir(exist_ok=True)
            for file, weight in weights.items():
                if (group / file).exists():
                    (group / file).write_text(str(weight))


def main(arguments: Sequence[str]) -> int:
    """Lay out the node, say so, and wait for SIGTERM."""
    folder = Path(arguments[0])
    signal.signal(signal.SIGTERM, _end)
    for name in KEPT:
        (folder / name).mkdir(parents=True, exist_ok=True)
    make_cgroups(CGROUPS, CGROUP, os.cpu_count() or 1)
    for command in lay_out(folder):
        subprocess.run(command, check=True)
    for name, value in SWITCHES.items():
        (Path("/proc/sys") / name).write_text(value)
    (folder / READY).write_text("")
    while True:
        try:
            os.wait()
        except ChildProcessError:
            signal.sigtimedwait([signal.SIGCHLD], 1.0)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
