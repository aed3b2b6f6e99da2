"""The past of one channel: how often it triggers, how loud, where and as what."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from transforms.arrays import FloatArray
from transforms.coincide.arrivals import PLACES, place
from transforms.coincide.features import Index
from transforms.elements import Arrival
from transforms.gps import NANOSECONDS
from transforms.significance.packing import packed, unpacked
from transforms.significance.rates import PAST, Rate, counted, louder
from transforms.significance.tables import cells

RANK_EDGES = np.concatenate([np.linspace(4, 7, 13), np.geomspace(7.5, 3000, 25)])
"""Of the bins of rank that rates are counted in."""
_WIDTHS = np.diff(np.log(RANK_EDGES))
PRIOR_SECONDS = 6 * 3600.0
"""Live time that the prior rates count as [s]: a quarter of a day's past."""
BORROWED = 0.5
"""Triggers that each place has beside its own, spread over the ranks as all places' are."""


@dataclass(frozen=True, kw_only=True)
class TriggerHour:
    """Triggers of one channel in one hour of GPS time."""

    ifo: str
    channel: str
    hour: int
    """Number of the hour: GPS time over 3600 s, rounded down."""
    livetime_ns: int
    """Analysed time of the hour [ns]."""
    rank: FloatArray
    """Sorted upwards, [trigger]."""
    place: Index
    """0 to 23, [trigger]."""
    label: Index
    """Which of the names, [trigger]."""
    names: tuple[str, ...]

    @classmethod
    def of(
        cls,
        channel: str,
        hour: int,
        livetime_ns: int,
        rank: Sequence[float],
        place: Sequence[int],
        label: Sequence[str],
        *,
        ifo: str,
    ) -> "TriggerHour":
        """Return the hour of triggers in any order.

        Raises:
            ValueError: Lengths differ, a rank is not finite, or a place is none.
        """
        ranks, places = np.asarray(rank, np.float64), np.asarray(place, np.int64)
        if not len(ranks) == len(places) == len(label):
            raise ValueError(f"{channel}: ranks, places and labels must be as many")
        if not np.isfinite(ranks).all() or np.any((places < 0) | (places >= PLACES)):
            raise ValueError(
                f"{channel}: ranks must be finite, and places lie in 0 to {PLACES - 1}"
            )
        names = tuple(sorted(set(label)))
        labels = np.array([names.index(name) for name in label], np.int64)
        order = np.lexsort((labels, places, ranks))
        return cls(
            ifo=ifo,
            channel=channel,
            hour=hour,
            livetime_ns=livetime_ns,
            rank=ranks[order],
            place=places[order],
            label=labels[order],
            names=names,
        )

    @classmethod
    def seen(
        cls,
        arrivals: Iterable[Arrival],
        *,
        ifo: str,
        channel: str,
        hour: int,
        livetime_ns: int,
    ) -> "TriggerHour":
        """Return the hour of what a channel was seen to trigger, in any order."""
        own = list(arrivals)
        places = place(
            np.array([each.frequency for each in own]), np.array([each.duration for each in own])
        )
        ranks, labels = [each.rank for each in own], [each.label for each in own]
        return cls.of(channel, hour, livetime_ns, ranks, places.tolist(), labels, ifo=ifo)

    def to_bytes(self) -> bytes:
        """Return the hour as bytes: about ten a trigger."""
        head = {
            "ifo": self.ifo,
            "channel": self.channel,
            "hour": self.hour,
            "livetime_ns": self.livetime_ns,
            "names": self.names,
        }
        return packed(head, self.rank, self.place.astype(np.int8), self.label.astype(np.int16))

    @classmethod
    def from_bytes(cls, content: bytes) -> "TriggerHour":
        """Return the hour that was written."""
        head, (rank, place, label) = unpacked(content)
        names = tuple(head.pop("names"))
        places, labels = place.astype(np.int64), label.astype(np.int64)
        return cls(**head, rank=rank, place=places, label=labels, names=names)


