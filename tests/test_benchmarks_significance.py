"""Rates of events: what efficiency and calibration count, against counts by hand."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.significance import calibration, efficiency
from models.ranking import pairing
from models.ranking.fit import Examples, learn
from models.ranking.sets import NOTHING, Seen, SeenSignals
from models.simulation.network import FIRST_GPS, Signal
from transforms.coincide.arrivals import COUNT, RATE
from transforms.elements import Arrival
from transforms.gps import NANOSECONDS
from transforms.significance.config import SignificanceConfig
from transforms.significance.statistic import Card

START = FIRST_GPS * NANOSECONDS
CLASSES = ("cbc", "blip")
SECOND = NANOSECONDS
NEAR = 2 * SECOND, 3 * SECOND, 600 * SECOND
H1L1 = ("H1", "L1")


def _arrival(name, time_ns, rank, frequency, probability, rng):
    ifo = name.lstrip("s")[:2]
    wave = np.zeros(COUNT, np.float32)
    wave[COUNT // 2 - 20 : COUNT // 2 + 20] = rng.standard_normal(40)
    return Arrival(
        id=name,
        ifo=ifo,
        channel=f"{ifo}:SIMULATED-STRAIN",
        time_ns=time_ns,
        start_ns=time_ns - 20_000_000,
        end_ns=time_ns + 20_000_000,
        frequency=frequency,
        low_frequency=frequency / 1.5,
        high_frequency=frequency * 1.5,
        bandwidth=frequency,
        duration=0.04,
        q=8.0,
        snr=rank + 1,
        rank=rank,
        amplitude=1e-22 * rank,
        label="cbc" if probability > 0.5 else "blip",
        score=max(probability, 1 - probability),
        probabilities=(("cbc", probability), ("blip", 1 - probability)),
        dq=(),
        injections=(),
        config="c",
        model="m",
        waveform=wave.tobytes(),
        waveform_rate=RATE,
        waveform_start_ns=time_ns - COUNT // 2 * SECOND // RATE,
    )


def _noise(ifo, seconds, every, seed):
    """Return noise that triggers at random times, once in so many seconds; half of it glitches."""
    rng = np.random.default_rng((seed, *ifo.encode()))
    times = np.sort(rng.uniform(0, seconds, rng.poisson(seconds / every)))
    arrivals = tuple(
        _arrival(
            f"{ifo}{number}",
            START + round(at * SECOND),
            5.5 * rng.uniform() ** (-1 / 3),
            float(np.exp(rng.uniform(np.log(40), np.log(800)))),
            rng.uniform(0, 0.4),
            rng,
        )
        for number, at in enumerate(times.tolist())
    )
    causes = tuple(number if number % 2 else NOTHING for number in range(len(arrivals)))
    end = START + seconds * SECOND
    return [Seen(ifo=ifo, start_ns=START, end_ns=end, arrivals=arrivals, causes=causes)]


def _heard(count, seed):
    """Return signals that two detectors hear alike, every tenth by one alone."""
    rng = np.random.default_rng(seed)
    signals, sides = [], ([], [])
    for number in range(count):
        at, rank = START + number * 5 * SECOND, rng.uniform(6, 20)
        frequency, delay = float(rng.uniform(100, 300)), int(rng.uniform(-9e6, 9e6))
        signals.append(Signal(kind="cbc", gps=at / 1e9, snr=rank * 1.5, snrs=(rank, rank)))
        for side, ifo, shift in zip(sides, H1L1, (0, delay), strict=True):
            if ifo == "L1" and number % 10 == 9:
                continue
            heard = _arrival(f"s{ifo}{number}", at + shift, rank, frequency, 0.9, rng)
            side.append((number, heard))
    seen = tuple(
        Seen(
            ifo=ifo,
            start_ns=START,
            end_ns=START + count * 5 * SECOND,
            arrivals=tuple(each for _, each in side),
            causes=tuple(cause for cause, _ in side),
        )
        for ifo, side in zip(H1L1, sides, strict=True)
    )
    return [SeenSignals(signals=tuple(signals), seen=seen)]


@pytest.fixture(scope="module")
def noise():
    return {ifo: _noise(ifo, 4 * 3600, 9, 1) for ifo in H1L1}


@pytest.fixture(scope="module")
def heard():
    return _heard(60, 2)


@pytest.fixture(scope="module")
def slid(noise):
    return pairing.slid_noise(noise, H1L1, CLASSES, NEAR)


@pytest.fixture(scope="module")
def statistic(slid, heard):
    card = Card(
        name="test", command="", signals="", noise="", signal_pairs=0, noise_pairs=0, seed=1,
        versions=(),
    )  # fmt: skip
    examples = Examples(
        signals=pairing.of_signals(heard, H1L1, CLASSES).loudest(),
        noise=slid.both.features,
        first=slid.counts[0],
        second=slid.counts[1],
    )
    return learn([examples], CLASSES, card)


def test_slides_live_as_long_as_both_detectors_together(slid):
    lags = np.arange(4, 601, 2)
    assert slid.livetime_ns == 2 * np.sum(4 * 3600 - lags) * SECOND
    assert len(slid.both.pairs.first) > 500


def test_pairs_of_signals_are_of_one_signal_each(heard):
    found = pairing.of_signals(heard, H1L1, CLASSES)
    assert set(found.signal.tolist()) == {n for n in range(60) if n % 10 != 9}
    first, second = found.both.first, found.both.second
    for i, j, signal in zip(
        found.both.pairs.first, found.both.pairs.second, found.signal, strict=True
    ):
        assert first.members[i].id == f"sH1{signal}"
        assert second.members[j].id == f"sL1{signal}"
    assert len(found.loudest().rank_first) == len(set(found.signal.tolist()))


def test_triggers_of_two_signals_are_no_pair(heard):
    (one,) = heard
    other = one.seen[1]
    mixed = replace(other, causes=tuple(cause + 1 for cause in other.causes))
    found = pairing.of_signals([replace(one, seen=(one.seen[0], mixed))], H1L1, CLASSES)
    assert not len(found.signal)
    assert not len(found.loudest().rank_first)


def test_a_rate_is_what_counting_by_hand_gives(statistic, slid, heard):
    signals = pairing.of_signals(heard, H1L1, CLASSES)
    made = efficiency.rates_of(statistic, slid, signals, 60, CLASSES)
    pairs, features = slid.both.pairs, slid.both.features
    loudness = np.hypot(features.rank_first, features.rank_second)
    best = {}
    seconds = slid.both.first.time_ns[pairs.first] // SECOND
    for second, shift, value in zip(seconds, pairs.shift_ns, loudness, strict=True):
        best[second, shift] = max(best.get((second, shift), 0), value)
    background = np.array(list(best.values()))
    own = signals.both.features
    for number, signal in enumerate(signals.signal.tolist()):
        value = np.hypot(own.rank_first[number], own.rank_second[number])
        wanted = (np.sum(background >= value) + 1) / (slid.livetime_ns / 1e9)
        assert made.rates["sum of squares"][signal] == pytest.approx(wanted)
    for name in efficiency.STATISTICS:
        assert np.isinf(made.rates[name][9::10]).all()
        assert np.isfinite(np.delete(made.rates[name], np.s_[9::10])).all()


def test_labels_find_what_sums_do_not(statistic, slid, heard):
    signals = pairing.of_signals(heard, H1L1, CLASSES)
    made = efficiency.rates_of(statistic, slid, signals, 60, CLASSES)
    median = {name: np.median(made.rates[name]) for name in efficiency.STATISTICS}
    assert median["with labels"] < median["sum of squares"] / 3
    assert median["joint"] < median["sum of squares"] / 3


def test_a_network_has_as_many_trials_as_pairs(statistic, slid, heard):
    signals = pairing.of_signals(heard, H1L1, CLASSES)
    one = efficiency.rates_of(statistic, slid, signals, 60, CLASSES)
    worse = replace(one, rates={name: 5 * rate for name, rate in one.rates.items()})
    both = efficiency.together([one, worse])
    for name, rate in one.rates.items():
        assert both[name] == pytest.approx(2 * rate)


def test_the_table_counts_parts_of_the_signals():
    signals = [
        Signal(kind=kind, gps=0.0, snr=snr, snrs=(snr, snr / 4))
        for kind, snr in (("cbc", 7.0), ("cbc", 13.0), ("ccsn", 30.0), ("ccsn", 30.0))
    ]
    far = {name: np.array([np.inf, 1e-9, 1e-9, 2e-8]) for name in efficiency.STATISTICS}
    found = efficiency.table(far, signals, (0, 1), 1e-9)
    assert found["all"]["any pair"] == 0.75
    assert found["all"]["joint"] == {"1/day": 0.75, "1/month": 0.75, "1/yr": 0.75, "1/10 yr": 0.5}
    assert found["SNR 12-15"]["joint"]["1/10 yr"] == 1
    assert found["cbc"]["signals"] == 2
    assert found["ccsn, heard in two"]["signals"] == 2
    assert "cbc, heard in two" not in found
    assert "SNR 8-10" not in found
    shallow = efficiency.table(far, signals, (0, 1), 1e-8)
    assert set(shallow["all"]["joint"]) == {"1/day", "1/month", "1/yr"}


def test_rates_of_noise_hold(statistic, noise):
    trial = calibration.Trial(days=2, seed=1, noise="stationary")
    config = SignificanceConfig(hours=6)
    counts = [calibration.counted(statistic, noise, H1L1, trial, config)]
    made = calibration.summary(counts)
    assert made["days"] == pytest.approx(1.75)
    hourly = made["levels"]["1/hour"]
    assert hourly["promised"] == pytest.approx(42, rel=0.05)
    # There are two events an hour, whose rates are known from thousands of slid pairs.
    assert hourly["ratio"] == pytest.approx(1, abs=4 * hourly["error"])
    assert hourly["counted"] > 20


def test_the_same_trial_counts_the_same(statistic, noise):
    trial = calibration.Trial(days=1, seed=2, noise="storm")
    config = SignificanceConfig(hours=12, last_seconds=60)
    first, again = (calibration.counted(statistic, noise, H1L1, trial, config) for _ in range(2))
    assert first == again
    other = replace(trial, seed=3)
    assert calibration.counted(statistic, noise, H1L1, other, config).rates != first.rates
    assert len(first.hours) == 12


def test_counts_stand_beside_what_was_promised():
    hours = (1e-4,) * 240
    counts = [calibration.Count(hours=hours, rates=(1e-3, 1e-4, 1e-5, 1e-6))] * 2
    levels = calibration.summary(counts)["levels"]
    assert levels["1/day"]["counted"] == 4
    assert levels["1/day"]["promised"] == pytest.approx(20)
    assert levels["1/day"]["ratio"] == pytest.approx(0.2)
    assert levels["1/hour"]["counted"] == 6
    assert levels["1/hour"]["promised"] == pytest.approx(480 * 3600 * 1e-4)
