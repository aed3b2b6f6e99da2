"""A channel's past: exact counts, and rates that a prior holds while it is short."""

import math

import numpy as np
import pytest

from transforms.significance.livetime import HOUR_NS
from transforms.significance.triggers import (
    PLACES,
    RANK_EDGES,
    Past,
    TriggerCounts,
    TriggerHour,
    TriggerRates,
)

SECOND = 1_000_000_000
BINS = len(RANK_EDGES) - 1
WIDTHS = np.diff(np.log(RANK_EDGES))
LABELS = ("blip", "noise", "whistle")


def hour_of(rng, number=0, n=200, channel="H1:S"):
    ranks = 5.5 * rng.uniform(size=n) ** (-1 / 2.2)
    return TriggerHour.of(
        channel, number, HOUR_NS, ranks, rng.integers(0, PLACES, n), rng.choice(LABELS, n)
    )


def test_rates_of_a_trigger_are_counts_of_its_own_past():
    rng = np.random.default_rng(1)
    hours = [hour_of(rng, n, 50 * n) for n in range(4)]
    past = Past.of(hours)
    ranks = np.concatenate([hour.rank for hour in hours])
    labels = np.concatenate(
        [np.array(hour.names)[hour.label] if hour.names else [] for hour in hours]
    )
    for rank in (0.0, 5.5, ranks[3], ranks[60], ranks.max(), 1e4):
        louder = int(np.sum(ranks >= rank))
        rate = past.rate(rank)
        assert (rate.louder, rate.livetime_ns) == (louder, 4 * HOUR_NS)
        assert rate.far == (louder + 1) * SECOND / (4 * HOUR_NS)
        assert rate.method == ("past" if louder else "past_limit")
        for label in (*LABELS, "never"):
            assert past.rate_of(label, rank).louder == np.sum((ranks >= rank) & (labels == label))


def test_without_enough_past_a_trigger_has_no_rate():
    hour = hour_of(np.random.default_rng(2))
    for past in (Past.of([]), Past.of([hour], HOUR_NS + 1)):
        assert math.isnan(past.rate(6.0).far)
        assert math.isnan(past.rate_of("blip", 6.0).far)
        assert past.rate(6.0).method == ""
    assert Past.of([hour], HOUR_NS).rate(1e6).far == SECOND / HOUR_NS


def test_a_past_is_one_channels_each_hour_once():
    rng = np.random.default_rng(3)
    with pytest.raises(ValueError, match="own channel"):
        Past.of([hour_of(rng, 0), hour_of(rng, 1, channel="L1:S")])
    with pytest.raises(ValueError, match="twice"):
        Past.of([hour_of(rng, 0), hour_of(rng, 0)])


def test_an_hour_is_the_same_in_any_order_and_as_bytes():
    rng = np.random.default_rng(4)
    ranks, places = rng.integers(6, 9, 90).astype(float), rng.integers(0, PLACES, 90)
    labels = rng.choice(LABELS, 90)
    turn = rng.permutation(90)
    one = TriggerHour.of("H1:S", 3, 77, ranks, places, labels)
    other = TriggerHour.of("H1:S", 3, 77, ranks[turn], places[turn], labels[turn])
    assert one.to_bytes() == other.to_bytes()
    again = TriggerHour.from_bytes(one.to_bytes())
    assert vars(again).keys() == vars(one).keys()
    for name, value in vars(one).items():
        np.testing.assert_array_equal(getattr(again, name), value)
    none = TriggerHour.from_bytes(TriggerHour.of("é\n", 0, 1, [], [], []).to_bytes())
    assert (none.channel, len(none.rank), none.names) == ("é\n", 0, ())


@pytest.mark.parametrize(
    ("rank", "place", "label", "reason"),
    [
        ([6.0], [0, 1], ["a"], "as many"),
        ([6.0], [0], [], "as many"),
        ([math.nan], [0], ["a"], "finite"),
        ([6.0], [24], ["a"], "lie in 0 to 23"),
        ([6.0], [-1], ["a"], "lie in 0 to 23"),
    ],
)
def test_triggers_that_are_none_are_refused(rank, place, label, reason):
    with pytest.raises(ValueError, match=reason):
        TriggerHour.of("H1:S", 0, 1, rank, place, label)


def test_counts_are_those_of_a_histogram():
    hours = [hour_of(np.random.default_rng(n), n) for n in range(3)]
    got = TriggerCounts.of(hours)
    rank, place = (np.concatenate([getattr(h, name) for h in hours]) for name in ("rank", "place"))
    wanted = np.histogram2d(place, rank, [np.arange(PLACES + 1), RANK_EDGES])[0]
    np.testing.assert_array_equal(got.counts, wanted)
    assert got.livetime_ns == 3 * HOUR_NS
    assert TriggerCounts.of([]).counts.shape == (PLACES, BINS)
    outside = TriggerCounts.of([TriggerHour.of("H1:S", 0, 1, [1.0, 1e9], [2, 3], ["a", "a"])])
    assert outside.counts[2, 0] == outside.counts[3, -1] == 1


def test_a_long_past_has_the_rate_of_its_triggers():
    """Alike at all places, flat in ln of the rank: 2 a second and e-fold at each place."""
    rng = np.random.default_rng(5)
    seconds = 200 * 3600
    counts = rng.poisson(2.0 * seconds * np.tile(WIDTHS, (PLACES, 1)))
    past = TriggerCounts(counts=counts, livetime_ns=seconds * SECOND)
    rates = TriggerRates.of(past, np.full((PLACES, BINS), math.log(1e-3)))
    rank = np.exp(rng.uniform(np.log(9), np.log(2000), 50))
    got = rates(rank, rng.integers(0, PLACES, 50))
    # The past is 200 h of 206, and the prior's rate is next to nothing.
    np.testing.assert_allclose(got, math.log(2 * 200 / 206), atol=0.05)
    np.testing.assert_allclose(past.log_rates(0.05)[:, 14:-1], math.log(2), atol=0.05)


def test_without_a_past_rates_are_the_prior():
    prior = np.random.default_rng(6).normal(-8, 2, (PLACES, BINS))
    rates = TriggerRates.of(TriggerCounts.of([]), prior)
    np.testing.assert_allclose(rates.logs, prior, atol=1e-12)
    beyond = rates(np.array([0.1, 1e9]), np.array([4, 5]))
    np.testing.assert_allclose(beyond, [prior[4, 0], prior[5, -1]], atol=1e-12)


def test_prior_gives_way_to_the_past():
    prior = np.full((PLACES, BINS), math.log(5.0))
    rng, apart = np.random.default_rng(7), []
    for hours in (0, 1, 6, 24, 168):
        past = TriggerCounts.of([hour_of(rng, n, 400) for n in range(hours)])
        rates = TriggerRates.of(past, prior)
        apart.append(float(np.mean(np.exp(rates.logs))))
    assert apart == sorted(apart, reverse=True)
    assert apart[2] == pytest.approx(5 / 2, rel=0.2)


def test_counts_without_live_time_have_no_rates():
    with pytest.raises(ValueError, match="without live time"):
        TriggerCounts.of([]).log_rates(0.05)
