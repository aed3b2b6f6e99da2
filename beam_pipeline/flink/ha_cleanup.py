"""What Flink's jobs leave in Kubernetes: ``python -m beam_pipeline.flink.ha_cleanup --of NAME``.

Flink keeps who leads, and where the newest checkpoint lies, in ConfigMaps that carry the id of
their cluster; on a volume each cluster has a folder, below that of its namespace: releases of
one name in two namespaces may share a volume. Here, each job is a cluster of its own, ``NAME-``
and ten hexadecimal digits: a hash of what it does. A job that comes back after another,
as in a roll back, would go on with the checkpoint of its former life; so what is not of the
present job goes before it begins.
"""

import argparse
import json
import os
import re
import shutil
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its token, its namespace and whom to trust."""
_SELECTOR = "configmap-type%3Dhigh-availability"
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""Names of namespaces; one becomes part of a path here."""
_GONE = 404
_TIMEOUT_S = 10.0


class ApiError(Exception):
    """What Kubernetes answered, and what to do: one line."""


class ConfigMaps:
    """The ConfigMaps that Flink made in the pod's namespace."""

    def __init__(self, account: Path, host: str, port: str) -> None:
        """Talk to Kubernetes as a service account.

        Raises:
            ApiError: The pod has no token.
        """
        try:
            self._token = (account / "token").read_text().strip()
            self.namespace = (account / "namespace").read_text().strip()
            context = ssl.create_default_context(cafile=str(account / "ca.crt"))
        except OSError as error:
            raise ApiError(f"no service account in {account}: mount its token there") from error
        if not _LABEL.fullmatch(self.namespace):
            raise ApiError(f"{account / 'namespace'} holds no namespace: {self.namespace!r}")
        where = f"[{host}]" if ":" in host else host
        self._base = f"https://{where}:{port}/api/v1/namespaces/{self.namespace}/configmaps"
        handlers = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        self._open = urllib.request.build_opener(*handlers).open

    def clusters(self) -> dict[str, str]:
        """Return the cluster's id of each ConfigMap, by the ConfigMap's name."""
        found = self._ask(f"?labelSelector={_SELECTOR}", "GET").get("items", [])
        return {
            one["metadata"]["name"]: one["metadata"].get("labels", {}).get("app", "")
            for one in found
        }

    def delete(self, name: str) -> None:
        """Delete one; that it is gone already is as good."""
        self._ask(f"/{name}", "DELETE")

    def _ask(self, path: str, method: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(f"{self._base}{path}", method=method, headers=headers)
        try:
            with self._open(request, timeout=_TIMEOUT_S) as answer:
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as error:
            if error.code == _GONE:
                return {}
            what = f"{method} of ConfigMaps: {error.code} {error.reason}"
            raise ApiError(f"{what}; give the service account this right") from error
        except OSError as error:
            raise ApiError(f"Kubernetes does not answer ({error})") from error


def former(clusters: Sequence[str], name: str, present: str) -> list[str]:
    """Choose the clusters that were jobs of one name, but for the present one.

    Args:
        clusters: Their ids.
        name: What the ids of all its jobs begin with.
        present: The id that stays; empty: none.
    """
    job = re.compile(rf"{re.escape(name)}-[0-9a-f]{{10}}")
    return sorted({one for one in clusters if job.fullmatch(one) and one != present})


def forget(maps: ConfigMaps, name: str, present: str, folder: Path | None) -> list[str]:
    """Delete what the former jobs of one name left.

    Args:
        maps: ConfigMaps.
        name: What the ids of all its jobs begin with.
        present: The id of the job that stays; empty: none.
        folder: Holds a folder for each job of the namespace; made by the first of them. None:
            there is no volume.

    Returns:
        Names of what was deleted.

    Raises:
        ApiError: Kubernetes refuses it.
    """
    of = maps.clusters()
    gone = set(former(list(of.values()), name, present))
    names = sorted(one for one, cluster in of.items() if cluster in gone)
    for one in names:
        maps.delete(one)
    if folder is not None and folder.is_dir():
        there = [path.name for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
        for one in former(there, name, present):
            shutil.rmtree(folder / one)
            names.append(str(folder / one))
    return names


def main(arguments: Sequence[str] | None = None) -> int:
    """Delete what former jobs left, and say what that was."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--of", required=True, metavar="NAME", help="the jobs' common name")
    parser.add_argument("--but", default="", metavar="ID", help="this one stays")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="holds NAMESPACE/ID of each job")
    given = parser.parse_args(arguments)
    try:
        host = os.environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
        port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        maps = ConfigMaps(ACCOUNT, host, port)
        folder = given.folder / maps.namespace if given.folder else None
        for name in forget(maps, given.of, given.but, folder):
            sys.stdout.write(f"forgotten: {name}\n")
    except ApiError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"error: {error.filename}: cannot be removed ({error.strerror})\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
