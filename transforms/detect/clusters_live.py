"""Triggers while they happen: published at once, settled when a gap has passed, then final.

Sessions are those of the archive, and so are their final triggers. Before that a trigger is
what its candidates so far make of it. It can grow, and it can become part of another: then
its id is withdrawn.

What is kept has a bound: of a channel that is loud without a pause, a session ends with each
cell, and only the loudest of each cell keep their snippets.
"""

from collections.abc import Iterator
from dataclasses import replace

from transforms.detect.cluster import cluster, trigger_id
from transforms.detect.sessions import Chain, Session, Sessions, lightened
from transforms.elements import (
    FINAL,
    PRELIMINARY,
    SETTLED,
    WITHDRAWN,
    Candidate,
    PendingClusters,
    SearchResult,
    Trigger,
)
from transforms.gps import REMEMBERED_NS


def update_clusters(
    before: PendingClusters | None, searched: SearchResult, sessions: Sessions, config_id: str
) -> tuple[PendingClusters | None, list[Trigger]]:
    """Take what was found in the next stretch, or that it is a gap.

    Where a channel goes on from data that were searched by somebody else (before a restart),
    sessions that reach into those are left to them.

    Args:
        before: What is open; None at first.
        searched: The next stretch.
        sessions: How candidates belong together.
        config_id: Hash of the configuration of the science.

    Returns:
        What is open now, and the triggers that are new, changed, final or withdrawn.
    """
    if before is None and searched.gap:
        return None, []  # nobody knows yet whether what follows goes on
    if before is None:
        goes_on = searched.known_ns < searched.start_ns
        before = PendingClusters(
            since_ns=searched.start_ns if goes_on else 0, searched_ns=searched.start_ns
        )
    end_ns = max(before.searched_ns, searched.end_ns)
    found = (*before.candidates, *searched.candidates)
    chains = sessions.chains(found, before.cut_ns)
    published = {trigger.id: trigger for trigger in before.published}
    now: dict[str, Trigger] = {}
    out: list[Trigger] = []
    for session in _known(chains, before, sessions):
        trigger = _judged(session, sessions, end_ns, searched.arrived_ns, config_id)
        now[trigger.id] = trigger
        if not _same(published.get(trigger.id), trigger):
            out.append(trigger)
    out += _withdrawn(before, now, searched.arrived_ns)
    cut_ns = _cut(chains, before, sessions, end_ns)
    known = (replace(t, snippet=b"") for t in now.values() if t.status != FINAL)
    return PendingClusters(
        since_ns=before.since_ns,
        searched_ns=end_ns,
        candidates=tuple(_left(chains, sessions, end_ns, cut_ns)),
        published=tuple(known),
        cut_ns=cut_ns,
    ), out


def closed_clusters(
    channel: str, before: PendingClusters, sessions: Sessions, config_id: str
) -> list[Trigger]:
    """Return what is still to be said of a channel that is followed no more: all is final."""
    low = before.searched_ns
    gap = SearchResult(
        channel=channel,
        start_ns=low,
        end_ns=low + REMEMBERED_NS,
        known_ns=low,
        arrived_ns=0,
        candidates=(),
        gap=True,
    )
    return update_clusters(before, gap, sessions, config_id)[1]


def final_before(
    pending: PendingClusters | None, searched: SearchResult, sessions: Sessions
) -> int:
    """Return the time before which no trigger can come, change or be withdrawn [GPS ns].

    It never goes back: what is found later lies behind what was searched, and what is pending
    stays so until it is final.

    Args:
        pending: What is pending after a stretch; None where nobody knows yet.
        searched: The stretch.
        sessions: How candidates belong together.
    """
    end_ns = searched.end_ns if pending is None else pending.searched_ns
    cut_ns, candidates = (0, ()) if pending is None else (pending.cut_ns, pending.candidates)
    bins = (c.bin_ns for c in candidates if c.bin_ns >= cut_ns)
    return min([end_ns - sessions.back_ns, *bins]) - sessions.moved_ns


def _known(chains: list[Chain], before: PendingClusters, sessions: Sessions) -> Iterator[Session]:
    """Yield the sessions all of which is known here."""
    for chain in chains:
        for session in sessions.pieces(chain, before.cut_ns):
            if not before.since_ns or sessions.is_whole(session, before.since_ns):
                yield session


def _cut(chains: list[Chain], before: PendingClusters, sessions: Sessions, end_ns: int) -> int:
    """Return the last cut before which all is final."""
    cuts = (cut for chain in chains for cut in sessions.cuts(chain))
    return max((cut for cut in cuts if cut <= end_ns - sessions.back_ns), default=before.cut_ns)


def _left(chains: list[Chain], sessions: Sessions, end_ns: int, cut_ns: int) -> Iterator[Candidate]:
    """Yield the candidates of chains that may go on.

    One from before the cut is in a final trigger. Where it reaches over the cut it may still
    tie others together, or fill the cell there.
    """
    for chain in chains:
        if not sessions.is_final(chain, end_ns):
            for candidate in lightened(chain):
                if candidate.bin_ns >= cut_ns:
                    yield candidate
                elif max(sessions.marks(candidate)) >= cut_ns:
                    yield replace(candidate, snippet=b"")


def _judged(
    group: Session, sessions: Sessions, end_ns: int, arrived_ns: int, config_id: str
) -> Trigger:
    trigger = cluster(group.candidates, config_id)
    if sessions.is_final(group, end_ns):
        status = FINAL
    else:
        status = SETTLED if sessions.is_over(group, end_ns) else PRELIMINARY
    return replace(trigger, status=status, arrived_ns=arrived_ns)


def _same(before: Trigger | None, now: Trigger) -> bool:
    """Return whether a trigger was published as it is now."""
    if before is None:
        return False
    # The score, which nobody has given yet, is not a number and equals nothing.
    same_time = replace(now, arrived_ns=before.arrived_ns)
    return replace(same_time, snippet=b"", score=before.score) == before


def _withdrawn(
    before: PendingClusters, now: dict[str, Trigger], arrived_ns: int
) -> Iterator[Trigger]:
    """Withdraw what was published and is no more.

    Each has the snippet back with which it was published last: so a model says the same of
    it again. It need not be kept twice, as its peak is still among the candidates.
    """
    gone = [trigger for trigger in before.published if trigger.id not in now]
    if not gone:
        return
    config_id = gone[0].config
    snippets = {
        trigger_id(candidate.channel, config_id, candidate): candidate.snippet
        for candidate in before.candidates
        if candidate.snippet
    }
    for trigger in gone:
        snippet = snippets.get(trigger.id, b"")
        yield replace(trigger, status=WITHDRAWN, arrived_ns=arrived_ns, snippet=snippet)
