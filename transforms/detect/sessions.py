"""Which candidates belong together, and which of them nothing else can join any more.

Candidates that lie less than a gap apart are one session, whatever blocks they were found
in. A block's candidates may lie a little outside the stretch that it answers for; how far is
bounded, so most sessions of a long block need not wait for its neighbours.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from transforms.detect.bank import PAST_SECONDS
from transforms.detect.config import DetectConfig
from transforms.detect.search import bins_per_second
from transforms.detect.view import MOST_DELAY
from transforms.elements import Candidate
from transforms.gps import NANOSECONDS

REFINED_SECONDS = 0.05
"""How far a tile's own time may lie from the sample at which it was found [s]."""


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

    @classmethod
    def of(cls, config: DetectConfig) -> "Sessions":
        """Give the sessions of a configuration of detection."""
        # The longest wavelet's extent, see ``describe``; shapes end in their stretch.
        longest = config.high_q / (2 * np.sqrt(2) * np.pi * config.low_frequency)
        tile = longest + MOST_DELAY + REFINED_SECONDS
        return cls(
            NANOSECONDS // bins_per_second(config),
            round(config.gap_seconds * NANOSECONDS),
            round(max(tile, PAST_SECONDS) * NANOSECONDS),
            round(tile * NANOSECONDS),
        )

    def marks(self, candidate: Candidate) -> list[int]:
        """Give the times that tie a candidate to its neighbours [GPS ns].

        A candidate whose tiles last longer than the gap stands at several points, no more
        than a gap apart; the first is its own bin.
        """
        step = max(self.gap_ns // self.bin_ns, 1) * self.bin_ns
        before = (candidate.bin_ns - candidate.start_ns) // step
        after = (candidate.end_ns - candidate.bin_ns) // step
        others = [k for k in range(-before, after + 1) if k]
        return [candidate.bin_ns + k * step for k in [0, *others]]

    def group(self, candidates: Iterable[Candidate]) -> list["Session"]:
        """Group one channel's candidates.

        Returns:
            In order of time; together are those whose marks lie less than a bin and a gap
            apart.
        """
        members = list(candidates)
        points = sorted((t, i) for i, c in enumerate(members) for t in self.marks(c))
        groups: list[tuple[int, int, dict[int, Candidate]]] = []
        for mark, i in points:
            if not groups or mark >= groups[-1][1] + self.bin_ns + self.gap_ns:
                groups.append((mark, mark, {}))
            first, _, inside = groups[-1]
            inside[i] = members[i]
            groups[-1] = first, mark, inside
        return [Session(first, last, tuple(own.values())) for first, last, own in groups]

    def is_over(self, session: "Session", searched_ns: int) -> bool:
        """Tell whether a gap has passed since a session, in what was searched up to a time."""
        return session.last_ns + self.bin_ns + self.gap_ns <= searched_ns

    def is_final(self, session: "Session", searched_ns: int) -> bool:
        """Tell whether nothing found after a time can join a session that ended before it."""
        return self.is_over(session, searched_ns - self.back_ns)

    def is_whole(self, session: "Session", since_ns: int) -> bool:
        """Tell whether nothing found before a time can join a session that begins after it."""
        return session.first_ns - self.bin_ns - self.gap_ns >= since_ns + self.ahead_ns

    def is_inside(self, session: "Session", stretch: tuple[int, int]) -> bool:
        """Tell whether nothing found outside a searched stretch can join a session."""
        return self.is_whole(session, stretch[0]) and self.is_final(session, stretch[1])


@dataclass(frozen=True)
class Session:
    """Candidates that belong together."""

    first_ns: int
    """First mark."""
    last_ns: int
    """Last mark."""
    candidates: Sequence[Candidate]
