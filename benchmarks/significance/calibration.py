"""Whether false-alarm rates hold: events of noise counted, beside what their rates promise.

Days of noise are arrivals drawn again (`models.ranking.resample`), in which the rates of glitches
wander. Rates are those of the recommended form: slides of near lags, counted by whole hours, of
which an event sees the last ones that ended before its own. Ranks follow the same hours' rates of
triggers.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.ranking.resample import resampled
from models.ranking.sets import Seen
from models.simulation.network import DAY, FIRST_GPS, HOUR, MOST
from transforms.coincide.arrivals import Arrivals
from transforms.coincide.clustered import best_by_second, second_of
from transforms.coincide.features import Index, Pairs
from transforms.coincide.pairs import features, slid, taken, zero_lag
from transforms.coincide.sites import travel_ns
from transforms.gps import NANOSECONDS
from transforms.significance import background
from transforms.significance.background import Background, Hour
from transforms.significance.config import SignificanceConfig
from transforms.significance.livetime import HOUR_NS, hour_livetime, near_shifts
from transforms.significance.statistic import Ranked, Statistic
from transforms.significance.triggers import TriggerCounts, TriggerHour

LEVELS: Mapping[str, float] = {
    "1/hour": 1 / HOUR,
    "1/day": 1 / DAY,
    "1/week": 1 / (7 * DAY),
    "1/month": 1 / (30 * DAY),
}
"""False-alarm rates that are counted [Hz]."""
_START_NS = FIRST_GPS * NANOSECONDS
_STREAM = 31
"""Of randomness."""


@dataclass(frozen=True, kw_only=True)
class Count:
    """What became of events of noise."""

    hours: tuple[float, ...]
    """Of each hour whose events have a whole past: rate of all slid pairs in that past [Hz]."""
    rates: tuple[float, ...]
    """False-alarm rate of each event in these hours [Hz]."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Days of noise that are drawn."""

    days: int
    seed: int
    noise: str
    """How rates of glitches wander, as in `models.simulation.network.NOISES`."""


def counted(
    statistic: Statistic,
    noise: Mapping[str, Sequence[Seen]],
    detectors: tuple[str, str],
    trial: Trial,
    config: SignificanceConfig,
) -> Count:
    """Draw days of noise of two detectors and return the rates that its events are given.

    Args:
        statistic: Of the network.
        noise: Arrivals to draw from, by detector.
        detectors: Which two, in order of name.
        trial: How many days, of what.
        config: Slides, and how many hours an event sees.
    """
    classes, seconds = statistic.classes, trial.days * DAY
    rng = np.random.default_rng((trial.seed, _STREAM))
    phase = float(rng.uniform(0, MOST))
    first, second = (
        Arrivals.of(resampled(noise[ifo], seconds, rng, trial.noise, phase), classes)
        for ifo in detectors
    )
    hours = range(_START_NS // HOUR_NS, (_START_NS + seconds * NANOSECONDS) // HOUR_NS)
    past = _Past(statistic, first, second, hours, config.hours)
    light = travel_ns(*detectors)
    shifts = config.lags_ns
    found = slid(first, second, light, *shifts), zero_lag(first, second, light)
    best = [past.best(pairs, light) for pairs in found]
    lags = near_shifts(*shifts)
    whole = [(_START_NS, _START_NS + seconds * NANOSECONDS)]
    rates: list[float] = []
    every: list[float] = []
    window: deque[Hour] = deque(maxlen=config.hours)
    for hour in hours:
        if len(window) == config.hours:
            held = Background.of(window)
            far = (held.count(background.cells(best[1].of(hour))) + 1) / held.livetime_ns
            rates += (far * NANOSECONDS).tolist()
            slid_pairs = sum(int(one.counts.sum()) for one in window)
            every.append(slid_pairs * NANOSECONDS / held.livetime_ns)
        lived = int(hour_livetime(whole, whole, lags, hour).sum())
        window.append(Hour.of(detectors, hour, lived, best[0].of(hour)))
    return Count(hours=tuple(every), rates=tuple(rates))


def summary(counts: Sequence[Count]) -> dict[str, Any]:
    """Return how many events were given a rate, beside how many such a rate promises.

    An hour promises no more events than it has by the rate of all slid pairs.
    """
    every = np.array([rate for one in counts for rate in one.hours])
    rates = np.array([rate for one in counts for rate in one.rates])
    made = {}
    for level, limit in LEVELS.items():
        n, promised = int(np.sum(rates <= limit)), float(HOUR * np.sum(np.minimum(every, limit)))
        made[level] = {
            "counted": n,
            "promised": promised,
            "ratio": n / promised if promised else float("nan"),
            "error": promised**-0.5 if promised else float("nan"),
        }
    return {"days": len(every) * HOUR / DAY, "levels": made}


@dataclass(frozen=True)
class _Best:
    """The best pair of each second of each slide, and the hour it belongs to."""

    ranked: Ranked
    hour: Index
    """Rising, [pair]."""

    def of(self, hour: int) -> Ranked:
        """Return those of an hour."""
        low, high = np.searchsorted(self.hour, [hour, hour + 1])
        return self.ranked.taken(slice(low, high))


class _Past:
    """Arrivals of two detectors, and what each hour knows of the rates of both."""

    def __init__(
        self,
        statistic: Statistic,
        first: Arrivals,
        second: Arrivals,
        hours: range,
        length: int,
    ) -> None:
        self._statistic, self._first, self._second = statistic, first, second
        self._hours, self._length = hours, length
        self._counted = [[_trigger_hour(side, hour) for hour in hours] for side in (first, second)]

    def best(self, pairs: Pairs, light: int) -> _Best:
        """Rank pairs with what their hours know, and keep the best of each second."""
        first, second = self._first, self._second
        later = np.maximum(first.time_ns[pairs.first], second.time_ns[pairs.second])
        order = np.argsort(later, kind="stable")
        pairs, hour = taken(pairs, order), later[order] // HOUR_NS
        labelled, unlabelled = np.zeros(len(hour)), np.zeros(len(hour))
        for number, one in enumerate(self._hours):
            low, high = np.searchsorted(hour, [one, one + 1])
            if low == high:
                continue
            rates = [
                self._statistic.rates(
                    TriggerCounts.of(side[max(number - self._length, 0) : number])
                )
                for side in self._counted
            ]
            own = features(first, second, taken(pairs, slice(low, high)), light)
            made = self._statistic.rank(own, self._statistic.classes, *rates)
            labelled[low:high], unlabelled[low:high] = made.labelled, made.unlabelled
        kept = best_by_second(second_of(first, pairs), pairs, labelled)
        ranked = Ranked(labelled=labelled, unlabelled=unlabelled)
        return _Best(ranked.taken(kept), hour[kept])


def _trigger_hour(arrivals: Arrivals, hour: int) -> TriggerHour:
    low, high = np.searchsorted(arrivals.time_ns, [hour * HOUR_NS, (hour + 1) * HOUR_NS])
    own = arrivals.members[low:high]
    return TriggerHour.seen(own, ifo="", channel="", hour=hour, livetime_ns=HOUR_NS)
