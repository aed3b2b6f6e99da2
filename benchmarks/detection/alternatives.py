"""Our search beside others on the same whitened strain.

``python -m benchmarks.detection.alternatives``
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks import affinity, report
from benchmarks.detection import detector, injection_runs, scoring
from benchmarks.detection.injection_runs import FIRST_GPS, Outcome, Plan
from benchmarks.detection.injections import Injection
from benchmarks.detection.scoring import BINS, REACH, Event, Fraction
from benchmarks.detection.searches import combined, orthonormal, ours, packets, stationary
from benchmarks.detection.signals import FAMILIES
from models.simulation import noise
from transforms.arrays import SingleArray
from transforms.gps import NANOSECONDS
from transforms.whiten.config import WhitenConfig
from transforms.whiten.whitening import valid_range, whiten

Search = Callable[[SingleArray, int, float], list[Event]]
"""Whitened strain, sample rate [Hz] and least rank to the events over it."""

SEARCHES: dict[str, tuple[Search, float]] = {
    "ours": (ours.search, 4.5),
    "tiles alone": (ours.tiles, 4.5),
    "EnWDF": (orthonormal.search, 6.0),
    "stationary sym8": (stationary.search, 4.5),
    "stationary db4, sym12": (partial(stationary.search, bases=("db4", "sym12")), 4.5),
    "packets": (packets.search, 4.5),
    "tiles and EnWDF": (combined.tiles_and_windows, 4.5),
    "ours and packets": (combined.ours_and_packets, 4.5),
}
"""Each with the least rank at which its false alarms are counted."""
REPEATS = 3
"""Searches whose least CPU time is the cost."""


@dataclass(frozen=True)
class Stretch:
    """Whitened strain of one stretch, and the truth about it."""

    white: SingleArray
    live: float
    """[s]."""
    truth: tuple[Injection, ...] | None
    """None where no signals were put in."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    used = affinity.pin(options.cores)
    plan = Plan(
        classes=tuple(options.classes),
        curves=(options.curve,),
        seconds=options.seconds,
        noise_seconds=options.noise_seconds,
        real_seconds=0,
        sample_rate=options.rate,
        seed=options.seed,
    )
    figures = {**report.provenance(used), "seed": plan.seed}
    figures |= measure(plan, options.searches, options.far)
    show(figures)
    report.write_json(options.json, figures)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.detection.alternatives", description=__doc__
    )
    classes = tuple(FAMILIES)
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=tuple(SEARCHES))
    parser.add_argument("--classes", nargs="+", choices=classes, default=classes, metavar="CLASS")
    parser.add_argument("--curve", choices=noise.names(), default="aligo_O4high", metavar="CURVE")
    parser.add_argument("--rate", type=int, default=4096, help="of the strain [Hz]")
    parser.add_argument("--seconds", type=int, default=8192, help="strain with signals [s]")
    parser.add_argument("--noise-seconds", type=int, default=4096, help="strain without [s]")
    parser.add_argument("--far", type=float, default=1 / 100, help="false-alarm rate [Hz]")
    report.add_options(parser)
    affinity.add_option(parser)
    return parser


def stretches(plan: Plan) -> Iterator[Stretch]:
    """Whiten the stretches that ``benchmarks.detection.efficiency`` searches."""
    for one in injection_runs.stretches(plan):
        block = detector.block_of(one.strain, plan.sample_rate, one.grid.gps_start)
        low, high = valid_range((block.segment_start_ns, block.segment_end_ns), WhitenConfig())
        white = whiten(block, WhitenConfig(), 0).samples
        yield Stretch(white, (high - low) / NANOSECONDS, one.truth)


def find(search: Search, stretch: Stretch, rate: int, least: float) -> list[Event]:
    """Search a stretch; of events within ``REACH`` of each other, keep the loudest."""
    found = search(stretch.white, rate, least)
    moved = (
        replace(e, time=e.time + FIRST_GPS, start=e.start + FIRST_GPS, end=e.end + FIRST_GPS)
        for e in found
    )
    return scoring.thin(moved, REACH)


def measure(plan: Plan, names: Sequence[str], far: float) -> dict[str, Any]:
    """Run each search over all stretches; return thresholds, efficiency and cost."""
    outcomes = {name: Outcome(name) for name in names}
    first: Stretch | None = None
    for number, stretch in enumerate(stretches(plan)):
        first = first or stretch
        for name, outcome in outcomes.items():
            search, floor = SEARCHES[name]
            events = find(search, stretch, plan.sample_rate, floor)
            if stretch.truth is None:
                outcome.add_noise(events, stretch.live)
            else:
                outcome.add_signals(stretch.truth, events)
        report.progress(f"stretch {number + 1}")
    return {"far": far, "searches": [_figures(o, far, first, plan) for o in outcomes.values()]}


def _figures(outcome: Outcome, far: float, timed: Stretch | None, plan: Plan) -> dict[str, Any]:
    ranks = [event.rank for event in outcome.noise_events]
    limit = scoring.threshold(ranks, outcome.noise_live, far)
    pairs = list(zip(outcome.injections, outcome.matched, strict=True))
    rows = {}
    for label in [*plan.classes, "all"]:
        own = [(i, e) for i, e in pairs if label in (i.label, "all")]
        cells = scoring.by_bin([i for i, _ in own], [e for _, e in own], limit.value)
        rows[label] = [{**asdict(cell), "efficiency": cell.value} for cell in cells]
    errors = scoring.errors(outcome.injections, outcome.matched, limit.value)
    search, floor = SEARCHES[outcome.name]
    spent = cost(search, timed, plan.sample_rate, max(limit.value, floor)) if timed else np.nan
    return {
        "name": outcome.name,
        "threshold": asdict(limit),
        "classes": rows,
        "errors": asdict(errors),
        "milliseconds": spent,
    }


def cost(search: Search, stretch: Stretch, rate: int, least: float) -> float:
    """Return the CPU time of a search at its threshold per second of strain [ms]."""
    spent = []
    for _ in range(REPEATS):
        before = time.process_time()
        search(stretch.white, rate, least)
        spent.append(time.process_time() - before)
    return 1e3 * min(spent) * rate / len(stretch.white)


def show(figures: dict[str, Any]) -> None:
    """Print efficiency by class and SNR, then what each search costs."""
    bins = [f"SNR {a:g}-{b:g}" for a, b in BINS]
    rows = []
    for label in figures["searches"][0]["classes"]:
        for one in figures["searches"]:
            parts = [Fraction(cell["found"], cell["count"]) for cell in one["classes"][label]]
            cells = [f"{p.value:.2f}±{p.error:.2f} ({p.count})" if p.count else "-" for p in parts]
            rows.append([label, one["name"], *cells])
    report.print_table(["class", "search", *bins], rows)
    heads = ["search", "rank >", "noise events", "in [s]", "ms/s", "time error", "frequency error"]
    table = []
    for one in figures["searches"]:
        limit, errors = one["threshold"], one["errors"]
        table.append(
            [
                one["name"] if limit["reliable"] else f"{one['name']} (too little noise)",
                f"{limit['value']:.3f}",
                str(limit["events"]),
                f"{limit['live']:.0f}",
                f"{one['milliseconds']:.2f}",
                f"{errors['time'] * 1e3:.2f} ms",
                f"{errors['frequency']:.1%}",
            ]
        )
    report.print_table(heads, table)


if __name__ == "__main__":
    sys.exit(main())
