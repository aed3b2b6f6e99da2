"""One number of channels: a broker, a cluster and a live job of its own, and what came of it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from beam_pipeline.config import PipelineConfig
from benchmarks.live.loads import usage
from benchmarks.live.loads.lag import Lag, lags, summed
from benchmarks.live.loads.player import name, read_log
from benchmarks.rehearsal.commands import Command, CommandFailed, running
from benchmarks.rehearsal.live_job import Deadline
from benchmarks.rehearsal.servers import Servers, servers
from benchmarks.rehearsal.timing import delays, spread
from benchmarks.rehearsal.watch import Watch
from benchmarks.simulated import FIRST_GPS
from flink.settings import ROOT
from transforms.broker import KafkaConfig, Topic, ensure_topics
from transforms.gps import NANOSECONDS
from transforms.sink.kafka import output_topics

GROUP = "load"
JOB = f"wavefier-live-{GROUP}"
START_S = 120.0
CATCH_UP = 50.0
"""Seconds of channels that a job analyses at least in a second of its past."""
METRICS_S = 15.0
"""Flink asks its TaskManagers for metrics every 10 s, once somebody wants them [s]."""
GRACE_S = 30.0
"""How long what is late at the end is waited for [s]."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is tried."""

    channels: int
    rate: int
    past: int
    """Handed over at once [s]."""
    seconds: int
    """Played at real time [s]."""
    seed: int
    taskmanager_mb: int
    options: tuple[str, ...]
    """Of Beam, for the job."""


def run(load: Load, folder: Path) -> dict[str, Any]:
    """Try it; nothing is left. Where the job fails, ``failed`` says how."""
    (folder / "science.yaml").write_text(PipelineConfig().to_yaml())
    found: dict[str, Any] = {"channels": load.channels}
    with servers(folder / "servers", "", load.taskmanager_mb) as there:
        topics = {GROUP: Topic()}
        ensure_topics(KafkaConfig(there.broker.address), {**topics, **output_topics(GROUP)})
        names = ("--publish", GROUP, "--group", GROUP)
        command = ["live", *names, *there.live_options(topics, folder), *load.options]
        with (
            Watch(there.broker.address, GROUP) as watch,
            running(command, folder / "live.log") as live,
            playing(load, there, folder) as player,
        ):
            try:
                found |= _measured(load, there, live, player, watch)
            except (CommandFailed, TimeoutError) as error:
                found["failed"] = str(error).partition("\n")[0]
            found |= state(there)
        found |= _lag(load, watch, folder / "sent.json")
    return found


def _measured(
    load: Load, there: Servers, live: Command, player: "subprocess.Popen[str]", watch: Watch
) -> dict[str, Any]:
    """Wait until the past is caught up with, then play at real time; return what each part took."""
    start = Deadline(START_S)
    start.until(lambda: there.cluster.runs(JOB), "the job ran", [live])
    hear(player)
    begun = time.monotonic()
    past = Deadline(START_S + load.channels * load.past / CATCH_UP)
    past.until(lambda: reached(load, watch, load.past - 1), "the past was analysed", [live])
    caught_up = time.monotonic() - begun
    meter = usage.Meter(_parts(there, live, player.pid))
    begun = time.monotonic()
    begin(player)
    # The player's own figures go with it, so that it is looked at before it ends.
    Deadline(load.seconds).until(lambda: time.monotonic() - begun > load.seconds - 1, "", [live])
    parts = meter.read(time.monotonic() - begun)
    player.communicate(timeout=GRACE_S)
    late, last = Deadline(GRACE_S), load.past + load.seconds - 1
    late.until(lambda: reached(load, watch, last) or late.left < 1, "", [live])
    return {"caught_up_s": caught_up, "parts": parts}


