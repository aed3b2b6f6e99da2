"""Waves from the sky: how strongly each detector feels them, and when, by LAL."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import fft

from transforms.arrays import FloatArray


@dataclass(frozen=True, kw_only=True)
class Direction:
    """Where a wave comes from, and how it is turned."""

    right_ascension: float
    """[rad]."""
    declination: float
    """[rad]."""
    polarisation: float
    """[rad]."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Direction":
        """Draw a direction, even on the sphere, and an angle of polarisation."""
        return cls(
            right_ascension=float(rng.uniform(0, 2 * np.pi)),
            declination=float(np.arcsin(rng.uniform(-1, 1))),
            polarisation=float(rng.uniform(0, np.pi)),
        )


@dataclass(frozen=True)
class Response:
    """What a detector makes of a wave; both factors lie within -1 to 1."""

    plus: float
    cross: float
    delay: float
    """Seconds by which the wave is later there than at the Earth's centre [s]."""


def response(ifo: str, direction: Direction, gps: float) -> Response:
    """Return how a detector feels a wave.

    Anderson et al. 2001, arXiv:gr-qc/0008066, eqs. B5 to B8, as LAL has them; the detector's
    length is short against the wave.

    Args:
        ifo: The detector, as ``H1``.
        direction: Of the wave.
        gps: When the wave passes the Earth's centre [GPS s]. The Earth stands still meanwhile.

    Raises:
        ValueError: LAL is missing, or knows no such detector.
    """
    lal = _lal()
    site = lal.cached_detector_by_prefix.get(ifo)
    if site is None:
        raise ValueError(f"no detector {ifo}: LAL knows H1, L1, V1, K1 and others")
    time, angles = lal.LIGOTimeGPS(gps), (direction.right_ascension, direction.declination)
    turned = lal.GreenwichMeanSiderealTime(time)
    plus, cross = lal.ComputeDetAMResponse(site.response, *angles, direction.polarisation, turned)
    delay = lal.TimeDelayFromEarthCenter(site.location, *angles, time)
    return Response(float(plus), float(cross), float(delay))


def delayed(strain: FloatArray, seconds: float, sample_rate: int) -> FloatArray:
    """Return strain that comes later, by parts of samples too.

    Args:
        strain: [time]; silent at either end for as long as the delay.
        seconds: [s]; negative: earlier.
        sample_rate: [Hz].
    """
    turn = -2j * np.pi * fft.rfftfreq(len(strain), 1 / sample_rate) * seconds
    return np.asarray(fft.irfft(fft.rfft(strain) * np.exp(turn), len(strain)))


def _lal() -> Any:
    try:
        import lal
    except ImportError:
        raise ValueError("waves from the sky need LAL: pip install 'wavefier[train]'") from None
    return lal
