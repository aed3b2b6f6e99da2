"""Rows: what was sent is what is read, and whatever is damaged on the way is refused."""

import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from transforms import gps
from transforms.elements import Frame, Interval
from transforms.ingest.errors import DataError
from transforms.ingest.messages import row
from transforms.kinds import LetterKind

S = gps.NANOSECONDS
letters = st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters=",/\\\"'<>`{}")
names = st.text(letters, min_size=1, max_size=30).filter(lambda name: name == name.strip())
times = st.integers(-(2**63), 2**62)
lengths = st.integers(1, 2**62 - 1)
intervals = st.lists(
    st.builds(lambda start, ns, name: Interval(start, start + ns, name), times, lengths, names),
    max_size=3,
).map(tuple)


def made(samples: np.ndarray, **fields: object) -> Frame:
    frame = Frame(
        ifo="H1",
        channel="H1:TEST-STRAIN",
        sample_rate=256,
        gps_start_ns=1_400_000_000 * S,
        data=samples.tobytes(),
        source="t/0/1",
    )
    return replace(frame, **fields)


FRAME = made(
    np.random.default_rng(1).normal(0, 1e-21, 256),
    gaps=(Interval(1_400_000_000 * S, 1_400_000_000 * S + S // 2, "DATA"),),
    flags=(Interval(1_400_000_000 * S, 1_400_000_001 * S, "BURST_CAT2"),),
)


@given(
    arrays(np.float64, st.integers(0, 50), elements=st.floats(width=64)),
    st.integers(1, row.FASTEST),
    st.integers(0, 2_000_000_000),
    intervals,
    intervals,
)
def test_what_was_sent_is_read_bit_for_bit(samples, rate, index, gaps, flags):
    start_ns = gps.to_ns(index, rate)
    frame = made(samples, sample_rate=rate, gps_start_ns=start_ns, gaps=gaps, flags=flags)
    assert row.decode(row.encode(frame), "t/0/1") == frame


def test_single_precision_rounds_and_keeps_what_is_not_finite():
    samples = np.array([1e-21, np.nan, -np.inf, 0.1])
    payload = row.encode(made(samples), single=True)
    assert len(row.encode(made(samples))) - len(payload) == 16
    read = row.decode(payload, "t/0/1").samples
    np.testing.assert_array_equal(read, samples.astype(np.float32).astype(np.float64))


def test_the_layout_is_that_of_the_documentation():
    payload = row.encode(FRAME)
    head = struct.unpack_from("<4sHHIqIIHH", payload)
    assert head == (b"WROW", 1, 8, len(payload), 1_400_000_000 * S, 256, 256, 1, 1)
    assert payload[32:52] == b"\x02\0H1\x0e\0H1:TEST-STRAIN"
    assert payload[-4 - 2048 : -4] == FRAME.data
    assert struct.unpack("<I", payload[-4:]) == (zlib.crc32(payload[:-4]),)


@given(st.integers(0, len(row.encode(FRAME)) - 1))
def test_any_cut_is_refused(length):
    with pytest.raises(DataError, match="truncated"):
        row.decode(row.encode(FRAME)[:length], "t/0/1")


@given(st.integers(4, len(row.encode(FRAME)) - 1), st.integers(0, 7))
def test_any_flipped_bit_is_refused(place, bit):
    payload = bytearray(row.encode(FRAME))
    payload[place] ^= 1 << bit
    with pytest.raises(DataError, match=r"^t/0/1: .*; "):
        row.decode(bytes(payload), "t/0/1")


def sealed(payload: bytes, **fields: object) -> bytes:
    """Write fields of the head anew, and a checksum that fits."""
    order = "magic", "version", "width", "bytes", "start_ns", "rate", "count", "gaps", "flags"
    values = dict(zip(order, struct.unpack_from("<4sHHIqIIHH", payload), strict=True)) | fields
    body = struct.pack("<4sHHIqIIHH", *values.values()) + payload[32:-4]
    return body + struct.pack("<I", zlib.crc32(body))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"version": 2}, "a row of version 2, and only 1 is known; upgrade"),
        ({"rate": 0}, "a sample rate of 0 Hz is impossible; send 1 to"),
        ({"rate": 1 << 21}, "a sample rate of 2097152 Hz is impossible"),
        ({"start_ns": S // 512}, r"do not lie on the GPS grid: 1953125 ns is [+-]0.500"),
        ({"start_ns": -S}, "do not lie on the GPS grid"),
        ({"count": 255}, "255 samples of 8 bytes do not fit"),
        ({"width": 4}, "256 samples of 4 bytes do not fit"),
        ({"width": 0, "count": 0}, "0 samples of 0 bytes do not fit"),
        ({"gaps": 60000}, "names and intervals cannot be read; send it again"),
    ],
)
def test_a_row_that_cannot_be_is_refused(fields, reason):
    with pytest.raises(DataError, match=f"^t/0/1: .*{reason}"):
        row.decode(sealed(row.encode(FRAME), **fields), "t/0/1")


@pytest.mark.parametrize("name", ["DATA", "state vector", "H1:DMT-ANALYSIS_READY:1", "a.b (c) #1"])
def test_names_that_detectors_give_are_taken(name):
    frame = replace(FRAME, gaps=(Interval(0, S, name),), flags=(Interval(0, S, name),))
    assert row.decode(row.encode(frame), "t/0/1") == frame


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gaps", "flags"])
@pytest.mark.parametrize(("count", "different", "taken"), [
    (1024, 32, True), (1025, 1, False), (33, 33, False), (1000, 1000, False), (60000, 2, False),
])  # fmt: skip
def test_a_row_has_so_many_gaps_and_flags_at_most(kind, count, different, taken):
    many = tuple(Interval(i, i + 1, f"X{i % different}") for i in range(count))
    frame = replace(FRAME, gaps=(), flags=())
    payload = row.encode(replace(frame, **{kind: many}))
    if taken:
        assert getattr(row.decode(payload, "t/0/1"), kind) == many
        return
    with pytest.raises(DataError, match=f"{count} gaps and flags of {different} names") as raised:
        row.decode(payload, "t/0/1")
    assert raised.value.kind is LetterKind.METADATA


@pytest.mark.parametrize("kind", ["gaps", "flags"])
def test_an_interval_has_an_extent(kind):
    payload = row.encode(replace(FRAME, **{kind: (Interval(7, 7, "DATA"),)}))
    with pytest.raises(DataError, match="ends before it starts"):
        row.decode(payload, "t/0/1")


def test_a_start_that_was_rounded_otherwise_is_on_the_grid():
    start_ns = gps.to_ns(1_400_000_000 * 16384 + 1, 16384)
    for off in (-1, 0, 1):
        frame = replace(FRAME, sample_rate=16384, gps_start_ns=start_ns + off)
        assert row.decode(row.encode(frame), "").gps_start_ns == start_ns
