"""How quiet signals of four simple families are labelled.

``python -m benchmarks.classification.simple_families WORK``: WORK is the folder that ``wavefier
train --keep-work`` leaves; its test set's triggers of these families are told by SNR. The label is
that of all classes, the best of the four and of noise, or the best of the four: the choice that
Wavefier's own classifier of many classes had, after another that told transients from noise
(Cuoco, Razzano & Utina, EUSIPCO 2018).
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import report
from models.simulation import waveforms
from models.simulation.waveforms import simple
from models.training import dataset
from models.training.examples import Examples
from models.training.train import served
from transforms.classify import artefact

FAMILIES = tuple(simple.FAMILIES)
EDGES = (5.0, 6.0, 7.0, 8.0)
HEADS = ("SNR", "triggers", "all classes", "four and noise", "four")


def rows(probabilities: npt.NDArray[np.floating], examples: Examples) -> list[list[str]]:
    """Return the accuracy in each bin of SNR, of the loudest trigger of each signal."""
    own = [waveforms.CLASSES.index(label) for label in FAMILIES]
    choices = (
        np.arange(len(waveforms.CLASSES)),
        np.array([*own, waveforms.CLASSES.index(waveforms.NOISE)]),
        np.array(own),
    )
    right = [c[probabilities[:, c].argmax(axis=1)] == examples.truth for c in choices]
    taken = np.isin(examples.truth, own) & examples.loudest
    return by_snr(examples.snr[taken], [each[taken] for each in right])


def by_snr(
    snr: npt.NDArray[np.floating], right: Sequence[npt.NDArray[np.bool_]]
) -> list[list[str]]:
    """Return the triggers in each bin of SNR, and the share of them for which each answer is right.

    Args:
        snr: [trigger].
        right: Of each kind of answer, whether it is right, [trigger].
    """
    told = []
    for low, high in [*pairwise(EDGES), (EDGES[0], EDGES[-1])]:
        here = (snr >= low) & (snr < high)
        shares = (f"{np.mean(each[here]) if here.any() else np.nan:.3f}" for each in right)
        told.append([f"{low:g}-{high:g}", str(int(here.sum())), *shares])
    return told


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    card = artefact.load_card(options.model or artefact.default_artefact())
    test = dataset.read(options.work, "test")
    found = rows(served(card.folder, test), test)
    print(f"{card.label}: {', '.join(FAMILIES)}")
    report.print_table(HEADS, found)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.classification.simple_families")
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("--model", type=Path, metavar="DIR", help="default: the packaged one")
    return parser


if __name__ == "__main__":
    sys.exit(main())
