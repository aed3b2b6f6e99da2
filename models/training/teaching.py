"""Labels that people gave, taught to a network that was fitted to simulated transients.

The last layer alone is fitted anew, to the simulated examples and the labelled ones together, and
held to what it was: a posterior whose prior is the simulated fit. So few labels move it little, a
fit takes seconds, and each glitch can be judged by a fit to the others.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from transforms.arrays import BoolArray, RealArray

EACH = 256
"""Simulated examples of a class that a fit is made of, at the most."""
HELD = 1e-3
"""Weight of the squared distance from the simulated fit, beside the mean loss of an example."""
FOLDS = 5
"""Parts of the labelled glitches, each of which is judged by a fit to the others."""
STEPS = 100
"""Of L-BFGS at the most; Byrd et al. 1995, doi:10.1137/0916069."""


@dataclass(frozen=True)
class Layer:
    """The last layer: logits are ``features @ weights + bias``."""

    weights: RealArray
    """[feature, class]."""
    bias: RealArray
    """[class]."""

    def logits(self, features: RealArray) -> RealArray:
        """Return logits, [example, class], of features, [example, feature]."""
        return np.asarray(features @ self.weights + self.bias)


@dataclass(frozen=True)
class Lesson:
    """What a last layer is fitted to."""

    features: RealArray
    """What the last hidden layer says, [example, feature]."""
    truth: npt.NDArray[np.integer]
    """Index of the class, [example]."""
    glitch: npt.NDArray[np.integer]
    """Which glitch an example was made of, [example]; each simulated example is its own."""

    def only(self, chosen: BoolArray) -> "Lesson":
        """Return some of the examples."""
        return Lesson(self.features[chosen], self.truth[chosen], self.glitch[chosen])

    def __len__(self) -> int:
        """Count the examples."""
        return len(self.truth)


def weights(simulated: Lesson, labelled: Lesson, equal: float) -> tuple[RealArray, RealArray]:
    """Return the weights of simulated and labelled examples, which are 1 together.

    All classes weigh alike. Of one with n labelled glitches these have the part n / (n + equal),
    all glitches of it alike, however many examples are made of each.
    """
    classes = np.unique(np.concatenate([simulated.truth, labelled.truth]))
    parts = np.zeros(len(simulated)), np.zeros(len(labelled))
    for label in classes:
        own = simulated.truth == label, labelled.truth == label
        glitches, counts = np.unique(labelled.glitch[own[1]], return_counts=True)
        share = len(glitches) / (len(glitches) + equal) if own[0].any() else 1.0
        if own[0].any():
            parts[0][own[0]] = (1 - share) / own[0].sum()
        if len(glitches):
            copies = counts[np.searchsorted(glitches, labelled.glitch[own[1]])]
            parts[1][own[1]] = share / (len(glitches) * copies)
    return parts[0] / len(classes), parts[1] / len(classes)


def taught(layer: Layer, simulated: Lesson, labelled: Lesson, equal: float) -> Layer:
    """Fit a last layer to simulated and labelled examples, by likelihood, held to what it was.

    Args:
        layer: As the simulated fit left it.
        simulated: Examples that it was fitted to.
        labelled: Examples of glitches that people have labelled; may be none.
        equal: So many of a class count as much as all its simulated examples.

    Returns:
        The layer; the same where there is no labelled example.
    """
    if not len(labelled):
        return layer
    features = np.concatenate([simulated.features, labelled.features]).astype(np.float64)
    truth = np.concatenate([simulated.truth, labelled.truth])
    weight = np.concatenate(weights(simulated, labelled, equal))
    kind = layer.weights.shape
    # Features of unit variance: one step suits all, and the prior holds all alike.
    scale = np.maximum(features.std(axis=0), 1e-3)[:, None]
    start = np.concatenate([(layer.weights * scale).ravel(), layer.bias]).astype(np.float64)
    scaled, rows = features / scale.T, np.arange(len(truth))

    def loss(flat: RealArray) -> tuple[float, RealArray]:
        w, b = flat[: -kind[1]].reshape(kind), flat[-kind[1] :]
        logits = scaled @ w + b
        error = softmax(logits, axis=1)
        value = -np.sum(weight * log_softmax(logits, axis=1)[rows, truth])
        error[rows, truth] -= 1
        error *= weight[:, None]
        slope = np.concatenate([(scaled.T @ error).ravel(), error.sum(axis=0)])
        apart = flat - start
        return float(value + HELD * apart @ apart), slope + 2 * HELD * apart

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS}).x
    return Layer(found[: -kind[1]].reshape(kind) / scale, found[-kind[1] :])


def apart(layer: Layer, simulated: Lesson, labelled: Lesson, equal: float) -> RealArray:
    """Return the logits of each labelled example by a fit to other glitches, [example, class]."""
    glitches = np.unique(labelled.glitch)
    fold = np.searchsorted(glitches, labelled.glitch) % min(FOLDS, max(len(glitches), 2))
    logits = np.empty((len(labelled), len(layer.bias)))
    for number in np.unique(fold):
        own = fold == number
        fitted = taught(layer, simulated, labelled.only(~own), equal)
        logits[own] = fitted.logits(labelled.features[own])
    return logits


def some(truth: npt.NDArray[np.integer], rng: np.random.Generator, each: int = EACH) -> BoolArray:
    """Choose at most so many examples of each class, [example]."""
    chosen = np.zeros(len(truth), bool)
    for label in np.unique(truth):
        chosen[rng.permutation(np.flatnonzero(truth == label))[:each]] = True
    return chosen
