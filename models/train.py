"""Training: simulate, fit, calibrate, measure, and write the model with its card."""

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models import artefact, network, runtime, score, waveforms
from models.examples import Examples, collect
from models.export import export
from models.served import ServedModel
from models.settings import TrainConfig
from models.simulate import Progress, simulate
from transforms.detect.config import DetectConfig
from transforms.whiten.config import WhitenConfig

SETS = ("train", "validation", "test")
"""Their order is part of the seeds."""
LOUD = 8.0
"""SNR of a trigger from which on its shape can be told [matched-filter units]."""


def _silent(step: str, done: int, total: int) -> None:
    """Take progress and tell nobody."""


def train(
    config: TrainConfig,
    output: Path,
    progress: Progress = _silent,
    whitening: WhitenConfig | None = None,
    detection: DetectConfig | None = None,
) -> artefact.Card:
    """Train a model and write it.

    Args:
        config: What to train on, and how.
        output: Folder of the model; made if missing, must be empty. It appears whole.
        progress: Told the step's name, how much of it is done and how much there is.
        whitening: The pipeline's whitening.
        detection: The pipeline's detection; its threshold is ``config.threshold`` here.

    Returns:
        The card, with the accuracy measured on the test set.

    Raises:
        models.artefact.ArtefactError: The output folder is not empty.
        ValueError: Nothing was found to train on.
    """
    if output.exists() and any(output.iterdir()):
        raise artefact.ArtefactError(f"{output} is not empty: give a new folder")
    whitening = whitening or WhitenConfig()
    detection = DetectConfig(**{**vars(detection or DetectConfig()), "threshold": config.threshold})
    sets = {key: _examples(config, key, whitening, detection, progress) for key in SETS}
    model, epochs = _fit(config, sets["train"], sets["validation"], progress)
    logits = _logits(model, sets["validation"])
    temperature = network.fit_temperature(logits, sets["validation"].truth)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        draft = Path(folder) / "model"
        export(model, temperature, draft)
        about = {
            "settings": artefact.settings(whitening, detection),
            "data": _data(config, sets),
            "accuracy": accuracy(served(draft, sets["test"]), sets["test"]),
            "training": {
                **asdict(config),
                "epochs_run": epochs,
                "temperature": round(temperature, 4),
                "weights": int(model.count_params()),
            },
            "whiten": asdict(whitening),
            "detect": asdict(detection),
            "versions": _versions(),
        }
        artefact.write_card(draft, config.name, waveforms.CLASSES, about)
        draft.replace(output)
    return artefact.load_card(output)


def _examples(
    config: TrainConfig,
    key: str,
    whitening: WhitenConfig,
    detection: DetectConfig,
    progress: Progress,
) -> Examples:
    def told(step: str, done: int, total: int) -> None:
        progress(f"{step} {key}", done, total)

    seed = (config.seed, SETS.index(key))
    return collect(simulate(getattr(config, key), whitening, detection, seed, told))


def _fit(
    config: TrainConfig, train_set: Examples, validation: Examples, progress: Progress
) -> tuple[Any, int]:
    """Fit the network; give the one with the least validation loss, and the epochs run."""
    runtime.tensorflow()
    import keras

    keras.utils.set_random_seed(config.seed % 2**32)
    model = network.build(len(waveforms.CLASSES))
    model.compile(
        keras.optimizers.Adam(config.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    stop = keras.callbacks.EarlyStopping(patience=config.patience, restore_best_weights=True)
    slow = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=max(1, config.patience // 3))
    tell = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, _: progress("training", epoch + 1, config.epochs)
    )
    history = model.fit(
        [train_set.image, train_set.parameters],
        train_set.truth,
        sample_weight=train_set.weights(),
        validation_data=(
            [validation.image, validation.parameters],
            validation.truth,
            validation.weights(),
        ),
        epochs=config.epochs,
        batch_size=config.batch_size,
        callbacks=[stop, slow, tell],
        verbose=0,
    )
    return model, len(history.epoch)


def _logits(model: Any, examples: Examples) -> npt.NDArray[np.float32]:
    inputs = [examples.image, examples.parameters]
    return np.asarray(model.predict(inputs, batch_size=256, verbose=0))


def served(folder: Path, examples: Examples) -> npt.NDArray[np.float32]:
    """Give the probabilities as the written model serves them, [example, class]."""
    model = ServedModel(folder)
    parts = [
        model(examples.image[i : i + 256], examples.parameters[i : i + 256])
        for i in range(0, len(examples), 256)
    ]
    return np.concatenate(parts)


def accuracy(
    probabilities: npt.NDArray[np.floating], examples: Examples
) -> dict[str, Mapping[str, Any]]:
    """Measure on all triggers, on the quiet and on the loud, and on each signal's loudest.

    The SNR is the trigger's own: what its reader sees.
    """
    loud = examples.snr >= LOUD
    parts = {
        "all": np.ones(len(examples), bool),
        "snr_below_8": ~loud,
        "snr_from_8": loud,
        "snr_from_8_loudest_of_its_signal": loud & examples.loudest,
    }
    return {
        name: score.summary(probabilities[part], examples.truth[part], waveforms.CLASSES)
        for name, part in parts.items()
        if part.any()
    }


def _data(config: TrainConfig, sets: Mapping[str, Examples]) -> dict[str, Any]:
    return {
        "sets": {
            key: {
                "seed": [config.seed, SETS.index(key)],
                "curves": list(getattr(config, key).curves),
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


def _versions() -> dict[str, str]:
    packages = ("keras", "numpy", "scipy", "tensorflow")
    python = ".".join(map(str, sys.version_info[:3]))
    return {"python": python, **{name: metadata.version(name) for name in packages}}
