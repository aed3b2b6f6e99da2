"""Which sample rates a configuration can search.

A channel may come at any power of two. Whatever of these a configuration cannot search is
told here, with a reason, before any stage is asked to.
"""

from transforms.detect.config import DetectConfig
from transforms.whiten.config import WhitenConfig

RATES = tuple(1 << k for k in range(21))
"""Rates at which strain may come [Hz]; others are resampled to one of them."""
NYQUIST_PART = 0.84
"""Highest frequency as a part of Nyquist: above, published strain is cut off."""
LEAST_AHEAD = 2
"""Samples that a whitening filter looks ahead, at least."""


def top_frequency(sample_rate: int, config: DetectConfig) -> float:
    """Return the highest frequency that is searched at a rate [Hz]."""
    return min(config.high_frequency, NYQUIST_PART * sample_rate / 2)


def unsearchable(sample_rate: int, whiten: WhitenConfig, detect: DetectConfig) -> str:
    """Return why strain of a rate cannot be searched, in one line; empty if it can.

    Args:
        sample_rate: After resampling [Hz].
        whiten: Whitening.
        detect: Detection.
    """
    if sample_rate not in RATES:
        return f"{sample_rate} Hz is no power of two from {RATES[0]} to {RATES[-1]} Hz"
    top = top_frequency(sample_rate, detect)
    if top <= detect.low_frequency:
        return (
            f"{sample_rate} Hz hold nothing to search: wavelets reach to {top:g} Hz, and "
            f"detect.low_frequency is {detect.low_frequency:g} Hz"
        )
    if round(whiten.lookahead_seconds * sample_rate) < LEAST_AHEAD:
        return (
            f"{sample_rate} Hz are too few: whiten.lookahead_seconds {whiten.lookahead_seconds:g} "
            f"is less than {LEAST_AHEAD} samples"
        )
    return ""


def refusal(whiten: WhitenConfig, detect: DetectConfig) -> str:
    """Return why a configuration can search no strain at all; empty if it can."""
    if detect.low_frequency <= whiten.low_frequency:
        return (
            f"detect.low_frequency {detect.low_frequency} must lie above "
            f"whiten.low_frequency {whiten.low_frequency}"
        )
    reasons = [unsearchable(rate, whiten, detect) for rate in RATES]
    return "" if "" in reasons else f"no strain can be searched: {reasons[-1]}"
