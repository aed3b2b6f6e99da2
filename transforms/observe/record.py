"""What the stages tell: each call is a few counts, of which a process keeps its own.

Where nobody wants to know, ``recorder()`` is None and a stage does nothing. Counts stand in
files that all processes of a machine or pod share a folder for (`endpoint`), so that they
outlive a process: a worker that is replaced does not begin at nothing.
"""

import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

from transforms.elements import (
    FINAL,
    LOW_SCORE,
    PRELIMINARY,
    WITHDRAWN,
    Block,
    DeadLetter,
    Event,
    Frame,
    PendingClusters,
    Segment,
    Trigger,
    Whitened,
)
from transforms.gps import NANOSECONDS
from transforms.kinds import LetterKind
from transforms.observe import json_log
from transforms.observe.catalogue import (
    BUCKETS,
    CATALOGUE,
    COUNTER,
    GAUGE,
    HISTOGRAM,
    PREFIX,
    STAGES,
    WORKERS,
)
from transforms.observe.config import ObserveConfig
from transforms.observe.inspiral import inspiral_range
from transforms.rate_limited_log import RateLimitedLog
from transforms.utc import from_unix

_LOG = logging.getLogger(__name__)
_REST = "other"
MOST_SERIES = 2048
"""Of one metric: whoever sends names of channels without end fills no memory."""

_LOCK, _BEGUN = threading.Lock(), threading.Event()
_OWN: "list[Recorder | None]" = []


def recorder() -> "Recorder | None":
    """Return this process's recorder, where its environment says that there is one.

    Raises:
        ValueError: The environment says what cannot be; one line.
    """
    if not _BEGUN.is_set():
        with _LOCK:  # two of one process would write over each other
            if not _BEGUN.is_set():
                _OWN.append(_begin())
                _BEGUN.set()
    return _OWN[-1]


def _begin() -> "Recorder | None":
    config = ObserveConfig.from_environment()
    json_log.write(config.log)
    if not config.address:
        return None
    from transforms.observe import endpoint

    made = Recorder(config.made())
    endpoint.serve(config)
    return made


