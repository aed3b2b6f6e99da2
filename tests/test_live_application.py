"""A live job as a jar, and what is around it on Kubernetes: without a cluster."""

import json
import re
import ssl
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from google.protobuf import json_format

from beam_pipeline import cli
from beam_pipeline.commands.live_options import stream_options
from beam_pipeline.config import parse_config
from beam_pipeline.flink import ha_cleanup, rest
from beam_pipeline.flink.application import write_application
from beam_pipeline.flink.ha_cleanup import ApiError, ConfigMaps, forget, former
from beam_pipeline.live import LiveJob
from flink.processes import free_ports
from transforms.broker import BrokerError, KafkaConfig
from transforms.files import OutputError
from transforms.ingest.stitch.stage import ReachError

CONFIG = parse_config({"whiten": {"psd_seconds": 16, "update_seconds": 16}})


def job(output="", properties=""):
    kafka = KafkaConfig("kafka:9092", properties)
    return LiveJob(
        kafka=kafka,
        topics=("strain",),
        group="group",
        start="earliest",
        publish="found",
        output=output,
    )


def written(path, **kwargs):
    given = ["--job_name=wavefier-live-group"]
    options = [*stream_options("localhost:50000", given), *given]
    write_application(path, job(**kwargs), CONFIG, options)
    with zipfile.ZipFile(path) as jar:
        return {name: json.loads(jar.read(name)) for name in jar.namelist()}


def test_the_jar_holds_what_beams_program_reads(tmp_path):
    from apache_beam.portability.api import beam_runner_api_pb2

    files = written(tmp_path / "job.jar")
    assert set(files) == {
        "BEAM-PIPELINE/pipeline-manifest.json",
        "BEAM-PIPELINE/wavefier/pipeline.json",
        "BEAM-PIPELINE/wavefier/pipeline-options.json",
    }
    assert files["BEAM-PIPELINE/pipeline-manifest.json"] == {"defaultJobName": "wavefier"}
    graph = json_format.ParseDict(
        files["BEAM-PIPELINE/wavefier/pipeline.json"], beam_runner_api_pb2.Pipeline()
    )
    (environment,) = {
        one.urn: one
        for one in graph.components.environments.values()
        if one.urn == "beam:env:external:v1"
    }.values()
    payload = beam_runner_api_pb2.ExternalPayload.FromString(environment.payload)
    assert payload.endpoint.url == "localhost:50000"
    names = {one.unique_name for one in graph.components.transforms.values()}
    assert {"Ingest", "Analyse", "Publish"} <= names


def test_options_reach_flink_as_they_are_for_a_job_server(tmp_path):
    found = written(tmp_path / "job.jar")["BEAM-PIPELINE/wavefier/pipeline-options.json"]
    options = {name.split(":")[2]: value for name, value in found.items()}
    assert options["streaming"] is True
    assert options["parallelism"] == "2"
    assert options["checkpointing_interval"] == "10000"
    assert options["max_bundle_time_mills"] == "100"
    assert options["max_cache_memory_usage_mb"] == "256"
    assert options["job_name"] == "wavefier-live-group"
    # With one, Flink would look for its class.
    assert "runner" not in options


def test_no_secret_can_travel_with_the_job_as_none_is_read(tmp_path):
    with pytest.raises(BrokerError, match="cannot be read"):
        job(properties="/nowhere/client.properties").kafka.client_settings()
    assert written(tmp_path / "job.jar", properties="/nowhere/client.properties")


def test_a_job_that_cannot_be_leaves_no_jar(tmp_path):
    with pytest.raises(OutputError):
        written(tmp_path / "job.jar", output="s3://bucket")
    config = parse_config({"whiten": {"psd_seconds": 4096, "update_seconds": 16}})
    with pytest.raises(ReachError):
        write_application(tmp_path / "job.jar", job(), config, stream_options("w:1", []))
    assert not list(tmp_path.glob("*.jar"))


@pytest.mark.slow
def test_a_broker_that_is_away_is_waited_for(tmp_path, capsys):
    nobody = f"127.0.0.1:{free_ports(1)[0]}"
    arguments = ["--brokers", nobody, "--topic", "a", "--application", str(tmp_path / "job.jar")]
    # Nobody answers in the time that one question is given; so there is one only.
    assert cli.main(["live", *arguments, "--patience", "0.1"]) == cli.USAGE
    assert f"no broker answers at {nobody}" in capsys.readouterr().err
    assert not (tmp_path / "job.jar").exists()


