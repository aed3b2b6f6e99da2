"""Events of a network out of the ranked pairs of its detectors, each by what is near it."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from transforms.arrays import FloatArray
from transforms.coincide.arrivals import LONGEST_NS, Arrivals
from transforms.coincide.clustered import second_of
from transforms.coincide.features import Index, Pairs
from transforms.coincide.sites import LONGEST_TRAVEL_NS
from transforms.elements import FINAL, PRELIMINARY, SETTLED, Arrival, Event
from transforms.gps import NANOSECONDS

REACH_NS = 2 * LONGEST_NS + LONGEST_TRAVEL_NS
"""The peaks of a pair are less than this apart [ns]."""
CONTEXT_SECONDS = math.ceil(6 * REACH_NS / NANOSECONDS)
"""What lies farther from an event's second has no part in it [s].

A louder candidate may take a trigger from it. The first peak of that one is up to four reaches
away: one from the event's first trigger to its second, one on to a third that joins, and as far
from there to the candidate's first. What decides who joins the candidate lies within two more;
what decides that it is the best of its second, within one more and a second.
"""
LEAST_PROBABILITY = 0.01
"""No class is less probable than this in one trigger: classifiers are too sure of themselves."""
_KNOWN = (PRELIMINARY, SETTLED, FINAL)
_CHARACTERS = 8
"""Of the configuration's hash, in an id."""

_Trigger = tuple[str, int]
"""Detector and row."""


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """Pairs of two detectors without a shift, and how they rank."""

    first_ifo: str
    """Before the second in the order of names."""
    second_ifo: str
    pairs: Pairs
    loudness: FloatArray
    """What decides between pairs, of any detectors: the larger the louder, [pair]."""
    rank: FloatArray
    """Ranking statistic with labels, [pair]."""
    rank_unlabelled: FloatArray
    """The same without labels, [pair]."""
    correlation: FloatArray
    """[pair]."""
    delay_ns: Index
    """[pair]."""


@dataclass(frozen=True)
class _Candidate:
    """The best pair of a second, and who joins it."""

    loudest: int
    """Its place among all pairs, the loudest first."""
    second: int
    by: int
    """Of which two detectors: number in the list of ranked pairs."""
    pair: int
    """Number among the pairs of these."""
    both: tuple[_Trigger, _Trigger]
    joined: tuple[_Trigger, ...]


def events(ranked: Sequence[Ranked], arrivals: Mapping[str, Arrivals], config: str) -> list[Event]:
    """Return the events of a network by time, without false-alarm rates.

    - The loudest pair of a GPS second, of any detectors, is a candidate. A pair counts in the
      second of the peak in its first detector, by name.
    - Of each other detector the trigger joins that has the loudest pair with either of the two.
    - A candidate is dropped if a louder one has one of its two triggers, as its own or joined.
      A trigger does not join where a louder candidate has it. It is not asked whether the louder
      one is itself dropped: so this is a local rule, and no trigger is in two events.
    - Of equally loud pairs the one of the earlier second is the louder; in one second, that of
      the detectors first in the order of names, then of the earlier triggers.

    So an event depends on what is near it alone: with the arrivals up to ``CONTEXT_SECONDS``
    before and after its second, it is what it is with all of them. Near the ends of what is
    given there may be others. The order of what is given plays no part.

    An event's label is the most probable class given both triggers of the best pair; with
    p(c | x) and p(c | y) theirs, independent given the class, and K classes that are as probable
    before: p(c | x, y) = p(c | x) p(c | y) / sum_k p(k | x) p(k | y). No p is less than 0.01 in
    one trigger. A trigger whose probabilities are all alike says nothing; where both say nothing,
    the event has no label. The event's status is that of the trigger that is known least.

    Args:
        ranked: Of each two detectors at most once.
        arrivals: By detector; whose rows the pairs have. All have the same classes. Withdrawn
            triggers are not among them.
        config: Hash of the configuration of ranking; the first part of it is in each id.

    Raises:
        ValueError: Two detectors are not in the order of their names, or stand there twice.
    """
    names = [(each.first_ifo, each.second_ifo) for each in ranked]
    if any(one >= other for one, other in names) or len(set(names)) < len(names):
        raise ValueError(f"each two detectors, in order of name, once, not {names}")
    ranked = sorted(ranked, key=lambda each: (each.first_ifo, each.second_ifo))
    candidates = _candidates(ranked, arrivals)
    made = (_event(each, ranked, arrivals, config) for each in _local(candidates))
    return sorted(made, key=lambda event: (event.time_ns, event.id))


def event_id(second: int, config: str) -> str:
    """Name an event by its GPS second and the configuration of ranking."""
    return f"E{second}-{config[:_CHARACTERS]}"


