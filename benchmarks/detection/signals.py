"""The seven classes of transients that efficiency is measured on.

Shapes are those of :mod:`models.simulation.waveforms`, where it has them; what differs from the
training set's ranges is stated at the family.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import resample_poly

from models.simulation.signals import BURST, BURST_FAMILY
from models.simulation.waveforms import Family, Range, simple
from models.simulation.waveforms.draws import PHASE
from transforms.arrays import FloatArray

SOURCE_RATE = 16384
"""Rate at which shapes are drawn [Hz], before they are brought to the data's own."""
MARGIN = 0.25
"""Silence kept on either side of a shape for the resampling filter [s]."""
HIGHEST_PART = 0.37
"""Highest central frequency as a part of the sample rate: 1515 Hz at 4096 Hz."""


FAMILIES: dict[str, Family] = {
    "sine_gaussian": replace(
        simple.FAMILIES["sine_gaussian"],
        ranges={
            "frequency": Range(40.0, 1500.0, "log"),
            "q": Range(4.0, 30.0),
            "phase": PHASE,
        },
        source="wider than the training set's, about the band and Q of the burst searches' "
        "sine-Gaussians, Abbott et al. 2017, arXiv:1611.02972",
    ),
    "gaussian": simple.MOCK["gaussian"],
    "blip": simple.MOCK["blip"],
    "ring_down": replace(
        simple.FAMILIES["ring_down"],
        ranges={"frequency": Range(80.0, 1000.0, "log"), "q": Range(8.0, 20.0)},
        source="inside the 50-2000 Hz and Q 2-20 of the LIGO ring-down search, Abbott et al. "
        "2009, arXiv:0905.1654",
    ),
    "chirp": simple.FAMILIES["chirp"],
    "scattered_light": simple.MOCK["scattered_light"],
    BURST: BURST_FAMILY,
}
"""The classes, by label."""


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A transient of no particular loudness."""

    label: str
    samples: FloatArray
    """h, unit-free, [time]."""
    reference: int
    """Index of the sample at the reference time."""
    frequency: float
    """Central frequency [Hz] where the class has one, else NaN."""


def draw(label: str, sample_rate: int, rng: np.random.Generator) -> Signal:
    """Draw one transient of a class.

    Args:
        label: The class.
        sample_rate: Of the data [Hz], a power of two from 1024 to ``SOURCE_RATE``. Shapes
            centred beyond ``HIGHEST_PART`` of it are drawn again.
        rng: Source of randomness.
    """
    family = FAMILIES[label]
    while True:
        parameters = {name: span.draw(rng) for name, span in family.ranges.items()}
        frequency = parameters.get("frequency", float("nan"))
        if not frequency > HIGHEST_PART * sample_rate:
            break
    before, after = family.extent(**parameters)
    count = [int(np.ceil((part + MARGIN) * sample_rate)) for part in (before, after)]
    factor = SOURCE_RATE // sample_rate
    time = np.arange(-count[0] * factor, count[1] * factor) / SOURCE_RATE
    shape = family.shape(time, **parameters)
    shape[(time < -before) | (time > after)] = 0
    if factor > 1:
        shape = resample_poly(shape, 1, factor)
    return Signal(label=label, samples=shape, reference=count[0], frequency=frequency)


@dataclass
class Deck:
    """Labels, shuffled anew each time that all have been dealt."""

    labels: tuple[str, ...]
    rng: np.random.Generator

    def __post_init__(self) -> None:
        self._left: list[str] = []

    def deal(self) -> str:
        """Return the next label."""
        if not self._left:
            self._left = [self.labels[i] for i in self.rng.permutation(len(self.labels))]
        return self._left.pop()
