"""What whitening is told."""

from dataclasses import dataclass

from transforms.checks import check_values

LONGEST_FFT = 256
"""[s]; at 16384 Hz, one transform of four million samples."""
LONGEST = 86_400
"""Largest of the other whole numbers [s]."""


@dataclass(frozen=True)
class WhitenConfig:
    """Power spectral density and whitening filter."""

    psd_seconds: int = 64
    """Past strain that the PSD is made of [s]."""
    update_seconds: int = 128
    """How often a new PSD comes into force [s], on the GPS grid."""
    fft_seconds: int = 4
    """Length of one Welch segment [s]; they overlap by half."""
    minimum_seconds: int = 16
    """Shortest contiguous data that is analysed [s]."""
    past_seconds: float = 1.875
    """How far the filter looks back [s]; with the look ahead, whole seconds run fastest."""
    lookahead_seconds: float = 0.125
    """How far the filter looks ahead [s]."""
    low_frequency: float = 16.0
    """Lower end of the whitened band [Hz]; below, the output falls to a tenth."""

    def __post_init__(self) -> None:
        check_values(self)
        if not 1 <= self.fft_seconds <= LONGEST_FFT:
            raise ValueError(f"fft_seconds must lie in 1 to {LONGEST_FFT}")
        if max(self.psd_seconds, self.update_seconds, self.minimum_seconds) > LONGEST:
            raise ValueError(
                f"psd_seconds, update_seconds and minimum_seconds must be at most {LONGEST}"
            )
        if self.psd_seconds % self.fft_seconds or self.psd_seconds < 4 * self.fft_seconds:
            raise ValueError("psd_seconds must be a multiple of fft_seconds, at least 4 of them")
        if self.minimum_seconds < 4 * self.fft_seconds:
            raise ValueError("minimum_seconds must be at least 4 times fft_seconds")
        if self.update_seconds < 1:
            raise ValueError("update_seconds must be at least 1")
        if not 0 < self.lookahead_seconds <= 0.125:
            raise ValueError("lookahead_seconds must lie in (0, 0.125]")
        if not 4 * self.lookahead_seconds <= self.past_seconds <= self.fft_seconds:
            raise ValueError("past_seconds must lie between 4 lookahead_seconds and fft_seconds")
        if self.low_frequency < 8:
            raise ValueError("low_frequency must be at least 8 Hz")
