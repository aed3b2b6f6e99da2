"""What bad messages do to a live job: ``python -m benchmarks.live.poison``.

A broker, a cluster and a live job of the benchmark's own. Good channels are played at real
time. In the middle third, messages of each kind of ``benchmarks.live.loads.bad_messages`` come
on the same topic. The good channels' lag is told before, with and after them; the job must not have
begun again, and each message that cannot be used must be a dead letter.

With ``--crash`` one frame comes on a topic of its own instead, and whoever decodes it is killed
meanwhile, as a fault of the native reader would: after three deaths it must be a dead letter.
"""

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import confluent_kafka as kafka

from beam_pipeline.config import PipelineConfig
from benchmarks import report
from benchmarks.live.loads import bad_messages, load_test
from benchmarks.live.loads.lag import lags, summed
from benchmarks.live.loads.load_test import GROUP, JOB, START_S, Load
from benchmarks.live.loads.player import name, read_log
from benchmarks.rehearsal.commands import running
from benchmarks.rehearsal.live_job import Deadline
from benchmarks.rehearsal.servers import Servers, servers
from benchmarks.rehearsal.watch import Published, Watch
from benchmarks.simulated import FIRST_GPS
from flink.settings import ClusterSettings
from transforms.broker import LOSSLESS, KafkaConfig, Topic, ensure_topics
from transforms.ingest.kafka.crashes import FOLDER, MOST_DEATHS
from transforms.sink.kafka import output_topics

