"""What the way out is told."""

from dataclasses import dataclass
from typing import Annotated

from transforms.checks import Limits, check_values


@dataclass(frozen=True)
class SinkConfig:
    """What is kept beside the triggers."""

    loudest: Annotated[int, Limits(ge=0, le=1000)] = 20
    """How many of each channel's loudest triggers keep their whitened strain."""

    def __post_init__(self) -> None:
        check_values(self)
