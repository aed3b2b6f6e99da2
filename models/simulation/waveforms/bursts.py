"""Core collapse: a bounce, then the proto-neutron star's mode that rises in frequency.

A phenomenological shape in the manner of Astone et al. 2018, arXiv:1812.05363, and Lopez et
al. 2021, arXiv:2011.13733: a narrow band of random emission along a rising track. It holds
what simulations agree on, and no simulation's waveform.
"""

import numpy as np

from models.simulation.waveforms.draws import SEED, Family, Range
from models.simulation.waveforms.pieces import angle, bell, flutter, scaled
from transforms.arrays import FloatArray

_RISE = 0.02
"""Time in which the emission sets in [s]."""


def core_collapse(
    time: FloatArray,
    start_frequency: float,
    end_frequency: float,
    duration: float,
    bounce: float,
    seed: float,
) -> FloatArray:
    """Return a core collapse's h(t) with the bounce at zero time; unit-free, peak 1.

    The mode's frequency rises as time to the power 0.7: fastest at first.

    Args:
        time: [s].
        start_frequency: Of the mode, when it sets in [Hz].
        end_frequency: Of the mode, at the end [Hz].
        duration: From the bounce to the end [s].
        bounce: Amplitude of the bounce, the mode's standard deviation being 1.
        seed: Settles the emission.
    """
    rng = np.random.default_rng(int(seed))
    part = np.clip(time / duration, 0, 1)
    track = start_frequency + (end_frequency - start_frequency) * part**0.7
    # Emission of some 20 Hz width: what is kicked at random and damped within tens of ms.
    emission = (flutter(time, 20.0, rng) * np.exp(1j * angle(time, track))).real
    envelope = np.clip(time / _RISE, 0, 1) * np.sqrt(1 - part) * (time > 0)
    width = 1 / (2 * np.pi * 150.0)
    pulse = -time / width * bell(time, width) * np.exp(0.5)
    return scaled(envelope * emission + bounce * pulse)


FAMILY = Family(
    core_collapse,
    lambda duration, **_: (0.02, duration),
    {
        "start_frequency": Range(100.0, 300.0),
        "end_frequency": Range(500.0, 1200.0),
        "duration": Range(0.2, 1.0),
        "bounce": Range(0.0, 1.0),
        "seed": SEED,
    },
    "chosen after the phenomenological waveforms of Astone et al. 2018, arXiv:1812.05363, and "
    "Lopez et al. 2021, arXiv:2011.13733: a mode that rises from 100-300 Hz to 500-1200 Hz in "
    "0.2-1 s",
)
"""The family ``ccsn``."""
