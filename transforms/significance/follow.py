"""Events while they happen: what waits, what is published, up to when all is final.

A network hears of triggers and of its channels' progress, in any order. An event is published
as soon as its second trigger is there. It is final when each channel that is waited for is
final beyond it. A channel that is late or silent holds nobody back for longer than a limit in
time of the data: how far the others have gone.

What is kept has a bound: triggers of the time that is not final yet, which is no longer than
the limit, and what was searched in two hours.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from transforms.coincide.events import CONTEXT_SECONDS
from transforms.elements import (
    FINAL,
    PRELIMINARY,
    WITHDRAWN,
    Arrival,
    ChannelState,
    Event,
    NetworkState,
    Progress,
    Stretch,
)
from transforms.gps import NANOSECONDS, REMEMBERED_NS
from transforms.significance.livetime import HOUR_NS

CONTEXT_NS = CONTEXT_SECONDS * NANOSECONDS
"""What lies farther from an event's second has no part in it."""
KEPT_NS = 2 * HOUR_NS
"""What was searched is kept for so long: an hour's slides reach into the hour before."""
Find = Callable[[Sequence[Arrival], int, int], Sequence[Event]]
"""``find(arrivals, low_ns, high_ns)`` returns the events whose second begins in [low, high)."""


def with_arrival(state: NetworkState, arrival: Arrival) -> NetworkState:
    """Take a trigger: a new one, a change, or one that is withdrawn.

    One that comes after its time was settled has no part in an event, see `is_late`.
    """
    channels = tuple(_came(channel, arrival) for channel in state.channels)
    known = channel_names(state)
    if arrival.status == FINAL and arrival.channel not in known:
        new = ChannelState(channel=arrival.channel, ifo=arrival.ifo, final_ns=0, held_ns=0)
        channels = (*channels, _came(new, arrival))
    if any(each.id == arrival.id and each.status == FINAL for each in state.waiting):
        return replace(state, channels=channels)
    waiting = tuple(each for each in state.waiting if each.id != arrival.id)
    if arrival.status != WITHDRAWN and not is_late(state, arrival):
        waiting = (*waiting, arrival)
    return replace(state, channels=channels, waiting=waiting)


def is_late(state: NetworkState, arrival: Arrival) -> bool:
    """Return whether the events around a trigger were settled without it."""
    return arrival.time_ns < state.settled_ns


def channel_names(state: NetworkState) -> frozenset[str]:
    """Return the names of the channels that were heard of."""
    return frozenset(channel.channel for channel in state.channels)


def _came(channel: ChannelState, arrival: Arrival) -> ChannelState:
    if arrival.status != FINAL or arrival.channel != channel.channel:
        return channel
    if arrival.id in channel.missing:
        missing = tuple(each for each in channel.missing if each != arrival.id)
        return replace(channel, missing=missing)
    if arrival.id in channel.early:
        return channel  # it came twice
    return replace(channel, early=(*channel.early, arrival.id))


def with_progress(state: NetworkState, progress: Progress) -> NetworkState:
    """Take what a channel says of itself: what was searched, what is final."""
    before = {channel.channel: channel for channel in state.channels}
    old = before.get(progress.channel)
    if old is None:
        old = ChannelState(
            channel=progress.channel, ifo=progress.ifo, final_ns=0, held_ns=progress.final_ns
        )
    before[progress.channel] = _went_on(old, progress)
    latest = max(channel.final_ns for channel in before.values())
    channels = tuple(
        before[name]
        for name in sorted(before)
        if not before[name].ended or before[name].final_ns > latest - REMEMBERED_NS
    )
    if state.started_ns:
        return replace(state, channels=channels)
    # Another channel may have begun a little before.
    hour = progress.end_ns // HOUR_NS * HOUR_NS - HOUR_NS
    return replace(state, channels=channels, started_ns=progress.end_ns, counted_ns=hour)


def _went_on(channel: ChannelState, progress: Progress) -> ChannelState:
    early = set(channel.early)
    missing = tuple(each for each in progress.triggers if each not in early)
    named = set(progress.triggers)
    searched = channel.searched
    if progress.start_ns < progress.end_ns:
        searched = _joined(searched, Stretch(start_ns=progress.start_ns, end_ns=progress.end_ns))
    return replace(
        channel,
        ifo=progress.ifo,
        final_ns=max(channel.final_ns, progress.final_ns),
        held_ns=channel.held_ns if channel.missing else max(channel.final_ns, channel.held_ns),
        ended=progress.ended,
        missing=(*channel.missing, *missing),
        # A channel that has ended names no more of them.
        early=() if progress.ended else tuple(e for e in channel.early if e not in named),
        searched=tuple(s for s in searched if s.end_ns > progress.end_ns - KEPT_NS),
    )


