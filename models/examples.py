"""Examples as arrays, and the sets they are dealt into."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models import waveforms
from models.simulate import Example
from transforms.classify.features import model_input


@dataclass(frozen=True)
class Examples:
    """A set of examples, as the network takes them."""

    image: npt.NDArray[np.float32]
    """[example, frequency, time, span]."""
    parameters: npt.NDArray[np.float32]
    """[example, parameter]."""
    truth: npt.NDArray[np.int64]
    """Index into ``waveforms.CLASSES``, [example]."""
    snr: npt.NDArray[np.float64]
    """SNR of the trigger, [example]."""
    loudest: npt.NDArray[np.bool_]
    """Whether the trigger is the loudest of its injection, [example]."""

    def __len__(self) -> int:
        """Count the examples."""
        return len(self.truth)

    def counts(self) -> dict[str, int]:
        """Count the examples of each class."""
        found = Counter(self.truth.tolist())
        return {name: found.get(i, 0) for i, name in enumerate(waveforms.CLASSES)}

    def weights(self) -> npt.NDArray[np.float64]:
        """Give each example the weight that makes the classes count alike, mean 1."""
        count = np.bincount(self.truth, minlength=len(waveforms.CLASSES))
        present = np.count_nonzero(count)
        return np.asarray(len(self) / (present * count[self.truth]))


def collect(found: Iterable[Example]) -> Examples:
    """Turn examples into arrays.

    Raises:
        ValueError: There is none.
    """
    kept = list(found)
    if not kept:
        raise ValueError("no triggers were found in the simulated data: simulate more stretches")
    inputs = [model_input(example.trigger) for example in kept]
    return Examples(
        np.stack([one.image for one in inputs]),
        np.stack([one.parameters for one in inputs]),
        np.array([waveforms.CLASSES.index(example.label) for example in kept]),
        np.array([example.trigger.snr for example in kept]),
        np.array([example.loudest for example in kept]),
    )
