"""Whether whitened strain is white beside a trigger, as statistics of its length allow."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import firwin, lfilter

from models.evaluation import whiteness
from tests.samples import TRIGGER
from transforms.elements import Whitened
from transforms.gps import NANOSECONDS, to_ns

RATE, LOW = 4096, 16.0
START_NS = 1_000_000_007 * NANOSECONDS
AT_NS = START_NS + 3 * NANOSECONDS // 10
"""A short trigger, at 0.3 s."""
BLIP = replace(
    TRIGGER,
    time_ns=AT_NS,
    start_ns=AT_NS - NANOSECONDS // 100,
    end_ns=AT_NS + NANOSECONDS // 100,
    low_frequency=60.0,
    high_frequency=300.0,
)


def noise(seconds, seed=0):
    return np.random.default_rng(seed).standard_normal(round(seconds * RATE))


def white(samples, before=RATE):
    """Make whitened strain of samples, after some that are not valid."""
    start_ns = START_NS - to_ns(before, RATE)
    asd = np.ones((1, 5), np.float32)
    return Whitened(
        ifo="H1",
        channel="H1:TEST",
        sample_rate=RATE,
        gps_start_ns=start_ns,
        data=np.concatenate([np.full(before, 1e6), samples]).astype("f4").tobytes(),
        valid_start_ns=START_NS,
        valid_end_ns=START_NS + to_ns(len(samples), RATE),
        analyse_start_ns=START_NS,
        analyse_end_ns=START_NS + to_ns(len(samples), RATE),
        asd=asd.tobytes(),
        asd_start_ns=0,
        asd_step_ns=1 << 62,
        asd_resolution=RATE / 8,
        response=asd.astype("c8").tobytes(),
    )


def scaled(samples, low, high, power):
    """Multiply the power of a band."""
    taps = firwin(1025, [low, min(high, 0.99 * RATE / 2)], fs=RATE, pass_zero=False)
    band = lfilter(taps, 1, np.concatenate([samples, np.zeros(512)]))[512:]
    return samples + (np.sqrt(power) - 1) * band


def octaves(samples, trigger=BLIP):
    return list(whiteness.octaves(white(samples), trigger, LOW))


def fault(samples, trigger=BLIP):
    return whiteness.fault(white(samples), trigger, LOW)


@pytest.mark.parametrize("seconds", [0.6, 1.0, 4.0, 13.0])
def test_white_noise_of_any_length_is_white(seconds):
    levels = []
    for seed in range(60):
        found = octaves(noise(seconds, seed))
        assert all(octave.white for octave in found)
        levels.append([octave.power for octave in found if octave.low >= 512])
    assert [octave.low for octave in found] == [16, 32, 64, 128, 256, 512, 1024]
    assert found[-1].high == RATE / 2
    assert np.mean(levels, axis=0) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("seconds", [2.0, 5.0])
def test_chance_is_as_the_degrees_of_freedom_say(seconds):
    far = replace(BLIP, low_frequency=1500.0, high_frequency=1600.0)
    found = [octaves(noise(seconds, seed), far) for seed in range(300)]
    cells = round(seconds / whiteness.CELL) * 2 - 1
    for place, frequencies in enumerate([3, 7, 15, 31, 63]):
        powers = [one[place].power for one in found]
        _, together = whiteness.freedoms(frequencies, cells)
        # Of a chi squared variable over its degrees of freedom, 2 / variance is their number.
        assert np.var(powers) == pytest.approx(2 / together, rel=0.35)
        assert np.mean(powers) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    ("low", "high", "power"), [(64, 128, 4.0), (1024, 2048, 2.6), (256, 512, 0.1), (16, 32, 50)]
)
@pytest.mark.parametrize("seconds", [3.6, 13.0])
def test_an_octave_of_other_noise_is_named(low, high, power, seconds):
    said = fault(scaled(noise(seconds), low, high, power))

    assert said.startswith(f"not white: at {low}-{high} Hz the noise has ")
    times = float(said.partition("the noise has ")[2].partition(" times")[0])
    assert times == pytest.approx(power, rel=0.5)


@pytest.mark.parametrize("power", [0.5, 1.3])
def test_noise_that_wanders_as_real_noise_does_is_white_enough(power):
    assert fault(scaled(noise(8.0), 64, 512, power)) == ""


def test_what_lies_in_the_trigger_or_in_few_cells_does_not_count():
    samples = noise(4.0)
    samples[RATE // 5 : 2 * RATE // 5] *= 300
    assert fault(samples, replace(BLIP, low_frequency=16.0, high_frequency=2000.0)) == ""
    # Another glitch, beside it.
    samples[2 * RATE : 2 * RATE + RATE // 2] *= 300
    assert fault(samples, replace(BLIP, low_frequency=16.0, high_frequency=2000.0)) == ""


def test_octaves_that_a_long_trigger_fills_are_left_out_and_others_judged():
    trigger = replace(
        BLIP,
        start_ns=START_NS - NANOSECONDS,
        end_ns=START_NS + 5 * NANOSECONDS,
        low_frequency=40.0,
        high_frequency=100.0,
    )
    loud = scaled(noise(4.0), 34, 120, 1000.0)

    assert [o.low for o in octaves(loud, trigger)] == [16, 128, 256, 512, 1024]
    assert fault(scaled(loud, 512, 1024, 9.0), trigger).startswith("not white: at 512-1024 Hz")


def test_nothing_beside_the_trigger_tells_nothing():
    everything = replace(
        BLIP,
        start_ns=START_NS,
        end_ns=START_NS + 4 * NANOSECONDS,
        low_frequency=10.0,
        high_frequency=2048.0,
    )
    assert fault(noise(4.0), everything).startswith("nothing beside the event tells")
    assert fault(noise(0.2)).startswith("nothing beside the event tells")


def test_silence_is_not_white():
    assert "has 0 times the power" in fault(np.zeros(4 * RATE))


@pytest.mark.parametrize(("power", "is_white"), [(1.0, True), (3.0, False), (np.nan, False)])
def test_what_is_no_number_is_not_white(power, is_white):
    octave = whiteness.Octave(low=16.0, high=32.0, power=power, least=0.5, most=2.0)
    assert octave.white is is_white
