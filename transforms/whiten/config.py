"""What whitening is told."""

from dataclasses import dataclass
from typing import Annotated

from transforms.checks import Limits, check_values

LONGEST_FFT = 256
"""[s]; at 16384 Hz, one transform of four million samples."""
LONGEST = 86_400
"""Largest of the other whole numbers [s]."""


@dataclass(frozen=True)
class WhitenConfig:
    """Power spectral density and whitening filter."""

    psd_seconds: Annotated[int, Limits(ge=4, le=LONGEST)] = 64
    """Past strain that the PSD is made of [s]."""
    update_seconds: Annotated[int, Limits(ge=1, le=LONGEST)] = 128
    """How often a new PSD comes into force [s], on the GPS grid."""
    fft_seconds: Annotated[int, Limits(ge=1, le=LONGEST_FFT)] = 4
    """Length of one Welch segment [s]; they overlap by half."""
    minimum_seconds: Annotated[int, Limits(ge=4, le=LONGEST)] = 16
    """Shortest contiguous data that is analysed [s]."""
    past_seconds: Annotated[float, Limits(gt=0, le=LONGEST_FFT)] = 1.875
    """How far the filter looks back [s]; with the look ahead, whole seconds run fastest."""
    lookahead_seconds: Annotated[float, Limits(gt=0, le=0.125)] = 0.125
    """How far the filter looks ahead [s]."""
    low_frequency: Annotated[float, Limits(ge=8, unit="Hz")] = 16.0
    """Lower end of the whitened band [Hz]; below, the output falls to a tenth."""

    def __post_init__(self) -> None:
        check_values(self)
        if self.psd_seconds % self.fft_seconds or self.psd_seconds < 4 * self.fft_seconds:
            raise ValueError("psd_seconds must be a multiple of fft_seconds, at least 4 of them")
        if self.minimum_seconds < 4 * self.fft_seconds:
            raise ValueError("minimum_seconds must be at least 4 times fft_seconds")
        if not 4 * self.lookahead_seconds <= self.past_seconds <= self.fft_seconds:
            raise ValueError("past_seconds must lie between 4 lookahead_seconds and fft_seconds")
