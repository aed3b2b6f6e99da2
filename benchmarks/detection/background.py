"""What triggers without a signal: ``python -m benchmarks.detection.background``.

How often Gaussian noise exceeds a rank, beside what theory says; and what real strain gives.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from beam_pipeline.config import PipelineConfig
from benchmarks import affinity, report
from benchmarks.detection import detector, false_alarms, real_strain
from benchmarks.detection.false_alarms import HOUR
from models.simulation import noise
from transforms.detect.bank import bank_for
from transforms.significance.gaussian import TileField

DATA = Path(__file__).parents[2] / "tests" / "data"
REAL = tuple(sorted([*DATA.glob("*.hdf5"), *DATA.glob("*.hdf")]))
HEADS = (
    "noise",
    "rank",
    "events",
    "rate [1/h]",
    "theory",
    "ratio",
    f"from {false_alarms.ANCHOR}",
    "tiles alone",
    "theory",
    "ratio",
    "within 20 %",
)
REAL_HEADS = (
    "strain",
    "live [s]",
    "triggers",
    *(f"SNR {a:g}-{b:g}" for a, b in real_strain.SNRS),
    "near ends",
    "cut: near ends",
    *(f"{name} lines" for name in real_strain.LINES),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    used = affinity.pin(options.cores)
    config = detector.config_of(options)
    figures = {**report.provenance(used), "seed": options.seed}
    try:
        strain = real_strain.load(options.real)
        figures["gaussian"] = _gaussian(options, detector.eager(config, options.threshold))
        _show_gaussian(figures["gaussian"])
        if strain:
            pieces = options.piece_seconds
            figures["real"] = real_strain.measure(strain, config, pieces, report.progress)
            _show_real(figures["real"])
    except ValueError as error:
        raise SystemExit(f"benchmarks.detection.background: {error}") from error
    report.write_json(options.json, figures)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.detection.background", description=__doc__
    )
    parser.add_argument("--curve", choices=noise.names(), default="aligo_O4high")
    parser.add_argument("--rate", type=int, default=4096, help="of simulated noise [Hz]")
    for name, default, text in (
        ("hours", 3.1, "simulated strain, whitened and searched"),
        ("verify-hours", 10.0, "white noise, searched alone"),
    ):
        help_ = f"{text} [h] (default: %(default)s)"
        parser.add_argument(f"--{name}", type=float, default=default, metavar="N", help=help_)
    parser.add_argument("--real", nargs="*", type=Path, default=REAL, metavar="FILE")
    parser.add_argument(
        "--piece-seconds",
        type=int,
        default=20,
        metavar="N",
        help="pieces into which real strain is cut to see what ends do [s] (default: %(default)s)",
    )
    detector.add_options(parser)
    report.add_options(parser)
    affinity.add_option(parser)
    return parser


def _gaussian(options: argparse.Namespace, config: PipelineConfig) -> dict[str, Any]:
    """Search noise, fit what shapes add on the first run, and compare all runs with theory."""
    rate, seed = options.rate, options.seed
    seconds, more = options.hours * HOUR, options.verify_hours * HOUR
    bank = bank_for(rate, config.detect, config.whiten.low_frequency)
    tiles = TileField.of(bank, config.detect)
    first = false_alarms.coloured(options.curve, seconds, rate, seed, config, report.progress)
    runs = [
        first,
        *([false_alarms.white(more, rate, seed, config, report.progress)] if more else []),
    ]
    shapes = false_alarms.shapes_of(first)
    scale = false_alarms.anchor(first, tiles, config, shapes)
    return {
        "shapes": asdict(shapes),
        "scale": scale,
        "rows": [
            row for run in runs for row in false_alarms.compare(run, tiles, config, shapes, scale)
        ],
        "added": [
            {"noise": run.noise, "events": [run.added(rank) for rank in false_alarms.RANKS]}
            for run in runs
        ],
        "seconds_per_cpu_second": sum(run.live for run in runs) / sum(run.cpu for run in runs),
    }


def _show_gaussian(figures: dict[str, Any]) -> None:
    shapes = figures["shapes"]
    print(
        f"rectangles and tracks add {shapes['rate'] * HOUR:.1f} exp(-{shapes['slope']:.2f} "
        f"(rank^2 - 25) / 2) per hour, counted in the first noise at ranks "
        f"{false_alarms.SHAPES_BETWEEN[0]} and {false_alarms.SHAPES_BETWEEN[1]}; its rate at "
        f"{false_alarms.ANCHOR} is {figures['scale']:.3f} of theory's"
    )
    report.print_table(HEADS, [_gaussian_cells(row) for row in figures["rows"]])
    print(f"{figures['seconds_per_cpu_second']:.0f} s of noise per CPU second")


def _gaussian_cells(row: dict[str, Any]) -> list[str]:
    both, tiles = row["all"], row["tiles"]
    verdict = ("yes" if both["within"] else "no") + " (few)" * (both["error"] > false_alarms.WITHIN)
    return [
        f"{row['noise']}, {row['hours']:.1f} h",
        f"{row['rank']:.2f}",
        str(both["events"]),
        f"{both['rate']:.2f}",
        f"{both['theory']:.2f}",
        f"{both['ratio']:.2f}±{both['error']:.2f}",
        f"{row['extrapolated']:.2f}",
        str(tiles["events"]),
        f"{tiles['theory']:.2f}",
        f"{tiles['ratio']:.2f}±{tiles['error']:.2f}",
        verdict,
    ]


def _show_real(rows: list[dict[str, Any]]) -> None:
    """Print the table of the files, their sum, and the loud ones by name."""
    print(
        f"\nreal strain: triggers seen (and expected by chance) within {real_strain.NEAR} s of an "
        f"end and, with q of {real_strain.NARROW:g} or more, at lines"
    )
    report.print_table(REAL_HEADS, [_real_cells(row) for row in [*rows, total(rows)]])
    for row in rows:
        for one in row["loud"]:
            print(
                f"{row['file']}: {one['event'] or 'not a known event'} at {one['time']:.4f}, "
                f"{one['frequency']:.0f} Hz, SNR {one['snr']:.1f}, rank {one['rank']:.1f}, "
                f"{one['wavelet']}"
            )


def total(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Add the files up."""

    def added(cells: Sequence[dict[str, float]]) -> dict[str, float]:
        return {key: sum(cell[key] for cell in cells) for key in cells[0]}

    events = zip(*([cell["events"] for cell in row["bins"]] for row in rows), strict=True)
    return {
        "file": "all",
        "live": sum(row["live"] for row in rows),
        "bins": [{"events": sum(column)} for column in events],
        "ends": added([row["ends"] for row in rows]),
        "ends_cut": added([row["ends_cut"] for row in rows]),
        "lines": {name: added([row["lines"][name] for row in rows]) for name in real_strain.LINES},
    }


def _real_cells(row: dict[str, Any]) -> list[str]:
    counts = [cell["events"] for cell in row["bins"]]
    beside = [row["ends"], row["ends_cut"], *row["lines"].values()]
    return [
        row["file"],
        f"{row['live']:.0f}",
        f"{sum(counts)}: {sum(counts) * HOUR / row['live']:.0f}/h",
        *(f"{n}: {n * HOUR / row['live']:.0f}/h" if n else "0" for n in counts),
        *(f"{cell['seen']} ({cell['expected']:.1f})" for cell in beside),
    ]


if __name__ == "__main__":
    sys.exit(main())
