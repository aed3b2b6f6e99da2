"""Resampling: faithful in the band, silent above, blind to cuts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms import gps
from transforms.ingest.resample import margin_ns, rate_for, resample

FIRST = 20000 * 10
"""Index of the first sample at 20 kHz: GPS 10 s."""
SPAN = (16384 * 11, 16384 * 12)


@pytest.mark.parametrize(
    ("file_rate", "ceiling", "rate"),
    [
        (4096, 16384, 4096),
        (65536, 16384, 65536),
        (20000, 16384, 16384),
        (10000, 16384, 8192),
        (20000, 4096, 4096),
    ],
)
def test_powers_of_two_stay_and_others_fall_to_one(file_rate, ceiling, rate):
    assert rate_for(file_rate, ceiling) == rate


@pytest.mark.parametrize(("frequency", "worst"), [(10, 1e-6), (1000.3, 1e-6), (7850, 1e-5)])
def test_a_sine_in_the_band_stays_what_it_was(frequency, worst):
    times = 10 + np.arange(3 * 20000) / 20000
    output = resample(np.sin(2 * np.pi * frequency * times), FIRST, 20000, 16384, SPAN)
    expected = np.sin(2 * np.pi * frequency * np.arange(*SPAN) / 16384)
    np.testing.assert_allclose(output, expected, atol=worst)


@pytest.mark.parametrize("frequency", [8200, 9000, 9990])
def test_what_lies_above_does_not_fold_into_the_band(frequency):
    times = 10 + np.arange(3 * 20000) / 20000
    output = resample(np.sin(2 * np.pi * frequency * times), FIRST, 20000, 16384, SPAN)
    assert np.abs(output).max() < 1e-6


NOISE = np.random.default_rng(2).normal(0, 1e-21, 3 * 20000)
WHOLE = resample(NOISE, FIRST, 20000, 16384, SPAN)


@settings(max_examples=20, deadline=None)
@given(cut=st.integers(0, 19000), begin=st.integers(0, 8000), length=st.integers(1, 8000))
def test_every_cut_gives_the_same_bits(cut, begin, length):
    span = (SPAN[0] + begin, SPAN[0] + begin + length)
    output = resample(NOISE[cut:], FIRST + cut, 20000, 16384, span)
    np.testing.assert_array_equal(output, WHOLE[begin : begin + length])


def test_the_margin_is_enough_and_less_is_refused():
    margin = margin_ns(16384)
    start_ns, end_ns = gps.to_ns(SPAN[0], 16384), gps.to_ns(SPAN[1], 16384)
    begin = gps.to_index(start_ns - margin, 20000)
    end = gps.to_index(end_ns + margin, 20000)
    part = NOISE[begin - FIRST : end - FIRST]
    np.testing.assert_array_equal(resample(part, begin, 20000, 16384, SPAN), WHOLE)
    with pytest.raises(ValueError, match="more samples"):
        resample(part[4:], begin + 4, 20000, 16384, SPAN)
    with pytest.raises(ValueError, match="more samples"):
        resample(part[:-4], begin, 20000, 16384, SPAN)
