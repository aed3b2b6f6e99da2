"""What detection is told."""

from dataclasses import dataclass

from transforms.checks import check_values


@dataclass(frozen=True)
class DetectConfig:
    """Wavelet bank, threshold and clustering."""

    low_frequency: float = 20.0
    """Lowest central frequency [Hz]."""
    high_frequency: float = 8192.0
    """Highest central frequency [Hz], as far as the sample rate can carry it."""
    low_q: float = 3.0
    high_q: float = 32.0
    """Range of the wavelets' quality factor."""
    mismatch: float = 0.34
    """Largest loss of a wavelet's energy between those of the bank."""
    threshold: float = 5.5
    """Least rank of a tile or shape: the signal-to-noise ratio of a tile of 100 Hz as rare."""
    gap_seconds: float = 0.1
    """Tiles further apart than this belong to two triggers [s]."""
    snippet_before: float = 1.5
    """Whitened strain kept before the loudest tile [s]."""
    snippet_after: float = 0.5
    """Whitened strain kept after the loudest tile [s]."""

    def __post_init__(self) -> None:
        check_values(self)
        if not 8 <= self.low_frequency < self.high_frequency:
            raise ValueError("low_frequency must be at least 8 Hz and below high_frequency")
        if not 3 <= self.low_q <= self.high_q <= 200:
            raise ValueError("low_q and high_q must lie in 3 to 200, low_q first")
        if not 0.01 <= self.mismatch <= 0.5:
            raise ValueError("mismatch must lie in 0.01 to 0.5")
        if self.threshold < 4:
            raise ValueError("threshold must be at least 4: below it, noise fills the output")
        if not 0.01 <= self.gap_seconds <= 1:
            raise ValueError("gap_seconds must lie in 0.01 to 1")
        if not (0 < self.snippet_before <= 2 and 0 < self.snippet_after <= 0.5):
            raise ValueError("snippet_before must lie in (0, 2], snippet_after in (0, 0.5]")
