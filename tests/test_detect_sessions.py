"""Sessions of what is loud for long: cut on the GPS grid, the same however the data came."""

from bisect import bisect_left
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import samples
from transforms.coders import PendingClustersCoder
from transforms.detect.cluster import cluster
from transforms.detect.clusters_live import final_before, update_clusters
from transforms.detect.config import DetectConfig
from transforms.detect.sessions import CELL_NS, Sessions
from transforms.elements import SearchResult
from transforms.gps import NANOSECONDS

SESSIONS = Sessions.of(DetectConfig())
BIN, REACH = SESSIONS.bin_ns, SESSIONS.bin_ns + SESSIONS.gap_ns
START = 1_000_000_000 // 16 * 16
"""A border of two cells [GPS s]."""
REWIND = 120
"""Seconds that a job without a checkpoint analyses again."""


def at(seconds):
    return int((START + seconds) * NANOSECONDS) // BIN * BIN


def candidate(bin_ns, rank=6.0, before=0, after=0, wavelet="morlet", snippet=b"", **more):
    own = {
        "time_ns": bin_ns + 1, "wavelet": wavelet, "snippet": snippet,
        "snippet_rate": 16 * bool(snippet), "snippet_start_ns": bin_ns,
    }  # fmt: skip
    return samples.candidate(bin_ns, rank, before=before, after=after, **{**own, **more})


def made(rng, seconds, spells, holes, long_ones):
    """Make what is found in spells of noise [s], but for holes, as (found at, candidate)."""
    found = []
    for low, high in spells:
        # Up to four bins from one to the next: five make a pause.
        for number in int(low * 32) + np.cumsum(rng.integers(1, 5, int((high - low) * 12.8))):
            if not any(a <= number / 32 < b for a, b in holes):
                bin_ns = at(int(number) / 32)
                found.append((bin_ns, random_candidate(rng, bin_ns, rng.random() < 0.3)))
    for when, before, after, lag in long_ones:
        bin_ns = at(when)
        shape = random_candidate(rng, bin_ns, True)
        extent = {"start_ns": bin_ns - int(before * 1e9), "end_ns": bin_ns + int(after * 1e9)}
        # A shape is found where it ends, a tile where it stands.
        wavelet = "morlet" if lag is None else "box"
        found.append((bin_ns + int((lag or 0) * 1e9), replace(shape, wavelet=wavelet, **extent)))
    return [(when, c) for when, c in found if 0 <= when / 1e9 - START < seconds]


def random_candidate(rng, bin_ns, loud):
    rank = float(np.round(rng.uniform(5.5, 30), 2))
    snippet = rng.standard_normal(2, np.float32).tobytes() if loud else b""
    frequency = float(np.round(rng.uniform(20, 500), 3))
    wavelet = str(rng.choice(["morlet", "morlet", "morlet", "box", "sweep"]))
    return candidate(bin_ns, rank, int(rng.integers(4)) * BIN, int(rng.integers(4)) * BIN, wavelet,
                     snippet, frequency=frequency)  # fmt: skip