def _parts(there: Servers, live: Command, player: int) -> dict[str, tuple[int, ...]]:
    cluster = there.cluster.processes.alive()
    of_kind = {kind: kind.startswith("tm-") for kind in cluster}
    return {
        "Python workers": tuple(usage.children(live.pid)),
        "TaskManagers": tuple(cluster[kind] for kind, works in of_kind.items() if works),
        "broker": tuple(there.broker.processes.alive().values()),
        "other servers": tuple(cluster[kind] for kind, works in of_kind.items() if not works),
        "wavefier live": (live.pid,),
        "player": (player,),
        "watch": (os.getpid(),),
    }


@contextmanager
def playing(load: Load, there: Servers, folder: Path) -> "Iterator[subprocess.Popen[str]]":
    """Run the player, which makes its messages while the job starts."""
    command = [
        *(sys.executable, "-m", "benchmarks.live.loads.player", "--brokers", there.broker.address),
        *("--topic", GROUP, "--channels", str(load.channels), "--rate", str(load.rate)),
        *("--past", str(load.past), "--seconds", str(load.seconds), "--seed", str(load.seed)),
        *("--log", str(folder / "sent.json")),
    ]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as player:
        try:
            yield player
        finally:
            player.kill()


def hear(player: "subprocess.Popen[str]") -> None:
    """Wait until the player has sent the past.

    Raises:
        CommandFailed: It has ended.
    """
    if player.stdout is None or not player.stdout.readline():
        raise CommandFailed("the player has ended")


def begin(player: "subprocess.Popen[str]") -> None:
    """Let the player begin at real time.

    Raises:
        CommandFailed: It cannot be told.
    """
    if player.stdin is None:
        raise CommandFailed("the player does not listen")
    player.stdin.write("go\n")
    player.stdin.flush()


def reached(load: Load, watch: Watch, second: int) -> bool:
    """Return whether all channels are analysed up to a second of the play."""
    ends: dict[str, int] = {}
    for _, one in watch.published.segments:
        ends[one.channel] = max(one.end_ns, ends.get(one.channel, 0))
    due = (FIRST_GPS + second) * NANOSECONDS
    return all(ends.get(name(number), 0) >= due for number in range(load.channels))


def state(there: Servers) -> dict[str, Any]:
    """Return how large the state is, what the heaps can hold and how often the job began again."""
    job = (there.cluster.job(JOB) or {"jid": ""})["jid"]
    return {
        "checkpoint_bytes": there.checkpoint_bytes(JOB),
        "heaps_bytes": _heaps(there),
        "restarts": _metrics(there, f"/jobs/{job}", "numRestarts").get("numRestarts"),
    }


def _heaps(there: Servers) -> list[dict[str, float]]:
    """Return ``Max`` and ``Used`` [bytes] of each TaskManager, once Flink has asked it."""
    names = [f"Status.JVM.Memory.Heap.{what}" for what in ("Max", "Used")]
    managers = sorted(there.cluster.taskmanagers() or ())
    end = time.monotonic() + METRICS_S
    while True:
        found = [_metrics(there, f"/taskmanagers/{each}", *names) for each in managers]
        if all(found) or time.monotonic() > end:
            return found
        time.sleep(1)


def _metrics(there: Servers, path: str, *names: str) -> dict[str, float]:
    answer: Any = there.cluster.ask(f"{path}/metrics?get={','.join(names)}")
    return {one["id"].rpartition(".")[2]: float(one["value"]) for one in answer or ()}


def _lag(load: Load, watch: Watch, path: Path) -> dict[str, Any]:
    """Return how late segments and triggers were; nothing where nothing was played."""
    sent = read_log(path)
    if not sent:
        return {}
    published = watch.published
    names = [name(number) for number in range(load.channels)]
    found: Lag = summed(lags(sent, names, published.segments))
    first = [(when, m) for when, m in published.triggers if m["time"] >= FIRST_GPS + load.past]
    triggers = spread([one.seconds for one in delays(first)])
    return {
        "lag_s": asdict(found),
        "keeps_up": found.keeps_up,
        "triggers": len({m["id"] for _, m in first}),
        "trigger_s": triggers,
    }
