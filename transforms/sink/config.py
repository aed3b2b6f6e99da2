"""Configuration of the sinks."""

from dataclasses import dataclass
from typing import Annotated

from transforms.checks import Limits, check_values


@dataclass(frozen=True)
class SinkConfig:
    """What is written beside the triggers."""

    loudest: Annotated[int, Limits(ge=0, le=1000)] = 20
    """How many triggers of each channel, the loudest, have a snippet of whitened strain."""

    def __post_init__(self) -> None:
        check_values(self)
