"""Stretches of time, and what is to be read of files: the records of planning.

Times are GPS in integer nanoseconds, intervals are half open.
"""

from dataclasses import dataclass

from transforms.kinds import SegmentKind, gap_kind


@dataclass(frozen=True)
class Interval:
    """A named stretch of time: a data-quality flag, or a gap with its reason."""

    start_ns: int
    end_ns: int
    name: str
    """Of a gap: a kind of `SegmentKind`, or the required check; several stand between commas."""
    value: float = 0.0
    """Of a run of equal samples: their value."""

    @property
    def kind(self) -> SegmentKind:
        """Return why a gap is one, by the first of its names."""
        return gap_kind(self.name.partition(", ")[0])


@dataclass(frozen=True, kw_only=True)
class Span:
    """One channel's stretch of samples in one file: where they are, not what they are."""

    path: str
    ifo: str
    channel: str
    gps_start_ns: int
    gps_end_ns: int
    sample_rate: int
    """[Hz], a power of two: the rate at which the span will be read."""
    gaps: tuple[Interval, ...] = ()
    """Stretches that must not be analysed, with the reason (not finite, DATA, ...)."""
    flags: tuple[Interval, ...] = ()
    """Data-quality flags that are analysed, and marked on the triggers."""
    file_rate: int = 0
    """[Hz] in the file, where the span is resampled; 0 where it is read as it is."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of a file that a block reads."""

    path: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True, kw_only=True)
class BlockPlan:
    """A block to be read: the archive's unit of work."""

    ifo: str
    channel: str
    sample_rate: int
    segment_start_ns: int
    segment_end_ns: int
    """The contiguous good data in which the block lies; filters start and end here."""
    analyse_start_ns: int
    analyse_end_ns: int
    """The stretch that this block alone answers for."""
    pieces: tuple[Piece, ...]
    """Contiguous, in order: the stretch analysed and the past and future it needs."""
    flags: tuple[Interval, ...] = ()
