"""The course of a rehearsal: the job starts, data are played, things are killed, all ends."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from beam_pipeline.config import PipelineConfig
from beam_pipeline.exits import INTERRUPTED
from benchmarks import archive, report
from benchmarks.archive import FIRST_GPS, Archive, Recipe
from benchmarks.rehearsals import clean, deliveries
from benchmarks.rehearsals.commands import Command, running
from benchmarks.rehearsals.deliveries import Delivery
from benchmarks.rehearsals.servers import Servers, servers
from benchmarks.rehearsals.timing import EFFECT_S, Beats, Expected, Play, Wait
from benchmarks.rehearsals.watch import Published, Watch
from benchmarks.signals import FAMILIES
from transforms.broker import KafkaConfig, Topic, ensure_topics
from transforms.elements import FINAL
from transforms.gps import NANOSECONDS, from_seconds
from transforms.sink.kafka import output_topics
from transforms.sink.writers import read_triggers

IFOS = ("H1", "L1", "V1")
GROUP, RESULTS = "rehearsal", "rehearsal"
JOB = f"wavefier-live-{GROUP}"
POLL_S = 0.5
FILES_S = 100.0
"""Files of the last minute are written within this [s]."""


@dataclass(frozen=True)
class Plan:
    """What is rehearsed."""

    frames: int
    seed: int
    speed: float
    """Seconds of data in a second."""
    detectors: int
    kills: tuple[str, ...]
    wire: str
    """How frames are sent: lldd, gwf or row."""
    faults: tuple[str, ...]
    """Options of ``wavefier replay``."""
    config: PipelineConfig
    deadline_s: float

    @property
    def ifos(self) -> tuple[str, ...]:
        """The detectors."""
        return IFOS[: self.detectors]

    @property
    def wait(self) -> Wait:
        """What the analysis waits for."""
        warm_up_ns = self.config.whiten.psd_seconds * NANOSECONDS
        return Wait(warm_up_ns, from_seconds(self.config.ingest.wait_seconds))

    @property
    def end_ns(self) -> int:
        """GPS time at which the data end."""
        return (FIRST_GPS + self.frames) * NANOSECONDS


@dataclass
class Performance:
    """What came of it."""

    deliveries: list[Delivery] = field(default_factory=list)
    kills: list[tuple[str, float]] = field(default_factory=list)
    """What, and when [Unix s]."""
    published: Published = field(default_factory=lambda: Published([], [], []))
    checkpoint_bytes: list[int] = field(default_factory=list)
    """Sizes of checkpoints, as time goes by; the last is the last."""
    live: Path = Path()
    """Folder that the live job has written."""
    archive: Path = Path()
    """Folder of the archive's job on the good frames."""


