"""Compact binaries, by LALSimulation: black holes, neutron stars, and one of each.

IMRPhenomD (Khan et al. 2016, arXiv:1508.07253) for black holes, IMRPhenomNSBH (Thompson et
al. 2020, arXiv:2002.08383) for a neutron star with one, IMRPhenomD_NRTidalv2 (Dietrich et
al. 2019, arXiv:1905.06011) for two. LALSimulation is needed only where one is drawn.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.fft import next_fast_len

from models.simulation.waveforms.draws import PHASE, Family, Range, Variant
from models.simulation.waveforms.pieces import scaled
from transforms.arrays import FloatArray
from transforms.binaries import SUN_SECONDS

LOW_FREQUENCY = 20.0
"""Where the signal sets in [Hz], as in the predecessor's mock data."""
HEAVY, HEAVY_LOW_FREQUENCY = 100.0, 12.0
"""From this total mass on [solar masses] it sets in here [Hz]: the merger lies within the band."""
LONGEST = 16.0
"""What is kept before the merger [s]: binaries that would last longer set in later."""
HEAVIEST_STAR = 3.0
"""Heavier is a black hole [solar masses]."""
_AFTER = 0.1
"""Kept after the merger [s]: six damping times of the heaviest remnant."""
_LEAD = 0.1
"""Kept before the Newtonian beginning [s], as the models set in a little earlier."""
_TOP = 1800.0
"""Up to here the signal is made [Hz]: below the Nyquist frequency of the shapes' grid."""
_MPC = 3.0857e22


def start_frequency(mass1: float, mass2: float) -> float:
    """Return where the signal sets in [Hz]: a fixed frequency, or ``LONGEST`` before the end."""
    lowest = LOW_FREQUENCY if mass1 + mass2 < HEAVY else HEAVY_LOW_FREQUENCY
    total, eta = (mass1 + mass2) * SUN_SECONDS, mass1 * mass2 / (mass1 + mass2) ** 2
    speed = (5 * total / (256 * eta * LONGEST)) ** 0.375
    return max(lowest, float(speed / (np.pi * total)))


def duration(mass1: float, mass2: float, frequency: float) -> float:
    """Return the Newtonian time from a frequency [Hz] to coalescence [s].

    Peters 1964, doi:10.1103/PhysRev.136.B1224, to leading order in v / c.

    Args:
        mass1: One mass in the detector's frame [solar masses].
        mass2: The other one.
        frequency: Of the wave [Hz].
    """
    total, eta = (mass1 + mass2) * SUN_SECONDS, mass1 * mass2 / (mass1 + mass2) ** 2
    return float(5 * total / (256 * eta * (np.pi * total * frequency) ** (8 / 3)))


def extent(mass1: float, mass2: float, **_: float) -> tuple[float, float]:
    """Return the seconds from the signal's start to the merger, and what is kept after it."""
    return duration(mass1, mass2, start_frequency(mass1, mass2)) + _LEAD, _AFTER


def strain(
    time: FloatArray, mass1: float, mass2: float, spin1: float, spin2: float, phase: float
) -> FloatArray:
    """Return h(t) with the merger at zero time; unit-free, peak 1.

    Args:
        time: Uniform grid [s], [time], as long as ``extent`` says.
        mass1: One mass in the detector's frame [solar masses].
        mass2: The other one.
        spin1: Dimensionless spin of the first along the orbit's axis.
        spin2: That of the second; a neutron star beside a black hole has none.
        phase: Phase of the wave [rad].
    """
    step = float(time[1] - time[0])
    # Twice the length: the taper begins at 0.8 of the frequency, 1.8 times as long before the
    # merger, and must not wrap onto it.
    count = next_fast_len(2 * len(time) + round(0.5 / step), real=True)
    low = start_frequency(mass1, mass2)
    frequency = np.fft.rfftfreq(count, step)
    polarisation = _model(
        _Body(mass=mass1, spin=spin1),
        _Body(mass=mass2, spin=spin2),
        phase=phase,
        low=0.8 * low,
        step=float(frequency[1]),
    )
    spectrum = np.zeros(len(frequency), complex)
    used = min(len(polarisation), len(frequency))
    spectrum[:used] = polarisation[:used]
    rise = np.clip((frequency - 0.8 * low) / (0.2 * low), 0, 1)
    fall = np.clip((_TOP - frequency) / (0.1 * _TOP), 0, 1)
    series = np.fft.irfft(spectrum * np.sin(np.pi / 2 * rise) ** 2 * fall, count)
    # The merger is at sample 0 of the cyclic series; roll it to the grid's zero time.
    series = np.roll(series, -round(time[0] / step))[: len(time)]
    return scaled(series * np.clip((time - time[0]) / _LEAD, 0, 1))


@dataclass(frozen=True, kw_only=True, order=True)
class _Body:
    """A black hole or a neutron star; of two the heavier is the larger."""

    mass: float
    """[solar masses]."""
    spin: float


