"""Events of a network: the same live and from archives, in whatever order they come."""

import random
from dataclasses import replace

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that

from tests import rankings
from tests.cells import Bag, Cell
from transforms.classify.artefact import ArtefactError, default_artefact, load_card
from transforms.coders import timed
from transforms.coincide.config import CoincideConfig
from transforms.elements import FINAL, Arrival, Progress, Segment, Told
from transforms.gps import NANOSECONDS
from transforms.significance import stage
from transforms.significance.config import SignificanceConfig
from transforms.significance.livetime import HOUR_NS
from transforms.significance.network import Memory, Network, load_statistic
from transforms.significance.stage import Heard, Rank

S = NANOSECONDS
START, HOURS = 200_000 * HOUR_NS // 1000 * 1000, 3
IFOS = ("H1", "L1", "V1")
COINCIDE = CoincideConfig(wait_seconds=60.0)


def network(classes=rankings.CLASSES, **changes):
    config = SignificanceConfig(hours=2, minimum_hours=0.2, last_seconds=100.0, **changes)
    return Network(
        statistic=rankings.learnt(),
        config=config,
        least_rank=5.5,
        classes=classes,
        config_id="0123456789ab",
    )


def arrival(rng, ifo, time_ns, **changes):
    """Return a final trigger with a waveform of its own."""
    frequency = float(np.exp(rng.uniform(np.log(30), np.log(1000))))
    length = int(np.exp(rng.uniform(np.log(5e6), np.log(5e8))))
    sure = rng.dirichlet(np.full(len(rankings.CLASSES), 0.3))
    best = int(np.argmax(sure))
    plain = Arrival(
        id=f"{ifo}-{time_ns}",
        ifo=ifo,
        channel=f"{ifo}:STRAIN",
        time_ns=time_ns,
        start_ns=time_ns - length,
        end_ns=time_ns + length // 2,
        frequency=frequency,
        low_frequency=frequency / 1.3,
        high_frequency=frequency * 1.3,
        bandwidth=frequency / 2,
        duration=length / 1e9,
        q=float(rng.uniform(3, 30)),
        snr=8.0,
        rank=float(5.5 * rng.uniform() ** (-1 / 2.5)),
        amplitude=1e-22 * float(rng.lognormal()),
        label=rankings.CLASSES[best],
        score=float(sure[best]),
        probabilities=tuple(zip(rankings.CLASSES, map(float, sure), strict=True)),
        dq=(),
        injections=(),
        config="c",
        model="m",
        waveform=rng.normal(size=1024).astype(np.float32).tobytes(),
        waveform_rate=2048,
        waveform_start_ns=time_ns - S // 4,
    )
    return replace(plain, **changes)


def drawn(seed=1, every=12.0, signals=40):
    """Return the triggers of three detectors: accidents, and signals that all of them see."""
    rng = np.random.default_rng(seed)
    length = HOURS * HOUR_NS
    found = []
    for ifo in IFOS:
        for time in rng.integers(START, START + length, int(length / S / every)):
            found.append(arrival(rng, ifo, int(time)))
    for time in rng.integers(START + 60 * S, START + length - 60 * S, signals):
        first = arrival(rng, "H1", int(time), rank=9.0)
        for ifo in IFOS[: int(rng.integers(2, 4))]:
            late = int(rng.integers(-9_000_000, 9_000_000))
            found.append(
                replace(
                    first,
                    id=f"{ifo}-{time}",
                    ifo=ifo,
                    channel=f"{ifo}:STRAIN",
                    **{
                        name: getattr(first, name) + late
                        for name in ("time_ns", "start_ns", "end_ns", "waveform_start_ns")
                    },
                )
            )
    return found


GAP = (START + HOUR_NS + 120 * S, START + HOUR_NS + 720 * S)
"""In which V1 is not searched."""


def stretches(ifo):
    whole = (START, START + HOURS * HOUR_NS)
    return [(whole[0], GAP[0]), (GAP[1], whole[1])] if ifo == "V1" else [whole]


def seen(arrivals):
    return [a for a in arrivals if any(s <= a.time_ns < e for s, e in stretches(a.ifo))]


FOUND = []
"""Events of the pipeline that runs."""


def collect(events):
    FOUND.extend(events)


def archive(arrivals):
    """Return the events of the stage on files."""
    FOUND.clear()
    segments = [
        Segment(ifo=ifo, channel=f"{ifo}:STRAIN", start_ns=start, end_ns=end, analysed=True)
        for ifo in IFOS
        for start, end in stretches(ifo)
    ]
    with beam.Pipeline(FnApiRunner()) as pipeline:
        heard = Heard(
            arrivals=pipeline
            | "Arrivals" >> beam.Create(arrivals).with_output_types(Arrival)
            | beam.Map(lambda a: timed(a, a.time_ns)).with_output_types(Arrival),
            progress=pipeline | "Progress" >> beam.Create([]).with_output_types(Progress),
            segments=pipeline | "Segments" >> beam.Create(segments).with_output_types(Segment),
        )
        events = heard | Rank(network=network(), coincide=COINCIDE)
        assert_that(events, collect)
    return sorted(FOUND, key=lambda event: event.id)


