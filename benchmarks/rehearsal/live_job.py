"""A rehearsal while it goes on: data are played, things are killed, results are waited for."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from beam_pipeline.exits import INTERRUPTED
from benchmarks import report
from benchmarks.rehearsal import clean, deliveries
from benchmarks.rehearsal.commands import Command, running
from benchmarks.rehearsal.deliveries import Log
from benchmarks.rehearsal.plan import GROUP, JOB, Outcome, Plan
from benchmarks.rehearsal.servers import UPGRADE, Servers
from benchmarks.rehearsal.timing import EFFECT_S, Beats, Expected, Play
from benchmarks.rehearsal.watch import Watch
from benchmarks.simulated import FIRST_GPS, Archive
from transforms.elements import FINAL
from transforms.gps import NANOSECONDS, from_seconds
from transforms.sink.writers import read_triggers

POLL_S = 0.5
FILES_S = 100.0
"""Files of the last minute are written within this [s]."""


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


@dataclass(kw_only=True)
class Stage:
    """Everything that runs, once it does."""

    plan: Plan
    folder: Path
    there: Servers
    watch: Watch
    start: Callable[[], Command]
    """Starts the job."""
    deadline: Deadline
    done: Outcome

    def __post_init__(self) -> None:
        self._path = self.folder / "faults.jsonl"
        self._log = Log(self._path)
        self._begin()

    def _begin(self) -> None:
        self.live = self.start()
        self.deadline.until(lambda: self.there.cluster.runs(JOB), "the job ran", [self.live])

    def _end(self) -> None:
        code = self.live.interrupt()
        if code != INTERRUPTED:
            raise RuntimeError(f"wavefier live ended with {code}:\n{self.live.said}")

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
            *("--fault-log", self._path),
        ]
        with running(arguments, self.folder / "replay.log") as replay:
            self.deadline.until(self._begun, "the replay began", [self.live, replay])
            for number, what in enumerate(plan.kills):
                self._wait_for(plan.window(number), [self.live, replay])
                self._kill(what, replay)
            while replay.runs and self.deadline.left > 0:
                self._look()
                self.live.check()
                time.sleep(POLL_S)
            replay.wait(max(1.0, self.deadline.left))

    def finish(self, archives: Sequence[Archive], config: Path) -> None:
        """Wait for the last results, and have the archive's job look at the same data."""
        plan, done = self.plan, self.done
        done.deliveries = self._log.read()
        good = deliveries.good(done.deliveries, plan.wait.missing_ns)
        files = clean.without_faults(archives, good, self.folder / "good")
        arguments: list[str | Path] = [
            "run",
            *files,
            *("--rows", "0"),
            *("--output", done.archive, "--config", config),
        ]
        ends = {one.channel: one.end_ns for one in good}
        with running(arguments, self.folder / "run.log") as run:
            report.progress("the last results")
            self.deadline.until(lambda: self._reached(ends), "all was analysed", [self.live])
            run.wait(max(1.0, self.deadline.left))
        self._wait_for_files()
        self._look(anew=True)
        self._end()
        self.watch.read_all()
        done.published = self.watch.published

    def _begun(self) -> bool:
        return any(one.sent for one in self._log.read())

    def _kill(self, what: str, replay: Command) -> None:
        report.progress(f"without {what}")
        kill = time.time()
        self.done.kills.append((what, kill))
        if what == UPGRADE:
            self._end()
            self._begin()
        else:
            self.there.kill(what, JOB)
            self.there.replace(what)
        was_behind = False

        def recovered() -> bool:
            nonlocal was_behind
            behind = self._behind()
            was_behind |= behind
            return not behind and (was_behind or time.time() > kill + EFFECT_S)

        both = [self.live, replay]
        self.deadline.until(recovered, f"analysis had recovered without {what}", both)

    def _wait_for(self, window: tuple[float, float], commands: Sequence[Command]) -> None:
        """Wait for data, and until each second gives results: else a kill has nothing to stop."""
        due, last = (from_seconds(FIRST_GPS + second) for second in window)

        def reached() -> bool:
            self._look()
            now = time.time()
            there = self._play().due_ns(now)
            if there < due:
                return False
            steady = all(expected.is_steady(now) for expected in self._expected().values())
            return steady or there >= last

        self.deadline.until(reached, "a kill", commands)

    def _behind(self) -> bool:
        now, segments = time.time(), self.watch.published.segments
        for channel, expected in self._expected().items():
            beats = Beats((t, one.end_ns) for t, one in segments if one.channel == channel)
            if beats.reached_ns(now) < expected.reached_ns(now):
                return True
        return False

    def _expected(self) -> dict[str, Expected]:
        """Return how far each channel can be, as far as its frames are known."""
        known, play = self._log.read(), self._play()
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

    def _play(self) -> Play:
        plan = self.plan
        return Play.of(self._log.read(), FIRST_GPS * NANOSECONDS, plan.end_ns, plan.speed)
