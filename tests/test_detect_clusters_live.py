"""Triggers while they happen: final ones are the archive's, whatever was said before."""

from dataclasses import replace
from itertools import pairwise

import pytest
from apache_beam.utils.timestamp import Duration
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import samples
from transforms.coders import PendingClustersCoder, event_time
from transforms.detect.cluster import cluster
from transforms.detect.clusters_live import update_clusters
from transforms.detect.config import DetectConfig
from transforms.detect.sessions import Sessions
from transforms.detect.stage import _TrackClusters
from transforms.elements import SearchResult
from transforms.gps import NANOSECONDS, REMEMBERED_NS

SESSIONS = Sessions.of(DetectConfig())
BIN = SESSIONS.bin_ns


def candidate(bin_ns, rank=6.0, width=0, wavelet="morlet"):
    return samples.candidate(bin_ns, rank, before=width, after=width, wavelet=wavelet)


def second(number, *candidates, known=None):
    start, end = number * NANOSECONDS, (number + 1) * NANOSECONDS
    known_ns = start - 5 * NANOSECONDS if known is None else known
    return SearchResult(
        channel="H1:X",
        start_ns=start,
        end_ns=end,
        known_ns=known_ns,
        arrived_ns=10 + number,
        candidates=candidates,
    )


def run(stretches):
    """Follow stretches from the start of a channel's data; give all that is published."""
    first = replace(stretches[0], known_ns=stretches[0].start_ns)
    now, told = None, []
    for stretch in (first, *stretches[1:]):
        now, out = update_clusters(now, stretch, SESSIONS, "c")
        told.append(out)
    return told, now


def at(number, fraction):
    return int((number + fraction) * NANOSECONDS) // BIN * BIN


def test_a_trigger_is_published_at_once_settled_by_a_gap_and_final_when_nothing_can_join():
    told, _ = run([second(0, candidate(at(0, 0.3))), *(second(i) for i in range(1, 6))])
    said = [(n, t.status, t.arrived_ns) for n, out in enumerate(told) for t in out]
    assert said == [(0, "settled", 10), (3, "final", 13)]
    told, _ = run([second(0, candidate(at(0, 0.95))), *(second(i) for i in range(1, 6))])
    said = [(n, t.status) for n, out in enumerate(told) for t in out]
    assert said == [(0, "preliminary"), (1, "settled"), (4, "final")]


def test_a_gap_makes_final_what_nothing_can_join_across_it():
    gap = replace(second(1), end_ns=5 * NANOSECONDS, known_ns=NANOSECONDS, gap=True)
    told, now = run([second(0, candidate(at(0, 0.95))), gap])
    said = [(n, t.status, t.arrived_ns) for n, out in enumerate(told) for t in out]
    assert said == [(0, "preliminary", 10), (1, "final", 11)]
    assert not now.published
    told, now = run([second(0, candidate(at(0, 0.95))), replace(gap, end_ns=2 * NANOSECONDS)])
    assert [t.status for t in told[1]] == ["settled"]


def test_a_gap_says_nothing_of_where_a_restarted_job_goes_on():
    gap = replace(second(97), gap=True, known_ns=97 * NANOSECONDS)
    assert update_clusters(None, gap, SESSIONS, "c") == (None, [])
    now, out = update_clusters(None, second(100, candidate(at(100, 0.1))), SESSIONS, "c")
    assert not out
    assert now.since_ns == 100 * NANOSECONDS


def test_a_louder_tile_withdraws_the_name_of_a_quieter_one():
    told, _ = run([second(0, candidate(at(0, 0.97))), second(1, candidate(at(1, 0.02), rank=9.0))])
    (early,) = told[0]
    later = {t.id: t.status for t in told[1]}
    assert later.pop(early.id) == "withdrawn"
    assert list(later.values()) == ["settled"]


def test_a_long_shape_absorbs_what_was_settled():
    shape = candidate(at(2, 0.5), rank=8.0, wavelet="sweep")
    shape = replace(shape, start_ns=at(0, 0.2), end_ns=at(2, 0.6))
    stretches = [second(0, candidate(at(0, 0.3))), second(1), second(2, shape)]
    told, _ = run([*stretches, *(second(i) for i in range(3, 8))])
    (early,) = told[0]
    (late,) = [t for t in told[-1] + told[-2] + told[-3] if t.status == "final"]
    assert early.status == "settled"
    assert late.start_ns <= shape.start_ns or late.id == early.id
    assert sum(t.status == "final" for out in told for t in out) == 1


