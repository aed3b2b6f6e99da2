"""Events of a network."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from tests.coincidences import CLASSES, MS, T0, arrival, many, waveform
from transforms.coders import EventCoder
from transforms.coincide.arrivals import Arrivals
from transforms.coincide.events import CONTEXT_SECONDS, REACH_NS, Ranked, event_id, events
from transforms.coincide.pairs import features, taken, zero_lag
from transforms.coincide.sites import travel_ns
from transforms.elements import FINAL, PRELIMINARY, SETTLED, Arrival, Event
from transforms.gps import NANOSECONDS

S = NANOSECONDS
CONFIG = "0123456789abcdef"
Network = Mapping[str, list[Arrival]]


def by_chance(one: Arrival, other: Arrival) -> float:
    """Return a loudness that has nothing to do with how loud; some are equal."""
    return hashlib.sha256(f"{one.id}{other.id}".encode()).digest()[0] // 16


def by_rank(one: Arrival, other: Arrival) -> float:
    return one.rank + other.rank


def ranked(network: Network, loudness: Any = by_rank) -> tuple[list[Ranked], dict[str, Arrivals]]:
    arrivals = {ifo: Arrivals.of(members, CLASSES) for ifo, members in network.items()}
    made = []
    for one, other in combinations(sorted(network), 2):
        a, b, travel = arrivals[one], arrivals[other], travel_ns(one, other)
        pairs = zero_lag(a, b, travel)
        looks = features(a, b, pairs, travel)
        both = zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
        loud = np.array([loudness(a.members[i], b.members[j]) for i, j in both], float)
        made.append(
            Ranked(
                first_ifo=one,
                second_ifo=other,
                pairs=pairs,
                loudness=loud,
                rank=loud + 1,
                rank_unlabelled=loud + 2,
                correlation=looks.correlation,
                delay_ns=looks.delay_ns,
            )
        )
    return made, arrivals


def found(network: Network, loudness: Any = by_rank) -> list[Event]:
    return events(*ranked(network, loudness), CONFIG)


def members(event: Event) -> list[str]:
    return [each.id for each in event.triggers]


def at(ifo: str, seconds: float, rank: float = 7.0, name: str = "", **fields: Any) -> Arrival:
    time_ns = T0 + round(seconds * S)
    return arrival(time_ns, ifo=ifo, rank=rank, id=name or f"{ifo}{seconds:g}", **fields)


def network(*all_: Arrival) -> dict[str, list[Arrival]]:
    out: dict[str, list[Arrival]] = {}
    for each in all_:
        out.setdefault(each.ifo, []).append(each)
    return out


def test_two_triggers_are_an_event_with_all_that_is_said_of_them() -> None:
    rng = np.random.default_rng(1)
    wave = waveform(rng, T0 + S // 2)
    a = at("H1", 0.5, snr=3.0, arrived_ns=5, dq=("CAT2",), **wave)
    b = at("L1", 0.506, 8.0, snr=4.0, arrived_ns=9, injections=("CBC_HW_INJ",), **wave)
    (event,) = found(network(b, a))
    assert event.id == f"E{T0 // S}-01234567"
    assert event.time_ns == a.time_ns
    assert event.detectors == ("H1", "L1")
    empty = {"waveform": b"", "waveform_rate": 0, "waveform_start_ns": 0}
    assert event.triggers == (replace(a, **empty), replace(b, **empty))
    assert event.snr == 5
    assert (event.rank, event.rank_unlabelled) == (16, 17)
    assert event.correlation == pytest.approx(1)
    assert event.delay_ns == 0
    assert event.pair == "H1L1"
    assert event.config == CONFIG
    assert event.arrived_ns == 9
    assert math.isnan(event.far)
    again = EventCoder().decode(EventCoder().encode(event))
    assert replace(again, far=0.0) == replace(event, far=0.0)


def test_three_detectors_are_one_event_whatever_the_best_pair() -> None:
    ranks = {"H1": 7.0, "L1": 8.0, "V1": 9.0}
    for names in ("HLV", "HVL", "LHV", "LVH", "VHL", "VLH"):
        loud = dict(zip((f"{n}1" for n in names), (5.0, 7.0, 9.0), strict=True))
        (event,) = found(network(*(at(ifo, 0.5, loud[ifo]) for ifo in ranks)))
        assert event.detectors == ("H1", "L1", "V1")
        quietest = min(loud, key=lambda ifo: loud[ifo])
        assert event.pair == "".join(ifo for ifo in ranks if ifo != quietest)


def test_a_third_that_pairs_with_either_joins_under_the_same_id() -> None:
    a, b = at("H1", 0.5, 9), at("L1", 0.505, 9)
    alone = found(network(a, b))[0].id
    # 35 ms after H1: only with L1 does it meet, once light has come.
    narrow = {"low_frequency": 165.0, "high_frequency": 200.0}
    wide = replace(b, high_frequency=200.0)
    (event,) = found(network(a, wide, at("V1", 0.52, 5, **narrow)))
    assert event.detectors == ("H1", "L1", "V1")
    assert event.id == alone
    assert len(found(network(a, b, at("V1", 0.52, 5, **narrow)))[0].detectors) == 2


def test_of_two_that_may_join_the_louder_pair_does() -> None:
    both = at("H1", 0.5, 9), at("L1", 0.505, 9)
    (event,) = found(network(*both, at("V1", 0.51, 5), at("V1", 0.515, 6), at("K1", 0.5, 5)))
    assert members(event) == ["H10.5", "K10.5", "L10.505", "V10.515"]


def test_the_loudest_pair_of_any_detectors_is_the_event_of_its_second() -> None:
    quiet = at("H1", 0.2, 5), at("L1", 0.2, 5)
    loud = at("L1", 0.8, 9), at("V1", 0.8, 9)
    (event,) = found(network(*quiet, *loud))
    assert event.pair == "L1V1"


def test_of_neighbours_that_share_a_trigger_the_quieter_is_dropped() -> None:
    """H1 sees the signal in two pieces, either side of a second's end."""
    wide = at("L1", 1.0, 9, start_ns=T0 + S // 2, end_ns=T0 + 3 * S // 2)
    (event,) = found(network(at("H1", 0.9, 6), at("H1", 1.1, 7), wide))
    assert members(event) == ["H11.1", "L11"]


def test_a_trigger_that_only_joins_leaves_the_quieter_event_alone() -> None:
    long = at("V1", 1.0, 5, start_ns=T0 + S // 2, end_ns=T0 + 3 * S // 2)
    pairs = at("H1", 0.7, 8), at("L1", 0.7, 8), at("H1", 1.3, 9), at("L1", 1.3, 9)
    quiet, loud = found(network(*pairs, long))
    assert quiet.detectors == ("H1", "L1")
    assert members(loud) == ["H11.3", "L11.3", "V11"]


def test_what_a_louder_event_takes_from_one_that_is_dropped_stays_dropped() -> None:
    """No chain: whether the louder one is itself dropped does not matter."""
    first = at("H1", 0.9, name="a0"), at("V1", 1.2, name="v", start_ns=T0 + 9 * S // 10)
    joins = {"start_ns": T0 + 23 * S // 20, "end_ns": T0 + 41 * S // 20}
    last = at("L1", 2.1, name="l", start_ns=T0 + 2 * S), at("V1", 2.1, name="w")
    drawn = network(*first, at("H1", 1.9, name="a1", **joins), *last)
    loud = {"a0v": 12.0, "a1v": 13.0, "lw": 18.0, "a1l": 1.0}
    made = found(drawn, lambda x, y: loud[x.id + y.id])
    assert [members(event) for event in made] == [["a1", "l", "w"]]
    # Without the loudest, the one in the middle is there, and still none for the first.
    made = found({**drawn, "L1": []}, lambda x, y: loud[x.id + y.id])
    assert [members(event) for event in made] == [["a1", "v"]]


@pytest.mark.parametrize(
    ("one", "other", "worst"),
    [
        (FINAL, FINAL, FINAL),
        (FINAL, SETTLED, SETTLED),
        (PRELIMINARY, SETTLED, PRELIMINARY),
        (FINAL, PRELIMINARY, PRELIMINARY),
    ],
)
def test_an_event_is_known_as_far_as_its_least_known_trigger(
    one: str, other: str, worst: str
) -> None:
    (event,) = found(network(at("H1", 0.5, status=one), at("L1", 0.5, status=other)))
    assert event.status == worst


def labelled(*told: tuple[tuple[str, float], ...]) -> tuple[str, float]:
    first, second = (
        at(ifo, 0.5, probabilities=p) for ifo, p in zip(("H1", "L1"), told, strict=True)
    )
    (event,) = found(network(first, second))
    return event.label, event.score


def test_a_label_is_the_product_of_what_both_say() -> None:
    one = (("blip", 0.6), ("chirp", 0.4), ("koi", 0.0))
    other = (("blip", 0.2), ("chirp", 0.5), ("koi", 0.3))
    label, score = labelled(one, other)
    # koi counts as .01 in the first trigger.
    assert label == "chirp"
    assert score == pytest.approx(0.4 * 0.5 / (0.6 * 0.2 + 0.4 * 0.5 + 0.01 * 0.3))
    assert labelled(one, ())[0] == "blip"
    assert labelled((), other) == ("chirp", pytest.approx(0.5))


def test_classifiers_that_exclude_each_other_do_not_divide_by_zero() -> None:
    one, other = ((("blip", 1.0),), (("chirp", 1.0),))
    label, score = labelled(one, other)
    assert label == "blip"  # the first of equals
    assert score == pytest.approx(0.01 / 0.0201)


@pytest.mark.parametrize("told", [(), (("other", 1.0),)])
def test_an_event_of_which_nobody_says_anything_has_no_label(
    told: tuple[tuple[str, float], ...],
) -> None:
    label, score = labelled(told, told)
    assert label == ""
    assert math.isnan(score)


def test_a_network_with_nothing_has_no_events() -> None:
    assert events([], {}, CONFIG) == []
    assert found({"H1": [], "L1": [], "V1": []}) == []
    assert found(network(at("H1", 0.5), at("L1", 3.5))) == []


def test_detectors_out_of_order_or_twice_are_refused() -> None:
    (pair,), arrivals = ranked(network(at("H1", 0.5), at("L1", 0.5)))
    swapped = replace(pair, first_ifo="L1", second_ifo="H1")
    for wrong in ([swapped], [pair, pair]):
        with pytest.raises(ValueError, match="in order of name, once"):
            events(wrong, arrivals, CONFIG)


def crowd(seed: int, rate: int, seconds: int) -> dict[str, list[Arrival]]:
    """Draw far more long triggers than there ever are."""
    rng = np.random.default_rng(seed)
    return {ifo: many(rng, ifo, rate * seconds, seconds) for ifo in ("H1", "K1", "L1", "V1")}


def without_nan(made: Iterable[Event]) -> list[Event]:
    return [replace(event, far=0.0) for event in made]


@pytest.mark.parametrize("loudness", [by_rank, by_chance])
@pytest.mark.parametrize("rate", [1, 3])
def test_no_trigger_is_in_two_events_and_each_is_the_best_of_its_second(
    loudness: Any, rate: int
) -> None:
    pairs, arrivals = ranked(crowd(5, rate, 60), loudness)
    made = events(pairs, arrivals, CONFIG)
    names = [name for event in made for name in members(event)]
    assert len(names) == len(set(names))
    assert len({event.id for event in made}) == len(made) > 10
    assert {len(event.detectors) for event in made} >= {2, 3}
    best: dict[str, float] = {}
    for each in pairs:
        times = arrivals[each.first_ifo].time_ns[each.pairs.first] // S
        for second, loud in zip(times.tolist(), each.loudness.tolist(), strict=True):
            key = event_id(second, CONFIG)
            best[key] = max(best.get(key, loud), loud)
    for event in made:
        assert event.rank == best[event.id] + 1
        assert {event.pair[:2], event.pair[2:]} <= set(event.detectors)
        assert event.snr == pytest.approx(math.hypot(*(each.snr for each in event.triggers)))
        times = [each.time_ns for each in event.triggers]
        assert max(times) - min(times) < 2 * REACH_NS


@pytest.mark.parametrize("loudness", [by_rank, by_chance])
def test_events_do_not_depend_on_the_order_of_triggers_and_pairs(loudness: Any) -> None:
    rng = np.random.default_rng(9)
    drawn = crowd(6, 2, 40)
    expected = without_nan(found(drawn, loudness))
    for _ in range(3):
        shuffled = {
            ifo: [drawn[ifo][i] for i in rng.permutation(len(drawn[ifo]))]
            for ifo in rng.permutation(list(drawn)).tolist()
        }
        pairs, arrivals = ranked(shuffled, loudness)
        mixed = []
        for each in rng.permutation(len(pairs)).tolist():
            order = rng.permutation(len(pairs[each].loudness))
            columns = ("loudness", "rank", "rank_unlabelled", "correlation", "delay_ns")
            moved = {name: getattr(pairs[each], name)[order] for name in columns}
            mixed.append(replace(pairs[each], pairs=taken(pairs[each].pairs, order), **moved))
        assert without_nan(events(mixed, arrivals, CONFIG)) == expected


@pytest.mark.parametrize("loudness", [by_rank, by_chance])
@pytest.mark.parametrize("rate", [1, 3])
def test_events_depend_on_what_is_near_them_alone(loudness: Any, rate: int) -> None:
    drawn = crowd(7, rate, 70)
    whole = without_nan(found(drawn, loudness))
    margin = CONTEXT_SECONDS * S
    together = []
    for start, end in ((0, 20), (20, 21), (21, 40), (40, 70)):
        low, high = T0 + start * S, T0 + end * S
        part = {
            ifo: [x for x in all_ if low - margin <= x.time_ns < high + margin]
            for ifo, all_ in drawn.items()
        }
        keys = {event_id(second, CONFIG) for second in range(low // S, high // S)}
        together += [each for each in found(part, loudness) if each.id in keys]
    order = {event.id: number for number, event in enumerate(whole)}
    assert set(order) == {event.id for event in together}
    assert sorted(without_nan(together), key=lambda each: order[each.id]) == whole


def test_the_context_is_as_long_as_extents_allow() -> None:
    assert CONTEXT_SECONDS == 13
    assert 6 * REACH_NS <= CONTEXT_SECONDS * S
    assert REACH_NS > 2 * S + 30 * MS
