"""GPS and UTC, with the leap seconds that ERFA, the IAU's library, knows."""

import time
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date
from functools import cache

import erfa

from transforms.gps import NANOSECONDS, to_seconds

_GPS_EPOCH = date(1980, 1, 6).toordinal()
_UNIX_EPOCH = date(1970, 1, 1).toordinal()
DAY = 86_400
"""Seconds of a day without a leap second."""
_TAI_GPS = 19
"""TAI is ahead of GPS by this [s]."""


@dataclass(frozen=True)
class Day:
    """A day of UTC."""

    date: str
    """As in 2015-09-14."""
    gps_start: int
    """GPS time of its midnight [s]."""
    duration: int
    """86400 s, or 86401 s with a leap second."""


def gps_now() -> float:
    """Return the GPS time of this moment [s]."""
    return to_seconds(from_unix(time.time_ns()))


def from_unix(unix_ns: int) -> int:
    """Return the GPS time [ns] of a Unix time [ns]."""
    days, rest = divmod(unix_ns, DAY * NANOSECONDS)
    return utc_midnight(_UNIX_EPOCH + days) * NANOSECONDS + rest


def utc_text(gps: float) -> str:
    """Return a GPS time [s] as UTC to the millisecond, as in 2015-09-14 09:50:45.400."""
    milliseconds = round(gps * 1000)
    day = utc_day(milliseconds * (NANOSECONDS // 1000))
    seconds, rest = divmod(milliseconds - day.gps_start * 1000, 1000)
    minutes = min(seconds // 60, DAY // 60 - 1)  # a leap second is the last minute's 61st
    clock = f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds - minutes * 60:02d}"
    return f"{day.date} {clock}.{rest:03d}"


def utc_day(gps_ns: int) -> Day:
    """Return the day of UTC in which a GPS time [ns] lies."""
    gps = gps_ns // NANOSECONDS
    ordinal = _GPS_EPOCH + gps // DAY
    if gps < utc_midnight(ordinal):  # UTC lags behind GPS by the leap seconds since 1980
        ordinal -= 1
    start = utc_midnight(ordinal)
    return Day(date.fromordinal(ordinal).isoformat(), start, utc_midnight(ordinal + 1) - start)


def utc_midnight(ordinal: int) -> int:
    """Return the GPS time at which a day of UTC begins [s]."""
    days, leaps = _leap_seconds()
    return (ordinal - _GPS_EPOCH) * DAY + leaps[max(bisect_right(days, ordinal) - 1, 0)]


@cache
def _leap_seconds() -> tuple[list[int], list[int]]:
    """Return the days on which GPS less UTC changed, and what it is since then [s]."""
    # astropy has the same table, and half a second of imports before it.
    table = [row for row in erfa.leap_seconds.get().tolist() if row[0] >= 1980]
    days = [date(year, month, 1).toordinal() for year, month, _ in table]
    return days, [round(tai_utc) - _TAI_GPS for _, _, tai_utc in table]
