"""The stage that makes the events of a network, and says how rare they are."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import AsList, PCollection
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec
from apache_beam.transforms.window import GlobalWindows, TimestampedValue
from apache_beam.typehints.decorators import no_annotations

from transforms.coders import (
    ArrivalCoder,
    NetworkStateCoder,
    PastHoursCoder,
    timed,
)
from transforms.coincide.config import CoincideConfig
from transforms.coincide.stage import is_strain
from transforms.elements import (
    FINAL,
    Arrival,
    BackgroundHour,
    Event,
    NetworkState,
    PastHours,
    Progress,
    Segment,
    Told,
)
from transforms.gps import from_seconds
from transforms.significance import follow
from transforms.significance.livetime import HOUR_NS
from transforms.significance.network import MARGIN_NS, Memory, Network, Searched


class Heard(NamedTuple):
    """What a network hears of its detectors."""

    arrivals: PCollection[Arrival]
    progress: PCollection[Progress]
    segments: PCollection[Segment]


@dataclass(kw_only=True)
class Rank(beam.PTransform):  # type: ignore[misc]
    """Triggers of a network to its events, each with its false-alarm rate.

    Where the input ends, hours of GPS time are worked on side by side. Where it does not, what
    is not final is in the state of one key, and events are published as they become known. The
    final events are the same, if no detector was later than the limit.
    """

    network: Network
    coincide: CoincideConfig

    @no_annotations  # type: ignore[untyped-decorator]
    def expand(self, heard: Heard) -> PCollection[Event]:
        """Wire the stage."""
        ranked = _RankHours if heard.arrivals.is_bounded else _Follow
        events: PCollection[Event] = heard | "Network" >> ranked(self.network, self.coincide)
        return events


def _strain(channels: tuple[str, ...]) -> Any:
    return beam.Filter(is_strain, channels)


_ONE = b"network"
"""Key of all: a network's triggers are few."""
_Keyed = tuple[bytes, Told]


@dataclass
class _Follow(beam.PTransform):  # type: ignore[misc]
    """What is heard, in any order, to events as they become known."""

    network: Network
    coincide: CoincideConfig

    @no_annotations  # type: ignore[untyped-decorator]
    def expand(self, heard: Heard) -> PCollection[Event]:
        told = (
            heard.arrivals | "Arrivals" >> beam.Map(_of_arrival).with_output_types(_Keyed),
            heard.progress
            | "Strain" >> _strain(self.coincide.channels).with_output_types(Progress)
            | "Progress" >> beam.Map(_of_progress).with_output_types(_Keyed),
        )
        wait_ns = from_seconds(self.coincide.wait_seconds)
        following = beam.ParDo(_FollowNetwork(self.network, wait_ns))
        events: PCollection[Event] = (
            told | "Hear" >> beam.Flatten() | "Follow" >> following.with_output_types(Event)
        )
        return events


def _of_arrival(arrival: Arrival) -> _Keyed:
    return _ONE, Told(arrivals=(arrival,))


def _of_progress(progress: Progress) -> _Keyed:
    return _ONE, Told(progress=(progress,))


class _FollowNetwork(beam.DoFn):  # type: ignore[misc]
    OPEN = ReadModifyWriteStateSpec("open", NetworkStateCoder())
    PAST = ReadModifyWriteStateSpec("past", PastHoursCoder())
    SINCE = BagStateSpec("since", ArrivalCoder())
    """Final triggers of the hours that are not counted, and of the longest slide before."""

    def __init__(self, network: Network, wait_ns: int) -> None:
        self._network = network
        self._wait_ns = wait_ns
        self._late = Metrics.counter("significance", "late_triggers")
        self._hours = Metrics.counter("significance", "hours")

    def setup(self) -> None:
        """Begin without a past."""
        self._known: tuple[int, Memory] | None = None

    def process(
        self,
        element: _Keyed,
        cell: Any = beam.DoFn.StateParam(OPEN),
        past: Any = beam.DoFn.StateParam(PAST),
        since: Any = beam.DoFn.StateParam(SINCE),
    ) -> Iterator[TimestampedValue]:
        """Take what is told, and publish what changed."""
        _, told = element
        state = cell.read() or NetworkState()
        came_ns = None
        for arrival in told.arrivals:
            came_ns = arrival.time_ns
            if arrival.status == FINAL:
                since.add(arrival)
                if follow.is_late(state, arrival):
                    self._late.inc()
            state = follow.with_arrival(state, arrival)
        for progress in told.progress:
            state = follow.with_progress(state, progress)
        while (hour := follow.hour_due(state, self._wait_ns)) is not None:
            self._count(hour, state, past, since)
            state = follow.with_hour(state)

        def find(arrivals: Sequence[Arrival], low_ns: int, high_ns: int) -> Sequence[Event]:
            memory = self._memory(state.counted_ns, past)
            return self._network.events(arrivals, low_ns, high_ns, memory)

        state, events = follow.settled(state, find, self._wait_ns, came_ns)
        cell.write(state)
        for event in events:
            yield timed(event, event.time_ns)

    def _count(self, hour_ns: int, state: NetworkState, past: Any, since: Any) -> None:
        """Add an hour to the background, and drop what is of no more use."""
        searched = {
            (c.ifo, c.channel): [(s.start_ns, s.end_ns) for s in c.searched] for c in state.channels
        }
        begin_ns = hour_ns - self._network.last_ns
        if not any(end > begin_ns for one in searched.values() for _, end in one):
            return
        hour = hour_ns // HOUR_NS
        arrivals = list(since.read())
        before = self._memory(state.counted_ns, past)
        counted = self._network.background(hour, arrivals, searched, before)
        held = (past.read() or PastHours()).hours
        kept = [each for each in held if each.hour > hour - self._network.config.hours]
        past.write(PastHours(hours=(*kept, counted)))
        since.clear()
        for arrival in arrivals:
            if arrival.time_ns >= hour_ns + HOUR_NS - self._network.last_ns - MARGIN_NS:
                since.add(arrival)
        self._hours.inc()

    def _memory(self, counted_ns: int, past: Any) -> Memory:
        """Return the past, read again only when an hour was added."""
        if self._known is None or self._known[0] != counted_ns:
            held = (past.read() or PastHours()).hours
            self._known = counted_ns, Memory(self._network, held)
        return self._known[1]


