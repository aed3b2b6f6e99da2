"""The constant-Q transform of a short whitened series, for looking at.

S. Chatterji et al., Class. Quantum Grav. 21 (2004) S1809, doi:10.1088/0264-9381/21/20/024.
"""

from dataclasses import dataclass

import numpy as np

from transforms.arrays import SingleArray

_LOWEST = 16.0
"""Lowest frequency [Hz]; the highest is Nyquist's."""
_ROWS = 160
Q_PLANES = (4.0, 8.0, 16.0, 32.0, 64.0)
_WIDTH = np.sqrt(11.0)
"""Half width of the bisquare window, in units of frequency / Q (section 3 of the paper)."""


@dataclass(frozen=True)
class Scan:
    """One plane of tiles over a series."""

    q: float
    frequencies: SingleArray
    """Central frequencies [Hz], evenly spaced in their logarithm."""
    energy: SingleArray
    """[frequency, time], on the samples' times; 1 on average in Gaussian noise."""


def scan(samples: SingleArray, sample_rate: float, focus: slice, band: tuple[float, float]) -> Scan:
    """Transform a series in the plane that holds the loudest tile of its focus.

    Args:
        samples: Whitened strain, [time], in units of the noise's standard deviation.
        sample_rate: [Hz]
        focus: The samples among which the loudest tile is sought.
        band: The frequencies [Hz] among which it is sought: a line elsewhere in the
            spectrum must not decide how a burst is drawn.

    Returns:
        The plane. A wavelet of signal-to-noise ratio rho that matches a tile has the energy
        rho^2 / 2 there. Tiles that reach beyond the series see zeros.
    """
    frequencies = np.geomspace(_LOWEST, sample_rate / 2, _ROWS).astype(np.float32)
    first, last = np.searchsorted(frequencies, band)
    first = min(int(first), _ROWS - 1)
    rows = slice(first, max(int(last), first + 1))
    planes = (
        Scan(q, frequencies, constant_q(samples, sample_rate, q, frequencies)) for q in Q_PLANES
    )
    return max(planes, key=lambda plane: float(plane.energy[rows, focus].max()))


def constant_q(
    samples: SingleArray, sample_rate: float, q: float, frequencies: SingleArray
) -> SingleArray:
    """Return the normalised energy of the tiles of one Q.

    Args:
        samples: Whitened strain of unit variance, [time].
        sample_rate: [Hz]
        q: Ratio of a tile's frequency to its bandwidth, above sqrt(11).
        frequencies: Central frequencies [Hz], up to Nyquist's.

    Returns:
        Energy, [frequency, time], of mean 1 in Gaussian noise.
    """
    # Zeros keep the end of the series from leaking into its start.
    padded = 1 << (2 * len(samples) - 1).bit_length()
    spectrum = np.fft.rfft(samples, padded)
    bins = np.fft.rfftfreq(padded, 1 / sample_rate)
    energy = np.empty((len(frequencies), len(samples)), np.float32)
    for row, frequency in enumerate(frequencies):
        offset = (bins - frequency) * q / (frequency * _WIDTH)
        inside = np.flatnonzero(np.abs(offset) < 1)
        window = (1 - offset[inside] ** 2) ** 2
        windowed = np.zeros(padded, np.complex64)
        windowed[inside] = spectrum[inside] * window * np.sqrt(padded / np.sum(window**2))
        energy[row] = np.abs(np.fft.ifft(windowed)[: len(samples)]) ** 2
    return energy
