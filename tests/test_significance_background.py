"""A rate of an event is a count of slid pairs, and what two statistics cost is in it."""

import math
from time import process_time

import numpy as np
import pytest

from transforms.coincide.arrivals import PLACES
from transforms.significance.background import (
    BINS,
    Background,
    CountedPairs,
    Hour,
    bins,
    cells,
    edges,
    hierarchical,
)
from transforms.significance.livetime import HOUR_NS
from transforms.significance.statistic import Ranked
from transforms.significance.triggers import TriggerHour

PAIR = "H1", "L1"
SECOND = 1_000_000_000


def drawn(rng, pairs, alike=0.7):
    """Two statistics of noise, correlated as much as is said."""
    first, own = rng.exponential(4, (2, pairs)) - 20
    return Ranked(labelled=first, unlabelled=np.where(rng.uniform(size=pairs) < alike, first, own))


def joined(several):
    return Ranked(
        labelled=np.concatenate([one.labelled for one in several]),
        unlabelled=np.concatenate([one.unlabelled for one in several]),
    )


def naive(background, event):
    """Count by comparing all with all: bins of both, each pair's fewest louder."""
    a, b = bins(background.labelled), bins(background.unlabelled)
    joint = [min((a >= x).sum(), (b >= y).sum()) for x, y in zip(a, b, strict=True)]
    x, y = bins(event.labelled)[0], bins(event.unlabelled)[0]
    own = min((a >= x).sum(), (b >= y).sum())
    return sum(one <= own for one in joint)


def event(labelled, unlabelled):
    return Ranked(labelled=np.array([labelled]), unlabelled=np.array([unlabelled]))


def test_bins_have_open_ends_and_their_lower_edge():
    values = np.array([-np.inf, -30.01, -30.0, -29.91, 0.05, 69.95, 70.0, 1e9, np.inf, np.nan])
    assert bins(values).tolist() == [0, 0, 1, 1, 301, 1000, 1001, 1001, 1001, 0]
    told = edges()
    assert len(told) == BINS + 1
    inner = bins(values[:-1])
    assert np.all((told[inner] <= values[:-1]) & (values[:-1] <= told[inner + 1]))


@pytest.mark.parametrize("alike", [0.0, 0.7, 1.0])
def test_rates_are_those_of_a_naive_count(alike):
    rng = np.random.default_rng(1)
    hours = [drawn(rng, n, alike) for n in (60, 0, 1, 90)]
    background = Background.of(Hour.of(PAIR, n, HOUR_NS, one) for n, one in enumerate(hours))
    whole = joined(hours)
    asked = drawn(rng, 30, alike)
    asked = [*zip(asked.labelled, asked.unlabelled, strict=True), (80, -25), (-25, 3.0), (-99, -99)]
    for labelled, unlabelled in asked:
        rate = background.rate(labelled, unlabelled)
        louder = naive(whole, event(labelled, unlabelled))
        assert rate.louder == louder
        assert rate.far == (louder + 1) * SECOND / (4 * HOUR_NS)
        assert rate.method == ("slides" if louder else "slides_limit")
        assert rate.livetime_ns == 4 * HOUR_NS


def test_an_event_is_as_loud_as_what_shares_its_bin():
    background = Background.of([Hour.of(PAIR, 0, HOUR_NS, event(5.04, 5.04))])
    assert background.rate(5.09, 5.01).louder == 1
    assert background.rate(5.11, -9.0).louder == 0  # rare in one of both is rare


@pytest.mark.parametrize("alike", [0.0, 0.5, 1.0])
def test_of_slid_pairs_a_part_has_a_rate_of_that_part_or_less(alike):
    rng = np.random.default_rng(2)
    slid = drawn(rng, 5000, alike)
    background = Background.of([Hour.of(PAIR, 0, HOUR_NS, slid)])
    counts = background.count(cells(slid))
    for count in np.unique(counts):
        assert np.sum(counts <= count) == count


@pytest.mark.parametrize("alike", [0.0, 0.5, 1.0])
def test_of_other_noise_as_much_has_a_rate_as_it_promises(alike):
    """What two looks cost, and what the event itself counts, repeated."""
    rng = np.random.default_rng(3)
    slid, seen = 400, 100
    promised = np.array([0.01, 0.05, 0.2])
    found = np.zeros(3)
    for _ in range(300):
        background = Background.of([Hour.of(PAIR, 0, HOUR_NS, drawn(rng, slid, alike))])
        counts = background.count(cells(drawn(rng, seen, alike))) + 1
        found += [np.sum(counts <= part * slid) for part in promised]
    assert found / (300 * seen) == pytest.approx(promised, rel=0.1)


def test_without_enough_past_there_is_no_rate():
    hour = Hour.of(PAIR, 7, HOUR_NS, event(1.0, 1.0))
    for background in (Background.of([]), Background.of([hour], HOUR_NS + 1)):
        rate = background.rate(3.0, 3.0)
        assert math.isnan(rate.far)
        assert (rate.method, rate.louder) == ("", 0)
    empty = Background.of([Hour.of(PAIR, 7, HOUR_NS, drawn(np.random.default_rng(1), 0))], HOUR_NS)
    assert empty.rate(-40, -40).method == "slides_limit"
    assert empty.rate(-40, -40).far == SECOND / HOUR_NS


