"""How soon a trigger is published: ``python -m benchmarks.live.latency``.

Simulated detectors are replayed at real time through a broker, a cluster and a live job of
the benchmark's own. From the frame that completes a trigger, as Kafka stamps it, to the
trigger on Kafka; and from the transient's peak, which the end of a frame follows.
"""

import argparse
import logging
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from beam_pipeline.config import PipelineConfig
from benchmarks import report, simulated
from benchmarks.detection.injection_runs import FIRST_GPS
from benchmarks.detection.signals import FAMILIES
from benchmarks.rehearsal.commands import Command, running
from benchmarks.rehearsal.deliveries import Delivery, Log
from benchmarks.rehearsal.live_job import Deadline
from benchmarks.rehearsal.servers import Servers, servers
from benchmarks.rehearsal.timing import delays, spread
from benchmarks.rehearsal.watch import Message, Watch
from benchmarks.simulated import Archive, Recipe
from transforms.broker import KafkaConfig, Topic, ensure_topics
from transforms.elements import FINAL, SETTLED
from transforms.gps import NANOSECONDS
from transforms.sink.kafka import output_topics

IFOS = ("H1", "L1", "V1", "K1")
RESULTS, GROUP = "latency", "latency"
JOB = f"wavefier-live-{GROUP}"
WARM_S = 90
"""Strain handed over at once, for the first spectrum [s]."""
GAP_S = (1.5, 4.0)
"""Between signals [s]."""
SETTLING_S = 10
"""After it, triggers count only from here on [s]."""
HEADS = ("p50", "p90", "p99", "max")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured."""

    rate: int
    ifos: tuple[str, ...]
    seconds: int
    seed: int
    late: float
    """How much later than the others' the last detector's frames come [s]."""
    parallelism: int


@dataclass
class Seen:
    """What came of it."""

    triggers: list[Message] = field(default_factory=list)
    frames: list[Delivery] = field(default_factory=list)
    checkpoint_bytes: int | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.ERROR)
    plan = Plan(
        rate=options.rate,
        ifos=IFOS[: options.detectors],
        seconds=options.seconds,
        seed=options.seed,
        late=options.late,
        parallelism=options.parallelism,
    )
    with tempfile.TemporaryDirectory() as name:
        seen = _perform(plan, Path(name))
    figures = {**report.provenance(0), **_figures(plan, seen)}
    _show(plan, figures)
    report.write_json(options.json, figures)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live.latency", description=__doc__)
    parser.add_argument("--rate", type=int, default=16384, metavar="HZ")
    parser.add_argument("--detectors", type=int, default=3, choices=range(1, len(IFOS) + 1))
    parser.add_argument("--seconds", type=int, default=120, metavar="N", help="at real time [s]")
    parser.add_argument(
        "--late", type=float, default=0.0, metavar="S", help="of the last detector's frames [s]"
    )
    parser.add_argument("--parallelism", type=int, default=2, metavar="N", help="of the job")
    report.add_options(parser)
    return parser


def _perform(plan: Plan, folder: Path) -> Seen:
    """Run everything; nothing is left."""
    deadline, seen = Deadline(plan.seconds + plan.late + 900), Seen()
    made = [_strain(plan, number, folder / ifo) for number, ifo in enumerate(plan.ifos)]
    (folder / "science.yaml").write_text(PipelineConfig().to_yaml())
    with ExitStack() as stack:
        there = stack.enter_context(servers(folder / "servers"))
        topics = {f"{GROUP}.{ifo}": Topic() for ifo in plan.ifos}
        ensure_topics(KafkaConfig(there.broker.address), {**topics, **output_topics(RESULTS)})
        watch = stack.enter_context(Watch(there.broker.address, RESULTS))
        options = there.live_options(topics, folder)
        names = ("--publish", RESULTS, "--group", GROUP)
        command = ["live", *names, *options, f"--parallelism={plan.parallelism}"]
        live = stack.enter_context(running(command, folder / "live.log"))
        deadline.until(lambda: there.cluster.runs(JOB), "the job ran", [live])
        for number, archive_ in enumerate(made):
            _replay(there, archive_, folder / f"warm-{number}", (0, WARM_S), 0).wait(300)
        deadline.until(lambda: _reached(plan, watch), "the past was analysed", [live])
        _real_time(plan, there, made, folder, live)
        watch.read_all()
        seen.checkpoint_bytes = there.checkpoint_bytes(JOB)
        live.interrupt()
        seen.triggers = watch.published.triggers
    for number in range(len(plan.ifos)):
        seen.frames += Log(folder / f"real-{number}" / "log").read()
    return seen


def _strain(plan: Plan, number: int, folder: Path) -> Archive:
    seconds, classes = WARM_S + plan.seconds, tuple(FAMILIES)
    ifo, seed = plan.ifos[number], plan.seed + number
    recipe = Recipe(
        curve="aligo_O4high",
        seconds=seconds,
        sample_rate=plan.rate,
        seed=seed,
        classes=classes,
        gap=GAP_S,
        ifo=ifo,
    )
    return simulated.make(folder, recipe, "hdf5", simulated.PIECE)


def _replay(
    there: Servers, made: Archive, folder: Path, span: tuple[int, int], speed: int
) -> Command:
    folder.mkdir()
    start, end = (str(FIRST_GPS + second) for second in span)
    arguments: list[str | Path] = [
        "replay",
        *made.files,
        *("--brokers", there.broker.address, "--topic", f"{GROUP}.{{ifo}}"),
        *("--start", start, "--end", end, "--speed", str(speed), "--fault-log", folder / "log"),
    ]
    return Command(arguments, folder / "said")


def _real_time(
    plan: Plan, there: Servers, made: Sequence[Archive], folder: Path, live: Command
) -> None:
    span, players = (WARM_S, WARM_S + plan.seconds), []
    for number, archive_ in enumerate(made[: len(made) - bool(plan.late)]):
        players.append(_replay(there, archive_, folder / f"real-{number}", span, 1))
    if plan.late:
        late = Deadline(plan.late)
        Deadline(plan.late + 60).until(lambda: late.left <= 0, "it was late", [live])
        last = len(made) - 1
        players.append(_replay(there, made[last], folder / f"real-{last}", span, 1))
    for player in players:
        player.wait(plan.seconds + 300)
    live.check()


def _reached(plan: Plan, watch: Watch) -> bool:
    ends: dict[str, int] = {}
    for _, segment in watch.published.segments:
        ends[segment.ifo] = max(segment.end_ns, ends.get(segment.ifo, 0))
    due = (FIRST_GPS + WARM_S - 1) * NANOSECONDS
    return all(ends.get(ifo, 0) >= due for ifo in plan.ifos)


def _figures(plan: Plan, seen: Seen) -> dict[str, Any]:
    """Return the delays of each detector, and of all."""
    since = FIRST_GPS + WARM_S + SETTLING_S
    counted = [(when, m) for when, m in seen.triggers if m["time"] >= since]
    rows = {
        ifo: _delays([(when, m) for when, m in counted if m["ifo"] == ifo], seen.frames)
        for ifo in plan.ifos
    }
    rows["all"] = _delays(counted, seen.frames)
    return {"seed": plan.seed, "rows": rows, "checkpoint_bytes": seen.checkpoint_bytes}


def _delays(messages: Sequence[Message], frames: Iterable[Delivery]) -> dict[str, Any]:
    first = delays(messages)
    settled = delays(messages, (SETTLED, FINAL))
    final = delays(messages, (FINAL,))
    return {
        "triggers": len(first),
        "latency_s": spread([one.seconds for one in first]),
        "settled_s": spread([one.seconds for one in settled]),
        "final_s": spread([one.seconds for one in final]),
        "peak_s": spread(_from_peaks(messages, frames)),
    }


def _from_peaks(messages: Sequence[Message], frames: Iterable[Delivery]) -> list[float]:
    """Return the time from each peak to its first message [s].

    At real time a frame's end is the moment at which it is sent.
    """
    sent = {(one.channel, one.start_ns // NANOSECONDS): one.produced for one in frames}
    first: dict[str, tuple[float, Mapping[str, Any]]] = {}
    for when, message in messages:
        first.setdefault(message["id"], (when, message))
    return [
        when - (sent[m["channel"], int(m["time"])] - (int(m["time"]) + 1 - m["time"]))
        for when, m in first.values()
        if (m["channel"], int(m["time"])) in sent
    ]


def _show(plan: Plan, figures: Mapping[str, Any]) -> None:
    what = {
        "latency_s": "first message",
        "settled_s": "settled",
        "final_s": "final",
        "peak_s": "first message, from the peak",
    }
    rows = [
        [f"{ifo}: {text}", str(found["triggers"]), *(_seconds(found[key][p]) for p in HEADS)]
        for ifo, found in figures["rows"].items()
        for key, text in what.items()
    ]
    report.print_table(["after the frame that completes it [s]", "triggers", *HEADS], rows)
    megabytes = (figures["checkpoint_bytes"] or 0) / 1e6
    print(f"{len(plan.ifos)} x {plan.rate} Hz; last checkpoint {megabytes:.1f} MB")


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main())
