"""What shapes are made of: envelopes, tracks of frequency, noise in a band."""

import numpy as np

from transforms.arrays import FloatArray


def bell(time: FloatArray, sigma: float) -> FloatArray:
    """Return exp(-t^2 / 2 sigma^2), sigma in [s]."""
    return np.exp(-0.5 * (time / sigma) ** 2)


def arch(time: FloatArray, duration: float) -> FloatArray:
    """Return cos^2 from -duration / 2 to duration / 2 [s], zero outside."""
    return np.cos(np.pi * np.clip(time / duration, -0.5, 0.5)) ** 2


def along(time: FloatArray, frequency: FloatArray, phase: float = 0.0) -> FloatArray:
    """Return a wave of unit amplitude whose frequency [Hz] follows a track, [time]."""
    return np.cos(angle(time, frequency) + phase)


def angle(time: FloatArray, frequency: FloatArray) -> FloatArray:
    """Return the phase of a track of frequency [Hz], from zero at its start [rad]."""
    step = float(time[1] - time[0])
    middle = 0.5 * (frequency[1:] + frequency[:-1])
    return 2 * np.pi * step * np.concatenate([[0.0], np.cumsum(middle)])


def band_noise(time: FloatArray, low: float, high: float, rng: np.random.Generator) -> FloatArray:
    """Return Gaussian noise between two frequencies [Hz], of unit variance."""
    count = len(time)
    frequency = np.fft.rfftfreq(count, float(time[1] - time[0]))
    # Edges that are soft by a tenth of the band: hard ones ring for as long as the stretch.
    soft = 0.1 * (high - low)
    rise = np.clip((frequency - low) / soft, 0, 1) * np.clip((high - frequency) / soft, 0, 1)
    spectrum = rise * (rng.standard_normal(len(rise)) + 1j * rng.standard_normal(len(rise)))
    noise = np.fft.irfft(spectrum, count)
    return np.asarray(noise / np.std(noise))


def flutter(time: FloatArray, bandwidth: float, rng: np.random.Generator) -> FloatArray:
    """Return complex noise below a bandwidth [Hz] of unit variance: a random envelope."""
    frequency = np.fft.fftfreq(len(time), float(time[1] - time[0]))
    kept = np.exp(-0.5 * (frequency / bandwidth) ** 2)
    spectrum = kept * (rng.standard_normal(len(kept)) + 1j * rng.standard_normal(len(kept)))
    noise = np.fft.ifft(spectrum)
    return np.asarray(noise / np.sqrt(np.mean(np.abs(noise) ** 2)))


def scaled(shape: FloatArray) -> FloatArray:
    """Bring the largest value to 1."""
    return np.asarray(shape / np.max(np.abs(shape)))


def dispersed(
    step: float, low: float, high: float, frequency: FloatArray, delay: FloatArray
) -> FloatArray:
    """Return a pulse of all frequencies between two, each of which comes with its own delay.

    Args:
        step: Of the grid [s].
        low: Lowest frequency [Hz]; as whitening shows it, all octaves are as loud.
        high: Highest frequency [Hz].
        frequency: Rising [Hz].
        delay: When each of them comes [s], some tenths of a second at most.

    Returns:
        One second, whose middle is zero time.
    """
    count = 2 * round(0.5 / step)
    grid = np.fft.rfftfreq(count, step)
    octaves = np.log2(np.maximum(grid, grid[1]) / np.sqrt(low * high)) / np.log2(high / low)
    # Soft ends: hard ones ring.
    strength = np.exp(-0.5 * (2.6 * octaves) ** 4) / np.sqrt(np.maximum(grid, low))
    lag = np.interp(grid, frequency, delay)
    turn = 2 * np.pi * grid[1] * np.cumsum(lag)
    series = np.fft.irfft(strength * np.exp(-1j * turn), count)
    return np.asarray(np.fft.fftshift(series) * arch(np.linspace(-0.5, 0.5, count), 1.0) ** 0.5)


def put(shape: FloatArray, piece: FloatArray, middle: int) -> None:
    """Add a piece to a longer shape, in place, with its middle at an index; the rest is lost."""
    first = middle - len(piece) // 2
    low, high = max(first, 0), min(first + len(piece), len(shape))
    if low < high:
        shape[low:high] += piece[low - first : high - first]
