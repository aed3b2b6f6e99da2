"""GPS time: integer nanoseconds, sample grids, and their one mapping to Beam.

Samples lie on the absolute grid ``index / sample_rate`` seconds of GPS time, so a
sample has the same index however the data were cut. Nanoseconds are rounded, indices
are exact.
"""

import re

NANOSECONDS = 1_000_000_000
LATEST_NS = 10**10 * NANOSECONDS
"""Times after this one are no times of data (the year 2296)."""
REMEMBERED_NS = 86_400 * NANOSECONDS
"""A live channel that has ended is remembered for so long in data time [ns]."""
GPS_EPOCH_UNIX = 315_964_800
"""Unix time of GPS zero [s] (1980-01-06T00:00:00 UTC)."""

_SECONDS = re.compile(r"0*([0-9]{1,18})(?:\.([0-9]{0,9})0*)?")


def to_index(gps_ns: int, sample_rate: int) -> int:
    """Return the index of the sample nearest to a GPS time [ns]."""
    return (gps_ns * sample_rate + NANOSECONDS // 2) // NANOSECONDS


def to_ns(index: int, sample_rate: int) -> int:
    """Return the GPS time [ns, rounded] of a sample's index."""
    return (index * NANOSECONDS + sample_rate // 2) // sample_rate


def from_seconds(gps: float) -> int:
    """Return integer nanoseconds for GPS seconds as people write them."""
    return round(gps * NANOSECONDS)


def parse_seconds(text: str) -> int | None:
    """Return the nanoseconds of decimal GPS seconds, exactly; None where a text is none.

    No more than nine decimals are read: nothing is finer than a nanosecond.
    """
    match = _SECONDS.fullmatch(text)
    if not match:
        return None
    whole, decimals = match[1], (match[2] or "").ljust(9, "0")
    return int(whole) * NANOSECONDS + int(decimals)


def to_seconds(gps_ns: int) -> float:
    """Return float GPS seconds, for people and plots only."""
    return gps_ns / NANOSECONDS


def seconds_text(gps_ns: int) -> str:
    """Write nanoseconds as seconds, exactly, as in 1126259446 or 1126259446.0625."""
    whole, rest = divmod(gps_ns, NANOSECONDS)
    return f"{whole}.{rest:09d}".rstrip("0") if rest else str(whole)


def to_event_micros(gps_ns: int) -> int:
    """Map GPS [ns] to the microseconds of a Beam timestamp.

    Leap seconds are left out: the mapping must be monotonic and the same for ever; it
    differs from Unix time by the leap seconds since 1980.
    """
    return gps_ns // 1000 + GPS_EPOCH_UNIX * 1_000_000


def from_event_micros(micros: int) -> int:
    """Return the GPS time [ns] of the microseconds of a Beam timestamp."""
    return (micros - GPS_EPOCH_UNIX * 1_000_000) * 1000