class Deadline:
    """When all must be over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """How much is left [s]."""
        return self._end - time.monotonic()

    def until(self, reached: Callable[[], bool], what: str, commands: Sequence[Command]) -> None:
        """Wait for something, and see that commands go on meanwhile.

        Raises:
            TimeoutError: It does not come.
        """
        while not reached():
            for command in commands:
                command.check()
            if self.left < 0:
                said = "".join(f"\n{command.said}" for command in commands)
                raise TimeoutError(f"out of time before {what}{said}")
            time.sleep(POLL_S)


def perform(plan: Plan, folder: Path) -> Performance:
    """Rehearse in a folder, which is left to the caller.

    Raises:
        CommandFailed: The job, the replay or the archive's job fails.
        TimeoutError: Something does not happen in time.
        flink.processes.Problem: A server does not start.
    """
    deadline, done = Deadline(plan.deadline_s), Performance()
    done.live, done.archive = folder / "live", folder / "archive"
    config = folder / "science.yaml"
    config.write_text(plan.config.to_yaml())
    report.progress("strain")
    archives = [
        _archive(plan, number, folder / "strain" / ifo) for number, ifo in enumerate(plan.ifos)
    ]
    with ExitStack() as stack:
        report.progress("servers")
        there = stack.enter_context(servers(folder / "servers"))
        broker = KafkaConfig(there.broker.address)
        inputs = {f"{GROUP}.{ifo}": Topic() for ifo in plan.ifos}
        ensure_topics(broker, {**inputs, **output_topics(RESULTS)})
        watch = stack.enter_context(Watch(there.broker.address, RESULTS))
        log = folder / "live.log"
        live = stack.enter_context(running(_live(there, list(inputs), folder), log))
        deadline.until(lambda: there.runs(JOB), "the job ran", [live])
        stage = _Stage(plan, folder, there, watch, live, deadline, done)
        stage.play(archives)
        stage.finish(archives, config)
    return done


def _archive(plan: Plan, number: int, folder: Path) -> Archive:
    classes = tuple(FAMILIES)
    ifo, seed = plan.ifos[number], plan.seed + number
    recipe = Recipe("aligo_O4high", plan.frames, 4096, seed, classes, ifo=ifo)
    return archive.make(folder, recipe, "hdf5", archive.PIECE)


def _live(there: Servers, topics: Sequence[str], folder: Path) -> list[str | Path]:
    settings = there.cluster.settings
    return [
        "live",
        *("--brokers", there.broker.address),
        *(part for topic in topics for part in ("--topic", topic)),
        *("--publish", RESULTS, "--group", GROUP, "--start", "earliest"),
        *("--output", folder / "live", "--logs", folder / "workers"),
        *("--config", folder / "science.yaml"),
        *("--flink_master", f"localhost:{settings.port}"),
        f"--job_endpoint=localhost:{settings.job_port}",
    ]


@dataclass
class _Stage:
    """Everything that runs, once it does."""

    plan: Plan
    folder: Path
    there: Servers
    watch: Watch
    live: Command
    deadline: Deadline
    done: Performance

    @property
    def _log(self) -> Path:
        return self.folder / "faults.jsonl"

    def play(self, archives: Sequence[Archive]) -> None:
        """Play all data, and kill meanwhile."""
        plan = self.plan
        files = [path for made in archives for path in made.files]
        arguments: list[str | Path] = [
            "replay",
            *files,
            *("--brokers", self.there.broker.address),
            *("--topic", f"{GROUP}.{{ifo}}", "--speed", str(plan.speed), "--format", plan.wire),
            *("--seed", str(plan.seed), *plan.faults),
            *("--fault-log", self._log),
        ]
        with running(arguments, self.folder / "replay.log") as replay:
            both = [self.live, replay]
            self.deadline.until(lambda: any(map(_is_sent, self._read())), "the replay began", both)
            for number, what in enumerate(plan.kills):
                part = (number + 1) / (len(plan.kills) + 1)
                self._wait_for(FIRST_GPS + part * plan.frames, both)
                self._kill(what, both)
            while replay.runs and self.deadline.left > 0:
                self._look()
                self.live.check()
                time.sleep(POLL_S)
            replay.wait(max(1.0, self.deadline.left))

    def finish(self, archives: Sequence[Archive], config: Path) -> None:
        """Wait for the last results, and have the archive's job look at the same data."""
        plan, done = self.plan, self.done
        done.deliveries = self._read()
        good = deliveries.good(done.deliveries, plan.wait.missing_ns)
        files = clean.without_faults(archives, good, self.folder / "good")
        arguments: list[str | Path] = [
            "run",
            *files,
            "--output",
            done.archive,
            "--config",
            config,
            "--rows",
            "0",
        ]
        ends = {one.channel: one.end_ns for one in good}
        with running(arguments, self.folder / "run.log") as run:
            report.progress("the last results")
            self.deadline.until(lambda: self._reached(ends), "all was analysed", [self.live])
            run.wait(max(1.0, self.deadline.left))
        self._wait_for_files()
        self._look(anew=True)
        code = self.live.interrupt()
        if code != INTERRUPTED:
            raise RuntimeError(f"wavefier live ended with {code}:\n{self.live.said}")
        self.watch.read_all()
        done.published = self.watch.published

    def _kill(self, what: str, commands: Sequence[Command]) -> None:
        report.progress(f"without {what}")
        kill = time.time()
        self.there.kill(what, JOB)
        self.done.kills.append((what, kill))
        self.there.replace(what)
        was_behind = False

        def recovered() -> bool:
            nonlocal was_behind
            behind = self._behind()
            was_behind |= behind
            return not behind and (was_behind or time.time() > kill + EFFECT_S)

        self.deadline.until(recovered, f"analysis had recovered without {what}", commands)

    def _wait_for(self, gps: float, commands: Sequence[Command]) -> None:
        """Wait for data, and until each second gives results: else a kill has nothing to stop."""
        due = from_seconds(gps)

        def reached() -> bool:
            self._look()
            now, play = time.time(), self._play()
            steady = all(expected.is_steady(now) for expected in self._expected().values())
            return (steady and play.due_ns(now) >= due) or now >= play.ended

        self.deadline.until(reached, "a kill", commands)

    def _behind(self) -> bool:
        now, segments = time.time(), self.watch.published.segments
        for channel, expected in self._expected().items():
            beats = Beats((t, one.end_ns) for t, one in segments if one.channel == channel)
            if beats.reached_ns(now) < expected.reached_ns(now):
                return True
        return False

    def _expected(self) -> dict[str, Expected]:
        """Say how far each channel can be, as far as its frames are known."""
        known, play = self._read(), self._play()
        good = deliveries.good(known, self.plan.wait.missing_ns)
        return {
            channel: Expected((one for one in good if one.channel == channel), play, self.plan.wait)
            for channel in {one.channel for one in good}
        }

    def _reached(self, ends: dict[str, int]) -> bool:
        reached = dict.fromkeys(ends, 0)
        for _, one in self.watch.published.segments:
            reached[one.channel] = max(one.end_ns, reached.get(one.channel, 0))
        return all(reached[channel] >= end_ns for channel, end_ns in ends.items())

    def _wait_for_files(self) -> None:
        """Wait a while for the files of what is final; what lacks then is judged later."""
        end = time.monotonic() + FILES_S
        while time.monotonic() < end:
            final = {m["id"] for _, m in self.watch.published.triggers if m["status"] == FINAL}
            if final <= set(read_triggers(self.done.live)["id"].to_pylist()):
                return
            time.sleep(POLL_S)

    def _look(self, anew: bool = False) -> None:
        """Note the size of the last checkpoint, if it is another."""
        size = self.there.checkpoint_bytes(JOB)
        known = self.done.checkpoint_bytes
        if size is not None and (anew or size not in known[-1:]):
            known.append(size)

    def _read(self) -> list[Delivery]:
        return deliveries.read(self._log)

    def _play(self) -> Play:
        plan = self.plan
        return Play.of(self._read(), FIRST_GPS * NANOSECONDS, plan.end_ns, plan.speed)


def _is_sent(one: Delivery) -> bool:
    return one.sent
