"""What detection is told."""

from dataclasses import dataclass
from typing import Annotated

from transforms.checks import Limits, check_values


@dataclass(frozen=True)
class DetectConfig:
    """Wavelet bank, threshold and clustering."""

    low_frequency: Annotated[float, Limits(ge=8, unit="Hz")] = 20.0
    """Lowest central frequency [Hz]."""
    high_frequency: Annotated[float, Limits(gt=8, unit="Hz")] = 5000.0
    """Highest central frequency [Hz], as far as the sample rate can carry it; strain is calibrated
    up to the default."""
    low_q: Annotated[float, Limits(ge=3, le=200)] = 3.0
    """Lowest quality factor of the wavelets."""
    high_q: Annotated[float, Limits(ge=3, le=200)] = 32.0
    """Highest quality factor of the wavelets."""
    mismatch: Annotated[float, Limits(ge=0.01, le=0.5)] = 0.34
    """Largest loss of a wavelet's energy between those of the bank."""
    threshold: Annotated[float, Limits(ge=4, why="below it, noise fills the output")] = 5.5
    """Least rank of a tile or shape: the signal-to-noise ratio of a tile of 100 Hz as rare."""
    gap_seconds: Annotated[float, Limits(ge=0.01, le=1)] = 0.1
    """Tiles further apart than this belong to two triggers [s]."""
    snippet_before: Annotated[float, Limits(gt=0, le=2)] = 1.5
    """Whitened strain kept before the loudest tile [s]."""
    snippet_after: Annotated[float, Limits(gt=0, le=0.5)] = 0.5
    """Whitened strain kept after the loudest tile [s]."""

    def __post_init__(self) -> None:
        check_values(self)
        if self.low_frequency >= self.high_frequency:
            raise ValueError("low_frequency must be below high_frequency")
        if self.low_q > self.high_q:
            raise ValueError("low_q must not be above high_q")
