"""Configuration of ingest."""

from dataclasses import dataclass
from typing import Annotated

from transforms.checks import Limits, Names, OneOf, check_values

LONGEST_BLOCK = 16_384
"""[s]; at 16384 Hz, its samples fill 2 GB."""
RATES = tuple(1 << k for k in range(8, 17))
"""To which a channel may be resampled [Hz]."""
LONGEST_QUIET = 86_400
"""[s]"""
FORMATS = ("lldd", "gwf", "row")
"""Of live messages (docs/live.md)."""


@dataclass(frozen=True, kw_only=True)
class IngestConfig:
    """Which data are analysed, and in which pieces."""

    channels: Annotated[tuple[str, ...], Names()] = ()
    """Channels to read; empty: the strain channel of each file, which must have only one."""
    require: Annotated[tuple[str, ...], Names()] = ("DATA", "CBC_CAT1", "BURST_CAT1")
    """Data-quality bits that must be set for data to be analysed."""
    resample_rate: Annotated[int, OneOf(RATES, "a power of two of 256 to 65536 Hz")] = 16384
    """Highest rate to which a channel is resampled, if its own is no power of two [Hz]."""
    block_seconds: Annotated[int, Limits(ge=1, le=LONGEST_BLOCK)] = 512
    """Stretch that one archive block answers for [s], on the GPS grid."""
    wait_seconds: Annotated[float, Limits(ge=0, le=60)] = 3.0
    """Live: a frame is missing once so much newer data of its channel have come [s]."""
    quiet_seconds: Annotated[float, Limits(gt=0, le=LONGEST_QUIET)] = 60.0
    """Live: a channel has ended once nothing came of it for so long [s]."""

    def __post_init__(self) -> None:
        check_values(self)
