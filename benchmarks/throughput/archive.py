"""Seconds of strain per CPU second: ``python -m benchmarks.throughput.archive``.

The whole chain is the real command on real files. Two lengths are run, so that start-up
cancels; the stages are then measured one by one in this process.
"""

import argparse
import logging
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from beam_pipeline.config import PipelineConfig
from benchmarks import affinity, report, simulated, subprocess_usage
from benchmarks.simulated import Archive, Recipe
from benchmarks.subprocess_usage import Usage
from models.simulation import noise

HEADS = ("what", "rate [Hz]", "s/CPU s", "s/s", "start [CPU s]", "peak [MB]")
SECONDS_AT = 4096
"""Rate at which ``--seconds`` is meant [Hz]; lengths at other rates have as many samples."""
SIGNAL_GAP = (15.0, 20.0)
"""Between signals in the strain [s]: about 200 an hour, a glitchy detector's rate."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.ERROR)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        for rate in options.rates:
            rows += _rate(Path(name) / str(rate), rate, options)
    figures = {
        **report.provenance(max(options.processes)),
        "seed": options.seed,
        "seconds": options.seconds,
        "file_seconds": options.file_seconds,
        "repeats": options.repeats,
        "rows": rows,
    }
    print(
        f"{options.curve}, files of {options.file_seconds} s, marginal between "
        f"{options.seconds[0]} and {options.seconds[1]} s at {SECONDS_AT} Hz (as many samples at "
        f"other rates), medians of {options.repeats}"
    )
    report.print_table(HEADS, [_cells(row) for row in rows])
    report.write_json(options.json, figures)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput.archive", description=__doc__
    )
    parser.add_argument("--rates", nargs="+", type=int, default=[4096, 16384], metavar="HZ")
    parser.add_argument(
        "--seconds",
        nargs=2,
        type=int,
        default=[1024, 8192],
        metavar=("SHORT", "LONG"),
        help=f"the two lengths of strain at {SECONDS_AT} Hz [s], at other rates of as many "
        "samples (default: %(default)s)",
    )
    parser.add_argument("--processes", nargs="+", type=int, default=[1, 2], metavar="N")
    parser.add_argument(
        "--formats", nargs="+", choices=simulated.FORMATS, default=simulated.FORMATS
    )
    parser.add_argument("--file-seconds", type=int, default=256, metavar="N")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    parser.add_argument("--live-blocks", type=int, default=32, metavar="N")
    parser.add_argument("--curve", choices=noise.names(), default="aligo_O4high")
    report.add_options(parser)
    return parser


def _rate(folder: Path, rate: int, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Measure everything at one sample rate."""
    short, long = (max(1, n * SECONDS_AT // rate) for n in options.seconds)
    recipe = Recipe(
        curve=options.curve,
        seconds=long,
        sample_rate=rate,
        seed=options.seed,
        classes=("sine_gaussian",),
        gap=SIGNAL_GAP,
    )
    made: Archive | None = None
    for kind in options.formats:
        made = simulated.make(folder / kind, recipe, kind, options.file_seconds)
        for processes in options.processes:
            with affinity.pinned(processes):
                runs = _runs(made, (short, long), processes, options.repeats, folder)
            cost = subprocess_usage.marginal(*runs, (short, long))
            what = f"whole chain, {kind}, {processes} process{'es' * (processes > 1)}"
            yield {"what": what, "rate": rate, **asdict(cost)}
    if made is not None:
        with affinity.pinned(1):
            yield from _stages(made, options, folder)


def _runs(
    made: Archive, lengths: tuple[int, int], processes: int, repeats: int, folder: Path
) -> tuple[list[Usage], list[Usage]]:
    """Run the command on both lengths in turn, so that a busy neighbour hits both."""
    runs: tuple[list[Usage], list[Usage]] = ([], [])
    for number in range(repeats):
        for each, seconds in zip(runs, lengths, strict=True):
            output = folder / f"output-{processes}-{seconds}-{number}"
            each.append(subprocess_usage.run(command(made, seconds, processes, output)))
    return runs


def command(made: Archive, seconds: int, processes: int, output: Path) -> list[str | Path]:
    """Return the command line that analyses the first ``seconds`` of an archive."""
    wavefier = Path(sys.executable).parent / "wavefier"
    files = [f for f in made.files if _gps(f) < made.gps_start + seconds]
    line: list[str | Path] = [wavefier, "run", *files, "--output", output]
    line += ["--end", str(made.gps_start + seconds)]
    if processes > 1:
        line += ["--direct_running_mode=multi_processing", f"--direct_num_workers={processes}"]
    return line


def _gps(path: Path) -> int:
    return int(path.stem.split("-")[-2])


def _stages(made: Archive, options: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    from benchmarks.throughput import stages  # late: Beam is quiet only once logging is set

    config = PipelineConfig()
    kind = made.files[0].suffix[1:]
    for stage, each in stages.archive_stages(made, config, folder / "stages").items():
        what = f"stage: {stage}" + f", {kind}" * (stage == "read")
        yield {"what": what, "rate": made.sample_rate, "cpu_rate": 1 / each if each else None}
    for stage, each in stages.live_stages(made, config, options.live_blocks).items():
        what = f"blocks of 1 s: {stage}"
        yield {"what": what, "rate": made.sample_rate, "cpu_rate": 1 / each if each else None}


def _cells(row: dict[str, Any]) -> list[str]:
    def cell(key: str, form: str, scale: float = 1) -> str:
        return format(row[key] * scale, form) if row.get(key) is not None else "-"

    return [
        row["what"],
        str(row["rate"]),
        cell("cpu_rate", ".0f"),
        cell("wall_rate", ".0f"),
        cell("start_cpu", ".1f"),
        cell("peak", ".0f", 1e-6),
    ]


if __name__ == "__main__":
    sys.exit(main())
