"""What strain a block needs."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What a block needs around the stretch that it answers for."""

    past_ns: int
    future_ns: int
    warm_up_ns: int
    """Data at the start of a segment that a block there must hold, as far as there is."""
