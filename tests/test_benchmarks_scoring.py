"""The rule by which every tool is judged."""

import numpy as np
import pytest

from benchmarks.detection import scoring
from benchmarks.detection.injections import Injection
from benchmarks.detection.scoring import Event, Fraction


def event(time, rank, extent=0.01, frequency=100.0):
    return Event(
        time=time, start=time - extent, end=time + extent, frequency=frequency, snr=rank, rank=rank
    )


def injection(time, snr=8.0, half=0.05):
    return Injection(
        label="sine_gaussian",
        snr=snr,
        time=time,
        start=time - half,
        end=time + half,
        frequency=100.0,
    )


def test_an_event_matches_where_it_overlaps_the_widened_interval():
    one = injection(100.0, half=0.5)
    for time, expected in ((100.0, True), (100.6, True), (100.62, False), (99.4, True)):
        assert (scoring.match([one], [event(time, 6.0)])[0] is not None) is expected, time


def test_an_event_matches_where_the_times_are_close():
    late = Injection(
        label="ring_down", snr=8.0, time=100.0, start=100.3, end=100.4, frequency=100.0
    )
    assert scoring.match([late], [event(100.09, 6.0)])[0] is not None
    assert scoring.match([late], [event(100.12, 6.0)])[0] is None


def test_of_several_events_the_loudest_counts():
    matched = scoring.match([injection(100.0)], [event(100.0, 6.0), event(100.1, 9.0)])
    assert matched[0].rank == 9.0


def test_no_events_match_nothing():
    assert scoring.match([injection(100.0)], []) == [None]


def test_threshold_lets_no_more_events_pass_than_the_rate_allows():
    ranks = np.arange(1.0, 101.0)
    limit = scoring.threshold(ranks, live=1000.0, far=1 / 100)
    assert (limit.value, limit.events, limit.reliable) == (90.0, 10, True)
    assert np.count_nonzero(ranks > limit.value) <= 1000 / 100


def test_threshold_rounds_down():
    limit = scoring.threshold([5.0, 6.0, 7.0], live=199.0, far=1 / 100)
    assert (limit.value, limit.events) == (6.0, 1)


def test_threshold_of_too_little_noise_says_so():
    assert not scoring.threshold([5.0, 6.0], live=50.0, far=1 / 100).reliable
    assert not scoring.threshold([5.0, 6.0], live=1000.0, far=1 / 100).reliable
    assert not scoring.threshold([], live=1000.0, far=1 / 100).reliable


def test_threshold_at_a_rate_is_exceeded_at_that_rate_by_other_noise():
    rng = np.random.default_rng(1)
    limit = scoring.threshold(rng.exponential(size=20000), live=20000.0, far=1 / 20)
    other = rng.exponential(size=20000)
    assert np.mean(other > limit.value) == pytest.approx(1 / 20, rel=0.1)


def test_efficiency_counts_by_bin_and_only_above_the_threshold():
    truth = [injection(0.0, 5.5), injection(10.0, 5.5), injection(20.0, 12.0)]
    matched = [event(0.0, 5.6), event(10.0, 5.4), event(20.0, 12.0)]
    counts = scoring.by_bin(truth, matched, 5.5)
    assert [(c.found, c.count) for c in counts] == [(1, 2), (0, 0), (0, 0), (0, 0), (1, 1)]


def test_binomial_error_is_never_zero_and_shrinks_with_the_number():
    assert Fraction(10, 10).error > 0
    assert Fraction(50, 100).error == pytest.approx(0.05, rel=0.02)
    assert np.isnan(Fraction(0, 0).value)


def test_thinning_keeps_the_loudest_of_neighbours():
    tiles = [event(1.00, 5.0), event(1.05, 7.0), event(1.14, 6.0), event(1.30, 5.0)]
    assert [e.time for e in scoring.thin(tiles, 0.1)] == [1.05, 1.30]


def test_chance_is_that_of_a_poisson_process():
    wide = [injection(0.0, half=5.0)]
    assert scoring.chance(wide, 1 / 100, 0.0) == pytest.approx(1 - np.exp(-0.102))


def test_errors_are_medians_over_what_was_found():
    truth = [injection(0.0), injection(10.0), injection(20.0)]
    matched = [event(0.001, 8.0, frequency=102.0), event(9.997, 8.8, frequency=99.0), None]
    found = scoring.errors(truth, matched, 5.0)
    assert found.count == 2
    assert found.time == pytest.approx(0.002)
    assert found.frequency == pytest.approx(0.015)
    assert found.snr == pytest.approx(1.05)


def test_recovery_is_of_loud_signals_and_counts_those_missed():
    truth = [injection(0.0, 10.0), injection(10.0, 20.0), injection(20.0, 30.0), injection(30, 5.0)]
    assert scoring.recovery(truth, [event(0.0, 11.0), event(10.0, 18.0), None, None]) == 0.9
