"""A real Flink cluster and a real Kafka broker: up, killed in part, and gone without a trace."""

import os
import subprocess
import sys
import time
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to
from confluent_kafka import Consumer, Producer, TopicPartition

from flink import parts
from flink.dev import configuration
from flink.dev.cluster import Cluster
from flink.processes import Problem, free_ports
from flink.settings import QUICK, ClusterSettings

# The start of five Java machines on a busy core takes longer than any other test may.
pytestmark = pytest.mark.timeout(1200)

RECORDS = 1000


def processes_of(folder):
    """Find every process whose command line names a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def exposed(pids):
    """Find the ports that other machines could reach."""
    sockets = set()
    for pid in pids:
        for path in Path(f"/proc/{pid}/fd").iterdir():
            try:
                sockets.add(os.readlink(path))
            except OSError:
                continue
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            address, _, port = fields[1].partition(":")
            # State 0A listens; 127.0.0.1 and ::1, in the byte order of the machine.
            local = address.endswith("0100007F") or address == "0" * 24 + "01000000"
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets and not local:
                found.append(int(port, 16))
    return found


@pytest.fixture(scope="module")
def flink(cluster, tmp_path_factory):
    names = ("port", "rpc_port", "job_port", "artifact_port", "zookeeper_port")
    folder = tmp_path_factory.mktemp("flink") / "cluster"
    settings = ClusterSettings(
        folder=folder,
        timeout_s=300.0,
        high_availability=True,
        java_options=QUICK,
        **dict(zip(names, free_ports(5), strict=True)),
    )
    made = Cluster(settings)
    try:
        said = made.up()
        assert said.startswith(f"the cluster is up: http://localhost:{settings.port}, tm-1, tm-2")
        yield made
    finally:
        made.down()
    assert not processes_of(folder)


def test_a_second_up_says_that_it_is_up(flink):
    before = flink.processes.alive()
    assert len(before) == 5
    assert flink.up().startswith("the cluster is up already")
    assert flink.processes.alive() == before
    assert flink.taskmanagers() == {"tm-1": 2, "tm-2": 2}


def test_a_process_without_memory_would_end_rather_than_stand_still(flink):
    for name in ("jobmanager", "tm-1", "tm-2"):
        command = Path(f"/proc/{flink.processes.alive()[name]}/cmdline").read_bytes()
        assert b"-XX:+ExitOnOutOfMemoryError" in command.split(b"\0")


def job(pids, options):
    """Sum numbers on the cluster, and look meanwhile at what its processes open."""
    with beam.Pipeline(options=PipelineOptions(options)) as pipeline:
        sums = (
            pipeline
            | "Make" >> beam.Create([1, 2, 3, 4])
            | "Key" >> beam.WithKeys(lambda number: number % 2)
            | "Sum" >> beam.CombinePerKey(sum)
        )
        assert_that(sums, equal_to([(0, 6), (1, 4)]), label="Sums")
        open_ports = sums | "Look" >> beam.Map(lambda _: exposed(pids))
        assert_that(open_ports, equal_to([[], []]), label="Closed")


def test_a_job_runs_and_opens_nothing_to_other_machines(flink):
    # In a process of its own: threads of Beam's worker end with an error when Flink hangs up.
    script = (
        f"import sys; from {Path(__file__).stem} import job; job(sys.argv[1].split(), sys.argv[2:])"
    )
    pids = " ".join(map(str, flink.processes.alive().values()))
    options = configuration.pipeline_options(flink.settings)
    done = subprocess.run(
        [sys.executable, "-c", script, pids, *options],
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONPATH": str(parts.ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (found,) = flink.ask("/jobs/overview")["jobs"]
    assert found["state"] == "FINISHED"


def test_a_killed_taskmanager_is_noticed_and_replaced(flink):
    victim = sorted(flink.taskmanagers())[0]
    flink.kill(victim)
    assert flink.lack() in (f"{victim} has ended", "tm runs 1 times, not 2")
    new = flink.start("tm")
    assert flink.lack() is None
    known = flink.taskmanagers()
    assert victim not in known
    assert known[new] == 2
    assert len(known) == 2


def test_workers_find_a_new_jobmanager(flink):
    workers = flink.taskmanagers()
    flink.kill("jobmanager")
    assert flink.lack() == "jobmanager does not run"
    assert flink.up().startswith("the cluster is up: ")
    assert flink.taskmanagers() == workers


def test_down_leaves_nothing_even_after_a_crash(flink):
    folder = flink.settings.folder
    flink.kill(sorted(flink.taskmanagers())[0])
    assert len(processes_of(folder)) == 4
    assert flink.down() == "the cluster is down"
    assert not folder.exists()
    assert not processes_of(folder)
    assert flink.down() == "the cluster is down already"


def test_records_outlive_the_broker(kafka):
    assert kafka.up() == f"the broker is up: {kafka.address}"
    assert kafka.up() == f"the broker is up already: {kafka.address}"
    producer = Producer({"bootstrap.servers": kafka.address, "acks": "all"})
    for number in range(RECORDS):
        producer.produce("frames", str(number).encode())
    assert producer.flush(60) == 0
    kafka.kill()
    assert kafka.topics() is None
    kafka.up()
    assert kafka.topics() == ["frames"]
    assert read(kafka, RECORDS) == [str(number).encode() for number in range(RECORDS)]


def read(kafka, count):
    consumer = Consumer(
        {"bootstrap.servers": kafka.address, "group.id": "test", "enable.auto.commit": False}
    )
    try:
        consumer.assign([TopicPartition("frames", 0, 0)])
        found, end = [], time.monotonic() + 240
        while len(found) < count and time.monotonic() < end:
            found += consumer.consume(count - len(found), timeout=1)
        return [one.value() for one in found]
    finally:
        consumer.close()


def test_a_broker_that_ends_says_why(kafka):
    kafka.up()
    kafka.processes.end(["broker"])
    meta = kafka.settings.folder / "data" / "meta.properties"
    meta.write_text(meta.read_text().replace("node.id=1", "node.id=7"))
    with pytest.raises(Problem, match=r"(?s)the broker has ended; .*broker\.out:.*node id 7"):
        kafka.up()
    meta.write_text(meta.read_text().replace("node.id=7", "node.id=1"))


def test_down_leaves_nothing_of_the_broker(kafka):
    kafka.up()
    assert len(processes_of(kafka.settings.folder)) == 1
    assert not exposed(kafka.processes.alive().values())
    assert kafka.down() == "the broker is down"
    assert not kafka.settings.folder.exists()
    assert not processes_of(kafka.settings.folder)
    assert kafka.down() == "the broker is down already"
