"""The time of strain: how far each channel is, whether it is silent, and what was analysed."""

import json
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from transforms.elements import DeadLetter, Frame
from transforms.gps import NANOSECONDS, REMEMBERED_NS
from transforms.ingest.kafka.timekeeper import IdleConfig, Placed
from transforms.kinds import LetterKind

MOST_CHANNELS = 1024
"""Channels that are followed at once; what names them comes with the data."""


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


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a checkpoint holds of the time of strain."""

    channels: Mapping[str, Channel]
    analysed: Mapping[str, int]
    """GPS time [ns] of each channel up to which frames were analysed before a restart."""

    def to_text(self) -> str:
        """Return JSON; equal states have equal texts."""
        channels = {
            name: [one.ifo, one.sample_rate, one.end_ns, one.partition, one.quiet]
            for name, one in self.channels.items()
        }
        return json.dumps([channels, self.analysed], sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> "Kept":
        """Read what ``to_text`` returned; an empty text holds no channel."""
        channels, analysed = json.loads(text) if text else ({}, {})
        known = {name: Channel(*values) for name, values in channels.items()}
        return cls(channels=known, analysed=analysed)


class ChannelTime:
    """A `Timekeeper` of frames: that of the channel which is furthest."""

    def __init__(self, idle: IdleConfig) -> None:
        self._idle = idle
        self._refused: OrderedDict[str, None] = OrderedDict()
        self.begin("", (), {})

    def begin(
        self, kept: str, partitions: Collection[str], context_until_ns: Mapping[str, int]
    ) -> None:
        """Forget all, except which channels were reported as too many."""
        start = Kept.from_text(kept)
        self._channels = {
            name: one for name, one in start.channels.items() if one.partition in partitions
        }
        self._analysed: Mapping[str, int] = {**context_until_ns, **start.analysed}
        # For how long each channel is known to have had nothing [s].
        self._silent = dict.fromkeys(self._channels, 0.0)
        self._watermark_ns: int | None = None

    def take(
        self, partition: str, elements: Sequence[Frame], arrived_ns: int
    ) -> Sequence[Placed[Frame] | DeadLetter]:
        """Return frames, marked if they were analysed before, but for those of too many channels.

        Of such a channel it is told once.
        """
        found: list[Placed[Frame] | DeadLetter] = []
        for frame in elements:
            if frame.channel in self._channels or len(self._channels) < MOST_CHANNELS:
                found.append(_placed(self._noted(partition, frame)))
            else:
                found += self._refuse(frame)
        return found

    def silent(self, partition: str, seconds: float) -> None:
        """Hear it for all channels of a partition."""
        for name, channel in self._channels.items():
            if channel.partition == partition:
                self._silent[name] += seconds

    def own(self, unix_ns: int) -> Sequence[Placed[Frame]]:
        """Return a frame without samples for each channel that has just become quiet."""
        found = []
        for name, one in self._channels.items():
            if not one.quiet and self._silent[name] >= self._idle.quiet_seconds:
                self._channels[name] = replace(one, quiet=True)
                empty = Frame(
                    ifo=one.ifo,
                    channel=name,
                    sample_rate=one.sample_rate,
                    gps_start_ns=one.end_ns,
                    data=b"",
                    arrived_ns=unix_ns,
                )
                found.append(_placed(empty))
        return found

    def advance(self, behind: Collection[str], confirmed_ns: int | None) -> int | None:
        """Return the latest end of all channels: one that is late or dead holds nobody back.

        But what already waits in a partition is not late, and holds.
        """
        watermark_ns = self._advanced(behind)
        self._forget()
        return watermark_ns

    def _advanced(self, behind: Collection[str]) -> int | None:
        reached = max((one.end_ns for one in self._channels.values()), default=None)
        if reached is None:
            return None
        for name in behind:
            ends = [one.end_ns for one in self._channels.values() if one.partition == name]
            if not ends:
                return self._watermark_ns
            reached = min(reached, max(ends))
        if not behind:
            # From where it stands: data that come back as they stopped are not late.
            beyond = min(self._silent.values()) - self._idle.idle_seconds
            reached += int(max(0.0, beyond) * NANOSECONDS)
        self._watermark_ns = max(reached, self._watermark_ns or reached)
        return self._watermark_ns

    @property
    def watched(self) -> Collection[str]:
        """Return the partitions of channels."""
        return {channel.partition for channel in self._channels.values()}

    @property
    def kept(self) -> str:
        """Return the text of `Kept`."""
        return Kept(channels=self._channels, analysed=self._analysed).to_text()

    @property
    def reached_ns(self) -> Mapping[str, Mapping[str, int]]:
        """Return the end of each channel, for each partition."""
        found: dict[str, dict[str, int]] = {}
        for name, one in self._channels.items():
            found.setdefault(one.partition, {})[name] = one.end_ns
        return found

    def _noted(self, partition: str, frame: Frame) -> Frame:
        before = self._channels.get(frame.channel)
        end_ns = max(frame.gps_end_ns, before.end_ns if before else frame.gps_end_ns)
        self._channels[frame.channel] = Channel(frame.ifo, frame.sample_rate, end_ns, partition)
        self._silent[frame.channel] = 0.0
        until_ns = self._analysed.get(frame.channel)
        if until_ns is None or frame.gps_end_ns > until_ns:
            return frame
        return replace(frame, analysed=True)

    def _refuse(self, frame: Frame) -> list[DeadLetter]:
        told = frame.channel in self._refused
        self._refused[frame.channel] = None
        self._refused.move_to_end(frame.channel)
        while len(self._refused) > MOST_CHANNELS:
            self._refused.popitem(last=False)
        if told:
            return []
        text = f"{frame.channel} is not read: as many as {MOST_CHANNELS} others are"
        reason = f"{frame.source}: {text}; name those wanted with --channel (told once)"
        return [DeadLetter(source=frame.source, reason=reason, kind=LetterKind.CHANNEL)]

    def _forget(self) -> None:
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


def _placed(frame: Frame) -> Placed[Frame]:
    return Placed(key=frame.channel, element=frame, time_ns=frame.gps_start_ns)