def _candidates(ranked: Sequence[Ranked], arrivals: Mapping[str, Arrivals]) -> list[_Candidate]:
    """Return the best pair of each second with what joins it, the loudest first."""
    if not ranked:
        return []
    counts = [len(each.pairs.first) for each in ranked]
    by = np.repeat(np.arange(len(ranked)), counts)
    pair = np.concatenate([np.arange(count) for count in counts])
    first, second = (
        np.concatenate([getattr(each.pairs, name) for each in ranked])
        for name in ("first", "second")
    )
    seconds = np.concatenate([second_of(arrivals[x.first_ifo], x.pairs) for x in ranked])
    loudness = np.concatenate([each.loudness for each in ranked])
    order = np.lexsort((second, first, by, seconds, -loudness))
    _, best = np.unique(seconds[order], return_index=True)
    partners = _partners(ranked, by[order], first[order], second[order])
    found = []
    for place in np.sort(best).tolist():
        row = order[place]
        names = ranked[by[row]].first_ifo, ranked[by[row]].second_ifo
        both = (names[0], int(first[row])), (names[1], int(second[row]))
        joined = _joined(both, partners)
        found.append(
            _Candidate(place, int(seconds[row]), int(by[row]), int(pair[row]), both, joined)
        )
    return found


_Partners = Mapping[_Trigger, Sequence[tuple[int, _Trigger]]]
"""Of each trigger, whom it pairs with, and where the pair is among all, the loudest first."""


def _partners(ranked: Sequence[Ranked], by: Index, first: Index, second: Index) -> _Partners:
    out: dict[_Trigger, list[tuple[int, _Trigger]]] = defaultdict(list)
    columns = zip(by.tolist(), first.tolist(), second.tolist(), strict=True)
    for place, (number, i, j) in enumerate(columns):
        one, other = (ranked[number].first_ifo, i), (ranked[number].second_ifo, j)
        out[one].append((place, other))
        out[other].append((place, one))
    return out


def _joined(both: tuple[_Trigger, _Trigger], partners: _Partners) -> tuple[_Trigger, ...]:
    """Return of each other detector the trigger with the loudest pair with either."""
    taken = {ifo for ifo, _ in both}
    out = []
    for _, (ifo, row) in sorted([*partners[both[0]], *partners[both[1]]]):
        if ifo not in taken:
            taken.add(ifo)
            out.append((ifo, row))
    return tuple(out)


def _local(candidates: Sequence[_Candidate]) -> Iterator[_Candidate]:
    """Leave each trigger to the loudest candidate that has it.

    Args:
        candidates: The loudest first.
    """
    loudest: dict[_Trigger, int] = {}
    for each in candidates:
        for trigger in (*each.both, *each.joined):
            loudest.setdefault(trigger, each.loudest)
    for each in candidates:
        if all(loudest[trigger] == each.loudest for trigger in each.both):
            own = tuple(t for t in each.joined if loudest[t] == each.loudest)
            yield replace(each, joined=own)


def _event(
    candidate: _Candidate,
    ranked: Sequence[Ranked],
    arrivals: Mapping[str, Arrivals],
    config: str,
) -> Event:
    by, pair = ranked[candidate.by], candidate.pair
    members = sorted(
        (arrivals[ifo].members[row] for ifo, row in (*candidate.both, *candidate.joined)),
        key=lambda member: member.ifo,
    )
    label, score = _label(candidate.both, arrivals)
    return Event(
        id=event_id(candidate.second, config),
        time_ns=members[0].time_ns,
        detectors=tuple(member.ifo for member in members),
        triggers=tuple(_without_waveform(member) for member in members),
        snr=math.sqrt(math.fsum(member.snr**2 for member in members)),
        rank=float(by.rank[pair]),
        rank_unlabelled=float(by.rank_unlabelled[pair]),
        correlation=float(by.correlation[pair]),
        delay_ns=int(by.delay_ns[pair]),
        pair=by.first_ifo + by.second_ifo,
        label=label,
        score=score,
        config=config,
        status=min((member.status for member in members), key=_KNOWN.index),
        arrived_ns=max(member.arrived_ns for member in members),
    )


def _without_waveform(member: Arrival) -> Arrival:
    return replace(member, waveform=b"", waveform_rate=0, waveform_start_ns=0)


def _label(both: tuple[_Trigger, _Trigger], arrivals: Mapping[str, Arrivals]) -> tuple[str, float]:
    classes = arrivals[both[0][0]].classes
    one, other = (arrivals[ifo].probabilities[row] for ifo, row in both)
    if not classes or (np.ptp(one) == 0 and np.ptp(other) == 0):
        return "", math.nan
    together = np.maximum(one, LEAST_PROBABILITY) * np.maximum(other, LEAST_PROBABILITY)
    best = int(np.argmax(together))
    return classes[best], float(together[best] / together.sum())
