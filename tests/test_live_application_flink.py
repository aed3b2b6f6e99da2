"""A live job in application mode, as its pods run it: real processes, one of them killed."""

import os
import time

import pytest
from confluent_kafka import Consumer, TopicPartition

from beam_pipeline import cli
from beam_pipeline.application import PROGRAM
from beam_pipeline.workers import pool
from flink import configuration, launch, parts
from flink.cluster import Cluster
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
        configuration.write_cluster(self.settings, parts.distribution())
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
def pods(java, tmp_path):
    made = Pods(tmp_path)
    try:
        yield made
    finally:
        made.end()


def published(broker, topic):
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "look"})
    try:
        place = TopicPartition(topic, 0, 0)
        _, end = consumer.get_watermark_offsets(place, timeout=10)
        return end
    finally:
        consumer.close()


def test_the_job_runs_without_a_client_and_outlives_its_jobmanager(pods, broker, data, tmp_path):
    strain = str(next(iter(data.glob("H-H1_LOSC*.hdf5"))))
    where = ["--brokers", broker.address]
    with pool(tmp_path / "logs") as workers:
        line = ["live", *where, "--topic", "frames", "--make-topics", "--publish", GROUP]
        line += ["--group", GROUP, "--start", "earliest", "--application", str(pods.jar)]
        line += ["--config", str(ROOT / "flink" / "demo.yaml"), f"--environment_config={workers}"]
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
        pods.cluster.kill("jobmanager")
        pods.start("jobmanager")

        def restored():
            """The job is back from its checkpoint."""
            return (pods.checkpoints().get("latest") or {}).get("restored")

        wait_for(restored)
        wait_for(runs)
