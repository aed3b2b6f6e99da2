"""WriteArchive: the results of a bounded run, as files in one folder."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.transforms.window import GlobalWindows

import transforms.coders  # noqa: F401  (registers the elements' coders)
from transforms.elements import DeadLetter, Segment, Trigger
from transforms.sink import writers
from transforms.sink.config import SinkConfig
from transforms.sink.folder import partition, prepare
from transforms.sink.writers import Provenance

_TRIGGERS = Metrics.counter("sink", "triggers")
_SEGMENTS = Metrics.counter("sink", "segments")
_DEAD_LETTERS = Metrics.counter("sink", "dead_letters")


@dataclass
class WriteArchive(beam.PTransform):  # type: ignore[misc]
    """Write triggers, segments, dead letters and the loudest events to a folder.

    Takes a dictionary of PCollections: ``triggers``, ``segments`` and ``dead_letters``, in
    any windows. Gives the names of the files written.

    The folder is made ready when the graph is built, so that one which cannot be written is
    refused before any data are read. The workers must see it under the same path.
    """

    output: str
    config: SinkConfig
    config_text: str
    config_id: str
    version: str

    def expand(self, results: Any) -> beam.PCollection[str]:
        """Wire each kind of result to its writer.

        Raises:
            OutputError: If the folder cannot be used.
        """
        folder = prepare(self.output, self.config_text, self.config_id, self.version)
        provenance = Provenance(self.config_id, self.version)
        # Triggers come in the windows of their clusters; files know only the whole run.
        whole = {
            name: collection | f"WholeRun[{name}]" >> beam.WindowInto(GlobalWindows())
            for name, collection in results.items()
        }
        return (
            whole["triggers"] | "WriteTriggers" >> _WriteTriggers(folder, provenance),
            whole["triggers"]
            | "WriteEvents" >> _WriteEvents(folder, provenance, self.config.loudest),
            whole["segments"]
            | "GatherSegments" >> beam.combiners.ToList()
            | "WriteSegments" >> beam.Map(_write_segments, folder, provenance),
            whole["dead_letters"]
            | "GatherDeadLetters" >> beam.combiners.ToList()
            | "WriteDeadLetters" >> beam.Map(_write_dead_letters, folder),
        ) | "Files" >> beam.Flatten()


@dataclass
class _WriteTriggers(beam.PTransform):  # type: ignore[misc]
    """One file for each detector and day."""

    folder: Path
    provenance: Provenance

    def expand(self, triggers: beam.PCollection[Trigger]) -> beam.PCollection[str]:
        return (
            triggers
            | "DropSnippets" >> beam.Map(_without_snippet).with_output_types(Trigger)
            | "ByDetectorAndDay" >> beam.WithKeys(partition).with_output_types(tuple[str, Trigger])
            | "Gather" >> beam.GroupByKey()
            | "Write" >> beam.Map(_write_triggers, self.folder, self.provenance)
        )


@dataclass
class _WriteEvents(beam.PTransform):  # type: ignore[misc]
    """One file with the strain of each channel's loudest triggers."""

    folder: Path
    provenance: Provenance
    loudest: int

    def expand(self, triggers: beam.PCollection[Trigger]) -> beam.PCollection[str]:
        return (
            triggers
            | "ByChannel" >> beam.WithKeys(_channel).with_output_types(tuple[str, Trigger])
            | "Loudest" >> beam.combiners.Top.PerKey(self.loudest, key=_loudness)
            | "Gather" >> beam.combiners.ToList()
            | "Write" >> beam.Map(_write_events, self.folder, self.provenance)
        )


def _channel(trigger: Trigger) -> str:
    return trigger.channel


def _loudness(trigger: Trigger) -> tuple[float, str]:
    # The id settles ties, so that every run keeps the same ones.
    return trigger.snr, trigger.id


def _without_snippet(trigger: Trigger) -> Trigger:
    # A day of triggers must fit in memory; their strain need not.
    return replace(trigger, snippet=b"")


def _write_triggers(
    day: tuple[str, Iterable[Trigger]], folder: Path, provenance: Provenance
) -> str:
    name, triggers = day
    gathered = list(triggers)
    _TRIGGERS.inc(len(gathered))
    return str(writers.write_triggers(folder, name, gathered, provenance))


def _write_events(
    channels: list[tuple[str, list[Trigger]]], folder: Path, provenance: Provenance
) -> str:
    triggers = [trigger for _, loudest in channels for trigger in loudest]
    return str(writers.write_events(folder, triggers, provenance))


def _write_segments(segments: list[Segment], folder: Path, provenance: Provenance) -> str:
    _SEGMENTS.inc(len(segments))
    return str(writers.write_segments(folder, segments, provenance))


def _write_dead_letters(letters: list[DeadLetter], folder: Path) -> str:
    _DEAD_LETTERS.inc(len(letters))
    return str(writers.write_dead_letters(folder, letters))
