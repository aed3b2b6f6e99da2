"""What the model sees of a trigger: the same pure function in training and in serving.

The image is the whitened snippet's constant-Q energy on one grid of log frequencies, seen
four times around the trigger with columns of 1, 4, 8 and 31 ms: the shape of a blip, of a
ring-down, of a sweep, and of scattered light. The transform is the Q transform of
Chatterji et al. 2004, arXiv:gr-qc/0412119, with Gaussian windows.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import scipy.fft

from transforms import gps
from transforms.arrays import SingleArray
from transforms.elements import Trigger

FREQUENCIES = np.geomspace(17.0, 1900.0, 48)
"""Centre of each image row [Hz]."""
COLUMNS = 64
"""Number of image columns."""
PARAMETERS = ("snr", "frequency", "duration", "bandwidth", "q")
"""Trigger fields beside the image, as natural logarithms."""
VERSION = 2
"""Counts changes of what this module computes: a model fits one version only."""


@dataclass(frozen=True)
class Span:
    """One look at the snippet."""

    columns_per_second: int
    before: int
    """Columns before the trigger's time; the others follow it."""
    padding: int
    """Columns computed beyond either end, so that the transform's wrap stays outside."""
    q: float
    """Quality factor: centre frequency over the window's standard deviation."""

    @property
    def total(self) -> int:
        """Columns of the stretch that is transformed."""
        return COLUMNS + 2 * self.padding


SPANS = (
    Span(columns_per_second=1024, before=24, padding=48, q=4.0),
    Span(columns_per_second=256, before=32, padding=32, q=6.0),
    Span(columns_per_second=128, before=44, padding=24, q=8.0),
    Span(columns_per_second=32, before=48, padding=8, q=14.0),
)

_CUT = 3.0
"""Half-width of a row's window in frequency, in standard deviations."""
_SCALE = 0.25
"""Brings log(1 + energy) of a transient at SNR 10 near 1."""
_LIMITS = {
    "snr": (1.0, 1e3),
    "frequency": (1.0, 1e4),
    "duration": (1e-4, 1e2),
    "bandwidth": (1e-1, 1e4),
    "q": (1.0, 1e3),
}
"""Where each parameter is held, so that its logarithm is finite for any input."""


@dataclass(frozen=True)
class ModelInput:
    """One trigger as the network takes it."""

    image: SingleArray
    """float32, [frequency, time, span], about 0 to 2."""
    parameters: SingleArray
    """float32, [parameter], natural logarithms in the order of ``PARAMETERS``."""


def model_input(trigger: Trigger) -> ModelInput:
    """Turn a trigger into the network's input; total and finite for any trigger.

    A snippet that is missing, broken or not finite counts as silence.
    """
    samples = _samples(trigger)
    rate = trigger.snippet_rate
    image = np.zeros((len(FREQUENCIES), COLUMNS, len(SPANS)), np.float32)
    if len(samples):
        peak = gps.to_index(trigger.time_ns, rate) - gps.to_index(trigger.snippet_start_ns, rate)
        for number, span in enumerate(SPANS):
            stretch = _stretch(samples, peak, rate, span)
            image[:, :, number] = _SCALE * np.log1p(_energy(stretch, rate, span))
    return ModelInput(image, _parameters(trigger))


def _samples(trigger: Trigger) -> SingleArray:
    if trigger.snippet_rate < 2 * FREQUENCIES[0] or len(trigger.snippet) % 4:
        return np.zeros(0, np.float32)
    samples = trigger.snippet_array
    if not np.isfinite(samples).all():
        samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    # Beyond 1e6 standard deviations nothing is whitened strain, and squares must not overflow.
    return np.clip(samples, -1e6, 1e6)


def _parameters(trigger: Trigger) -> SingleArray:
    values = []
    for name in PARAMETERS:
        low, high = _LIMITS[name]
        value = float(getattr(trigger, name))
        values.append(np.log(min(max(value, low), high)) if np.isfinite(value) else np.log(low))
    return np.array(values, np.float32)


