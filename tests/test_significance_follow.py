"""Events while they happen: any order, a late detector, a dead one, and what is kept."""

import random
from dataclasses import replace
from itertools import count

import pytest

from transforms.coders import NetworkStateCoder
from transforms.elements import (
    FINAL,
    PRELIMINARY,
    WITHDRAWN,
    Arrival,
    Event,
    NetworkState,
    Progress,
)
from transforms.gps import NANOSECONDS
from transforms.significance import follow

S = NANOSECONDS


def arrival(ifo, time_ns, **changes):
    """Return a short, final trigger."""
    plain = Arrival(
        id="",
        ifo=ifo,
        channel=f"{ifo}:STRAIN",
        time_ns=time_ns,
        start_ns=time_ns - 10_000_000,
        end_ns=time_ns + 10_000_000,
        frequency=100.0,
        low_frequency=80.0,
        high_frequency=120.0,
        bandwidth=40.0,
        duration=0.02,
        q=5.0,
        snr=8.0,
        rank=8.0,
        amplitude=1e-22,
        label="cbc",
        score=0.9,
        probabilities=(("cbc", 0.9), ("blip", 0.1)),
        dq=(),
        injections=(),
        config="c",
        model="m",
    )
    return replace(plain, **changes)


WAIT = 60 * S
NEAR = 20_000_000


def find(arrivals, low_ns, high_ns):
    """Return each trigger of H1 with all of others near it as an event of its second."""
    events = []
    for first in sorted(arrivals, key=lambda a: (a.time_ns, a.id)):
        near = [a for a in arrivals if a.ifo != "H1" and abs(a.time_ns - first.time_ns) < NEAR]
        if first.ifo != "H1" or not near or not low_ns <= first.time_ns // S * S < high_ns:
            continue
        members = (first, *sorted(near, key=lambda a: a.ifo))
        final = all(a.status == FINAL for a in members)
        events.append(
            Event(
                id=f"E{first.time_ns // S}",
                time_ns=first.time_ns,
                detectors=tuple(a.ifo for a in members),
                triggers=members,
                snr=1.0,
                rank=1.0,
                rank_unlabelled=1.0,
                correlation=0.0,
                delay_ns=0,
                pair="H1L1",
                label="cbc",
                score=1.0,
                config="x",
                status=FINAL if final else PRELIMINARY,
            )
        )
    return events


def stories(seconds=300, detectors=("H1", "L1", "V1"), every=7):
    """Return what each detector tells, in its own order: triggers, and progress each second."""
    told = {}
    for number, ifo in enumerate(detectors):
        lines = []
        names = count()
        for second in range(1000, 1000 + seconds):
            ids = ()
            if second % every == 0:
                name = f"{ifo}-{next(names)}"
                time = second * S + 300_000_000 + number * 5_000_000
                one = arrival(ifo, time, id=name, status=PRELIMINARY)
                lines += [one, replace(one, status=FINAL)]
                ids = (name,)
            lines.append(
                Progress(
                    channel=f"{ifo}:STRAIN",
                    ifo=ifo,
                    final_ns=(second + 1) * S,
                    start_ns=second * S,
                    end_ns=(second + 1) * S,
                    triggers=ids,
                )
            )
        told[ifo] = lines
    return told


def play(lines, most=None):
    """Return the state in the end, and the last word on each event."""
    state, last, statuses = NetworkState(), {}, []
    for line in lines:
        came = not isinstance(line, Progress)
        take = follow.with_arrival if came else follow.with_progress
        state = take(state, line)
        while follow.hour_due(state, WAIT) is not None:
            state = follow.with_hour(state)
        state, events = follow.settled(state, find, WAIT, came_ns=line.time_ns if came else None)
        for event in events:
            if last.get(event.id) is not None:
                assert last[event.id].status != FINAL, "a final event changed"
            last[event.id] = event
            statuses.append(event.status)
        if most is not None:
            assert len(NetworkStateCoder().encode(state)) < most
    return state, last, statuses


def merged(told, rng, ahead=20):
    """Return the lines of all, each detector's in order, none more than so much ahead."""
    places = dict.fromkeys(told, 0)
    lines = []
    while any(places[ifo] < len(told[ifo]) for ifo in told):
        least = min(places.values())
        ready = [i for i in told if places[i] < len(told[i]) and places[i] <= least + ahead]
        ifo = rng.choice(ready)
        lines.append(told[ifo][places[ifo]])
        places[ifo] += 1
    return lines


def finals(last):
    return {
        name: replace(event, arrived_ns=0) for name, event in last.items() if event.status == FINAL
    }


def test_final_events_do_not_depend_on_the_order_in_which_detectors_tell():
    told = stories()
    _, expected, _ = play(merged(told, random.Random(0)))
    assert len(finals(expected)) > 20
    for seed in range(1, 4):
        _, last, _ = play(merged(told, random.Random(seed)))
        assert finals(last) == finals(expected)


