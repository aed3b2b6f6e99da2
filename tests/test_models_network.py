"""Simulated networks: what the sky does to a wave, glitches by rate, signals by loudness."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from models.simulation import network, noise, signals, sky
from models.simulation.network import NetworkConfig
from transforms.gps import NANOSECONDS
from transforms.whiten.config import WhitenConfig

WHITEN = WhitenConfig()
SMALL = NetworkConfig(seconds=32)
TRAVEL = {("H1", "L1"): 10.013e-3, ("H1", "V1"): 27.288e-3, ("L1", "V1"): 26.448e-3}
"""Light travel times [s], of LAL's sites."""


def _responses(direction, gps=1e9):
    return {ifo: sky.response(ifo, direction, gps) for ifo in ("H1", "L1", "V1")}


def test_the_longest_delays_are_those_of_light_between_the_sites():
    rng = np.random.default_rng(1)
    felt = [_responses(sky.Direction.draw(rng)) for _ in range(4000)]
    for (one, other), travel in TRAVEL.items():
        longest = max(abs(each[one].delay - each[other].delay) for each in felt)
        assert 0.99 * travel < longest <= travel + 1e-6


def test_a_response_is_the_projection_of_the_wave_on_the_detector():
    import lal

    direction = sky.Direction(right_ascension=1.1, declination=-0.4, polarisation=0.7)
    gps = 1_000_000_123.25
    angle = lal.GreenwichMeanSiderealTime(lal.LIGOTimeGPS(gps)) - direction.right_ascension
    dec, psi = direction.declination, direction.polarisation
    # The axes of the wave (Anderson et al. 2001, eqs. B4).
    x = np.array(
        [
            -np.cos(psi) * np.sin(angle) - np.sin(psi) * np.cos(angle) * np.sin(dec),
            -np.cos(psi) * np.cos(angle) + np.sin(psi) * np.sin(angle) * np.sin(dec),
            np.sin(psi) * np.cos(dec),
        ]
    )
    y = np.array(
        [
            np.sin(psi) * np.sin(angle) - np.cos(psi) * np.cos(angle) * np.sin(dec),
            np.sin(psi) * np.cos(angle) + np.cos(psi) * np.sin(angle) * np.sin(dec),
            np.cos(psi) * np.cos(dec),
        ]
    )
    for ifo, found in _responses(direction, gps).items():
        tensor = lal.cached_detector_by_prefix[ifo].response
        assert found.plus == pytest.approx(x @ tensor @ x - y @ tensor @ y, abs=1e-6)
        assert found.cross == pytest.approx(x @ tensor @ y + y @ tensor @ x, abs=1e-6)


def test_a_detector_that_nobody_built_is_refused():
    with pytest.raises(ValueError, match="no detector Q9"):
        sky.response("Q9", sky.Direction(right_ascension=0, declination=0, polarisation=0), 1e9)


def test_a_delay_moves_by_samples_and_by_parts_of_them():
    time = np.arange(4096) / 4096
    wave = np.exp(-0.5 * ((time - 0.5) / 0.02) ** 2) * np.sin(2 * np.pi * 150 * time)
    assert sky.delayed(wave, 7 / 4096, 4096) == pytest.approx(np.roll(wave, 7), abs=1e-9)
    halves = sky.delayed(sky.delayed(wave, 0.5 / 4096, 4096), 0.5 / 4096, 4096)
    assert halves == pytest.approx(np.roll(wave, 1), abs=1e-9)
    later = time - 0.0123
    moved = np.exp(-0.5 * ((later - 0.5) / 0.02) ** 2) * np.sin(2 * np.pi * 150 * later)
    assert sky.delayed(wave, 0.0123, 4096) == pytest.approx(moved, abs=1e-6)


@pytest.mark.parametrize("kind", signals.KINDS)
def test_waves_are_silent_at_their_ends(kind):
    for seed in range(3):
        wave = signals.draw(kind, 4096, np.random.default_rng(seed))
        top = max(np.abs(wave.plus).max(), np.abs(wave.cross).max())
        silent = int(0.1 * 4096)
        for part in (wave.plus, wave.cross):
            assert np.isfinite(part).all()
            assert np.abs(part[:silent]).max() < 1e-2 * top
            assert np.abs(part[-silent:]).max() < 1e-2 * top
        assert len(wave.plus) == len(wave.cross)
        assert 0 < wave.reference < len(wave.plus)


def test_what_is_elliptical_is_so_by_its_inclination():
    found = [signals.draw("sine_gaussian", 4096, np.random.default_rng(i)) for i in range(200)]
    ratio = np.array([np.linalg.norm(w.cross) / np.linalg.norm(w.plus) for w in found])
    # cos i is even: half of the ratios 2 c / (1 + c^2) lie below that of c = 1/2, which is 0.8.
    assert ratio.max() <= 1.01
    assert np.mean(ratio < 0.8) == pytest.approx(0.5, abs=0.1)
    inner = [abs(w.plus @ w.cross) / (w.plus @ w.plus) for w in found]
    assert max(inner) < 0.02


@pytest.mark.parametrize("kind", signals.LINEAR)
def test_linear_waves_have_one_polarisation(kind):
    assert not signals.draw(kind, 4096, np.random.default_rng(1)).cross.any()