def _stretch(samples: SingleArray, peak: int, rate: int, span: Span) -> SingleArray:
    """Cut a span's stretch around the peak, with zeros where the snippet has no samples."""
    count = span.total * rate // span.columns_per_second
    first = peak - (span.padding + span.before) * rate // span.columns_per_second
    stretch = np.zeros(count, np.float32)
    low, high = max(first, 0), min(first + count, len(samples))
    if low < high:
        stretch[low - first : high - first] = samples[low:high]
    return stretch


@dataclass(frozen=True)
class _Rows:
    """Rows of one span that share the length of their inverse transform."""

    rows: npt.NDArray[np.intp]
    bins: npt.NDArray[np.intp]
    """Bins of the stretch's spectrum that each row takes, [row, length]."""
    weights: SingleArray
    """Gaussian windows, zero where a row has fewer bins than the length, [row, 2 * length].

    Each weight stands twice, for the real and the imaginary part: half the work of complex numbers.
    """


def _energy(stretch: SingleArray, rate: int, span: Span) -> SingleArray:
    """Return each cell's largest energy, mean 1 per sample in white noise: [frequency, time]."""
    spectrum = scipy.fft.rfft(stretch)
    energy = np.zeros((len(FREQUENCIES), COLUMNS), np.float32)
    for group in _bank(len(stretch), rate, span):
        taken = spectrum[group.bins]
        taken.view(np.float32)[:] *= group.weights
        series = scipy.fft.ifft(taken, axis=1, overwrite_x=True)
        each = series.shape[1] // span.total  # samples to a cell
        shown = series[:, span.padding * each : (span.padding + COLUMNS) * each]
        power = shown.real**2 + shown.imag**2
        # Sample by sample of all cells: numpy is slow at the maximum of a few neighbours.
        cells = power[:, ::each].copy()
        for number in range(1, each):
            np.maximum(cells, power[:, number::each], out=cells)
        energy[group.rows] = cells
    return energy


@cache
def _bank(count: int, rate: int, span: Span) -> tuple[_Rows, ...]:
    """Lay out the rows below Nyquist for stretches of ``count`` samples."""
    resolution = rate / count
    groups: dict[int, list[tuple[int, npt.NDArray[np.intp], SingleArray]]] = {}
    for row, frequency in enumerate(FREQUENCIES):
        if frequency < rate / 2:
            width = _CUT * frequency / span.q
            low = max(1, int(np.ceil((frequency - width) / resolution)))
            high = min(count // 2, int(np.floor((frequency + width) / resolution)))
            bins = np.arange(low, high + 1)
            length = span.total
            while length < len(bins):
                length *= 2
            weights = _window(bins * resolution, frequency, span.q, length, count)
            groups.setdefault(length, []).append((row, bins, weights))
    return tuple(_group(length, rows) for length, rows in groups.items())


def _window(
    frequencies: npt.NDArray[np.floating], centre: float, q: float, length: int, count: int
) -> SingleArray:
    """Return a row's window, scaled so that white noise of unit variance has mean energy 1."""
    window = np.exp(-0.5 * ((frequencies - centre) * q / centre) ** 2)
    # E|X_k|^2 = count, and the inverse transform divides by length.
    return np.asarray(window * length / np.sqrt(count * np.sum(window**2)), np.float32)


def _group(length: int, rows: list[tuple[int, npt.NDArray[np.intp], SingleArray]]) -> _Rows:
    bins = np.zeros((len(rows), length), np.intp)
    weights = np.zeros((len(rows), 2 * length), np.float32)
    for index, (_, taken, window) in enumerate(rows):
        bins[index, : len(taken)] = taken
        weights[index, : 2 * len(taken)] = window.repeat(2)
    return _Rows(np.array([row for row, _, _ in rows]), bins, weights)
