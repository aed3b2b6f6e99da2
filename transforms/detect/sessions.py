"""Which candidates belong together, and which of them nothing else can join any more.

Candidates that lie less than a gap apart are one chain, whatever blocks they were found in.
A session is a chain, or a piece of one that lasts long: GPS time is divided into cells, and a
chain is cut at the end of each cell that it fills. What fills a cell lies inside that cell, so
a cut does not depend on how the data came. More candidates can only fill more cells: a cut
that is seen once is certain. A chain that is shorter than a cell is never cut.

A block's candidates may lie a little outside the stretch that it answers for; how far is
bounded, so most sessions of a long block need not wait for its neighbours.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from transforms.detect.bank import PAST_SECONDS
from transforms.detect.cluster import loudness
from transforms.detect.config import DetectConfig
from transforms.detect.search import bins_per_second
from transforms.detect.view import MOST_DELAY
from transforms.elements import TILE, Candidate
from transforms.gps import NANOSECONDS

REFINED_SECONDS = 0.05
"""How far a tile's own time may lie from the sample at which it was found [s]."""
CELL_NS = 16 * NANOSECONDS
"""Length of a cell of GPS time: no session lasts as long as two."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """Candidates that belong together."""

    begin_ns: int
    """What lies before has no part in it."""
    end_ns: int
    """What lies from here on has no part in it."""
    candidates: Sequence[Candidate]


@dataclass(frozen=True, kw_only=True)
class Chain(Session):
    """Candidates that follow each other without a pause: one session, or several."""

    marks: Sequence[int]
    """Where they stand, in order of time [GPS ns]."""


@dataclass(frozen=True)
class Sessions:
    """How the candidates of a configuration belong together."""

    bin_ns: int
    """Width of a bin."""
    gap_ns: int
    """Tiles further apart belong to two triggers."""
    back_ns: int
    """How far before its stretch a block's candidates may reach."""
    ahead_ns: int
    """How far behind it."""
    threshold: float
    """Least rank of a session's loudest candidate; quieter ones only tie others together."""

    @classmethod
    def of(cls, config: DetectConfig) -> "Sessions":
        """Return the sessions of a configuration of detection."""
        # The longest wavelet's extent, see ``describe``; shapes end in their stretch.
        longest = config.high_q / (2 * np.sqrt(2) * np.pi * config.low_frequency)
        tile = longest + MOST_DELAY + REFINED_SECONDS
        return cls(
            NANOSECONDS // bins_per_second(config),
            round(config.gap_seconds * NANOSECONDS),
            round(max(tile, PAST_SECONDS) * NANOSECONDS),
            round(tile * NANOSECONDS),
            config.threshold,
        )

    @property
    def reach_ns(self) -> int:
        """Return how far apart two marks of one chain lie, at least one less."""
        return self.bin_ns + self.gap_ns

    @property
    def context_ns(self) -> int:
        """Return how much more must be searched on either side of a stretch.

        Then each trigger whose time lies in the stretch is that of a search of everything. Its
        session lasts less than two cells, and the cell before decides whether it begins with
        a cut.
        """
        return 3 * CELL_NS + self.back_ns + self.moved_ns

    @property
    def moved_ns(self) -> int:
        """Return how far a closer look may move a time from its bin, at most [ns]."""
        return 3 * self.back_ns

    def marks(self, candidate: Candidate) -> list[int]:
        """Return the times that tie a candidate to its neighbours [GPS ns].

        A candidate whose tiles last longer than the gap stands at several points, no more
        than a gap apart; the first is its own bin.
        """
        step = max(self.gap_ns // self.bin_ns, 1) * self.bin_ns
        before = (candidate.bin_ns - candidate.start_ns) // step
        after = (candidate.end_ns - candidate.bin_ns) // step
        others = [k for k in range(-before, after + 1) if k]
        return [candidate.bin_ns + k * step for k in [0, *others]]

    def chains(self, candidates: Iterable[Candidate], since_ns: int = 0) -> list[Chain]:
        """Group one channel's candidates by their marks.

        Args:
            candidates: In any order.
            since_ns: Marks before count for nothing.

        Returns:
            In order of time; together are those whose marks lie less than a bin and a gap
            apart.
        """
        members = list(candidates)
        points = sorted(
            (t, i) for i, c in enumerate(members) for t in self.marks(c) if t >= since_ns
        )
        groups: list[tuple[list[int], dict[int, Candidate]]] = []
        for mark, i in points:
            if not groups or mark >= groups[-1][0][-1] + self.reach_ns:
                groups.append(([], {}))
            marks, inside = groups[-1]
            marks.append(mark)
            inside[i] = members[i]
        return [self._chain(marks, tuple(own.values())) for marks, own in groups]

    def _chain(self, marks: list[int], candidates: tuple[Candidate, ...]) -> Chain:
        return Chain(
            begin_ns=marks[0] - self.reach_ns,
            end_ns=marks[-1] + self.reach_ns,
            candidates=candidates,
            marks=marks,
        )

    def cuts(self, chain: Chain) -> list[int]:
        """Return where a chain is cut: at the end of each cell that it fills [GPS ns].

        It fills a cell if it has marks there, from less than a bin and a gap after the cell's
        start to less than that before its end.
        """
        cells = range(chain.marks[0] // CELL_NS, chain.marks[-1] // CELL_NS + 1)
        return [(cell + 1) * CELL_NS for cell in cells if self._fills(chain, cell * CELL_NS)]

    def _fills(self, chain: Chain, start_ns: int) -> bool:
        first = bisect_left(chain.marks, start_ns)
        after = bisect_left(chain.marks, start_ns + CELL_NS)
        if first == after:
            return False
        late = chain.marks[first] - start_ns
        early = start_ns + CELL_NS - chain.marks[after - 1]
        return max(late, early) < self.reach_ns

    def pieces(self, chain: Chain, since_ns: int = 0) -> list[Session]:
        """Cut a chain into sessions: of candidates whose bins lie between two cuts.

        One that is all quieter than the threshold, against the noise around, is none. More
        candidates can only make it louder.

        Args:
            chain: As ``chains`` gives it.
            since_ns: Candidates with bins before belong to nothing here.
        """
        cuts = self.cuts(chain)
        borders = [chain.begin_ns, *cuts, chain.end_ns]
        own: list[list[Candidate]] = [[] for _ in borders[1:]]
        for candidate in chain.candidates:
            if candidate.bin_ns >= since_ns:
                own[bisect_right(cuts, candidate.bin_ns)].append(candidate)
        return [
            Session(begin_ns=begin, end_ns=end, candidates=tuple(members))
            for (begin, end), members in zip(pairwise(borders), own, strict=True)
            if any(member.rank >= self.threshold for member in members)
        ]

    def settle(
        self, candidates: Iterable[Candidate], stretch: tuple[int, int]
    ) -> tuple[list[Session], list[Candidate]]:
        """Part what was found in a searched stretch [GPS ns].

        Returns:
            Sessions that nothing found elsewhere can change, and the candidates of all others.
            What reaches over a cut ties others together, so a chain stays whole.
        """
        own: list[Session] = []
        others: list[Candidate] = []
        for chain in self.chains(candidates):
            if self.is_inside(chain, stretch):
                own += self.pieces(chain)
            else:
                others += lightened(chain)
        return own, others

    def group(self, candidates: Iterable[Candidate]) -> list[Session]:
        """Group one channel's candidates into sessions, in order of time."""
        return [piece for chain in self.chains(candidates) for piece in self.pieces(chain)]

    def is_over(self, session: Session, searched_ns: int) -> bool:
        """Return whether a session has ended, in what was searched up to a time."""
        return session.end_ns <= searched_ns

    def is_final(self, session: Session, searched_ns: int) -> bool:
        """Return whether nothing found after a time can join a session that ended before it."""
        return self.is_over(session, searched_ns - self.back_ns)

    def is_whole(self, session: Session, since_ns: int) -> bool:
        """Return whether nothing found before a time can join a session that begins after it."""
        return session.begin_ns >= since_ns + self.ahead_ns

    def is_inside(self, session: Session, stretch: tuple[int, int]) -> bool:
        """Return whether nothing found outside a searched stretch can join a session."""
        return self.is_whole(session, stretch[0]) and self.is_final(session, stretch[1])


def lightened(chain: Chain) -> list[Candidate]:
    """Return a chain's candidates, those without their snippets that cannot be a peak.

    The peak of a session is its loudest tile or the loudest of all, and a session is cut at
    the ends of cells only: none but the loudest of each cell need their snippets, whatever
    is found later.
    """
    best: dict[tuple[int, bool], tuple[float, int, float, float]] = {}
    for candidate in chain.candidates:
        for place in _rivals(candidate):
            best[place] = min(best.get(place, loudness(candidate)), loudness(candidate))
    return [
        candidate
        if not candidate.snippet
        or any(best[place] == loudness(candidate) for place in _rivals(candidate))
        else replace(candidate, snippet=b"", snippet_rate=0, snippet_start_ns=0)
        for candidate in chain.candidates
    ]


def _rivals(candidate: Candidate) -> list[tuple[int, bool]]:
    cell = candidate.bin_ns // CELL_NS
    return [(cell, False), (cell, True)] if candidate.wavelet == TILE else [(cell, False)]
