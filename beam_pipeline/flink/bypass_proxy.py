"""This machine is reached directly, whatever proxy leads to others."""

import ipaddress
import os
import urllib.request
from collections.abc import MutableMapping

_NAMES = ("localhost", "127.0.0.1", "::1")
_OWN = "no_grpc_proxy"
"""What gRPC reads before ``no_proxy``."""


def bypass(environment: MutableMapping[str, str] = os.environ) -> None:
    """Keep requests to this machine away from proxies, in this process and its children.

    gRPC, by which Beam's processes talk, would ask a proxy for loopback addresses too.
    """
    # Where both spellings are set, the small one counts.
    known = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    environment["no_proxy"] = _with_names(known)
    if _OWN in environment:
        environment[_OWN] = _with_names(environment[_OWN])


def opener(host: str) -> urllib.request.OpenerDirector:
    """Return what opens URLs of a host: without a proxy where the host is this machine."""
    direct = [urllib.request.ProxyHandler({})] if _is_loopback(host) else []
    return urllib.request.build_opener(*direct)


def _with_names(known: str) -> str:
    given = [name.strip() for name in known.split(",") if name.strip()]
    return ",".join([*given, *(name for name in _NAMES if name not in given)])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
