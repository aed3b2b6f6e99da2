"""How far topics were read, and what time it is on them: bookkeeping without Kafka or Beam.

A partition is called ``topic/number``. Seconds are of a clock that only goes forward.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from transforms.checks import Limits, check_values
from transforms.elements import Frame
from transforms.gps import NANOSECONDS, REMEMBERED_NS

MOST_CHANNELS = 1024
"""Channels that are followed at once; what names them comes with the data."""
_LONGEST_SILENCE_S = 3.0
"""Two answers of the broker further apart say nothing about the time between them [s]."""


@dataclass(frozen=True)
class IdleConfig:
    """When silence has a meaning, and how far behind the offsets are committed."""

    quiet_seconds: Annotated[float, Limits(gt=0)] = 5.0
    """A channel without a frame for so long says so [s]."""
    idle_seconds: Annotated[float, Limits(gt=0)] = 10.0
    """With no frame at all for so long, the watermark goes on with wall time [s]."""
    commit_seconds: Annotated[float, Limits(gt=0)] = 5.0
    """What was handed over so long ago is committed to the consumer group [s]."""

    def __post_init__(self) -> None:
        check_values(self)

    @property
    def tick_seconds(self) -> float:
        """How often a silent partition is asked whether it has nothing [s]."""
        return min(1.0, self.quiet_seconds / 4, self.idle_seconds / 4)


@dataclass(frozen=True)
class Channel:
    """What is known of a channel from its frames."""

    ifo: str
    sample_rate: int
    end_ns: int
    """GPS time up to which frames were handed over."""
    partition: str
    quiet: bool = False
    """Whether it was said that nothing more comes for now."""


@dataclass(frozen=True)
class Positions:
    """All that a reader needs to go on elsewhere: what a checkpoint of the source holds."""

    offsets: Mapping[str, int] = field(default_factory=dict)
    """First message of each partition that is still needed; empty: not begun."""
    channels: Mapping[str, Channel] = field(default_factory=dict)
    analysed: Mapping[str, int] = field(default_factory=dict)
    """GPS time [ns] of each channel up to which frames were analysed before a restart."""
    done: bool = False
    """Nothing is left to be read here: a part that was split off goes on."""

    def to_bytes(self) -> bytes:
        """Return JSON; equal positions have equal bytes."""
        channels = {
            name: [one.ifo, one.sample_rate, one.end_ns, one.partition, one.quiet]
            for name, one in self.channels.items()
        }
        whole = [self.offsets, channels, self.analysed, self.done]
        return json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, encoded: bytes) -> "Positions":
        """Read what ``to_bytes`` gave."""
        offsets, channels, analysed, done = json.loads(encoded)
        known = {name: Channel(*values) for name, values in channels.items()}
        return cls(offsets, known, analysed, done)


class Progress:
    """Follows what is handed over from some positions on."""

    def __init__(self, start: Positions, pace: IdleConfig, now: float) -> None:
        self._pace = pace
        self._started = now
        self._read = dict(start.offsets)
        self._needed = dict(start.offsets)
        self._channels = {
            name: one for name, one in start.channels.items() if one.partition in start.offsets
        }
        self._analysed = start.analysed
        # Where each partition ends, as far as it is known.
        self._ends: dict[str, int] = {}
        # When it was last known that a partition has no more than was read.
        self._heard: dict[str, float] = {}
        # For how long each channel is known to have had nothing [s].
        self._silent = dict.fromkeys(self._channels, 0.0)
        self._watermark_ns: int | None = None

    @property
    def positions(self) -> Positions:
        """Return where to go on after all that was handed over."""
        return Positions(dict(self._needed), dict(self._channels), self._analysed)

    @property
    def read(self) -> Mapping[str, int]:
        """Return the next message of each partition, whether or not earlier ones are needed."""
        return self._read

    @property
    def lag(self) -> int:
        """Return how many messages are known of and not read."""
        return sum(max(0, end - self._read[name]) for name, end in self._ends.items())

    def hand_over(
        self, partition: str, offset: int, frames: Iterable[Frame], needed: int, now: float
    ) -> list[Frame]:
        """Note a message that was read, and mark those of its frames that were analysed before.

        Args:
            partition: Where it was read.
            offset: Its own.
            frames: What it gave, or completed.
            needed: First offset of the partition that later frames need.
            now: Seconds.
        """
        self._read[partition] = offset + 1
        self._needed[partition] = needed
        self.hear(partition, now)
        return [self._note(partition, frame) for frame in frames]

    def admits(self, channel: str) -> bool:
        """Return whether a channel is followed, or may be."""
        return channel in self._channels or len(self._channels) < MOST_CHANNELS

    def jump(self, partition: str, offset: int) -> None:
        """Go on elsewhere in a partition."""
        self._read[partition] = self._needed[partition] = offset
        self.lose(partition)

    def extend(self, partition: str, end: int) -> None:
        """Note where a partition ends, as it was some time ago."""
        self._ends[partition] = end

    def hear(self, partition: str, now: float) -> None:
        """Note that a partition's broker has answered, be it that there is no more.

        Args:
            partition: Where.
            now: Seconds, when it was asked; an answer that was overtaken says nothing.
        """
        before = self._heard.get(partition)
        if before is not None and now < before:
            return
        self._heard.pop(partition, None)
        if self._behind(partition, now):
            return
        self._heard[partition] = now
        if before is None or now - before > _LONGEST_SILENCE_S:
            return
        for name, channel in self._channels.items():
            if channel.partition == partition:
                self._silent[name] += now - before

    def lose(self, partition: str) -> None:
        """Note that a partition's broker does not answer: its silence means nothing."""
        self._heard.pop(partition, None)

    def unheard(self, now: float) -> list[str]:
        """List the partitions of channels of which nothing was heard for a while."""
        tick = self._pace.tick_seconds
        return [
            name
            for name in sorted({channel.partition for channel in self._channels.values()})
            if not self._behind(name, now) and now - self._heard.get(name, -math.inf) >= tick
        ]

    def quiet(self, unix_ns: int) -> list[Frame]:
        """Return a frame without samples for each channel that has just become quiet.

        Args:
            unix_ns: What the frames say of when they came [Unix ns].
        """
        found = []
        for name, one in self._channels.items():
            if not one.quiet and self._silent[name] >= self._pace.quiet_seconds:
                self._channels[name] = replace(one, quiet=True)
                empty = Frame(
                    ifo=one.ifo,
                    channel=name,
                    sample_rate=one.sample_rate,
                    gps_start_ns=one.end_ns,
                    data=b"",
                    arrived_ns=unix_ns,
                )
                found.append(empty)
        return found

    def forget(self) -> None:
        """Forget channels that have ended a day of data time ago, but for the latest of all."""
        reached = self._watermark_ns
        if reached is None:
            return
        latest_ns = max((one.end_ns for one in self._channels.values()), default=0)
        oldest_ns = min(latest_ns, reached - REMEMBERED_NS)
        old = [n for n, one in self._channels.items() if one.quiet and one.end_ns < oldest_ns]
        for name in old:
            del self._channels[name], self._silent[name]
        if any(until_ns < oldest_ns for until_ns in self._analysed.values()):
            left = {n: ns for n, ns in self._analysed.items() if ns >= oldest_ns}
            self._analysed = left

    def watermark_ns(self, now: float) -> int | None:
        """Return the GPS time up to which all is expected to be handed over; it never goes back.

        It is the latest end of all channels: one that is late or dead holds nobody back. But
        what already waits in a partition is not late, and holds. None: nothing is known.
        """
        reached = max((one.end_ns for one in self._channels.values()), default=None)
        if reached is None:
            return None
        behind = [name for name in self._read if self._behind(name, now)]
        for name in behind:
            ends = [one.end_ns for one in self._channels.values() if one.partition == name]
            if not ends:
                return self._watermark_ns
            reached = min(reached, max(ends))
        if not behind:
            # From where it stands: data that come back as they stopped are not late.
            beyond = min(self._silent.values()) - self._pace.idle_seconds
            reached += int(max(0.0, beyond) * NANOSECONDS)
        self._watermark_ns = max(reached, self._watermark_ns or reached)
        return self._watermark_ns

    def _note(self, partition: str, frame: Frame) -> Frame:
        before = self._channels.get(frame.channel)
        end_ns = max(frame.gps_end_ns, before.end_ns if before else frame.gps_end_ns)
        self._channels[frame.channel] = Channel(frame.ifo, frame.sample_rate, end_ns, partition)
        self._silent[frame.channel] = 0.0
        until_ns = self._analysed.get(frame.channel)
        if until_ns is None or frame.gps_end_ns > until_ns:
            return frame
        return replace(frame, analysed=True)

    def _behind(self, partition: str, now: float) -> bool:
        """Return whether more is known to wait; of a new partition, for a while, whether it may."""
        end = self._ends.get(partition)
        if end is None:
            return now - self._started < self._pace.quiet_seconds
        return self._read[partition] < end
