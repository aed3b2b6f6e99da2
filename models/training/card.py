"""What a model's card holds: the data, the figures on the test set, and how it was made."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models import environment, metrics
from models.simulation import waveforms
from models.training import novelty
from models.training.calibrated import CalibratedModel
from models.training.examples import Examples
from models.training.settings import TrainConfig
from transforms.classify import artefact
from transforms.classify.answers import STEEPNESS
from transforms.detect.config import DetectConfig
from transforms.whiten.config import WhitenConfig

SETS = ("train", "validation", "test")
"""Their order is part of the seeds."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """What is known of a model when its card is written."""

    sets: Mapping[str, Examples]
    history: Sequence[Mapping[str, float]]
    answer: CalibratedModel
    probabilities: npt.NDArray[np.floating]
    """Of the test set, [example, class]."""
    labelled: Examples | None
    """Of labelled glitches."""
    weights: int
    how: Mapping[str, Any]
    """Processes and threads."""
    command: str
    seconds: Mapping[str, float]
    """Wall time of each step."""


def set_seed(config: TrainConfig, key: str) -> tuple[int, int]:
    """Return the seed of a set."""
    return config.seed, SETS.index(key)


def accuracy(
    probabilities: npt.NDArray[np.floating], examples: Examples
) -> dict[str, Mapping[str, Any]]:
    """Measure on all triggers, on the quiet and on the loud, and on each signal's loudest.

    The SNR is the trigger's own: what its reader sees.
    """
    loud = examples.snr >= metrics.LOUD
    parts = {
        "all": np.ones(len(examples), bool),
        "snr_below_8": ~loud,
        "snr_from_8": loud,
        "snr_from_8_loudest_of_its_signal": loud & examples.loudest,
    }
    return {
        name: metrics.summary(probabilities[part], examples.truth[part], waveforms.CLASSES)
        for name, part in parts.items()
        if part.any()
    }


def about(
    config: TrainConfig, made: Made, pipeline: tuple[WhitenConfig, DetectConfig]
) -> dict[str, Any]:
    """Return a card's contents, all but the model's name, classes, features and files."""
    test, answers = made.sets["test"], made.probabilities
    noise = waveforms.CLASSES.index(waveforms.NOISE)
    return {
        "settings": artefact.settings(*pipeline),
        "data": _data(config, made.sets),
        "accuracy": accuracy(answers, test),
        "by_snr": metrics.by_snr(answers, test.truth, test.snr),
        "calibration": metrics.calibration_curve(answers, test.truth),
        "binary": metrics.binary(answers, test.truth, test.snr, noise),
        "roc": [
            [round(float(value), 5) for value in rate]
            for rate in metrics.roc(-answers[:, noise], test.truth != noise)
        ],
        "training": {
            **_without_files(asdict(config)),
            "epochs_run": len(made.history),
            "history": made.history,
            "temperature": [round(value, 4) for value in made.answer.temperature],
            "novelty": {
                "limit": [round(value, 4) for value in made.answer.novelty.limit],
                "known": len(made.answer.novelty.known),
                "far": novelty.FAR,
                "power": STEEPNESS,
            },
            "labelled": _glitches(made.labelled),
            "weights": made.weights,
            **made.how,
        },
        "whiten": asdict(pipeline[0]),
        "detect": asdict(pipeline[1]),
        "versions": environment.versions(),
        "command": made.command,
        "machine": environment.about(),
        "seconds": made.seconds,
    }


def _glitches(labelled: Examples | None) -> dict[str, int]:
    """Count the labelled glitches of each class, as far as they were found."""
    if labelled is None:
        return {}
    pairs = zip(labelled.truth.tolist(), labelled.stretch.tolist(), strict=True)
    counts = Counter(waveforms.CLASSES[truth] for truth, _ in set(pairs))
    return dict(sorted(counts.items()))


def _without_files(training: dict[str, Any]) -> dict[str, Any]:
    """Leave out where strain lay: that is of a machine, not of the model."""
    for key in SETS:
        for stretch in training[key]["strain"]:
            del stretch["file"]
    return training


def _data(config: TrainConfig, sets: Mapping[str, Examples]) -> dict[str, Any]:
    return {
        "sets": {
            key: {
                "seed": list(set_seed(config, key)),
                "curves": list(getattr(config, key).curves),
                "strain": [one.name for one in getattr(config, key).strain],
                "examples": found.counts(),
            }
            for key, found in sets.items()
        },
        "ranges": {
            label: {
                "source": family.source,
                **{name: [span.low, span.high] for name, span in family.ranges.items()},
            }
            for label, family in waveforms.FAMILIES.items()
        },
    }
