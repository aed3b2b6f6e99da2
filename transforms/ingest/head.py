"""What is known of a live channel: small, and enough to go on with the strain kept beside it."""

import json
from dataclasses import asdict, dataclass, replace

from transforms.elements import Frame, Interval
from transforms.gps import to_index, to_ns

EARLIER = "before the first frame"
MOST_LOST = 64
"""Gaps remembered, to tell frames that come too late from those that come twice."""


@dataclass(frozen=True)
class Head:
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

    @classmethod
    def before(cls, frame: Frame) -> "Head":
        """Give the head of a channel whose first frame comes now."""
        # The time of the first sample, as all later ones are counted from the grid.
        start = to_ns(to_index(frame.gps_start_ns, frame.sample_rate), frame.sample_rate)
        earlier = (Interval(0, start, EARLIER),)
        known = frame.ifo, frame.channel, frame.sample_rate
        return cls(*known, start, start, start, start, lost=earlier)

    def waiting_for(self, frame: Frame) -> "Head":
        """Let a frame wait for what lacks before it."""
        waiting = sorted((*self.waiting, frame), key=lambda waits: waits.gps_start_ns)
        return replace(self, waiting=tuple(waiting))

    def opened_at(self, time_ns: int) -> "Head":
        """Let a new stretch begin."""
        return replace(self, open_ns=time_ns, done_ns=max(self.done_ns, time_ns))

    def after_gap(self, gap: Interval) -> "Head":
        """Go on behind a gap."""
        lost = (*self.lost, gap)[-MOST_LOST:]
        return replace(self.ended(), end_ns=gap.end_ns, lost=lost).opened_at(gap.end_ns)

    def ended(self) -> "Head":
        """Let whatever comes begin anew."""
        return replace(self, gaps=(), flags=(), kept_ns=self.end_ns).opened_at(self.end_ns)

    def from_then_on(self, time_ns: int) -> "Head":
        """Forget what ended before a time; a run of equal samples keeps its whole length."""
        gaps, flags = (
            tuple(item for item in items if item.end_ns >= time_ns)
            for items in (self.gaps, self.flags)
        )
        return replace(self, kept_ns=time_ns, gaps=gaps, flags=flags)

    def to_bytes(self) -> bytes:
        """Give the head as JSON, without the frames that wait."""
        return json.dumps(asdict(replace(self, waiting=()))).encode()

    @classmethod
    def from_bytes(cls, encoded: bytes, waiting: tuple[Frame, ...] = ()) -> "Head":
        """Give the head of its bytes and of the frames that wait."""
        values = json.loads(encoded)
        for name in ("gaps", "flags", "lost"):
            values[name] = tuple(Interval(**item) for item in values[name])
        return cls(**{**values, "waiting": waiting})
