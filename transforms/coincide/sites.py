"""Where the detectors stand, and how long a wave travels between two of them.

Vertices of the interferometers as in LAL (``LALDetectors.h``, LALSuite 7.26). A detector that
has no entry, as G1, is no part of an event: its triggers are published as those of one detector.
"""

import math

from transforms.gps import NANOSECONDS

LIGHT = 299_792_458
"""Speed of light [m/s]."""
SITES = {
    "H1": (-2161414.92636, -3834695.17889, 4600350.22664),
    "K1": (-3777336.024, 3484898.411, 3765313.697),
    "L1": (-74276.0447238, -5496283.71971, 3224257.01744),
    "V1": (4546374.099, 842989.697626, 4378576.96241),
}
"""Earth-fixed place of each detector, x, y and z [m]."""


def known(ifo: str) -> bool:
    """Return whether a detector can be part of an event."""
    return ifo in SITES


def travel_ns(one: str, other: str) -> int:
    """Return how long light needs from one detector to another, straight through the Earth [ns].

    Raises:
        ValueError: The place of one is not known.
    """
    for ifo in (one, other):
        if not known(ifo):
            raise ValueError(f"{ifo} has no place in the network: it has {', '.join(SITES)}")
    return round(math.dist(SITES[one], SITES[other]) / LIGHT * NANOSECONDS)


LONGEST_TRAVEL_NS = max(travel_ns(one, other) for one in SITES for other in SITES)
"""Between any two detectors [ns]."""