def _joined(stretches: tuple[Stretch, ...], new: Stretch) -> tuple[Stretch, ...]:
    if not stretches or stretches[-1].end_ns < new.start_ns:
        return (*stretches, new)
    last = replace(stretches[-1], end_ns=max(stretches[-1].end_ns, new.end_ns))
    return (*stretches[:-1], last)


def horizon_ns(state: NetworkState, wait_ns: int) -> int:
    """Return the time before which all triggers are here that are waited for [GPS ns].

    In the beginning nobody knows who will come. So for as long as the limit, it is the limit
    that counts.

    Args:
        state: What is known of the channels.
        wait_ns: No channel is waited for longer than this, in time of the data.
    """
    if not state.channels:
        return 0
    latest = max(channel.final_ns for channel in state.channels)
    limit = latest - wait_ns
    going_on = [channel.known_ns for channel in state.channels if not channel.ended]
    if latest < state.started_ns + wait_ns:
        return limit
    return max(limit, min(going_on, default=latest))


def hour_due(state: NetworkState, wait_ns: int) -> int | None:
    """Return the start of the next hour that can become part of the background; None if none."""
    end_ns = state.counted_ns + HOUR_NS
    if not state.started_ns or horizon_ns(state, wait_ns) < end_ns + CONTEXT_NS:
        return None
    return state.counted_ns


def with_hour(state: NetworkState) -> NetworkState:
    """Return the state after the hour that was due is counted."""
    return replace(state, counted_ns=state.counted_ns + HOUR_NS)


def settled(
    state: NetworkState, find: Find, wait_ns: int, came_ns: int | None = None
) -> tuple[NetworkState, list[Event]]:
    """Find events anew where something changed; return those that are other than before.

    Args:
        state: With all that was told.
        find: Finds events.
        wait_ns: See `horizon_ns`.
        came_ns: Time of the trigger that came, or that is withdrawn; None if none did.

    Returns:
        The state, and the events that are new, changed, final or withdrawn.
    """
    # What is near an event must be ranked with all hours before it, too.
    ready = min(horizon_ns(state, wait_ns), state.counted_ns + HOUR_NS) - CONTEXT_NS
    done = max(ready // NANOSECONDS * NANOSECONDS, state.settled_ns)
    out: list[Event] = []
    now = {event.id: event for event in state.published}
    if done > state.settled_ns:
        final = [each for each in _around(state, state.settled_ns, done) if each.status == FINAL]
        old = {event.id: event for event in state.published if second_ns(event) < done}
        for event in find(final, state.settled_ns, done):
            old.pop(event.id, None)
            now.pop(event.id, None)
            out.append(event)
        out += [replace(event, status=WITHDRAWN) for event in old.values()]
        now = {name: event for name, event in now.items() if name not in old}
    if came_ns is not None:
        low = max(done, (came_ns - CONTEXT_NS) // NANOSECONDS * NANOSECONDS)
        high = max(low, came_ns + CONTEXT_NS)
        found = {each.id: _open(each) for each in find(_around(state, low, high), low, high)}
        for name, event in list(now.items()):
            if low <= second_ns(event) < high and name not in found:
                out.append(replace(event, status=WITHDRAWN))
                del now[name]
        out += [event for name, event in found.items() if not _same(now.get(name), event)]
        now.update(found)
    waiting = tuple(each for each in state.waiting if each.time_ns >= done - CONTEXT_NS)
    after = replace(state, settled_ns=done, waiting=waiting, published=tuple(now.values()))
    return after, out


def _around(state: NetworkState, low_ns: int, high_ns: int) -> list[Arrival]:
    low_ns, high_ns = low_ns - CONTEXT_NS, high_ns + CONTEXT_NS
    return [each for each in state.waiting if low_ns <= each.time_ns < high_ns]


def second_ns(event: Event) -> int:
    """Return the GPS second that an event counts in, that of its best pair's first peak [ns]."""
    first = next(each for each in event.triggers if event.pair.startswith(each.ifo))
    return first.time_ns // NANOSECONDS * NANOSECONDS


def _open(event: Event) -> Event:
    """Return an event that another trigger may still join, or one of whose triggers may change."""
    return replace(event, status=PRELIMINARY)


def _same(before: Event | None, now: Event) -> bool:
    """Return whether an event was published as it is now, whenever its data arrived."""
    return before is not None and _told(before) == _told(now)


def _told(event: Event) -> str:
    # As text: a rate or a score that is not a number equals nothing.
    triggers = tuple(replace(each, arrived_ns=0, status="") for each in event.triggers)
    return repr(replace(event, arrived_ns=0, triggers=triggers))
