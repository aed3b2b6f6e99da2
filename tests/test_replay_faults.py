"""Faults on purpose and the order of sending: each frame is accounted for, whatever the seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_pipeline.replay.faults import (
    CORRUPT,
    DELAY,
    DROP,
    DUPLICATE,
    KINDS,
    REORDER,
    Fault,
    Faults,
    parse,
)
from beam_pipeline.replay.playback import PlayedFrame
from beam_pipeline.replay.schedule import RateLimiter, schedule
from transforms.elements import Frame
from transforms.gps import NANOSECONDS as S

START = 1_400_000_000
RATE = 16


def frame(place, ifo="H1", channel="X", shift=0):
    start_ns = (START + place) * S
    data = np.full(RATE, place, np.float64).tobytes()
    sent = Frame(
        ifo=ifo,
        channel=f"{ifo}:{channel}",
        sample_rate=RATE,
        gps_start_ns=start_ns + shift,
        data=data,
    )
    return PlayedFrame(frame=sent, due_ns=start_ns + shift + S, file_ns=start_ns, place=place)


def stream(places, ifos=("H1", "L1")):
    return [frame(place, ifo) for place in places for ifo in ifos]


def sent(frames, *faults, seed=0):
    return list(schedule(frames, Faults(faults, seed), S))


def order(sendings):
    return [(one.played.frame.ifo, one.played.place) for one in sendings]


faults = st.lists(
    st.tuples(st.sampled_from(list(KINDS)), st.floats(0, 0.2), st.integers(0, 5 * S)),
    max_size=5,
).map(lambda items: [Fault(k, p, delay_ns=d if k == DELAY else 0) for k, p, d in items])


@settings(max_examples=80, deadline=None)
@given(
    places=st.sets(st.integers(0, 60)).map(sorted),
    given_faults=faults,
    seed=st.integers(0, 1000),
)
def test_each_frame_is_accounted_for(places, given_faults, seed):
    frames = stream(places)
    sendings = sent(frames, *given_faults, seed=seed)
    assert sorted(order(sendings)) == sorted((one.frame.ifo, one.place) for one in frames)
    assert [one.at_ns for one in sendings] == sorted(one.at_ns for one in sendings)
    judge = Faults(given_faults, seed)
    for one in sendings:
        late = one.at_ns - one.played.due_ns
        drawn = judge.of(one.played)
        if one.fault is None:
            assert late == 0
            assert drawn is None or drawn.kind == REORDER
        else:
            assert one.fault == drawn
            assert late == {DELAY: one.fault.delay_ns, REORDER: S}.get(one.fault.kind, 0)
    assert sendings == sent(frames, *given_faults, seed=seed)
    # Whoever is not late stays in order.
    timely = [one.played for one in sendings if one.at_ns == one.played.due_ns]
    assert [one.due_ns for one in timely] == sorted(one.due_ns for one in timely)


def test_chance_is_that_of_the_seed_and_the_place_alone():
    chances = [Fault(kind, 0.1) for kind in KINDS]

    def befallen(frames, seed):
        return [(f.place, g.kind) for f in frames if (g := Faults(chances, seed).of(f))]

    frames = [frame(place) for place in range(400)]
    first = befallen(frames, 1)
    assert befallen([frame(place, shift=77 * S) for place in range(400)], 1) == first
    assert befallen(frames[::-1], 1) == first[::-1]
    assert befallen(frames, 2) != first
    assert befallen([frame(place, "L1") for place in range(400)], 1) != first


def test_probabilities_are_what_is_asked_for():
    asked = {DROP: 0.05, CORRUPT: 0.1, DELAY: 0.2, REORDER: 0.25, DUPLICATE: 0.3}
    judge = Faults([Fault(kind, p) for kind, p in asked.items()], 5)
    frames = [frame(place) for place in range(10_000)]
    found = [fault.kind for one in frames if (fault := judge.of(one))]
    for kind, probability in asked.items():
        # Five standard deviations.
        sigma = np.sqrt(len(frames) * probability * (1 - probability))
        assert abs(found.count(kind) - len(frames) * probability) < 5 * sigma
    assert all(Faults([Fault(DROP, 1.0)]).of(one) for one in frames)


def test_a_reordered_frame_comes_after_the_next_of_its_detector():
    swap = parse(REORDER, f"H1:{START + 1}")
    assert order(sent(stream(range(4), ["H1"]), swap)) == [("H1", n) for n in (0, 2, 1, 3)]
    both = order(sent(stream(range(4)), swap))
    assert [n for ifo, n in both if ifo == "H1"] == [0, 2, 1, 3]
    assert [n for ifo, n in both if ifo == "L1"] == [0, 1, 2, 3]
    pair = parse(REORDER, f"{START + 1},{START + 2}")
    sendings = sent(stream(range(4), ["H1"]), pair)
    assert order(sendings) == [("H1", n) for n in (0, 2, 1, 3)]
    assert [one.fault.kind if one.fault else "" for one in sendings] == ["", "", REORDER, ""]
    assert order(sent(stream(range(2), ["H1"]), swap)) == [("H1", 0), ("H1", 1)]


def test_a_delayed_frame_lets_others_go_on():
    late = parse(DELAY, f"L1:{START + 1}:2")
    assert order(sent(stream(range(5)), late)) == [
        *[("H1", 0), ("L1", 0), ("H1", 1), ("H1", 2), ("L1", 2)],
        *[("H1", 3), ("L1", 3), ("L1", 1), ("H1", 4), ("L1", 4)],
    ]
    long = parse(DELAY, f"{START}:1000")
    assert order(sent(stream(range(3), ["H1"]), long))[-1] == ("H1", 0)


@pytest.mark.parametrize(
    ("kind", "text", "fault"),
    [
        (DROP, "0.01", Fault(DROP, 0.01)),
        (DROP, ".5", Fault(DROP, 0.5)),
        (DROP, "1", Fault(DROP, 1.0)),
        (DROP, "0", Fault(DROP, 0.0)),
        (DROP, "1e-3", Fault(DROP, 0.001)),
        (CORRUPT, "1126259450", Fault(CORRUPT, times=(("", 1126259450 * S),))),
        (DELAY, "0.1:2.5", Fault(DELAY, 0.1, delay_ns=5 * S // 2)),
        (DELAY, "H1:10,20.5:3", Fault(DELAY, 0, (("H1", 10 * S), ("", 41 * S // 2)), 3 * S)),
    ],
)
def test_faults_as_people_write_them(kind, text, fault):
    assert parse(kind, text) == fault


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *[(DROP, text) for text in ("", "often", "-0.1", "nan", "H2O:5", "1126259450,", "5;6")],
        *[(DELAY, text) for text in ("0.1", "0.1:", "0.1:-1", "0.1:inf", ":3", "H1:1126259450")],
    ],
)
def test_faults_that_cannot_be_read(kind, text):
    with pytest.raises(ValueError, match=f"--{kind} .*: write a probability") as refused:
        parse(kind, text)
    assert "\n" not in str(refused.value)


def test_too_much_chance_is_refused():
    with pytest.raises(ValueError, match="more than 1"):
        Faults([Fault(DROP, 0.6), Fault(DELAY, 0.5)])


@settings(max_examples=200, deadline=None)
@given(
    messages=st.lists(st.binary(min_size=1, max_size=400), min_size=1, max_size=3),
    place=st.integers(0, 1000),
    seed=st.integers(0, 1000),
)
def test_damage_always_shows_in_one_message(messages, place, seed):
    judge = Faults((), seed)
    damaged, how = judge.corrupted(frame(place), messages)
    changed = [
        n for n, pair in enumerate(zip(messages, damaged, strict=True)) if pair[0] != pair[1]
    ]
    assert len(changed) == 1
    assert how.startswith(f"message {changed[0]}")
    assert len(damaged[changed[0]]) <= len(messages[changed[0]])
    assert judge.corrupted(frame(place), messages) == (damaged, how)


class Clock:
    """Time that goes on when it is waited for."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


