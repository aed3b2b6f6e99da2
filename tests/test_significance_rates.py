"""Rates are counts over live time, and live time is that of what was analysed."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.significance.livetime import (
    HOUR_NS,
    analysed,
    hour_livetime,
    near_shifts,
    slid_livetime,
    zero_lag_livetime,
)
from transforms.significance.rates import (
    false_alarm_probability,
    false_alarm_rate,
    louder,
    relative_error,
)

SECOND = 1_000_000_000
MS = SECOND // 1000


def seconds(*stretches):
    return [(start * SECOND, end * SECOND) for start, end in stretches]


A, B = seconds((0, 100), (150, 200)), seconds((0, 180))


@pytest.mark.parametrize(
    ("value", "rate"), [(4.0, 0.006), (6.0, 0.005), (6.5, 0.003), (8.0, 0.002), (9.0, 0.001)]
)
def test_a_rate_counts_what_is_at_least_as_loud_and_the_event_itself(value, rate):
    background = np.array([5.0, 6.0, 6.0, 7.0, 8.0])
    assert false_alarm_rate(int(louder(background, value)), 1000 * SECOND) == rate


def test_counts_of_many_values_are_those_of_each():
    rng = np.random.default_rng(1)
    background = np.sort(rng.integers(0, 20, 50).astype(float))
    values = rng.integers(-2, 23, (4, 5)).astype(float)
    naive = [[int(np.sum(background >= one)) for one in row] for row in values]
    assert louder(background, values).tolist() == naive
    assert louder(np.zeros(0), 3.0) == 0


@pytest.mark.parametrize(("count", "livetime_ns"), [(0, 0), (3, -1), (-1, 10)])
def test_without_live_time_there_is_no_rate(count, livetime_ns):
    with pytest.raises(ValueError, match="no rate of"):
        false_alarm_rate(count, livetime_ns)


def test_a_rate_of_whole_numbers_is_rounded_once():
    """Counts and live times of years of slides are beyond what a float holds exactly."""
    assert false_alarm_rate(2**60, 10**9 * (2**60 + 1)) == 1.0


@pytest.mark.parametrize(
    ("rate", "searched", "probability"), [(1e-3, 500, 0.393469), (3.17e-8, 86_400, 0.0027351)]
)
def test_probability_of_a_false_alarm(rate, searched, probability):
    told = false_alarm_probability(rate, searched * SECOND)
    assert float(f"{told:.{len(str(probability).lstrip('0.'))}g}") == probability


def test_a_small_probability_is_not_lost_to_rounding():
    assert false_alarm_probability(1e-20, SECOND) == pytest.approx(1e-20, rel=1e-12)


def test_error_of_pairs_that_share_triggers():
    first, second = np.array([0, 0, 0, 1, 2]), np.array([0, 1, 2, 2, 3])
    # 5 pairs, one trigger in three of them, one in two: 5 + 3 * 2 + 2 * 1.
    assert relative_error(first, second) == pytest.approx(math.sqrt(13) / 5)
    alone = np.arange(9)
    assert relative_error(alone, alone) == pytest.approx(1 / 3)
    assert relative_error(alone[:0], alone[:0]) == math.inf


def test_error_of_pairs_is_their_spread():
    """Of repeated draws: few triggers of either detector, all of which pair."""
    rng = np.random.default_rng(2)
    counts, told = [], []
    for _ in range(4000):
        m, n = rng.poisson(30), rng.poisson(50)
        i, j = (one.ravel() for one in np.indices((m, n)))
        kept = rng.uniform(size=m * n) < 0.3
        counts.append(kept.sum())
        told.append(relative_error(i[kept], j[kept]))
    assert np.mean(told) == pytest.approx(np.std(counts) / np.mean(counts), rel=0.05)


def test_live_time_of_the_notes_stretches():
    assert zero_lag_livetime(A, B) == 130 * SECOND
    shifts = np.arange(-10, 11) * 50 * SECOND
    lived = slid_livetime(A, B, shifts)
    assert lived[10] == 130 * SECOND
    assert lived.sum() - lived[10] == 410 * SECOND


@pytest.mark.parametrize("hour", [0, 1, 4])
def test_hours_share_the_live_time_of_two_whole_detectors(hour):
    whole = seconds((0, 4 * 3600))
    shifts = near_shifts(2 * SECOND, 3 * SECOND, 600 * SECOND)
    lived = hour_livetime(whole, whole, shifts, hour)
    if hour == 1:
        assert set(lived) == {HOUR_NS}
    if hour == 4:
        assert not lived.any()
    by_hours = sum(hour_livetime(whole, whole, shifts, each) for each in range(4))
    np.testing.assert_array_equal(by_hours, slid_livetime(whole, whole, shifts))


def test_shifts_are_multiples_of_the_step_both_ways():
    shifts = near_shifts(2 * SECOND, 3 * SECOND, 9 * SECOND)
    assert shifts.tolist() == [s * SECOND for s in (-8, -6, -4, 4, 6, 8)]
    tenths = near_shifts(SECOND // 5, 3 * SECOND, 600 * SECOND)
    assert (len(tenths), tenths[-1], tenths[len(tenths) // 2]) == (5972, 600 * SECOND, 3 * SECOND)


@pytest.mark.parametrize("told", [(0, 3, 9), (2, 0, 9), (2, 3, 3), (20, 1, 19)])
def test_no_shifts_are_refused(told):
    with pytest.raises(ValueError, match=r"slides must be positive|no multiple of"):
        near_shifts(*told)


def test_what_overlaps_touches_or_is_empty_counts_once():
    mixed = [(50, 90), (0, 10), (10, 20), (15, 30), (60, 70), (40, 40)]
    assert analysed(mixed).tolist() == [[0, 30], [50, 90]]
    assert analysed([]).shape == (0, 2)
    assert analysed(np.array([[5, 9], [0, 2]])).tolist() == [[0, 2], [5, 9]]
    assert zero_lag_livetime([], mixed) == zero_lag_livetime(mixed, []) == 0
    with pytest.raises(ValueError, match="ends early"):
        analysed([(3, 2)])


stretches = st.lists(
    st.tuples(st.integers(-40, 140), st.integers(0, 60)).map(lambda x: (x[0], x[0] + x[1])),
    max_size=6,
)


@given(stretches, stretches, st.lists(st.integers(-200, 200), max_size=5))
def test_live_time_is_what_a_grid_counts(first, second, shifts):
    """Of milliseconds, with an hour's edge among them."""
    origin = HOUR_NS // MS
    a, b = ([((s + origin) * MS, (e + origin) * MS) for s, e in each] for each in (first, second))
    grid = np.arange(-400, 600)
    inside = [
        np.any([(grid >= s) & (grid < e) for s, e in [*each, (0, 0)]], axis=0)
        for each in (first, second)
    ]
    told = np.array(shifts, np.int64) * MS
    lived, hours = slid_livetime(a, b, told), [hour_livetime(a, b, told, h) for h in (0, 1)]
    for at, shift in enumerate(shifts):
        moved = np.zeros_like(inside[1])
        source = grid - shift - grid[0]
        known = (source >= 0) & (source < len(grid))
        moved[known] = inside[1][source[known]]
        both = inside[0] & moved
        assert lived[at] == both.sum() * MS
        later = np.maximum(grid, grid - shift)
        assert [h[at] for h in hours] == [
            (both & (later < 0)).sum() * MS,
            (both & (later >= 0)).sum() * MS,
        ]


def test_many_stretches_and_shifts_are_summed_in_parts(monkeypatch):
    rng = np.random.default_rng(3)
    a, b = (np.sort(rng.choice(10**6, (200, 2), False).ravel()).reshape(-1, 2) for _ in range(2))
    shifts = rng.integers(-(10**5), 10**5, 333)
    whole = slid_livetime(a, b, shifts)
    monkeypatch.setattr("transforms.significance.livetime._AT_ONCE", 999)
    np.testing.assert_array_equal(slid_livetime(a, b, shifts), whole)
    brute = [
        sum(max(0, min(q, y + s) - max(p, x + s)) for p, q in a.tolist() for x, y in b.tolist())
        for s in shifts[:5].tolist()
    ]
    assert whole[:5].tolist() == brute