def test_hours_sum_in_any_order_and_each_once():
    rng = np.random.default_rng(4)
    hours = [Hour.of(PAIR, n, HOUR_NS, drawn(rng, 300)) for n in range(5)]
    one, other = Background.of(hours), Background.of(reversed(hours))
    for name in ("joint", "as_small"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(one.louder, other.louder)
    with pytest.raises(ValueError, match="twice"):
        Background.of([*hours, hours[2]])
    with pytest.raises(ValueError, match="two detectors"):
        Background.of([hours[0], Hour.of(("H1", "V1"), 9, HOUR_NS, event(1, 1))])


@pytest.mark.parametrize("pairs", [0, 1, 5000])
def test_an_hour_is_read_as_it_was_written(pairs):
    hour = Hour.of(PAIR, 1 << 19, 123 << 50, drawn(np.random.default_rng(5), pairs))
    again = Hour.from_bytes(hour.to_bytes())
    assert (again.detectors, again.hour, again.livetime_ns) == (PAIR, 1 << 19, 123 << 50)
    np.testing.assert_array_equal(again.cells, hour.cells)
    np.testing.assert_array_equal(again.counts, hour.counts)
    assert again.to_bytes() == hour.to_bytes()


def test_an_hour_is_the_same_in_any_order_of_its_pairs():
    slid = drawn(np.random.default_rng(6), 500)
    back = Ranked(labelled=slid.labelled[::-1], unlabelled=slid.unlabelled[::-1])
    assert Hour.of(PAIR, 1, 5, slid).to_bytes() == Hour.of(PAIR, 1, 5, back).to_bytes()


def counted_pairs(first, second, ranked):
    return CountedPairs(
        first=np.asarray(first, np.int64), second=np.asarray(second, np.int64), cells=cells(ranked)
    )


def test_triggers_of_louder_events_are_taken_out_of_the_background():
    """Trigger 0 of either detector is a signal's, and pairs with noise as loud as event 1."""
    noise = [0.0] * 20
    loud = Ranked(labelled=np.array([*noise, 9.0, 8.0]), unlabelled=np.array([*noise, 9.0, 8.0]))
    slid = counted_pairs([*range(1, 21), 0, 5], [*range(1, 21), 7, 0], loud)
    events = Ranked(labelled=np.array([7.0, 30.0]), unlabelled=np.array([7.0, 30.0]))
    found = counted_pairs([3, 0], [3, 0], events)
    second, first = hierarchical(slid, found, 1000 * SECOND, 1.5e-3)
    assert (first.far, first.louder, first.method) == (1e-3, 0, "slides_limit")
    assert (second.far, second.louder) == (1e-3, 0)
    second, first = hierarchical(slid, found, 1000 * SECOND, 1e-4)
    assert (second.far, second.louder, second.method) == (3e-3, 2, "slides")


def test_nothing_is_taken_out_of_noise():
    rng = np.random.default_rng(7)
    ranked, asked = drawn(rng, 300), drawn(rng, 30)
    slid = counted_pairs(rng.integers(0, 50, 300), rng.integers(0, 50, 300), ranked)
    events = counted_pairs(range(30), range(30), asked)
    plain = Background.of([Hour.of(PAIR, 0, 1000 * SECOND, ranked)])
    assert hierarchical(slid, events, 1000 * SECOND, 0.0) == [
        plain.rate(a, b) for a, b in zip(asked.labelled, asked.unlabelled, strict=True)
    ]


def test_state_of_a_day_of_three_detectors_is_small():
    """At 0.1 triggers a second, with far more slid pairs than there are: 3600 an hour."""
    rng = np.random.default_rng(8)
    slid = sum(
        len(Hour.of(pair, hour, HOUR_NS, drawn(rng, 3600, 0.0)).to_bytes())
        for pair in (("H1", "L1"), ("H1", "V1"), ("L1", "V1"))
        for hour in range(24)
    )
    triggers = 0
    for name in "HLV":
        for hour in range(24):
            ranks = 5.5 * rng.uniform(size=360) ** (-1 / 2.2)
            label = [f"class {n}" for n in rng.integers(0, 28, 360)]
            place = rng.integers(0, PLACES, 360)
            one = TriggerHour.of(name, hour, HOUR_NS, ranks, place, label, ifo=name)
            triggers += len(one.to_bytes())
    assert slid < 72 * 3600 * 3
    assert triggers < 72 * 360 * 11


def test_sums_and_rates_are_quick():
    """A guard against what is a hundred times too slow."""
    rng = np.random.default_rng(9)
    hours = [Hour.of(PAIR, hour, HOUR_NS, drawn(rng, 3600, 0.0)) for hour in range(168)]
    start = process_time()
    background = Background.of(hours)
    summed = process_time() - start
    start = process_time()
    for value in np.linspace(-20, 40, 100):
        background.rate(value, value)
    assert summed < 5
    assert (process_time() - start) / 100 < 0.05
