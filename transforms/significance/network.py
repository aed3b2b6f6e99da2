"""A network's background and events: pure, the same live and from archives.

What concerns an hour needs only what came before its end: an hour's slides are ranked with the
rates of the hours before, and an event with the background of the hours before its own.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib import resources
from itertools import combinations
from pathlib import Path

import numpy as np

from transforms.arrays import FloatArray
from transforms.classify.artefact import ArtefactError
from transforms.coincide.arrivals import Arrivals
from transforms.coincide.clustered import best_by_second, second_of
from transforms.coincide.events import CONTEXT_SECONDS
from transforms.coincide.events import Ranked as RankedPairs
from transforms.coincide.events import events as coincident
from transforms.coincide.features import Features, Index, Pairs
from transforms.coincide.pairs import features, slid_parts, taken, zero_lag
from transforms.coincide.sites import travel_ns
from transforms.elements import Arrival, BackgroundHour, Event
from transforms.gps import NANOSECONDS, from_seconds
from transforms.settings import SettingsError
from transforms.significance.background import Background, Hour, cells
from transforms.significance.config import SignificanceConfig
from transforms.significance.follow import second_ns
from transforms.significance.livetime import HOUR_NS, analysed, hour_livetime, near_shifts
from transforms.significance.statistic import Ranked, Statistic, load
from transforms.significance.triggers import TriggerCounts, TriggerHour, TriggerRates

PACKAGED = "ranking-1.json"


def load_statistic(path: str) -> Statistic:
    """Return a ranking statistic; of an empty path the packaged one.

    Raises:
        ArtefactError: It is missing or damaged; one line.
    """
    packaged = Path(str(resources.files("models") / "artefacts" / PACKAGED))
    try:
        return load(Path(path) if path else packaged)
    except SettingsError as error:
        raise ArtefactError(f"significance.statistic: {error}") from None


MARGIN_NS = (CONTEXT_SECONDS + 1) * NANOSECONDS
"""Triggers so far outside an hour, or beyond its longest slide, may matter to its pairs [ns]."""
AT_ONCE = 1 << 16
"""Pairs that are looked at together: some tens of megabytes."""
Searched = Mapping[tuple[str, str], Sequence[tuple[int, int]]]
"""Detector and channel -> starts and ends of what was searched [GPS ns]."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a network at one time: how often it triggers, and pairs by chance."""

    rates: Mapping[str, TriggerRates]
    """Of each detector that was searched."""
    backgrounds: Mapping[tuple[str, str], Background]
    """Of each pair of detectors that was slid long enough."""


class Memory:
    """The hours that a network remembers, and what they say at a time."""

    def __init__(self, network: "Network", hours: Iterable[BackgroundHour]) -> None:
        self._network = network
        self._hours: dict[int, list[BackgroundHour]] = defaultdict(list)
        for each in hours:
            self._hours[each.hour].append(each)
        self._at_hour = lru_cache(maxsize=3)(self._at)

    def at(self, hour: int) -> Known:
        """Return what is known at the start of an hour, from the whole hours before."""
        return self._at_hour(hour)

    def _at(self, hour: int) -> Known:
        config, statistic = self._network.config, self._network.statistic
        by_ifo: dict[str, list[TriggerHour]] = defaultdict(list)
        by_pair: dict[tuple[str, str], list[Hour]] = defaultdict(list)
        # Of a whole run, only the hours that count are unpacked.
        before = range(hour - config.hours, hour)
        for each in (one for number in before for one in self._hours.get(number, ())):
            for triggers in map(TriggerHour.from_bytes, each.triggers):
                by_ifo[triggers.ifo].append(triggers)
            for slides in map(Hour.from_bytes, each.slides):
                by_pair[slides.detectors].append(slides)
        minimum_ns = self._network.minimum_ns
        backgrounds = {pair: Background.of(by_pair[pair], minimum_ns) for pair in sorted(by_pair)}
        return Known(
            rates={ifo: statistic.rates(TriggerCounts.of(by_ifo[ifo])) for ifo in sorted(by_ifo)},
            backgrounds={
                pair: each for pair, each in backgrounds.items() if each.livetime_ns >= minimum_ns
            },
        )


