"""Many channels played at real time: ``python -m benchmarks.live.loads.player``.

All messages are made before the first one is sent, so that the player costs next to nothing.
It sends the past of all channels, waits for a line on its input, and then plays the rest.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka as kafka
import numpy as np

from benchmarks import simulated
from benchmarks.simulated import FIRST_GPS, Recipe
from transforms.broker import LOSSLESS
from transforms.elements import Frame
from transforms.gps import NANOSECONDS
from transforms.ingest.messages import row

CURVE = "aligo_O4high"
CLASSES = ("sine_gaussian",)
GAP_S = (15.0, 20.0)
"""Between signals [s]: about 200 an hour, a glitchy detector's rate."""
APART_S = 3
"""The strain of a channel is so much later than that of the one before: one strain does for all,
and no two channels have a signal at the same time [s]."""


def name(number: int) -> str:
    """Name a channel."""
    return f"H1:LOAD-{number:03d}_STRAIN"


def read_log(path: Path) -> dict[int, list[float]]:
    """Read when Kafka had the frames of each GPS second [Unix s], in the order of the channels."""
    if not path.exists():
        return {}
    return {int(second): times for second, times in json.loads(path.read_text()).items()}


def main() -> None:
    """Make, send the past, wait, play; write when Kafka had each second of each channel."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.live.loads.player", description=__doc__
    )
    parser.add_argument("--brokers", required=True, metavar="HOST:PORT")
    parser.add_argument("--topic", required=True)
    parser.add_argument("--channels", type=int, required=True, metavar="N")
    parser.add_argument("--rate", type=int, required=True, metavar="HZ")
    parser.add_argument("--past", type=int, required=True, metavar="N", help="sent at once [s]")
    parser.add_argument("--seconds", type=int, required=True, metavar="N", help="at real time [s]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path, required=True, metavar="FILE")
    options = parser.parse_args()
    messages = list(_messages(options))
    sender = _Sender(options.brokers, options.topic)
    for second in messages[: options.past]:
        sender.send(second)
    sender.finish()
    print("past", flush=True)
    sys.stdin.readline()
    begun = time.monotonic()
    for number, second in enumerate(messages[options.past :]):
        time.sleep(max(0.0, begun + number - time.monotonic()))
        sender.send(second, FIRST_GPS + options.past + number)
    sender.finish()
    options.log.write_text(json.dumps(sender.sent))


def _messages(options: argparse.Namespace) -> Iterator[list[bytes]]:
    """Yield the messages of each second, one of each channel."""
    rate, seconds = options.rate, options.past + options.seconds
    whole = seconds + APART_S * options.channels
    recipe = Recipe(
        curve=CURVE, seconds=whole, sample_rate=rate, seed=options.seed, classes=CLASSES, gap=GAP_S
    )
    strain = np.concatenate([piece for piece, _ in simulated.pieces(recipe)])
    for second in range(seconds):
        start_ns = (FIRST_GPS + second) * NANOSECONDS
        yield [
            row.encode(
                Frame(
                    ifo="H1",
                    channel=name(number),
                    sample_rate=rate,
                    gps_start_ns=start_ns,
                    data=strain[at : at + rate].tobytes(),
                )
            )
            for number in range(options.channels)
            for at in [(second + APART_S * number) * rate]
        ]


class _Sender:
    """Sends, and notes when Kafka says that it was sent [Unix s], by second and channel."""

    def __init__(self, brokers: str, topic: str) -> None:
        limits = {"queue.buffering.max.messages": 1_000_000, "linger.ms": 0}
        self._producer = kafka.Producer({"bootstrap.servers": brokers, **LOSSLESS, **limits})
        self._topic = topic
        self.sent: dict[int, list[float]] = {}

    def send(self, messages: list[bytes], gps: int = 0) -> None:
        times = self.sent.setdefault(gps, [0.0] * len(messages)) if gps else None
        for number, message in enumerate(messages):

            def told(_: object, one: kafka.Message, number: int = number) -> None:
                if times is not None:
                    times[number] = one.timestamp()[1] / 1e3

            self._producer.produce(self._topic, message, on_delivery=told)
            self._producer.poll(0)

    def finish(self) -> None:
        """Wait until the broker has all.

        Raises:
            TimeoutError: It does not take it.
        """
        if self._producer.flush(120):
            raise TimeoutError("the broker does not take what is played")


if __name__ == "__main__":
    main()
