"""Times as people write them: GPS seconds, or a date in UTC."""

import re
from datetime import date

from transforms.gps import LATEST_NS, NANOSECONDS, parse_seconds
from transforms.utc import DAY, utc_midnight

_DATE = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})"
    r"(?:\.(?P<part>[0-9]{1,9}))?)?(?:Z|[+-]00:?00)?)?"
)
FORM = "give GPS seconds, as 1126259462.4, or a date in UTC, as 2015-09-14T09:50:45"


def parse(text: str) -> int:
    """Return the GPS time [ns] of GPS seconds, or of an ISO date in UTC, exactly.

    Raises:
        ValueError: It is neither, is finer than nanoseconds, or lies outside of 1980 to 2296;
            one line that says what to write.
    """
    match = _DATE.fullmatch(text)
    time_ns = _of_date(match) if match else parse_seconds(text)
    if time_ns is None:
        raise ValueError(f"{text}: neither GPS seconds nor a date; {FORM}")
    if not 0 <= time_ns <= LATEST_NS:
        raise ValueError(f"{text}: before GPS time, which begins on 1980-01-06, or too late")
    return time_ns


def _of_date(match: re.Match[str]) -> int | None:
    """Return the GPS time of a date; None if there is no such date or time of day."""
    hour, minute, second = (int(match[key] or 0) for key in ("hour", "minute", "second"))
    try:
        ordinal = date.fromisoformat(match["date"]).toordinal()
    except ValueError:
        return None
    midnight = utc_midnight(ordinal)
    seconds = 3600 * hour + 60 * minute + second
    leap = (hour, minute, second) == (23, 59, 60) and utc_midnight(ordinal + 1) - midnight > DAY
    if not (hour < 24 and minute < 60 and (second < 60 or leap)):
        return None
    part = int((match["part"] or "0").ljust(9, "0"))
    return (midnight + seconds) * NANOSECONDS + part
