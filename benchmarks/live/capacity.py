"""How many channels one live job analyses at real time: ``python -m benchmarks.live.capacity``.

More and more channels of simulated strain are played at real time, as rows, to a broker, a
cluster and a live job of the benchmark's own, until the job falls behind. For each number: how
late the job is, what each part of the system takes meanwhile, and how much memory it holds.
"""

import argparse
import logging
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from beam_pipeline.config import PipelineConfig
from beam_pipeline.exits import INTERRUPTED
from benchmarks import affinity, report, simulated
from benchmarks.live.loads import load_test, shares
from benchmarks.live.loads.lag import GROWTH_S
from benchmarks.live.loads.load_test import Load
from benchmarks.live.loads.player import CLASSES, CURVE, GAP_S
from benchmarks.rehearsal.servers import end_all
from benchmarks.simulated import Recipe
from flink import parts
from flink.processes import Problem
from flink.settings import ClusterSettings
from transforms.broker import BrokerError

NUMBERS = (10, 20, 30, 40, 60, 80, 100)
STRAIN_S = 512
"""Of which the stages' own cost is measured [s]."""
BLOCKS = 32
SHOWN = ("Python workers", "TaskManagers", "broker", "player")
WHOLE = ("machine", "others")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print, what there is if it is interrupted; options of Beam are the job's."""
    options, rest = _parser().parse_known_args(arguments)
    logging.basicConfig(level=logging.ERROR)
    for number in (signal.SIGINT, signal.SIGTERM):  # everything ends in order
        signal.signal(number, signal.default_int_handler)
    rows: list[dict[str, Any]] = []
    figures: dict[str, Any] = {"shares": {}}
    code = 0
    try:
        for row in _rows(options, rest):
            rows.append(row)
        if options.profile:
            figures["shares"] = _shares(rows, options, rest)
    except (KeyboardInterrupt, Problem, BrokerError) as error:
        sys.stderr.write(f"capacity: {error or 'interrupted'}\n")
        code = INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    made = report.provenance(affinity.pin(0))
    made["versions"] |= {name: parts.versions()[f"{name}.version"] for name in ("flink", "kafka")}
    names = ("rate", "past", "seconds", "seed", "taskmanager_mb")
    given = {name: vars(options)[name] for name in names}
    stages = _stages(options.rate, options.seed)
    figures = {**made, **given, **figures, "rows": rows, "stages_cpu_s": stages}
    _show(figures)
    report.write_json(options.json, figures)
    return code


