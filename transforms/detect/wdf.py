"""The Wavelet Detection Filter's quantities of a trigger, from the window around its peak.

Half a second of whitened strain is transformed with each of a few orthonormal wavelet bases.
In each, what stands out of the noise is kept. The basis that keeps most energy is the best one,
and EnWDF is the norm of what it keeps, in units of the noise's standard deviation (Cuoco et al.
2018, EUSIPCO; definition of p4TSA 3 and later).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pywt

from transforms.arrays import FloatArray, SingleArray
from transforms.elements import Trigger
from transforms.gps import to_index, to_ns

BASES = ("haar", "db4", "sym8", "db12", "sym12")
"""The dictionary: a step, and short to long wavelets, asymmetric and nearly symmetric."""
WINDOWS_PER_SECOND = 2
"""The window is half a second: a power of two of samples, as all rates are powers of two."""
COARSEST = 16
"""Scaling coefficients: they hold what lies below 16 Hz, where whitened strain is nearly empty."""
BLOCK = 8
"""Coefficients kept or dropped together: the power of two nearest ln N, N from 512 to 2048."""
LAMBDA = 4.50524
"""Energy per coefficient above which a block is kept: the root of x - ln x = 3 (Cai 1999)."""

_MODE = pywt.Modes.periodization
"""The only extension under which the transform of a finite series is orthonormal."""
_WAVELETS = {name: pywt.Wavelet(name) for name in BASES}


@dataclass(frozen=True, kw_only=True)
class Wdf:
    """What the filter sees in one window."""

    basis: str = ""
    """The best basis, by PyWavelets' name; empty where no basis keeps anything."""
    enwdf: float = 0.0
    """Norm of the kept coefficients, in units of the noise's standard deviation."""
    rate: int = 0
    """Samples per second of the window [Hz]; 0 where there was no strain to look at."""
    index: bytes = b""
    """uint16 places of the kept coefficients, ascending: the coarsest first, as in
    ``np.concatenate(pywt.wavedec(...))``."""
    value: bytes = b""
    """float32 kept coefficients, in units of the noise's standard deviation."""


def wdf(strain: SingleArray | FloatArray, rate: int, start_ns: int, time_ns: int) -> Wdf:
    """Find the best basis of the window around a peak.

    The noise's standard deviation is 1 in every coefficient: the strain is white with unit
    variance, and the transform is orthonormal. It is not estimated from the window, whose
    signal would raise it.

    Args:
        strain: Whitened strain, [time], in units of the noise's standard deviation. The
            window is zero where it does not reach.
        rate: [Hz], a power of two.
        start_ns: Time of the first sample [GPS ns].
        time_ns: The peak [GPS ns].

    Returns:
        The quantities; empty ones without strain, or with too low a rate for a transform.
    """
    count = rate // WINDOWS_PER_SECOND
    if not len(strain) or count < 2 * COARSEST:
        return Wdf()
    first = to_index(window_start_ns(time_ns, rate), rate) - to_index(start_ns, rate)
    coefficients = transform(_cut(strain, first, count))
    kept = kept_energy(coefficients)
    total = kept.sum(axis=-1)
    best = int(np.argmax(total))
    if not total[best]:
        return Wdf(rate=rate)
    index = np.flatnonzero(np.repeat(kept[best] > 0, BLOCK))
    value = coefficients[best][index].astype(np.float32)
    enwdf = float(np.sqrt(np.sum(value.astype(np.float64) ** 2)))
    return Wdf(
        basis=BASES[best],
        enwdf=enwdf,
        rate=rate,
        index=index.astype(np.uint16).tobytes(),
        value=value.tobytes(),
    )


def with_wdf(trigger: Trigger) -> Trigger:
    """Return a trigger with the filter's quantities of its snippet."""
    strain, rate = trigger.snippet_array, trigger.snippet_rate
    found = wdf(strain, rate, trigger.snippet_start_ns, trigger.time_ns)
    return replace(
        trigger,
        wdf_basis=found.basis,
        enwdf=found.enwdf,
        wdf_rate=found.rate,
        wdf_index=found.index,
        wdf_value=found.value,
    )


def window_start_ns(time_ns: int, rate: int) -> int:
    """Return the time of a window's first sample [GPS ns]: the peak's sample is its middle one.

    Args:
        time_ns: The peak [GPS ns].
        rate: Of the window [Hz].
    """
    return to_ns(to_index(time_ns, rate) - rate // WINDOWS_PER_SECOND // 2, rate)


def denoised(
    basis: str,
    rate: int,
    index: Sequence[int] | npt.NDArray[np.integer],
    value: Sequence[float] | npt.NDArray[np.floating],
) -> FloatArray:
    """Return the waveform of the kept coefficients: the window with the noise taken off.

    The arguments are a published trigger's ``wdf_basis``, ``wdf_rate``, ``wdf_index`` and
    ``wdf_value``.

    Returns:
        [time], half a second from ``window_start_ns`` on, in units of the whitened noise's
        standard deviation; zero where nothing was kept, empty where ``rate`` is 0.

    Raises:
        ValueError: The basis is none of ``BASES``.
    """
    waveform = np.zeros(rate // WINDOWS_PER_SECOND)
    if not basis:
        return waveform
    if basis not in BASES:
        raise ValueError(f"no basis {basis!r}: choose one of {', '.join(BASES)}")
    waveform[np.asarray(index, np.intp)] = value
    approximation, done = waveform[:COARSEST], COARSEST
    while done < len(waveform):
        detail = waveform[done : 2 * done]
        approximation = pywt.idwt(approximation, detail, _WAVELETS[basis], _MODE)
        done *= 2
    return np.asarray(approximation)


def transform(window: SingleArray | FloatArray) -> FloatArray:
    """Transform windows with every basis.

    Args:
        window: [..., time], a power of two of at least ``2 * COARSEST`` samples.

    Returns:
        [basis, ..., coefficient], ``COARSEST`` scaling coefficients, then the details from the
        coarsest level on. Every row has the window's energy.
    """
    out = np.empty((len(BASES), *window.shape))
    for row, basis in zip(out, BASES, strict=True):
        rest = window
        while (half := rest.shape[-1] // 2) >= COARSEST:
            rest, row[..., half : 2 * half] = pywt.dwt(rest, _WAVELETS[basis], _MODE, axis=-1)
        row[..., :COARSEST] = rest
    return out


def kept_energy(coefficients: FloatArray) -> FloatArray:
    """Return the energy of each block of coefficients that stands out, else 0.

    Args:
        coefficients: [..., coefficient].

    Returns:
        [..., block].
    """
    energy = (coefficients**2).reshape(*coefficients.shape[:-1], -1, BLOCK).sum(axis=-1)
    return np.where(energy > LAMBDA * BLOCK, energy, 0)


def _cut(strain: SingleArray | FloatArray, first: int, count: int) -> FloatArray:
    """Cut a window, zero beyond the strain's ends."""
    out = np.zeros(count)
    low, high = max(first, 0), min(first + count, len(strain))
    if low < high:
        out[low - first : high - first] = strain[low:high]
    return out
