"""What the way in is told."""

from dataclasses import dataclass

from transforms.checks import check_values

LONGEST_BLOCK = 16_384
"""[s]; at 16384 Hz, its samples fill 2 GB."""
HIGHEST_RATE = 65_536
"""[Hz]"""
LONGEST_QUIET = 86_400
"""[s]"""
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
        check_values(self)
        _check_names("channels", self.channels)
        _check_names("require", self.require)
        if not 1 <= self.block_seconds <= LONGEST_BLOCK:
            raise ValueError(f"block_seconds must lie in 1 to {LONGEST_BLOCK}")
        if not 256 <= self.resample_rate <= HIGHEST_RATE or self.resample_rate & (
            self.resample_rate - 1
        ):
            raise ValueError("resample_rate must be a power of two of 256 to 65536 Hz")
        if not 0 <= self.wait_seconds <= 60:
            raise ValueError("wait_seconds must lie in 0 to 60")
        if not 0 < self.quiet_seconds <= LONGEST_QUIET:
            raise ValueError(f"quiet_seconds must be more than 0, and at most {LONGEST_QUIET}")


def _check_names(key: str, names: tuple[str, ...]) -> None:
    """Refuse names that cannot be, and those that stand twice."""
    for name in names:
        if not name or not name.isprintable() or name != name.strip():
            raise ValueError(f"{key}: {name!r} is no name")
        if names.count(name) > 1:
            raise ValueError(f"{key}: {name} stands twice: keep one")