@pytest.mark.slow
def test_a_list_of_files_stands_for_its_lines(tmp_path, capsys):
    listed = tmp_path / "files.txt"
    listed.write_text(f"{tmp_path}/a.gwf\n{tmp_path}/b.gwf\n")
    output = tmp_path / "results"
    assert cli.main(["run", f"@{listed}", "--output", str(output)]) == cli.DATA_PROBLEM
    said = capsys.readouterr().err
    assert "a.gwf: no such file" in said
    assert "b.gwf: no such file" in said
    lines = (output / "dead_letters" / "dead_letters.jsonl").read_text().splitlines()
    assert len(lines) == 2


def test_former_jobs_are_those_of_one_name_and_no_others():
    ids = ["gw-0123456789", "gw-abcdef0123", "gw-live-0123456789", "gw-0123456", "xgw-0123456789"]
    assert former(ids, "gw", "gw-abcdef0123") == ["gw-0123456789"]
    assert former(ids, "gw", "") == ["gw-0123456789", "gw-abcdef0123"]
    assert former(ids, "gw.live", "") == []


class Kubernetes(BaseHTTPRequestHandler):
    """Kubernetes' API, as far as ConfigMaps go."""

    maps: dict
    token = "Bearer let-me-in"

    def do_GET(self):
        items = [
            {"metadata": {"name": name, "labels": {"app": app}}} for name, app in self.maps.items()
        ]
        selected = self.path.endswith(
            "/gw/configmaps?labelSelector=configmap-type%3Dhigh-availability"
        )
        self._answer(200 if selected else 400, {"items": items})

    def do_DELETE(self):
        gone = self.maps.pop(self.path.rpartition("/")[2], None)
        self._answer(200 if gone else 404, {})

    def _answer(self, code, body):
        if self.headers["Authorization"] != self.token:
            code, body = 403, {}
        text = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@contextmanager
def serving(handler, context=None):
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """Return a service account's folder, and the key of a server that it trusts."""
    folder = tmp_path_factory.mktemp("account")
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=kubernetes", "-addext", "subjectAltName=IP:127.0.0.1"]
    out = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "ca.crt")]
    subprocess.run([*request, *names, *out], check=True, capture_output=True)
    (folder / "token").write_text("let-me-in\n")
    (folder / "namespace").write_text("gw")
    return folder


@pytest.fixture
def api(account):
    """Yield the port of an API with the ConfigMaps of three jobs, and these."""
    maps = {
        "gw-0123456789-cluster-config-map": "gw-0123456789",
        "gw-0123456789-0000-config-map": "gw-0123456789",
        "gw-abcdef0123-cluster-config-map": "gw-abcdef0123",
        "other-0123456789-cluster-config-map": "other-0123456789",
    }
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(account / "ca.crt", account / "key.pem")
    with serving(type("Api", (Kubernetes,), {"maps": maps}), context) as port:
        yield port, maps


def test_a_former_jobs_leftovers_go_and_the_others_stay(account, api, tmp_path):
    port, maps = api
    for name in ("gw-0123456789", "gw-abcdef0123", "other"):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
    (tmp_path / "gw-0123456789.txt").touch()
    found = ConfigMaps(account, "127.0.0.1", str(port))
    gone = forget(found, "gw", "gw-abcdef0123", tmp_path)
    assert gone == [
        "gw-0123456789-0000-config-map",
        "gw-0123456789-cluster-config-map",
        str(tmp_path / "gw-0123456789"),
    ]
    assert sorted(maps.values()) == ["gw-abcdef0123", "other-0123456789"]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["gw-0123456789.txt", "gw-abcdef0123", "other"]
    found.delete("gone-already")


