"""Which signals are found at a false-alarm rate, statistic by statistic."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.ranking.pairing import Both, OfSignals, Slid
from models.simulation.network import DAY, Signal
from transforms.arrays import BoolArray, FloatArray
from transforms.coincide.clustered import best_by_second, second_of
from transforms.coincide.features import Features, Index
from transforms.gps import NANOSECONDS
from transforms.significance import background
from transforms.significance.background import Background
from transforms.significance.rates import louder, relative_error
from transforms.significance.statistic import Ranked, Statistic
from transforms.significance.triggers import TriggerCounts

YEAR = 365.25 * DAY
LEVELS: Mapping[str, float] = {
    "1/day": 1 / DAY,
    "1/month": 12 / YEAR,
    "1/yr": 1 / YEAR,
    "1/10 yr": 0.1 / YEAR,
}
"""False-alarm rates [Hz]."""
SNRS = ((6.0, 8.0), (8.0, 10.0), (10.0, 12.0), (12.0, 15.0), (15.0, 20.0), (20.0, 40.0))
"""Bins of the network's SNR."""
HEARD = 5.0
"""Optimal SNR in two detectors from which on a signal is one that both could hear."""

Simple = Callable[[Features], FloatArray]
SIMPLE: Mapping[str, Simple] = {
    "sum of squares": lambda pairs: np.hypot(pairs.rank_first, pairs.rank_second),
    "quieter's rank": lambda pairs: np.minimum(pairs.rank_first, pairs.rank_second),
}
"""Statistics of both ranks alone: the root of the sum of their squares is what is done without
any knowledge of glitches."""
WITHOUT, WITH, JOINT = "without labels", "with labels", "joint"
STATISTICS = (*SIMPLE, WITHOUT, WITH, JOINT)
"""What is compared, the simplest first."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """False-alarm rates of signals in two detectors, by each statistic."""

    detectors: tuple[str, str]
    rates: Mapping[str, FloatArray]
    """Lowest of a signal's pairs [Hz], [signal]; infinite without a pair."""
    errors: Mapping[str, Mapping[str, float]]
    """By statistic and level: relative error of the rate there."""
    livetime_ns: int
    slid_pairs: int

    @property
    def least(self) -> float:
        """Return the lowest rate that the slides can tell [Hz]."""
        return NANOSECONDS / self.livetime_ns


def rates_of(
    statistic: Statistic, noise: Slid, signals: OfSignals, count: int, classes: Sequence[str]
) -> Rates:
    """Return what rates the signals have in two detectors, by each statistic.

    One pair a second counts in each slide: that which is largest in what is compared; for the
    joint statistic, the largest with labels.

    Args:
        statistic: Of the network.
        noise: Slid pairs, of other noise than the statistic was learnt from.
        signals: Pairs of the signals.
        count: How many signals there are.
        classes: Of the pairs' probabilities.
    """
    ranked = {
        name: ranked_by(statistic, both, noise.counts, classes)
        for name, both in (("noise", noise.both), ("signals", signals.both))
    }
    rates: dict[str, FloatArray] = {}
    errors: dict[str, dict[str, float]] = {}
    for name in STATISTICS:
        slid, heard = (
            _values(name, ranked[key], both)
            for key, both in (("noise", noise.both), ("signals", signals.both))
        )
        seconds = second_of(noise.both.first, noise.both.pairs)
        kept = best_by_second(seconds, noise.both.pairs, slid)
        if name == JOINT:
            made = _joint(ranked["noise"], kept, noise.livetime_ns)
            n = made.count(background.cells(ranked["signals"]))
            own = made.count(background.cells(ranked["noise"].taken(kept)))
        else:
            order = np.sort(slid[kept])
            n, own = louder(order, heard), louder(order, slid[kept])
        far = (n + 1) * NANOSECONDS / noise.livetime_ns
        rates[name] = _lowest(far, signals.signal, count)
        errors[name] = _errors(own, noise, kept)
    return Rates(
        detectors=noise.both.detectors,
        rates=rates,
        errors=errors,
        livetime_ns=noise.livetime_ns,
        slid_pairs=len(noise.both.pairs.first),
    )


def ranked_by(
    statistic: Statistic,
    both: Both,
    counts: tuple[TriggerCounts, TriggerCounts],
    classes: Sequence[str],
) -> Ranked:
    """Return ln L of pairs, with the rates of what their detectors were counted to do."""
    first, second = (statistic.rates(side) for side in counts)
    return statistic.rank(both.features, classes, first, second)


def together(each: Sequence[Rates]) -> dict[str, FloatArray]:
    """Return the rates in a network: its number of detector pairs times the best one's."""
    return {
        name: len(each) * np.min([one.rates[name] for one in each], axis=0) for name in STATISTICS
    }


def table(
    rates: Mapping[str, FloatArray],
    signals: Sequence[Signal],
    detectors: Sequence[int],
    least: float,
) -> dict[str, Any]:
    """Return the part of the signals that is found, by statistic and level.

    Args:
        rates: False-alarm rate of each signal by each statistic [Hz], [signal].
        signals: The truth.
        detectors: Places of the network's detectors in the truth's SNRs.
        least: Lowest rate that can be told [Hz]; levels below it are left out.
    """
    levels = {level: limit for level, limit in LEVELS.items() if limit >= least}
    snr = np.array([one.snr for one in signals])
    kinds = np.array([one.kind for one in signals])
    heard = np.array([sorted(one.snrs[i] for i in detectors)[-2] for one in signals]) > HEARD
    parts = {
        "all": np.ones(len(signals), bool),
        **{f"SNR {low:g}-{high:g}": (snr >= low) & (snr < high) for low, high in SNRS},
        **{kind: kinds == kind for kind in sorted(set(kinds.tolist()))},
        **{
            f"{kind}, heard in two": heard & (kinds == kind) for kind in sorted(set(kinds.tolist()))
        },
    }
    return {
        name: {
            "signals": int(part.sum()),
            "any pair": _part(np.isfinite(rates[WITHOUT]), part),
            **{
                statistic: {
                    level: _part(rates[statistic] <= limit, part) for level, limit in levels.items()
                }
                for statistic in STATISTICS
            },
        }
        for name, part in parts.items()
        if part.any()
    }


def _part(found: BoolArray, part: BoolArray) -> float:
    return round(float(found[part].mean()), 4)


def _values(name: str, ranked: Ranked, both: Both) -> FloatArray:
    if name in SIMPLE:
        return SIMPLE[name](both.features)
    return ranked.unlabelled if name == WITHOUT else ranked.labelled


def _joint(ranked: Ranked, kept: BoolArray, livetime_ns: int) -> Background:
    found, counts = np.unique(background.cells(ranked.taken(kept)), return_counts=True)
    return Background.of_cells(found, counts, livetime_ns)


def _lowest(far: FloatArray, signal: Index, count: int) -> FloatArray:
    best = np.full(count, np.inf)
    np.minimum.at(best, signal, far)
    return best


def _errors(own: Index, noise: Slid, kept: BoolArray) -> dict[str, float]:
    """Return the relative error of the number of slid pairs beyond each level."""
    first, second = noise.both.pairs.first[kept], noise.both.pairs.second[kept]
    made = {}
    for level, rate in LEVELS.items():
        beyond = own * NANOSECONDS <= rate * noise.livetime_ns
        made[level] = relative_error(first[beyond], second[beyond])
    return made