def test_two_polarisations_of_a_burst_know_nothing_of_each_other():
    waves = [signals.draw(signals.BURST, 4096, np.random.default_rng(i)) for i in range(40)]
    alike = [w.plus @ w.cross / np.linalg.norm(w.plus) / np.linalg.norm(w.cross) for w in waves]
    assert abs(np.mean(alike)) < 0.15
    energy = [np.linalg.norm(w.plus) / np.linalg.norm(w.cross) for w in waves]
    assert np.exp(np.mean(np.log(energy))) == pytest.approx(1, abs=0.1)


def test_glitches_fall_as_a_power_of_their_loudness():
    law, rng = network.GLITCH_SNR, np.random.default_rng(2)
    drawn = np.array([law.draw(rng) for _ in range(20_000)])
    assert drawn.min() >= 5
    assert drawn.max() <= 300
    for snr in (8.0, 15.0, 30.0):
        assert np.mean(drawn > snr) == pytest.approx((snr / 5) ** -2.2, rel=0.1)


@pytest.mark.parametrize("name", network.NOISES)
def test_rates_wander_around_one(name):
    second = np.arange(0, network.MOST, 60.0) + 30
    factor = network.NOISES[name](second)
    assert factor.mean() == pytest.approx(1, abs=2e-3)
    assert factor.max() == pytest.approx(network.HIGHEST[name], rel=2e-3)
    if name != "stationary":
        assert factor.max() / factor.min() == pytest.approx(10, rel=2e-3)


def test_a_storm_has_ten_times_as_many_glitches():
    config = NetworkConfig(seconds=100, noise="storm")
    quiet = range(5)
    storm = range(10 * 36 + 1, 10 * 36 + 6)
    count = [
        sum(len(_noise("L1", number, config).injections) for number in numbers)
        for numbers in (quiet, storm)
    ]
    # 176 s of strain each: 1.1 a minute, 24/33 of them and 240/33.
    assert count[0] == pytest.approx(12, abs=11)
    assert count[1] == pytest.approx(117, abs=35)


def _noise(ifo, number, config=SMALL, seed=1):
    return network.noise_stretch(ifo, number, config, WHITEN, seed)


def test_the_same_seed_gives_the_same_noise_and_another_one_another():
    first, again = (_noise("L1", 3) for _ in range(2))
    assert first.block == again.block
    assert [one.key for one in first.injections] == [one.key for one in again.injections]
    for other in (_noise("L1", 4), _noise("H1", 3), _noise("L1", 3, seed=2)):
        alike = np.corrcoef(np.diff(first.block.samples), np.diff(other.block.samples))[0, 1]
        assert abs(alike) < 0.1


def test_stretches_follow_one_another_on_the_hour():
    blocks = [_noise("H1", number).block for number in (0, 1)]
    assert blocks[0].analyse_start_ns == network.FIRST_GPS * NANOSECONDS
    assert network.FIRST_GPS % 3600 == 0
    assert blocks[0].analyse_end_ns == blocks[1].analyse_start_ns
    assert blocks[0].gps_start_ns < blocks[0].analyse_start_ns
    assert blocks[0].segment_end_ns > blocks[0].analyse_end_ns
    assert (blocks[0].ifo, blocks[0].channel) == ("H1", "H1:SIMULATED-STRAIN")


def test_signals_have_the_loudness_that_the_truth_tells():
    config = replace(SMALL, seconds=64)
    made = network.signal_stretch(0, config, WHITEN, 1)
    assert len(made.signals) > 4
    for number, signal in enumerate(made.signals):
        heard = [stretch.injections[number] for stretch in made.heard]
        assert 6 <= signal.snr <= 40
        assert np.hypot.reduce(signal.snrs) == pytest.approx(signal.snr, rel=1e-6)
        assert [one.snr for one in heard] == pytest.approx(signal.snrs, rel=1e-3)
        assert {one.label for one in heard} == {signal.kind}
        for one, other in pairwise(heard):
            # The curves are not alike, so the parts that hold the energy may differ.
            assert one.start_ns < other.end_ns + 10**8
            assert other.start_ns < one.end_ns + 10**8


def test_signals_lie_where_the_truth_says():
    config = replace(SMALL, seconds=64)
    made = network.signal_stretch(0, config, WHITEN, 1)
    for stretch, ifo in zip(made.heard, config.detectors, strict=True):
        block = stretch.block
        curve = noise.load(network.DETECTORS[ifo].curve)
        white = noise.whitened(block.samples, network.RATE, curve, network.BAND_LOW)
        for one in stretch.injections:
            if one.snr < 12:
                continue
            first = round((one.start_ns - block.gps_start_ns) / 1e9 * network.RATE)
            part = white[first : first + len(one.whitened)]
            # The matched filter's expectation is the SNR, and its variance 1.
            found = part @ one.whitened / np.linalg.norm(one.whitened)
            assert found == pytest.approx(one.snr * np.sqrt(0.96), abs=4)


def test_all_kinds_take_turns():
    made = network.signal_stretch(0, replace(SMALL, seconds=256), WHITEN, 2)
    kinds = [one.kind for one in made.signals]
    assert set(kinds[: len(signals.KINDS)]) == set(signals.KINDS)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"detectors": ("H1", "X9")}, "X9"),
        ({"detectors": ()}, "detectors"),
        ({"detectors": ("L1", "H1")}, "order"),
        ({"noise": "windy"}, "noise"),
        ({"seconds": 1}, "seconds"),
    ],
)
def test_impossible_networks_are_refused(fields, word):
    with pytest.raises(ValueError, match=word):
        NetworkConfig(**fields)
