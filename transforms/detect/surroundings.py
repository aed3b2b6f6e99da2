"""How much whitened strain a search needs around what it searches, whatever the channels' rates."""

from functools import lru_cache

from transforms.detect.bank import Bank
from transforms.detect.config import DetectConfig
from transforms.detect.searchable import RATES, refusal, unsearchable
from transforms.whiten.config import WhitenConfig


def margin_seconds(whiten: WhitenConfig, detect: DetectConfig) -> int:
    """Return how much whitened strain a search needs around a hop, at any rate [whole s]."""
    return max(bank.margin_seconds for bank in _banks(whiten, detect))


def future_seconds(whiten: WhitenConfig, detect: DetectConfig) -> float:
    """Return how much whitened strain after a hop candidates depend on, at any rate [s]."""
    return max(bank.future_seconds for bank in _banks(whiten, detect))


@lru_cache(maxsize=8)
def _banks(whiten: WhitenConfig, detect: DetectConfig) -> tuple[Bank, ...]:
    """Lay out the bank of each rate that can be searched.

    Raises:
        ValueError: No rate can.
    """
    if reason := refusal(whiten, detect):
        raise ValueError(reason)
    return tuple(
        Bank(rate, detect, whiten.low_frequency)
        for rate in RATES
        if not unsearchable(rate, whiten, detect)
    )
