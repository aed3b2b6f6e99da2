"""A live job in application mode, as its pods run it: real processes, one of them killed."""

import os
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from beam_pipeline import cli
from beam_pipeline.flink.application import PROGRAM
from beam_pipeline.flink.workers import pool
from flink import parts
from flink.dev import configuration, launch
from flink.dev.cluster import Cluster
from flink.processes import free_ports
from flink.settings import QUICK, ROOT, ClusterSettings

# Five Java machines start, one of them twice.
pytestmark = pytest.mark.timeout(1800)

GROUP = "application"
JOB = f"wavefier-live-{GROUP}"


def wait_for(what, seconds=600.0):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"{what.__doc__} within {seconds:g} s"
        time.sleep(0.5)
    return found


PASSWORD = "internal"


def keystore(folder):
    """Make a key, and a store of it as the chart's init container does."""
    key, certificate, store = (folder / name for name in ("tls.key", "tls.crt", "internal.p12"))
    line = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    line += ["-nodes", "-days", "2", "-subj", "/CN=test", "-keyout", key, "-out", certificate]
    subprocess.run(line, check=True, capture_output=True)
    line = ["openssl", "pkcs12", "-export", f"-in={certificate}", f"-inkey={key}"]
    line += ["-name=internal", f"-passout=pass:{PASSWORD}", f"-out={store}"]
    subprocess.run(line, check=True, capture_output=True)
    return store


def listening(pid):
    """Return the ports of TCP on which a process listens."""
    inodes = {
        target[8:-1]
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if (target := os.readlink(link)).startswith("socket:[")
    }
    return {
        int(fields[1].rpartition(":")[2], 16)
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        if (fields := line.split())[3] == "0A" and fields[9] in inodes
    }


def refused(port):
    """Return whether a port of Flink's sends away who has no key, by TLS and without."""
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    plain.check_hostname, plain.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("localhost", port), 60) as connection:
        try:
            plain.wrap_socket(connection)
        except (ssl.SSLError, ConnectionError):
            return True
    return False


class Pods:
    """What the pods run, each in a home of its own with what its image and mounts hold."""

    def __init__(self, folder):
        names = ("port", "rpc_port", "job_port", "artifact_port", "zookeeper_port")
        self.settings = ClusterSettings(
            folder=folder / "cluster",
            high_availability=True,
            java_options=QUICK,
            checkpoint_ms=2000,
            **dict(zip(names, free_ports(5), strict=True)),
        )
        self.settings.folder.mkdir()
        self.settings.save()
        conf = configuration.write_cluster(self.settings, parts.distribution())
        secured = configuration.internal_tls(keystore(folder), PASSWORD)
        with (conf / "config.yaml").open("a") as file:
            file.writelines(f"{key}: {value}\n" for key, value in secured.items())
        self.cluster = Cluster(self.settings)
        self.homes = {name: self._home(folder / name) for name in ("jobmanager", "tm-1")}
        self.jar = self.homes["jobmanager"] / "usrlib" / "job" / "wavefier.jar"

    def _home(self, home):
        (home / "lib").mkdir(parents=True)
        (home / "usrlib" / "job").mkdir(parents=True)
        for library in (parts.distribution() / "lib").iterdir():
            (home / "lib" / library.name).symlink_to(library)
        (home / "usrlib" / "job-server.jar").symlink_to(parts.job_server())
        return home

    def start(self, name):
        command = launch.command(self.settings, name)
        if name == "jobmanager":
            script = parts.distribution() / "bin" / "standalone-job.sh"
            command = [script, "start-foreground", "--job-classname", PROGRAM]
        given = launch.environment(self.settings, name)
        before = os.getcwd()
        if name in self.homes:
            given["FLINK_LIB_DIR"] = str(self.homes[name] / "lib")
            os.chdir(self.homes[name])
        try:
            self.cluster.processes.start(name, command, given)
        finally:
            os.chdir(before)

    def checkpoints(self):
        job = self.cluster.job(JOB)
        return (self.cluster.ask(f"/jobs/{job['jid']}/checkpoints") or {}) if job else {}

    def end(self):
        self.cluster.processes.end(self.cluster.processes.names())


@pytest.fixture
def pods(cluster, tmp_path):
    made = Pods(tmp_path)
    try:
        yield made
    finally:
        made.end()


def published(broker, topic):
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "look"})
    try:
        place = TopicPartition(topic, 0, 0)
        _, end = consumer.get_watermark_offsets(place, timeout=240)
        return end
    finally:
        consumer.close()


def test_the_job_runs_without_a_client_and_outlives_its_jobmanager(pods, broker, data, tmp_path):
    strain = str(next(iter(data.glob("H-H1_LOSC*.hdf5"))))
    where = ["--brokers", broker.address]
    with pool(tmp_path / "logs") as workers:
        line = ["live", *where, "--topic", "frames", "--make-topics", "--publish", GROUP]
        line += ["--group", GROUP, "--start", "earliest", "--application", str(pods.jar)]
        science = ROOT / "flink" / "dev" / "demo.yaml"
        line += ["--config", str(science), f"--environment_config={workers}"]
        assert cli.main(line) == cli.DONE
        assert pods.jar.stat().st_size < 100_000
        for name in ("zookeeper", "jobmanager", "tm-1"):
            pods.start(name)

        def runs():
            """The job runs."""
            return pods.cluster.runs(JOB)

        wait_for(runs)
        assert cli.main(["replay", strain, *where, "--topic", "frames", "--speed", "0"]) == cli.DONE

        def analysed():
            """Segments come out."""
            return published(broker, f"{GROUP}.segments")

        wait_for(analysed)

        def kept():
            """A checkpoint is complete."""
            return (pods.checkpoints().get("counts") or {}).get("completed")

        wait_for(kept)
        # RPC and blobs: but for its page, Flink answers nobody without the key.
        ports = listening(pods.cluster.processes.alive()["jobmanager"]) - {pods.settings.port}
        assert len(ports) >= 2
        assert all(refused(port) for port in ports)
        pods.cluster.kill("jobmanager")
        pods.start("jobmanager")

        def restored():
            """The job is back from its checkpoint."""
            return (pods.checkpoints().get("latest") or {}).get("restored")

        wait_for(restored)
        wait_for(runs)