def test_of_a_shared_volume_only_the_own_namespace_is_touched(
    account, api, tmp_path, monkeypatch, capsys
):
    port, _ = api
    monkeypatch.setattr(ha_cleanup, "ACCOUNT", account)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(port))
    names = ("gw-0123456789", "gw-abcdef0123")
    kept = [tmp_path / "other" / name for name in names] + [tmp_path / name for name in names]
    kept.append(tmp_path / "gw" / "gw-abcdef0123")
    gone = tmp_path / "gw" / "gw-0123456789"
    linked = tmp_path / "gw" / "gw-9999999999"
    for folder in (*kept, gone):
        (folder / "checkpoints").mkdir(parents=True)
    linked.symlink_to(tmp_path / "other")
    words = ["--of", "gw", "--but", "gw-abcdef0123", "--folder", str(tmp_path)]
    assert ha_cleanup.main(words) == 0
    assert str(gone) in capsys.readouterr().out
    assert not gone.exists()
    assert linked.is_symlink()
    assert all((folder / "checkpoints").is_dir() for folder in kept)
    # Of a new namespace, there is no folder yet.
    assert ha_cleanup.main([*words[:-1], str(tmp_path / "other")]) == 0


@pytest.mark.parametrize("namespace", ["", "..", "a/b", "/", "A", "a" * 64])
def test_a_namespace_that_cannot_be_is_no_part_of_a_path(namespace, account, tmp_path):
    for name in ("ca.crt", "token"):
        (tmp_path / name).write_bytes((account / name).read_bytes())
    (tmp_path / "namespace").write_text(namespace)
    with pytest.raises(ApiError, match="holds no namespace"):
        ConfigMaps(tmp_path, "127.0.0.1", "1")


def test_the_command_says_what_it_forgot(account, api, monkeypatch, capsys):
    port, maps = api
    monkeypatch.setattr(ha_cleanup, "ACCOUNT", account)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(port))
    assert ha_cleanup.main(["--of", "gw"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert list(maps) == ["other-0123456789-cluster-config-map"]


def test_a_missing_right_or_account_is_one_line(account, api, tmp_path, monkeypatch, capsys):
    port, _ = api
    for name in ("ca.crt", "namespace"):
        (tmp_path / name).write_bytes((account / name).read_bytes())
    with pytest.raises(ApiError, match="no service account"):
        ConfigMaps(tmp_path, "127.0.0.1", str(port))
    (tmp_path / "token").write_text("wrong")
    monkeypatch.setattr(ha_cleanup, "ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(port))
    assert ha_cleanup.main(["--of", "gw"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "403" in line
    assert "right" in line


def test_kubernetes_must_show_whom_it_is(api, account, tmp_path):
    port, _ = api
    other = tmp_path / "other"
    other.mkdir()
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other"]
    out = ["-keyout", str(other / "key.pem"), "-out", str(other / "ca.crt")]
    subprocess.run([*request, *out], check=True, capture_output=True)
    for name in ("token", "namespace"):
        (other / name).write_bytes((account / name).read_bytes())
    with pytest.raises(ApiError, match="certificate"):
        ConfigMaps(other, "127.0.0.1", str(port)).clusters()


class Flink(BaseHTTPRequestHandler):
    """The REST interface of a cluster with one job."""

    status: list

    def do_GET(self):
        # Each question finds the tasks further on.
        now = self.status.pop(0) if len(self.status) > 1 else self.status[0]
        tasks = {"total": 2, "running": ["RUNNING", now].count("RUNNING")}
        job = {"jid": "1", "name": "job", "start-time": 1, "state": "RUNNING", "tasks": tasks}
        body = {"jobs": [job]}
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(
    ("status", "name", "patience", "code", "said"),
    [
        (["DEPLOYING", "RUNNING"], "job", 240, 0, "job at .*: RUNNING$"),
        (["DEPLOYING"], "job", 2, 1, "job at .*: RUNNING, not all of its tasks run$"),
        (["RUNNING"], "none", 2, 1, "none at .*: not known$"),
    ],
)
def test_a_release_is_tested_by_whether_its_job_runs(status, name, patience, code, said):
    with serving(type("One", (Flink,), {"status": status})) as port:
        where = f"127.0.0.1:{port}"
        command = [sys.executable, "-m", "beam_pipeline.flink.rest", where, name]
        command.append(f"--patience={patience}")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert re.match(said, done.stdout.strip())


def test_a_cluster_that_is_away_does_not_run():
    assert rest.main([f"127.0.0.1:{free_ports(1)[0]}", "job"]) == 1
