"""Triggers while they happen: published at once, settled when a gap has passed, then final.

Sessions are those of the archive, and so are their final triggers. Before that a trigger is
what its candidates so far make of it. It can grow, and it can become part of another: then
its id is withdrawn.
"""

from collections.abc import Iterator
from dataclasses import replace

from transforms.detect.cluster import cluster
from transforms.detect.sessions import Session, Sessions
from transforms.elements import (
    FINAL,
    PRELIMINARY,
    SETTLED,
    WITHDRAWN,
    Open,
    Searched,
    Trigger,
)


def follow(
    before: Open | None, searched: Searched, sessions: Sessions, config_id: str
) -> tuple[Open | None, list[Trigger]]:
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
        before = Open(searched.start_ns if goes_on else 0, searched.start_ns)
    end_ns = max(before.searched_ns, searched.end_ns)
    grouped = sessions.group((*before.candidates, *searched.candidates))
    groups = [
        group
        for group in grouped
        if not before.since_ns or sessions.is_whole(group, before.since_ns)
    ]
    published = {trigger.id: trigger for trigger in before.published}
    now: dict[str, Trigger] = {}
    out: list[Trigger] = []
    for group in groups:
        trigger = _judged(group, sessions, end_ns, searched.arrived_ns, config_id)
        now[trigger.id] = trigger
        if not _same(published.get(trigger.id), trigger):
            out.append(trigger)
    out += _withdrawn(published, now, searched.arrived_ns)
    left = [group for group in grouped if not sessions.is_final(group, end_ns)]
    known = (replace(t, snippet=b"") for t in now.values() if t.status != FINAL)
    candidates = tuple(candidate for group in left for candidate in group.candidates)
    return Open(before.since_ns, end_ns, candidates, tuple(known)), out


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
    """Tell whether a trigger was published as it is now."""
    if before is None:
        return False
    # The score, which nobody has given yet, is not a number and equals nothing.
    same_time = replace(now, arrived_ns=before.arrived_ns)
    return replace(same_time, snippet=b"", score=before.score) == before


def _withdrawn(
    published: dict[str, Trigger], now: dict[str, Trigger], arrived_ns: int
) -> Iterator[Trigger]:
    for name, trigger in published.items():
        if name not in now:
            yield replace(trigger, status=WITHDRAWN, arrived_ns=arrived_ns)
