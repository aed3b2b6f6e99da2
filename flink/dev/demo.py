"""GW150914 live: ``python -m flink.dev.demo`` plays it and prints triggers as they come."""

import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flink.dev.broker import Broker
from flink.dev.cluster import Cluster
from flink.processes import Problem
from flink.settings import ROOT, BrokerSettings, ClusterSettings

STRAIN = sorted((ROOT / "tests" / "data").glob("*_LOSC_4_V2-1126259446-32.hdf5"))
SCIENCE = Path(__file__).with_name("demo.yaml")
START_S = 120.0
"""How long the job may take to run [s]."""
REST_S = 20.0
"""How long triggers are waited for after the strain has ended [s]."""
_HEAD = "ifo   time [GPS s]     f [Hz]    SNR  label            status        after its data [s]"
_ROW = "{ifo:4} {time:16.4f} {frequency:8.1f} {snr:6.1f}  {label:16} {status:12} {delay:8.2f}"


def main() -> int:
    """Start what does not run yet, play, print, and stop what was started."""
    broker = Broker(BrokerSettings.from_environment())
    cluster = Cluster(ClusterSettings.from_environment())
    try:
        with _up(broker), _up(cluster):
            return _play(broker, cluster)
    except Problem as problem:
        sys.stderr.write(f"{problem}\n")
        return 1


@contextmanager
def _up(server: Broker | Cluster) -> Iterator[None]:
    said = server.up()
    print(said)
    try:
        yield
    finally:
        if "already" not in said:
            print(server.down())


def _play(broker: Broker, cluster: Cluster) -> int:
    run = f"demo-{uuid.uuid4().hex[:8]}"
    topics = [f"{run}.strain.{ifo}" for ifo in ("H1", "L1")]
    _make_topics(broker.address, topics)
    with tempfile.TemporaryDirectory() as folder, _live(broker, cluster, run, topics, Path(folder)):
        _wait_until_it_runs(cluster, f"wavefier-live-{run}")
        topic = f"--topic={run}.strain.{{ifo}}"
        player = _wavefier("replay", *map(str, STRAIN), f"--brokers={broker.address}", topic)
        try:
            found = _print_triggers(broker.address, f"{run}.triggers", player)
        finally:
            player.terminate()
            player.wait()
    return 0 if found else 1


def _make_topics(address: str, names: Sequence[str]) -> None:
    from transforms.broker import KafkaConfig, Topic, ensure_topics

    ensure_topics(KafkaConfig(address), dict.fromkeys(names, Topic()))


def _wavefier(*arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "beam_pipeline.cli", *arguments], cwd=ROOT)


@contextmanager
def _live(
    broker: Broker, cluster: Cluster, run: str, topics: Sequence[str], folder: Path
) -> Iterator[None]:
    job = _wavefier(
        "live",
        *(f"--topic={topic}" for topic in topics),
        f"--brokers={broker.address}",
        f"--publish={run}",
        f"--group={run}",
        "--start=earliest",
        f"--config={SCIENCE}",
        f"--output={folder / 'results'}",
        f"--logs={folder / 'logs'}",
        f"--flink_master=localhost:{cluster.settings.port}",
        f"--job_endpoint=localhost:{cluster.settings.job_port}",
    )
    try:
        yield
    finally:
        job.send_signal(2)
        job.wait()


def _wait_until_it_runs(cluster: Cluster, name: str) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if cluster.runs(name):
            return
        time.sleep(0.5)
    raise Problem(f"the job does not run after {START_S:g} s; see its page on the cluster")


def _print_triggers(address: str, topic: str, player: "subprocess.Popen[bytes]") -> bool:
    """Print triggers until some time after the strain has ended; return whether any came."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": address, "group.id": topic})
    consumer.assign([TopicPartition(topic, 0, 0)])
    print(_HEAD)
    found, end = False, float("inf")
    while time.monotonic() < end:
        if player.poll() is not None and end == float("inf"):
            end = time.monotonic() + REST_S
        message = consumer.poll(0.2)
        if message is not None and not message.error():
            print(_ROW.format(**json.loads(message.value())), flush=True)
            found = True
    consumer.close()
    return found


if __name__ == "__main__":
    sys.exit(main())