def _model(body: _Body, other: _Body, *, phase: float, low: float, step: float) -> Any:
    """Return the plus polarisation of a binary seen face on: complex, [frequency].

    Args:
        body: One of the two.
        other: The other one.
        phase: Of the wave [rad].
        low: Where the spectrum begins [Hz].
        step: Of the spectrum [Hz].
    """
    try:
        import lal
        import lalsimulation as simulation
    except ImportError:
        raise ValueError("binaries need LALSimulation: pip install 'wavefier[train]'") from None
    heavy, light = max(body, other), min(body, other)
    light_spin = light.spin
    options = lal.CreateDict()
    approximant = simulation.IMRPhenomD
    if light.mass < HEAVIEST_STAR <= heavy.mass:
        approximant, light_spin = simulation.IMRPhenomNSBH, 0.0
        simulation.SimInspiralWaveformParamsInsertTidalLambda2(options, deformability(light.mass))
    elif heavy.mass < HEAVIEST_STAR:
        approximant = simulation.IMRPhenomD_NRTidalv2
        simulation.SimInspiralWaveformParamsInsertTidalLambda1(options, deformability(heavy.mass))
        simulation.SimInspiralWaveformParamsInsertTidalLambda2(options, deformability(light.mass))
    plus, _ = simulation.SimInspiralChooseFDWaveform(
        m1=heavy.mass * lal.MSUN_SI,
        m2=light.mass * lal.MSUN_SI,
        S1x=0.0,
        S1y=0.0,
        S1z=heavy.spin,
        S2x=0.0,
        S2y=0.0,
        S2z=light_spin,
        distance=_MPC,
        inclination=0.0,
        phiRef=phase,
        longAscNodes=0.0,
        eccentricity=0.0,
        meanPerAno=0.0,
        deltaF=step,
        f_min=low,
        f_max=_TOP,
        f_ref=low,
        LALpars=options,
        approximant=approximant,
    )
    return plus.data.data


def deformability(mass: float) -> float:
    """Return a neutron star's tidal deformability: 400 at 1.4 solar masses, falling as m^-6.

    Chosen inside what GW170817 allows, Abbott et al. 2018, arXiv:1805.11581: 70 to 580 at 1.4
    solar masses, with the power of the mass that De et al. 2018, arXiv:1804.08583, find.
    """
    return float(400 * (1.4 / mass) ** 6)


_SPIN, _BLACK_HOLE, _STAR_SPIN = Range(-0.5, 0.5), Range(-0.8, 0.8), Range(-0.05, 0.05)
_STAR = Range(1.2, 2.0)
_HOLES = {"spin1": _BLACK_HOLE, "spin2": _BLACK_HOLE}
FAMILY = Family(
    strain,
    extent,
    {
        "mass1": Range(1.2, 170.0, "log"),
        "mass2": Range(1.2, 130.0, "log"),
        "spin1": _BLACK_HOLE,
        "spin2": _BLACK_HOLE,
        "phase": PHASE,
    },
    "wdf.mock, defaults.toml: black holes of 15-50 and 10-40, a black hole of 6-20 and a neutron "
    "star of 1.2-2, neutron stars, solar masses, spins of +-0.5; chosen, in the detector's frame: "
    "black holes of 5-60 and 5-40, uniform in the logarithm; 18 % heavy ones, of 50-170 and "
    "25-130, as GW190521, Abbott et al. 2020, arXiv:2009.01075; 12 % light ones, of 6-16 and "
    "5-12; black holes' spins of +-0.8, neutron stars' of +-0.05; SNR: half of them below 10, "
    "since most are quiet",
    snr=Range(5.0, 60.0, "inverse"),
    variants=(
        Variant(
            0.34, {**_HOLES, "mass1": Range(5.0, 60.0, "log"), "mass2": Range(5.0, 40.0, "log")}
        ),
        Variant(
            0.18, {**_HOLES, "mass1": Range(50.0, 170.0, "log"), "mass2": Range(25.0, 130.0, "log")}
        ),
        Variant(
            0.12, {**_HOLES, "mass1": Range(6.0, 16.0, "log"), "mass2": Range(5.0, 12.0, "log")}
        ),
        Variant(
            0.2,
            {
                "mass1": Range(6.0, 20.0),
                "mass2": _STAR,
                "spin1": _SPIN,
                "spin2": Range(0.0, 0.0),
            },
        ),
        Variant(0.16, {"mass1": _STAR, "mass2": _STAR, "spin1": _STAR_SPIN, "spin2": _STAR_SPIN}),
    ),
)
"""The family ``cbc``.

Spins lie along the orbit's axis, and only the loudest mode is there. For what a label needs that
suffices: random precessing ones of IMRPhenomXP, seen from anywhere, have a match with the best of
25 aligned ones near them of 0.95 and more at 120 to 270 solar masses (70: 0.94), and those of
IMRPhenomXPHM, with higher modes, of 0.91 and more; they cost 1 to 25 and 13 to 35 times as much.
"""
