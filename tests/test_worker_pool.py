"""The workers beside a TaskManager: they are there before they are asked for, and end when told."""

import signal
import socket
import subprocess
import sys
import time

from flink.processes import free_ports


def test_it_listens_on_loopback_until_it_is_told_to_end(tmp_path):
    (port,) = free_ports(1)
    line = [sys.executable, "-m", "beam_pipeline.worker_pool", f"--port={port}"]
    pool = subprocess.Popen(line)
    try:
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < end
                assert pool.poll() is None
                time.sleep(0.1)
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(30) == 0
    finally:
        pool.kill()
        pool.wait()
