"""How far a detector sees: the inspiral range, by its spectrum."""

import numpy as np
import numpy.typing as npt

from transforms.binaries import SUN_SECONDS

LOWEST = 20.0
"""Where the integral begins [Hz]: below, whitening does not follow the spectrum."""
MASS = 1.4
"""Of either neutron star [solar masses]."""
SNR = 8.0
SKY = 1.77
"""Average over sky and orientation, Finn & Chernoff 1993, doi:10.1103/PhysRevD.47.2198, eq. 3.34:
4 over the 2.26 by which the distance of the best place and orientation is longer."""
_MPC_S = 1.029272e14
"""A megaparsec over the speed of light [s]."""


def inspiral_range(asd: npt.NDArray[np.floating], resolution: float) -> float:
    """Return the range to binary neutron stars of ``MASS``, without redshift [Mpc].

    In geometric units, with the chirp mass M,

        R^2 = SKY^2 * 5 M^(5/3) / (96 pi^(4/3) SNR^2) * integral of f^(-7/3) / S(f) df

    from ``LOWEST`` to the innermost stable circular orbit, 1 / (6^(3/2) pi 2 MASS): Allen et
    al. 2012, arXiv:gr-qc/0509116, with the average of Finn & Chernoff 1993.

    Args:
        asd: Amplitude spectral density [strain/sqrt(Hz)], [frequency]; the first is at 0 Hz.
        resolution: Its spacing [Hz].

    Returns:
        The range; 0 where the spectrum ends below ``LOWEST``. What is not finite or not
        more than 0 has no part in it.
    """
    chirp = SUN_SECONDS * MASS * 2**-0.2
    last = 1 / (6**1.5 * np.pi * 2 * MASS * SUN_SECONDS)
    frequency = np.arange(len(asd)) * resolution
    density = np.asarray(asd, np.float64) ** 2
    used = (frequency >= LOWEST) & (frequency < last) & np.isfinite(density) & (density > 0)
    integral = np.sum(frequency[used] ** (-7 / 3) / density[used]) * resolution
    factor = SKY**2 * 5 * chirp ** (5 / 3) / (96 * np.pi ** (4 / 3) * SNR**2)
    return float(np.sqrt(factor * integral)) / _MPC_S
