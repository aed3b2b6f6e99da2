"""How a model takes what it never learnt: ``python -m benchmarks.classification.left_out WORK``.

WORK is the folder that ``wavefier train --keep-work`` leaves. A network of the packaged kind is
fitted once for each group of families, to a part of the training set without them; the test
set's triggers of these families are what it does not know. How well they are told from those of
the families that it does know is the area under the ROC curve of one number: of the probability
of ``unknown``, or of one less the largest probability of any other class. Beside it, the same of
the network alone, without its distances to what it was taught (`models.training.novelty`).
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import report
from models import metrics
from models.pool import usable_cpus
from models.simulation import waveforms
from models.training import dataset
from models.training.calibrated import calibrate
from models.training.examples import Examples
from models.training.export import export
from models.training.fit import FitPlace, fit
from models.training.settings import TrainConfig, read
from models.training.train import served
from transforms.arrays import RealArray

GROUPS = 5
"""Every family is left out once, with each fifth other one of the list."""
NOWHERE = (50.0, 0.0)
"""A limit that nothing exceeds: logarithms of distances are below ln 2."""
HEADS = (
    *("left out", "triggers"),
    *("unknown", "AUC of p(unknown)", "AUC of 1 - max"),
    *("network alone: unknown", "AUC of p(unknown)", "AUC of 1 - max"),
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """How one family that was left out is taken."""

    label: str
    triggers: int
    called_unknown: float
    """Share of its triggers whose label is ``unknown``."""
    auc_unknown: float
    """Not a number where it has no trigger."""
    auc_largest: float


def groups() -> list[tuple[str, ...]]:
    """Deal the families."""
    known = [label for label in waveforms.FAMILIES if label != waveforms.UNKNOWN]
    return [tuple(known[first::GROUPS]) for first in range(GROUPS)]


def without(examples: Examples, labels: Sequence[str], every: int = 1) -> Examples:
    """Leave labels out, and all but every so-many-th stretch."""
    own = np.isin(examples.truth, [waveforms.CLASSES.index(label) for label in labels])
    return examples.only(~own & (examples.stretch % every == 0))


def measure(probabilities: RealArray, test: Examples, left_out: Sequence[str]) -> list[Found]:
    """Measure how well each family that was left out is told from all others, at SNR 8 and more."""
    unknown = waveforms.CLASSES.index(waveforms.UNKNOWN)
    beside = [*left_out, waveforms.NOISE, waveforms.UNKNOWN]
    known = ~np.isin(test.truth, [waveforms.CLASSES.index(label) for label in beside])
    largest = 1 - np.delete(probabilities, unknown, axis=1).max(axis=1)
    found = []
    for label in left_out:
        own = test.truth == waveforms.CLASSES.index(label)
        compared = (own | known) & (test.snr >= metrics.LOUD)
        loud = own & compared
        called = float(np.sum(probabilities[loud].argmax(axis=1) == unknown))
        found.append(
            Found(
                label=label,
                triggers=int(loud.sum()),
                called_unknown=called / max(loud.sum(), 1),
                auc_unknown=_auc(probabilities[compared, unknown], own[compared]),
                auc_largest=_auc(largest[compared], own[compared]),
            )
        )
    return found


def _auc(values: RealArray, own: npt.NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve; not a number where there is none."""
    area = metrics.auc(values, own)
    return np.nan if area is None else area


def fitted(
    config: TrainConfig, sets: tuple[Examples, Examples], test: Examples
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Train without what is left out; return the test set's probabilities as served.

    Returns:
        Those of the model, and those of its network alone.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = FitPlace(Path(folder), usable_cpus())
        model, _ = fit(config, sets, place, report.progress_of, report.progress)
        answer = calibrate(model, sets, config, None)
        alone = replace(answer, novelty=replace(answer.novelty, limit=NOWHERE))
        export(answer, place.work / "model")
        export(alone, place.work / "alone")
        return served(place.work / "model", test), served(place.work / "alone", test)


def told(
    work: Path, group: Sequence[str], every: int, epochs: int
) -> tuple[list[Found], list[Found]]:
    """Measure how one group is taken, by the model and by its network alone.

    Args:
        work: The work folder.
        group: What is left out.
        every: Take each so-many-th stretch.
        epochs: Of the fit.
    """
    config = replace(read(), epochs=epochs, patience=epochs)
    train, validation, test = (dataset.read(work, name) for name in ("train", "validation", "test"))
    sets = without(train, group, every), without(validation, group)
    whole, alone = (measure(answers, test, group) for answers in fitted(config, sets, test))
    return whole, alone


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    found: tuple[list[Found], list[Found]] = ([], [])
    # A process for each: TensorFlow keeps what a network was fitted to, gigabytes of it.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for group in groups():
            task = pool.submit(told, options.work, group, options.every, options.epochs)
            for part, more in zip(found, task.result(), strict=True):
                part.extend(more)
            print(", ".join(group), file=sys.stderr)
    pairs = zip(*([*part, _mean(part)] for part in found), strict=True)
    report.print_table(HEADS, [[*_cells(whole), *_cells(alone)[2:]] for whole, alone in pairs])
    families, alone = ([vars(each) for each in part] for part in found)
    figures = {
        **report.provenance(usable_cpus()),
        **{"every": options.every, "epochs": options.epochs, "groups": groups()},
        **{"families": families, "network_alone": alone},
    }
    report.write_json(options.json, figures)
    return 0


def _mean(found: Sequence[Found]) -> Found:
    def mean(name: str) -> float:
        return float(np.mean([getattr(each, name) for each in found]))

    return Found(
        label="mean",
        triggers=sum(each.triggers for each in found),
        called_unknown=mean("called_unknown"),
        auc_unknown=mean("auc_unknown"),
        auc_largest=mean("auc_largest"),
    )


def _cells(found: Found) -> list[str]:
    numbers = found.called_unknown, found.auc_unknown, found.auc_largest
    return [found.label, str(found.triggers), *(f"{value:.3f}" for value in numbers)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.classification.left_out", description=__doc__
    )
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--every", type=int, default=2, help="take each so-many-th stretch")
    report.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
