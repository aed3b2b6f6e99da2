"""The configuration files and keys of the cluster."""

import json
import secrets
from pathlib import Path
from typing import Any

from flink.dev.kubernetes.binaries import PLUGINS
from flink.kubernetes_settings import (
    API_PORT,
    API_SERVICE,
    CGROUP,
    DOMAIN,
    NAMESPACE,
    NODE,
    PODS,
    STORAGE_CLASS,
    KubernetesSettings,
)
from flink.processes import run

SOCKET = "/run/containerd/containerd.sock"
PAUSE_IMAGE = "localhost/pause:1"
_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")


def write(settings: KubernetesSettings) -> None:
    """Write everything, keys too; what is there is kept."""
    conf = settings.conf
    if settings.kubeconfig.exists():
        return
    (conf / "cni").mkdir(parents=True, exist_ok=True)
    conf.chmod(0o700)
    _keys(conf)
    token = secrets.token_hex(16)
    (conf / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    (conf / "resolv.conf").write_text(f"nameserver {NODE}\n")
    (conf / "client-resolv.conf").write_text(_search() + f"nameserver {NODE}\n")
    (conf / "containerd.toml").write_text(_containerd(conf))
    (conf / "cni" / "10-bridge.conflist").write_text(json.dumps(_network(), indent=1))
    (conf / "kubelet.yaml").write_text(json.dumps(_kubelet(conf), indent=1))
    (conf / "Corefile").write_text(_names(settings))
    (conf / "storage.json").write_text(json.dumps(_storage(settings), indent=1))
    # Last, as it marks the rest as whole.
    settings.kubeconfig.write_text(json.dumps(_kubeconfig(conf, token), indent=1))


def _keys(conf: Path) -> None:
    """Make an authority, the API server's certificate, and the key of service accounts."""
    names = [*_NAMES, f"kubernetes.default.svc.{DOMAIN}", "localhost"]
    known = [*(f"DNS:{name}" for name in names), f"IP:{API_SERVICE}", f"IP:{NODE}", "IP:127.0.0.1"]
    new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650"]
    commands = [
        [*new, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=wavefier"],
        [
            *("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key"),
            *("-out", "server.csr", "-subj", "/CN=kube-apiserver"),
        ],
        [
            *("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key"),
            *("-CAcreateserial", "-days", "3650", "-out", "server.crt", "-extfile", "names"),
        ],
        ["genrsa", "-out", "accounts.key", "2048"],
        ["rsa", "-in", "accounts.key", "-pubout", "-out", "accounts.pub"],
    ]
    (conf / "names").write_text(f"subjectAltName={','.join(known)}\n")
    for command in commands:
        run("a key", ["env", "-C", str(conf), "openssl", *command])


def _containerd(conf: Path) -> str:
    # Negative scores may not be permitted on this machine; containers would then not start.
    return f"""version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{PLUGINS}"
    conf_dir = "{conf / "cni"}"
"""


def _network() -> dict[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": PODS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, ports]}


def _kubelet(conf: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        # Only the node's own network reaches it.
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "address": NODE,
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "enforceNodeAllocatable": [],
        # Older machines have the first version of control groups.
        "failCgroupV1": False,
        "failSwapOn": False,
        # The disk is the machine's, and the images were brought by hand.
        "evictionHard": {},
        "imageGCHighThresholdPercent": 100,
        "localStorageCapacityIsolation": False,
        "clusterDNS": [NODE],
        "clusterDomain": DOMAIN,
        "resolvConf": str(conf / "resolv.conf"),
        "volumePluginDir": "/var/lib/kubelet/plugins",
        "maxPods": 60,
    }


def _names(settings: KubernetesSettings) -> str:
    return f"""{DOMAIN} in-addr.arpa {{
  bind {NODE}
  errors
  kubernetes {DOMAIN} in-addr.arpa {{
    kubeconfig {settings.kubeconfig} cluster
  }}
  cache 5
}}
. {{
  bind {NODE}
  template ANY ANY {{
    rcode NXDOMAIN
  }}
}}
"""


def _search() -> str:
    return f"search {NAMESPACE}.svc.{DOMAIN} svc.{DOMAIN} {DOMAIN}\noptions ndots:5\n"


def _storage(settings: KubernetesSettings) -> dict[str, Any]:
    """Offer volumes: folders of this machine, which any user may write."""
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    items: list[dict[str, Any]] = [
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": STORAGE_CLASS, "annotations": default},
            "provisioner": "kubernetes.io/no-provisioner",
        }
    ]
    for number in range(1, settings.volumes + 1):
        folder = volume(settings, number)
        items.append(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": folder.name},
                "spec": {
                    "capacity": {"storage": "100Gi"},
                    "accessModes": ["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"],
                    "storageClassName": STORAGE_CLASS,
                    "persistentVolumeReclaimPolicy": "Retain",
                    "hostPath": {"path": str(folder), "type": "Directory"},
                },
            }
        )
    return {"apiVersion": "v1", "kind": "List", "items": items}


def volume(settings: KubernetesSettings, number: int) -> Path:
    """Return the folder of a volume."""
    return settings.folder / "volumes" / f"volume-{number}"


def _kubeconfig(conf: Path, token: str) -> dict[str, Any]:
    server = {"server": f"https://{NODE}:{API_PORT}", "certificate-authority": str(conf / "ca.crt")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": server}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": "admin"}}],
        "current-context": "cluster",
    }
