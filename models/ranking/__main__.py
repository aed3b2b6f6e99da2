"""Learn the ranking of coincidences: ``python -m models.ranking --output FILE --work DIR``.

Noise with glitches and signals are simulated for a network, and noise is slid in time. From both
the statistic is learnt. What was simulated stays in the work folder: the same command goes on from
it, and more hours or signals add to it.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from models import pool
from models.ranking import sets
from models.ranking.making import Recipe, made
from models.simulation.network import DETECTORS, NetworkConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Learn a statistic and write it."""
    options = _parser().parse_args(arguments)
    told = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "models.ranking", *told])
    try:
        network = NetworkConfig(detectors=tuple(sorted(options.detectors)))
        plan = sets.Plan(work=options.work, network=network, processes=options.processes)
        recipe = Recipe(hours=options.hours, signals=options.signals, seed=options.seed)
        statistic = made(plan, recipe, options.strain, command, _show)
        statistic.save(options.output)
    except (ValueError, OSError) as error:
        raise SystemExit(f"models.ranking: {error}") from error
    card = statistic.card
    sys.stdout.write(
        f"{options.output}: {card.signal_pairs} pairs of signals, {card.noise_pairs} slid pairs\n"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.ranking", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR")
    parser.add_argument("--detectors", nargs="+", default=tuple(DETECTORS), metavar="IFO")
    text = "real strain, slid with the simulated noise"
    parser.add_argument("--strain", nargs="+", type=Path, default=(), metavar="DIR", help=text)
    for name, kind, default, text in (
        ("hours", float, Recipe.hours, "noise of each detector [h]"),
        ("signals", int, Recipe.signals, "signals"),
        ("seed", int, Recipe.seed, "of noise and signals"),
        ("processes", int, pool.usable_cpus(), "that simulate"),
    ):
        help_ = f"{text} (default: %(default)s)"
        parser.add_argument(f"--{name}", type=kind, default=default, metavar="N", help=help_)
    return parser


def _show(step: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{step}: {done} of {total}{' ' * 20}\r")


if __name__ == "__main__":
    sys.exit(main())