def _rows(options: argparse.Namespace, rest: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Try more and more channels until the job falls behind; yield the figures of each number."""
    for number in sorted(options.channels):
        with _folder() as folder:
            row = load_test.run(_load(number, options, rest), folder)
        yield row
        if not row.get("keeps_up"):
            break


def _load(number: int, options: argparse.Namespace, rest: Sequence[str]) -> Load:
    report.progress(f"{number} channels")
    return Load(
        channels=number,
        rate=options.rate,
        past=options.past,
        seconds=options.seconds,
        seed=options.seed,
        taskmanager_mb=options.taskmanager_mb,
        options=tuple(rest),
    )


@contextmanager
def _folder() -> Iterator[Path]:
    """Yield a folder of which nothing is left, and no process that writes into it."""
    folder = Path(tempfile.mkdtemp(prefix="capacity-"))
    try:
        yield folder
    finally:
        end_all(folder)
        shutil.rmtree(folder)


def _shares(
    rows: Sequence[Mapping[str, Any]], options: argparse.Namespace, rest: Sequence[str]
) -> dict[str, float]:
    """Profile the workers with as many channels as they keep up with."""
    good = [row["channels"] for row in rows if row.get("keeps_up")]
    if not good:
        return {}
    with _folder() as folder, tempfile.TemporaryDirectory() as profiles:
        profiled = [*rest, *shares.options(Path(profiles), options.profile)]
        load_test.run(_load(max(good), options, profiled), folder)
        return shares.shares(Path(profiles))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.live.capacity", description=__doc__, allow_abbrev=False
    )
    text = f"numbers to try, until one falls behind (default: {' '.join(map(str, NUMBERS))})"
    parser.add_argument("--channels", nargs="+", type=int, default=NUMBERS, metavar="N", help=text)
    parser.add_argument("--rate", type=int, default=4096, metavar="HZ")
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="at real time [s]")
    text = "of strain handed over before: 75 for a first spectrum, 320 for a state that is full"
    parser.add_argument("--past", type=int, default=75, metavar="N", help=f"{text} [s]")
    parser.add_argument(
        "--taskmanager-mb", type=int, default=ClusterSettings.taskmanager_mb, metavar="MB"
    )
    parser.add_argument(
        "--profile",
        type=float,
        default=0.0,
        metavar="P",
        help="once more, at the highest number that keeps up, with such a part of all bundles"
        " profiled: where the workers spend their time",
    )
    report.add_options(parser)
    return parser


def _stages(rate: int, seed: int) -> dict[str, float]:
    """Return what whitening and searching a second of one channel cost, without Beam [CPU s]."""
    from benchmarks.throughput import stages  # late: Beam is quiet only once logging is set

    recipe = Recipe(
        curve=CURVE, seconds=STRAIN_S, sample_rate=rate, seed=seed, classes=CLASSES, gap=GAP_S
    )
    with tempfile.TemporaryDirectory() as name:
        made = simulated.make(Path(name), recipe, "hdf5", STRAIN_S)
        return stages.live_stages(made, PipelineConfig(), BLOCKS)


def _show(figures: Mapping[str, Any]) -> None:
    rows = figures["rows"]
    heads = [str(row["channels"]) for row in rows]
    report.print_table(["channels", *heads], [[what, *cells] for what, cells in _lines(rows)])
    each = figures["stages_cpu_s"]
    said = ", ".join(f"{name} {1e3 * spent:.1f} ms" for name, spent in each.items())
    print(f"a second of a channel without Beam: {said}")
    good = [row for row in rows if "parts" in row]
    if good:
        last = good[-1]
        own = sum(each.values()) * last["channels"]
        workers = last["parts"]["Python workers"]["cores"]
        print(f"of the workers' {workers:.2f} cores at {last['channels']}: {own:.2f} without Beam")
    for name, share in figures["shares"].items():
        print(f"{name}: {100 * share:.0f} % of the workers' time")


def _lines(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    def cells(form: str, *keys: str, scale: float = 1.0) -> list[str]:
        return [_cell(row, form, keys, scale) for row in rows]

    found = [
        (f"segment {part} [s]", cells(".2f", "lag_s", part))
        for part in ("p50", "p99", "begin", "end")
    ]
    found += [
        (f"trigger, first message, {part} [s]", cells(".2f", "trigger_s", part))
        for part in ("p50", "p99")
    ]
    found += [("past caught up with in [s]", cells(".0f", "caught_up_s"))]
    found += [
        (f"{part} [cores]", cells(".2f", "parts", part, "cores")) for part in (*SHOWN, *WHOLE)
    ]
    found += [(f"{part} [MB]", cells(".0f", "parts", part, "rss", scale=1e-6)) for part in SHOWN]
    heaps = [
        ", ".join(f"{one['Used'] / one['Max']:.2f}" for one in row.get("heaps_bytes", ()) if one)
        for row in rows
    ]
    found += [("heaps of the TaskManagers, used", [each or "-" for each in heaps])]
    found += [("checkpoint [MB]", cells(".0f", "checkpoint_bytes", scale=1e-6))]
    found += [("restarts", cells(".0f", "restarts"))]
    verdicts = [row.get("failed") or ("yes" if row.get("keeps_up") else "no") for row in rows]
    return [*found, (f"keeps up (within {GROWTH_S:g} s)", verdicts)]


def _cell(row: Mapping[str, Any], form: str, keys: Sequence[str], scale: float) -> str:
    value: Any = row
    for key in keys:
        value = value.get(key) if value is not None else None
    return "-" if value is None else format(value * scale, form)


if __name__ == "__main__":
    sys.exit(main())
