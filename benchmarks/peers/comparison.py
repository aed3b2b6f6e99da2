"""The same data through us and our peers: ``python -m benchmarks.peers.comparison``.

Each peer runs in an environment of its own (``make peers-env``), on one core, on the
same frame files, and is judged by the same rule. wdflow cannot keep up with long runs:
leave it out, or shorten them.
"""

import argparse
import logging
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import affinity, report
from benchmarks.detection.scoring import BINS, LOUD, Fraction
from benchmarks.detection.signals import FAMILIES
from benchmarks.peers import measurements
from benchmarks.peers.gwpy import Gwpy
from benchmarks.peers.measurements import Contest
from benchmarks.peers.sgnax import Sgnax
from benchmarks.peers.tool import Tool
from benchmarks.peers.wavefier import Wavefier
from benchmarks.peers.wdflow import Wdflow
from benchmarks.simulated import Recipe
from benchmarks.subprocess_usage import CommandError
from benchmarks.throughput.archive import SECONDS_AT, SIGNAL_GAP
from models.simulation import noise

PEERS = ("sgnax", "wdflow", "gwpy")
MEASURES = ("throughput", "efficiency")
OURS = "wavefier"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.ERROR)
    used = affinity.pin(options.cores)
    figures: dict[str, Any] = {**report.provenance(used), "seed": options.seed}
    try:
        tools = _tools(options)
        with tempfile.TemporaryDirectory() as name:
            figures["rows"] = _rows(tools, options, Path(name), figures)
    except (CommandError, FileNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _show(tools, figures)
    report.write_json(options.json, figures)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.comparison", description=__doc__
    )
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS)
    parser.add_argument("--measure", nargs="+", choices=MEASURES, default=MEASURES)
    for peer, folder in (("sgnax", "sgnax"), ("wdflow", "wdflow"), ("gwpy", "sgnax")):
        default = Path(".venv-peers") / folder / "bin" / "python"
        text = f"interpreter that has {peer} (default: %(default)s)"
        parser.add_argument(f"--{peer}-python", type=Path, default=default, help=text)
    classes = tuple(FAMILIES)
    parser.add_argument("--classes", nargs="+", choices=classes, default=classes, metavar="CLASS")
    for name, default_, text in (
        ("seconds", 2048, "strain with signals"),
        ("noise-seconds", 2048, "strain without signals"),
    ):
        help_ = f"{text} for efficiency [s] (default: %(default)s)"
        parser.add_argument(f"--{name}", type=int, default=default_, metavar="N", help=help_)
    parser.add_argument("--far", type=float, default=1 / 100, metavar="HZ")
    parser.add_argument("--rates", nargs="+", type=int, default=[4096, 16384], metavar="HZ")
    parser.add_argument(
        "--throughput-seconds",
        nargs=2,
        type=int,
        default=[1024, 4096],
        metavar=("SHORT", "LONG"),
        help=f"strain at {SECONDS_AT} Hz, as many samples at other rates; wdflow gets a quarter",
    )
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    parser.add_argument("--curve", choices=noise.names(), default="aligo_O4high")
    report.add_options(parser)
    affinity.add_option(parser)
    return parser


def _tools(options: argparse.Namespace) -> list[Tool]:
    """Make the tools, ours first; check that their interpreters are there."""
    kinds: dict[str, Any] = {"sgnax": Sgnax, "wdflow": Wdflow, "gwpy": Gwpy}
    tools: list[Tool] = [Wavefier()]
    for peer in options.peers:
        # Not resolved: an environment's interpreter is a link, and knows itself by its path.
        python = Path.cwd() / getattr(options, f"{peer}_python")
        if not python.exists():
            raise FileNotFoundError(f"no {python}: run make peers-env, or give --{peer}-python")
        tools.append(kinds[peer](python))
    return tools