def wanted(found):
    """Return the triggers by the rule as docs/detection.md words it, whatever the code does."""
    members = [c for _, c in found]
    points = sorted((mark, i) for i, c in enumerate(members) for mark in SESSIONS.marks(c))
    chains = []
    for mark, i in points:
        if not chains or mark - chains[-1][-1][0] >= REACH:
            chains.append([])
        chains[-1].append((mark, i))
    triggers = {}
    for chain in chains:
        cells = {}
        for mark, _ in chain:
            cells.setdefault(mark // CELL_NS, []).append(mark)
        cuts = [(cell + 1) * CELL_NS for cell, marks in cells.items() if full(cell, marks)]
        own = [members[i] for i in {i: None for _, i in chain}]
        pieces = {}
        for c in own:
            pieces.setdefault(sum(cut <= c.bin_ns for cut in cuts), []).append(c)
        for piece in pieces.values():
            trigger = cluster(piece, "c")
            triggers[trigger.id] = trigger
    return triggers


def full(cell, marks):
    """Return whether marks leave no pause in their cell."""
    steps = [cell * CELL_NS, *marks, (cell + 1) * CELL_NS]
    return all(b - a < REACH for a, b in pairwise(steps))


def followed(found, borders, before=None, known=True):
    """Follow stretches between borders [s]; give all that is published, and what is open."""
    told, now, final_ns = [], before, 0
    for low, high in pairwise(borders):
        own = tuple(c for when, c in found if at(low) <= when < at(high))
        start = at(low)
        first = now is None and known
        known_ns = start if first else start - NANOSECONDS
        searched = SearchResult(
            channel="H1:X",
            start_ns=start,
            end_ns=at(high),
            known_ns=known_ns,
            arrived_ns=7,
            candidates=own,
        )
        now, out = update_clusters(now, searched, SESSIONS, "c")
        told += out
        assert all(trigger.time_ns >= final_ns for trigger in out), "final is not final"
        was, final_ns = final_ns, final_before(now, searched, SESSIONS)
        assert was <= final_ns <= at(high)
    return told, now


def finals(told):
    got = {}
    for trigger in told:
        if trigger.status == "final":
            assert trigger.id not in got, "final twice"
            got[trigger.id] = replace(trigger, arrived_ns=0)
    return got


def archived(found, borders):
    """Return the triggers of blocks between borders [s], as the archive's graph does."""
    triggers, edges = [], []
    for low, high in pairwise(borders):
        own = [c for when, c in found if at(low) <= when < at(high)]
        sessions, others = SESSIONS.settle(own, (at(low), at(high)))
        triggers += [cluster(s.candidates, "c") for s in sessions]
        edges += others
    triggers += [cluster(s.candidates, "c") for s in SESSIONS.group(edges)]
    got = {trigger.id: trigger for trigger in triggers}
    assert len(got) == len(triggers)
    return got


SPELLS = st.lists(
    st.tuples(st.floats(0, 100), st.floats(0.1, 90)).map(lambda s: (s[0], s[0] + s[1])), max_size=4
)
HOLES = st.lists(
    st.tuples(st.floats(0, 120), st.floats(0.03, 0.3)).map(lambda s: (s[0], s[0] + s[1])),
    max_size=8,
)
NEAR = st.one_of(
    st.floats(4, 130),
    st.tuples(st.integers(1, 8), st.floats(-3, 3)).map(lambda n: 16 * n[0] + n[1]),
)
"""Anywhere, or near a border of cells."""
LONG = st.lists(
    st.one_of(
        st.tuples(NEAR, st.floats(0, 0.4), st.floats(0, 0.4), st.none()),
        st.tuples(NEAR, st.floats(0, 2.4), st.floats(0, 0.3), st.floats(0, 0.5)),
    ),
    max_size=12,
)
SEED = st.integers(0, 1 << 30)
BORDERS = st.lists(st.integers(1, 199), unique=True).map(lambda b: [0, *sorted(b), 200, 240])


@given(SEED, SPELLS, HOLES, LONG, BORDERS)
def test_any_cutting_gives_the_same_triggers(seed, spells, holes, long_ones, borders):
    found = made(np.random.default_rng(seed), 200, spells, holes, long_ones)
    expected = wanted(found)
    told, now = followed(found, borders)
    assert finals(told) == expected
    assert not now.candidates
    assert not now.published
    assert archived(found, borders) == expected
    last = {trigger.id: trigger.status for trigger in told}
    assert {name for name, status in last.items() if status != "withdrawn"} == set(expected)


@pytest.mark.slow
@given(SEED, SPELLS, HOLES, LONG, BORDERS, st.integers(125, 195))
def test_two_jobs_one_after_the_other_give_each_trigger(
    seed, spells, holes, long_ones, borders, stop
):
    found = made(np.random.default_rng(seed), 200, spells, holes, long_ones)
    expected = wanted(found)
    begin = stop - REWIND
    old, _ = followed(found, [*(b for b in borders if b < stop), stop])
    new, now = followed(found, [begin, *(b for b in borders if b > begin)], known=False)
    assert not now.candidates
    assert {**finals(old), **finals(new)} == expected
    both = finals(old).keys() & finals(new).keys()
    assert all(finals(old)[name] == finals(new)[name] for name in both)


@pytest.mark.slow
@given(SEED, SPELLS, HOLES, LONG, NEAR, st.floats(0.1, 60))
def test_the_context_of_a_range_makes_it_the_whole_s(seed, spells, holes, long_ones, low, length):
    found = made(np.random.default_rng(seed), 200, spells, holes, long_ones)
    start, end = at(low), at(low + length)
    context = SESSIONS.context_ns
    near = [(when, c) for when, c in found if start - context <= when < end + context]

    def inside(triggers):
        return {n: t for n, t in triggers.items() if start <= t.time_ns < end}

    assert inside(wanted(near)) == inside(wanted(found))


@pytest.mark.slow
def test_two_hours_of_noise_without_a_pause_take_no_more_room_than_half_a_minute_s():
    rng, seconds = np.random.default_rng(7), 7200
    found = noise(rng, seconds)
    silence = [(when, c) for when, c in found if not 3000 < (when - at(0)) / 1e9 < 3000.4]
    steps = [*range(100), *range(100, seconds, 8), seconds, seconds + 10]
    now, told, held, encoded = None, [], [], []
    for low, high in pairwise(steps):
        own = silence[bisect(silence, at(low)) : bisect(silence, at(high))]
        out, now = followed(own, (low, high), before=now)
        told += out
        held.append(len(now.candidates))
        encoded.append(len(PendingClustersCoder().encode(now)))
    expected = wanted(silence)
    # Where it pauses, one session ends in its cell, and the next lasts into another cell.
    assert len(expected) == seconds // 16
    assert finals(told) == expected
    assert archived(silence, range(0, seconds + 512, 512)) == expected
    # Two cells and what may reach back, each second 32; the loudest of each cell with snippets.
    assert max(held) <= 32 * 40
    assert max(encoded) < 600_000
    assert now.candidates == now.published == ()


def bisect(found, when):
    return bisect_left(found, when, key=lambda pair: pair[0])


def noise(rng, seconds):
    """Make 32 candidates a second without a pause, the loudest four with snippets."""
    snippet = rng.standard_normal(8192, np.float32).tobytes()
    ranks = rng.uniform(5.5, 30, (seconds, 32))
    limits = np.sort(ranks, axis=1)[:, -4]
    kinds = rng.choice(["morlet", "morlet", "box"], (seconds, 32))
    return [
        (
            at(second + number / 32),
            candidate(
                at(second + number / 32),
                float(ranks[second, number]),
                wavelet=str(kinds[second, number]),
                snippet=snippet if ranks[second, number] >= limits[second] else b"",
            ),
        )
        for second in range(seconds)
        for number in range(32)
    ]
