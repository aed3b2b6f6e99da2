"""Examples handed to Keras a batch at a time, so that no set is ever whole in memory."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from models.training.examples import Examples
from transforms.classify.features import COLUMNS, SPANS

INPUTS = ("image", "parameters")
"""The network's names of what it takes."""
BESIDE_A_GAP = 0.2
"""Share of the examples that training shows as if strain began or ended beside them.

Simulated transients keep away from a stretch's ends, where the detector's false triggers are: a
network that is not shown this takes the silence beyond an end for a sign of noise.
"""
BEFORE, AFTER = (0.05, 1.5), (0.05, 0.5)
"""So far from the trigger strain begins or ends [s]."""


def batches(examples: Examples, size: int, seed: int | None = None) -> Any:
    """Return a ``keras.utils.PyDataset`` of inputs, truth and weights.

    Args:
        examples: The set.
        size: Examples in a batch; the last one has what is left.
        seed: Shuffles the examples, each epoch in an order of its own that depends on this
            and on the ``epoch`` that the data set is told, and puts some beside a gap; None:
            in order, as they are.
    """
    # Only now: the command line reads this package without Keras.
    import keras

    weights = examples.weights().astype(np.float32)

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        epoch = 0

        def __len__(self) -> int:
            return math.ceil(len(examples) / size)

        def __getitem__(self, index: int) -> tuple[Any, Any, Any]:
            rows = self._order()[index * size : (index + 1) * size]
            image, parameters = examples.inputs(rows)
            if seed is not None:
                image = beside_gaps(image, np.random.default_rng((seed, self.epoch, index)))
            inputs = dict(zip(INPUTS, (image, parameters), strict=True))
            return inputs, examples.truth[rows], weights[rows]

        def _order(self) -> Any:
            if seed is None:
                return np.arange(len(examples))
            known: tuple[int, Any] | None = getattr(self, "_known", None)
            if known is None or known[0] != self.epoch:
                rng = np.random.default_rng((seed, self.epoch))
                self._known = known = self.epoch, rng.permutation(len(examples))
            return known[1]

    return Batches()


def beside_gaps(
    image: npt.NDArray[np.float32], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Silence what lies beyond a gap that is drawn for some of the images.

    Args:
        image: [example, frequency, time, span].
        rng: Source of randomness.
    """
    count = len(image)
    begin = -rng.uniform(*BEFORE, count)[:, None, None]
    end = rng.uniform(*AFTER, count)[:, None, None]
    chosen = rng.random(count) < BESIDE_A_GAP
    early = (chosen & (rng.random(count) < 0.5))[:, None, None]
    late = chosen[:, None, None] & ~early
    before = np.array([span.before for span in SPANS])
    rate = np.array([span.columns_per_second for span in SPANS])
    time = (np.arange(COLUMNS)[:, None] - before) / rate
    silent = (early & (time < begin)) | (late & (time >= end))
    return np.where(silent[:, None], np.float32(0), image)
