"""The workers beside a TaskManager: they are there before they are asked for, and end when told."""

import json
import signal
import socket
import subprocess
import sys
import time

import pytest

from flink.processes import free_ports


def test_it_listens_on_loopback_until_it_is_told_to_end(tmp_path):
    (port,) = free_ports(1)
    line = [sys.executable, "-m", "beam_pipeline.flink.worker_pool", f"--port={port}"]
    pool = subprocess.Popen(line)
    try:
        end = time.monotonic() + 240
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < end
                assert pool.poll() is None
                time.sleep(0.1)
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(240) == 0
    finally:
        pool.kill()
        pool.wait()


SEARCH = """
import json
import numpy as np
from beam_pipeline.flink.worker import _prepare
from transforms.detect import kernels
from transforms.detect.bank import bank_for
from transforms.detect.config import DetectConfig
from transforms.detect.search import search
from transforms.elements import Whitened

def compiled():
    return {n: len(f.signatures) for n, f in vars(kernels).items() if hasattr(f, "signatures")}

_prepare()
prepared = compiled()
rate, config = 2048, DetectConfig()
bank = bank_for(rate, config, 15.0)
margin = bank.margin_seconds
samples = np.random.default_rng(1).standard_normal((2 * margin + 1) * rate, np.float32)
samples[(margin * 2 + 1) * rate // 2] += 30
end, ones = (2 * margin + 1) * 10**9, np.ones(1025)
block = Whitened(
    ifo="H1", channel="H1:STRAIN", sample_rate=rate, gps_start_ns=0, data=samples.tobytes(),
    valid_start_ns=0, valid_end_ns=end,
    analyse_start_ns=margin * 10**9, analyse_end_ns=(margin + 1) * 10**9,
    asd=ones.astype(np.float32).tobytes(), asd_start_ns=0, asd_step_ns=end, asd_resolution=1.0,
    response=ones.astype(np.complex64).tobytes(),
)
found = len(search(block, config, bank))
print(json.dumps({"found": found, "before": prepared, "after": compiled()}))
"""


@pytest.mark.slow
def test_a_worker_that_waits_has_compiled_what_a_search_runs():
    """At any rate, and whatever is found."""
    line = [sys.executable, "-c", SEARCH]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["found"]
    assert told["before"]
    assert told["before"] == told["after"]
