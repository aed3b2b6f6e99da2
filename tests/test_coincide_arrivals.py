"""Triggers as the network sees them."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from tests.samples import TRIGGER
from transforms.arrays import FloatArray
from transforms.coders import ArrivalCoder
from transforms.coincide.arrivals import (
    COUNT,
    LONGEST_NS,
    PLACES,
    RATE,
    Arrivals,
    arrival,
    place,
)
from transforms.elements import Arrival, Trigger
from transforms.gps import NANOSECONDS, to_index, to_ns

PEAK = 1126259462_421875000
CLASSES = ("blip", "chirp")
rng = np.random.default_rng(3)


def trigger(samples: Any, rate: int, **fields: Any) -> Trigger:
    """Make a trigger with a snippet from 1.5 s before its peak on."""
    values: dict[str, Any] = {"low_frequency": 60.0, "high_frequency": 240.0}
    peak = fields.get("time_ns", PEAK)
    values |= {"time_ns": peak, "start_ns": peak - 60_000_000, "end_ns": peak + 40_000_000}
    values |= fields
    start = to_index(values["time_ns"], rate) - 3 * rate // 2
    return replace(
        TRIGGER,
        snippet=np.asarray(samples, np.float32).tobytes(),
        snippet_rate=rate,
        snippet_start_ns=to_ns(start, rate),
        **values,
    )


def burst(rate: int, frequency: float = 120.0, tau: float = 0.01) -> FloatArray:
    """Return two seconds with a wave at the peak, 1.5 s after their start, of energy 1."""
    t = np.arange(2 * rate) / rate - 1.5
    wave = np.exp(-((t / tau) ** 2)) * np.cos(2 * np.pi * frequency * t)
    return np.asarray(wave / np.linalg.norm(wave))


def test_columns_are_the_triggers() -> None:
    made = arrival(TRIGGER)
    for field in fields(Arrival):
        if not field.name.startswith("waveform"):
            assert getattr(made, field.name) == getattr(TRIGGER, field.name)
    assert ArrivalCoder().decode(ArrivalCoder().encode(made)) == made


@pytest.mark.parametrize("rate", [256, 1024, 2048, 4096, 16384])
def test_a_wave_within_its_extent_stays_what_it_is_at_any_rate(rate: int) -> None:
    wave = burst(rate, frequency=80.0, tau=0.02)
    made = arrival(trigger(wave, rate, low_frequency=40.0))
    assert made.waveform_rate == RATE
    assert len(made.waveform_array) == COUNT
    assert made.waveform_array.dtype == np.float32
    expected = burst(RATE, frequency=80.0, tau=0.02)[3 * RATE // 2 - COUNT // 2 :][:COUNT]
    assert np.allclose(made.waveform_array, expected, atol=2e-3)
    assert np.sum(made.waveform_array**2) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("rate", [1024, 2048, 4096])
@pytest.mark.parametrize("off", [0, 1, 100_000, 244_141, 488_281, 700_000])
def test_samples_lie_on_the_grid_with_the_peak_in_the_middle(rate: int, off: int) -> None:
    peak = PEAK + off
    made = arrival(trigger(rng.normal(size=2 * rate), rate, time_ns=peak))
    first = to_index(made.waveform_start_ns, RATE)
    assert made.waveform_start_ns == to_ns(first, RATE)
    half_a_sample = NANOSECONDS / min(rate, RATE) / 2
    assert abs(to_ns(first + COUNT // 2, RATE) - peak) <= half_a_sample + 1


@pytest.mark.parametrize("rate", [1024, 2048, 4096])
def test_a_wave_is_where_it_is_in_time_whatever_the_peak_says(rate: int) -> None:
    """So the correlation of two triggers knows the delay of the wave, not of the peaks."""
    centre = PEAK
    for off in (-11_111_111, 3_333_333):
        peak = centre + off
        t = (to_index(peak, rate) - 3 * rate // 2 + np.arange(2 * rate)) / rate - centre / 1e9
        wave = np.exp(-((t / 0.01) ** 2))
        made = arrival(trigger(wave, rate, time_ns=peak, low_frequency=0.0))
        top = made.waveform_start_ns + int(np.argmax(made.waveform_array)) * NANOSECONDS / RATE
        assert abs(top - centre) <= NANOSECONDS / RATE


def test_nothing_is_left_outside_of_the_extent_in_time() -> None:
    made = arrival(trigger(rng.normal(size=8192), 4096))
    t = made.waveform_start_ns + np.arange(COUNT) * NANOSECONDS // RATE
    inside = (t >= PEAK - 75_000_000) & (t < PEAK + 55_000_000)
    assert not made.waveform_array[~inside].any()
    assert (made.waveform_array[inside] != 0).mean() > 0.99


def test_a_long_extent_fills_the_waveform() -> None:
    long = {"start_ns": PEAK - 5 * NANOSECONDS, "end_ns": PEAK + 5 * NANOSECONDS}
    assert (arrival(trigger(rng.normal(size=8192), 4096, **long)).waveform_array != 0).all()


@pytest.mark.parametrize("rate", [1024, 2048, 4096])
def test_nothing_is_left_outside_of_the_band(rate: int) -> None:
    long = {"start_ns": PEAK - NANOSECONDS, "end_ns": PEAK + NANOSECONDS}
    made = arrival(trigger(rng.normal(size=2 * rate), rate, **long))
    power = np.abs(np.fft.rfft(made.waveform_array.astype(float))) ** 2
    f = np.fft.rfftfreq(COUNT, 1 / RATE)
    inside = (f >= 60 * 0.9) & (f <= 240 * 1.1)
    assert power[~inside].max() < 1e-6 * power[inside].max()
    assert (power[inside] > 0).all()


def test_what_is_above_the_band_of_waveforms_has_none() -> None:
    high = {"low_frequency": 1300.0, "high_frequency": 1700.0}
    assert arrival(trigger(rng.normal(size=8192), 4096, **high)).waveform == b""


@pytest.mark.parametrize(
    "broken",
    [
        {"snippet": b""},
        {"snippet_rate": 0},
        {"snippet_rate": -4096},
        {"snippet_rate": 4000},
        {"snippet_rate": 32},
        {"snippet": b"abc"},
        {"snippet_start_ns": 0},
        {"snippet_start_ns": PEAK + 10 * NANOSECONDS},
        {"snippet": np.full(8192, np.nan, np.float32).tobytes()},
        {"snippet": np.r_[np.ones(6144), np.inf, np.ones(2047)].astype(np.float32).tobytes()},
        {"snippet": bytes(4 * 8192)},
        {"low_frequency": float("nan")},
        {"start_ns": PEAK + NANOSECONDS, "end_ns": PEAK},
    ],
    ids=str,
)
def test_a_snippet_of_no_use_makes_an_empty_waveform(broken: dict[str, Any]) -> None:
    made = arrival(replace(trigger(rng.normal(size=8192), 4096), **broken))
    assert (made.waveform, made.waveform_rate, made.waveform_start_ns) == (b"", 0, 0)


def test_a_snippet_that_ends_early_is_zero_from_there_on() -> None:
    whole = trigger(burst(4096), 4096)
    made = arrival(replace(whole, snippet=whole.snippet[: 4 * (6144 + 1)]))
    energy = made.waveform_array.astype(float) ** 2
    assert energy[: COUNT // 2].sum() > 0.4
    assert energy[COUNT // 2 + 100 :].sum() < 0.01


def test_a_snippet_of_huge_samples_is_finite() -> None:
    made = arrival(trigger(np.full(8192, 3e38), 4096, low_frequency=0.0))
    assert np.isfinite(made.waveform_array).all()
    assert np.isfinite(Arrivals.of([made], CLASSES).energies).all()


def some(count: int) -> list[Arrival]:
    """Make arrivals, of which several have one time."""
    made = []
    for number in range(count):
        peak = PEAK + number // 2 * NANOSECONDS
        duration = float(rng.uniform(0.01, 3))
        made.append(
            replace(
                arrival(trigger(rng.normal(size=8192), 4096, time_ns=peak)),
                id=f"{rng.integers(1 << 30):08x}",
                start_ns=peak - int(duration * 4e8),
                end_ns=peak + int(duration * 6e8),
                duration=duration,
                frequency=float(rng.uniform(20, 2000)),
                rank=float(rng.uniform(5, 20)),
            )
        )
    return made


def equal(one: Arrivals, other: Arrivals) -> bool:
    return all(
        np.array_equal(getattr(one, f.name), getattr(other, f.name))
        if isinstance(getattr(one, f.name), np.ndarray)
        else getattr(one, f.name) == getattr(other, f.name)
        for f in fields(Arrivals)
    )


def test_equal_sets_are_equal_arrays() -> None:
    made = some(20)
    sets = [Arrivals.of([made[i] for i in rng.permutation(20)], CLASSES) for _ in range(3)]
    assert equal(sets[0], sets[1])
    assert equal(sets[0], sets[2])
    keys = [(m.time_ns, m.id) for m in sets[0].members]
    assert keys == sorted(keys)


def test_a_row_is_the_same_bit_for_bit_alone_and_among_others() -> None:
    together = Arrivals.of(some(33), CLASSES)
    for row, member in enumerate(together.members):
        alone = Arrivals.of([member], CLASSES)
        for field in fields(Arrivals):
            value = getattr(alone, field.name)
            if isinstance(value, np.ndarray):
                assert np.array_equal(value[0], getattr(together, field.name)[row]), field.name


def test_columns_stand_beside_their_members() -> None:
    made = Arrivals.of(some(9), CLASSES)
    assert len(made) == 9
    for row, member in enumerate(made.members):
        for name in ("time_ns", "frequency", "bandwidth", "q", "snr", "rank", "amplitude"):
            assert getattr(made, name)[row] == getattr(member, name)
        assert np.array_equal(made.waveforms[row], member.waveform_array)
        wave = member.waveform_array.astype(float)
        assert made.energies[row] == pytest.approx(wave @ wave)
        loud = np.flatnonzero(wave)
        assert (made.waveform_first[row], made.waveform_end[row] - 1) == (loud[0], loud[-1])


def test_no_extent_counts_farther_than_a_second_from_the_peak() -> None:
    long = replace(arrival(TRIGGER), start_ns=PEAK - 9 * NANOSECONDS, end_ns=PEAK + 100)
    odd = replace(arrival(TRIGGER), start_ns=PEAK + 5, end_ns=PEAK - 5, id="b")
    made = Arrivals.of([long, odd], CLASSES)
    assert made.start_ns.tolist() == [PEAK - LONGEST_NS, PEAK]
    assert made.end_ns.tolist() == [PEAK + 100, PEAK + 1]


def test_probabilities_are_of_the_classes_asked_for() -> None:
    nan = float("nan")
    told: list[tuple[tuple[str, float], ...]] = [
        (("chirp", 0.75), ("blip", 0.25)),
        (("chirp", 0.5), ("other", 0.5)),
        (("other", 1.0),),
        (),
        (("chirp", nan), ("blip", 0.5)),
    ]
    members = [replace(arrival(TRIGGER), id=str(n), probabilities=p) for n, p in enumerate(told)]
    made = Arrivals.of(members, ("blip", "chirp", "koi"))
    third = [1 / 3] * 3
    expected = [[0.25, 0.75, 0], [0, 0.5, 0], third, third, third]
    assert made.probabilities.tolist() == expected
    assert Arrivals.of(members, ()).probabilities.shape == (5, 0)


def test_a_waveform_of_another_rate_or_length_counts_as_none() -> None:
    good = arrival(trigger(rng.normal(size=8192), 4096))
    bad = [
        replace(good, id="1", waveform=good.waveform[:-4]),
        replace(good, id="2", waveform_rate=4096),
        replace(good, id="3", waveform=b""),
    ]
    made = Arrivals.of(bad, CLASSES)
    assert not made.waveforms.any()
    assert not made.energies.any()
    assert (made.waveform_end <= made.waveform_first).all()


def test_no_arrivals_are_arrays_of_no_length() -> None:
    made = Arrivals.of([], CLASSES)
    assert len(made) == 0
    assert made.waveforms.shape == (0, COUNT)
    assert made.probabilities.shape == (0, 2)
    assert made.time_ns.dtype == np.int64


def test_places_are_octaves_times_durations() -> None:
    f = np.array([5.0, 20, 39.9, 40, 79, 80, 2559, 2560, 1e5])
    assert place(f, np.full(9, 0.01)).tolist() == [0, 0, 0, 3, 3, 6, 18, 21, 21]
    assert place(np.full(5, 20.0), np.array([0, 0.0499, 0.05, 0.3, 9])).tolist() == [0, 0, 1, 2, 2]
    assert place(np.array([1e5]), np.array([9.0])) == PLACES - 1
