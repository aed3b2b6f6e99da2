"""The programs of a Kubernetes cluster, built with Go: `python -m flink.dev.kubernetes.binaries`.

Debian has etcd, containerd and runc; the rest comes from the Go module proxy, in the versions
that are named here and in `modules/go.mod`.
"""

import argparse
import hashlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from flink import charts
from flink.images import require
from flink.kubernetes_settings import KubernetesSettings
from flink.processes import Problem, reported, run

HERE = Path(__file__).parent
MODULES = HERE / "modules"
PAUSE = HERE / "pause"
KUBERNETES = (
    *("kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    *("kubelet", "kube-proxy", "kubectl"),
)
TOOLS = {"coredns": "github.com/coredns/coredns@v1.12.0", **charts.TOOLS}
# Programs and the Debian packages that hold them.
PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "etcd": "etcd-server",
    "iptables": "iptables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "openssl": "openssl",
}
PLUGINS = Path("/usr/lib/cni")
SMALL = ("-trimpath", "-ldflags=-s -w")


def missing(folder: Path) -> list[str]:
    """Name the programs that are not there, or are of other versions."""
    return [name for name in (*KUBERNETES, *TOOLS, "pause") if _stale(folder, name)]


def build(folder: Path) -> list[str]:
    """Build what is missing.

    Args:
        folder: Where the programs go.

    Returns:
        What was built.

    Raises:
        Problem: There is no Go, or a build failed.
    """
    wanted = missing(folder)
    if not wanted:
        return []
    charts.require_go()
    folder.mkdir(parents=True, exist_ok=True)
    own = {**os.environ, "GOFLAGS": "-buildvcs=false", "GOBIN": str(folder)}
    if server := [name for name in wanted if name in KUBERNETES]:
        packages = [f"k8s.io/kubernetes/cmd/{name}" for name in server]
        flags = ["-trimpath", f"-ldflags=-s -w {_said()}"]
        line = ["go", "build", "-C", str(MODULES), *flags, "-o", f"{folder}/", *packages]
        run("Kubernetes", line, own)
    for name in wanted:
        if name in TOOLS:
            run(name, ["go", "install", *SMALL, TOOLS[name]], own)
        elif name == "pause":
            alone = {**own, "CGO_ENABLED": "0"}
            run(name, ["go", "build", "-C", str(PAUSE), *SMALL, "-o", f"{folder}/", "."], alone)
        _stamp(folder, name).write_text(_recipe(name))
    return wanted


def require_packages() -> None:
    """Check that Debian's part is there.

    Raises:
        Problem: Something is missing; one line says what to install.
    """
    plugins = {} if PLUGINS.is_dir() else {str(PLUGINS): "containernetworking-plugins"}
    require({**PACKAGES, **plugins})


def _stale(folder: Path, name: str) -> bool:
    stamp = _stamp(folder, name)
    if not (folder / name).exists() or not stamp.exists():
        return True
    return stamp.read_text() != _recipe(name)


def _stamp(folder: Path, name: str) -> Path:
    return folder / f".{name}.made-from"


def _recipe(name: str) -> str:
    if name in TOOLS:
        return TOOLS[name] + "\n"
    files = [PAUSE / "main.go"] if name == "pause" else [MODULES / "go.mod", MODULES / "go.sum"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest() + "\n"


def _said() -> str:
    """Return the linker's flags by which the programs know their version; charts ask for it."""
    found = re.search(r"k8s.io/kubernetes v((\d+)\.(\d+)\S*)", (MODULES / "go.mod").read_text())
    if not found:
        raise Problem(f"{MODULES / 'go.mod'} names no version of k8s.io/kubernetes")
    known = {"gitVersion": f"v{found[1]}", "gitMajor": found[2], "gitMinor": found[3]}
    where = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return " ".join(f"-X {one}.{name}={text}" for one in where for name, text in known.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Build Kubernetes, CoreDNS, Helm and kubeconform, unless they are there."""
    argparse.ArgumentParser(prog="python -m flink.dev.kubernetes.binaries").parse_args(arguments)
    return reported(_act)


def _act() -> int:
    folder = KubernetesSettings.from_environment().binaries
    built = build(folder)
    print(f"{folder}: {', '.join(built) + ' built' if built else 'nothing to build'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