PAST_S = 90
"""Strain handed over at once, for the first spectrum [s]."""
PARTS = ("before", "with", "after")
DEADLY = f"{GROUP}-deadly"
"""Topic of the frame whose readers are killed."""
PATIENCE_S = 120.0
"""How long what is late at the end is waited for [s]."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of it."""

    published: Published
    sent: Mapping[int, Sequence[float]]
    """When Kafka had the frames of each second [Unix s], in the order of the channels."""
    refused: int
    """Messages that must be dead letters."""
    restarts: float
    """How often the job began again."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where the poison did harm."""
    options = _parser().parse_args(arguments)
    load = Load(
        channels=options.channels,
        rate=options.rate,
        past=PAST_S,
        seconds=3 * options.seconds,
        seed=options.seed,
        taskmanager_mb=ClusterSettings.taskmanager_mb,
        options=(),
    )
    with tempfile.TemporaryDirectory() as folder:
        outcome = _perform(load, Path(folder), options.crash)
    found = figures(load, outcome)
    report.print_table(
        ["lag of good channels [s]", "p50", "p99", "missing"],
        [
            [part, *(f"{found['lag_s'][part][key]:.2f}" for key in ("p50", "p99", "missing"))]
            for part in PARTS
        ],
    )
    print(
        f"{found['poison']} messages could not be used, {found['letters']} dead letters,"
        f" {found['restarts']:g} restarts"
    )
    report.write_json(options.json, {**report.provenance(0), **found})
    lost = any(found["lag_s"][part]["missing"] for part in PARTS)
    restarts = MOST_DEATHS if options.crash else 0
    return int(bool(lost or found["restarts"] > restarts or found["letters"] < found["poison"]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live.poison", description=__doc__)
    parser.add_argument("--channels", type=int, default=4, metavar="N", help="good ones")
    parser.add_argument("--rate", type=int, default=4096, metavar="HZ")
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="of each third")
    parser.add_argument("--crash", action="store_true", help="kill who decodes a certain frame")
    report.add_options(parser)
    return parser


def _perform(load: Load, folder: Path, crash: bool) -> Outcome:
    """Play, and poison; nothing is left."""
    (folder / "science.yaml").write_text(PipelineConfig().to_yaml())
    os.environ[FOLDER] = str(folder / "marks")
    with servers(folder / "servers") as there:
        topics = {GROUP: Topic(), DEADLY: Topic()}
        ensure_topics(KafkaConfig(there.broker.address), {**topics, **output_topics(GROUP)})
        names = ("--publish", GROUP, "--group", GROUP)
        command = ["live", *names, *there.live_options(topics, folder)]
        with (
            Watch(there.broker.address, GROUP) as watch,
            running(command, folder / "live.log") as live,
            load_test.playing(load, there, folder) as player,
        ):
            Deadline(START_S).until(lambda: there.cluster.runs(JOB), "the job ran", [live])
            load_test.hear(player)
            past = Deadline(PATIENCE_S + START_S)
            last = PAST_S - 1
            past.until(
                lambda: load_test.reached(load, watch, last), "the past was analysed", [live]
            )
            begin = partial(load_test.begin, player)
            if crash:
                refused = _deadly(load, there, begin, folder / "marks")
            else:
                refused = _poisoned(load, there, begin)
            player.communicate(timeout=PATIENCE_S)
            end = Deadline(PATIENCE_S)
            last = load.past + load.seconds - 1
            end.until(
                lambda: load_test.reached(load, watch, last) or end.left < 1,
                "all was analysed",
                [live],
            )
            watch.read_all()
            restarts = load_test.state(there)["restarts"]
            published = watch.published
    return Outcome(
        published=published,
        sent=read_log(folder / "sent.json"),
        refused=refused,
        restarts=restarts,
    )


def _poisoned(load: Load, there: Servers, begin: Callable[[], None]) -> int:
    """Begin to play; in the middle third send the poison. Return what must be refused."""
    kinds = list(bad_messages.all_kinds(FIRST_GPS + load.past))
    third = load.seconds / 3
    begin()
    threading.Event().wait(third)
    producer = kafka.Producer({"bootstrap.servers": there.broker.address, **LOSSLESS})
    messages = [message for kind in kinds for message in kind.messages]
    begun = time.monotonic()
    for number, message in enumerate(messages):
        due = begun + third * number / len(messages)
        threading.Event().wait(max(0.0, due - time.monotonic()))
        producer.produce(GROUP, message)
        producer.poll(0)
    if producer.flush(PATIENCE_S):
        raise TimeoutError("the broker does not take the poison")
    threading.Event().wait(max(0.0, begun + 2 * third - time.monotonic()))
    return sum(len(kind.messages) for kind in kinds if kind.refused)


def _deadly(load: Load, there: Servers, begin: Callable[[], None], marks: Path) -> int:
    """Begin to play; in the middle third kill who decodes a frame. Return what must be refused."""
    parts = bad_messages.large(FIRST_GPS + load.past)
    third = load.seconds / 3
    begin()
    threading.Event().wait(third)
    begun = time.monotonic()
    producer = kafka.Producer({"bootstrap.servers": there.broker.address, **LOSSLESS})
    for part in parts:
        producer.produce(DEADLY, part)
        producer.poll(0)
    # The topic is new: its last message has this offset, and makes the frame whole.
    place = f"{DEADLY}/0/{len(parts) - 1}"
    killed: set[int] = set()
    while len(killed) < MOST_DEATHS and time.monotonic() - begun < third:
        producer.poll(0.0005)
        for reader in _readers(marks, place) - killed:
            with suppress(ProcessLookupError):
                os.kill(reader, signal.SIGKILL)
            killed.add(reader)
    threading.Event().wait(max(0.0, begun + third - time.monotonic()))
    if len(killed) < MOST_DEATHS:
        raise TimeoutError(f"{place} was decoded {len(killed)} times only")
    return 1


def _readers(marks: Path, place: str) -> set[int]:
    """Return the processes whose marks say that they decode a message, or died of it."""
    found = set()
    for mark in marks.glob("*/*.mark"):
        with suppress(OSError):  # another process may just have counted it
            if mark.read_bytes().partition(b"\0")[0].decode() == place:
                found.add(int(mark.name.partition("-")[0]))
    return found


def figures(load: Load, outcome: Outcome) -> dict[str, Any]:
    """Return the lag of the good channels in each third, and what became of the poison."""
    channels = [name(number) for number in range(load.channels)]
    found = lags(outcome.sent, channels, outcome.published.segments)
    begin, third = FIRST_GPS + load.past, load.seconds // 3
    parts = {
        part: {
            second: each
            for second, each in found.items()
            if begin + number * third <= second < begin + (number + 1) * third
        }
        for number, part in enumerate(PARTS)
    }
    return {
        "channels": load.channels,
        "rate": load.rate,
        "lag_s": {part: asdict(summed(each)) for part, each in parts.items()},
        "poison": outcome.refused,
        "letters": len({letter["source"] for _, letter in outcome.published.letters}),
        "kinds": sorted({letter["kind"] for _, letter in outcome.published.letters}),
        "restarts": outcome.restarts,
    }


if __name__ == "__main__":
    sys.exit(main())
