"""The detection stage of the graph: candidates, sessions, triggers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.transforms.window import TimestampedValue

from transforms.coders import CandidateCoder, PendingClustersCoder, event_time, timed
from transforms.detect.bank import bank_for
from transforms.detect.cluster import cluster
from transforms.detect.clusters_live import closed_clusters, update_clusters
from transforms.detect.config import DetectConfig
from transforms.detect.search import search
from transforms.detect.sessions import Session, Sessions
from transforms.elements import Candidate, PendingClusters, SearchResult, Trigger, Whitened
from transforms.gps import REMEMBERED_NS
from transforms.observe.record import Spent, recorder

EDGES = "edges"
Edge: TypeAlias = tuple[str, list[bytes]]
"""Channel, and encoded candidates that those of other blocks may join."""
TaggedEdge: TypeAlias = TaggedOutput[Literal["edges"], Edge]


@dataclass
class Detect(beam.PTransform):  # type: ignore[misc]
    """Blocks of white noise to triggers: one for each transient of a channel."""

    config: DetectConfig
    band_low: float
    """Lower end of the whitened band [Hz]."""
    config_id: str

    def expand(self, whitened: Any) -> Any:
        """Wire the stage: what lies near the ends of blocks waits for all of its channel."""
        found = whitened | "Search" >> beam.ParDo(
            _Search(self.config, self.band_low, self.config_id)
        ).with_outputs(EDGES, main="triggers")
        joined = (
            found[EDGES]
            | "Gather" >> beam.GroupByKey()
            | "Join" >> beam.FlatMapTuple(self._join).with_output_types(Trigger)
        )
        return (found.triggers, joined) | "Triggers" >> beam.Flatten()

    def _join(self, _channel: str, edges: Iterable[list[bytes]]) -> Iterator[TimestampedValue]:
        coder = CandidateCoder()
        candidates = (coder.decode(encoded) for edge in edges for encoded in edge)
        for session in Sessions.of(self.config).group(candidates):
            yield _trigger(session, self.config_id)


class _Search(beam.DoFn):  # type: ignore[misc]
    """Triggers of whole chains; candidates of those that another block may have a part of."""

    def __init__(self, config: DetectConfig, band_low: float, config_id: str) -> None:
        self._config = config
        self._band_low = band_low
        self._config_id = config_id
        self._candidates = Metrics.counter("wavefier", "candidates")

    def process(self, whitened: Whitened) -> Iterator[Trigger | TaggedEdge]:
        """Search one block; one without strain is a gap."""
        if not whitened.data:
            return
        found = _found(whitened, self._config, self._band_low)
        self._candidates.inc(len(found))
        stretch = whitened.analyse_start_ns, whitened.analyse_end_ns
        own, others = Sessions.of(self._config).settle(found, stretch)
        for session in own:
            yield _trigger(session, self._config_id)
        if others:
            coder = CandidateCoder()
            yield TaggedOutput(EDGES, (whitened.channel, [coder.encode(c) for c in others]))


@dataclass
class TrackClusters(beam.PTransform):  # type: ignore[misc]
    """Blocks of white noise, in order, to triggers as they become known."""

    config: DetectConfig
    band_low: float
    """Lower end of the whitened band [Hz]."""
    config_id: str

    def expand(self, whitened: Any) -> Any:
        """Wire the stage: the same search, and what is open in keyed state."""
        return (
            whitened
            | "Search" >> beam.ParDo(_SearchNext(self.config, self.band_low))
            | "TrackClusters" >> beam.ParDo(_TrackClusters(self.config, self.config_id))
        )


@beam.typehints.with_output_types(tuple[str, SearchResult])
class _SearchNext(beam.DoFn):  # type: ignore[misc]
    """What was searched, by channel."""

    def __init__(self, config: DetectConfig, band_low: float) -> None:
        self._config = config
        self._band_low = band_low
        self._candidates = Metrics.counter("wavefier", "candidates")

    def process(self, whitened: Whitened) -> Iterator[tuple[str, SearchResult]]:
        """Search one block."""
        found = _found(whitened, self._config, self._band_low) if whitened.data else ()
        self._candidates.inc(len(found))
        yield (
            whitened.channel,
            SearchResult(
                channel=whitened.channel,
                start_ns=whitened.analyse_start_ns,
                end_ns=whitened.analyse_end_ns,
                known_ns=whitened.valid_start_ns,
                arrived_ns=whitened.arrived_ns,
                candidates=found,
                gap=not whitened.data,
            ),
        )


_FORGET = TimerSpec("forget", TimeDomain.WATERMARK)


@beam.typehints.with_output_types(Trigger)
class _TrackClusters(beam.DoFn):  # type: ignore[misc]
    OPEN = ReadModifyWriteStateSpec("open", PendingClustersCoder())

    def __init__(self, config: DetectConfig, config_id: str) -> None:
        self._sessions = Sessions.of(config)
        self._config_id = config_id

    def process(
        self,
        element: tuple[str, SearchResult],
        state: Any = beam.DoFn.StateParam(OPEN),
        forget: Any = beam.DoFn.TimerParam(_FORGET),
    ) -> Iterator[TimestampedValue]:
        """Take what was found in one block."""
        channel, searched = element
        before = state.read()
        now, triggers = update_clusters(before, searched, self._sessions, self._config_id)
        if now is not None:
            state.write(now)
            if searched.start_ns == searched.end_ns:  # it has ended
                forget.set(event_time(now.searched_ns + REMEMBERED_NS))
            if (record := recorder()) is not None:
                cut = now.cut_ns > (before.cut_ns if before else 0)
                record.followed(channel, now, cut=cut)
        for trigger in triggers:
            yield timed(trigger, trigger.time_ns)

    @on_timer(_FORGET)  # type: ignore[untyped-decorator]
    def forget(
        self,
        channel: str = beam.DoFn.KeyParam,
        state: Any = beam.DoFn.StateParam(OPEN),
        at: Any = beam.DoFn.TimestampParam,
    ) -> Iterator[TimestampedValue]:
        """Forget a channel that has ended long ago, unless it has come back since."""
        before = state.read()
        # Less a millisecond: a runner may keep times in whole ones.
        if before is None or event_time(before.searched_ns + REMEMBERED_NS - 10**6) > at:
            return
        triggers = closed_clusters(channel, before, self._sessions, self._config_id)
        state.clear()
        if (record := recorder()) is not None:
            record.followed(
                channel,
                PendingClusters(since_ns=before.since_ns, searched_ns=before.searched_ns),
                cut=False,
            )
        for trigger in triggers:
            yield timed(trigger, trigger.time_ns)


def _found(whitened: Whitened, config: DetectConfig, band_low: float) -> tuple[Candidate, ...]:
    with Spent("search"):
        bank = bank_for(whitened.sample_rate, config, band_low)
        found = tuple(search(whitened, config, bank))
    if (record := recorder()) is not None:
        record.searched(whitened, len(found))
    return found


def _trigger(session: Session, config_id: str) -> Any:
    trigger = cluster(session.candidates, config_id)
    return timed(trigger, trigger.time_ns)