@dataclass(frozen=True, kw_only=True)
class TriggerCounts:
    """How many triggers a detector had at each place and rank, and in how long."""

    counts: Index
    """[place, bin of rank]; the first and the last bin hold what lies beyond."""
    livetime_ns: int

    @classmethod
    def of(cls, hours: Iterable[TriggerHour]) -> "TriggerCounts":
        """Return the sum of hours; nothing of none."""
        held = list(hours)
        rank = np.concatenate([np.zeros(0), *(hour.rank for hour in held)])
        place = np.concatenate([np.zeros(0, np.int64), *(hour.place for hour in held)])
        at = place * len(_WIDTHS) + _bins(rank)
        counts = np.bincount(at, minlength=PLACES * len(_WIDTHS)).reshape(PLACES, -1)
        return cls(counts=counts, livetime_ns=sum(hour.livetime_ns for hour in held))

    def per_efold(self) -> FloatArray:
        """Return the triggers per e-fold of rank, smoothed over ranks, [place, bin of rank].

        A place of few triggers borrows from what all places do.
        """
        every = self.counts.sum(axis=0)
        shared = (self.counts + BORROWED * every / max(int(every.sum()), 1)) / _WIDTHS
        padded = np.pad(shared, ((0, 0), (1, 1)), "edge")
        return np.asarray(0.25 * padded[:, :-2] + 0.5 * shared + 0.25 * padded[:, 2:])

    def log_rates(self, floor: float) -> FloatArray:
        """Return ln of the triggers per second and e-fold of rank, [place, bin of rank].

        Args:
            floor: Triggers that each bin has beside its own: no rate is nil.

        Raises:
            ValueError: There is no live time.
        """
        if self.livetime_ns <= 0:
            raise ValueError("no rates of triggers without live time")
        seconds = self.livetime_ns / NANOSECONDS
        return np.asarray(np.log((self.per_efold() + floor / _WIDTHS) / seconds))


@dataclass(frozen=True, kw_only=True)
class TriggerRates:
    """How often a detector triggers at a rank and place."""

    logs: FloatArray
    """ln of the triggers per second and e-fold of rank, [place, bin of rank]."""

    @classmethod
    def of(cls, past: TriggerCounts, prior: FloatArray) -> "TriggerRates":
        """Return the rates of a past, drawn towards prior ones while it is short.

        The prior counts as ``PRIOR_SECONDS`` of live time, as the mean of a gamma distribution
        of the rate does.

        Args:
            past: Counts of the detector's past hours.
            prior: ln of the rates that are expected without a past, [place, bin of rank].
        """
        seconds = past.livetime_ns / NANOSECONDS
        expected = np.exp(prior) * PRIOR_SECONDS
        return cls(logs=np.log((past.per_efold() + expected) / (seconds + PRIOR_SECONDS)))

    def __call__(self, rank: FloatArray, place: Index) -> FloatArray:
        """Return ln of the rate at each trigger's rank and place, [trigger]."""
        return np.asarray(self.logs[place, _bins(rank)])


@dataclass(frozen=True, kw_only=True)
class Past:
    """What a channel's triggers are compared with: those of its past hours."""

    livetime_ns: int
    minimum_ns: int
    """With less live time there is no rate [ns]."""
    ranks: FloatArray
    """Of all, sorted upwards, [trigger]."""
    by_label: dict[str, FloatArray]
    """The same of each label."""

    @classmethod
    def of(cls, hours: Iterable[TriggerHour], minimum_ns: int = 1) -> "Past":
        """Return the past of some hours of one channel.

        Args:
            hours: In any order.
            minimum_ns: With less live time there is no rate [ns].

        Raises:
            ValueError: Channels differ, or an hour is there twice.
        """
        held = list(hours)
        if len({hour.channel for hour in held}) > 1:
            raise ValueError("the past of a trigger is that of its own channel")
        if len({hour.hour for hour in held}) < len(held):
            raise ValueError("an hour of the past is there twice")
        ranks = np.sort(np.concatenate([np.zeros(0), *(hour.rank for hour in held)]))
        by_label = {
            name: np.sort(
                np.concatenate(
                    [
                        hour.rank[hour.label == hour.names.index(name)]
                        for hour in held
                        if name in hour.names
                    ]
                )
            )
            for name in sorted({name for hour in held for name in hour.names})
        }
        livetime_ns = sum(hour.livetime_ns for hour in held)
        return cls(livetime_ns=livetime_ns, minimum_ns=minimum_ns, ranks=ranks, by_label=by_label)

    def rate(self, rank: float) -> Rate:
        """Return how often the channel has a trigger of a rank or more."""
        return self._rate(self.ranks, rank)

    def rate_of(self, label: str, rank: float) -> Rate:
        """Return how often it has one of a label and of a rank or more."""
        return self._rate(self.by_label.get(label, np.zeros(0)), rank)

    def _rate(self, ranks: FloatArray, rank: float) -> Rate:
        return counted(int(louder(ranks, rank)), self.livetime_ns, self.minimum_ns, PAST)


def _bins(rank: FloatArray) -> Index:
    return cells([RANK_EDGES], [rank])[0]