def _rows(
    tools: Sequence[Tool], options: argparse.Namespace, folder: Path, figures: dict[str, Any]
) -> list[dict[str, Any]]:
    figures["tools"] = {tool.name: tool.version() for tool in tools}
    rows: list[dict[str, Any]] = []
    if "throughput" in options.measure:
        for rate in options.rates:
            rows += _throughput(tools, rate, options, folder / str(rate))
    if "efficiency" in options.measure:
        recipes = (
            Recipe(
                curve=options.curve,
                seconds=options.noise_seconds,
                sample_rate=4096,
                seed=options.seed,
            ),
            Recipe(
                curve=options.curve,
                seconds=options.seconds,
                sample_rate=4096,
                seed=options.seed + 1,
                classes=tuple(options.classes),
            ),
        )
        done = measurements.compete(tools, recipes, options.far, folder, report.progress)
        figures["thresholds"] = {n: asdict(s.threshold) for n, s in done.scores.items()}
        figures["noise_live"] = done.live
        rows += _quality(done, options.classes)
    return rows


def _throughput(
    tools: Sequence[Tool], rate: int, options: argparse.Namespace, folder: Path
) -> list[dict[str, Any]]:
    short, long = (n * SECONDS_AT // rate for n in options.throughput_seconds)
    recipe = Recipe(
        curve=options.curve,
        seconds=long,
        sample_rate=rate,
        seed=options.seed,
        classes=("sine_gaussian",),
        gap=SIGNAL_GAP,
    )
    costs = measurements.race(tools, recipe, short, options.repeats, folder, report.progress)
    rows = []
    for what, key, form, scale in (
        ("s of strain per CPU s", "cpu_rate", ".1f", 1.0),
        ("start-up [CPU s]", "start_cpu", ".1f", 1.0),
        ("peak memory [MB]", "peak", ".0f", 1e-6),
    ):
        values = {name: getattr(cost, key) * scale for name, cost in costs.items()}
        rows.append({"what": f"{what}, {rate} Hz", "values": values, "form": form})
    return rows


def _quality(done: Contest, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return efficiency by class and SNR bin, errors and coverage."""
    rows: list[dict[str, Any]] = []
    for label in (*classes, None):
        cells = {name: done.efficiency(name, label) for name in done.scores}
        for number, (low, high) in enumerate(BINS):
            each = {name: bins[number] for name, bins in cells.items()}
            what = f"{label or 'all'}, SNR {low:g}-{high:g}".replace("-inf", " and more")
            count = next(iter(each.values())).count
            values = {name: cell.value for name, cell in each.items()}
            found = {name: cell.found for name, cell in each.items()}
            row = {"what": f"{what} ({count})", "values": values, "found": found}
            rows.append({**row, "count": count, "form": ".2f"})
    for label in classes:
        ratios = {name: done.recovery(name, label) for name in done.scores}
        what = f"{label}, SNR {LOUD:g} and more: median SNR ratio"
        rows.append({"what": what, "values": ratios, "form": ".3f"})
    for what, key, scale, form in (
        ("median |time error| [ms]", "time", 1e3, ".2f"),
        ("median |frequency error| [%]", "frequency", 1e2, ".2f"),
        ("median SNR ratio", "snr", 1.0, ".3f"),
    ):
        values = {n: getattr(s.errors, key) * scale for n, s in done.scores.items()}
        rows.append({"what": f"sine-Gaussians: {what}", "values": values, "form": form})
    analysed = {name: 100 * score.analysed for name, score in done.scores.items()}
    rows.append({"what": "analysed [%]", "values": analysed, "form": ".2f"})
    return rows


def _show(tools: Sequence[Tool], figures: dict[str, Any]) -> None:
    names = [tool.name for tool in tools]
    print(", ".join(f"{name} {figures['tools'][name]}" for name in names))
    for name, limit in figures.get("thresholds", {}).items():
        print(
            f"{name}: FAR 1/{1 / limit['far']:.0f} s at {limit['value']:.3f}, exceeded by "
            f"{limit['events']} events in {limit['live']:.0f} s of noise"
        )
    shown = [row for row in figures["rows"] if row.get("count") != 0]
    heads = ["what", *names, *(f"{OURS}/{peer}" for peer in names[1:])]
    report.print_table(heads, [_cells(row, names) for row in shown])


def _cells(row: dict[str, Any], names: Sequence[str]) -> list[str]:
    values, cells = row["values"], [row["what"]]
    for name in names:
        cell = format(values[name], row["form"])
        if "found" in row:
            cell += f"±{Fraction(row['found'][name], row['count']).error:.2f}"
        cells.append(cell)
    for peer in names[1:]:
        cells.append(f"{values[OURS] / values[peer]:.2f}" if values[peer] else "-")
    return cells


if __name__ == "__main__":
    sys.exit(main())
