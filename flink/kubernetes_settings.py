"""Where the Kubernetes cluster of this machine lives, and its addresses."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from flink.settings import ROOT, Settings
from transforms.checks import Limits

# In a network of its own, which nothing outside can reach: every cluster may have the same.
NODE = "10.250.0.1"
PODS = "10.244.0.0/24"
SERVICES = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
API_PORT = 6443
DOMAIN = "cluster.local"
CGROUPS = Path("/sys/fs/cgroup")
CGROUP = "wavefier-kubernetes"
"""Control group of all pods."""
STORAGE_CLASS = "local"
# Names of services in here need no namespace, for commands that are run on the cluster.
NAMESPACE = "wavefier"


@dataclass(frozen=True)
class KubernetesSettings(Settings):
    """A cluster of one node on this machine.

    Attributes:
        folder: Configuration, logs, process ids, and all that its node writes.
        timeout_s: How long a start may take [s].
        java_options: Of no use here.
        binaries: Folder of the programs; built once, kept by `down`.
        volumes: How many volumes are offered to claims.
    """

    # Not KUBERNETES_: with that name a pod is told where its cluster is.
    PREFIX: ClassVar[str] = "K8S_"

    folder: Path = ROOT / ".flink" / "kubernetes" / "cluster"
    timeout_s: Annotated[float, Limits(ge=1, le=86_400)] = 180.0
    binaries: Path = ROOT / ".flink" / "kubernetes" / "bin"
    volumes: Annotated[int, Limits(ge=1, le=1000)] = 6

    @property
    def conf(self) -> Path:
        """Folder of configuration files and keys."""
        return self.folder / "conf"

    @property
    def kubeconfig(self) -> Path:
        """File with which clients find the API server and are let in."""
        return self.conf / "kubeconfig"
