"""Strain that a configuration cannot search: nothing is read or whitened of it."""

from collections.abc import Callable
from typing import TypeAlias

from transforms.elements import Block, BlockPlan, Segment
from transforms.kinds import SegmentKind

Refuse: TypeAlias = Callable[[int], str]
"""Sample rate [Hz] -> why its strain cannot be searched, in one line; empty if it can."""


def refuse_none(_sample_rate: int) -> str:
    """Accept strain of any rate."""
    return ""


def refused(block: Block | BlockPlan, reason: str) -> Segment:
    """Return the segment of a block that cannot be searched."""
    return Segment(
        ifo=block.ifo,
        channel=block.channel,
        start_ns=block.analyse_start_ns,
        end_ns=block.analyse_end_ns,
        analysed=False,
        reason=reason,
        kind=SegmentKind.UNSEARCHABLE,
    )
