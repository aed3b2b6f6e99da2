"""Examples as arrays, and the sets they are dealt into."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.simulation import waveforms
from models.simulation.matching import Example
from transforms.classify import features
from transforms.classify.features import model_input
from transforms.files import whole_file

PREDICTED = 256
"""Examples that a network is asked about at once."""
HALF = np.float16
"""Of stored images: a third of a permille is far less than noise does to them."""


@dataclass(frozen=True, kw_only=True)
class Examples:
    """A set of examples, as the network takes them."""

    image: npt.NDArray[np.float16]
    """[example, frequency, time, span]; may lie in a file."""
    parameters: npt.NDArray[np.float32]
    """[example, parameter]."""
    truth: npt.NDArray[np.int64]
    """Index into ``waveforms.CLASSES``, [example]."""
    snr: npt.NDArray[np.float64]
    """SNR of the trigger, [example]."""
    injected_snr: npt.NDArray[np.float64]
    """Optimal SNR of what made it; 0 for noise, [example]."""
    loudest: npt.NDArray[np.bool_]
    """Whether the trigger is the loudest of its injection, [example]."""
    stretch: npt.NDArray[np.int64]
    """Number of the stretch it was found in, [example]."""

    def __len__(self) -> int:
        """Count the examples."""
        return len(self.truth)

    def counts(self) -> dict[str, int]:
        """Count the examples of each class."""
        found = Counter(self.truth.tolist())
        return {name: found.get(i, 0) for i, name in enumerate(waveforms.CLASSES)}

    def weights(self) -> npt.NDArray[np.float64]:
        """Return each example the weight that makes the classes count alike, mean 1."""
        count = np.bincount(self.truth, minlength=len(waveforms.CLASSES))
        present = np.count_nonzero(count)
        return np.asarray(len(self) / (present * count[self.truth]))

    def inputs(
        self, chosen: npt.NDArray[np.integer] | slice
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return images and parameters of some examples in single precision."""
        images: npt.NDArray[np.float16] = self.image
        if isinstance(images, np.memmap):
            # Opened for this alone: a mapping that stays holds all that was ever read.
            images = np.load(str(images.filename), mmap_mode="r")
        return images[chosen].astype(np.float32), self.parameters[chosen]

    def only(self, chosen: npt.NDArray[np.bool_]) -> "Examples":
        """Return some of the examples, in memory."""
        rest = {name: getattr(self, name)[chosen] for name in NAMES if name != "image"}
        return Examples(image=np.asarray(self.image[chosen]), **rest)

    def batches(self, size: int) -> Iterator[tuple[npt.NDArray[np.float32], ...]]:
        """Yield images and parameters in order, some examples at a time."""
        for first in range(0, len(self), size):
            yield self.inputs(slice(first, first + size))


NAMES = tuple(field.name for field in fields(Examples))


def collect(found: Iterable[Example], stretch: int = 0) -> Examples:
    """Turn the examples of a stretch into arrays.

    Raises:
        ValueError: There is none.
    """
    made = arrays(found, stretch)
    if not len(made):
        raise nothing_found()
    return made


def arrays(found: Iterable[Example], stretch: int) -> Examples:
    """Turn the examples of a stretch into arrays; there may be none."""
    image_shape = (len(features.FREQUENCIES), features.COLUMNS, len(features.SPANS))
    images, parameters, rows = [], [], []
    # One after another: a trigger with its strain is larger than what is kept of it.
    for example in found:
        seen = model_input(example.trigger)
        images.append(seen.image.astype(HALF))
        parameters.append(seen.parameters)
        truth = waveforms.CLASSES.index(example.label)
        rows.append((truth, example.trigger.snr, example.injected_snr, example.loudest))
    truths, snr, injected, loudest = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Examples(
        image=np.array(images, HALF).reshape(-1, *image_shape),
        parameters=np.array(parameters, np.float32).reshape(-1, len(features.PARAMETERS)),
        truth=np.array(truths, np.int64),
        snr=np.array(snr, np.float64),
        injected_snr=np.array(injected, np.float64),
        loudest=np.array(loudest, np.bool_),
        stretch=np.full(len(rows), stretch, np.int64),
    )


def write_examples(made: Examples, path: Path) -> None:
    """Write a set into one file, which appears whole."""
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **{name: getattr(made, name) for name in NAMES})


def read_examples(path: Path) -> Examples:
    """Read what `write_examples` wrote, into memory."""
    with np.load(path) as file:
        return Examples(**{name: file[name] for name in NAMES})


def nothing_found() -> ValueError:
    """Return the error of a set without an example."""
    return ValueError("no triggers were found in the simulated data: simulate more stretches")
