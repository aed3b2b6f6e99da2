"""How unlike a trigger is to all that a network was taught.

A network is sure of much that it never saw. What its last hidden layer says of an example is
the honest witness: examples of one kind lie in one direction, and what resembles none of them
lies apart. The measure is the distance to the nearest of some examples that are kept of each
class (deep nearest neighbours: Sun et al. 2022, arXiv:2204.06507).

A trigger at a distance d is of no known class with the probability 1 / (1 + (limit / d)^STEEPNESS):
the probabilities of all classes are multiplied by what is left, and that of ``unknown`` takes it
in addition.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from models.training.calibration import REFERENCE
from models.training.teaching import some
from transforms.arrays import BoolArray, RealArray

Limit = tuple[float, float]
"""a and b; see `limits`."""

EACH, EACH_LABELLED = 96, 32
"""Simulated and labelled examples kept of a class, at the most."""
FAR = 0.01
"""Part of the triggers of known classes that lie far from what is kept. The limit lies some times
as far: a quantile that leaves fewer beyond is not to be known."""
NEAREST = 1e-6
"""Least distance: that of an example to itself has no logarithm."""
TOGETHER = 512
"""Triggers whose distances are found at once."""


@dataclass(frozen=True)
class Novelty:
    """How far from what it was taught a model calls an example unknown."""

    known: npt.NDArray[np.float32]
    """What the last hidden layer says of the kept examples, of unit length, [kept, feature]."""
    limit: Limit


def kept(
    truth: npt.NDArray[np.integer], unknown: int, rng: np.random.Generator, each: int = EACH
) -> BoolArray:
    """Choose the examples to keep, [example]: as many of each class, none of the unknown.

    Args:
        truth: Index of the class, [example].
        unknown: Index of the class that is none.
        rng: Source of randomness.
        each: Of a class, at the most.
    """
    return np.asarray(some(truth, rng, each) & (truth != unknown))


def unit(features: RealArray) -> npt.NDArray[np.float32]:
    """Return features unit length, [example, feature]; those that are all zero stay so."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.where(length > 0, length, 1), np.float32)


def distances(features: RealArray, known: RealArray) -> RealArray:
    """Return half the squared distance to the nearest kept example, [example], from 0 to 2.

    Args:
        features: What the last hidden layer says, [example, feature].
        known: See `Novelty`.
    """
    found = unit(features)
    nearest = np.concatenate(
        [
            np.argmax(found[first : first + TOGETHER] @ known.T, axis=1)
            for first in range(0, len(found), TOGETHER)
        ]
    )
    # Not one less the product: close to one, that has lost most of its digits.
    return np.asarray(np.maximum(np.sum((found - known[nearest]) ** 2, axis=1) / 2, NEAREST))


def limits(log_snr: RealArray, limit: Limit) -> RealArray:
    """Return the distance from which a trigger is rather unknown, [example].

    It is exp(a + b min(ln(snr / 8), 0)): quiet triggers lie farther from all others, the noise
    in them does.
    """
    a, b = limit
    return np.asarray(np.exp(a + b * np.minimum(log_snr - np.log(REFERENCE), 0)))


def fit(distance: RealArray, log_snr: RealArray, wide: float) -> Limit:
    """Find the limit: ``wide`` times the distance that a part of FAR of known triggers exceeds.

    That is a quantile which depends on the SNR (regression quantiles: Koenker & Bassett 1978,
    doi:10.2307/1913643).

    Args:
        distance: Of triggers of known classes, kept from training, [example].
        log_snr: Natural logarithm of their SNR, [example].
        wide: See the configuration of training.
    """
    log_distance = np.log(distance)

    def loss(pair: RealArray) -> float:
        beyond = log_distance - np.log(limits(log_snr, (pair[0], pair[1])))
        return float(np.mean(np.where(beyond > 0, 1 - FAR, -FAR) * beyond))

    start = np.array([np.quantile(log_distance, 1 - FAR), 0.0])
    a, b = minimize(loss, start, method="Nelder-Mead").x
    return float(a + np.log(wide)), float(b)
