"""What the way in is told."""

from dataclasses import dataclass

FORMATS = ("lldd", "gwf", "row")
"""Of live messages (docs/live.md)."""


@dataclass(frozen=True)
class IngestConfig:
    """Which data are analysed, and in what pieces."""

    channels: tuple[str, ...] = ()
    """Channels to read; empty: the one strain channel of each file."""
    require: tuple[str, ...] = ("DATA", "CBC_CAT1", "BURST_CAT1")
    """Data-quality bits without which data are not analysed."""
    resample_rate: int = 16384
    """Rate [Hz] to which a channel whose rate is not a power of two is resampled, at most."""
    block_seconds: int = 512
    """Stretch that one archive block answers for [s], on the GPS grid."""
    wait_seconds: float = 3.0
    """Live: how much newer data of a channel a missing frame is waited for [s]."""
    quiet_seconds: float = 60.0
    """Live: a channel of which nothing came for so long is taken to have ended [s]."""

    def __post_init__(self) -> None:
        if self.block_seconds < 1:
            raise ValueError("block_seconds must be at least 1")
        if self.resample_rate < 256 or self.resample_rate & (self.resample_rate - 1):
            raise ValueError("resample_rate must be a power of two of at least 256 Hz")
        if not 0 <= self.wait_seconds <= 60:
            raise ValueError("wait_seconds must lie in 0 to 60")
        if self.quiet_seconds <= 0:
            raise ValueError("quiet_seconds must be more than 0")
