"""Segments join across blocks and lose nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.elements import Segment
from transforms.gps import from_seconds
from transforms.sink.segments import coalesce, livetime, segwizard

CHANNEL = "H1:GDS-CALIB_STRAIN"


def stretch(start, end, reason="", channel=CHANNEL):
    return Segment(
        ifo=channel[:2],
        channel=channel,
        start_ns=start,
        end_ns=end,
        analysed=not reason,
        reason=reason,
    )


stretches = st.builds(
    lambda start, length, reason, channel: stretch(start, start + length, reason, channel),
    st.integers(0, 40),
    st.integers(0, 10),
    st.sampled_from(["", "gap", "not finite"]),
    st.sampled_from([CHANNEL, "L1:GDS-CALIB_STRAIN"]),
)


def covered(segments):
    return {
        (each.channel, each.analysed, each.reason, instant)
        for each in segments
        for instant in range(each.start_ns, each.end_ns)
    }


@given(st.lists(stretches), st.randoms())
def test_joining_keeps_what_is_covered_whatever_the_order(segments, random):
    joined = coalesce(segments)
    random.shuffle(segments)

    assert covered(joined) == covered(segments)
    assert coalesce(segments) == joined == coalesce(joined)
    assert sum(each.end_ns - each.start_ns for each in joined) == len(covered(segments))


@given(st.lists(stretches))
def test_joined_segments_of_one_verdict_never_touch(segments):
    ends = {}
    for each in coalesce(segments):
        key = (each.channel, each.analysed, each.reason)
        assert each.start_ns > ends.get(key, -1)
        ends[key] = each.end_ns


def test_blocks_join_where_they_touch():
    blocks = [stretch(10, 20), stretch(20, 30, "gap"), stretch(0, 10), stretch(30, 40, "gap")]

    assert coalesce(blocks) == [stretch(0, 20), stretch(20, 40, "gap")]


def test_different_reasons_stay_apart():
    reasons = [stretch(0, 10, "gap"), stretch(10, 20, "not finite")]

    assert coalesce(reasons) == reasons


def test_livetime_counts_what_was_analysed_once():
    seconds = from_seconds(1)
    segments = [
        stretch(0, 3 * seconds),
        stretch(2 * seconds, 4 * seconds),
        stretch(4 * seconds, 9 * seconds, "gap"),
        stretch(0, 9 * seconds, "gap", "L1:GDS-CALIB_STRAIN"),
    ]

    assert livetime(segments) == {CHANNEL: 4.0, "L1:GDS-CALIB_STRAIN": 0.0}


# gwpy 4.1 asks astropy for a name that is on its way out.
@pytest.mark.filterwarnings("ignore:COPY_IF_NEEDED")
def test_gwpy_reads_the_analysed_stretches(tmp_path):
    from gwpy.segments import SegmentList

    path = tmp_path / "analysed.txt"
    path.write_text(segwizard([stretch(from_seconds(1126259446.5), from_seconds(1126259478))]))

    (segment,) = SegmentList.read(path, format="segwizard")
    assert tuple(segment) == (1126259446.5, 1126259478.0)


def test_nanoseconds_stay_whole_numbers_and_exact():
    first, last = 10**18 + 1, 10**18 + 10**9 + 3
    (joined,) = coalesce([stretch(first, first + 1), stretch(first + 1, last)])
    assert (joined.start_ns, joined.end_ns) == (first, last)
    assert type(joined.start_ns) is type(joined.end_ns) is int


def test_what_has_no_length_vanishes():
    assert coalesce([stretch(5, 5), stretch(7, 6)]) == []
