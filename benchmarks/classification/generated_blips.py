"""How blips that the model was not taught are labelled.

``python -m benchmarks.classification.generated_blips``.

The blips come from gengli, a network that learnt them from O2 (Lopez et al. 2022,
arXiv:2203.06494). ``benchmarks/peers/env/run_gengli.py`` draws them in an environment of its own.
Here each is put into simulated noise of H1's or L1's measured spectrum, of O3, found by our own
whitening and detection, and labelled.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import report
from models.evaluation.evaluate import asked, pipeline_of
from models.simulation import background, injections, noise
from models.simulation.injections import Drawn
from models.simulation.matching import Example, Stretch, find, match
from transforms.arrays import RealArray
from transforms.classify import artefact
from transforms.classify.onnx import OnnxModel
from transforms.detect.config import DetectConfig
from transforms.whiten.config import WhitenConfig

DETECTORS = ("H1", "L1")
"""Of which there are blips."""
RATE, SECONDS, EDGE = 4096, 256, 8
GAP = 2
"""From one blip to the next [s]."""
MARGIN = 0.5
"""Silence around a blip, into which it spreads when it becomes strain [s]."""
SNR = (5.0, 50.0)
"""Range of the optimal SNR, uniform in its logarithm."""
EDGES = (0.0, 8.0, 12.0, 20.0, np.inf)
"""Bins of the trigger's SNR."""


def examples(
    blips: RealArray,
    curve: str,
    pipeline: tuple[WhitenConfig, DetectConfig],
    rng: np.random.Generator,
) -> Iterator[Example]:
    """Yield the triggers of blips, [blip, time], in simulated noise."""
    whitening, detection = pipeline
    here = (SECONDS - 2 * EDGE) // GAP
    for number, first in enumerate(range(0, len(blips), here)):
        quiet = background.simulated(curve, SECONDS, RATE, rng, 0.0, 0)
        strain, made = quiet.strain.copy(), []
        for index, blip in enumerate(blips[first : first + here]):
            shape = np.pad(blip.astype(np.float64), round(MARGIN * RATE))
            snr = float(np.exp(rng.uniform(*np.log(SNR))))
            at = EDGE + GAP * index
            key = f"{curve}/{number}/{index}"
            signal, injection = injections.inject(
                Drawn("blip", snr, shape, whitened=True), quiet, at, whitening, key
            )
            strain[at * RATE : at * RATE + len(signal)] += signal
            made.append(injection)
        block = quiet.block(strain)
        found = match(
            find(block, whitening, detection),
            Stretch(block=block, curve=curve, key=block.channel, injections=tuple(made)),
        )
        yield from (each for each in found if each.label == "blip" and each.loudest)


def main(arguments: Sequence[str] | None = None) -> int:
    """Label and print."""
    options = _parser().parse_args(arguments)
    card = artefact.load_card(options.model or artefact.default_artefact())
    model, pipeline = OnnxModel(card.folder), pipeline_of(card)
    snr: list[float] = []
    labels: list[str] = []
    with np.load(options.blips) as file:
        for ifo in DETECTORS:
            rng = np.random.default_rng((options.seed, len(snr)))
            for each in examples(file[ifo], noise.MEASURED[ifo], pipeline, rng):
                snr.append(each.trigger.snr)
                labels.append(card.classes[int(np.argmax(asked(model, each.trigger)))])
    rows = _rows(np.array(snr), np.array(labels))
    print(f"{card.label}: {len(labels)} blips of gengli that were found")
    report.print_table(("SNR", "triggers", "blip", "others"), rows)
    report.write_json(
        options.json,
        {**report.provenance(1), "model": card.label, "snr": snr, "labels": labels},
    )
    return 0


def _rows(snr: RealArray, labels: npt.NDArray[np.str_]) -> list[list[str]]:
    rows = []
    for low, high in [*pairwise(EDGES), (8.0, np.inf)]:
        own = Counter(labels[(snr >= low) & (snr < high)].tolist())
        total = sum(own.values())
        others = [f"{label} {count}" for label, count in own.most_common() if label != "blip"]
        share = f"{own['blip'] / max(total, 1):.3f}"
        rows.append([f"{low:g}-{high:g}", str(total), share, ", ".join(others)])
    return rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.classification.generated_blips")
    parser.add_argument("blips", type=Path, metavar="NPZ")
    parser.add_argument("--model", type=Path, metavar="DIR", help="default: the packaged one")
    report.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