class Recorder:
    """The counts of this process."""

    def __init__(self, folder: Path) -> None:
        """Begin to count, in a folder that other processes share; made if missing."""
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        import prometheus_client
        from prometheus_client import values

        # Its own switch is thrown by the first import, which may have been anybody's.
        values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]
        registry = prometheus_client.CollectorRegistry()
        kinds: dict[str, Any] = {
            COUNTER: prometheus_client.Counter,
            GAUGE: prometheus_client.Gauge,
            HISTOGRAM: prometheus_client.Histogram,
        }
        # A channel may move to another process: its state is what was said last.
        more: dict[str, Any] = {
            GAUGE: {"multiprocess_mode": "mostrecent"},
            HISTOGRAM: {"buckets": BUCKETS},
        }
        self._metrics = {
            one.name: kinds[one.kind](
                f"{PREFIX}_{one.name}",
                one.help,
                one.labels,
                registry=registry,
                **more.get(one.kind, {}),
            )
            for one in CATALOGUE
            if one.name != WORKERS
        }
        self._series: dict[str, dict[tuple[str, ...], Any]] = {name: {} for name in self._metrics}
        self._spectra: dict[str, int] = {}
        self._letters = RateLimitedLog(_LOG)
        # Of a series that begins with 1, Prometheus does not see that it was 0 before.
        for stage in STAGES:
            self._of("cpu_seconds_total", stage)
        for kind in LetterKind:
            self._of("dead_letters_total", kind.value)
        for status in (PRELIMINARY, FINAL, WITHDRAWN):
            self._of("events_total", status)
            self._of("event_latency_seconds", status)

    def messages(self, count: int, size: int, waiting: int) -> None:
        """Messages were read: how many, their bytes, and how many wait."""
        self._of("messages_total").inc(count)
        self._of("message_bytes_total").inc(size)
        self._of("waiting_messages").set(waiting)

    def frame(self, frame: Frame) -> None:
        """A frame was read."""
        if (frame.channel,) not in self._series["frames_total"]:
            for name in ("repeated_frames_total", "doubtful_triggers_total"):
                self._of(name, frame.channel)
        if frame.data and not frame.analysed:
            self._of("frames_total", frame.channel).inc()
            self._of("frame_timestamp_seconds", frame.channel).set(_unix(frame.gps_end_ns))
            arrived = frame.arrived_ns / NANOSECONDS
            self._of("arrival_timestamp_seconds", frame.channel).set(arrived)

    def repeated(self, channel: str) -> None:
        """A frame held nothing new."""
        self._of("repeated_frames_total", channel).inc()

    def block(self, block: Block) -> None:
        """A block was put together."""
        self._of("blocks_total", block.channel).inc()

    def whitened(self, white: Whitened) -> None:
        """A block was whitened; its spectrum is looked at when it is another."""
        rows = len(white.asd_array)
        in_force = white.asd_start_ns + (rows - 1) * white.asd_step_ns
        age = (white.analyse_end_ns - in_force) / NANOSECONDS
        self._of("psd_age_seconds", white.channel).set(age)
        if self._spectra.get(white.channel) != in_force:
            self._spectra[white.channel] = in_force
            seen = inspiral_range(white.asd_array[-1], white.asd_resolution)
            self._of("range_megaparsecs", white.channel).set(seen)

    def searched(self, white: Whitened, candidates: int) -> None:
        """A block was searched."""
        self._of("candidates_total", white.channel).inc(candidates)
        if white.arrived_ns:
            waited = (time.time_ns() - white.arrived_ns) / NANOSECONDS
            self._of("search_latency_seconds", white.ifo).observe(waited)

    def followed(self, channel: str, now: PendingClusters, *, cut: bool) -> None:
        """What was found in a block was joined to what was open."""
        self._of("open_candidates", channel).set(len(now.candidates))
        self._of("cut_sessions_total", channel).inc(int(cut))

    def model(self, label: str) -> None:
        """A model labels from now on."""
        self._of("model_info", label).set(1)

    def published(self, element: Trigger | Event | Segment | DeadLetter) -> None:
        """A result was handed to the broker."""
        if isinstance(element, Trigger):
            self._trigger(element)
        elif isinstance(element, Event):
            self._event(element)
        elif isinstance(element, Segment):
            self._segment(element)
        else:
            kind = element.kind.value
            self._of("dead_letters_total", kind).inc()
            more = {"reason": kind, "source": element.source}
            # A sender that is broken writes no log without end: all of them are published.
            self._letters.tell(kind, f"dead letter: {element.reason}", more)

    def cpu(self, stage: str, seconds: float) -> None:
        """A stage has worked."""
        self._of("cpu_seconds_total", stage).inc(seconds)

    def _trigger(self, trigger: Trigger) -> None:
        self._of("triggers_total", trigger.channel, trigger.label, trigger.status).inc()
        if trigger.status == FINAL and trigger.score < LOW_SCORE:
            self._of("doubtful_triggers_total", trigger.channel).inc()
        now = time.time_ns()
        late = (from_unix(now) - trigger.data_time_ns) / NANOSECONDS
        self._of("data_latency_seconds", trigger.ifo, trigger.status).observe(late)
        if trigger.arrived_ns:
            waited = (now - trigger.arrived_ns) / NANOSECONDS
            self._of("arrival_latency_seconds", trigger.ifo, trigger.status).observe(waited)

    def _event(self, event: Event) -> None:
        self._of("events_total", event.status).inc()
        if event.arrived_ns:
            waited = (time.time_ns() - event.arrived_ns) / NANOSECONDS
            self._of("event_latency_seconds", event.status).observe(waited)

    def _segment(self, segment: Segment) -> None:
        seconds = (segment.end_ns - segment.start_ns) / NANOSECONDS
        if segment.analysed:
            self._of("analysed_seconds_total", segment.channel).inc(seconds)
        else:
            kind = segment.kind.value
            self._of("gaps_total", segment.channel, kind).inc()
            self._of("gap_seconds_total", segment.channel, kind).inc(seconds)
            times = {"gps_start_ns": segment.start_ns, "gps_end_ns": segment.end_ns}
            more = {"channel": segment.channel, "reason": kind, **times}
            _LOG.info("not analysed: %s", segment.reason, extra=more)
        self._of("analysed_timestamp_seconds", segment.channel).set(_unix(segment.end_ns))

    def _of(self, name: str, *labels: str) -> Any:
        """Return a series; what there are too many of is counted together."""
        series = self._series[name]
        found = series.get(labels)
        if found is None:
            if len(series) >= MOST_SERIES:
                labels = (_REST,) * len(labels)
            metric = self._metrics[name]
            found = series[labels] = metric.labels(*labels) if labels else metric
        return found


class Spent:
    """Counts the processor time of a stage while a ``with`` block runs, of its thread alone."""

    __slots__ = ("_begun", "_stage")

    def __init__(self, stage: str) -> None:
        """Name one of ``STAGES``."""
        self._stage = stage

    def __enter__(self) -> None:
        self._begun = time.thread_time()

    def __exit__(self, *_: object) -> None:
        record = recorder()
        if record is not None:
            record.cpu(self._stage, time.thread_time() - self._begun)


def _unix(gps_ns: int) -> float:
    """Return the Unix time [s] of a GPS time, by the leap seconds of today."""
    now = time.time_ns()
    return (gps_ns + now - from_unix(now)) / NANOSECONDS
