"""The constant-Q transform measures what its docstring says."""

import numpy as np
import pytest

from transforms.sink.report.qscan import constant_q, scan

RATE = 1024
BAND = (16.0, 512.0)
TIMES = (np.arange(2 * RATE) - RATE) / RATE


def wavelet(frequency, q, snr):
    wave = np.exp(-((2 * np.pi * frequency * TIMES / q) ** 2)) * np.cos(
        2 * np.pi * frequency * TIMES
    )
    return (snr * wave / np.linalg.norm(wave)).astype(np.float32)


@pytest.mark.parametrize("q", [4.0, 16.0])
def test_noise_has_unit_energy_at_every_frequency(q):
    noise = np.random.default_rng(1).normal(size=64 * RATE).astype(np.float32)

    energy = constant_q(noise, RATE, q, np.array([32.0, 128.0, 500.0], np.float32))

    # The scatter of a mean over 64 s of tiles no shorter than 0.1 s.
    np.testing.assert_allclose(energy.mean(axis=1), 1, atol=0.15)


def test_a_wavelet_shows_its_time_frequency_and_loudness():
    samples = wavelet(100.0, 16.0, snr=20.0)

    plane = scan(samples, RATE, slice(0, len(samples)), BAND)

    row, column = np.unravel_index(plane.energy.argmax(), plane.energy.shape)
    assert plane.frequencies[row] == pytest.approx(100, rel=0.05)
    assert TIMES[column] == pytest.approx(0, abs=0.005)
    assert plane.energy.max() == pytest.approx(20**2 / 2, rel=0.1)


@pytest.mark.parametrize(("drawn", "expected"), [(5.0, {4.0, 8.0}), (60.0, {32.0, 64.0})])
def test_the_plane_follows_the_wavelet(drawn, expected):
    samples = wavelet(200.0, drawn, snr=20.0)

    assert scan(samples, RATE, slice(0, len(samples)), BAND).q in expected


def test_a_line_outside_the_band_decides_nothing():
    line = 5 * np.cos(2 * np.pi * 400 * TIMES).astype(np.float32)
    samples = wavelet(100.0, 5.0, snr=20.0) + line

    assert scan(samples, RATE, slice(900, 1150), BAND).q > 8
    assert scan(samples, RATE, slice(900, 1150), (60.0, 160.0)).q <= 8


@pytest.mark.parametrize("band", [(1.0, 2.0), (600.0, 900.0)])
def test_a_band_beyond_the_series_is_no_fault(band):
    assert scan(wavelet(100.0, 5.0, snr=20.0), RATE, slice(900, 1150), band).energy.max() > 100


def test_only_the_focus_decides_the_plane():
    samples = wavelet(200.0, 64.0, snr=20.0)
    burst = np.zeros_like(samples)
    burst[1800] = 100.0

    assert scan(samples + burst, RATE, slice(900, 1150), BAND).q > 16


def test_the_end_does_not_leak_into_the_start():
    samples = np.zeros(RATE, np.float32)
    samples[-1] = 100.0

    energy = constant_q(samples, RATE, 8.0, np.array([64.0], np.float32))

    assert energy[0, : RATE // 4].max() < 1e-3 * energy.max()
