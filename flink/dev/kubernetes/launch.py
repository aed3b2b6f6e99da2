"""With which command each process of the cluster starts."""

import sys
from pathlib import Path

from flink.kubernetes_settings import (
    API_PORT,
    NODE,
    PODS,
    SERVICES,
    KubernetesSettings,
)

MACHINE = "node"
"""The process that holds the namespaces of all others."""
ETCD, API, CONTAINERS = "etcd", "kube-apiserver", "containerd"
CONTROLLER, SCHEDULER, KUBELET = "kube-controller-manager", "kube-scheduler", "kubelet"
PROXY, NAMES = "kube-proxy", "coredns"
ORDER = (ETCD, CONTAINERS, API, CONTROLLER, SCHEDULER, PROXY, NAMES, KUBELET)


def machine(settings: KubernetesSettings) -> list[str | Path]:
    """Return the command that makes the namespaces; it ends with the first process in them."""
    new = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
    return [*new, sys.executable, "-m", "flink.dev.kubernetes.node", settings.folder]


def command(settings: KubernetesSettings, name: str) -> list[str | Path]:
    """Return a process's command, to be run inside."""
    conf = settings.conf
    client = f"--kubeconfig={settings.kubeconfig}"
    local = ["--leader-elect=false", "--bind-address=127.0.0.1"]
    own = {
        ETCD: ["--data-dir=/var/lib/etcd", "--logger=zap", "--log-level=warn"],
        CONTAINERS: [f"--config={conf / 'containerd.toml'}"],
        API: _api(conf),
        CONTROLLER: [
            client,
            *local,
            f"--service-account-private-key-file={conf / 'accounts.key'}",
            f"--root-ca-file={conf / 'ca.crt'}",
            "--flex-volume-plugin-dir=/var/lib/kubelet/plugins",
        ],
        SCHEDULER: [client, *local],
        KUBELET: [
            f"--config={conf / 'kubelet.yaml'}",
            client,
            f"--node-ip={NODE}",
            f"--hostname-override={MACHINE}",
        ],
        PROXY: [
            client,
            "--proxy-mode=iptables",
            f"--hostname-override={MACHINE}",
            f"--cluster-cidr={PODS}",
            # The machine's own limit of connections is not ours to change.
            "--conntrack-max-per-core=0",
            "--masquerade-all",
        ],
        NAMES: [f"-conf={conf / 'Corefile'}"],
    }
    program = name if name in (ETCD, CONTAINERS) else settings.binaries / name
    return [program, *own[name]]


def _api(conf: Path) -> list[str]:
    return [
        f"--advertise-address={NODE}",
        f"--secure-port={API_PORT}",
        "--etcd-servers=http://127.0.0.1:2379",
        f"--service-cluster-ip-range={SERVICES}",
        "--authorization-mode=RBAC",
        f"--token-auth-file={conf / 'tokens.csv'}",
        f"--tls-cert-file={conf / 'server.crt'}",
        f"--tls-private-key-file={conf / 'server.key'}",
        f"--cert-dir={conf}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={conf / 'accounts.pub'}",
        f"--service-account-signing-key-file={conf / 'accounts.key'}",
        "--kubelet-preferred-address-types=InternalIP",
    ]
