"""Stitch: frames in any order give the blocks of the archive's plan, and say what they lack."""

import itertools
import random
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_pipeline.config import PipelineConfig
from beam_pipeline.graph import margin_ns, reach, stitching
from transforms.detect.bank import bank_for
from transforms.detect.search import search
from transforms.elements import Block, DeadLetter, Frame, Interval, Segment
from transforms.gps import NANOSECONDS, to_index
from transforms.ingest.config import IngestConfig
from transforms.ingest.files import formats
from transforms.ingest.files.blocks import read_block
from transforms.ingest.files.plan import plan
from transforms.ingest.stitch.stitcher import Stitcher
from transforms.ingest.stitch.stream_state import MOST_LOST, StreamState
from transforms.kinds import LetterKind
from transforms.sink.segments import coalesce
from transforms.whiten.config import WhitenConfig
from transforms.whiten.stage import analysed
from transforms.whiten.whitening import whiten

RATE = 1024
START = 1_000_000_011
CHANNEL = "H1:TEST-STRAIN"
SCIENCE = PipelineConfig(
    whiten=WhitenConfig(psd_seconds=16, update_seconds=32, minimum_seconds=16),
    ingest=IngestConfig(block_seconds=64),
)
STITCHING = stitching(SCIENCE)


@pytest.fixture(scope="module")
def strain(coloured):
    """Make noise with a few clicks, which trigger."""
    made = coloured("aligo_O4high", 120, RATE, 5).copy()
    for second in range(7, 120, 9):
        made[second * RATE + 100] += 2e-21
    return made


def frames(strain, cuts=None, rate=RATE, start=START):
    """Cut strain into frames at seconds, or at given samples."""
    cuts = range(0, len(strain) + 1, rate) if cuts is None else cuts
    cuts = list(cuts)
    return [
        Frame(
            ifo="H1",
            channel=CHANNEL,
            sample_rate=rate,
            gps_start_ns=start * NANOSECONDS + low * NANOSECONDS // rate,
            data=strain[low:high].tobytes(),
            source=f"t/0/{i}",
            arrived_ns=i,
        )
        for i, (low, high) in enumerate(itertools.pairwise(cuts))
    ]


QUIET = Frame(ifo="H1", channel=CHANNEL, sample_rate=RATE, gps_start_ns=0, data=b"")


def stitch(frames_):
    stitcher = Stitcher(STITCHING)
    return [given for frame in frames_ for given in stitcher.feed(frame)]


