"""Plans: the same however the strain was cut into files, and without a hole."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms import gps
from transforms.elements import Interval, Piece, Span
from transforms.ingest.files.plan import Within, plan
from transforms.ingest.reach import Reach
from transforms.kinds import LetterKind

S = gps.NANOSECONDS
T0 = 1_000_000_000
REACH = Reach(past_ns=6 * S, future_ns=S // 2, warm_up_ns=20 * S)
MINIMUM = 8 * S
BLOCK = 16 * S


def span(start: float, end: float, path: str = "", **fields: object) -> Span:
    """Make a span; times in seconds after T0."""
    begin, stop = T0 * S + int(start * S), T0 * S + int(end * S)
    made = Span(
        path=path or f"{start}-{end}",
        ifo="H1",
        channel="H1:STRAIN",
        gps_start_ns=begin,
        gps_end_ns=stop,
        sample_rate=4096,
    )
    return replace(made, **fields)


def named(start: float, end: float, name: str, value: float = 0.0) -> Interval:
    return Interval(T0 * S + int(start * S), T0 * S + int(end * S), name, value)


def seconds(time_ns: int) -> float:
    return (time_ns - T0 * S) / S


def made(*spans: Span, **options: object):
    return plan(spans, REACH, MINIMUM, BLOCK, **options)


def bounds(blocks) -> list[tuple[float, float]]:
    return [(seconds(b.analyse_start_ns), seconds(b.analyse_end_ns)) for b in blocks]


def reasons(planned) -> list[tuple[float, float, str]]:
    return [(seconds(s.start_ns), seconds(s.end_ns), s.reason) for s in planned.segments]


def test_blocks_lie_on_the_gps_grid():
    # 1e9 is a multiple of 16.
    planned = made(span(5, 50))
    assert bounds(planned.blocks) == [(5, 16), (16, 32), (32, 48), (48, 50)]
    read = [(seconds(b.pieces[0].start_ns), seconds(b.pieces[-1].end_ns)) for b in planned.blocks]
    # The first holds the warm-up; the others the past and the future.
    assert read == [(5, 25), (10, 32.5), (26, 48.5), (42, 50)]
    assert planned.segments == planned.dead_letters == ()


def test_a_block_that_reaches_the_start_holds_the_warm_up():
    planned = made(span(13, 60))
    assert bounds(planned.blocks)[:2] == [(13, 16), (16, 32)]
    assert [seconds(b.pieces[-1].end_ns) for b in planned.blocks[:2]] == [33, 33]


def test_gaps_and_missing_files_split_and_are_told():
    gaps = (named(20, 21, "DATA"), named(20.5, 21, "CBC_CAT1"), named(55, 60, "state vector"))
    planned = made(span(0, 40, gaps=gaps[:2]), span(45, 80, gaps=gaps[2:]))
    assert reasons(planned) == [
        (20, 20.5, "DATA"),
        (20.5, 21, "CBC_CAT1, DATA"),
        (40, 45, "no data"),
        (55, 60, "state vector"),
    ]
    held = {(seconds(b.segment_start_ns), seconds(b.segment_end_ns)) for b in planned.blocks}
    assert held == {(0, 20), (21, 40), (45, 55), (60, 80)}


def test_short_segments_say_how_short():
    assert reasons(made(span(0, 4))) == [(0, 4, "too short: 4 s, 8 s needed")]
    assert made(span(0, 8)).segments == ()


def within(start: float | None, end: float | None, context: float = 0) -> Within:
    """Make a range; times in seconds after T0."""
    begin, stop = (None if one is None else T0 * S + int(one * S) for one in (start, end))
    return Within(start_ns=begin, end_ns=stop, context_ns=int(context * S))


def test_a_range_cuts_what_is_searched_and_no_segment():
    planned = made(span(0, 100), within=within(20.5, 40, context=3))
    assert bounds(planned.blocks) == [(17, 32), (32, 43)]
    held = {(seconds(b.segment_start_ns), seconds(b.segment_end_ns)) for b in planned.blocks}
    assert held == {(0, 100)}


def test_what_is_not_analysed_is_told_within_the_range_and_judged_on_all():
    gaps = (named(10, 30, "DATA"), named(36, 40, "CBC_CAT1"), named(60, 61, "DATA"))
    planned = made(span(0, 100, gaps=gaps), within=within(20, 39))
    assert reasons(planned) == [
        (20, 30, "DATA"),
        (30, 36, "too short: 6 s, 8 s needed"),
        (36, 39, "CBC_CAT1"),
    ]
    # Of 40 s of good data, the range has 5 s: no reason not to analyse them.
    planned = made(span(0, 40), within=within(35, None))
    assert planned.segments == ()
    assert bounds(planned.blocks) == [(35, 40)]


def test_a_range_without_data_says_what_the_data_cover():
    planned = made(span(0, 40), span(50, 100), within=within(100, 200))
    assert planned.blocks == planned.segments == ()
    (letter,) = planned.dead_letters
    assert letter.kind is LetterKind.NOTE
    assert letter.reason == (
        "H1:STRAIN: nothing from 1000000100 on and before 1000000200; the files hold"
        " 1000000000 to 1000000100; change --start or --end"
    )


def test_a_range_in_a_gap_says_so():
    planned = made(span(0, 40), span(50, 100), within=within(42, 48, context=9))
    assert planned.blocks == ()
    assert reasons(planned) == [(42, 48, "no data")]
    (letter,) = planned.dead_letters
    assert "the files hold 1000000000 to 1000000100, with a gap there" in letter.reason


def test_what_is_wrong_outside_a_range_is_not_told():
    twice = span(0, 32, "a"), span(0, 32, "b"), span(40, 80, "c"), span(40, 80, "d")
    assert [one.source for one in made(*twice).dead_letters] == ["b", "d"]
    assert [one.source for one in made(*twice, within=within(40, None)).dead_letters] == ["d"]


def test_what_is_there_twice_is_read_once():
    planned = made(span(0, 32, "a"), span(0, 32, "b"), span(0, 32, "a"))
    assert planned.blocks == made(span(0, 32, "a")).blocks
    assert [letter.source for letter in planned.dead_letters] == ["a", "b"]
    assert planned.dead_letters[1].reason == (
        "b: H1:STRAIN 1000000000 to 1000000032 is already covered by a, not read again"
    )


def test_of_two_that_overlap_the_earlier_start_wins():
    planned = made(span(0, 32, "first"), span(20, 64, "second"), span(4, 10, "inside"))
    pieces = sorted({piece for block in planned.blocks for piece in block.pieces}, key=hash)
    for piece in pieces:
        assert seconds(piece.end_ns) <= 32 or piece.path == "second"
        assert seconds(piece.start_ns) >= 32 or piece.path == "first"
    assert [letter.source for letter in planned.dead_letters] == ["inside", "second"]
    assert "1000000020 to 1000000032 is already covered by first" in planned.dead_letters[1].reason
    assert planned.segments == ()


def test_of_two_that_start_together_the_longer_wins():
    planned = made(span(0, 16, "a"), span(0, 32, "b"))
    assert {piece.path for block in planned.blocks for piece in block.pieces} == {"b"}
    assert [letter.source for letter in planned.dead_letters] == ["a"]


def test_a_rate_that_most_do_not_have_is_left_out():
    planned = made(span(0, 16, "odd", sample_rate=16384), span(16, 80, "most"))
    assert {block.sample_rate for block in planned.blocks} == {4096}
    assert planned.dead_letters[0].reason == (
        "odd: H1:STRAIN has 16384 Hz here and 4096 Hz elsewhere; analyse it on its own"
    )


def test_resampled_channels_give_up_their_edges_and_no_border():
    resampled = {"sample_rate": 16384, "file_rate": 20000}
    planned = made(span(0, 20, "a", **resampled), span(20, 40, "b", **resampled))
    assert [reason for *_, reason in reasons(planned)] == ["resampling edge"] * 2
    first, second = planned.blocks[0], planned.blocks[1]
    assert 0.015 < seconds(first.segment_start_ns) < 0.016
    # The pieces hold the filter's margin, from the first sample of the file on.
    assert 0 <= seconds(first.pieces[0].start_ns) < 0.0001
    assert [piece.path for piece in second.pieces] == ["a", "b"]


def test_constant_runs_are_judged_when_joined():
    short = made(
        span(0, 20, gaps=(named(19.97, 20, "constant"),)),
        span(20, 40, gaps=(named(20, 20.03, "constant", 1.0),)),
    )
    assert short.segments == ()
    joined = made(
        span(0, 20, gaps=(named(19.96, 20, "constant"),)),
        span(20, 40, gaps=(named(20, 20.04, "constant"),)),
    )
    assert reasons(joined) == [(19.96, 20.04, "constant")]


def test_flags_are_those_of_the_pieces():
    flags = (named(0, 3, "CW_HW_INJ"), named(31, 33, "BURST_CAT2"))
    planned = made(span(0, 64, flags=flags))
    names = [{flag.name for flag in block.flags} for block in planned.blocks]
    assert names == [{"CW_HW_INJ"}, {"BURST_CAT2"}, {"BURST_CAT2"}, set()]
    assert planned.blocks[1].flags == (named(31, 32.5, "BURST_CAT2"),)


NAMES = st.sampled_from(["DATA", "not finite", "constant"])
TIMES = st.integers(0, 120 * 16)


@st.composite
def intervals(draw) -> tuple[Interval, ...]:
    """Draw some intervals on a 1/16 s grid."""
    drawn = draw(st.lists(st.tuples(TIMES, st.integers(1, 64), NAMES), max_size=6))
    return tuple(named(a / 16, (a + length) / 16, name) for a, length, name in drawn)


def cut(whole: Span, times: list[int]) -> list[Span]:
    """Cut a span into files, their gaps and flags with it."""
    edges = [seconds(whole.gps_start_ns), *(t / 16 for t in sorted(set(times))), 120]
    files = []
    for a, b in pairwise(edges):
        if a < b:
            part = span(a, b, file_rate=whole.file_rate, sample_rate=whole.sample_rate)
            held = {
                kind: tuple(
                    Interval(
                        max(i.start_ns, part.gps_start_ns), min(i.end_ns, part.gps_end_ns), i.name
                    )
                    for i in getattr(whole, kind)
                    if i.start_ns < part.gps_end_ns and i.end_ns > part.gps_start_ns
                )
                for kind in ("gaps", "flags")
            }
            files.append(replace(part, **held))
    return files


def joined(pieces: tuple[Piece, ...]) -> tuple[int, int]:
    for before, after in pairwise(pieces):
        assert before.end_ns == after.start_ns
    return pieces[0].start_ns, pieces[-1].end_ns


@settings(max_examples=60, deadline=None)
@given(
    gaps=intervals(),
    flags=intervals(),
    times=st.lists(TIMES, max_size=12),
    rates=st.sampled_from([(4096, 0), (16384, 20000)]),
    start=st.none() | st.integers(0, 120 * S),
)
def test_cutting_changes_only_the_paths(gaps, flags, times, rates, start):
    whole = span(0, 120, gaps=gaps, flags=flags, sample_rate=rates[0], file_rate=rates[1])
    asked = within(None if start is None else start / S, None)
    one = made(whole, within=asked)
    many = made(*reversed(cut(whole, times)), within=asked)
    assert many.segments == one.segments
    assert len(many.dead_letters) == len(one.dead_letters) == (start == 120 * S)
    plain = [replace(block, pieces=()) for block in one.blocks]
    assert [replace(block, pieces=()) for block in many.blocks] == plain
    for ours, theirs in zip(many.blocks, one.blocks, strict=True):
        assert joined(ours.pieces) == joined(theirs.pieces)


@settings(max_examples=60, deadline=None)
@given(
    gaps=intervals(),
    files=st.lists(st.tuples(TIMES, st.integers(1, 600)), min_size=1, max_size=8),
    rates=st.sampled_from([(4096, 0), (16384, 20000)]),
)
def test_analysed_and_not_tile_what_is_covered(gaps, files, rates):
    spans = [
        span(a / 16, (a + length) / 16, sample_rate=rates[0], file_rate=rates[1], gaps=gaps)
        for a, length in files
    ]
    planned = made(*spans)
    analysed = [(b.analyse_start_ns, b.analyse_end_ns) for b in planned.blocks]
    left_out = [(s.start_ns, s.end_ns) for s in planned.segments]
    tiles = sorted(analysed + left_out)
    assert tiles[0][0] == min(item.gps_start_ns for item in spans)
    assert tiles[-1][1] == max(item.gps_end_ns for item in spans)
    for (_, end), (start, _) in pairwise(tiles):
        assert end == start
    for block in planned.blocks:
        begin, end = joined(block.pieces)
        assert begin <= block.analyse_start_ns < block.analyse_end_ns <= end
        assert block.segment_start_ns <= block.analyse_start_ns
        assert block.analyse_end_ns <= block.segment_end_ns


@given(
    files=st.lists(st.tuples(TIMES, st.integers(16, 600)), min_size=1, max_size=8),
    gaps=intervals(),
    borders=st.lists(TIMES, min_size=1, max_size=3, unique=True),
    rates=st.sampled_from([(4096, 0), (16384, 20000)]),
)
def test_adjoining_ranges_are_planned_as_one(files, gaps, borders, rates):
    spans = [
        span(a / 16, (a + length) / 16, sample_rate=rates[0], file_rate=rates[1], gaps=gaps)
        for a, length in files
    ]
    whole = made(*spans)
    edges = [None, *(edge / 16 for edge in sorted(borders)), None]
    parts = [within(start, end) for start, end in pairwise(edges)]
    planned = [made(*spans, within=each) for each in parts]
    for each, found in zip(parts, planned, strict=True):
        assert list(found.segments) == list(each.clipped(whole.segments))
        for block in found.blocks:
            (same,) = [
                one
                for one in whole.blocks
                if one.analyse_start_ns <= block.analyse_start_ns
                and block.analyse_end_ns <= one.analyse_end_ns
            ]
            assert block.segment_start_ns == same.segment_start_ns
            assert block.segment_end_ns == same.segment_end_ns
    searched = sorted((b.analyse_start_ns, b.analyse_end_ns) for f in planned for b in f.blocks)
    wanted = sum(b.analyse_end_ns - b.analyse_start_ns for b in whole.blocks)
    covered, last = 0, 0
    for start, end in searched:
        covered += max(0, end - max(start, last))
        last = max(last, end)
    assert covered == wanted


@pytest.mark.parametrize("count", [20_000])
def test_many_small_files_are_planned_in_no_time(count):
    planned = made(*(span(second, second + 1) for second in range(count)))
    assert len(planned.blocks) == count // 16
