"""A transient in its background: scaled to an SNR, and the truth about it."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import resample_poly

from models.simulation import noise, waveforms
from models.simulation.background import Background
from transforms.arrays import RealArray
from transforms.gps import to_index, to_ns
from transforms.whiten.config import WhitenConfig

SOURCE_RATE = 4096
"""Rate at which transients are drawn [Hz]: none reaches its Nyquist frequency."""
MARGIN = 0.25
"""Silence on either side of a transient [s], into which whitening spreads it."""
WIDE_MARGIN = 0.5
"""The same for what is given as seen after whitening: its strain is longer than it."""
LOUD = 50.0
"""From this SNR on, what whitening spreads into its whole past may be found by itself."""
LEAST_KEPT = 0.5
"""Part of a shape's energy that the stretch's sample rate must be able to carry."""
TRIES = 8
"""So many shapes are drawn of a family until a sample rate can carry one."""


@dataclass(frozen=True, kw_only=True)
class Injection:
    """A transient put into a stretch."""

    label: str
    key: str
    """Names this injection among all of all sets."""
    snr: float
    """Optimal SNR in the stretch's true noise."""
    start_ns: int
    end_ns: int
    sample_rate: int
    whitened: RealArray
    """What whitening with the true spectrum makes of it, [time]."""

    def snr_between(self, start_ns: int, end_ns: int) -> float:
        """Return the part of the SNR that lies in an interval of time."""
        low = to_index(start_ns - self.start_ns, self.sample_rate)
        high = to_index(end_ns - self.start_ns, self.sample_rate)
        part = self.whitened[max(low, 0) : max(high, 0)]
        return float(np.sqrt(np.sum(part**2)))


@dataclass(frozen=True)
class Drawn:
    """A transient at the stretch's rate, with its margins; of no particular loudness."""

    label: str
    snr: float
    """Which it shall have."""
    shape: RealArray
    """Strain, or as it is seen after whitening, [time]."""
    whitened: bool
    """Whether it is as it is seen after whitening."""


def draw(
    label: str, sample_rate: int, snr: waveforms.Range, rng: np.random.Generator, past: float
) -> Drawn | None:
    """Draw a transient that a sample rate can carry; none where it is too slow for a family.

    Args:
        label: Its family.
        sample_rate: Of the stretch [Hz].
        snr: The stretch's range of optimal SNR; a family's own comes first.
        rng: Source of randomness.
        past: Kept after a loud one [s]: as long as the whitening filter rings.

    Raises:
        ValueError: The rate carries none of the family.
    """
    family = waveforms.FAMILIES[label]
    if sample_rate < family.least_rate:
        raise ValueError(f"{label} needs a sample rate of {family.least_rate} Hz")
    for _ in range(TRIES):
        chosen = (family.snr or snr).draw(rng)
        samples = waveforms.draw(label, SOURCE_RATE, rng, chosen).samples
        shape = samples * rng.choice([-1.0, 1.0])
        before = WIDE_MARGIN if family.whitened else MARGIN
        after = max(before, past) if chosen > LOUD else before
        shape = np.pad(shape, (int(before * SOURCE_RATE), int(after * SOURCE_RATE)))
        kept = at_rate(shape, sample_rate)
        if kept is not None:
            return Drawn(label, chosen, kept, family.whitened)
    return None


def at_rate(shape: RealArray, sample_rate: int) -> RealArray | None:
    """Return a shape, [time], at a rate that divides ``SOURCE_RATE``; None where it is too slow."""
    if sample_rate == SOURCE_RATE:
        return shape
    factor = SOURCE_RATE // sample_rate
    kept = resample_poly(shape, 1, factor)
    carried = factor * np.sum(kept**2) >= LEAST_KEPT * np.sum(shape**2)
    return np.asarray(kept) if carried else None


def inject(
    drawn: Drawn, background: Background, at: float, whitening: WhitenConfig, key: str
) -> tuple[RealArray, Injection]:
    """Scale a transient to its SNR in the noise that there is; return its strain and the truth.

    Args:
        drawn: The transient.
        background: Where it comes to lie.
        at: Its first sample [s from the background's start].
        whitening: The pipeline's.
        key: Of the injection.
    """
    curve, rate, low = background.curve, background.sample_rate, whitening.low_frequency
    shape = drawn.shape
    if drawn.whitened:
        shape = noise.strain_of(shape, rate, curve, low)
    quiet = noise.whitened(shape, rate, curve, low)
    gain = drawn.snr / float(np.linalg.norm(quiet))
    level = float(background.drift.at(np.array(at + len(shape) / rate / 2)))
    start = background.start_ns + to_ns(round(at * rate), rate)
    end = start + to_ns(len(shape), rate)
    made = Injection(
        label=drawn.label,
        key=key,
        snr=drawn.snr,
        start_ns=start,
        end_ns=end,
        sample_rate=rate,
        whitened=quiet * gain,
    )
    return shape * (gain * level), made
