"""Warnings that come without end are told seldom, and none of another kind is lost to them."""

import logging

import pytest

from transforms import rate_limited_log
from transforms.elements import DeadLetter
from transforms.kinds import LetterKind
from transforms.observe.record import Recorder
from transforms.rate_limited_log import RateLimitedLog


@pytest.fixture
def clock(monkeypatch):
    """Return a clock that the test sets."""
    now = [1000.0]
    monkeypatch.setattr(rate_limited_log.time, "monotonic", lambda: now[0])
    return now


def test_each_kind_is_told_at_once_and_then_every_half_minute(clock, caplog):
    tells = RateLimitedLog(logging.getLogger("seldom"))
    for second in range(61):
        clock[0] = 1000.0 + second
        tells.tell("one", f"one at {second}")
        if second == 7:
            tells.tell("another", "another")
    told = [record.getMessage() for record in caplog.records]
    assert [text.partition(" (")[0] for text in told] == [
        "one at 0", "another", "one at 30", "one at 60"
    ]  # fmt: skip
    assert "29 more of the kind since the last time" in told[2]
    assert "more" not in told[0]


def test_kinds_without_end_fill_no_memory(clock, caplog):
    tells = RateLimitedLog(logging.getLogger("seldom"))
    for number in range(10_000):
        tells.tell(f"kind {number}", "text")
    assert len(tells._told) <= 256
    assert len(caplog.records) == 10_000


def test_a_broken_sender_writes_one_line_each_half_minute_and_is_counted(clock, tmp_path, caplog):
    record = Recorder(tmp_path)
    for number in range(1000):
        clock[0] += 0.0625
        record.published(
            DeadLetter(source=f"t/0/{number}", reason="broken", kind=LetterKind.DAMAGED)
        )
    record.published(DeadLetter(source="t/0/1", reason="late", kind=LetterKind.LATE))
    lines = [one.getMessage() for one in caplog.records if "dead letter" in one.getMessage()]
    assert [line.partition(" (")[0] for line in lines] == [
        "dead letter: broken", "dead letter: broken", "dead letter: broken", "dead letter: late"
    ]  # fmt: skip
    assert record._of("dead_letters_total", "damaged")._value.get() == 1000
