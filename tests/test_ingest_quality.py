"""Bad samples and bad bits: found, joined, and the same however the strain is cut."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms import gps
from transforms.elements import Interval
from transforms.ingest.filename import parse
from transforms.ingest.intervals import merged, tiled
from transforms.ingest.quality import not_ready, open_ended, scan, settled, sorted_out, unset_bits

S = gps.NANOSECONDS
RATE = 1024
"""1/16 s is 64 samples."""


def test_bits_that_are_zero_have_their_names():
    failed = unset_bits(np.array([3, 1, 1, 2]), ["A", "NO_B_INJ"], 100, 1)
    assert failed == [
        Interval(103 * S, 104 * S, "A"),
        Interval(101 * S, 103 * S, "NO_B_INJ"),
    ]
    gaps, flags = sorted_out(failed, ("A",))
    assert gaps == failed[:1]
    assert flags == [Interval(101 * S, 103 * S, "B_INJ")]


def test_both_low_bits_make_a_detector_ready():
    state = np.array([3, 7, 1, 2, 0, 805208063], np.uint32)
    assert not_ready(state, 16, 16) == [
        Interval(S + S // 8, S + 5 * S // 16, "state vector"),
    ]


@st.composite
def strains(draw) -> np.ndarray:
    """Draw noise with constant and non-finite runs in it."""
    strain = np.random.default_rng(draw(st.integers(0, 9))).normal(size=1000)
    stretch = st.tuples(st.integers(0, 999), st.integers(1, 200))
    for begin, length in draw(st.lists(stretch, max_size=4)):
        strain[begin : begin + length] = draw(st.sampled_from([0.0, -0.0, 1.5, np.nan, np.inf]))
    return strain


@settings(max_examples=60, deadline=None)
@given(strain=strains(), cuts=st.lists(st.integers(1, 999), max_size=8))
def test_cutting_strain_changes_no_gap(strain, cuts):
    edges = sorted({0, *cuts, len(strain)})
    found = []
    for begin, end in pairwise(edges):
        part = scan(strain[begin:end], begin, RATE)
        limits = gps.to_ns(begin, RATE), gps.to_ns(end, RATE)
        found += open_ended(part, *limits, RATE)
    assert settled(found, RATE) == settled(scan(strain, 0, RATE), RATE)


@settings(max_examples=60, deadline=None)
@given(strain=strains())
def test_gaps_are_what_a_plain_look_finds(strain):
    bad = ~np.isfinite(strain)
    begin = 0
    for end in range(1, len(strain) + 1):
        if end == len(strain) or strain[end] != strain[begin]:
            bad[begin:end] |= end - begin >= 64
            begin = end
    found = np.zeros(len(strain), bool)
    for gap in settled(scan(strain, 0, RATE), RATE):
        found[gps.to_index(gap.start_ns, RATE) : gps.to_index(gap.end_ns, RATE)] = True
    np.testing.assert_array_equal(found, bad)


def test_tiles_have_all_their_names_and_no_overlap():
    items = [Interval(2, 6, "b"), Interval(4, 8, "a"), Interval(6, 7, "b"), Interval(-5, 0, "c")]
    assert tiled(items, 0, 9) == [
        Interval(0, 2, ""),
        Interval(2, 4, "b"),
        Interval(4, 7, "a, b"),
        Interval(7, 8, "a"),
        Interval(8, 9, ""),
    ]
    assert merged(items) == [
        Interval(-5, 0, "c"),
        Interval(2, 7, "b"),
        Interval(4, 8, "a"),
    ]


def test_file_names_tell_detector_and_time():
    name = parse("/data/L-L1_GWOSC_4KHZ_R1-1187008867-32.hdf5")
    assert (name.ifo, name.gps_start, name.duration) == ("L1", 1187008867, 32)
    assert parse("HLV-HW100916-968654552-1.gwf").ifo == ""
    assert parse("H-H1_llhoft-1216577976-4.gwf").ifo == "H1"
    assert parse("V-V1Online-1216577976-4.gwf").ifo == "V1"
    assert parse("H-R-1216577976-64.gwf").ifo == ""
    assert parse("strain.hdf5") is None
