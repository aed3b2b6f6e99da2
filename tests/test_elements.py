"""Times on the sample grid, and elements that travel unchanged."""

import pickle
from dataclasses import is_dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms import coders, elements, gps
from transforms.kinds import LetterKind, SegmentKind

RATES = st.sampled_from([256, 1024, 4096, 16384, 65536])


@given(st.integers(0, 2**31 * 16384), RATES)
def test_an_index_survives_rounding_to_nanoseconds(index, rate):
    assert gps.to_index(gps.to_ns(index, rate), rate) == index


@given(st.integers(0, 2 * 10**18), st.integers(0, 2 * 10**18))
def test_event_time_keeps_the_order(a, b):
    if a <= b:
        assert gps.to_event_micros(a) <= gps.to_event_micros(b)


def test_event_time_is_unix_time_but_for_leap_seconds():
    # GW150914: 2015-09-14T09:50:45 UTC, Unix 1442224245, 17 leap seconds after 1980.
    assert gps.to_event_micros(1126259462 * gps.NANOSECONDS) == (1442224245 + 17) * 10**6


CANDIDATE = elements.Candidate(
    "H1", "H1:X", 5, 5, 100.0, 6.0, 7.0, 7.5, 0.1, 1e-22, 4, 6, 90.0, 110.0, 3, ("A",)
)  # fmt: skip
TRIGGER = elements.Trigger(
    "id", "H1", "H1:X", 5, 4, 6, 100.0, 90.0, 110.0, 20.0, 0.1, 6.0, 7.0, 7.5, 1e-22, 0.5,
    "morlet", 3, ("BURST_CAT2",), "c", 6, b"\0\0\0\0", 4096, 5, "blip", 0.9,
    (("blip", 0.9), ("noise", 0.1)), "m", "sym8", 6.5, 4096, b"\1\0", b"\0\0\xd0@", "settled", 8,
)  # fmt: skip
SAMPLES = {
    elements.Span: elements.Span(
        "a.gwf", "H1", "H1:X", 1, 2, 4096, (elements.Interval(1, 2, "DATA"),), ()
    ),
    elements.BlockPlan: elements.BlockPlan(
        "H1", "H1:X", 4096, 0, 9, 1, 2, (elements.Piece("a", 0, 9),), ()
    ),
    elements.Frame: elements.Frame(
        "H1", "H1:X", 2, 5 * 10**9, np.arange(4.0).tobytes(),
        (elements.Interval(1, 2, "DATA"),), (elements.Interval(1, 2, "x"),), "frames/0/7", 9, True,
    ),
    elements.Block: elements.Block(
        "H1", "H1:X", 2, 0, np.arange(4.0).tobytes(), 0, 9, 1, 2, (elements.Interval(1, 2, "x"),)
    ),
    elements.SearchResult: elements.SearchResult("H1:X", 5, 6, 4, 7, (CANDIDATE,)),
    elements.PendingClusters: elements.PendingClusters(5, 6, (CANDIDATE,), (TRIGGER,)),
    elements.Segment: elements.Segment("H1", "H1:X", 0, 9, False, "no data"),
    elements.DeadLetter: elements.DeadLetter("a.gwf", "a.gwf: empty", "00"),
    elements.Trigger: TRIGGER,
}  # fmt: skip


@pytest.mark.parametrize("element", SAMPLES.values(), ids=lambda e: type(e).__name__)
def test_elements_travel_unchanged(element):
    coder = getattr(coders, f"{type(element).__name__}Coder")()
    encoded = coder.encode(element)
    assert coder.decode(encoded) == element
    assert coder.encode(element) == encoded
    assert coder.is_deterministic()
    assert pickle.loads(pickle.dumps(coder)).decode(encoded) == element


def test_kinds_travel_as_kinds():
    letter = elements.DeadLetter("a.gwf", "a.gwf: empty", "00", LetterKind.ACCESS)
    gap = elements.Interval(1, 2, "constant", 0.5)
    frame = replace(SAMPLES[elements.Frame], gaps=(gap,))
    for element in (letter, frame):
        coder = getattr(coders, f"{type(element).__name__}Coder")()
        decoded = coder.decode(coder.encode(element))
        assert decoded == element
    assert coder.decode(coder.encode(frame)).gaps[0].kind is SegmentKind.CONSTANT


def test_bytes_of_another_version_are_refused():
    coder = coders.DeadLetterCoder()
    old = coders._FIELDS.encode((coders.VERSION - 1, "a.gwf", "a.gwf: empty", "00"))
    with pytest.raises(ValueError, match="DeadLetter of version"):
        coder.decode(old)


def test_a_frame_ends_with_its_last_sample():
    frame = SAMPLES[elements.Frame]
    assert frame.gps_end_ns == 7 * 10**9
    assert frame.samples.tolist() == [0, 1, 2, 3]


def test_a_block_s_size_is_told_without_encoding_it(monkeypatch):
    strain = np.zeros(4096).tobytes()
    block = elements.Block("H1", "H1:X", 16, 0, strain, 0, 256, 0, 256)
    coder = coders.BlockCoder()
    encoded = len(coder.encode(block))
    monkeypatch.setattr(coders.BlockCoder, "encode", None)
    assert coder.get_impl().estimate_size(block) == pytest.approx(encoded, rel=0.01)


def test_every_element_has_a_coder():
    parts = {elements.Interval, elements.Piece}
    made = [c for c in vars(elements).values() if is_dataclass(c) and c not in parts]
    assert len(made) >= 8
    for element in made:
        assert element.__dataclass_params__.frozen
        assert hasattr(coders, f"{element.__name__}Coder"), element


def test_arrays_are_views_of_the_bytes():
    block = SAMPLES[elements.Block]
    np.testing.assert_array_equal(block.samples, np.arange(4.0))
    assert not block.samples.flags.writeable
