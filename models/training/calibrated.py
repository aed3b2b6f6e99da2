"""From a fitted network to answers that are honest, of what it was not taught too.

Keras is imported where it is used.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.simulation import waveforms
from models.training import calibration, novelty
from models.training.examples import PREDICTED, Examples
from transforms.arrays import SingleArray
from transforms.classify.features import PARAMETERS


@dataclass(frozen=True, kw_only=True)
class CalibratedModel:
    """A network with all that turns what it says into probabilities."""

    network: Any
    """As `with_hidden` gives it."""
    temperature: calibration.Temperature
    novelty: novelty.Novelty
    unknown: int
    """Index of the class that is none."""


def with_hidden(model: Any) -> Any:
    """Return a network whose outputs are its logits and its last hidden layer."""
    import keras

    return keras.Model(model.inputs, [model.output, model.layers[-1].input])


def outputs(network: Any, examples: Examples) -> tuple[SingleArray, SingleArray]:
    """Return the logits, [example, class], and the hidden layer, [example, feature]."""
    parts = [network.predict_on_batch(list(inputs)) for inputs in examples.batches(PREDICTED)]
    logits, features = zip(*parts, strict=True)
    return np.concatenate(logits), np.concatenate(features)


def calibrate(model: Any, sets: tuple[Examples, Examples], seed: int) -> CalibratedModel:
    """Calibrate a network: the model whose probabilities are frequencies.

    Args:
        model: As fitted.
        sets: What it was fitted to, of which some examples are kept, and what decides on the
            temperature, whole stretches of it on its form, and on the limit of the known.
        seed: Chooses what is kept.
    """
    network, (train, validation) = with_hidden(model), sets
    unknown = waveforms.CLASSES.index(waveforms.UNKNOWN)
    chosen = novelty.kept(train.truth, unknown, np.random.default_rng(seed))
    known = novelty.unit(outputs(network, train.only(chosen))[1])
    logits, features = outputs(network, validation)
    log_snr = validation.parameters[:, PARAMETERS.index("snr")].astype(np.float64)
    second = validation.stretch % 2 == 1
    temperature = calibration.fit(logits, validation.truth, log_snr, second)
    own = validation.truth != unknown
    limit = novelty.fit(novelty.distances(features[own], known), log_snr[own])
    return CalibratedModel(
        network=network,
        temperature=temperature,
        novelty=novelty.Novelty(known, limit),
        unknown=unknown,
    )
