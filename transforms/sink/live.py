"""WriteLive: the results of a job without end, as files that are closed every minute."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import apache_beam as beam
from apache_beam.coders import BytesCoder, Coder
from apache_beam.metrics import Metrics
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, TimerSpec, on_timer
from apache_beam.typehints.decorators import no_annotations

from transforms import coders
from transforms.elements import FINAL, DeadLetter, Event, Segment, Trigger
from transforms.files import see_within
from transforms.gps import from_event_micros
from transforms.results import Results
from transforms.sink import rolling
from transforms.sink.config import SinkConfig
from transforms.sink.folder import SEGMENTS, resume
from transforms.sink.stage import Admit
from transforms.sink.writers import DamagedError, Provenance, write_segments
from transforms.storage import storage
from transforms.utc import from_unix

Add = Callable[[Path, list[Any]], bool]
"""Adds elements to a file; says whether it was written."""
_LOG = logging.getLogger(__name__)
_LATEST_NS = 2**63
_Keyed = tuple[str, tuple[int, bytes]]
"""A file's name; when it is to be written [GPS ns], and an element as bytes."""


@dataclass(kw_only=True)
class WriteLive(beam.PTransform):  # type: ignore[misc]
    """Write final triggers and events, segments, dead letters and the loudest triggers' snippets.

    Takes results in any windows. Returns the names of files in the folder, each time one is
    written.

    A minute's file is written when the watermark passes the minute's end, and again with all
    that is in it when something comes later. The folder is made ready when the graph is
    built; what is there stays. The workers must see it under the same path.
    """

    output: str
    config: SinkConfig
    config_text: str
    """The science, as it is noted in the folder."""
    provenance: Provenance
    job: str = ""
    """What tells the job from others that have the same configuration."""

    @no_annotations  # type: ignore[untyped-decorator]
    def expand(self, results: Results) -> beam.PCollection[str]:
        """Wire each kind of result to its files.

        Raises:
            OutputError: If the folder cannot be used.
        """
        provenance = self.provenance
        folder = resume(
            self.output, self.config_text, provenance.config, provenance.version, self.job
        )
        with storage(self.output):
            if not (folder / SEGMENTS).exists():
                # No rows: it makes a job that has not analysed anything yet readable.
                write_segments(folder, [], provenance)
        final = results._replace(
            triggers=results.triggers | "Final" >> _final(Trigger),
            events=results.events | "Final events" >> _final(Event),
        )
        admitted = final | "Admit" >> Admit()
        streams: dict[str, tuple[Any, Callable[..., _Keyed], Add, Coder]] = {
            "triggers": (
                admitted.triggers,
                _by_minute,
                partial(rolling.add_triggers, provenance=provenance),
                coders.TriggerCoder(),
            ),
            "events": (
                admitted.events,
                _by_event_minute,
                partial(rolling.add_events, provenance=provenance),
                coders.EventCoder(),
            ),
            "snippets": (
                admitted.triggers
                | "WithStrain" >> beam.Filter(_has_strain).with_output_types(Trigger),
                _by_day,
                partial(rolling.add_snippets, provenance=provenance, loudest=self.config.loudest),
                coders.TriggerCoder(),
            ),
            "segments": (
                admitted.segments,
                _by_start,
                partial(rolling.add_segments, provenance=provenance),
                coders.SegmentCoder(),
            ),
            "dead_letters": (
                admitted.dead_letters,
                _by_arrival,
                rolling.add_letters,
                coders.DeadLetterCoder(),
            ),
        }
        return [
            elements
            | f"ByFile[{name}]" >> beam.Map(key).with_output_types(_Keyed)
            | f"Write[{name}]" >> beam.ParDo(_Write(str(folder), name, add, coder))
            for name, (elements, key, add, coder) in streams.items()
        ] | "Files" >> beam.Flatten()


def _final(kind: type[Trigger | Event]) -> Any:
    return beam.Filter(lambda found: found.status == FINAL).with_output_types(kind)


