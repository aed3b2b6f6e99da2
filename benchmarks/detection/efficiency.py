"""How many signals are found at a fixed false-alarm rate.

``python -m benchmarks.detection.efficiency``
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import affinity, report
from benchmarks.detection import detector, injection_runs, scoring
from benchmarks.detection.injection_runs import Outcome, Plan
from benchmarks.detection.scoring import BINS, Fraction, Threshold
from benchmarks.detection.signals import FAMILIES
from models.simulation import noise

FARS = (1 / 20, 1 / 100, 1 / 1000)
"""False-alarm rates of the table [Hz]."""
REFERENCE_FAR = 1 / 100
"""Rate at which errors are measured and kinds of noise compared [Hz]."""
REAL = (
    Path(__file__).parents[2] / "tests" / "data" / "H-H1_O3A_HIGHPASSED_2KHZ-1238205077-500.hdf",
)
HEADS = (
    "signals in noise",
    "FAR [1/s]",
    *(f"SNR {a:g}-{b:g}" for a, b in BINS),
    "by chance",
    "SNR ratio",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    used = affinity.pin(options.cores)
    config = detector.eager(detector.config_of(options), options.threshold)
    plan = Plan(
        classes=tuple(options.classes),
        curves=tuple(options.curves),
        seconds=options.seconds,
        noise_seconds=options.noise_seconds,
        real_seconds=options.real_seconds if options.real else 0,
        sample_rate=options.rate,
        seed=options.seed,
    )
    outcomes = injection_runs.simulated(plan, config, report.progress)
    limits = thresholds(outcomes)
    if options.real:
        reference = next(limit.value for limit in limits if limit.far == REFERENCE_FAR)
        outcomes.append(injection_runs.real(plan, options.real, config, reference, report.progress))
    figures = {**report.provenance(used), "seed": options.seed, **measure(outcomes, limits)}
    show(figures)
    report.write_json(options.json, figures)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.detection.efficiency", description=__doc__
    )
    classes, curves = tuple(FAMILIES), noise.names()
    parser.add_argument("--classes", nargs="+", choices=classes, default=classes, metavar="CLASS")
    parser.add_argument("--curves", nargs="+", choices=curves, default=curves, metavar="CURVE")
    parser.add_argument("--rate", type=int, default=4096, help="of simulated strain [Hz]")
    for name, default, text in (
        ("seconds", 12288, "simulated strain with signals"),
        ("noise-seconds", 6144, "simulated strain without signals"),
        ("real-seconds", 3000, "real strain with signals, in passes"),
    ):
        help_ = f"{text}, over all [s] (default: %(default)s)"
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=help_)
    parser.add_argument("--real", nargs="*", type=Path, default=REAL, metavar="FILE")
    detector.add_options(parser)
    report.add_options(parser)
    affinity.add_option(parser)
    return parser


def thresholds(outcomes: Sequence[Outcome]) -> list[Threshold]:
    """Find the thresholds on the noise of all curves together."""
    ranks = [event.rank for outcome in outcomes for event in outcome.noise_events]
    live = sum(outcome.noise_live for outcome in outcomes)
    return [scoring.threshold(ranks, live, far) for far in FARS]


def measure(outcomes: Sequence[Outcome], limits: Sequence[Threshold]) -> dict[str, Any]:
    """Return all figures: thresholds, efficiency, errors, rates, coverage and speed."""
    curves = [outcome for outcome in outcomes if outcome.name != "real"]
    noise_events = [event for outcome in curves for event in outcome.noise_events]
    extent = sum(e.end - e.start for e in noise_events) / max(len(noise_events), 1)
    pairs = [p for o in curves for p in zip(o.injections, o.matched, strict=True)]
    labels = [label for label in FAMILIES if any(i.label == label for i, _ in pairs)]
    rows = []
    for limit in limits:
        groups = [(label, [p for p in pairs if p[0].label == label]) for label in labels]
        rows += [_row(name, group, limit, extent) for name, group in [*groups, ("all", pairs)]]
    reference = next(limit for limit in limits if limit.far == REFERENCE_FAR)
    rows += [
        _row(f"all in {o.name}", list(zip(o.injections, o.matched, strict=True)), reference, extent)
        for o in outcomes
        if o.injections
    ]
    errors = scoring.errors([i for i, _ in pairs], [e for _, e in pairs], reference.value)
    return {
        "thresholds": [asdict(limit) for limit in limits],
        "rows": rows,
        "errors": asdict(errors),
        "noise": [_rates(outcome, limits) for outcome in outcomes],
        "analysed": sum(o.live for o in outcomes) / max(sum(o.seconds for o in outcomes), 1),
        "seconds_per_cpu_second": sum(o.seconds for o in outcomes) / sum(o.cpu for o in outcomes),
    }


def _row(name: str, pairs: list[Any], limit: Threshold, extent: float) -> dict[str, Any]:
    injections, matched = [i for i, _ in pairs], [e for _, e in pairs]
    cells = scoring.by_bin(injections, matched, limit.value)
    return {
        "signals": name,
        "far": limit.far,
        "bins": [
            {"snr": [low, high], **asdict(cell), "efficiency": cell.value, "error": cell.error}
            for (low, high), cell in zip(BINS, cells, strict=True)
        ],
        "by_chance": scoring.chance(injections, limit.far, extent),
        "snr_ratio": scoring.recovery(injections, matched),
    }


def _rates(outcome: Outcome, limits: Sequence[Threshold]) -> dict[str, Any]:
    """Count one kind of noise's own events over each threshold."""
    above = [sum(e.rank > limit.value for e in outcome.noise_events) for limit in limits]
    return {"name": outcome.name, "live": outcome.noise_live, "above": above}


def show(figures: dict[str, Any]) -> None:
    """Print the table, and above it what it rests on."""
    for limit in figures["thresholds"]:
        note = "" if limit["reliable"] else "; too little noise for this rate"
        print(
            f"FAR 1/{1 / limit['far']:.0f} s: rank > {limit['value']:.3f}, exceeded by "
            f"{limit['events']} noise events in {limit['live']:.0f} s{note}"
        )
    report.print_table(HEADS, [_cells(row) for row in figures["rows"]])
    for kind in figures["noise"]:
        counts = ", ".join(
            f"{n} over 1/{1 / limit['far']:.0f} s"
            for n, limit in zip(kind["above"], figures["thresholds"], strict=True)
        )
        print(f"noise of {kind['name']}: {kind['live']:.0f} s without signals, {counts}")
    errors = figures["errors"]
    print(
        f"sine-Gaussians found ({errors['count']}): median time error "
        f"{errors['time'] * 1e3:.2f} ms, frequency error {errors['frequency']:.2%}, "
        f"SNR ratio {errors['snr']:.3f}"
    )
    print(
        f"analysed {figures['analysed']:.2%} of the data, "
        f"{figures['seconds_per_cpu_second']:.0f} s of strain per CPU second (search alone)"
    )


def _cells(row: dict[str, Any]) -> list[str]:
    bins = [Fraction(cell["found"], cell["count"]) for cell in row["bins"]]
    values = [f"{b.value:.2f}±{b.error:.2f} ({b.count})" if b.count else "-" for b in bins]
    last = f"{row['by_chance']:.2f}", f"{row['snr_ratio']:.3f}"
    return [row["signals"], f"1/{1 / row['far']:.0f}", *values, *last]


if __name__ == "__main__":
    sys.exit(main())
