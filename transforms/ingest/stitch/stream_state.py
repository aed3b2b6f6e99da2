"""What is known of a live channel: small, and enough to go on with the strain kept beside it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from transforms.elements import Frame, Interval
from transforms.gps import to_index, to_ns

EARLIER = "before the first frame"
MOST_LOST, MOST_RATES = 64, 8
"""Gaps and changes of rate remembered, to tell frames that come too late from those that come
twice."""
_LEFT = 4
"""How many of each are remembered of a channel that has ended."""
_INTERVALS = ("gaps", "flags", "lost")


@dataclass(frozen=True)
class StreamState:
    """Where a channel's stream stands."""

    ifo: str
    channel: str
    sample_rate: int
    end_ns: int
    """All before is there, or declared a gap."""
    open_ns: int
    """Start of the stretch that goes on."""
    done_ns: int
    """All before is analysed, or said not to be."""
    kept_ns: int
    """Start of the strain that must be kept."""
    arrived_ns: int = 0
    gaps: tuple[Interval, ...] = ()
    """Bad stretches, and runs of equal samples that may become one."""
    flags: tuple[Interval, ...] = ()
    lost: tuple[Interval, ...] = ()
    """Gaps that were declared."""
    waiting: tuple[Frame, ...] = ()
    """Frames after a hole, in order of time."""
    earlier: tuple[tuple[int, int], ...] = ()
    """Stretches of other rates, in order of time: GPS end [ns] and rate [Hz]."""
    over: bool = False
    """Nothing more was to come when it was last heard of."""

    @classmethod
    def before(cls, frame: Frame) -> "StreamState":
        """Return the state of a channel whose first frame comes now."""
        # The time of the first sample, as all later ones are counted from the grid.
        start = to_ns(to_index(frame.gps_start_ns, frame.sample_rate), frame.sample_rate)
        earlier = (Interval(0, start, EARLIER),)
        known = frame.ifo, frame.channel, frame.sample_rate
        return cls(*known, start, start, start, start, lost=earlier)

    def waiting_for(self, frame: Frame) -> "StreamState":
        """Return the state with a frame that waits for what lacks before it."""
        waiting = sorted((*self.waiting, frame), key=lambda waits: waits.gps_start_ns)
        return replace(self, waiting=tuple(waiting), over=False)

    def opened_at(self, time_ns: int) -> "StreamState":
        """Return the state at the beginning of a new stretch."""
        return replace(self, open_ns=time_ns, done_ns=max(self.done_ns, time_ns))

    def after_gap(self, gap: Interval) -> "StreamState":
        """Go on behind a gap."""
        lost = _last((*self.lost, gap), MOST_LOST)
        return replace(self.anew(), end_ns=gap.end_ns, lost=lost).opened_at(gap.end_ns)

    def at_rate(self, sample_rate: int) -> "StreamState":
        """Return the state before strain of another rate."""
        earlier = (*self.earlier, (self.end_ns, self.sample_rate))[-MOST_RATES:]
        return replace(self.anew(), sample_rate=sample_rate, earlier=earlier)

    def anew(self) -> "StreamState":
        """Return the state before a stretch that has nothing to do with what was there."""
        return replace(self, gaps=(), flags=(), kept_ns=self.end_ns).opened_at(self.end_ns)

    def ended(self) -> "StreamState":
        """Return the state of an ended channel: what tells late frames from repeated ones."""
        left = _last(self.lost, _LEFT), self.earlier[-_LEFT:]
        return replace(self.anew(), lost=left[0], earlier=left[1], over=True)

    def rate_at(self, time_ns: int) -> int:
        """Return the rate [Hz] that the channel had at a time."""
        rates = (rate for end_ns, rate in self.earlier if time_ns < end_ns)
        return next(rates, self.sample_rate)

    def from_then_on(self, time_ns: int) -> "StreamState":
        """Forget what ended before a time; a run of equal samples keeps its whole length."""
        gaps, flags = (
            tuple(item for item in items if item.end_ns >= time_ns)
            for items in (self.gaps, self.flags)
        )
        return replace(self, kept_ns=time_ns, gaps=gaps, flags=flags)

    def to_bytes(self) -> bytes:
        """Return the state as JSON, without the frames that wait."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values |= {
            name: [tuple(vars(item).values()) for item in values[name]] for name in _INTERVALS
        }
        return json.dumps({**values, "waiting": ()}, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, encoded: bytes, waiting: tuple[Frame, ...] = ()) -> "StreamState":
        """Return the state of its bytes and of the frames that wait."""
        values = json.loads(encoded)
        for name in _INTERVALS:
            values[name] = tuple(Interval(*item) for item in values[name])
        earlier = tuple((end_ns, rate) for end_ns, rate in values["earlier"])
        return cls(**{**values, "earlier": earlier, "waiting": waiting})


def _last(lost: Iterable[Interval], most: int) -> tuple[Interval, ...]:
    """Keep the last gaps; all before them counts as one, so that nobody is late without a word."""
    kept = tuple(lost)
    if len(kept) <= most:
        return kept
    rest, last = kept[: 1 - most], kept[1 - most :]
    return (Interval(0, rest[-1].end_ns, EARLIER), *last)