def _has_strain(trigger: Trigger) -> bool:
    return bool(trigger.snippet)


def _by_minute(trigger: Trigger) -> _Keyed:
    # Strain goes to another file, and would fill the state.
    encoded = coders.TriggerCoder().encode(replace(trigger, snippet=b""))
    return rolling.trigger_name(trigger), (rolling.minute_end_ns(trigger.time_ns), encoded)


def _by_event_minute(event: Event) -> _Keyed:
    encoded = coders.EventCoder().encode(event)
    return rolling.event_name(event), (rolling.minute_end_ns(event.time_ns), encoded)


def _by_day(trigger: Trigger) -> _Keyed:
    encoded = coders.TriggerCoder().encode(trigger)
    return rolling.snippet_name(trigger), (rolling.minute_end_ns(trigger.time_ns), encoded)


def _by_start(segment: Segment) -> _Keyed:
    encoded = coders.SegmentCoder().encode(segment)
    return rolling.segment_name(segment), (rolling.minute_end_ns(segment.start_ns), encoded)


def _by_arrival(letter: DeadLetter, timestamp: Any = beam.DoFn.TimestampParam) -> _Keyed:
    came_ns = from_event_micros(timestamp.micros)
    if not 0 <= came_ns < _LATEST_NS:  # it has no time of its own, and nothing told one yet
        came_ns = from_unix(time.time_ns())
    encoded = coders.DeadLetterCoder().encode(letter)
    return rolling.letter_name(came_ns), (rolling.minute_end_ns(came_ns), encoded)


_CLOSE = TimerSpec("close", TimeDomain.WATERMARK)
_TIMER = beam.DoFn.TimerParam(_CLOSE)
_WAITING = beam.DoFn.StateParam(BagStateSpec("waiting", BytesCoder()))


@beam.typehints.with_input_types(_Keyed)
@beam.typehints.with_output_types(str)
class _Write(beam.DoFn):  # type: ignore[misc]
    """Holds what belongs into a file until its minute is over, then writes it.

    All of one file passes through here one after the other, as it is the key. What is in the
    state after a fault is added once more, which changes nothing.
    """

    def __init__(self, folder: str, kind: str, add: Add, coder: Coder) -> None:
        self._folder = folder
        self._add = add
        self._coder = coder
        self._elements = Metrics.counter("sink", kind)
        self._files = Metrics.counter("sink", f"{kind}_files")
        self._damaged = Metrics.counter("sink", "damaged_files")

    def process(self, keyed: _Keyed, waiting: Any = _WAITING, close: Any = _TIMER) -> None:
        """Keep an element until its minute is over; that may be at once."""
        _, (closes_ns, encoded) = keyed
        waiting.add(encoded)
        self._elements.inc()
        # A timer for each minute: a day's file must not wait for a minute without triggers.
        over = coders.event_time(closes_ns)
        close.set(over, dynamic_timer_tag=str(closes_ns))

    @on_timer(_CLOSE)  # type: ignore[untyped-decorator]
    def write(self, name: Any = beam.DoFn.KeyParam, waiting: Any = _WAITING) -> Iterator[str]:
        """Write the file anew, with all that came since it was written."""
        elements = [self._coder.decode(encoded) for encoded in waiting.read()]
        if elements and self._written(Path(self._folder, name), elements):
            self._files.inc()
            yield name
        waiting.clear()

    def _written(self, path: Path, elements: list[Any]) -> bool:
        see_within(path, Path(self._folder))
        try:
            return self._add(path, elements)
        except DamagedError as error:
            # To fail would be to fail again, for ever, and to lose what comes as well.
            aside = path.with_name(f".{path.name}.{uuid4().hex}.damaged")
            _LOG.warning("%s; it is now %s", error, aside.name)
            os.replace(path, aside)
            self._damaged.inc()
            return self._add(path, elements)
