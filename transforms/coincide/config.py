"""What coincidence is told."""

from dataclasses import dataclass
from typing import Annotated

from transforms.checks import Limits, check_values


@dataclass(frozen=True)
class CoincideConfig:
    """Which channels are a network, and how long they wait for each other."""

    channels: tuple[str, ...] = ("*STRAIN*", "*Hrec*")
    """Patterns of the channels that are strain, as of shells; what other channels trigger on is
    no part of an event."""
    threshold: Annotated[float, Limits(ge=4)] = 5.5
    """Least rank of a trigger that may be part of an event."""
    wait_seconds: Annotated[float, Limits(ge=1, le=3600)] = 300.0
    """An event waits for a detector so long, in time of the data that the others sent [s]."""

    def __post_init__(self) -> None:
        check_values(self)
        if not all(self.channels):
            raise ValueError("channels must not have an empty pattern")
