"""Python workers for a Flink cluster on this machine, each a process of its own.

Beam has such a pool too; it listens to every network, gives workers no options and no state
cache, and holds what they print until they hang. This one listens on loopback, and a worker
is what Beam's own images run, in this environment.
"""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import IO, Any

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc

_LOG = logging.getLogger(__name__)
HOST = "127.0.0.1"
_PATIENCE_S = 10.0
"""How long a worker may take to end by itself [s]."""


class _Pool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):  # type: ignore[misc]
    """Starts workers; each ends by itself when its TaskManager hangs up.

    TaskManagers do not know of each other: two of them have workers of the same name.
    """

    def __init__(self, logs: Path | None, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self._environment = {**os.environ, **environment}
        self._lock = Lock()
        self._workers: list[subprocess.Popen[bytes]] = []
        self._made = 0
        self._spare = self._make()

    def StartWorker(self, request: Any, context: Any) -> Any:
        """Return work to the worker that waits, and make the next one that will."""
        self.running()
        order = {
            "WORKER_ID": request.worker_id,
            "WAVEFIER_CONTROL": request.control_endpoint.url,
            "WAVEFIER_LOGGING": request.logging_endpoint.url,
            "WAVEFIER_PROVISION": request.provision_endpoint.url,
        }
        try:
            with self._lock:
                worker, self._spare = self._spare, self._make()
            if worker.stdin is None:
                raise RuntimeError("a worker without an input")
            worker.stdin.write(json.dumps(order).encode() + b"\n")
            worker.stdin.close()
        except OSError as error:
            _LOG.error("worker %s does not start: %s", request.worker_id, error)
            return beam_fn_api_pb2.StartWorkerResponse(error=str(error))
        return beam_fn_api_pb2.StartWorkerResponse()

    def _make(self) -> "subprocess.Popen[bytes]":
        """Start a worker that waits for its order: what it imports takes seconds."""
        self._made += 1
        with ExitStack() as stack:
            log: IO[bytes] | None = None
            if self._logs is not None:
                path = self._logs / f"worker-{self._made}.log"
                log = stack.enter_context(open(path, "ab"))
            worker = subprocess.Popen(
                [sys.executable, "-m", "beam_pipeline.flink.worker"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        self._workers.append(worker)
        return worker

    def StopWorker(self, request: Any, context: Any) -> Any:
        """Leave it to the worker, whose TaskManager hangs up: its name may be another's too."""
        self.running()
        return beam_fn_api_pb2.StopWorkerResponse()

    def running(self) -> list[subprocess.Popen[bytes]]:
        """Return the workers that have not ended, and forget the others."""
        with self._lock:
            self._workers = [worker for worker in self._workers if worker.poll() is None]
            return list(self._workers)


@contextmanager
def pool(
    logs: Path | None, environment: Mapping[str, str] | None = None, port: int = 0
) -> Iterator[str]:
    """Serve workers while the block runs; none is left after it.

    Args:
        logs: Folder of the workers' logs, made if missing; None: they print what they log.
        environment: What workers find in theirs beside what is in this process's.
        port: Where to listen; 0: at any free port.

    Yields:
        The address, as ``--environment_config`` takes it.
    """
    if logs is not None:
        logs.mkdir(parents=True, exist_ok=True)
    made = _Pool(logs, environment or {})
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(made, server)
    found = server.add_insecure_port(f"{HOST}:{port}")
    server.start()
    try:
        yield f"{HOST}:{found}"
    finally:
        server.stop(0).wait()
        _end(made.running())


def _end(workers: list[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        if worker.stdin is not None:
            worker.stdin.close()
        worker.terminate()
    for worker in workers:
        try:
            worker.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
