"""``/metrics`` and ``/healthz`` over HTTP, for all processes that share a folder of counts.

Which of them listens is settled by who comes first; the others stand by, and one takes over
within ``STAND_BY_S`` of the end of the one that did. So there is one address for each machine
or pod, however many workers there are and whenever they are replaced.
"""

import json
import logging
import os
import re
import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from transforms.observe.catalogue import CATALOGUE, PREFIX, WORKERS
from transforms.observe.config import ObserveConfig

_LOG = logging.getLogger(__name__)
STAND_BY_S = 1.0
"""How often a process that stands by tries whether the address is free [s]."""
_FILE = re.compile(r"_(\d+)\.db$")


def serve(config: ObserveConfig) -> Thread:
    """Serve, or stand by, in a thread of this process's own, which ends with it."""
    thread = Thread(target=_serve, args=(config,), name="metrics", daemon=True)
    thread.start()
    return thread


def _serve(config: ObserveConfig) -> None:
    told = False
    while True:
        try:
            server = _Server(config.place)
        except OSError as error:
            # Mostly another worker's; whatever else it is, the job must not end for it.
            if not told:
                _LOG.info("metrics at %s: %s", config.address, error.strerror)
                told = True
            time.sleep(STAND_BY_S)
            continue
        server.folder = config.counts
        _LOG.info("metrics at http://%s/metrics", config.address)
        server.serve_forever()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    folder = Path()

    def __init__(self, place: tuple[str, int]) -> None:
        """Listen; ``::`` takes IPv4 too."""
        kinds = socket.getaddrinfo(*place, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = kinds[0][0]
        super().__init__(place, _Handler)

    def server_bind(self) -> None:
        """Bind, for both kinds of addresses where there are both."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10.0

    def do_GET(self) -> None:
        """Answer with the counts, or with how the workers are."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            from prometheus_client import CONTENT_TYPE_LATEST

            self._answer(200, CONTENT_TYPE_LATEST, exposition(self.server.folder))
        elif path == "/healthz":
            state = json.dumps({"workers": workers(self.server.folder)}) + "\n"
            self._answer(200, "application/json", state.encode())
        else:
            self._answer(404, "text/plain", b"/metrics or /healthz\n")

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing: a scrape every few seconds is no news."""


def exposition(folder: Path) -> bytes:
    """Return the counts of all processes of a folder, in Prometheus's text format."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    registry.register(_Workers(folder))
    return bytes(generate_latest(registry))


def workers(folder: Path) -> int:
    """Return how many of the processes that count in a folder still run."""
    found = {match[1] for path in folder.glob("*.db") if (match := _FILE.search(path.name))}
    return sum(os.path.exists(f"/proc/{pid}") for pid in found)


class _Workers:
    """What only the one who serves knows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Any]:
        """Yield the number of workers."""
        from prometheus_client.core import GaugeMetricFamily

        text = next(one.help for one in CATALOGUE if one.name == WORKERS)
        yield GaugeMetricFamily(f"{PREFIX}_{WORKERS}", text, value=workers(self._folder))
