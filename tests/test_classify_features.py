"""What the model sees: invariances, known signals, and anything at all without failing."""

from dataclasses import replace

import numpy as np
import pytest

from tests.samples import UNLABELLED
from transforms.classify import features
from transforms.classify.features import COLUMNS, FREQUENCIES, SPANS, model_input

RATE = 4096
GPS = 1_126_259_462 * 10**9


def trigger_of(samples, rate=RATE, peak_seconds=1.5, start_ns=GPS):
    return replace(
        UNLABELLED,
        time_ns=start_ns + round(peak_seconds * 1e9),
        frequency=100.0,
        q=10.0,
        snr=10.0,
        snippet=np.asarray(samples, np.float32).tobytes(),
        snippet_rate=rate,
        snippet_start_ns=start_ns,
    )


def sine_gaussian(frequency, q, at=1.5, rate=RATE, snr=20.0):
    time = np.arange(2 * rate) / rate - at
    tau = q / (2 * np.pi * frequency)
    wave = np.exp(-0.5 * (time / tau) ** 2) * np.cos(2 * np.pi * frequency * time)
    return snr * wave / np.sqrt(np.sum(wave**2))


@pytest.mark.parametrize("frequency", [40.0, 150.0, 700.0])
@pytest.mark.parametrize("span", range(len(SPANS)))
def test_a_sine_gaussian_is_brightest_at_its_row_and_column(frequency, span):
    image = model_input(trigger_of(sine_gaussian(frequency, 8.0))).image[:, :, span]
    row, column = np.unravel_index(np.argmax(image), image.shape)
    nearest = int(np.argmin(np.abs(np.log(FREQUENCIES / frequency))))
    assert abs(row - nearest) <= 1
    # A column of the shortest span is shorter than a low frequency's cycle.
    assert abs(column - SPANS[span].before) <= max(
        1, 0.1 * SPANS[span].columns_per_second / frequency
    )


@pytest.mark.parametrize("shift_ns", [10**9, 123_456 * 10**9 + 5 * 10**8])
def test_a_shift_in_time_changes_nothing(shift_ns):
    samples = np.random.default_rng(1).standard_normal(2 * RATE)
    here = model_input(trigger_of(samples))
    there = model_input(trigger_of(samples, start_ns=GPS + shift_ns))
    assert np.array_equal(here.image, there.image)
    assert np.array_equal(here.parameters, there.parameters)


def test_the_image_follows_the_trigger_not_the_snippet():
    early = model_input(trigger_of(sine_gaussian(300.0, 8.0, at=1.0), peak_seconds=1.0))
    late = model_input(trigger_of(sine_gaussian(300.0, 8.0, at=1.25), peak_seconds=1.25))
    assert np.allclose(early.image[:, :, :2], late.image[:, :, :2], atol=1e-3)


def test_white_noise_has_unit_energy():
    rng = np.random.default_rng(2)
    energy = np.mean(
        [
            features._energy(rng.standard_normal(640).astype(np.float32), 1024, replace(s, q=6.0))
            for s in [features.Span(1024, 32, 288, 6.0)] * 20
        ]
    )
    # Rows above Nyquist are zero; the length of most rows leaves one sample a column.
    assert energy * len(FREQUENCIES) / np.sum(FREQUENCIES < 512) == pytest.approx(1.0, abs=0.1)


def test_energy_grows_with_the_square_of_the_amplitude():
    quiet, loud = (
        model_input(trigger_of(sine_gaussian(150.0, 8.0, snr=snr))).image[:, :, 1].max()
        for snr in (10.0, 20.0)
    )
    ratio = np.expm1(loud / 0.25) / np.expm1(quiet / 0.25)
    assert ratio == pytest.approx(4.0, rel=0.01)


@pytest.mark.parametrize("rate", [1024, 2048])
def test_a_lower_rate_shows_the_same_below_its_nyquist(rate):
    full = model_input(trigger_of(sine_gaussian(100.0, 8.0))).image
    less = model_input(trigger_of(sine_gaussian(100.0, 8.0, rate=rate), rate=rate)).image
    rows = rate / 8 > FREQUENCIES
    assert np.allclose(full[rows], less[rows], atol=0.15)
    assert not less[rate / 2 < FREQUENCIES].any()


@pytest.mark.parametrize(
    ("snippet", "rate"),
    [
        (b"", 0),
        (b"", RATE),
        (b"\x00\x01\x02", RATE),
        (np.zeros(2 * RATE, np.float32).tobytes(), RATE),
        (np.full(2 * RATE, np.nan, np.float32).tobytes(), RATE),
        (np.full(2 * RATE, np.inf, np.float32).tobytes(), RATE),
        (np.full(2 * RATE, 3e38, np.float32).tobytes(), RATE),
        (np.ones(7, np.float32).tobytes(), 16),
        (np.ones(7, np.float32).tobytes(), RATE),
    ],
)
def test_any_snippet_gives_finite_input(snippet, rate):
    trigger = replace(trigger_of(np.zeros(1)), snippet=snippet, snippet_rate=rate)
    seen = model_input(trigger)
    assert seen.image.shape == (len(FREQUENCIES), COLUMNS, len(SPANS))
    assert seen.image.dtype == seen.parameters.dtype == np.float32
    assert np.isfinite(seen.image).all()
    assert np.isfinite(seen.parameters).all()


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf, 1e300])
def test_any_parameters_give_finite_input(value):
    fields = dict.fromkeys(features.PARAMETERS, value)
    assert np.isfinite(model_input(replace(trigger_of([0.0]), **fields)).parameters).all()


def test_a_trigger_outside_its_snippet_sees_silence():
    assert not model_input(trigger_of(np.ones(2 * RATE), peak_seconds=50.0)).image.any()
