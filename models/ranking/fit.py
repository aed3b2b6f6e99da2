"""Learning the ranking statistic from signals' pairs and slid pairs.

Tables are ln of ratios of smoothed densities. Those of several quantities are conditional: the
density of the first quantity, given the others, so that how often these occur is left to other
terms. Weights come from a logistic regression with a pull to 1, at which all terms would be
independent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize

from transforms.arrays import FloatArray, IntArray
from transforms.coincide.features import Features
from transforms.significance.statistic import (
    TERMS,
    Card,
    Statistic,
    Tables,
    Weights,
    coordinates,
    surely,
)
from transforms.significance.tables import Table, cells
from transforms.significance.triggers import TriggerCounts

BEYOND = 1e9
"""Last edge where the last cell is open."""
FLOOR = 0.3
"""Pairs that a density has beside those that were seen, spread evenly."""
RATE_FLOOR = 0.05
"""Triggers that each bin of the prior rates has beside its own."""
RANKS_SMOOTHED, RANKS_FLOOR = 1.2, 1e-3
"""Of the density of signals in both ranks: standard deviation in cells, and pairs a cell."""
STRONGEST = np.log(1e3)
"""Most that two classes say for or against a signal."""
PULL = 1e-3
"""Of each weight to 1: loss of a weight that is off by 1, where signals and noise weigh 1."""
HEAVIEST = 3.0
"""Largest weight; none is below 0."""
MOST = 400_000
"""Slid pairs that the weights are fitted to."""
DECIMALS = 6
"""Of what is kept in the file."""


def _ratios(low: float, high: float, count: int) -> FloatArray:
    return np.concatenate([[0], np.geomspace(low, high, count), [BEYOND]])


_RANKS = np.append(np.geomspace(4, 120, 30), BEYOND)
_ALIKE = _ratios(0.02, 4, 18)
GRIDS: Mapping[str, tuple[tuple[FloatArray, ...], tuple[float, ...]]] = {
    "ratio": ((np.append(np.exp(np.linspace(0, 3, 25)), BEYOND),), (1.0,)),
    "frequency": (
        (
            _ratios(1e-3, 3, 22),
            np.array([0, 6, 12, BEYOND]),
            np.array([0, 6.2, 8, BEYOND]),
        ),
        (1.0, 0.3, 0.3),
    ),
    "bandwidth": ((_ALIKE,), (1.0,)),
    "duration": ((_ALIKE,), (1.0,)),
    "q": ((_ALIKE,), (1.0,)),
    "amplitude": ((np.append(np.linspace(0, 5, 21), BEYOND),), (1.0,)),
    "time": (
        (_ratios(0.002, 3, 15), np.array([0, 0.01, 0.03, 0.1, 0.3, 1, BEYOND])),
        (0.7, 0.5),
    ),
    "overlap": ((np.linspace(0, 1, 13),), (0.7,)),
    "correlation": (
        (np.linspace(0, 1, 26), np.array([0, 5.2, 5.7, 6.3, 7, 8, 10, 14, BEYOND])),
        (1.0, 0.5),
    ),
}
"""Edges of each table, and how far its counts are smoothed: standard deviations in cells."""


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Pairs of the same two detectors, and how often either triggers."""

    signals: Features
    """One pair of each signal."""
    noise: Features
    """Slid pairs."""
    first: TriggerCounts
    """Noise triggers of the first detector."""
    second: TriggerCounts


def learn(
    examples: Sequence[Examples], classes: tuple[str, ...], card: Card, most: int = MOST
) -> Statistic:
    """Learn the statistic; the same examples and seed make the same one.

    Args:
        examples: Of one or more pairs of detectors; they are learnt together.
        classes: Of the columns of the pairs' probabilities.
        card: How it is made; the numbers of pairs are counted here.
        most: Slid pairs of each pair of detectors that the weights are fitted to; more are
            drawn from by the card's seed.

    Raises:
        ValueError: There are no signals or no slid pairs, or a column is not finite.
    """
    signals, noise = (
        joined([getattr(one, name) for one in examples]) for name in ("signals", "noise")
    )
    counts = len(signals.rank_first), len(noise.rank_first)
    if not all(counts):
        raise ValueError("a statistic needs pairs of signals and slid pairs")
    ones = Weights(**dict.fromkeys(TERMS, 1.0))
    unfitted = Statistic(
        version=1,
        card=replace(card, signal_pairs=counts[0], noise_pairs=counts[1]),
        classes=classes,
        labels=_rows(_labels(signals, noise)),
        prior=_rows(_prior(examples)),
        tables=_tables(signals, noise),
        labelled=ones,
        unlabelled=replace(ones, labels=0.0),
    )
    rng = np.random.default_rng(card.seed)
    terms = [
        [
            unfitted.terms(pairs, classes, unfitted.rates(one.first), unfitted.rates(one.second))
            for one in examples
            for pairs in [one.signals if side == 0 else _some(one.noise, most, rng)]
        ]
        for side in (0, 1)
    ]
    seen, accidents = (
        {name: np.concatenate([one[name] for one in several]) for name in TERMS}
        for several in terms
    )
    return replace(
        unfitted,
        labelled=fitted_weights(seen, accidents, TERMS),
        unlabelled=fitted_weights(seen, accidents, [name for name in TERMS if name != "labels"]),
    )


