"""WriteArchive: the results of a bounded run, as files in one folder."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.metrics.metric import MetricResults
from apache_beam.typehints.decorators import no_annotations

import transforms.coders  # noqa: F401  (registers the elements' coders)
from transforms.elements import DeadLetter, Event, Segment, Trigger
from transforms.files import OutputError
from transforms.results import Results
from transforms.sink import writers
from transforms.sink.config import SinkConfig
from transforms.sink.folder import event_partition, partition
from transforms.sink.stage import Admit
from transforms.sink.staging import written
from transforms.sink.writers import Provenance
from transforms.storage import said
from transforms.texts import storable

_TRIGGERS = Metrics.counter("sink", "triggers")
_EVENTS = Metrics.counter("sink", "events")
_SEGMENTS = Metrics.counter("sink", "segments")
_DEAD_LETTERS = Metrics.counter("sink", "dead_letters")
_FAILURES = Metrics.string_set("sink", "failures")
_FAILURES_ONLY = MetricsFilter().with_namespace("sink").with_name("failures")
_Outcome = tuple[str, str]
"""The name of a file that was written, or why it was not."""
_Day = tuple[str, Iterable[Any]]
"""The name of a file, and what belongs there."""


@dataclass(kw_only=True)
class WriteArchive(beam.PTransform):  # type: ignore[misc]
    """Write triggers, events, segments, dead letters and the loudest triggers' snippets.

    Takes results in any windows. Returns the names of the files written, in the folder.

    The folder is that of a run (``staging.opened``), which notes in it that all is written.
    The workers must see it under the same path. Where something cannot be written, the graph
    goes on, nothing is noted, and ``failures`` has the reason.
    """

    folder: Path
    config: SinkConfig
    provenance: Provenance

    @no_annotations  # type: ignore[untyped-decorator]
    def expand(self, results: Results) -> beam.PCollection[str]:
        """Wire each kind of result to its writer."""
        admitted = results | "Admit" >> Admit()
        triggers = admitted.triggers
        outcomes = (
            triggers
            | "DropSnippets" >> beam.Map(_without_snippet).with_output_types(Trigger)
            | "WriteTriggers"
            >> _WriteDays(tuple[str, Trigger], partition, self._write(_write_triggers)),
            admitted.events
            | "WriteEvents"
            >> _WriteDays(tuple[str, Event], event_partition, self._write(_write_events)),
            triggers
            | "WriteSnippets" >> _WriteSnippets(self.folder, self.provenance, self.config.loudest),
            admitted.segments
            | "GatherSegments" >> beam.combiners.ToList()
            | "WriteSegments" >> beam.Map(_write_segments, self.folder, self.provenance),
            admitted.dead_letters
            | "GatherDeadLetters" >> beam.combiners.ToList()
            | "WriteDeadLetters" >> beam.Map(_write_dead_letters, self.folder),
        ) | "Outcomes" >> beam.Flatten()
        return (
            outcomes
            | "GatherOutcomes" >> beam.combiners.ToList()
            | "Note" >> beam.FlatMap(_note, self.folder).with_output_types(str)
        )

    def _write(self, write: Callable[..., _Outcome]) -> "Callable[[_Day], _Outcome]":
        return partial(write, folder=self.folder, provenance=self.provenance)


def failures(result: Any) -> list[str]:
    """Return why results could not be written, as far as the runner knows."""
    found = result.metrics().query(_FAILURES_ONLY).get(MetricResults.STRINGSETS, [])
    return sorted(reason for each in found for reason in each.result or ())


@dataclass
class _WriteDays(beam.PTransform):  # type: ignore[misc]
    """One file for each detector, or network, and day."""

    keyed: Any
    """Type of a name of a file with an element."""
    partition: Callable[[Any], str]
    """The file of an element."""
    write: Callable[[_Day], _Outcome]

    def expand(self, found: beam.PCollection[Any]) -> beam.PCollection[_Outcome]:
        return (
            found
            | "ByDay" >> beam.WithKeys(self.partition).with_output_types(self.keyed)
            | "Gather" >> beam.GroupByKey()
            | "Write" >> beam.Map(self.write)
        )


@dataclass
class _WriteSnippets(beam.PTransform):  # type: ignore[misc]
    """One file with the strain of each channel's loudest triggers."""

    folder: Path
    provenance: Provenance
    loudest: int

    def expand(self, triggers: beam.PCollection[Trigger]) -> beam.PCollection[_Outcome]:
        return (
            triggers
            | "ByChannel" >> beam.WithKeys(_channel).with_output_types(tuple[str, Trigger])
            | "Loudest" >> beam.combiners.Top.PerKey(self.loudest, key=_loudness)
            | "Gather" >> beam.combiners.ToList()
            | "Write" >> beam.Map(_write_snippets, self.folder, self.provenance)
        )


def _channel(trigger: Trigger) -> str:
    return trigger.channel


def _loudness(trigger: Trigger) -> tuple[float, str]:
    # The id settles ties, so that every run keeps the same ones.
    return trigger.snr, trigger.id


def _without_snippet(trigger: Trigger) -> Trigger:
    # A day of triggers must fit in memory; their strain need not.
    return replace(trigger, snippet=b"")


def _outcome(write: Callable[..., Path], folder: Path, *given: Any) -> _Outcome:
    """Write a file; what the storage refuses is an outcome too, which no second try mends."""
    try:
        return write(folder, *given).relative_to(folder).as_posix(), ""
    except OutputError as error:
        return "", str(error)
    except OSError as error:
        return "", said(error)


def _write_triggers(day: _Day, folder: Path, provenance: Provenance) -> _Outcome:
    name, triggers = day
    gathered = list(triggers)
    _TRIGGERS.inc(len(gathered))
    return _outcome(writers.write_triggers, folder, name, gathered, provenance)


def _write_events(day: _Day, folder: Path, provenance: Provenance) -> _Outcome:
    name, events = day
    gathered = list(events)
    _EVENTS.inc(len(gathered))
    return _outcome(writers.write_events, folder, name, gathered, provenance)


def _write_snippets(
    channels: list[tuple[str, list[Trigger]]], folder: Path, provenance: Provenance
) -> _Outcome:
    triggers = [trigger for _, loudest in channels for trigger in loudest]
    return _outcome(writers.write_snippets, folder, triggers, provenance)


def _write_segments(segments: list[Segment], folder: Path, provenance: Provenance) -> _Outcome:
    _SEGMENTS.inc(len(segments))
    return _outcome(writers.write_segments, folder, segments, provenance)


def _write_dead_letters(letters: list[DeadLetter], folder: Path) -> _Outcome:
    _DEAD_LETTERS.inc(len(letters))
    return _outcome(writers.write_dead_letters, folder, letters)


def _note(outcomes: list[_Outcome], folder: Path) -> list[str]:
    names = [name for name, reason in outcomes if not reason]
    reasons = [reason for _, reason in outcomes if reason]
    if not reasons:
        _, reason = _outcome(written, folder, names)
        reasons += [reason] if reason else []
    for reason in reasons:
        _FAILURES.add(storable(reason))
    return names