def test_triggers_may_come_later_than_what_names_them():
    told = stories()
    _, expected, _ = play(merged(told, random.Random(0)))
    rng = random.Random(7)
    for ifo, lines in told.items():
        later = list(lines)
        for place in range(len(later) - 12):
            if not isinstance(later[place], Progress) and rng.random() < 0.5:
                later.insert(place + rng.randrange(12), later.pop(place))
        told[ifo] = later
    _, last, _ = play(merged(told, rng))
    assert finals(last) == finals(expected)


def test_an_event_is_published_with_its_second_trigger_and_keeps_its_id_with_a_third():
    state = NetworkState()
    seen = []
    for number, ifo in enumerate(("H1", "L1", "V1")):
        one = arrival(ifo, 1200 * S + number * 5_000_000, id=ifo, status=PRELIMINARY)
        state, events = follow.settled(
            follow.with_arrival(state, one), find, WAIT, came_ns=one.time_ns
        )
        seen.append([(event.id, event.detectors, event.status) for event in events])
    assert seen == [
        [],
        [("E1200", ("H1", "L1"), PRELIMINARY)],
        [("E1200", ("H1", "L1", "V1"), PRELIMINARY)],
    ]


def test_final_triggers_make_no_final_event_before_others_are_final():
    state = NetworkState()
    for ifo in ("H1", "L1"):
        one = arrival(ifo, 1200 * S, id=ifo)
        state, events = follow.settled(
            follow.with_arrival(state, one), find, WAIT, came_ns=one.time_ns
        )
    assert [event.status for event in events] == [PRELIMINARY]


def test_an_event_whose_trigger_is_withdrawn_is_withdrawn():
    state = NetworkState()
    pair = [arrival(ifo, 1200 * S, id=ifo, status=PRELIMINARY) for ifo in ("H1", "L1")]
    gone = replace(pair[1], status=WITHDRAWN)
    for one in (*pair, gone):
        state, events = follow.settled(
            follow.with_arrival(state, one), find, WAIT, came_ns=one.time_ns
        )
    assert [event.status for event in events] == [WITHDRAWN]
    assert state.published == ()


def test_a_dead_detector_holds_nobody_back_for_longer_than_the_limit():
    told = stories()
    dead = [line for line in told["V1"] if isinstance(line, Progress) and line.end_ns < 1050 * S]
    alive = merged({ifo: told[ifo] for ifo in ("H1", "L1")}, random.Random(3))
    state, last, _ = play(dead + alive)
    assert follow.horizon_ns(state, WAIT) == 1300 * S - WAIT
    done = finals(last)
    assert {event.detectors for event in done.values()} == {("H1", "L1")}
    assert max(event.time_ns for event in done.values()) > (1300 - 60 - 30) * S
    assert all(name in last for name in (f"E{s}" for s in range(1001, 1290) if s % 7 == 0))


def test_a_detector_that_has_ended_is_not_waited_for():
    told = stories()
    end = Progress(channel="V1:STRAIN", ifo="V1", final_ns=1050 * S, ended=True)
    alive = merged({ifo: told[ifo] for ifo in ("H1", "L1")}, random.Random(3))
    state, _, _ = play([*told["V1"][:50], end, *alive])
    assert follow.horizon_ns(state, WAIT) == 1300 * S


def test_at_first_nobody_knows_who_will_come():
    told = stories(seconds=50)
    state, last, _ = play(told["H1"])
    assert follow.horizon_ns(state, WAIT) < 1000 * S
    assert finals(last) == {}


def test_what_comes_after_its_time_was_settled_is_late():
    told = stories(detectors=("H1", "L1"))
    state, _, _ = play(merged(told, random.Random(1)))
    assert follow.is_late(state, arrival("V1", 1200 * S, id="late"))
    assert not follow.is_late(state, arrival("V1", 1400 * S, id="new"))


def test_hours_are_due_one_after_the_other_when_all_is_final():
    told = stories(seconds=2 * 3600, every=10**6)
    state, hours = NetworkState(), []
    for line in merged(told, random.Random(5)):
        state = follow.with_progress(state, line)
        while (hour := follow.hour_due(state, WAIT)) is not None:
            assert follow.horizon_ns(state, WAIT) > hour + follow.HOUR_NS
            hours.append(hour // follow.HOUR_NS)
            state = follow.with_hour(state)
    assert hours == [-1, 0, 1]


@pytest.mark.parametrize("dead", [False, True])
def test_state_is_bounded(dead):
    told = stories(seconds=1800, detectors=("H1", "L1"), every=5)
    if dead:
        told["V1"] = stories(seconds=10, detectors=("V1",))["V1"]
    state, _, _ = play(merged(told, random.Random(2), ahead=10**9 if dead else 20), most=200_000)
    assert len(state.waiting) < 200


def test_channels_that_ended_long_ago_are_forgotten():
    state = NetworkState()
    for number in range(50):
        final = (1000 + 10_000 * number) * S
        state = follow.with_progress(
            state, Progress(channel=f"H1:{number}", ifo="H1", final_ns=final, ended=True)
        )
    assert len(state.channels) < 12
