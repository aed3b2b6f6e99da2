"""Noise curves, coloured noise, and the optimal SNR."""

import numpy as np
import pytest
from scipy.signal import welch

from models.simulation import noise


@pytest.mark.parametrize("name", noise.names())
def test_coloured_noise_has_the_curve_s_spectrum(name):
    curve, rate = noise.load(name), 2048
    strain = noise.coloured(curve, 64 * rate, rate, np.random.default_rng(1))
    frequency, density = welch(strain, rate, nperseg=4 * rate)
    band = (frequency > 40) & (frequency < 900)
    ratio = np.sqrt(density[band]) / curve.at(frequency[band])
    assert np.median(ratio) == pytest.approx(1.0, abs=0.03)


def test_curves_are_flat_outside_their_band():
    curve = noise.load("kagra_10Mpc")
    inside = curve.at(np.array([curve.frequency[0], curve.frequency[-1]]))
    outside = curve.at(np.array([0.0, 1e5]))
    assert outside == pytest.approx(inside)


def test_an_unknown_curve_is_named():
    with pytest.raises(ValueError, match="'ligo': there are H1_O3b"):
        noise.load("ligo")


def test_lines_are_added():
    curve, rate = noise.load("aligo_O4high"), 2048
    line = noise.Line(300.0, 1e-21)
    with_line = noise.coloured(curve, 8 * rate, rate, np.random.default_rng(1), (line,))
    without = noise.coloured(curve, 8 * rate, rate, np.random.default_rng(1))
    spectrum = np.abs(np.fft.rfft(with_line - without)) * 2 / (8 * rate)
    assert np.argmax(spectrum) == 300 * 8
    assert spectrum.max() == pytest.approx(1e-21)


def _burst(rate):
    time = np.arange(-rate, rate) / rate
    return 1e-21 * np.exp(-0.5 * (time / 0.01) ** 2) * np.cos(2 * np.pi * 200 * time)


def test_optimal_snr_in_white_noise_is_the_textbook_s():
    # White noise of one-sided density S: rho^2 = 2 / S sum h^2 dt (Parseval).
    rate, asd = 4096, 1e-22
    flat = noise.NoiseCurve("flat", np.array([10.0, 5000.0]), np.array([asd, asd]))
    strain = _burst(rate)
    expected = np.sqrt(2 / asd**2 * np.sum(strain**2) / rate)
    assert noise.optimal_snr(strain, rate, flat, 16.0) == pytest.approx(expected, rel=1e-6)


def test_optimal_snr_is_linear_and_does_not_depend_on_the_rate():
    curve = noise.load("H1_O3b_measured_asd")
    snr = noise.optimal_snr(_burst(4096), 4096, curve, 16.0)
    assert noise.optimal_snr(3 * _burst(4096), 4096, curve, 16.0) == pytest.approx(3 * snr)
    assert noise.optimal_snr(_burst(2048), 2048, curve, 16.0) == pytest.approx(snr, rel=1e-3)


def test_whitened_signal_holds_the_snr():
    curve, strain = noise.load("L1_O3a_measured_asd"), _burst(4096)
    white = noise.whitened(strain, 4096, curve, 16.0)
    snr = noise.optimal_snr(strain, 4096, curve, 16.0)
    assert np.sqrt(np.sum(white**2)) == pytest.approx(snr, rel=0.02)
