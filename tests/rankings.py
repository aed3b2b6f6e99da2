"""A ranking statistic that was learnt from drawn pairs, and what it was learnt from."""

from functools import cache

import numpy as np

from models.ranking.fit import Examples, learn
from transforms.coincide.arrivals import PLACES
from transforms.coincide.features import Features
from transforms.significance.livetime import HOUR_NS
from transforms.significance.statistic import Card, Statistic
from transforms.significance.triggers import TriggerCounts, TriggerHour

CLASSES = ("blip", "cbc", "ccsn", "whistle")
CARD = Card(
    name="synthetic",
    command="pytest",
    signals="drawn",
    noise="drawn",
    signal_pairs=0,
    noise_pairs=0,
    seed=5,
    versions=("none 0",),
)


def power_law(rng, n, slope):
    return 5.5 * rng.uniform(size=n) ** (-1 / slope)


def sure_of(rng, classes):
    """Probabilities of a classifier that is mostly right."""
    raw = rng.exponential(0.2, (len(classes), len(CLASSES)))
    raw[np.arange(len(classes)), classes] += rng.exponential(3, len(classes))
    return raw / raw.sum(axis=1, keepdims=True)


def pairs(seed, n, alike):
    """Pairs of one source (True: all quantities alike), or of two accidents."""
    rng = np.random.default_rng(seed)
    wide = 0.2 if alike else 1.2
    ranks = power_law(rng, (2, n), 3.0 if alike else 2.2)
    if alike:
        ranks[1] = np.maximum(ranks[0] * np.exp(rng.normal(0, 0.3, n)), 5.5)
    kinds = rng.choice([1, 2] if alike else [0, 3], (2, n))
    if alike:
        kinds[1] = kinds[0]
    ratio = {name: rng.normal(0, wide, n) for name in ("frequency", "bandwidth", "duration", "q")}
    return Features(
        rank_first=ranks[0],
        rank_second=ranks[1],
        **ratio,
        amplitude=rng.normal(0, wide, n),
        mean_q=rng.uniform(4, 20, n),
        time=rng.exponential(0.005 if alike else 0.1, n),
        shorter=rng.exponential(0.1, n),
        overlap=rng.beta(5, 1, n) if alike else rng.uniform(0, 1, n),
        correlation=rng.choice([-1, 1], n) * (rng.beta(4, 2, n) if alike else rng.beta(2, 4, n)),
        delay_ns=rng.integers(-(10**7), 10**7, n),
        place_first=rng.integers(0, PLACES, n),
        place_second=rng.integers(0, PLACES, n),
        probabilities_first=sure_of(rng, kinds[0]),
        probabilities_second=sure_of(rng, kinds[1]),
    )


def hour_of(seed, n, number=0):
    rng = np.random.default_rng(seed)
    place, label = rng.integers(0, PLACES, n), rng.choice(CLASSES, n)
    ranks = power_law(rng, n, 2.2)
    return TriggerHour.of("H1:S", number, HOUR_NS, ranks, place, label, ifo="H1")


def examples():
    """Pairs of both kinds, and the detectors' past."""
    past = TriggerCounts.of([hour_of(n, 300, n) for n in range(4)])
    return [
        Examples(signals=pairs(1, 1500, True), noise=pairs(2, 6000, False), first=past, second=past)
    ]


@cache
def learnt() -> Statistic:
    """The statistic that they make."""
    return learn(examples(), CLASSES, CARD)
