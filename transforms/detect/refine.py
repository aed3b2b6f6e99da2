"""A loud tile looked at again, with wavelets between those of the bank.

The bank's wavelets lie up to ``DetectConfig.mismatch`` from a signal. What a search with
many more of them would gain is gained by looking closely where it is loud.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from transforms.arrays import FloatArray, SingleArray
from transforms.detect.bank import Spacing
from transforms.detect.octave import CUT, Octave
from transforms.detect.ranking import tile_trials_penalty

GRID = np.linspace(-1, 1, 5)
"""Frequencies and qualities looked at, in units of half the bank's spacing."""
TIMES = np.linspace(-1, 1, 15)
"""Times looked at, in units of the reach."""
REACH = 4.5
"""How far from a tile's time is looked, in units of the expected error tau / snr."""
LEAST_REACH = 0.1
"""The same for loud tiles, in units of tau."""
FITTED = 5
"""Parameters fitted: amplitude, phase, time, frequency and quality. Noise adds as much to
the energy of the best fit, in the mean."""


@dataclass(frozen=True, kw_only=True)
class Peak:
    """The wavelet that fits best."""

    time: float
    """From the hop's start [s]."""
    frequency: float
    q: float
    snr: float
    rank: float
    phase: float
    """At ``time`` [rad]."""


def around(
    f: FloatArray | float, q: FloatArray | float, spacing: Spacing
) -> tuple[FloatArray, FloatArray]:
    """Return the frequencies [..., 5] and qualities [..., 5, 1] looked at around tiles.

    Args:
        f: Of the tiles [Hz], with two last axes of length 1, or one alone.
        q: Of the tiles, likewise.
        spacing: Of the bank there.
    """
    return f * np.exp(GRID / 2 * spacing.log_f), q * np.exp(GRID[:, None] / 2 * spacing.log_q)


def refine(block: SingleArray, octave: Octave, tile: Peak, spacing: Spacing) -> Peak:
    """Find the wavelet near a tile that fits best.

    Args:
        block: [time], whitened strain at the octave's rate, ``lead`` samples before the hop.
        octave: Of the tile.
        tile: What the bank saw.
        spacing: Of the bank there.

    Returns:
        The best of a grid of wavelets. Its time is the mean over the grid, weighed by the
        likelihood exp(energy / 2): that errs less than the time of the best.
    """
    grid_f, grid_q = np.broadcast_arrays(*around(tile.frequency, tile.q, spacing))
    f, q = grid_f.ravel(), grid_q.ravel()
    spectrum, grid = _band(block, octave, f, q)
    tau = tile.q / (np.sqrt(2) * np.pi * tile.frequency)
    times = tile.time + tau * max(REACH / tile.snr, LEAST_REACH) * TIMES
    turns = _turns(grid, times + octave.lead / octave.rate)
    y = _weights(grid, f, q, octave) @ (spectrum[:, None] * turns)
    energy = y.real**2 + y.imag**2
    likely = np.exp((energy - energy.max()) / 2)
    time = float(likely.sum(axis=0) @ times / likely.sum())
    wavelet, at = np.unravel_index(int(np.argmax(energy)), energy.shape)
    turn = 2 * np.pi * f[wavelet] * (time - times[at])
    top, frequency = _top(energy[wavelet], int(at)), float(f[wavelet])
    return Peak(
        time=time,
        frequency=frequency,
        q=float(q[wavelet]),
        snr=float(np.sqrt(max(top - FITTED, 0))),
        rank=float(np.sqrt(max(top - 2 - float(tile_trials_penalty(frequency)), 0))),
        phase=float(np.angle(y[wavelet, at] * np.exp(1j * turn))),
    )


def _top(energy: FloatArray, at: int) -> float:
    """Return the top of energies over time, the largest of which is at ``at``."""
    if not 0 < at < len(energy) - 1:
        return float(energy[at])
    # A Gaussian's logarithm is a parabola.
    left, middle, right = np.log(energy[at - 1 : at + 2])
    curve = left - 2 * middle + right
    return float(np.exp(middle - (left - right) ** 2 / (8 * curve))) if curve < 0 else energy[at]


def _band(
    block: SingleArray, octave: Octave, f: FloatArray, q: FloatArray
) -> tuple[npt.NDArray[np.complex128], FloatArray]:
    """Return the spectrum of a block where wavelets of f and q lie, and its frequencies [Hz]."""
    low, high = octave.band(float(np.min(f - CUT * f / q)), float(np.max(f + CUT * f / q)))
    spectrum = scipy.fft.rfft(block)[low : high + 1]
    return spectrum.astype(np.complex128), np.arange(low, high + 1, dtype=float) * octave.step


def _turns(grid: FloatArray, times: FloatArray) -> npt.NDArray[np.complex128]:
    """Return exp(2 pi i f t), [frequency, time], at times equally far apart."""
    turns = np.empty((len(grid), len(times)), np.complex128)
    turns[:, 0] = np.exp(2j * np.pi * grid * times[0])
    turns[:, 1:] = np.exp(2j * np.pi * grid * (times[1] - times[0]))[:, None]
    return np.multiply.accumulate(turns, axis=1)


def _weights(grid: FloatArray, f: FloatArray, q: FloatArray, octave: Octave) -> FloatArray:
    """Return wavelets on frequencies, [wavelet, frequency], of unit noise as the bank's are."""
    away = (grid - f[:, None]) * (q / f)[:, None]
    weight = np.where(np.abs(away) <= CUT, np.exp(-(away**2) / 2), 0)
    return np.asarray(weight * np.sqrt(2 / octave.size / np.sum(weight**2, axis=1))[:, None])
