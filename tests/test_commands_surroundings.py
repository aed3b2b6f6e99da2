"""What surrounds a command: signals, proxies, temporary files."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import grpc
import pytest

from beam_pipeline.flink import bypass_proxy
from beam_pipeline.flink.rest import FlinkCluster
from beam_pipeline.interrupt import Interrupted, stoppable, whole
from flink.processes import free_ports

ROOT = Path(__file__).parents[1]
BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_is_known_by_its_exit_code(number):
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as stopped, stoppable():
        signal.raise_signal(number)
    assert stopped.value.exit_code == 128 + number
    assert signal.getsignal(number) == before


def test_the_first_signal_names_the_end_and_the_second_cuts_it_short():
    done = []

    def work():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            done.append("begun to end")
            signal.raise_signal(signal.SIGINT)
            done.append("ended in order")

    with pytest.raises(Interrupted) as stopped, stoppable():
        work()
    assert stopped.value.exit_code == 143
    assert done == ["begun to end"]


def test_what_is_half_done_is_done_before_a_signal_counts():
    done = []

    def work(signals):
        with whole():
            for number in signals:
                signal.raise_signal(number)
            done.append("whole")
        done.append("after")

    with pytest.raises(Interrupted) as stopped, stoppable():
        work([signal.SIGTERM])
    assert stopped.value.exit_code == 143
    assert done == ["whole"]
    with pytest.raises(Interrupted), stoppable():
        work(BOTH)
    assert done == ["whole"]


SLOW = """
import sys, time, signal, os
class Slow:
    def find_spec(self, name, *_):
        if name == sys.argv[1]:
            print("there", flush=True)
            try:
                time.sleep(60)
            except BaseException:  # as some libraries do
                raise ImportError("no such library") from None
sys.meta_path.insert(0, Slow())
from beam_pipeline import cli
sys.exit(cli.main(["run", "a.h5", "--output", sys.argv[2], "--runner=DirectRunner"]))
"""


@pytest.mark.parametrize("library", ["argparse", "erfa", "apache_beam", "h5py", "pyarrow"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_libraries_are_imported_is_one_line(library, number, code, tmp_path):
    given = tmp_path / "temporary"
    given.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, library, tmp_path / "out"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(given)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "there\n"
    process.send_signal(number)
    _, said = process.communicate(timeout=240)
    assert said == "wavefier: interrupted; what was written is whole\n"
    assert process.returncode == code
    assert not list(given.iterdir())
    assert not (tmp_path / "out").exists()


class Jobs(BaseHTTPRequestHandler):
    def do_GET(self):
        answer = b'{"jobs": [{"jid": "1", "name": "job", "state": "RUNNING", "start-time": 1}]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def dead_proxy(monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    (port,) = free_ports(1)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    # The client asks for the proxy when a channel is made, and has no other way to forget it.
    monkeypatch.setenv("no_proxy", "")


@pytest.mark.usefixtures("dead_proxy")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.1.1"])
def test_a_cluster_of_this_machine_is_asked_without_a_proxy(host):
    with HTTPServer((host, 0), Jobs) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        assert FlinkCluster(f"{host}:{server.server_port}").state("job") == "RUNNING"
        server.shutdown()


@pytest.mark.usefixtures("dead_proxy")
def test_other_machines_are_asked_through_the_proxy(monkeypatch):
    with HTTPServer(("127.0.0.1", 0), Jobs) as proxy:
        Thread(target=proxy.serve_forever, daemon=True).start()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_port}")
        assert FlinkCluster("cluster.invalid:8081").state("job") == "RUNNING"
        proxy.shutdown()


@pytest.mark.usefixtures("dead_proxy")
def test_beams_processes_talk_without_a_proxy():
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    bypass_proxy.bypass()
    with grpc.insecure_channel(f"localhost:{port}") as channel:
        grpc.channel_ready_future(channel).result(10)
    server.stop(0)


@pytest.mark.parametrize(
    ("given", "no_proxy"),
    [
        ({}, "localhost,127.0.0.1,::1"),
        ({"no_proxy": " .corp, localhost "}, ".corp,localhost,127.0.0.1,::1"),
        ({"NO_PROXY": ".corp"}, ".corp,localhost,127.0.0.1,::1"),
        ({"no_proxy": "a", "NO_PROXY": "b"}, "a,localhost,127.0.0.1,::1"),
    ],
)
def test_what_needs_no_proxy_is_kept(given, no_proxy):
    environment = dict(given)
    bypass_proxy.bypass(environment)
    bypass_proxy.bypass(environment)
    assert environment["no_proxy"] == no_proxy


@pytest.mark.slow
def test_of_temporary_files_nothing_is_left(tmp_path, data):
    given, output = tmp_path / "given", tmp_path / "output"
    given.mkdir()
    file = next(iter(sorted(data.glob("*.hdf5"))))
    done = subprocess.run(
        [sys.executable, "-m", "beam_pipeline.cli", "run", file, "--output", output],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(given)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not list(given.iterdir())
