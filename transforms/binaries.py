"""Inspirals of binaries to leading order: Peters 1964, doi:10.1103/PhysRev.136.B1224."""

import numpy as np

SUN_SECONDS = 4.925490947e-6
"""Mass of the Sun [s]: G M / c^3 (IAU 2015 resolution B3, arXiv:1510.07674)."""


def time_left(chirp_mass: float, frequency: float) -> float:
    """Return the time from a frequency of the wave to coalescence [s].

    Args:
        chirp_mass: In the detector's frame [solar masses].
        frequency: Of the wave [Hz].
    """
    mass = chirp_mass * SUN_SECONDS
    return float(5 / 256 * mass ** (-5 / 3) * (np.pi * frequency) ** (-8 / 3))


def frequency_at(chirp_mass: float, left: float) -> float:
    """Return the frequency of the wave so long [s] before coalescence [Hz]."""
    mass = chirp_mass * SUN_SECONDS
    return float((5 / (256 * left)) ** 0.375 * mass**-0.625 / np.pi)