def sent_at(pace, clock, sendings, work=0.0):
    times = []
    for one in sendings:
        clock.now += work
        clock.now += max(0.0, pace.left(one.at_ns))
        times.append(clock.now)
    return times


@settings(max_examples=50, deadline=None)
@given(speed=st.floats(0.1, 100), given_faults=faults, begun=st.floats(0, 1e6))
def test_frames_are_sent_when_they_are_due(speed, given_faults, begun):
    sendings = sent(stream(range(30)), *given_faults)
    clock = Clock(begun)
    times = sent_at(RateLimiter(speed, clock), clock, sendings)
    due = [begun + (one.at_ns - sendings[0].at_ns) / S / speed for one in sendings]
    assert times == pytest.approx(due)
    assert times[0] == begun


def test_what_holds_one_frame_up_does_not_hold_up_the_rest():
    sendings, clock = sent(stream(range(10), ["H1"])), Clock(0.0)
    pace = RateLimiter(1.0, clock)
    assert sent_at(pace, clock, sendings[:3], work=0.3) == pytest.approx([0.3, 1.3, 2.3])
    clock.now = 7.0
    assert sent_at(pace, clock, sendings[3:]) == pytest.approx([7, 7, 7, 7, 7.3, 8.3, 9.3])


def test_speed_0_never_waits_and_a_gps_clock_is_that_of_the_data():
    (sending,) = sent([frame(5)])
    assert RateLimiter(0, Clock(0.0)).left(sending.at_ns) <= 0
    pace = RateLimiter(1, Clock(START + 4.75), reads_gps=True)
    assert pace.left(sending.at_ns) == pytest.approx(1.25)
