"""Pairs of triggers, in zero lag and in slides."""

from dataclasses import fields, replace

import numpy as np
import pytest

from tests.coincidences import CLASSES, MS, T0, TRAVEL, arrival, listed, many, naive, waveform
from transforms.arrays import FloatArray
from transforms.coincide import pairs as module
from transforms.coincide.arrivals import COUNT, RATE, Arrivals
from transforms.coincide.correlation import SLACK_NS, correlate
from transforms.coincide.features import Features, Pairs
from transforms.coincide.pairs import features, slid, slid_parts, taken, zero_lag
from transforms.gps import NANOSECONDS

S = NANOSECONDS


def two(seed: int, count: int = 40, seconds: float = 40) -> tuple[Arrivals, Arrivals]:
    rng = np.random.default_rng(seed)
    return (
        Arrivals.of(many(rng, "H1", count, seconds), CLASSES),
        Arrivals.of(many(rng, "L1", count + 7, seconds), CLASSES),
    )


def shifts(step: int, first: int, last: int) -> list[int]:
    ladder = range(-last // step - 1, last // step + 2)
    return [k * step for k in ladder if k and first <= abs(k * step) <= last]


@pytest.mark.parametrize("seed", range(4))
def test_pairs_of_no_shift_are_those_of_a_double_loop(seed: int) -> None:
    a, b = two(seed)
    assert listed(zero_lag(a, b, TRAVEL)) == naive(a, b, TRAVEL, [0]) != []


@pytest.mark.parametrize(
    ("step", "first", "last"),
    [
        (2 * S, 3 * S, 20 * S),
        (S // 5, 1 * S, 3 * S),
        (2 * S, 4 * S, 4 * S),
        (3 * S + 1, 0, 70 * S),
        (50 * S, 3 * S, 20 * S),
    ],
)
@pytest.mark.parametrize("chunk", [7, 512])
def test_slides_are_those_of_a_double_loop_over_each(
    step: int, first: int, last: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    a, b = two(step % 97, 20)
    expected = naive(a, b, TRAVEL, shifts(step, first, last))
    assert listed(slid(a, b, TRAVEL, step, first, last)) == expected


def test_long_triggers_are_a_pair_in_each_slide_where_they_meet() -> None:
    a = Arrivals.of([arrival(T0, S, S)], CLASSES)
    b = Arrivals.of([arrival(T0 + 10 * S, S, S)], CLASSES)
    found = slid(a, b, TRAVEL, S // 2, 3 * S, 600 * S)
    # Extents of 2 s meet where the peaks are less than 2 s and the travel time apart.
    assert [s / S for _, _, s in listed(found)] == [-12, -11.5, -11, -10.5, -10, -9.5, -9, -8.5, -8]
    assert len(set(listed(found))) == 9


@pytest.mark.parametrize(("off", "is_pair"), [(0, True), (-1, True), (1, False), (2, False)])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("shift", [0, 4 * S, -6 * S])
def test_extents_that_only_touch_once_light_has_come_are_no_pair(
    off: int, is_pair: bool, sign: int, shift: int
) -> None:
    apart = 20 * MS + TRAVEL - 1 + off
    a = Arrivals.of([arrival(T0)], CLASSES)
    b = Arrivals.of([arrival(T0 + sign * apart - shift)], CLASSES)
    found = slid(a, b, TRAVEL, 2 * S, 3 * S, 10 * S) if shift else zero_lag(a, b, TRAVEL)
    assert listed(found) == ([(0, 0, shift)] if is_pair else [])


@pytest.mark.parametrize(
    ("low", "high", "is_pair"),
    [(150.0, 300.0, True), (160.0, 300.0, False), (20.0, 60.0, False), (20.0, 60.1, True)],
)
def test_bands_that_only_touch_are_no_pair(low: float, high: float, is_pair: bool) -> None:
    a = Arrivals.of([arrival(T0)], CLASSES)
    b = Arrivals.of([arrival(T0, low_frequency=low, high_frequency=high)], CLASSES)
    assert len(zero_lag(a, b, TRAVEL).first) == is_pair


def test_peaks_alone_give_the_vector_of_the_note() -> None:
    a, b = (
        Arrivals.of([arrival(T0 + t * MS, 0, 1) for t in times], CLASSES)
        for times in ([10_000, 20_000, 30_000], [10_015, 14_008, 26_021, 29_985])
    )
    window = 20 * MS
    found = listed(zero_lag(a, b, window)) + listed(slid(a, b, window, 2 * S, S, 100 * S))
    expected = {(0, 0, 0), (0, 1, -2), (1, 1, 3), (2, 1, 8), (0, 3, -10), (1, 3, -5), (2, 3, 0)}
    expected |= {(1, 0, 5), (2, 0, 10)}
    assert {(i, j, shift // (2 * S)) for i, j, shift in found} == expected
    assert len(found) == len(expected)


def test_shifts_of_both_signs_mirror_the_detectors() -> None:
    a, b = two(11)
    there = listed(slid(a, b, TRAVEL, 2 * S, 3 * S, 20 * S))
    back = listed(slid(b, a, TRAVEL, 2 * S, 3 * S, 20 * S))
    assert there == sorted((i, j, -shift) for j, i, shift in back)
    assert {np.sign(shift) for _, _, shift in there} == {-1, 1}


def test_a_part_holds_all_pairs_of_its_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = two(12, 60, 30)
    whole = listed(slid(a, b, TRAVEL, 2 * S, 3 * S, 20 * S))
    for chunk, last in ((1, 20 * S), (4, 20 * S), (256, 20 * S), (256, 4 * S)):
        monkeypatch.setattr(module, "CHUNK", chunk)
        parts = list(slid_parts(a, b, TRAVEL, 2 * S, 3 * S, last))
        seconds = [set((a.time_ns[part.first] // S).tolist()) for part in parts]
        assert sum(map(len, seconds)) == len(set().union(*seconds))
        together = [pair for part in parts for pair in listed(part)]
        assert together == [pair for pair in whole if abs(pair[2]) <= last] != []
    assert len(parts) > 5


def test_more_triggers_in_a_second_than_are_paired_at_once_stay_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)
    times = [T0 + n * 100 * MS for n in range(25)]
    a, b = (Arrivals.of([arrival(t) for t in times], CLASSES) for _ in range(2))
    assert [len(set(p.first)) for p in slid_parts(a, b, TRAVEL, S // 10, 0, 10 * S)] == [10, 10, 5]


def test_pairs_do_not_depend_on_what_lies_farther_than_the_longest_shift() -> None:
    rng = np.random.default_rng(8)
    a, b = many(rng, "H1", 60, 60), many(rng, "L1", 60, 60)
    whole = [Arrivals.of(x, CLASSES) for x in (a, b)]
    part = [Arrivals.of([y for y in x if y.time_ns > T0 + 30 * S], CLASSES) for x in (a, b)]

    def late(one: Arrivals, other: Arrivals) -> set[tuple[str, str, int]]:
        found = listed(slid(one, other, TRAVEL, 2 * S, 3 * S, 10 * S))
        named = ((one.members[i], other.members[j], shift) for i, j, shift in found)
        return {(x.id, y.id, s) for x, y, s in named if min(x.time_ns, y.time_ns) > T0 + 43 * S}

    assert late(*whole) == late(*part) != set()


def test_nothing_pairs_with_nothing() -> None:
    a, none = two(1)[0], Arrivals.of([], CLASSES)
    for one, other in ((a, none), (none, a), (none, none)):
        assert listed(zero_lag(one, other, TRAVEL)) == []
        assert listed(slid(one, other, TRAVEL, 2 * S, 3 * S, 10 * S)) == []
        made = features(one, other, zero_lag(one, other, TRAVEL), TRAVEL)
        assert made.correlation.shape == (0,)
        assert made.probabilities_first.shape == (0, 3)


@pytest.mark.parametrize("step", [0, -1])
def test_a_step_that_leads_nowhere_is_refused(step: int) -> None:
    a, b = two(1)
    with pytest.raises(ValueError, match="must be above 0"):
        slid(a, b, TRAVEL, step, 3 * S, 10 * S)


def naive_correlation(
    a: Arrivals, b: Arrivals, i: int, j: int, shift: int, travel: int
) -> tuple[float, int]:
    """Try each delay: one sample after the other."""
    x, y = a.waveforms[i].astype(float), b.waveforms[j].astype(float)
    norm = np.sqrt(np.sum(x**2) * np.sum(y**2))
    best, where = 0.0, 0
    for lag in range(-COUNT + 1, COUNT):
        begins = int(b.waveform_start_ns[j]) + shift - int(a.waveform_start_ns[i])
        delay = begins + (lag * S + RATE // 2) // RATE
        if norm and abs(begins + lag * S / RATE) <= travel + SLACK_NS:
            low, high = max(0, -lag), min(COUNT, COUNT - lag)
            inner = float(x[low:high] @ y[low + lag : high + lag]) / norm
            if abs(inner) > abs(best) + 1e-12:
                best, where = inner, delay
    return best, where


@pytest.mark.parametrize("travel", [TRAVEL, 27_288_000])
@pytest.mark.parametrize("step", [2 * S, S // 5])
def test_correlation_is_that_of_all_delays_one_by_one(travel: int, step: int) -> None:
    a, b = two(5, 30, 20)
    pairs = slid(a, b, travel, step, S, 10 * S)
    pairs = taken(pairs, slice(0, None, max(len(pairs.first) // 100, 1)))
    top, delay = correlate(a, b, pairs, travel)
    assert np.abs(top).max() > 0.1
    assert (top < 0).any()
    for row, (i, j, shift) in enumerate(listed(pairs)):
        expected, where = naive_correlation(a, b, i, j, shift, travel)
        assert top[row] == pytest.approx(expected, abs=1e-9)
        if abs(expected) > 1e-6:
            assert delay[row] == where


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("lag", [0, 5, -17, 24])
def test_a_wave_seen_by_both_is_found_at_its_delay_with_its_sign(sign: int, lag: int) -> None:
    rng = np.random.default_rng(2)
    wave = waveform(rng, T0, 400, 500)
    samples = np.frombuffer(wave["waveform"], np.float32)
    late = {**wave, "waveform": (sign * np.roll(samples, lag)).astype(np.float32).tobytes()}
    a, b = (Arrivals.of([arrival(T0, **w)], CLASSES) for w in (wave, late))
    top, delay = correlate(a, b, zero_lag(a, b, TRAVEL), TRAVEL)
    assert top[0] == pytest.approx(sign)
    assert abs(top[0]) <= 1
    assert delay[0] == pytest.approx(lag * S / RATE, abs=1)


def test_no_delay_is_longer_than_light_and_whitening_allow() -> None:
    a, b = two(6, 60, 20)
    pairs = slid(a, b, TRAVEL, 2 * S, 3 * S, 10 * S)
    top, delay = correlate(a, b, pairs, TRAVEL)
    assert np.abs(delay).max() <= TRAVEL + SLACK_NS
    assert np.abs(top).max() <= 1


def test_empty_waveforms_do_not_correlate() -> None:
    rng = np.random.default_rng(2)
    whole = Arrivals.of([arrival(T0, **waveform(rng, T0))], CLASSES)
    empty = Arrivals.of([arrival(T0)], CLASSES)
    for one, other in ((whole, empty), (empty, whole), (empty, empty)):
        top, delay = correlate(one, other, zero_lag(one, other, TRAVEL), TRAVEL)
        assert top.tolist() == delay.tolist() == [0]


def same(one: Features, other: Features, rows: slice | list[int]) -> None:
    for field in fields(Features):
        x, y = getattr(one, field.name)[rows], getattr(other, field.name)
        assert np.array_equal(x, y), field.name
        assert np.isfinite(x).all(), field.name


def test_a_pair_looks_the_same_bit_for_bit_alone_and_among_others() -> None:
    rng = np.random.default_rng(4)
    a, b = many(rng, "H1", 80, 60), many(rng, "L1", 80, 60)
    one, other = Arrivals.of(a, CLASSES), Arrivals.of(b, CLASSES)
    pairs = slid(one, other, TRAVEL, 2 * S, 3 * S, 30 * S)
    together = features(one, other, pairs, TRAVEL)
    assert len(pairs.first) > 200
    for row in range(0, len(pairs.first), 9):
        x, y = one.members[pairs.first[row]], other.members[pairs.second[row]]
        zero = np.zeros(1, np.int64)
        alone = Pairs(first=zero, second=zero, shift_ns=pairs.shift_ns[[row]])
        alone_arrivals = Arrivals.of([x], CLASSES), Arrivals.of([y], CLASSES)
        same(together, features(*alone_arrivals, alone, TRAVEL), [row])
    for start, step in ((0, 3), (1, 2), (5, 11)):
        rows = slice(start, None, step)
        same(together, features(one, other, taken(pairs, rows), TRAVEL), rows)


def test_features_are_what_their_names_say() -> None:
    half = {"frequency": 50.0, "bandwidth": 25.0, "q": 2.0, "amplitude": 5e-23}
    a = Arrivals.of([arrival(T0, **half, low_frequency=100.0, high_frequency=200.0)], CLASSES)
    b = Arrivals.of(
        [arrival(T0 + 15 * MS - 4 * S, 5 * MS, 5 * MS, low_frequency=50.0, rank=9.0)], CLASSES
    )
    pairs = slid(a, b, TRAVEL, 2 * S, 3 * S, 10 * S)
    assert listed(pairs) == [(0, 0, 4 * S)]
    made = features(a, b, pairs, TRAVEL)
    assert (made.rank_first[0], made.rank_second[0]) == (7, 9)
    assert made.frequency[0] == pytest.approx(np.log(0.5))
    assert made.bandwidth[0] == pytest.approx(np.log(0.25))
    assert made.duration[0] == pytest.approx(np.log(2))
    assert made.q[0] == pytest.approx(np.log(0.25))
    assert made.amplitude[0] == pytest.approx(np.log(0.5))
    assert made.mean_q[0] == pytest.approx(4)
    assert made.time[0] == pytest.approx((15 * MS - TRAVEL) / S)
    assert made.shorter[0] == pytest.approx(0.01)
    assert made.overlap[0] == pytest.approx(np.log(1.6) / np.log(2))
    assert (made.place_first[0], made.place_second[0]) == (a.place[0], b.place[0])
    assert np.array_equal(made.probabilities_second, b.probabilities)


def test_peaks_closer_than_light_needs_are_not_apart() -> None:
    a, b = (Arrivals.of([arrival(T0 + t)], CLASSES) for t in (0, 9 * MS))
    assert features(a, b, zero_lag(a, b, TRAVEL), TRAVEL).time.tolist() == [0]


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_columns_that_have_no_logarithm_make_no_feature_that_is_no_number(value: float) -> None:
    broken = dict.fromkeys(("frequency", "bandwidth", "q", "amplitude", "duration"), value)
    a = Arrivals.of([replace(arrival(T0), **broken)], CLASSES)
    b = Arrivals.of([arrival(T0)], CLASSES)
    made = features(a, b, zero_lag(a, b, TRAVEL), TRAVEL)
    ratios: list[FloatArray] = [made.frequency, made.bandwidth, made.duration, made.q]
    assert np.isfinite([*ratios, made.amplitude, made.mean_q, made.overlap]).all()
