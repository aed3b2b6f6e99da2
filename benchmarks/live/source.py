"""How long a frame takes from the topic into the pipeline, and what reading it costs.

`make flink-up kafka-up`, then `python -m benchmarks.live.source`.
"""

import argparse
import os
import struct
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam
import confluent_kafka
import numpy as np
from apache_beam.options.pipeline_options import PipelineOptions
from confluent_kafka.admin import AdminClient, NewTopic

from beam_pipeline.flink.rest import FlinkCluster
from flink.dev import configuration
from flink.dev.broker import Broker
from flink.settings import BrokerSettings, ClusterSettings
from transforms.broker import KafkaConfig
from transforms.elements import DeadLetter, Frame
from transforms.gps import GPS_EPOCH_UNIX, NANOSECONDS
from transforms.ingest.kafka.positions import Positions
from transforms.ingest.kafka.reader import Reader
from transforms.ingest.kafka.source import Source
from transforms.ingest.kafka.stage import ReadKafka
from transforms.ingest.strain.source import strain_source

CHANNELS = ("H1:BENCH", "L1:BENCH", "V1:BENCH")
RATE = 16384
STEADY_S = 10
"""Left out at the start: the job's first bundles [s]."""
WHERE = ("read", "a hop further")


class Plain:
    """Decodes a GPS time [ns] and a channel's number, then float64 strain: next to nothing."""

    pending = None

    def feed(self, payload: bytes, source: str, arrived_ns: int) -> list[Frame | DeadLetter]:
        """Return the frame."""
        start_ns, number = struct.unpack_from("<qq", payload)
        channel = CHANNELS[number]
        data = payload[16:]
        frame = Frame(
            ifo=channel[:2],
            channel=channel,
            sample_rate=RATE,
            gps_start_ns=start_ns,
            data=data,
            gaps=(),
            flags=(),
            source=source,
            arrived_ns=arrived_ns,
        )
        return [frame]


def source(address: str, topic: str) -> Source[Frame]:
    """Return the source of a topic of such messages."""
    return strain_source(
        kafka=KafkaConfig(address), topics=(topic,), group=topic, decoder=Plain, start="earliest"
    )


def send(producer: confluent_kafka.Producer, topic: str, second: int) -> None:
    """Send a second of all channels."""
    start_ns = (int(time.time()) - GPS_EPOCH_UNIX - 10**6 + second) * NANOSECONDS
    strain = np.random.default_rng(second).standard_normal(RATE).tobytes()
    for number in range(len(CHANNELS)):
        payload = struct.pack("<qq", start_ns, number) + strain
        producer.produce(topic, payload, partition=number)
    producer.flush(30)


def note(keyed: tuple[str, Frame], path: Path) -> tuple[str, Frame]:
    """Note in a file how long ago a frame was sent."""
    if keyed[1].data:
        with path.open("a") as file:
            file.write(f"{time.time() - keyed[1].arrived_ns / NANOSECONDS}\n")
    return keyed


def latency(address: str, topic: str, seconds: int, folder: Path) -> list[list[float]]:
    """Run a job on the cluster; return the latency of each frame [s], at each of two places."""
    here, there = (folder / name for name in WHERE)
    settings = ClusterSettings.from_environment()
    options = configuration.pipeline_options(settings)
    options += ["--streaming", f"--job_name={topic}"]
    pipeline = beam.Pipeline(options=PipelineOptions(options))
    read = pipeline | "Kafka" >> ReadKafka(source(address, topic))
    _ = (
        read.elements
        | "Note" >> beam.Map(note, here)
        | "Hop" >> beam.Reshuffle()
        | "Note again" >> beam.Map(note, there)
    )
    pipeline.run()
    producer = confluent_kafka.Producer({"bootstrap.servers": address})
    try:
        for second in range(seconds):
            send(producer, topic, second)
            time.sleep(1)
    finally:
        # Else the cluster starts it again and again, once its worker is gone.
        FlinkCluster(f"localhost:{settings.port}").cancel(topic)
    return [[float(line) for line in path.read_text().split()] for path in (here, there)]


def cost(address: str, topic: str, count: int) -> float:
    """Return the processor time for a message that waits in the log [s]."""
    producer = confluent_kafka.Producer({"bootstrap.servers": address})
    for second in range(count // len(CHANNELS)):
        send(producer, topic, second)
    reader = Reader(source(address, topic))
    batch, found = reader.read(Positions()), 0
    begun = time.process_time()
    while batch.lag:
        batch = reader.read(batch.positions)
        found += batch.messages
    return (time.process_time() - begun) / found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print three lines."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seconds", type=int, default=120, help="how long to measure the latency")
    parser.add_argument("--messages", type=int, default=3000, help="how many to measure the cost")
    given = parser.parse_args(arguments)
    address = Broker(BrokerSettings.from_environment()).address
    topics = [f"bench-{uuid.uuid4().hex[:8]}" for _ in range(2)]
    admin = AdminClient({"bootstrap.servers": address})
    new = [NewTopic(topic, len(CHANNELS), 1) for topic in topics]
    for future in admin.create_topics(new).values():
        future.result()
    print(f"processor time for a message: {1e3 * cost(address, topics[0], given.messages):.2f} ms")
    with tempfile.TemporaryDirectory() as folder:
        latencies = latency(address, topics[1], given.seconds, Path(folder))
    for where, every in zip(WHERE, latencies, strict=True):
        found = np.array(every[STEADY_S * len(CHANNELS) :])
        at = ", ".join(f"p{part} {np.percentile(found, part):.3f}" for part in (50, 90, 99, 100))
        print(f"latency of {len(found)} frames, {where} [s]: {at}")
    admin.delete_topics(topics)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # Threads of Beam's worker would end with errors, as Flink has hung up.
    os._exit(0)
