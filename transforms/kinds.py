"""Why an input or a stretch of strain was not used, in few words.

A reason is written for a person: it holds names and numbers, and may be put better at any
time. A kind is written for programs: metrics, alerts and exit codes ask for it. It is set
where the reason is written. A metric makes a series for each kind, for ever, so no sender
can make a new one.
"""

from enum import StrEnum


class LetterKind(StrEnum):
    """Why an input could not be used."""

    LATE = "late"
    """It came when newer data had been analysed without it."""
    CLOCK = "clock"
    """Its time cannot be."""
    RATE = "rate"
    """Its sample rate is missing, impossible, or not the channel's."""
    OFF_GRID = "off grid"
    """Its samples do not lie on the GPS grid."""
    INCOMPLETE = "incomplete"
    """Parts of it are missing."""
    DAMAGED = "damaged"
    """It is truncated or damaged."""
    UNKNOWN_FORMAT = "unknown format"
    CHANNEL = "channel"
    """It holds no channel that is wanted, or its channel's name cannot be used."""
    METADATA = "metadata"
    """What it says of itself cannot be."""
    COVERED = "covered"
    """Another file holds the same stretch."""
    ACCESS = "access"
    """It is missing, or may not be read."""
    NOTE = "note"
    """Nothing is wrong with it: a word about what was asked for."""
    CRASHED = "crashed"
    """Reading it ended the process, several times."""
    UNPUBLISHABLE = "unpublishable"
    """A result that no message can hold: a fault of this software."""
    OTHER = "other"


class SegmentKind(StrEnum):
    """Whether a stretch of strain was analysed, or why not."""

    ANALYSED = "analysed"
    NO_DATA = "no data"
    TOO_SHORT = "too short"
    NOT_FINITE = "not finite"
    CONSTANT = "constant"
    STATE_VECTOR = "state vector"
    CHECK = "required check"
    """A data-quality bit that ``ingest.require`` names was not set."""
    FILTER_EDGE = "filter edge"
    RESAMPLING = "resampling edge"
    UNREADABLE = "unreadable"
    UNSEARCHABLE = "not searchable"
    """The configuration leaves nothing to search at this sample rate."""


_GAPS = frozenset(SegmentKind) - {SegmentKind.ANALYSED}


def gap_kind(name: str) -> SegmentKind:
    """Return the kind of a gap that somebody else named; any other name is that of a check."""
    return SegmentKind(name) if name in _GAPS else SegmentKind.CHECK
