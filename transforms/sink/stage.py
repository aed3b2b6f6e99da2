"""The door of the files: results that no file can hold become dead letters here."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.window import GlobalWindows

from transforms.coders import DEAD_LETTERS, TaggedDeadLetter
from transforms.elements import Segment, Trigger
from transforms.sink.checked import refused


@dataclass
class Admit(beam.PTransform):  # type: ignore[misc]
    """Let through what can be written, in the window of the whole job.

    Takes and gives ``triggers``, ``segments`` and ``dead_letters``; what is refused is among
    the last.
    """

    def expand(self, results: Any) -> Any:
        """Wire the checks."""
        whole = {
            name: elements | f"Whole[{name}]" >> beam.WindowInto(GlobalWindows())
            for name, elements in results.items()
        }
        triggers = _checked(whole["triggers"], "triggers", _SeeTrigger())
        segments = _checked(whole["segments"], "segments", _SeeSegment())
        letters = (whole["dead_letters"], triggers[DEAD_LETTERS], segments[DEAD_LETTERS])
        return {
            "triggers": triggers.admitted,
            "segments": segments.admitted,
            "dead_letters": letters | "All dead letters" >> beam.Flatten(),
        }


def _checked(elements: Any, name: str, see: beam.DoFn) -> Any:
    return elements | f"See[{name}]" >> beam.ParDo(see).with_outputs(
        DEAD_LETTERS, main="admitted", allow_unknown_tags=False
    )


class _SeeTrigger(beam.DoFn):  # type: ignore[misc]
    def __init__(self) -> None:
        self._refused = Metrics.counter("sink", "refused_triggers")

    def process(self, trigger: Trigger) -> Iterator[Trigger | TaggedDeadLetter]:
        """Pass a trigger on, or say why not."""
        letter = refused(trigger)
        if letter is None:
            yield trigger
        else:
            self._refused.inc()
            yield TaggedOutput(DEAD_LETTERS, letter)


class _SeeSegment(beam.DoFn):  # type: ignore[misc]
    def __init__(self) -> None:
        self._refused = Metrics.counter("sink", "refused_segments")

    def process(self, segment: Segment) -> Iterator[Segment | TaggedDeadLetter]:
        """Pass a segment on, or say why not."""
        letter = refused(segment)
        if letter is None:
            yield segment
        else:
            self._refused.inc()
            yield TaggedOutput(DEAD_LETTERS, letter)