def fitted_weights(
    signals: Mapping[str, FloatArray], noise: Mapping[str, FloatArray], names: Sequence[str]
) -> Weights:
    """Return the weights of some terms; others weigh nothing.

    Signals and noise count alike, however many there are.

    Args:
        signals: Terms of signals' pairs, each [pair].
        noise: Terms of slid pairs, each [pair].
        names: Which terms.
    """
    x = np.concatenate([np.stack([side[name] for name in names], 1) for side in (signals, noise)])
    n_signals, n_noise = (len(side[names[0]]) for side in (signals, noise))
    truth = np.concatenate([np.ones(n_signals), -np.ones(n_noise)])
    share = np.concatenate([np.full(n_signals, 0.5 / n_signals), np.full(n_noise, 0.5 / n_noise)])

    def loss(values: FloatArray) -> tuple[float, FloatArray]:
        weights = values[:-1]
        margin = truth * (x @ weights + values[-1])
        slope = -share * truth * np.exp(-np.logaddexp(0, margin))
        pulled = np.append(x.T @ slope + 2 * PULL * (weights - 1), slope.sum())
        missed = np.sum(share * np.logaddexp(0, -margin))
        return float(missed + PULL * np.sum((weights - 1) ** 2)), pulled

    found = minimize(
        loss,
        np.append(np.ones(len(names)), 0.0),
        jac=True,
        method="L-BFGS-B",
        bounds=[*[(0, HEAVIEST)] * len(names), (None, None)],
    )
    weights = dict.fromkeys(TERMS, 0.0)
    weights.update(zip(names, found.x[:-1].round(4).tolist(), strict=True))
    return Weights(**weights)


def joined(several: Sequence[Features]) -> Features:
    """Return the pairs of several sets, one after the other.

    Raises:
        ValueError: A column is not finite.
    """
    columns = {
        field.name: np.concatenate([getattr(one, field.name) for one in several])
        for field in fields(Features)
    }
    for name, column in columns.items():
        if not np.isfinite(column).all():
            raise ValueError(f"{name} of the pairs must be finite")
    return Features(**columns)


def log_ratio(signals: IntArray, noise: IntArray, smoothed: tuple[float, ...]) -> FloatArray:
    """Return ln of the ratio of two densities of counts, [cell, ...].

    With several quantities, that of the first one given the others.

    Args:
        signals: Counts, [cell, ...].
        noise: Counts of the same cells.
        smoothed: Standard deviation in cells, of each quantity.
    """
    densities = []
    for counts in (signals, noise):
        near = gaussian_filter(counts.astype(float), smoothed, mode="nearest")
        densities.append((near + FLOOR / len(near)) / (near.sum(axis=0) + FLOOR))
    return np.asarray(np.log(densities[0] / densities[1]))


def _tables(signals: Features, noise: Features) -> Tables:
    one, other = coordinates(signals), coordinates(noise)
    made = {
        name: Table.of(
            edges,
            log_ratio(_counts(edges, one[name]), _counts(edges, other[name]), smoothed).round(
                DECIMALS
            ),
        )
        for name, (edges, smoothed) in GRIDS.items()
    }
    grid = (_RANKS, _RANKS)
    seen = _counts(grid, one["ranks"]).astype(float)
    density = gaussian_filter(seen + seen.T, RANKS_SMOOTHED, mode="nearest") + RANKS_FLOOR
    ranks = np.log(density / density.sum()).round(DECIMALS)
    return Tables(ranks=Table.of(grid, ranks), **made)


def _counts(edges: tuple[FloatArray, ...], columns: tuple[FloatArray, ...]) -> IntArray:
    """Return how many points there are in each cell, [cell, ...]; the outer ones are open."""
    shape = tuple(len(axis) - 1 for axis in edges)
    at = np.ravel_multi_index(cells(edges, columns), shape)
    return np.bincount(at, minlength=int(np.prod(shape))).reshape(shape)


def _labels(signals: Features, noise: Features) -> FloatArray:
    """Return ln of how often two classes come together in signals against accidents."""
    together = []
    for pairs in (signals, noise):
        first, second = surely(pairs.probabilities_first), surely(pairs.probabilities_second)
        one_way = first.T @ second / len(first)
        together.append(one_way + one_way.T)
    return np.asarray(np.clip(np.log(together[0] / together[1]), -STRONGEST, STRONGEST))


def _prior(examples: Sequence[Examples]) -> FloatArray:
    detectors = [side for one in examples for side in (one.first, one.second)]
    every = TriggerCounts(
        counts=np.sum([one.counts for one in detectors], axis=0),
        livetime_ns=sum(one.livetime_ns for one in detectors),
    )
    return every.log_rates(RATE_FLOOR)


def _some(pairs: Features, most: int, rng: np.random.Generator) -> Features:
    count = len(pairs.rank_first)
    if count <= most:
        return pairs
    return pairs.taken(np.sort(rng.choice(count, most, replace=False)))


def _rows(values: FloatArray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in values.round(DECIMALS).tolist())
