"""What slid pairs do by chance, hour by hour, and how rare an event is among them."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from transforms.arrays import BoolArray, FloatArray
from transforms.coincide.features import Index
from transforms.significance.packing import packed, unpacked
from transforms.significance.rates import SLIDES, Rate, counted
from transforms.significance.statistic import Ranked

LOWEST, STEPS_A_UNIT, BINS = -30.0, 10, 1002
"""Bins of ln L: 0.1 wide from -30 to 70; the first and the last are open."""


def bins(statistic: FloatArray) -> Index:
    """Return the bin of each ln L, any shape; what is not a number is in the lowest."""
    at = np.floor((np.asarray(statistic, float) - LOWEST) * STEPS_A_UNIT) + 1
    return np.asarray(np.clip(np.nan_to_num(at, nan=0.0), 0, BINS - 1), np.int64)


def edges() -> FloatArray:
    """Return the edges of the bins, [bin + 1]; the outer ones are infinite."""
    inner = LOWEST + np.arange(BINS - 1) / STEPS_A_UNIT
    return np.concatenate([[-np.inf], inner, [np.inf]])


def cells(ranked: Ranked) -> Index:
    """Return the cell of each pair, [pair]: its bin with labels and its bin without."""
    return bins(ranked.labelled) * BINS + bins(ranked.unlabelled)


@dataclass(frozen=True, kw_only=True)
class Hour:
    """Slid pairs of two detectors in one hour of GPS time, counted."""

    detectors: tuple[str, str]
    """In order of name."""
    hour: int
    """Number of the hour: GPS time over 3600 s, rounded down."""
    livetime_ns: int
    """Of all slides together [ns]."""
    cells: Index
    """Those in which there is a pair, rising, [cell]; see ``cells``."""
    counts: Index
    """How many there are, [cell]."""

    @classmethod
    def of(cls, detectors: tuple[str, str], hour: int, livetime_ns: int, pairs: Ranked) -> "Hour":
        """Return the hour of slid pairs, one for each second of each slide, in any order."""
        found, counts = np.unique(cells(pairs), return_counts=True)
        return cls(
            detectors=detectors, hour=hour, livetime_ns=livetime_ns, cells=found, counts=counts
        )

    def to_bytes(self) -> bytes:
        """Return the hour as bytes: some two for each cell."""
        head = {
            "detectors": self.detectors,
            "hour": self.hour,
            "livetime_ns": self.livetime_ns,
        }
        steps = np.diff(self.cells, prepend=0)
        return packed(head, steps.astype(np.uint32), self.counts.astype(np.uint32))

    @classmethod
    def from_bytes(cls, content: bytes) -> "Hour":
        """Return the hour that was written."""
        head, (steps, counts) = unpacked(content)
        first, second = head.pop("detectors")
        return cls(
            detectors=(first, second),
            **head,
            cells=np.cumsum(steps.astype(np.int64)),
            counts=counts.astype(np.int64),
        )


@dataclass(frozen=True, kw_only=True)
class Background:
    """Slid pairs of two detectors, and how rare an event is among them.

    Each pair has two statistics, with labels and without. Either has a rate of its own: how
    many slid pairs are at least as loud in it. The smaller of both is the joint statistic, and
    the rate of an event is how many slid pairs have a joint statistic as small. So what it costs
    to look twice is counted, not guessed; and of the slid pairs themselves a part x has a rate
    of x times that of all or less. Whatever shares a bin counts as louder: rates are rather too
    large, by what one bin holds.
    """

    livetime_ns: int
    """Of all slides together [ns]."""
    minimum_ns: int
    """With less live time there is no rate [ns]."""
    louder: tuple[Index, Index]
    """Pairs of a bin or a higher one, with labels and without, each [bin]."""
    joint: Index
    """Joint statistics of the pairs, in numbers of pairs, rising, [value]."""
    as_small: Index
    """How many pairs have that or a smaller one, [value]."""

    @classmethod
    def of(cls, hours: Iterable[Hour], minimum_ns: int = 1) -> "Background":
        """Return the background of some hours of the same two detectors.

        Args:
            hours: In any order.
            minimum_ns: With less live time of all slides together there is no rate [ns].

        Raises:
            ValueError: Detectors differ, or an hour is there twice.
        """
        held = list(hours)
        if len({hour.detectors for hour in held}) > 1:
            raise ValueError("a background is that of two detectors")
        if len({hour.hour for hour in held}) < len(held):
            raise ValueError("an hour of the background is there twice")
        none = np.zeros(0, np.int64)
        found = np.concatenate([none, *(hour.cells for hour in held)])
        counts = np.concatenate([none, *(hour.counts for hour in held)])
        return cls.of_cells(found, counts, sum(hour.livetime_ns for hour in held), minimum_ns)

    @classmethod
    def of_cells(
        cls, found: Index, counts: Index, livetime_ns: int, minimum_ns: int = 1
    ) -> "Background":
        """Return the background of counts in cells; a cell may stand there more than once.

        Args:
            found: Cells, [cell].
            counts: Slid pairs in them, [cell].
            livetime_ns: Of all slides together [ns].
            minimum_ns: With less live time there is no rate [ns].
        """
        with_labels, without = np.divmod(found, BINS)
        louder = _at_least(with_labels, counts), _at_least(without, counts)
        smaller = np.minimum(louder[0][with_labels], louder[1][without])
        order = np.argsort(smaller, kind="stable")
        values, last = np.unique(smaller[order], return_index=True)
        upto = np.concatenate([[0], np.cumsum(counts[order])])
        as_small = upto[np.append(last[1:], len(order))] if len(values) else values
        return cls(
            livetime_ns=livetime_ns,
            minimum_ns=minimum_ns,
            louder=louder,
            joint=values,
            as_small=as_small,
        )

    def count(self, found: Index) -> Index:
        """Return how many slid pairs are as rare as a pair of each cell or rarer, [pair]."""
        with_labels, without = np.divmod(found, BINS)
        smaller = np.minimum(self.louder[0][with_labels], self.louder[1][without])
        at = np.searchsorted(self.joint, smaller, "right")
        return np.concatenate([[0], self.as_small])[at]

    def rate(self, labelled: float, unlabelled: float) -> Rate:
        """Return how often noise makes an event as rare as one of two statistics.

        Args:
            labelled: ln L with labels.
            unlabelled: ln L without.
        """
        pair = Ranked(labelled=np.array([labelled]), unlabelled=np.array([unlabelled]))
        return counted(int(self.count(cells(pair))[0]), self.livetime_ns, self.minimum_ns, SLIDES)


@dataclass(frozen=True, kw_only=True)
class CountedPairs:
    """Pairs of triggers, and where they are counted."""

    first: Index
    """Which trigger of the first detector, [pair]."""
    second: Index
    cells: Index
    """See ``cells``, [pair]."""


def hierarchical(
    slid: CountedPairs, events: CountedPairs, livetime_ns: int, significant: float
) -> list[Rate]:
    """Return the rates of events, each against a background without the louder ones' triggers.

    Signals are in the background too: their triggers pair with noise in other slides. So the
    rarest event is counted first, of equals the one of the larger ln L. If its rate is lower
    than a limit, its triggers are taken out, and what is left is counted again (Usman et al.
    2016, arXiv:1508.02357, section 4; Capano et al. 2017, arXiv:1601.00130). A slid pair that
    was no match for one of these in its second does not come back.

    Args:
        slid: Slid pairs, one for each second of each slide.
        events: Pairs that were not slid.
        livetime_ns: Of all slides together [ns]; what is taken out makes it no shorter.
        significant: Rate below which an event's triggers are taken out [Hz].

    Returns:
        In the order of the events.
    """
    kept = np.ones(len(slid.cells), bool)
    background = _of_pairs(slid, kept, livetime_ns)
    rarest_first = np.lexsort((-events.cells, background.count(events.cells)))
    rates = [Rate()] * len(rarest_first)
    for at in rarest_first:
        louder = int(background.count(events.cells[at : at + 1])[0])
        rates[at] = counted(louder, livetime_ns, 1, SLIDES)
        if rates[at].far < significant:
            kept &= (slid.first != events.first[at]) & (slid.second != events.second[at])
            background = _of_pairs(slid, kept, livetime_ns)
    return rates


def _of_pairs(pairs: CountedPairs, kept: BoolArray, livetime_ns: int) -> Background:
    found, counts = np.unique(pairs.cells[kept], return_counts=True)
    return Background.of_cells(found, counts, livetime_ns)


def _at_least(which: Index, counts: Index) -> Index:
    """Return how many counts lie in each bin or a higher one, [bin]."""
    held = np.zeros(BINS, np.int64)
    np.add.at(held, which, counts)
    return np.cumsum(held[::-1])[::-1]
