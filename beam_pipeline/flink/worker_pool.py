"""The workers beside one TaskManager: ``python -m beam_pipeline.flink.worker_pool``, in its pod.

In place of the pool of Beam's images (``boot --worker_pool``): that one listens to every network,
has each worker ask pip what is installed, and makes a worker only when it is wanted, so that a
job that begins again waits for all imports and compilation. What workers log is printed.
"""

import argparse
import signal
import threading
from collections.abc import Sequence

from beam_pipeline import private_tmpdir
from beam_pipeline.flink import bypass_proxy

PORT = 50000
"""Where Beam's own images listen."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve workers until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, default=PORT, help="where to listen, on loopback")
    given = parser.parse_args(arguments)
    bypass_proxy.bypass()
    private_tmpdir.use()
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    # Only now: what it imports reads the environment that was just set.
    from beam_pipeline.flink.workers import pool

    with pool(None, port=given.port):
        asked.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
