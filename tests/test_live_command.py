"""The way in to a live job: its options, its workers, and mistakes told in one line."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc

from beam_pipeline import cli
from beam_pipeline.commands import live_options
from beam_pipeline.flink.rest import FlinkCluster
from beam_pipeline.flink.workers import pool
from beam_pipeline.options import OptionError
from flink.processes import free_ports


def options(master=None, rest=()):
    made = live_options.live_options(master, "127.0.0.1:5", list(rest))
    return dict(option[2:].partition("=")[::2] for option in made)


def test_a_job_is_a_stream_with_short_bundles_on_our_workers(tmp_path, monkeypatch):
    jar = tmp_path / "job-server.jar"
    jar.touch()
    monkeypatch.setattr(live_options, "JOB_SERVER", jar)
    made = options()
    assert made["runner"] == "FlinkRunner"
    assert made["flink_master"] == "[local]"
    assert made["flink_job_server_jar"] == str(jar)
    assert made["environment_type"] == "EXTERNAL"
    assert made["environment_config"] == "127.0.0.1:5"
    assert "streaming" in made
    assert int(made["max_bundle_time_mills"]) <= 100
    opened = [
        option
        for option in live_options.live_options(None, "w", [])
        if option.startswith("--job_server_jvm_properties=--add-opens=")
    ]
    assert len(opened) == 3
    assert not [option for option in opened if " " in option]
    with socket.create_server(("127.0.0.1", 0)) as cluster:
        master = f"127.0.0.1:{cluster.getsockname()[1]}"
        assert options(master)["flink_master"] == master


def test_what_is_typed_wins():
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"--job_endpoint=127.0.0.1:{server.getsockname()[1]}"
        made = live_options.live_options(None, "w", [endpoint, "--max_bundle_size=7"])
    assert "--runner=PortableRunner" in made
    assert [o for o in made if o.startswith("--max_bundle_size")] == ["--max_bundle_size=7"]
    assert not [o for o in made if o.startswith("--flink")]


def test_a_missing_job_server_is_a_line_that_says_how_to_build_it(tmp_path, monkeypatch):
    monkeypatch.setattr(live_options, "JOB_SERVER", tmp_path / "nowhere.jar")
    with pytest.raises(OptionError, match="make flink-jar"):
        options()


def stop(address, name):
    with grpc.insecure_channel(address) as channel:
        service = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel)
        return service.StopWorker(beam_fn_api_pb2.StopWorkerRequest(worker_id=name))


@pytest.mark.parametrize("option", ["--flink_master", "--job_endpoint"])
def test_a_cluster_that_does_not_answer_is_a_line_and_not_a_wait(option):
    address = f"127.0.0.1:{free_ports(1)[0]}"
    given = (address, []) if option == "--flink_master" else (None, [f"{option}={address}"])
    with pytest.raises(OptionError, match=f"nobody answers at {option} {address}.*start it"):
        live_options.live_options(given[0], "w", given[1])


def start(address, name):
    with grpc.insecure_channel(address) as channel:
        service = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel)
        request = beam_fn_api_pb2.StartWorkerRequest(worker_id=name)
        # Nobody answers there: the worker waits, or ends and says why in its log.
        for field in ("control_endpoint", "logging_endpoint", "provision_endpoint"):
            getattr(request, field).url = f"127.0.0.1:{free_ports(1)[0]}"
        return service.StartWorker(request)


def running(logs):
    """List the processes that write their log in a folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            said = os.readlink(folder / "fd" / "1")
        except OSError:
            continue
        if said.startswith(str(logs)):
            found.append(folder.name)
    return found


def test_a_worker_waits_for_the_next_order_and_all_end_with_their_pool(tmp_path):
    logs = tmp_path / "logs"
    with pool(logs) as address:
        (waiting,) = running(logs)
        assert not start(address, "1-1").error
        assert len(running(logs)) == 2
        assert waiting in running(logs)
    assert not running(logs)


def test_workers_of_one_name_are_not_taken_for_one_another(tmp_path):
    # Two TaskManagers each have a worker of this name, and one of them has ended its own.
    logs = tmp_path / "logs"
    with pool(logs) as address:
        assert not start(address, "1-1").error
        assert not start(address, "1-1").error
        assert not stop(address, "1-1").error
        assert len(running(logs)) == 3
    assert not running(logs)


def test_the_pool_listens_to_this_machine_only(tmp_path):
    with pool(tmp_path / "logs") as address:
        host, _, port = address.partition(":")
        assert host == "127.0.0.1"
        listening = [
            line.split()[1]
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
            if line.split()[3] == "0A" and line.split()[1].endswith(f":{int(port):04X}")
        ]
        # 127.0.0.1, in the byte order of the machine, as itself or inside an IPv6 address.
        assert [each.partition(":")[0][-8:] for each in listening] == ["0100007F"]


def test_a_cluster_that_is_away_is_waited_for_and_then_lost():
    cluster = FlinkCluster(f"127.0.0.1:{free_ports(1)[0]}")
    assert cluster.state("job") is None
    assert cluster.watch("job", patience_s=0.0) == "LOST"
    assert not cluster.cancel("job", patience_s=0.1)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--brokers", "nowhere"], "is not HOST:PORT"),
        (["--brokers", "127.0.0.1:1"], "no broker answers"),
        (["--brokers", "127.0.0.1:1", "--kafka-config", "nowhere.txt"], "nowhere.txt"),
        (["--brokers", "127.0.0.1:1", "--publish", "a b"], "cannot be the name of a topic"),
    ],
)
def test_a_mistake_is_one_line(arguments, line, capsys, monkeypatch):
    monkeypatch.setattr("transforms.broker.ensure_topics.__defaults__", (0.5,))
    assert cli.main(["live", "--topic", "t", *arguments]) == cli.USAGE
    said = capsys.readouterr().err.strip()
    assert line in said
    assert len(said.splitlines()) == 1


@pytest.mark.slow
def test_a_worker_without_an_order_ends():
    command = [sys.executable, "-m", "beam_pipeline.flink.worker"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == 0


def test_workers_find_in_their_environment_what_the_pool_was_told(tmp_path):
    logs = tmp_path / "logs"
    with pool(logs, {"WAVEFIER_METRICS": "127.0.0.1:9"}):
        (waiting,) = running(logs)
        environment = Path(f"/proc/{waiting}/environ").read_bytes().split(b"\0")
    assert b"WAVEFIER_METRICS=127.0.0.1:9" in environment


def test_an_address_of_metrics_that_cannot_be_is_a_line(capsys):
    command = ["live", "--brokers", "127.0.0.1:1", "--topic", "t", "--metrics", "9400"]
    assert cli.main(command) == 2
    said = capsys.readouterr().err
    assert said == (
        "wavefier: the address of metrics (--metrics, WAVEFIER_METRICS) must be HOST:PORT, "
        "as in 127.0.0.1:9400, not '9400'\n"
    )
