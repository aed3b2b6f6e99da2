"""Inspiral, merger and ring-down of two black holes without spin: IMRPhenomA.

Ajith et al. 2008, arXiv:0710.2335, equations 4.13-4.18, with the coefficients that were
fitted to the long Jena waveforms, Table I of Ajith 2008, arXiv:0712.0343 (the set that
LALSimulation uses under this name). Only the shape is kept: the amplitude is unit-free.
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]
ComplexArray = npt.NDArray[np.complex128]

SUN_SECONDS = 4.925490947e-6
"""G M_sun / c^3 [s]."""
LOW_FREQUENCY = 20.0
"""Where the signal sets in [Hz], as in the predecessor's mock data."""
_AFTER = 0.1
"""Kept after the merger [s]: 40 damping times of the heaviest remnant."""

# a, b, c of (a eta^2 + b eta + c) / (pi M): merger, ring-down, width of the ring-down, cut.
_FREQUENCIES = {
    "merger": (6.6389e-01, -1.0321e-01, 1.0979e-01),
    "ring": (1.3278e00, -2.0642e-01, 2.1957e-01),
    "width": (1.1383e00, -1.7700e-01, 4.6834e-02),
    "cut": (1.7086e00, -2.6592e-01, 2.8236e-01),
}
# x, y, z of psi_k = (x eta^2 + y eta + z) / (eta (pi M)^((5 - k) / 3)).
_PHASES = {
    0: (-1.5829e-01, 8.7016e-02, -3.3382e-02),
    2: (3.2967e01, -1.9000e01, 2.1345e00),
    3: (-3.0849e02, 1.8211e02, -2.1727e01),
    4: (1.1525e03, -7.1477e02, 9.9692e01),
    6: (1.2057e03, -8.4233e02, 1.8046e02),
}


def _mass(mass1: float, mass2: float) -> tuple[float, float]:
    """Give the total mass [s] and the symmetric mass ratio eta."""
    total = mass1 + mass2
    return total * SUN_SECONDS, mass1 * mass2 / total**2


def frequencies(mass1: float, mass2: float) -> dict[str, float]:
    """Give the merger, ring-down, width and cut frequencies [Hz] (eq. 4.18).

    Args:
        mass1: One mass in the detector's frame [solar masses].
        mass2: The other one.
    """
    total, eta = _mass(mass1, mass2)
    return {
        name: float(np.polyval(coefficients, eta)) / (np.pi * total)
        for name, coefficients in _FREQUENCIES.items()
    }


def phase_coefficients(mass1: float, mass2: float) -> dict[int, float]:
    """Give psi_k of the phase sum_k psi_k f^((k - 5) / 3) (eq. 4.16), f in [Hz]."""
    total, eta = _mass(mass1, mass2)
    return {
        k: float(np.polyval(xyz, eta)) / (eta * (np.pi * total) ** ((5 - k) / 3))
        for k, xyz in _PHASES.items()
    }


def amplitude(frequency: FloatArray, mass1: float, mass2: float) -> FloatArray:
    """Give the effective amplitude (eq. 4.13), 1 at the merger frequency.

    Args:
        frequency: Positive frequencies [Hz], [frequency].
        mass1: One mass [solar masses].
        mass2: The other one.
    """
    at = frequencies(mass1, mass2)
    ratio = frequency / at["merger"]
    # The weight that makes the Lorentzian continuous with the merger at the ring-down.
    weight = np.pi * at["width"] / 2 * (at["ring"] / at["merger"]) ** (-2 / 3)
    offset = (frequency - at["ring"]) ** 2 + at["width"] ** 2 / 4
    lorentzian = at["width"] / (2 * np.pi * offset)
    shape = np.where(ratio < 1, ratio ** (-7 / 6), ratio ** (-2 / 3))
    shape = np.where(frequency < at["ring"], shape, weight * lorentzian)
    return np.where(frequency < at["cut"], shape, 0.0)


def extent(mass1: float, mass2: float, **_: float) -> tuple[float, float]:
    """Give the seconds from ``LOW_FREQUENCY`` to the merger, and what is kept after it.

    The Newtonian time to coalescence (Peters 1964, doi:10.1103/PhysRev.136.B1224) and a
    tenth of a second, as the fits start a little earlier.
    """
    total, eta = _mass(mass1, mass2)
    speed = np.pi * total * LOW_FREQUENCY
    return 5 * total / (256 * eta * speed ** (8 / 3)) + 0.1, _AFTER


def strain(time: FloatArray, mass1: float, mass2: float, phase: float) -> npt.NDArray[np.float64]:
    """Give h(t) with the merger near zero time; unit-free, peak 1.

    Args:
        time: Uniform grid [s], [time], as long as ``extent`` says.
        mass1: One mass in the detector's frame [solar masses].
        mass2: The other one.
        phase: Phase of the wave [rad].
    """
    step = float(time[1] - time[0])
    # Twice the length: what the start's taper spreads must not wrap onto the merger.
    count = 1 << int(np.ceil(np.log2(2 * len(time))))
    frequency = np.fft.rfftfreq(count, step)
    spectrum = np.zeros(len(frequency), complex)
    spectrum[1:] = _spectrum(frequency[1:], mass1, mass2, phase)
    # The merger is at sample 0 of the cyclic series; roll it to the grid's zero time.
    series = np.roll(np.fft.irfft(spectrum, count), -round(time[0] / step))[: len(time)]
    return np.asarray(series / np.max(np.abs(series)), np.float64)


def _spectrum(frequency: FloatArray, mass1: float, mass2: float, phase: float) -> ComplexArray:
    psi = phase_coefficients(mass1, mass2)
    ring = frequencies(mass1, mass2)["ring"]
    # The group delay is -(d angle / df) / 2 pi: taking the slope at the ring-down away puts
    # the loudest cycle at zero time.
    slope = sum((k - 5) / 3 * value * ring ** ((k - 8) / 3) for k, value in psi.items())
    angle = phase - slope * frequency
    for k, value in psi.items():
        angle = angle + value * frequency ** ((k - 5) / 3)
    rise = np.clip((frequency - 0.8 * LOW_FREQUENCY) / (0.2 * LOW_FREQUENCY), 0, 1)
    taper = np.sin(np.pi / 2 * rise) ** 2
    spectrum: ComplexArray = taper * amplitude(frequency, mass1, mass2) * np.exp(1j * angle)
    return spectrum