def archive(strain, tmp_path, missing=()):
    """Return the archive's blocks and segments of strain, without the seconds missing."""
    spans = []
    keep = [s for s in range(len(strain) // RATE) if s not in missing]
    runs = np.split(keep, np.flatnonzero(np.diff(keep) > 1) + 1)
    for run in runs:
        path = tmp_path / f"H-TEST-{START + run[0]}-{len(run)}.h5"
        with h5py.File(path, "w") as file:
            data = file.create_dataset(CHANNEL, data=strain[run[0] * RATE : (run[-1] + 1) * RATE])
            data.attrs.update({"x0": float(START + run[0]), "dx": 1 / RATE, "name": CHANNEL})
        spans += formats.inspect(str(path), SCIENCE.ingest)
    minimum = SCIENCE.whiten.minimum_seconds * NANOSECONDS
    planned = plan(spans, reach(SCIENCE), minimum, SCIENCE.ingest.block_seconds * NANOSECONDS)
    return [read_block(p) for p in planned.blocks] + list(planned.segments)


def outcome(given):
    """Return what is found, and the segments."""
    bank = bank_for(RATE, SCIENCE.detect, SCIENCE.whiten.low_frequency)
    found, segments = [], []
    for item in given:
        if isinstance(item, Block):
            white = whiten(item, SCIENCE.whiten, margin_ns(SCIENCE))
            found += search(white, SCIENCE.detect, bank)
            segments += analysed(item, SCIENCE.whiten)
        elif isinstance(item, Segment):
            segments.append(item)
    return sorted(found, key=lambda c: (c.bin_ns, c.frequency, c.q)), coalesce(segments)


def test_frames_give_what_the_archive_gives(strain, tmp_path):
    live, segments = outcome(stitch([*frames(strain), QUIET]))
    wanted, tiles = outcome(archive(strain, tmp_path))
    assert len(wanted) > 10
    assert live == wanted
    assert segments == tiles


def test_a_second_is_analysed_once_the_next_is_there(strain):
    stitcher = Stitcher(STITCHING)
    for number, frame in enumerate(frames(strain)):
        blocks = [b for b in stitcher.feed(frame) if isinstance(b, Block)]
        end = max((b.analyse_end_ns for b in blocks), default=None)
        if number >= SCIENCE.whiten.psd_seconds:
            assert end == frame.gps_start_ns
            assert blocks[0].arrived_ns == frame.arrived_ns
        elif number < SCIENCE.whiten.psd_seconds - 1:
            assert not blocks


@pytest.mark.slow
@pytest.mark.parametrize("length", [RATE // 16, 3 * RATE, RATE - 7])
def test_the_length_of_frames_changes_nothing(strain, length):
    cuts = [*range(0, len(strain), length), len(strain)]
    assert outcome(stitch([*frames(strain, cuts), QUIET])) == outcome(
        stitch([*frames(strain), QUIET])
    )


def test_gaps_are_the_archive_s(strain, tmp_path):
    broken = strain.copy()
    broken[int(40.3 * RATE) : int(40.35 * RATE)] = np.nan
    broken[int(70.97 * RATE) : int(71.2 * RATE)] = 1e-22  # constant, over a border
    broken[80 * RATE : 82 * RATE] = 0
    missing = {101, 102}
    sent = [f for i, f in enumerate(frames(broken)) if i not in missing]
    live, segments = outcome(stitch([*sent, QUIET]))
    wanted, tiles = outcome(archive(broken, tmp_path, missing))
    assert live == wanted
    assert segments == tiles
    reasons = {s.reason for s in segments if not s.analysed}
    assert {"not finite", "constant", "no data", "filter edge"} <= reasons
    assert any("too short" in reason for reason in reasons)


@pytest.mark.slow
@pytest.mark.parametrize("length", [RATE // 16, RATE // 4, RATE - 7, 3 * RATE + RATE // 2])
def test_a_stretch_that_begins_within_a_second_has_the_archive_s_first_spectrum(
    strain, tmp_path, length
):
    """Its first block holds all that the spectrum is made of, however short the frames are."""
    broken = strain.copy()
    broken[int(20.15 * RATE)] = np.nan
    live, segments = outcome(
        stitch([*frames(broken, [*range(0, len(broken), length), len(broken)]), QUIET])
    )
    assert (live, segments) == outcome(archive(broken, tmp_path))


def test_flags_and_gaps_of_the_sender_are_kept(strain):
    sent = frames(strain)
    bad = Interval(sent[50].gps_start_ns, sent[51].gps_start_ns, "state vector")
    flag = Interval(sent[100].gps_start_ns, sent[102].gps_start_ns, "BURST_CAT2")
    sent[50] = replace(sent[50], gaps=(bad,))
    sent[100], sent[101] = (replace(sent[i], flags=(flag,)) for i in (100, 101))
    given = stitch([*sent, QUIET])
    _, segments = outcome(given)
    (lost,) = [s for s in segments if s.reason == "state vector"]
    assert (lost.start_ns, lost.end_ns) == (bad.start_ns, bad.end_ns)
    under = [b for b in given if isinstance(b, Block) and b.analyse_start_ns == flag.start_ns]
    assert under[0].flags == (flag,)


@given(st.randoms(use_true_random=False), st.integers(0, 2))
@settings(max_examples=15, deadline=None)
def test_order_and_repetition_change_nothing(random_, reach_):
    rng = np.random.default_rng(1)
    sent = frames(rng.standard_normal(60 * 64), rate=64)
    # Each frame comes at most so much later than it should, and some come twice.
    order = sorted(range(len(sent)), key=lambda i: i + random_.uniform(0, reach_ + 0.5))
    order.remove(0)
    shuffled = [sent[0]] + [sent[i] for i in order for _ in range(random_.choice((1, 1, 2)))]
    late = Stitcher(replace(STITCHING, wait_ns=4 * NANOSECONDS))
    given = [g for f in [*shuffled, replace(QUIET, sample_rate=64)] for g in late.feed(f)]
    plain = stitch([*sent, replace(QUIET, sample_rate=64)])
    assert not [g for g in given if not isinstance(g, Block)]
    assert [g.analyse_end_ns for g in given][-1] == [g.analyse_end_ns for g in plain][-1]
    assert strain_of(given) == strain_of(plain)
    stretches = [(b.analyse_start_ns, b.analyse_end_ns) for b in given]
    assert all(a[1] == b[0] for a, b in itertools.pairwise(stretches))


def strain_of(blocks):
    """Return the strain that blocks answer for."""
    parts = []
    for block in blocks:
        first = to_index(block.gps_start_ns, block.sample_rate)
        low, high = (
            to_index(t, block.sample_rate) - first
            for t in (block.analyse_start_ns, block.analyse_end_ns)
        )
        parts.append(block.samples[low:high])
    return np.concatenate(parts).tolist()


def test_a_missing_frame_is_waited_for_and_then_declared_a_gap(strain):
    sent = frames(strain)
    lacking = sent.pop(40)
    stitcher = Stitcher(STITCHING)
    given = []
    for frame in sent[:40]:
        given += stitcher.feed(frame)
    for frame in sent[40 : 40 + STITCHING.wait_ns // NANOSECONDS]:
        assert not list(stitcher.feed(frame))
    declared = list(stitcher.feed(sent[40 + STITCHING.wait_ns // NANOSECONDS]))
    (gap,) = [s for s in declared if isinstance(s, Segment) and s.reason == "no data"]
    assert (gap.start_ns, gap.end_ns) == (lacking.gps_start_ns, lacking.gps_end_ns)
    (letter,) = stitcher.feed(lacking)
    assert isinstance(letter, DeadLetter)
    assert "came too late" in letter.reason
    assert letter.source == lacking.source


def test_a_frame_before_the_first_is_late_and_not_a_repetition(strain):
    sent = frames(strain)
    given = stitch([sent[1], sent[0], sent[1]])
    assert [type(g) for g in given] == [DeadLetter]


def test_gaps_by_the_thousand_are_told_together_and_as_much_is_analysed(strain, tmp_path):
    """Every other sample of seconds in a row is bad, and a stretch between is good."""
    broken = strain.copy()
    for low, high in ((30, 33), (55, 59), (80, 80.4)):
        broken[int(low * RATE) : int(high * RATE) : 2] = np.nan
    given = stitch([*frames(broken, [0, 29 * RATE, 90 * RATE, 120 * RATE]), QUIET])
    assert len(given) < 30
    assert all(g.start_ns < g.end_ns and g.reason for g in given if isinstance(g, Segment))
    live, segments = outcome(given)
    wanted, tiles = outcome(archive(broken, tmp_path))
    assert live == wanted
    assert [s for s in segments if s.analysed] == [s for s in tiles if s.analysed]
    lost = sum(s.end_ns - s.start_ns for s in segments if not s.analysed)
    assert lost == sum(s.end_ns - s.start_ns for s in tiles if not s.analysed)
    assert len(tiles) > 3000
    assert sum(s.reason == "not finite" for s in segments) == 3


RATES = (1024, 64)


def turned(seconds, first, then, gap):
    """Return frames that change their rate, with a hole of some seconds between."""
    made = []
    for rate, start in ((first, START), (then, START + seconds + gap)):
        samples = np.random.default_rng(rate).standard_normal(seconds * rate)
        made.append([replace(f, arrived_ns=0) for f in frames(samples, rate=rate, start=start)])
    return made


@pytest.mark.parametrize("how", ["at once", "after a gap", "after an end", "after both"])
@pytest.mark.parametrize(("first", "then"), [RATES, RATES[::-1]])
def test_another_rate_begins_a_new_stretch(first, then, how):
    gap = 0 if how in ("at once", "after an end") else 30
    before, after = turned(40, first, then, gap)
    between = [QUIET] if "end" in how or "both" in how else []
    given = stitch([*before, *between, *after, QUIET])
    blocks = [g for g in given if isinstance(g, Block)]
    assert blocks == [g for part in (before, after) for g in stitch([*part, QUIET])]
    # Those of the archive: all of each stretch is analysed, each time once.
    assert {b.sample_rate for b in blocks} == {first, then}
    (span,) = {(b.segment_start_ns) for b in blocks if b.sample_rate == then}
    assert span == after[0].gps_start_ns
    gaps = [(g.start_ns, g.end_ns) for g in given if isinstance(g, Segment)]
    assert gaps == [(before[-1].gps_end_ns, after[0].gps_start_ns)] * bool(gap)
    assert len(given) == len(blocks) + len(gaps)


def test_a_rate_may_change_again_and_again():
    parts = [turned(20, rate, rate, 0)[0] for rate in (256, 64, 1024, 16)]
    sent = [
        replace(f, gps_start_ns=f.gps_start_ns + 20 * number * NANOSECONDS)
        for number, part in enumerate(parts)
        for f in part
    ]
    blocks = stitch([*sent, QUIET])
    assert [b.sample_rate for b in blocks if b.segment_end_ns == b.analyse_end_ns] == [
        256, 64, 1024, 16
    ]  # fmt: skip
    assert all(a.analyse_end_ns == b.analyse_start_ns for a, b in itertools.pairwise(blocks))


@pytest.mark.slow
@given(st.randoms(use_true_random=False))
@settings(deadline=None)
def test_a_change_of_rate_is_the_same_in_any_order(random_):
    before, after = turned(30, 64, 16, 0)
    sent = [*before, *after]
    order = sorted(range(1, len(sent)), key=lambda i: i + random_.uniform(0, 2.5))
    late = Stitcher(replace(STITCHING, wait_ns=4 * NANOSECONDS))
    given = [g for i in (0, *order) for g in late.feed(sent[i])]
    given += late.feed(QUIET)
    plain = stitch([*sent, QUIET])
    assert not [g for g in given if not isinstance(g, Block)]
    assert strain_of(given) == strain_of(plain)


def test_what_comes_late_at_the_former_rate_is_a_dead_letter_and_repetition_is_none():
    before, after = turned(30, 64, 16, 0)
    stitcher = Stitcher(STITCHING)
    for frame in [*before, *after]:
        list(stitcher.feed(frame))
    assert not list(stitcher.feed(before[7]))
    assert not list(stitcher.feed(after[7]))
    samples = np.zeros(64)
    (letter,) = stitcher.feed(frames(samples, rate=64, start=START + 40)[0])
    assert letter.kind is LetterKind.RATE
    assert "comes at 64 Hz, where it came at 16 Hz" in letter.reason
    (letter,) = stitcher.feed(frames(samples[:16], rate=16, start=START + 10)[0])
    assert "comes at 16 Hz, where it came at 64 Hz" in letter.reason


def test_a_rate_whose_samples_lie_otherwise_begins_with_its_first_whole_sample():
    samples = np.random.default_rng(3).standard_normal(30 * 64 + 1)
    before = frames(samples, [0, *range(1, 30 * 64 + 2, 64)], rate=64)
    after = frames(np.ones(40), [*range(0, 41, 8)], rate=1, start=START + 30)
    given = stitch([*before, *after])
    (gap,) = [g for g in given if isinstance(g, Segment) and g.reason == "no data"]
    assert (gap.start_ns, gap.end_ns) == (before[-1].gps_end_ns, (START + 31) * NANOSECONDS)


def test_a_rate_that_is_no_power_of_two_is_a_dead_letter(strain):
    letters = stitch(frames(strain[:3000], range(0, 3001, 1000), rate=1000))
    assert ["no power of two" in letter.reason for letter in letters] == [True] * 3
    assert {letter.kind for letter in letters} == {LetterKind.RATE}


def test_what_waits_and_reaches_further_gives_its_new_part(strain):
    first, lacking, third = frames(strain, [0, 1024, 2048, 3072])
    longer = frames(strain[2500:4500], [0, 2000], start=START)[0]
    longer = replace(longer, gps_start_ns=START * NANOSECONDS + 2500 * NANOSECONDS // RATE)
    stitcher = Stitcher(STITCHING)
    for frame in (first, third, longer, lacking):
        list(stitcher.feed(frame))
    assert stitcher.state.end_ns == longer.gps_end_ns
    assert stitcher.strain.between(
        *(to_index(START * NANOSECONDS, RATE) + np.array((0, 4500)))
    ) == (strain[:4500].tobytes())


def test_what_is_older_than_the_gaps_remembered_is_late_and_not_lost_without_a_word():
    sent = frames(np.random.default_rng(1).standard_normal(400 * 16), rate=16)
    stitcher = Stitcher(replace(STITCHING, wait_ns=0))
    for frame in sent[1::2]:
        list(stitcher.feed(frame))
    assert len(stitcher.state.lost) == MOST_LOST
    for frame in (sent[0], sent[2], sent[1], sent[-4]):
        (letter,) = stitcher.feed(frame)
        assert letter.kind is LetterKind.LATE
    assert not list(stitcher.feed(sent[-3]))


def test_nothing_new_of_a_channel_ends_its_stretch(strain):
    sent = frames(strain)
    stitcher = Stitcher(STITCHING)
    for frame in sent[:30]:
        list(stitcher.feed(frame))
    (block,) = stitcher.feed(QUIET)
    assert block.segment_end_ns == block.analyse_end_ns == sent[30].gps_start_ns
    assert not list(stitcher.feed(QUIET))
    again = [g for f in sent[30:60] for g in stitcher.feed(f)]
    assert again[0].segment_start_ns == sent[30].gps_start_ns


def test_what_was_analysed_before_is_only_the_past_of_what_follows(strain):
    sent = frames(strain)
    whole = [b for b in stitch(sent) if b.analyse_start_ns >= sent[70].gps_start_ns]
    context = [replace(f, analysed=True) for f in sent[10:70]]
    given = stitch([*context, *sent[70:]])
    assert given[0].analyse_start_ns == sent[70].gps_start_ns
    assert outcome(given)[0] == outcome(whole)[0]


def test_a_stitcher_goes_on_from_what_is_kept(strain):
    broken = strain.copy()
    broken[int(40.3 * RATE) : int(40.35 * RATE)] = np.nan
    sent = frames(broken)
    sent[90], sent[91] = sent[91], sent[90]
    shuffle = random.Random(0)
    plain, kept, stitcher, given = stitch([*sent, QUIET]), [], Stitcher(STITCHING), []
    for frame in [*sent, QUIET]:
        given += stitcher.feed(frame)
        kept.append(frame)
        if shuffle.random() < 0.3:
            head = stitcher.state
            bare = StreamState.from_bytes(head.to_bytes(), head.waiting)
            assert bare == head
            stitcher = Stitcher(STITCHING, bare)
            placed = [f for f in kept if f.data and head.kept_ns < f.gps_end_ns <= head.end_ns]
            for old in sorted(placed, key=lambda f: f.gps_start_ns):
                stitcher.restore(old)
    assert given == plain


def test_what_is_kept_stays_small(strain):
    stitcher = Stitcher(STITCHING)
    for frame in frames(np.tile(strain, 8)[: 900 * RATE]):
        list(stitcher.feed(frame))
        head = stitcher.state
        assert len(head.to_bytes()) < 2000
        seconds = stitcher.strain.length / RATE
        assert seconds <= STITCHING.reach.past_ns / NANOSECONDS + 3
    assert to_index(head.kept_ns, RATE) == stitcher.strain.first
