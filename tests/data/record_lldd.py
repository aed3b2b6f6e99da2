"""Record messages of the distribution's own sender, and hand ours to its own receiver.

Not part of the test suite, since the packages are no dependency. In an environment of its own:

    pip install igwn-lldd-common==0.4.1 igwn-connect==0.9.1
    PYTHONPATH=. python tests/data/record_lldd.py tests/data/lldd-igwn-0.4.1.npz

It ends with an error if their receiver does not give back what our sender cut.
"""

import argparse
import random
import sys
from collections import defaultdict
from importlib.metadata import version
from types import SimpleNamespace

import confluent_kafka
import gwframe
import numpy as np
from igwn_connect.lldd_sink import LLDDSink
from igwn_lldd_common.framekafkaconsumer import FrameKafkaConsumer
from igwn_lldd_common.framekafkaproducer import FrameKafkaProducer
from igwn_lldd_common.messageparser import MessageFunnelConsumer
from sgn import Pipeline
from sgnts.sources import FakeSeriesSource

from transforms.ingest.messages import lldd

START, RATE, PART_BYTES = 1_400_000_000, 512, 2000
PACKAGES = ("igwn-lldd-common", "igwn-connect", "gwframe")


class Topic:
    """Stands in for the broker: keeps what is produced."""

    def __init__(self, *_: object) -> None:
        self.messages: list[bytes] = []

    def produce(self, _: str, payload: bytes) -> None:
        self.messages.append(payload)

    def flush(self) -> None:
        pass


def options() -> SimpleNamespace:
    """Return what their sender is told on its command line."""
    confluent_kafka.Producer = Topic
    names = "batch_size", "buffer_memory", "linger_ms", "acks", "status_updates", "verbose"
    return SimpleNamespace(
        **dict.fromkeys(names, None),
        **{"split_bytes": PART_BYTES, "load_kafka_python": False, "delta_t": 1},
        **{"min_interval": -1, "topic": "H1", "bootstrap_servers": "-"},
    )


def frames() -> list[bytes]:
    """Write two frames; the first is not ready at its end."""
    rng, state = np.random.default_rng(1), np.full(32, 3, np.uint32)
    state[12:16] = 2
    strain = rng.normal(0, 1e-21, 2 * RATE)
    names = "H1:GDS-CALIB_STRAIN", "H1:GDS-CALIB_STATE_VECTOR"
    return [
        gwframe.write_bytes(
            {
                names[0]: strain[number * RATE : (number + 1) * RATE],
                names[1]: state[number * 16 : (number + 1) * 16],
            },
            float(START + number),
            {names[0]: RATE, names[1]: 16},
            name="H1",
        )
        for number in range(2)
    ]


def sent(payloads: list[bytes]) -> list[bytes]:
    """Send frames with igwn-lldd-common."""
    producer = FrameKafkaProducer(options())
    for number, payload in enumerate(payloads):
        producer.send_frame(payload, START + number)
    return producer.producer.messages


def streamed() -> list[bytes]:
    """Send white noise with igwn-connect; its sink keeps the last second back."""
    channels = ["L1:GDS-CALIB_STRAIN"]
    source = FakeSeriesSource(
        name="noise",
        source_pad_names=channels,
        signal_type="white",
        random_seed=1,
        rate=RATE,
        start=START,
        end=START + 2,
    )
    sink = LLDDSink(name="lldd", sink_pad_names=channels, ifo="L1", args=options())
    pipeline = Pipeline()
    pipeline.connect(source, sink)
    pipeline.run()
    return sink.frameproducer.producer.messages


def received(messages: list[bytes]) -> list[bytes]:
    """Receive messages with their receiver, but for its polling of a broker."""
    consumer = FrameKafkaConsumer.__new__(FrameKafkaConsumer)
    consumer.load_kafka_python, consumer.status_updater = True, None
    topic = defaultdict(int, extra_info={}, extra_info_str=[], crc_check=False)
    topic["message_funnel"] = MessageFunnelConsumer()
    found = []
    for message in messages:
        kafka = SimpleNamespace(value=message, topic="H1", timestamp=0)
        found.append(consumer.extract_frame_buffer_from_message(kafka, {"H1": topic})[0])
    return [payload for payload in found if payload]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output")
    output = parser.parse_args().output
    payloads = frames()
    ours = [lldd.split(item, START + at, PART_BYTES) for at, item in enumerate(payloads)]
    for messages in ours:
        random.Random(1).shuffle(messages)
        messages.extend(messages[:5])
    if received([message for messages in ours for message in messages]) != payloads:
        sys.stderr.write("their receiver does not give back what our sender cut\n")
        return 1
    theirs = [*sent(payloads), *streamed()]
    np.savez_compressed(output, *(np.frombuffer(message, np.uint8) for message in theirs))
    sys.stdout.write(", ".join(f"{name} {version(name)}" for name in PACKAGES) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
