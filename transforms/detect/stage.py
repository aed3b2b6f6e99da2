"""The detection stage of the graph: candidates, sessions, triggers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import PCollection, TaggedOutput
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.transforms.window import TimestampedValue
from apache_beam.typehints.decorators import no_annotations

from transforms.coders import CandidateCoder, PendingClustersCoder, event_time, timed
from transforms.detect.bank import bank_for
from transforms.detect.cluster import cluster
from transforms.detect.clusters_live import closed_clusters, final_before, update_clusters
from transforms.detect.config import DetectConfig
from transforms.detect.search import search
from transforms.detect.sessions import Session, Sessions
from transforms.elements import (
    FINAL,
    Candidate,
    PendingClusters,
    Progress,
    SearchResult,
    Trigger,
    Whitened,
)
from transforms.gps import REMEMBERED_NS
from transforms.observe.record import Spent, recorder

EDGES, ENDS, PROGRESS = "edges", "ends", "progress"
Edge: TypeAlias = tuple[str, list[bytes]]
"""Channel, and encoded candidates that those of other blocks may join."""
TaggedEdge: TypeAlias = TaggedOutput[Literal["edges"], Edge]
TaggedEnd: TypeAlias = TaggedOutput[Literal["ends"], tuple[str, int]]
"""Channel, and up to when it was searched [GPS ns]."""
TaggedProgress: TypeAlias = TaggedOutput[Literal["progress"], Progress]
Keyed: TypeAlias = tuple[str, SearchResult]
"""Channel, and what a search of one block of it gave."""


class Detected(NamedTuple):
    """The outputs of detection."""

    triggers: PCollection[Trigger]
    progress: PCollection[Progress]


@dataclass(kw_only=True)
class Detect(beam.PTransform):  # type: ignore[misc]
    """Blocks of white noise to triggers: one for each transient of a channel.

    Candidates of neighbouring blocks may belong to one transient. How they meet depends on
    the input. Where it ends, they are gathered by channel when all was searched. Where it does
    not, blocks come in order, what is pending stays in keyed state, and triggers are published
    as they become known. The final triggers are the same.
    """

    config: DetectConfig
    band_low: float
    """Lower end of the whitened band [Hz]."""
    config_id: str

    @no_annotations  # type: ignore[untyped-decorator]
    def expand(self, whitened: PCollection[Whitened]) -> Detected:
        """Wire the stage."""
        searched = whitened | "Search" >> beam.ParDo(_Search(self.config, self.band_low))
        join = JoinClusters if whitened.is_bounded else TrackClusters
        found: Detected = searched | "Cluster" >> join(self.config, self.config_id)
        return found


@beam.typehints.with_output_types(Keyed)
class _Search(beam.DoFn):  # type: ignore[misc]
    """What was found in a block, by channel."""

    def __init__(self, config: DetectConfig, band_low: float) -> None:
        self._config = config
        self._band_low = band_low
        self._candidates = Metrics.counter("wavefier", "candidates")

    def process(self, whitened: Whitened) -> Iterator[Keyed]:
        """Search one block; one without strain is a gap."""
        found = self._found(whitened) if whitened.data else ()
        self._candidates.inc(len(found))
        result = SearchResult(
            channel=whitened.channel,
            start_ns=whitened.analyse_start_ns,
            end_ns=whitened.analyse_end_ns,
            known_ns=whitened.valid_start_ns,
            arrived_ns=whitened.arrived_ns,
            candidates=found,
            gap=not whitened.data,
            ifo=whitened.ifo,
            valid_end_ns=whitened.valid_end_ns,
        )
        yield whitened.channel, result

    def _found(self, whitened: Whitened) -> tuple[Candidate, ...]:
        with Spent("search"):
            bank = bank_for(whitened.sample_rate, self._config, self._band_low)
            found = tuple(search(whitened, self._config, bank))
        if (record := recorder()) is not None:
            record.searched(whitened, len(found))
        return found


@dataclass
class JoinClusters(beam.PTransform):  # type: ignore[misc]
    """What was found in all blocks of files to triggers, in any order of the blocks."""

    config: DetectConfig
    config_id: str

    @no_annotations  # type: ignore[untyped-decorator]
    def expand(self, searched: PCollection[Keyed]) -> Detected:
        """Wire the stage: what lies near the ends of blocks waits for all of its channel."""
        found = searched | "Settle" >> beam.ParDo(
            _Settle(self.config, self.config_id)
        ).with_outputs(EDGES, ENDS, main="triggers")
        joined = (
            found[EDGES]
            | "Gather" >> beam.GroupByKey()
            | "Join" >> beam.FlatMapTuple(self._join).with_output_types(Trigger)
        )
        progress = (
            found[ENDS]
            | "Last" >> beam.CombinePerKey(max)
            | "Final" >> beam.MapTuple(_final).with_output_types(Progress)
        )
        triggers = (found.triggers, joined) | "Triggers" >> beam.Flatten()
        return Detected(triggers=triggers, progress=progress)

    def _join(self, _channel: str, edges: Iterable[list[bytes]]) -> Iterator[TimestampedValue]:
        coder = CandidateCoder()
        candidates = (coder.decode(encoded) for edge in edges for encoded in edge)
        for session in Sessions.of(self.config).group(candidates):
            yield _trigger(session, self.config_id)


class _Settle(beam.DoFn):  # type: ignore[misc]
    """Triggers of whole chains; candidates of those that another block may have a part of."""

    def __init__(self, config: DetectConfig, config_id: str) -> None:
        self._sessions = Sessions.of(config)
        self._config_id = config_id

    def process(self, element: Keyed) -> Iterator[Trigger | TaggedEdge | TaggedEnd]:
        """Cluster what was found in one block."""
        channel, result = element
        stretch = result.start_ns, result.end_ns
        own, others = self._sessions.settle(result.candidates, stretch)
        for session in own:
            yield _trigger(session, self._config_id)
        if others:
            coder = CandidateCoder()
            yield TaggedOutput(EDGES, (channel, [coder.encode(c) for c in others]))
        yield TaggedOutput(ENDS, (channel, result.end_ns))


def _final(channel: str, end_ns: int) -> Progress:
    return Progress(channel=channel, final_ns=end_ns, ended=True)


@dataclass
class TrackClusters(beam.PTransform):  # type: ignore[misc]
    """What was found in blocks, in order, to triggers as they become known."""

    config: DetectConfig
    config_id: str

    @no_annotations  # type: ignore[untyped-decorator]
    def expand(self, searched: PCollection[Keyed]) -> Detected:
        """Wire the stage: what is pending is in keyed state."""
        found = searched | "Track" >> beam.ParDo(
            _TrackClusters(self.config, self.config_id)
        ).with_outputs(PROGRESS, main="triggers")
        return Detected(triggers=found.triggers, progress=found[PROGRESS])


_FORGET = TimerSpec("forget", TimeDomain.WATERMARK)


class _TrackClusters(beam.DoFn):  # type: ignore[misc]
    OPEN = ReadModifyWriteStateSpec("open", PendingClustersCoder())

    def __init__(self, config: DetectConfig, config_id: str) -> None:
        self._sessions = Sessions.of(config)
        self._config_id = config_id

    def process(
        self,
        element: Keyed,
        state: Any = beam.DoFn.StateParam(OPEN),
        forget: Any = beam.DoFn.TimerParam(_FORGET),
    ) -> Iterator[Trigger | TaggedProgress]:
        """Cluster what was found in one block."""
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
        begin, end = searched.analysed
        progress = Progress(
            channel=channel,
            final_ns=final_before(now, searched, self._sessions),
            ended=searched.start_ns == searched.end_ns,
            ifo=searched.ifo,
            start_ns=begin,
            end_ns=end,
            triggers=tuple(trigger.id for trigger in triggers if trigger.status == FINAL),
        )
        yield TaggedOutput(PROGRESS, progress)

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


def _trigger(session: Session, config_id: str) -> Any:
    trigger = cluster(session.candidates, config_id)
    return timed(trigger, trigger.time_ns)
