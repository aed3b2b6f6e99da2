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
from pathlib import Path
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.multiprocess import MultiProcessCollector

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
            server = _listening(config)
        except OSError as error:
            # Mostly another worker's; whatever else it is, the job must not end for it.
            if not told:
                _LOG.info("metrics at %s: %s", config.address, error.strerror)
                told = True
            time.sleep(STAND_BY_S)
            continue
        _LOG.info("metrics at http://%s/metrics", config.address)
        server.serve_forever()


def _listening(config: ObserveConfig) -> "_Server":
    """Return a server of the metrics, or raise OSError where the address is not to be had."""
    host, port = config.place
    kinds = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    server = _ServerOf6 if kinds[0][0] == socket.AF_INET6 else _Server
    return make_server(host, port, application(config.counts), server, _Handler)


class _Server(ThreadingWSGIServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing of a client that has gone: it is no fault of this job."""
        _LOG.debug("metrics: no answer to %s", client_address, exc_info=True)


class _ServerOf6(_Server):
    address_family = socket.AF_INET6

    def server_bind(self) -> None:
        """Bind; ``::`` takes IPv4 too."""
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class _Handler(WSGIRequestHandler):
    timeout = 10.0

    def log_message(self, *_: Any) -> None:
        """Log nothing: a scrape every few seconds is no news."""


def application(folder: Path) -> WSGIApplication:
    """Return what answers with the counts of a folder, or with how its workers are."""
    metrics = make_wsgi_app(registry(folder))

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return metrics(environ, start_response)
        if path == "/healthz":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [(json.dumps({"workers": workers(folder)}) + "\n").encode()]
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"/metrics or /healthz\n"]

    return answer


def registry(folder: Path) -> CollectorRegistry:
    """Return the counts of all processes of a folder, as they are whenever they are asked for."""
    made = CollectorRegistry()
    MultiProcessCollector(made, str(folder))  # type: ignore[no-untyped-call]
    made.register(_Workers(folder))
    return made


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
        text = next(one.help for one in CATALOGUE if one.name == WORKERS)
        yield GaugeMetricFamily(f"{PREFIX}_{WORKERS}", text, value=workers(self._folder))
