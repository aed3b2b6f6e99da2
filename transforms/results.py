"""What the parts of the graph hand over to each other: named collections of elements.

They are tuples, as Beam takes no other records for inputs and outputs.
"""

from typing import NamedTuple

from apache_beam.pvalue import PCollection

from transforms.elements import Block, DeadLetter, Event, Progress, Segment, Trigger


class Strain(NamedTuple):
    """What a source returns, from files or from a stream."""

    blocks: PCollection[Block]
    """What is to be analysed. Live in order, and one without strain is a gap."""
    segments: PCollection[Segment]
    """What is not analysed, and why not."""
    dead_letters: PCollection[DeadLetter]
    """Which inputs, or parts of them, are not used."""


class Results(NamedTuple):
    """What the analysis returns, and a sink takes."""

    triggers: PCollection[Trigger]
    events: PCollection[Event]
    """Coincident triggers of several detectors."""
    segments: PCollection[Segment]
    """What was analysed and what not, with the reason."""
    dead_letters: PCollection[DeadLetter]
    progress: PCollection[Progress]
    """Up to when each channel is final, through gaps too."""
