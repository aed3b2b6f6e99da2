"""What the ranking of events and triggers is told."""

from dataclasses import dataclass
from typing import Annotated

from transforms.checks import Limits, check_values
from transforms.gps import from_seconds


@dataclass(frozen=True)
class SignificanceConfig:
    """Which background a false-alarm rate is counted in."""

    statistic: str = ""
    """File of the ranking statistic; empty: the packaged one."""
    hours: Annotated[int, Limits(ge=1, le=168, unit="h")] = 24
    """Past that is the background: whole hours of GPS time, of which the last ended before [h]."""
    minimum_hours: Annotated[float, Limits(gt=0, le=168, unit="h")] = 1.0
    """With less analysed time than this in the past there is no rate [h]."""
    step_seconds: Annotated[float, Limits(ge=0.2, le=60, unit="s")] = 2.0
    """Between two slides [s]."""
    first_seconds: Annotated[float, Limits(ge=1, le=600, unit="s")] = 3.0
    """Shortest shift of a slide [s]."""
    last_seconds: Annotated[float, Limits(ge=1, le=3600, unit="s")] = 600.0
    """Longest shift of a slide [s]: rates wander together, so short ones hold better."""

    @property
    def lags_ns(self) -> tuple[int, int, int]:
        """Return step, shortest and longest shift of the slides [ns]."""
        step, first, last = map(
            from_seconds, (self.step_seconds, self.first_seconds, self.last_seconds)
        )
        return step, first, last

    def __post_init__(self) -> None:
        check_values(self)
        if self.first_seconds > self.last_seconds:
            raise ValueError("first_seconds must not be above last_seconds")
