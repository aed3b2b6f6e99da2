"""Times as people write them: exact, in one form each, and nothing else."""

from datetime import datetime
from decimal import Decimal

import erfa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms import times
from transforms.gps import LATEST_NS, NANOSECONDS, seconds_text


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("0", 0),
        ("1126259462.391", 1126259462_391_000_000),
        ("1126259462.123456789", 1126259462_123_456_789),
        ("1126259462.1234567890", 1126259462_123_456_789),
        ("1126259462.", 1126259462_000_000_000),
        ("10000000000", LATEST_NS),
        ("1980-01-06", 0),
        ("2015-09-14T09:50:45", 1126259462_000_000_000),
        ("2015-09-14 09:50:45.391", 1126259462_391_000_000),
        ("2015-09-14T09:50Z", 1126259417_000_000_000),
        ("2015-09-14T09:50:45+00:00", 1126259462_000_000_000),
        ("2016-12-31T23:59:59", 1167264016_000_000_000),
        ("2016-12-31T23:59:60", 1167264017_000_000_000),
        ("2017-01-01T00:00:00", 1167264018_000_000_000),
    ],
)
def test_gps_seconds_and_dates_are_read_to_the_nanosecond(text, time_ns):
    assert times.parse(text) == time_ns


@pytest.mark.parametrize(
    "text",
    ["inf", "nan", "-1", "+1", "1e400", "1e9", "1126259462s", "now", "yesterday", "today", "",
     " 1", "1,5", "1_000", "\u0661", "1.0000000001", "10000000001", "9" * 400, "1979-12-31",
     "1980-01-05T23:59:59", "2015-02-30", "2015-13-01", "2015-09-14T24:00:00", "2015-09-14T09",
     "2015-09-14T09:60", "2015-09-14T09:50:60", "2015-12-31T23:59:60", "2015-09-14T09:50:45+02:00",
     "2015-09-14T09:50:45 CET", "Sep 14 2015", "9999-12-31", "20150914T095045",
     "2015-09-14T09:50:45.0000000001"],
)  # fmt: skip
def test_any_other_time_is_refused_in_one_line(text):
    with pytest.raises(ValueError) as told:
        times.parse(text)
    assert "\n" not in str(told.value)


@given(st.integers(0, LATEST_NS))
def test_seconds_are_read_exactly(time_ns):
    assert times.parse(seconds_text(time_ns)) == time_ns
    assert times.parse(f"{Decimal(time_ns) / NANOSECONDS:.9f}") == time_ns


# Later, ERFA warns that nobody knows the leap seconds yet.
@given(st.datetimes(datetime(1980, 1, 6), datetime(2025, 12, 31)))  # noqa: DTZ001
def test_dates_are_those_of_erfa(moment):
    utc = erfa.dtf2d(
        "UTC", moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second
    )
    tai = erfa.utctai(*utc)
    seconds = round((tai[0] - 2444244.5) * 86400 + tai[1] * 86400) - 19
    text = moment.isoformat(timespec="microseconds")
    assert times.parse(text) == seconds * NANOSECONDS + moment.microsecond * 1000


@given(st.text())
def test_any_text_is_a_time_or_refused(text):
    try:
        found = times.parse(text)
    except ValueError:
        return
    assert 0 <= found <= LATEST_NS
