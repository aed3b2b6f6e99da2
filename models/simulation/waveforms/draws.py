"""What a family of transients is, and what is drawn of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from transforms.arrays import FloatArray


@dataclass(frozen=True)
class Range:
    """Where a parameter is drawn from."""

    low: float
    high: float
    kind: str = "uniform"
    """``uniform``, ``log`` (uniform in the logarithm), ``inverse`` (uniform in 1 / value) or
    ``integer`` (both ends included)."""

    def draw(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        if self.kind == "integer":
            return float(rng.integers(int(self.low), int(self.high) + 1))
        return self.at(rng.random())

    def at(self, variate: float) -> float:
        """Return the value that a number drawn evenly from 0 to 1 stands for."""
        if self.kind == "integer":
            return float(np.floor(self.low + variate * (self.high - self.low + 1)))
        if self.kind == "log":
            low, high = np.log(self.low), np.log(self.high)
            return float(np.exp(low + (high - low) * variate))
        if self.kind == "inverse":
            low, high = 1 / self.high, 1 / self.low
            return float(1 / (low + (high - low) * variate))
        return float(self.low + (self.high - self.low) * variate)


PHASE = Range(0.0, 2 * np.pi)
SEED = Range(0, 2**31 - 1, "integer")
"""Of a shape that is random beyond its parameters."""


@dataclass(frozen=True)
class Variant:
    """One of the kinds that a family is a mixture of."""

    share: float
    """Part of the family's draws."""
    ranges: Mapping[str, Range]
    """What replaces the family's own ranges."""


class Law(Protocol):
    """How a number is drawn."""

    def draw(self, rng: np.random.Generator) -> float:
        """Draw one value."""


@dataclass(frozen=True)
class Family:
    """One class of transients: shape, extent and parameter ranges."""

    shape: Callable[..., FloatArray]
    """``shape(time, **parameters)`` gives h at times [s] from the reference."""
    extent: Callable[..., tuple[float, float]]
    """``extent(**parameters)`` gives the seconds that h lasts before and after the reference."""
    ranges: Mapping[str, Range]
    source: str
    """Where the ranges come from."""
    snr: Law | None = None
    """Optimal SNR; none: as the stretch says."""
    whitened: bool = False
    """Whether the shape is what is seen after whitening, rather than strain.

    The classes of Gravity Spy are descriptions of whitened time-frequency maps; shapes that
    are physical are strain.
    """
    variants: tuple[Variant, ...] = ()
    least_rate: int = 1024
    """Lowest sample rate that carries it [Hz]: below, there is none."""
    joint: Callable[[np.random.Generator, float | None], dict[str, float]] | None = None
    """``joint(rng, snr)`` draws all parameters, where they depend on each other and on the SNR;
    the ranges are their bounds then."""

    def draw(self, rng: np.random.Generator, snr: float | None = None) -> dict[str, float]:
        """Draw the parameters of one transient.

        Args:
            rng: Source of randomness.
            snr: How loud it will be, where that is known.
        """
        if self.joint is not None:
            return self.joint(rng, snr)
        ranges = dict(self.ranges)
        if self.variants:
            shares = [variant.share for variant in self.variants]
            chosen = self.variants[int(rng.choice(len(shares), p=shares))]
            ranges.update(chosen.ranges)
        return {name: span.draw(rng) for name, span in ranges.items()}


@dataclass(frozen=True)
class Waveform:
    """One transient on a sample grid."""

    label: str
    parameters: tuple[tuple[str, float], ...]
    samples: FloatArray
    """h, unit-free, [time]."""
    reference: int
    """Index of the sample at the reference time."""


def half(duration: float, **_: float) -> tuple[float, float]:
    """Return the extent of what lies evenly around its reference."""
    return duration / 2, duration / 2
