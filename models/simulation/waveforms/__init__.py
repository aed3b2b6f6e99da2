"""Transients to train on: unit-free time series h(t) with the ranges they are drawn from."""

from collections.abc import Mapping

import numpy as np

from models.simulation.waveforms import (
    bursts,
    cbc,
    fitted,
    glitches_long,
    glitches_short,
    others,
    simple,
)
from models.simulation.waveforms.draws import Family, Range, Variant, Waveform
from transforms.classify.answers import UNKNOWN

__all__ = [
    "CLASSES",
    "FAMILIES",
    "NOISE",
    "UNKNOWN",
    "Family",
    "Range",
    "Variant",
    "Waveform",
    "draw",
    "sample",
]

NOISE = "noise"
"""Label of what is no transient at all: the detector's false triggers."""

_GLITCHES = {**fitted.FAMILIES, **glitches_short.FAMILIES, **glitches_long.FAMILIES}
_ORDER = (
    *simple.FAMILIES,
    *("scattered_light", "blip", "low_frequency_blip", "koi_fish", "tomte", "fast_scattering"),
    *("scratchy", "power_line", "low_frequency_burst", "extremely_loud", "helix"),
    *("repeating_blips", "violin_mode", "wandering_line", "light_modulation", "1080_lines"),
    *("1400_ripples", "air_compressor", "paired_doves", "low_frequency_lines"),
    *("cbc", "ccsn", UNKNOWN),
)
_ALL = {
    **simple.FAMILIES,
    **_GLITCHES,
    "cbc": cbc.FAMILY,
    "ccsn": bursts.FAMILY,
    UNKNOWN: others.FAMILY,
}
FAMILIES: dict[str, Family] = {label: _ALL[label] for label in _ORDER}
"""The transients, by label; the unknown ones are the last."""

CLASSES: tuple[str, ...] = (*_ORDER[:-1], NOISE, UNKNOWN)
"""Every label, in the order in which the network gives probabilities."""


def draw(
    label: str, sample_rate: int, rng: np.random.Generator, snr: float | None = None
) -> Waveform:
    """Draw one transient of a family.

    Args:
        label: The family.
        sample_rate: Of the grid [Hz].
        rng: Source of randomness.
        snr: How loud it will be, where that is known: some families' shapes depend on it.
    """
    return sample(label, sample_rate, FAMILIES[label].draw(rng, snr))


def sample(label: str, sample_rate: int, parameters: Mapping[str, float]) -> Waveform:
    """Return the transient of a family with the parameters told."""
    family = FAMILIES[label]
    before, after = family.extent(**parameters)
    reference = int(np.ceil(before * sample_rate))
    count = reference + int(np.ceil(after * sample_rate)) + 1
    time = (np.arange(count) - reference) / sample_rate
    shape = family.shape(time, **parameters)
    return Waveform(label, tuple(parameters.items()), shape, reference)
