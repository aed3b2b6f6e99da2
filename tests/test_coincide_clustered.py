"""One pair a second."""

import numpy as np

from tests.coincidences import CLASSES, MS, T0, TRAVEL, arrival, many
from transforms.arrays import BoolArray, FloatArray
from transforms.coincide.arrivals import Arrivals
from transforms.coincide.clustered import best_by_second, second_of
from transforms.coincide.features import Index, Pairs
from transforms.coincide.pairs import slid, taken, zero_lag
from transforms.gps import NANOSECONDS

S = NANOSECONDS


def naive(seconds: Index, pairs: Pairs, loudness: FloatArray) -> BoolArray:
    best: dict[tuple[int, int], tuple[float, int, int]] = {}
    keys = list(zip(pairs.shift_ns.tolist(), seconds.tolist(), strict=True))
    told = list(zip((-loudness).tolist(), pairs.first.tolist(), pairs.second.tolist(), strict=True))
    for key, mine in zip(keys, told, strict=True):
        best[key] = min(best.get(key, mine), mine)
    return np.array([best[k] == mine for k, mine in zip(keys, told, strict=True)])


def test_the_loudest_of_each_second_and_slide_counts_in_any_order() -> None:
    rng = np.random.default_rng(1)
    a, b = (Arrivals.of(many(rng, ifo, 150, 60), CLASSES) for ifo in ("H1", "L1"))
    pairs = slid(a, b, TRAVEL, 2 * S, 3 * S, 20 * S)
    loudness = rng.integers(0, 4, len(pairs.first)).astype(float)  # many are equal
    seconds = second_of(a, pairs)
    best = best_by_second(seconds, pairs, loudness)
    assert np.array_equal(best, naive(seconds, pairs, loudness))
    assert 0 < best.sum() < len(best)
    for _ in range(3):
        order = rng.permutation(len(best))
        again = best_by_second(seconds[order], taken(pairs, order), loudness[order])
        assert np.array_equal(again, best[order])


def test_no_shift_counts_as_one_slide_does() -> None:
    """The same second of a slide, made of the same triggers, keeps the same pair."""
    rng = np.random.default_rng(2)
    a, late = many(rng, "H1", 100, 30), many(rng, "L1", 100, 30)
    moved = [
        arrival(x.time_ns - 4 * S, x.time_ns - x.start_ns, x.end_ns - x.time_ns, id=x.id)
        for x in late
    ]
    plain = [
        arrival(x.time_ns, x.time_ns - x.start_ns, x.end_ns - x.time_ns, id=x.id) for x in late
    ]
    one, zero, slide = (Arrivals.of(x, CLASSES) for x in (a, plain, moved))
    here = zero_lag(one, zero, TRAVEL)
    there = slid(one, slide, TRAVEL, 4 * S, 4 * S, 4 * S)
    there = taken(there, there.shift_ns == 4 * S)
    assert np.array_equal(here.first, there.first)
    assert np.array_equal(here.second, there.second)
    loudness = rng.normal(size=len(here.first))
    kept = best_by_second(second_of(one, here), here, loudness)
    assert np.array_equal(kept, best_by_second(second_of(one, there), there, loudness))


def test_a_second_begins_with_its_first_nanosecond() -> None:
    times = [T0 + S - 1, T0 + S, T0 + 2 * S - 1]
    a = Arrivals.of([arrival(t) for t in times], CLASSES)
    b = Arrivals.of([arrival(t + 3 * MS) for t in times], CLASSES)
    pairs = zero_lag(a, b, TRAVEL)
    seconds = second_of(a, pairs)
    assert (seconds - T0 // S).tolist() == [0, 0, 1, 1, 1]
    assert best_by_second(seconds, pairs, np.array([1.0, 2, 3, 4, 5])).sum() == 2


def test_what_is_not_a_number_is_the_least_loud() -> None:
    pairs = Pairs(first=np.arange(3), second=np.arange(3), shift_ns=np.zeros(3, np.int64))
    seconds = np.zeros(3, np.int64)
    best = best_by_second(seconds, pairs, np.array([np.nan, -np.inf, np.nan]))
    assert best.tolist() == [False, True, False]


def test_no_pairs_have_no_best() -> None:
    nothing = np.zeros(0, np.int64)
    pairs = Pairs(first=nothing, second=nothing, shift_ns=nothing)
    assert best_by_second(nothing, pairs, np.zeros(0)).shape == (0,)