def told_live(arrivals, step=30 * S):
    """Return what each channel tells live, in its own order, each with its time."""
    lines = {}
    for ifo in IFOS:
        own = sorted((a for a in arrivals if a.ifo == ifo), key=lambda a: a.time_ns)
        lines[ifo] = []
        for low in range(START, START + HOURS * HOUR_NS, step):
            inside = [a for a in own if low <= a.time_ns < low + step]
            lines[ifo] += [(a.time_ns, Told(arrivals=(a,))) for a in inside]
            start, end = searched(ifo, low, low + step)
            progress = Progress(
                channel=f"{ifo}:STRAIN",
                ifo=ifo,
                final_ns=low + step,
                start_ns=start,
                end_ns=end,
                triggers=tuple(a.id for a in inside),
            )
            lines[ifo].append((low + step, Told(progress=(progress,))))
        end = START + HOURS * HOUR_NS
        last = replace(progress, start_ns=end, end_ns=end, triggers=(), final_ns=end + 200 * S)
        lines[ifo].append((end, Told(progress=(last,))))
    return lines


def searched(ifo, low, high):
    """Return what of a stretch was searched; nothing, at its end, in a gap."""
    for start, end in stretches(ifo):
        if max(start, low) < min(end, high):
            return max(start, low), min(end, high)
    return high, high


def live(arrivals, seed, ahead=40 * S, restart=False):
    """Return the last word on each event of the live stage, in a random order of what is told."""
    rng = random.Random(seed)
    lines = told_live(arrivals)
    cells = Cell(), Cell(), Bag()
    following = stage._FollowNetwork(network(), 60 * S)
    following.setup()
    last, places = {}, dict.fromkeys(lines, 0)
    while left := {i: lines[i][places[i]][0] for i in lines if places[i] < len(lines[i])}:
        least = min(left.values())
        ifo = rng.choice([i for i in left if left[i] <= least + ahead])
        told = lines[ifo][places[ifo]][1]
        places[ifo] += 1
        if restart and rng.random() < 0.02:
            following = stage._FollowNetwork(network(), 60 * S)
            following.setup()
        for event in following.process((b"network", told), *cells):
            last[event.value.id] = event.value
    return last, cells


def plain(event):
    triggers = tuple(replace(each, arrived_ns=0) for each in event.triggers)
    return repr(replace(event, arrived_ns=0, triggers=triggers))


@pytest.fixture(scope="module")
def arrivals():
    return seen(drawn())


@pytest.fixture(scope="module")
def from_files(arrivals):
    return archive(arrivals)


def test_final_events_live_are_those_of_files_bit_for_bit(arrivals, from_files):
    assert len(from_files) > 60
    assert sum(event.far_method != "" for event in from_files) > 20
    assert {len(event.detectors) for event in from_files} == {2, 3}
    for seed, restart in ((1, False), (2, True)):
        last, _ = live(arrivals, seed, restart=restart)
        final = [event for event in last.values() if event.status == FINAL]
        expected = [event for event in from_files if event.time_ns < START + HOURS * HOUR_NS]
        assert sorted(map(plain, final)) == sorted(map(plain, expected))


def test_a_model_of_other_classes_is_ranked_without_labels(arrivals):
    other = network(classes=(*rankings.CLASSES, "gaussian"))
    assert network().ranked_classes == rankings.CLASSES
    assert other.ranked_classes == ()
    found = other.events(arrivals, START, START + 1000 * S, Memory(other, ()))
    assert found
    assert all(event.rank == event.rank_unlabelled for event in found)
    assert all(event.label in rankings.CLASSES for event in found)


def test_each_trigger_is_in_one_event(from_files):
    used = [trigger.id for event in from_files for trigger in event.triggers]
    assert len(used) == len(set(used))


def test_files_in_any_order_give_the_same_events(arrivals, from_files):
    mixed = list(arrivals)
    random.Random(3).shuffle(mixed)
    assert list(map(plain, archive(mixed))) == list(map(plain, from_files))


def test_what_is_kept_has_a_bound(arrivals):
    _, (state, past, since) = live(arrivals, 4)
    assert len(state.read().waiting) < 40
    assert len(past.read().hours) == 2
    reach = (network().last_ns + HOUR_NS) // S + 200
    assert len(since.read()) < 3 * reach / 12 * 1.5


def test_a_past_that_is_too_short_gives_no_rate(from_files):
    early = [event for event in from_files if event.time_ns < START + 600 * S]
    assert early
    assert all(np.isnan(event.far) and event.far_method == "" for event in early)


def test_a_statistic_that_is_missing_is_one_line():
    with pytest.raises(ArtefactError, match=r"^significance.statistic: none.json: cannot be read"):
        load_statistic("none.json")


def test_the_packaged_statistic_knows_the_packaged_model():
    card = load_card(default_artefact())
    assert set(card.classes) <= set(load_statistic("").classes)