@dataclass(frozen=True, kw_only=True)
class Network:
    """How the events of a network are found and ranked."""

    statistic: Statistic
    config: SignificanceConfig
    least_rank: float
    """Of a trigger that is part of a pair."""
    classes: tuple[str, ...]
    """Of the model that labels the triggers."""
    config_id: str
    """Hash of all that decides which events come out, and their rates."""

    @property
    def ranked_classes(self) -> tuple[str, ...]:
        """Return the classes that pairs are ranked by: none, where the statistic lacks some."""
        known = set(self.classes) <= set(self.statistic.classes)
        return self.classes if known else ()

    @property
    def last_ns(self) -> int:
        """Return the longest shift of a slide [ns]."""
        return self.config.lags_ns[-1]

    @cached_property
    def shifts_ns(self) -> Index:
        """Return the shifts of the slides [ns], [slide]."""
        return near_shifts(*self.config.lags_ns)

    @property
    def minimum_ns(self) -> int:
        """Return the live time of all slides below which there is no rate [ns]."""
        return from_seconds(3600 * self.config.minimum_hours) * len(self.shifts_ns)

    def background(
        self, hour: int, arrivals: Sequence[Arrival], searched: Searched, memory: Memory
    ) -> BackgroundHour:
        """Return what an hour adds to the background.

        Args:
            hour: Number of the hour.
            arrivals: Final triggers of the hour and of the longest slide before; others may be
                there too.
            searched: When each channel was searched, then too.
            memory: The hours before.
        """
        return BackgroundHour(
            hour=hour,
            triggers=self.triggers(hour, arrivals, searched),
            slides=self.slides(hour, arrivals, searched, memory),
        )

    def triggers(
        self, hour: int, arrivals: Iterable[Arrival], searched: Searched
    ) -> tuple[bytes, ...]:
        """Return how each channel triggered in an hour, see `background`."""
        by_channel: dict[tuple[str, str], list[Arrival]] = defaultdict(list)
        for each in arrivals:
            if each.time_ns // HOUR_NS == hour:
                by_channel[each.ifo, each.channel].append(each)
        made = []
        for ifo, channel in sorted({*by_channel, *searched}):
            own = by_channel.get((ifo, channel), [])
            livetime_ns = lived(searched.get((ifo, channel), ()), hour)
            if not own and not livetime_ns:
                continue
            told = TriggerHour.seen(
                own, ifo=ifo, channel=channel, hour=hour, livetime_ns=livetime_ns
            )
            made.append(told.to_bytes())
        return tuple(made)

    def slides(
        self, hour: int, arrivals: Iterable[Arrival], searched: Searched, memory: Memory
    ) -> tuple[bytes, ...]:
        """Return what slid pairs do in an hour, see `background`."""
        known = memory.at(hour)
        by_ifo: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for (ifo, _), stretches in sorted(searched.items()):
            by_ifo[ifo] += stretches
        found = self._by_detector(arrivals)
        made = []
        for pair in combinations(sorted(by_ifo), 2):
            first, second = (by_ifo[ifo] for ifo in pair)
            livetime_ns = int(hour_livetime(first, second, self.shifts_ns, hour).sum())
            if not livetime_ns:
                continue
            slid = self._slid(pair, hour, found, known)
            made.append(Hour.of(pair, hour, livetime_ns, slid).to_bytes())
        return tuple(made)

    def _slid(
        self, pair: tuple[str, str], hour: int, found: Mapping[str, Arrivals], known: Known
    ) -> Ranked:
        """Return ln L of the best slid pair of each second of each slide."""
        if not all(ifo in found for ifo in pair):
            return Ranked(labelled=np.zeros(0), unlabelled=np.zeros(0))
        first, second = (found[ifo] for ifo in pair)
        best = []
        for part in slid_parts(first, second, travel_ns(*pair), *self.config.lags_ns):
            # As in `hour_livetime`: by the shift, an hour is that of the later detector's peak.
            later = np.where(
                part.shift_ns >= 0, first.time_ns[part.first], second.time_ns[part.second]
            )
            own = taken(part, later // HOUR_NS == hour)
            ranked = self._ranked(pair, first, second, own, known)
            top = best_by_second(second_of(first, own), own, ranked.labelled)
            best.append(ranked.taken(top))
        return _together(best)

    def _ranked(
        self, ifos: tuple[str, str], first: Arrivals, second: Arrivals, pairs: Pairs, known: Known
    ) -> Ranked:
        """Rank pairs, some at once: in a storm there are many."""
        rates = [known.rates.get(ifo) or self._prior for ifo in ifos]
        told = []
        for start in range(0, len(pairs.first), AT_ONCE):
            some_pairs = taken(pairs, slice(start, start + AT_ONCE))
            looks = features(first, second, some_pairs, travel_ns(*ifos))
            told.append(self.statistic.rank(looks, self.ranked_classes, *rates))
        return _together(told)

    def events(
        self, arrivals: Iterable[Arrival], low_ns: int, high_ns: int, memory: Memory
    ) -> list[Event]:
        """Return the events whose second begins in a stretch, with their rates, by time.

        Args:
            arrivals: All of the stretch and of ``MARGIN_NS`` around it; others may be there too.
            low_ns: Start of the stretch, a whole second [GPS ns].
            high_ns: Its end, not included.
            memory: The hours before.
        """
        low, high = low_ns - MARGIN_NS, high_ns + MARGIN_NS
        found = self._by_detector(each for each in arrivals if low <= each.time_ns < high)
        if len(found) < 2:
            return []
        ranked = [self._zero_lag(pair, found, memory) for pair in combinations(sorted(found), 2)]
        ranked = [each for each in ranked if len(each.far)]
        made = coincident(_on_one_scale(ranked), found, self.config_id)
        return [_with_rate(event, memory) for event in made if low_ns <= second_ns(event) < high_ns]

    def _zero_lag(
        self, ifos: tuple[str, str], found: Mapping[str, Arrivals], memory: Memory
    ) -> "_ZeroLag":
        """Return the pairs of two detectors, ranked by what was known in the hour of each."""
        first, second = (found[ifo] for ifo in ifos)
        pairs = zero_lag(first, second, travel_ns(*ifos))
        looks = features(first, second, pairs, travel_ns(*ifos))
        labelled, unlabelled, far = (np.full(len(pairs.first), np.nan) for _ in range(3))
        hours = second_of(first, pairs) * NANOSECONDS // HOUR_NS
        for hour in np.unique(hours).tolist():
            at, known = np.flatnonzero(hours == hour), memory.at(hour)
            rates = (known.rates.get(ifo) or self._prior for ifo in ifos)
            ranked = self.statistic.rank(looks.taken(at), self.ranked_classes, *rates)
            labelled[at], unlabelled[at] = ranked.labelled, ranked.unlabelled
            background = known.backgrounds.get(ifos)
            if background is not None:
                louder = background.count(cells(ranked))
                far[at] = (louder + 1) * NANOSECONDS / background.livetime_ns
        return _ZeroLag(
            ifos=ifos, pairs=pairs, looks=looks, labelled=labelled, unlabelled=unlabelled, far=far
        )

    @cached_property
    def _prior(self) -> TriggerRates:
        """Return how often a detector without a past triggers."""
        return self.statistic.rates(TriggerCounts.of(()))

    def _by_detector(self, arrivals: Iterable[Arrival]) -> dict[str, Arrivals]:
        loud = [each for each in arrivals if each.rank >= self.least_rank]
        return {
            ifo: Arrivals.of([each for each in loud if each.ifo == ifo], self.classes)
            for ifo in sorted({each.ifo for each in loud})
        }


def _together(parts: Sequence[Ranked]) -> Ranked:
    return Ranked(
        labelled=np.concatenate([np.zeros(0), *(each.labelled for each in parts)]),
        unlabelled=np.concatenate([np.zeros(0), *(each.unlabelled for each in parts)]),
    )


def lived(stretches: Iterable[tuple[int, int]], hour: int) -> int:
    """Return how much of an hour lies in stretches [ns]."""
    own = np.clip(analysed(stretches), hour * HOUR_NS, (hour + 1) * HOUR_NS)
    return int((own[:, 1] - own[:, 0]).sum())


@dataclass(frozen=True, kw_only=True)
class _ZeroLag:
    """Pairs of two detectors as they are, and how rare each is."""

    ifos: tuple[str, str]
    pairs: Pairs
    looks: Features
    labelled: FloatArray
    """ln L, [pair]."""
    unlabelled: FloatArray
    far: FloatArray
    """Among the slid pairs of the same two detectors [Hz], [pair]; not a number: none were."""


def _on_one_scale(found: Sequence[_ZeroLag]) -> list[RankedPairs]:
    """Say of the pairs of all detectors which is louder: the rarer one, of equals the larger ln L.

    Where some pairs have no background, ln L alone decides between all.
    """
    if not found:
        return []
    far = np.concatenate([each.far for each in found])
    if np.isnan(far).any():
        far = np.zeros_like(far)
    keys = np.stack([-far, np.concatenate([each.labelled for each in found])])
    _, loudness = np.unique(keys, axis=1, return_inverse=True)
    ends = np.cumsum([len(each.far) for each in found])
    return [
        RankedPairs(
            first_ifo=each.ifos[0],
            second_ifo=each.ifos[1],
            pairs=each.pairs,
            loudness=np.asarray(own, float),
            rank=each.labelled,
            rank_unlabelled=each.unlabelled,
            correlation=each.looks.correlation,
            delay_ns=each.looks.delay_ns,
        )
        for each, own in zip(found, np.split(loudness.ravel(), ends[:-1]), strict=True)
    ]


def _with_rate(event: Event, memory: Memory) -> Event:
    """Return an event with its rate: that of its best pair, times the pairs that were looked at.

    The rates of several pairs of detectors add up, and an event is told by the rarest of its
    pairs.
    """
    known = memory.at(second_ns(event) // HOUR_NS)
    ifos = next(p for p in combinations(event.detectors, 2) if "".join(p) == event.pair)
    background = known.backgrounds.get(ifos)
    if background is None:
        return event
    rate = background.rate(event.rank, event.rank_unlabelled)
    return replace(
        event,
        far=rate.far * len(known.backgrounds),
        far_livetime_ns=rate.livetime_ns,
        far_louder=rate.louder,
        far_method=rate.method,
    )
