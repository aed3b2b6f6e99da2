"""What a model says of triggers, and what the configuration makes of it: pure, one at a time.

A model was taught all classes alike, and one limit of the unknown. Where the rates are other, or
the limit, probabilities are weighed anew; nothing of the model changes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from transforms.arrays import FloatArray, SingleArray
from transforms.classify.config import Rate
from transforms.elements import Trigger

PROBABILITIES = "probabilities"
KNOWN_PROBABILITIES, NOVELTY_LOG_ODDS = "known_probabilities", "novelty_log_odds"
"""What a model calls the parts of its answer."""
UNKNOWN = "unknown"
"""Label of what is a transient, but of none of the classes."""
STEEPNESS = 3.0
"""The odds that an example is of no class grow as this power of its distance from all that was
taught; they are even at the model's limit."""


@dataclass(frozen=True)
class Answer:
    """What a model says; a model of old says probabilities alone."""

    probabilities: SingleArray
    """[example, class]."""
    known_probabilities: SingleArray | None = None
    """The same before the unknown has its part, [example, class]."""
    novelty_log_odds: SingleArray | None = None
    """Logarithm of the odds that an example is of no class, [example, 1]."""


class Model(Protocol):
    """What a back end makes of a model's folder."""

    def __call__(self, image: SingleArray, parameters: SingleArray) -> SingleArray:
        """Return probabilities, [example, class].

        Args:
            image: [example, frequency, time, span].
            parameters: [example, parameter].
        """

    def answer(self, image: SingleArray, parameters: SingleArray) -> Answer:
        """Return all that the model says; arguments as above."""


def labelled(
    trigger: Trigger, classes: Sequence[str], probabilities: Iterable[float], model: str
) -> Trigger:
    """Return a trigger with a model's answer: the first of the likeliest classes is its label.

    Args:
        trigger: Without a label, or with another.
        classes: Of the model.
        probabilities: Of each class.
        model: By which triggers refer to the model.
    """
    values = [float(value) for value in probabilities]
    best = max(range(len(values)), key=values.__getitem__)
    return replace(
        trigger,
        label=classes[best],
        score=values[best],
        probabilities=tuple(zip(classes, values, strict=True)),
        model=model,
    )


def relimited(answer: Answer, unknown: int, limit: float) -> SingleArray:
    """Return the probabilities for another limit of the unknown, [example, class].

    Args:
        answer: Of a model that tells all its parts.
        unknown: Index of the class that is none.
        limit: Of the distance from which on an example is rather unknown, times the model's own.

    Raises:
        ValueError: The model does not tell them.
    """
    if answer.known_probabilities is None or answer.novelty_log_odds is None:
        raise ValueError("the model does not say how strange an example is")
    known = answer.known_probabilities.astype(np.float64)
    log_odds = answer.novelty_log_odds.astype(np.float64) - STEEPNESS * np.log(limit)
    return np.asarray(with_unknown(known, log_odds, unknown), np.float32)


def with_unknown(known: FloatArray, log_odds: FloatArray, unknown: int) -> FloatArray:
    """Return the probabilities when the unknown has its part, [example, class].

    Args:
        known: Before it has, [example, class].
        log_odds: Logarithm of the odds that an example is of no class, [example, 1].
        unknown: Index of the class that is none.
    """
    # Half of tanh: an exponential would overflow far from all that is known.
    strange = 0.5 * (1 + np.tanh(log_odds / 2))
    own = np.arange(known.shape[1]) == unknown
    return np.asarray(known + strange * (own - known))


def rates_of(rates: Sequence[Rate], classes: Sequence[str]) -> dict[str, FloatArray]:
    """Return how often classes are, relative to how often they were taught, by detector.

    Args:
        rates: Of the configuration; those without a detector are of all, where it has none.
        classes: Labels in the order of the probabilities.

    Returns:
        [class] of each detector that is named, and of all others by the empty name.

    Raises:
        ValueError: A label is none of the classes.
    """
    others = sorted({rate.label for rate in rates} - set(classes))
    if others:
        raise ValueError(f"{', '.join(others)}: not among {', '.join(classes)}")
    by_detector = {}
    for detector in {"", *(rate.detector for rate in rates)}:
        values = np.ones(len(classes))
        for wanted in ("", detector):
            for rate in rates:
                if rate.detector == wanted:
                    values[classes.index(rate.label)] = rate.rate
        by_detector[detector] = values
    return by_detector


def weighed(
    probabilities: SingleArray, rates: Mapping[str, FloatArray], detector: str
) -> SingleArray:
    """Return probabilities, [class], for the rates of a detector: p rate, of sum 1.

    Saerens et al. 2002, doi:10.1162/089976602753284446, eq. 4. They stay as they are, to the last
    bit, where all rates are alike; or where nothing would be left of them.
    """
    own = rates.get(detector, rates[""])
    if (own == own[0]).all():
        return probabilities
    values = probabilities.astype(np.float64) * own
    total = values.sum()
    return np.asarray(values / total, np.float32) if total > 0 else probabilities
