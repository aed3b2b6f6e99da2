"""Play a file to Kafka, and read the triggers of a live job from Kafka.

Start a broker and a cluster. Then start this script, which makes the topic and plays the strain:

    make flink-up kafka-up
    python examples/triggers_from_kafka.py --brokers localhost:9092

When the strain is sent, start the live job in another terminal. It reads the strain that waits:

    wavefier live --brokers localhost:9092 --topic wavefier.strain.H1 --start earliest \
        --config flink/dev/demo.yaml --output live \
        --flink_master localhost:8081 --job_endpoint localhost:8099
"""

import argparse
import json
import subprocess
import sys
import time

from confluent_kafka import Consumer

parser = argparse.ArgumentParser(
    description="Play files to Kafka and print the triggers of a live job."
)
parser.add_argument(
    "files", nargs="*", default=["tests/data/H-H1_LOSC_4_V2-1126259446-32.hdf5"], metavar="FILE"
)
parser.add_argument("--brokers", default="localhost:9092", metavar="HOST:PORT")
parser.add_argument("--topic", default="wavefier.strain.{ifo}", help="topic to play the strain to")
parser.add_argument("--publish", default="wavefier", help="how the names of the job's topics begin")
parser.add_argument("--wait", type=float, default=600.0, help="longest wait for a trigger [s]")
options = parser.parse_args()

replay = ["replay", *options.files, "--brokers", options.brokers, "--topic", options.topic]
subprocess.run([sys.executable, "-m", "beam_pipeline.cli", *replay], check=True)

consumer = Consumer(
    {
        "bootstrap.servers": options.brokers,
        "group.id": "examples",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        # The live job makes the topic when it starts.
        "topic.metadata.refresh.interval.ms": 1000,
    }
)
consumer.subscribe([f"{options.publish}.triggers"])

# A trigger comes several times, each time whole; the last message of an id counts.
known = {}
end = time.monotonic() + options.wait
while time.monotonic() < end and not any(row["status"] == "final" for row in known.values()):
    message = consumer.poll(1.0)
    if message is not None and message.error() is None:
        row = json.loads(message.value())
        known[row["id"]] = row
consumer.close()

for row in sorted(known.values(), key=lambda row: row["time"]):
    if row["status"] != "withdrawn":
        print(f"{row['ifo']} {row['time']:.4f} SNR {row['snr']:.1f} {row['label']} {row['status']}")
