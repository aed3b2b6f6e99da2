"""What the way out is told."""

from dataclasses import dataclass

from transforms.checks import check_values


@dataclass(frozen=True)
class SinkConfig:
    """What is kept beside the triggers."""

    loudest: int = 20
    """How many of each channel's loudest triggers keep their whitened strain."""

    def __post_init__(self) -> None:
        check_values(self)
        if not 0 <= self.loudest <= 1000:
            raise ValueError("loudest must lie in 0 to 1000")
