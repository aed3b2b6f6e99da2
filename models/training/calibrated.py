"""From a fitted network to answers that are honest, of what it was not taught too.

Keras is imported where it is used.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import softmax

from models.simulation import waveforms
from models.training import calibration, novelty, teaching
from models.training.examples import PREDICTED, Examples
from models.training.settings import TrainConfig
from models.training.teaching import Layer, Lesson
from transforms.arrays import BoolArray, RealArray, SingleArray
from transforms.classify.answers import STEEPNESS, with_unknown
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


@dataclass(frozen=True)
class Heard:
    """What the last hidden layer says of a set."""

    lesson: Lesson
    log_snr: RealArray
    """Natural logarithm of the trigger's SNR, [example]."""

    def only(self, chosen: BoolArray) -> "Heard":
        """Return some of the examples."""
        return Heard(self.lesson.only(chosen), self.log_snr[chosen])


@dataclass(frozen=True, kw_only=True)
class Taught:
    """What an answer is made of: the sets as the last hidden layer sees them."""

    layer: Layer
    """The last layer, as fitted to simulated examples."""
    train: Heard
    """Some examples of each class."""
    validation: Heard
    unknown: int


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What turns the last hidden layer into probabilities."""

    layer: Layer
    temperature: calibration.Temperature
    novelty: novelty.Novelty
    unknown: int

    def probabilities(self, heard: Heard) -> RealArray:
        """Return probabilities, [example, class]: in numpy what the written model computes."""
        t = calibration.temperatures(heard.log_snr, self.temperature)
        known = softmax(self.layer.logits(heard.lesson.features) / t[:, None], axis=1)
        distance = novelty.distances(heard.lesson.features, self.novelty.known)
        beyond = np.log(distance / novelty.limits(heard.log_snr, self.novelty.limit))
        return with_unknown(known, STEEPNESS * beyond[:, None], self.unknown)


def with_hidden(model: Any) -> Any:
    """Return a network whose outputs are its logits and its last hidden layer."""
    import keras

    return keras.Model(model.inputs, [model.output, model.layers[-1].input])


def outputs(network: Any, examples: Examples) -> tuple[SingleArray, SingleArray]:
    """Return the logits, [example, class], and the hidden layer, [example, feature]."""
    parts = [network.predict_on_batch(list(inputs)) for inputs in examples.batches(PREDICTED)]
    logits, features = zip(*parts, strict=True)
    return np.concatenate(logits), np.concatenate(features)


def last_layer(model: Any) -> Layer:
    """Return the last layer of a network."""
    return Layer(*(np.asarray(value) for value in model.layers[-1].get_weights()))


def heard(network: Any, examples: Examples) -> Heard:
    """Return what the last hidden layer of a network says of a set."""
    lesson = Lesson(outputs(network, examples)[1], examples.truth, examples.stretch)
    return Heard(lesson, examples.parameters[:, PARAMETERS.index("snr")].astype(np.float64))


def listen(network: Any, layer: Layer, sets: tuple[Examples, Examples], seed: int) -> Taught:
    """Ask a fitted network for what answers are made of.

    Args:
        network: As `with_hidden` gives it.
        layer: Its last one.
        sets: What it was fitted to, of which some examples are taken, and what decides on the
            temperature and on the limit of the known.
        seed: Chooses what is taken.
    """
    train, validation = sets
    chosen = teaching.some(train.truth, np.random.default_rng(seed))
    return Taught(
        layer=layer,
        train=heard(network, train.only(chosen)),
        validation=heard(network, validation),
        unknown=waveforms.CLASSES.index(waveforms.UNKNOWN),
    )


def answer(taught: Taught, labelled: Heard | None, config: TrainConfig) -> Answer:
    """Teach the last layer what people have labelled, and calibrate it.

    The temperature is fitted to the validation set, whole stretches of which decide on its form,
    and to labelled glitches as the layer says them that was taught the others alone.

    Args:
        taught: Of the fitted network.
        labelled: Examples of labelled glitches; None: there are none.
        config: What labelled glitches count for, and how far the unknown is.
    """
    rng, layer, real = np.random.default_rng(config.seed), taught.layer, None
    simulated, validation = taught.train.lesson, taught.validation
    kept = novelty.kept(simulated.truth, taught.unknown, rng)
    known = [simulated.features[kept]]
    if labelled is not None:
        own, equal = labelled.lesson, config.labelled_equal
        glitches = len(np.unique(own.glitch))
        real = calibration.Judged(
            teaching.apart(layer, simulated, own, equal),
            own.truth,
            labelled.log_snr,
            glitches / (glitches + equal),
        )
        layer = teaching.taught(layer, simulated, own, equal)
        more = novelty.kept(own.truth, taught.unknown, rng, novelty.EACH_LABELLED)
        known.append(own.features[more])
    rows = validation.lesson
    second = rows.glitch % 2 == 1
    logits = layer.logits(rows.features)
    temperature = calibration.fit(logits, rows.truth, validation.log_snr, second, real)
    unit = novelty.unit(np.concatenate(known))
    ordinary = rows.truth != taught.unknown
    distance = novelty.distances(rows.features[ordinary], unit)
    limit = novelty.fit(distance, validation.log_snr[ordinary], config.unknown_limit)
    return Answer(
        layer=layer,
        temperature=temperature,
        novelty=novelty.Novelty(unit, limit),
        unknown=taught.unknown,
    )


def calibrate(
    model: Any, sets: tuple[Examples, Examples], config: TrainConfig, labelled: Examples | None
) -> CalibratedModel:
    """Calibrate a network: the model whose probabilities are frequencies.

    Args:
        model: As fitted; its last layer changes where there are labelled examples.
        sets: See `listen`.
        config: See `answer`.
        labelled: Examples of labelled glitches; None: there are none.
    """
    network = with_hidden(model)
    own = None if labelled is None else heard(network, labelled)
    made = answer(listen(network, last_layer(model), sets, config.seed), own, config)
    model.layers[-1].set_weights([made.layer.weights, made.layer.bias])
    return CalibratedModel(
        network=network,
        temperature=made.temperature,
        novelty=made.novelty,
        unknown=made.unknown,
    )
