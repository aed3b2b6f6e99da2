"""Examples handed to Keras a batch at a time, so that no set is ever whole in memory."""

import math
from typing import Any

import numpy as np

from models.training.examples import Examples

INPUTS = ("image", "parameters")
"""The network's names of what it takes."""


def batches(examples: Examples, size: int, seed: int | None = None) -> Any:
    """Give a ``keras.utils.PyDataset`` of inputs, truth and weights.

    Args:
        examples: The set.
        size: Examples in a batch; the last one has what is left.
        seed: Shuffles the examples, each epoch in an order of its own that depends on this
            and on the ``epoch`` that the data set is told; None: in order.
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
            inputs = dict(zip(INPUTS, examples.inputs(rows), strict=True))
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