@dataclass
class _RankHours(beam.PTransform):  # type: ignore[misc]
    """All that is heard to events, hour by hour."""

    network: Network
    coincide: CoincideConfig

    @no_annotations  # type: ignore[untyped-decorator]
    def expand(self, heard: Heard) -> PCollection[Event]:
        last_ns = self.network.last_ns
        arrivals = (
            heard.arrivals
            | "Whole[arrivals]" >> beam.WindowInto(GlobalWindows())
            | "Hours[arrivals]"
            >> beam.FlatMap(_hours_of_arrival, last_ns).with_output_types(tuple[int, Arrival])
        )
        segments = (
            heard.segments
            | "Whole[segments]" >> beam.WindowInto(GlobalWindows())
            | "Strain" >> _strain(self.coincide.channels).with_output_types(Segment)
            | "Hours[segments]"
            >> beam.FlatMap(_hours_of_segment, last_ns).with_output_types(tuple[int, Segment])
        )
        hours = {"arrivals": arrivals, "segments": segments} | "Gather" >> beam.CoGroupByKey()
        counted = hours | "Triggers" >> beam.ParDo(_CountTriggers(self.network)).with_output_types(
            BackgroundHour
        )
        slid = hours | "Slides" >> beam.ParDo(
            _CountSlides(self.network), AsList(counted)
        ).with_output_types(BackgroundHour)
        events: PCollection[Event] = hours | "Events" >> beam.ParDo(
            _FindEvents(self.network), AsList(counted), AsList(slid)
        ).with_output_types(Event)
        return events


def _hours_of_arrival(arrival: Arrival, last_ns: int) -> Iterator[tuple[int, Arrival]]:
    """Yield a trigger for each hour whose slides or events it may be part of."""
    low = (arrival.time_ns - MARGIN_NS) // HOUR_NS
    high = (arrival.time_ns + last_ns + MARGIN_NS) // HOUR_NS
    for hour in range(low, high + 1):
        yield hour, arrival


def _hours_of_segment(segment: Segment, last_ns: int) -> Iterator[tuple[int, Segment]]:
    if segment.analysed and segment.start_ns < segment.end_ns:
        last = (segment.end_ns - 1 + last_ns) // HOUR_NS
        for hour in range(segment.start_ns // HOUR_NS, last + 1):
            yield hour, segment


_Hour = tuple[int, dict[str, Iterable[Any]]]
"""Number of the hour, its arrivals and its segments."""


def _searched(segments: Iterable[Segment]) -> Searched:
    found: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for one in segments:
        found[one.ifo, one.channel].append((one.start_ns, one.end_ns))
    return found


class _CountTriggers(beam.DoFn):  # type: ignore[misc]
    """How often each channel triggers in an hour."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def process(self, element: _Hour) -> Iterator[BackgroundHour]:
        """Count one hour."""
        hour, heard = element
        triggers = self._network.triggers(hour, heard["arrivals"], _searched(heard["segments"]))
        yield BackgroundHour(hour=hour, triggers=triggers)


class _CountSlides(beam.DoFn):  # type: ignore[misc]
    """What slid pairs do by chance in an hour."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def process(
        self, element: _Hour, counted: Sequence[BackgroundHour]
    ) -> Iterator[BackgroundHour]:
        """Slide one hour."""
        hour, heard = element
        memory = Memory(self._network, counted)
        searched = _searched(heard["segments"])
        slides = self._network.slides(hour, heard["arrivals"], searched, memory)
        yield BackgroundHour(hour=hour, slides=slides)


class _FindEvents(beam.DoFn):  # type: ignore[misc]
    """The events of an hour."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def process(
        self,
        element: _Hour,
        counted: Sequence[BackgroundHour],
        slid: Sequence[BackgroundHour],
    ) -> Iterator[TimestampedValue]:
        """Find the events of one hour, final at once."""
        hour, heard = element
        memory = Memory(self._network, [*counted, *slid])
        low_ns, high_ns = hour * HOUR_NS, (hour + 1) * HOUR_NS
        for event in self._network.events(list(heard["arrivals"]), low_ns, high_ns, memory):
            yield timed(event, event.time_ns)
