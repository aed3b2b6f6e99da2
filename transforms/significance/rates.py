"""Rates that are counted: how often noise does as much, and how well that is known."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.arrays import FloatArray
from transforms.coincide.features import Index
from transforms.gps import NANOSECONDS


def louder(background: FloatArray, values: npt.ArrayLike) -> Index:
    """Return how many of the background are at least as loud as each value.

    Args:
        background: Sorted upwards, [background].
        values: Any shape, which is that of the result.
    """
    below = np.searchsorted(background, np.asarray(values, float), "left")
    return np.asarray(len(background) - below, np.int64)


def false_alarm_rate(louder: int, livetime_ns: int) -> float:
    """Return (n + 1) / T [Hz]: what is asked about counts as one of the background.

    So the rate is never nil, and as many of the noise's own events have a rate of x or less as
    x promises (Capano et al. 2017, arXiv:1601.00130; Usman et al. 2016, arXiv:1508.02357).

    Args:
        louder: How many events of the background are at least as loud.
        livetime_ns: Live time of the background [ns].

    Raises:
        ValueError: There is no live time, or the number is below nought.
    """
    if livetime_ns <= 0 or louder < 0:
        raise ValueError(f"no rate of {louder} events in {livetime_ns} ns")
    # Of whole numbers, Python rounds the quotient once.
    return (int(louder) + 1) * NANOSECONDS / int(livetime_ns)


def false_alarm_probability(rate: float, livetime_ns: int) -> float:
    """Return 1 - exp(-rate T): that noise does as much at least once.

    Args:
        rate: False-alarm rate [Hz].
        livetime_ns: Time that was searched for events, T [ns].
    """
    return float(-np.expm1(-rate * livetime_ns / NANOSECONDS))


def relative_error(first: Index, second: Index) -> float:
    """Return the relative error of a number of slid pairs; infinite of no pair.

    A trigger that is in several pairs makes them come and go together:
    Var N = N + sum_i n_i (n_i - 1) + sum_j m_j (m_j - 1), with n_i the pairs of trigger i of the
    first detector and m_j those of the second. The root of N alone tells too little.

    Args:
        first: Which trigger of the first detector, [pair]; any numbers that tell them apart.
        second: Which of the second detector, [pair].
    """
    pairs = len(first)
    if not pairs:
        return float("inf")
    squares = sum(
        int(np.sum(np.unique(side, return_counts=True)[1] ** 2)) for side in (first, second)
    )
    return float(np.sqrt(squares - pairs) / pairs)


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A false-alarm rate, and what it was counted in."""

    far: float = float("nan")
    """[Hz]; not a number where the past is too short."""
    livetime_ns: int = 0
    """Of the background [ns]."""
    louder: int = 0
    """How many events of the background are at least as loud."""
    method: str = ""
    """How it was made; empty where the past is too short."""


SLIDES, PAST = "slides", "past"
"""Methods: counted in slid pairs, or in a channel's own past."""
LIMIT = "_limit"
"""Ends the method where nothing of the background is as loud: the rate is at most so much.
Nothing is extrapolated."""


def counted(louder: int, livetime_ns: int, minimum_ns: int, method: str) -> Rate:
    """Return the rate of a count.

    Args:
        louder: How many events of the background are at least as loud.
        livetime_ns: Live time of the background [ns].
        minimum_ns: With less live time there is no rate [ns].
        method: How it was counted.
    """
    if livetime_ns < max(minimum_ns, 1):
        return Rate(livetime_ns=livetime_ns)
    return Rate(
        far=false_alarm_rate(louder, livetime_ns),
        livetime_ns=livetime_ns,
        louder=louder,
        method=method if louder else method + LIMIT,
    )
