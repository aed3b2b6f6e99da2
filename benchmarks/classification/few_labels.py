"""What few labels teach a model: ``python -m benchmarks.classification.few_labels WORK DIR``.

WORK is the folder that ``wavefier train --keep-work`` leaves, DIR labelled strain as ``wavefier
train --labelled`` takes it. The glitches are dealt into groups by the beginning of their files'
names, detector and run by themselves. Each group is judged by a model that was taught so many
glitches of each class from the other groups alone; nothing but the last layer and its calibration
is fitted again. Beside it, the same model on the simulated test set.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import report
from models import metrics
from models.evaluation import labelled
from models.evaluation.labelled import Row
from models.pool import usable_cpus
from models.training import dataset, settings
from models.training.calibrated import Heard, Taught, answer, heard, last_layer, listen, with_hidden
from models.training.fit import FitPlace, fit
from models.training.settings import TrainConfig
from models.training.variants import examples_of
from transforms.arrays import BoolArray
from transforms.detect.config import DetectConfig
from transforms.whiten.config import WhitenConfig

NUMBERS = (0, 1, 2, 4)
"""Labelled glitches of each class, at the most."""
GROUP = r"[^_]+_[^_]+"
"""What of a file's name says detector and run."""
HEADS = (
    *("glitches a class", "taught", "real: right", "calibration error", f"above {metrics.SURE:g}"),
    *("of these wrong", "simulated, SNR >= 8: right", "calibration error"),
)


@dataclass(frozen=True, kw_only=True)
class Data:
    """A fitted model and what it hears."""

    taught: Taught
    test: Heard
    real: Heard
    """Examples of labelled glitches."""
    itself: BoolArray
    """Whether an example is a glitch itself, no variant, [example]."""
    groups: npt.NDArray[np.str_]
    """Detector and run of each, [example]."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How models are that were taught so many glitches of each class."""

    number: int
    taught: float
    """Glitches that a model was taught, mean."""
    right: float
    error: float
    """Expected calibration error."""
    sure: int
    wrong: int
    """Scores above ``metrics.SURE``, and those of them that are wrong; over all draws."""
    simulated: float
    simulated_error: float


def listened(work: Path, folder: Path, config: TrainConfig, pattern: str) -> Data:
    """Load the model of a work folder, and ask it about all that is needed."""
    rows = labelled.table(folder)
    names = np.array([group(row, pattern) for row in rows])
    train, validation, test = (dataset.read(work, name) for name in ("train", "validation", "test"))
    place = FitPlace(work, usable_cpus())
    model, _ = fit(config, (train, validation), place, report.progress_of, report.progress)
    network = with_hidden(model)
    pipeline = WhitenConfig(), DetectConfig(threshold=config.threshold)
    made = examples_of(
        rows, pipeline, config.labelled_copies, config.seed, usable_cpus(), report.progress_of
    )
    loud = test.only(test.snr >= metrics.LOUD)
    return Data(
        taught=listen(network, last_layer(model), (train, validation), config.seed),
        test=heard(network, loud),
        real=heard(network, made),
        itself=made.loudest,
        groups=names[made.stretch],
    )


def group(row: Row, pattern: str) -> str:
    """Return the group of a glitch.

    Raises:
        ValueError: Its file's name tells none.
    """
    found = re.match(pattern, row.file.name)
    if not found:
        raise ValueError(f"{row.file.name}: its name has no {pattern}; set --group")
    return found.group()


def chosen(data: Data, group: str, number: int, rng: np.random.Generator) -> BoolArray:
    """Draw so many glitches of each class from all groups but one, [example]."""
    own, lesson = data.groups != group, data.real.lesson
    kept = np.zeros(len(own), bool)
    for label in np.unique(lesson.truth):
        glitches = np.unique(lesson.glitch[own & (lesson.truth == label)])
        kept |= np.isin(lesson.glitch, rng.permutation(glitches)[:number]) & own
    return kept


def outcome(data: Data, config: TrainConfig, number: int, draws: int) -> Outcome:
    """Measure models that were taught so many glitches of each class."""
    real, simulated, counts, truths, errors = [], [], [], [], []
    for name in np.unique(data.groups):
        rng, known = np.random.default_rng((config.seed, number)), set()
        for _ in range(draws):
            taken = chosen(data, name, number, rng)
            if taken.tobytes() in known:
                continue  # there are no others
            known.add(taken.tobytes())
            lesson = data.real.only(taken)
            made = answer(data.taught, lesson if len(lesson.lesson) else None, config)
            judged = data.real.only((data.groups == name) & data.itself)
            real.append(made.probabilities(judged))
            truths.append(judged.lesson.truth)
            said, truth = made.probabilities(data.test), data.test.lesson.truth
            simulated.append(np.mean(said.argmax(axis=1) == truth))
            errors.append(metrics.calibration_error(said, truth))
            counts.append(len(np.unique(lesson.lesson.glitch)))
    told, truth = np.concatenate(real), np.concatenate(truths)
    right, sure = told.argmax(axis=1) == truth, told.max(axis=1) > metrics.SURE
    return Outcome(
        number=number,
        taught=float(np.mean(counts)),
        right=float(right.mean()),
        error=metrics.calibration_error(told, truth),
        sure=int(sure.sum()),
        wrong=int((sure & ~right).sum()),
        simulated=float(np.mean(simulated)),
        simulated_error=float(np.mean(errors)),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        config = settings.read(options.config)
        data = listened(options.work, options.folder, config, options.group)
    except FileNotFoundError as error:
        parser.error(
            f"there is no {error.filename}: give the folder that `wavefier train --keep-work` left"
        )
    except ValueError as error:
        parser.error(str(error))
    found = [outcome(data, config, number, options.draws) for number in NUMBERS]
    report.print_table(HEADS, [_cells(each) for each in found])
    figures = {
        **report.provenance(usable_cpus()),
        "draws": options.draws,
        "groups": sorted(set(data.groups.tolist())),
        "outcomes": [vars(each) for each in found],
    }
    report.write_json(options.json, figures)
    return 0


def _cells(found: Outcome) -> list[str]:
    return [
        *(str(found.number), f"{found.taught:.1f}", f"{found.right:.3f}", f"{found.error:.3f}"),
        *(str(found.sure), str(found.wrong), f"{found.simulated:.4f}"),
        f"{found.simulated_error:.4f}",
    ]


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no pattern ({error})") from None
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.classification.few_labels", description=__doc__
    )
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--config", type=Path, metavar="YAML", help="of WORK; default: built in")
    parser.add_argument(
        "--group", default=GROUP, type=_pattern, metavar="PATTERN", help=f"default: {GROUP}"
    )
    parser.add_argument(
        "--draws", type=report.positive, default=2, help="of the glitches that are taught"
    )
    report.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
