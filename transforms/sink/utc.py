"""GPS and UTC, with the leap seconds that astropy knows."""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from transforms.gps import NANOSECONDS

_GPS_EPOCH = date(1980, 1, 6)
_DAY = 86_400


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
    """Give the GPS time of this moment [s]."""
    return float(_time_class().now().gps)


def utc_text(gps: float) -> str:
    """Give a GPS time [s] as UTC to the millisecond, as in 2015-09-14 09:50:45.400."""
    return str(_time_class()(gps, format="gps", precision=3).utc.iso)


def utc_day(gps_ns: int) -> Day:
    """Give the day of UTC in which a GPS time [ns] lies."""
    gps = gps_ns // NANOSECONDS
    ordinal = _GPS_EPOCH.toordinal() + gps // _DAY
    if gps < _midnight(ordinal):  # UTC lags behind GPS by the leap seconds since 1980
        ordinal -= 1
    start = _midnight(ordinal)
    return Day(date.fromordinal(ordinal).isoformat(), start, _midnight(ordinal + 1) - start)


@lru_cache(maxsize=4096)
def _midnight(ordinal: int) -> int:
    return round(float(_time_class()(date.fromordinal(ordinal).isoformat(), scale="utc").gps))


def _time_class() -> Any:
    # Half a second to import: only those who write or print times pay for it.
    from astropy.time import Time

    return Time
