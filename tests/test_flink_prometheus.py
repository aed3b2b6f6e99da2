"""Asking Prometheus: what it refuses is one line, whatever form its answer has."""

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from flink.dev.prometheus import Prometheus
from flink.processes import Problem


@pytest.fixture
def refusing():
    """Return a server's port, and the list of what it will answer with 503."""
    bodies = []

    class Refuse(BaseHTTPRequestHandler):
        def do_GET(self):
            body = bodies.pop(0)
            self.send_response(503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Refuse) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port, bodies
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"Service Unavailable\n", "503 Service Unavailable"),
        (b'{"status": "error", "error": "bad query"}', "bad query"),
        (b"[]", r"503 \[\]"),
    ],
)
def test_a_refusal_is_one_line(refusing, tmp_path, body, said):
    port, bodies = refusing
    server = Prometheus(tmp_path / "server", port, ())
    bodies += [body, body]
    with pytest.raises(Problem, match=said) as raised:
        server.ask("query", query="up")
    assert "\n" not in str(raised.value).strip()
    assert not server._answers()  # it may be starting