@given(
    st.lists(st.tuples(st.integers(0, 959), st.floats(5, 30), st.integers(0, 12)), max_size=40),
    st.lists(st.integers(1, 59), unique=True),
)
@settings(max_examples=100, deadline=None)
def test_final_triggers_are_the_archive_s(spec, borders):
    made = [candidate(60 * NANOSECONDS * b // 960 // BIN * BIN, r, w * BIN) for b, r, w in spec]
    edges = [0, *sorted(borders), 60]
    stretches = []
    for low, high in pairwise(edges):
        own = [c for c in made if low * NANOSECONDS <= c.bin_ns < high * NANOSECONDS]
        stretches.append(replace(second(low, *own), end_ns=high * NANOSECONDS))
    told, now = run([*stretches, *(second(i) for i in range(60, 70))])
    everything = [t for out in told for t in out]
    wanted = {t.id: t for g in SESSIONS.group(made) for t in [cluster(g.candidates, "c")]}
    last = {t.id: t for t in everything}
    assert {name for name, t in last.items() if t.status != "withdrawn"} == set(wanted)
    for name, trigger in wanted.items():
        assert replace(last[name], status="final", arrived_ns=0) == trigger
        assert last[name].status == "final"
    assert not now.candidates
    assert not now.published


def test_sessions_that_began_before_a_restart_are_left_to_who_saw_them():
    seen = second(100, candidate(at(100, 0.1)), candidate(at(100, 0.7)))
    now, out = update_clusters(None, seen, SESSIONS, "c")
    assert [t.time_ns for t in out] == [at(100, 0.7)]
    told = []
    for number in range(101, 106):
        now, out = update_clusters(now, second(number), SESSIONS, "c")
        told += out
    assert [(t.time_ns, t.status) for t in told] == [(at(100, 0.7), "final")]


@pytest.mark.parametrize("number", [100, 0])
def test_at_the_start_of_data_nothing_is_left_out(number):
    early = candidate(at(number, 0.1))
    begins = second(number, early, known=number * NANOSECONDS + 125_000_000)
    _, out = update_clusters(None, begins, SESSIONS, "c")
    assert [t.time_ns for t in out] == [early.bin_ns]


class Cell:
    """A channel's state and timer."""

    def __init__(self):
        self.value = self.at = None

    def read(self):
        return self.value

    def write(self, value):
        self.value = PendingClustersCoder().decode(PendingClustersCoder().encode(value))

    def clear(self):
        self.value = None

    def set(self, at):
        self.at = at


def gap(number):
    """Return a second of which nothing is analysed."""
    return replace(second(number), gap=True)


def ended(number):
    """Say that a channel's frames have ended at a second."""
    now = number * NANOSECONDS
    return replace(second(number), end_ns=now, known_ns=now, gap=True)


def fed(made, searched, cell):
    """Return the triggers and the progress that one block gives."""
    *triggers, progress = made.process(("H1:X", searched), cell, cell)
    return [each.value for each in triggers], progress.value


def test_nothing_is_kept_of_a_channel_that_ended_a_day_ago():
    made, cell = _TrackClusters(DetectConfig(), "c"), Cell()
    last = candidate(at(9, 0.95))
    first = second(8, known=8 * NANOSECONDS)
    for searched in (first, second(9, last)):
        told, _ = fed(made, searched, cell)
    assert [t.status for t in told] == ["preliminary"]
    assert cell.at is None
    told_then, progress = fed(made, ended(10), cell)
    assert not told_then
    assert progress.ended
    assert cell.at == event_time(10 * NANOSECONDS + REMEMBERED_NS)
    assert cell.value.candidates == (last,)
    early = cell.at - 2
    assert not list(made.forget("H1:X", cell, early))
    # Runners in Java keep milliseconds.
    (final,) = [t.value for t in made.forget("H1:X", cell, cell.at - Duration(micros=999))]
    assert final == replace(told[0], status="final", arrived_ns=0)
    assert cell.value is None
    assert not list(made.forget("H1:X", cell, cell.at))


def test_progress_goes_on_through_gaps_and_waits_for_what_is_pending():
    made, cell = _TrackClusters(DetectConfig(), "c"), Cell()
    _, nothing_known = fed(made, gap(5), cell)
    _, quiet = fed(made, second(6, known=6 * NANOSECONDS), cell)
    _, pending = fed(made, second(7, candidate(at(7, 0.9))), cell)
    later = [fed(made, gap(number), cell)[1] for number in range(8, 20)]
    told = [nothing_known, quiet, pending, *later]
    assert all(p.channel == "H1:X" and not p.ended for p in told)
    behind = SESSIONS.back_ns + SESSIONS.moved_ns
    assert nothing_known.final_ns == 6 * NANOSECONDS - behind
    assert pending.final_ns <= at(7, 0.9) - SESSIONS.moved_ns
    assert later[-1].final_ns == 20 * NANOSECONDS - behind
    assert [p.final_ns for p in told] == sorted(p.final_ns for p in told)


def test_a_channel_that_has_come_back_within_a_day_is_followed_on():
    made, cell = _TrackClusters(DetectConfig(), "c"), Cell()
    early, late = candidate(at(9, 0.98)), candidate(at(10, 0.01))
    begun = second(9, early, known=9 * NANOSECONDS)
    told = [
        trigger
        for searched in (begun, ended(10), second(10, late))
        for trigger in fed(made, searched, cell)[0]
    ]
    assert {t.id for t in told} == {told[0].id}  # one trigger of both
    assert not list(made.forget("H1:X", cell, cell.at))
    assert cell.value.candidates == (early, late)
