"""The course of a rehearsal: servers and job start, the stage is played, all ends."""

from contextlib import ExitStack
from pathlib import Path

from benchmarks import report, simulated
from benchmarks.detection.signals import FAMILIES
from benchmarks.rehearsal.commands import running
from benchmarks.rehearsal.live_job import Deadline, Stage
from benchmarks.rehearsal.monitor import look, monitor
from benchmarks.rehearsal.plan import GROUP, RESULTS, Outcome, Plan
from benchmarks.rehearsal.servers import servers
from benchmarks.rehearsal.watch import Watch
from benchmarks.simulated import Archive, Recipe
from transforms.broker import KafkaConfig, Topic, ensure_topics
from transforms.sink.kafka import output_topics


def perform(plan: Plan, folder: Path) -> Outcome:
    """Rehearse in a folder, which is left to the caller.

    Raises:
        CommandFailed: The job, the replay or the archive's job fails.
        TimeoutError: Something does not happen in time.
        flink.processes.Problem: A server does not start.
    """
    deadline, done = Deadline(plan.deadline_s), Outcome()
    done.live, done.archive = folder / "live", folder / "archive"
    config = folder / "science.yaml"
    config.write_text(plan.config.to_yaml())
    report.progress("strain")
    archives = [
        _archive(plan, number, folder / "strain" / ifo) for number, ifo in enumerate(plan.ifos)
    ]
    with ExitStack() as stack:
        report.progress("servers")
        there = stack.enter_context(servers(folder / "servers", monitored=plan.monitored))
        broker = KafkaConfig(there.broker.address)
        inputs = {f"{GROUP}.{ifo}": Topic() for ifo in plan.ifos}
        ensure_topics(broker, {**inputs, **output_topics(RESULTS)})
        watch = stack.enter_context(Watch(there.broker.address, RESULTS))
        if plan.monitored:
            prometheus = stack.enter_context(monitor(folder / "prometheus"))
        log = folder / "live.log"
        names = ("--publish", RESULTS, "--group", GROUP)
        command = ["live", *names, *there.live_options(inputs, folder)]
        stage = Stage(
            plan=plan,
            folder=folder,
            there=there,
            watch=watch,
            start=lambda: stack.enter_context(running(command, log)),
            deadline=deadline,
            done=done,
        )
        stage.play(archives)
        stage.finish(archives, config)
        if plan.monitored:
            done.seen = look(prometheus)
    return done


def _archive(plan: Plan, number: int, folder: Path) -> Archive:
    classes = tuple(FAMILIES)
    ifo, seed = plan.ifos[number], plan.seed + number
    recipe = Recipe(
        curve="aligo_O4high",
        seconds=plan.frames,
        sample_rate=4096,
        seed=seed,
        classes=classes,
        ifo=ifo,
    )
    return simulated.make(folder, recipe, "hdf5", simulated.PIECE)
