"""Efficiency and truth of false-alarm rates of events: ``python -m benchmarks.significance``.

A simulated network, with glitches at real rates and signals from everywhere. Unless a statistic is
given, one is learnt from ``--seed``; it is measured on the noise and the signals of the next seed.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import affinity, report
from benchmarks.significance import calibration, efficiency
from models.ranking import pairing, sets
from models.ranking.making import Recipe, made
from models.simulation.network import DETECTORS, NOISES, NetworkConfig
from transforms.detect.config import DetectConfig
from transforms.gps import from_seconds
from transforms.significance.config import SignificanceConfig
from transforms.significance.statistic import Statistic, load


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    used = affinity.pin(options.cores)
    figures = {**report.provenance(used), "seed": options.seed}
    try:
        figures |= measured(options)
    except ValueError as error:
        raise SystemExit(f"benchmarks.significance: {error}") from error
    report.write_json(options.json, figures)
    return 0


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Return all figures, and print their tables."""
    began = time.process_time()
    plan = sets.Plan(
        work=options.work,
        network=NetworkConfig(detectors=tuple(sorted(options.detectors))),
        detection=DetectConfig(threshold=options.threshold),
        processes=options.cores,
    )
    recipe = Recipe(hours=options.hours, signals=options.signals, seed=options.seed)
    seed, show = recipe.seed + 1, report.progress_of
    statistic = load(options.statistic) if options.statistic else made(plan, recipe, progress=show)
    noise = sets.noise(plan, seed, recipe.stretches(plan.network), show)
    heard = sets.signals(plan, seed, recipe.signals, show)
    simulated = time.process_time()
    figures: dict[str, Any] = {"statistic": statistic.id, "weights": vars(statistic.labelled)}
    figures["efficiency"] = _efficiency(statistic, noise, heard, plan.network, options.step)
    ranked = time.process_time()
    figures["calibration"] = _calibration(statistic, noise, plan.network, options)
    figures["cpu_seconds"] = {
        "simulated and learnt": simulated - began,
        "efficiency": ranked - simulated,
        "calibration": time.process_time() - ranked,
    }
    return figures


def _efficiency(
    statistic: Statistic,
    noise: Mapping[str, list[sets.Seen]],
    heard: list[sets.SeenSignals],
    network: NetworkConfig,
    step: float,
) -> dict[str, Any]:
    signals = [signal for one in heard for signal in one.signals]
    # Noise that is stationary may be slid as far as it goes, for rates that are lower.
    longest = max(one.end_ns for each in noise.values() for one in each)
    longest -= min(one.start_ns for each in noise.values() for one in each)
    shifts = from_seconds(step), from_seconds(SignificanceConfig().first_seconds), longest
    each = []
    for both in pairing.detector_pairs(network.detectors):
        slid = pairing.slid_noise(noise, both, statistic.classes, shifts)
        own = pairing.of_signals(heard, both, statistic.classes)
        each.append(efficiency.rates_of(statistic, slid, own, len(signals), statistic.classes))
    table: dict[str, Any] = {}
    for one in each:
        places = [network.detectors.index(ifo) for ifo in one.detectors]
        table["".join(one.detectors)] = {
            "livetime_yr": one.livetime_ns / 1e9 / efficiency.YEAR,
            "slid_pairs": one.slid_pairs,
            "relative_errors": one.errors,
            "found": efficiency.table(one.rates, signals, places, one.least),
        }
    if len(each) > 1:
        places = list(range(len(network.detectors)))
        rates = efficiency.together(each)
        least = len(each) * max(one.least for one in each)
        table["".join(network.detectors)] = {
            "found": efficiency.table(rates, signals, places, least)
        }
    for name, one in table.items():
        _show_efficiency(name, one)
    return table


def _calibration(
    statistic: Statistic,
    noise: Mapping[str, list[sets.Seen]],
    network: NetworkConfig,
    options: argparse.Namespace,
) -> dict[str, Any]:
    both = pairing.detector_pairs(network.detectors)[0]
    told = {}
    for kind in options.noises if options.days else ():
        counts = []
        for trial in range(options.trials):
            drawn = calibration.Trial(
                days=options.days, seed=1000 * options.seed + trial, noise=kind
            )
            config = SignificanceConfig()
            counts.append(calibration.counted(statistic, noise, both, drawn, config))
            report.progress_of(kind, trial + 1, options.trials)
        told[kind] = calibration.summary(counts)
    if told:
        _show_calibration(told)
    return told


def _show_efficiency(name: str, one: Mapping[str, Any]) -> None:
    if "livetime_yr" in one:
        print(f"\n{name}: {one['livetime_yr']:.1f} yr of slides, {one['slid_pairs']} pairs")
    else:
        print(f"\n{name}: as many times the best pair's rate as there are pairs of detectors")
    for level in efficiency.LEVELS:
        rows = [
            [
                part,
                str(cells["signals"]),
                f"{cells['any pair']:.2f}",
                *(f"{cells[name][level]:.2f}" for name in efficiency.STATISTICS),
            ]
            for part, cells in one["found"].items()
            if level in cells[efficiency.JOINT]
        ]
        if rows:
            report.print_table(
                [f"found at {level}", "signals", "any pair", *efficiency.STATISTICS], rows
            )


def _show_calibration(made: Mapping[str, Any]) -> None:
    print("\ncounted over promised, by false-alarm rate")
    rows = [
        [
            kind,
            f"{one['days']:.0f}",
            *(
                f"{cell['ratio']:.2f}±{cell['error']:.2f} ({cell['counted']})"
                for cell in one["levels"].values()
            ),
        ]
        for kind, one in made.items()
    ]
    report.print_table(["noise", "days", *calibration.LEVELS], rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.significance", description=__doc__)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR")
    parser.add_argument("--statistic", type=Path, metavar="FILE", help="to measure")
    parser.add_argument("--detectors", nargs="+", default=tuple(DETECTORS), metavar="IFO")
    parser.add_argument("--noises", nargs="+", default=tuple(NOISES), choices=tuple(NOISES))
    for name, kind, default, text in (
        ("hours", float, 24.0, "noise of each detector and seed [h]"),
        ("signals", report.positive, 1500, "of each seed"),
        ("step", float, 2.0, "between the slides that efficiency is measured with [s]"),
        ("threshold", float, DetectConfig().threshold, "least rank of a trigger"),
        ("days", report.count, 14, "of noise to count events in, of each trial"),
        ("trials", report.positive, 10, "of each noise"),
    ):
        help_ = f"{text} (default: %(default)s)"
        parser.add_argument(f"--{name}", type=kind, default=default, metavar="N", help=help_)
    report.add_options(parser)
    affinity.add_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
