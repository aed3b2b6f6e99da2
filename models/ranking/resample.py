"""Days of arrivals out of hours of them: drawn again, at other times.

What is counted in many days of noise would take weeks to simulate from strain. Arrivals drawn again
keep all that they look like; only their times are new, so the rates may wander as they do in
`models.simulation.network.NOISES`.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.ranking.sets import Seen, live_seconds
from models.simulation.network import FIRST_GPS, HIGHEST, NOISES
from transforms.arrays import FloatArray
from transforms.elements import Arrival
from transforms.gps import NANOSECONDS

GRID_NS = 1_953_125
"""Times move by whole steps of this [ns]: four samples of 2048 Hz, so that waveforms stay on the
grid of GPS time."""


def resampled(
    seen: Sequence[Seen],
    seconds: int,
    rng: np.random.Generator,
    noise: str = "stationary",
    phase: float = 0.0,
) -> list[Arrival]:
    """Draw arrivals of one detector again, for other days.

    What glitches made comes as often as it was seen, times what the noise's rates are at the time;
    all arrivals of one glitch come together. What noise alone made comes evenly.

    Args:
        seen: Of one detector.
        seconds: Length of what is drawn, from ``FIRST_GPS`` on [s].
        rng: Source of randomness.
        noise: How rates of glitches wander, one of ``NOISES``.
        phase: Where in that the days begin [s].

    Returns:
        In the order of their times.
    """
    live = live_seconds(seen)
    glitches, alone = _groups(seen)
    second = rng.uniform(0, seconds, rng.poisson(len(alone) / live * seconds))
    made = _moved(alone, second, rng, "n")
    most = HIGHEST[noise]
    second = rng.uniform(0, seconds, rng.poisson(len(glitches) / live * seconds * most))
    wanted = NOISES[noise](second + phase) / most
    made += _moved(glitches, second[rng.random(len(second)) < wanted], rng, "g")
    return sorted(made, key=lambda each: (each.time_ns, each.id))


def moved(arrival: Arrival, delta_ns: int, mark: str) -> Arrival:
    """Return an arrival at another time, under another id.

    Args:
        arrival: As it was seen.
        delta_ns: By how much it comes later [ns], a multiple of ``GRID_NS``.
        mark: Added to its id.
    """
    return replace(
        arrival,
        id=f"{arrival.id}-{mark}",
        time_ns=arrival.time_ns + delta_ns,
        start_ns=arrival.start_ns + delta_ns,
        end_ns=arrival.end_ns + delta_ns,
        waveform_start_ns=arrival.waveform_start_ns + delta_ns,
    )


def _groups(seen: Sequence[Seen]) -> tuple[list[tuple[Arrival, ...]], list[tuple[Arrival, ...]]]:
    """Return the arrivals of each glitch, and those of noise alone, each by itself."""
    glitches: dict[tuple[int, int], list[Arrival]] = {}
    alone: list[tuple[Arrival, ...]] = []
    for number, one in enumerate(seen):
        for each, cause in zip(one.arrivals, one.causes, strict=True):
            if cause < 0:
                alone.append((each,))
            else:
                glitches.setdefault((number, cause), []).append(each)
    return [tuple(group) for group in glitches.values()], alone


def _moved(
    groups: list[tuple[Arrival, ...]],
    second: FloatArray,
    rng: np.random.Generator,
    kind: str,
) -> list[Arrival]:
    """Draw a group for each time [s], and move its first arrival there."""
    made: list[Arrival] = []
    if not groups:
        return made
    which = rng.integers(len(groups), size=len(second)).tolist()
    for number, (at, chosen) in enumerate(zip(second.tolist(), which, strict=True)):
        group = groups[chosen]
        wanted = FIRST_GPS * NANOSECONDS + round(at * NANOSECONDS)
        delta = (wanted - group[0].time_ns) // GRID_NS * GRID_NS
        made += [moved(each, delta, f"{kind}{number}") for each in group]
    return made
