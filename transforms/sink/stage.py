"""The door of the files: results that no file can hold become dead letters here."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import PCollection, TaggedOutput
from apache_beam.transforms.window import GlobalWindows
from apache_beam.typehints.decorators import no_annotations

from transforms.coders import DEAD_LETTERS, TaggedDeadLetter
from transforms.elements import DeadLetter, Event, Segment, Trigger
from transforms.results import Results
from transforms.sink.checked import refused

_Result = Trigger | Event | Segment


@dataclass
class Admit(beam.PTransform):  # type: ignore[misc]
    """Pass on results that can be written; the others become dead letters.

    All are in the window of the whole job.
    """

    @no_annotations  # type: ignore[untyped-decorator]
    def expand(self, results: Results) -> Results:
        """Wire the checks."""
        triggers = _checked(results.triggers, "triggers", Trigger)
        events = _checked(results.events, "events", Event)
        segments = _checked(results.segments, "segments", Segment)
        letters = (
            _whole(results.dead_letters, "dead_letters"),
            triggers[DEAD_LETTERS],
            events[DEAD_LETTERS],
            segments[DEAD_LETTERS],
        )
        return results._replace(
            triggers=triggers.admitted,
            events=events.admitted,
            segments=segments.admitted,
            dead_letters=letters | "All dead letters" >> beam.Flatten(),
        )


def _whole(elements: PCollection[Any], name: str) -> PCollection[Any]:
    return elements | f"Whole[{name}]" >> beam.WindowInto(GlobalWindows())


def _checked(elements: PCollection[Any], name: str, kind: type[_Result]) -> Any:
    # Told exactly, since what is one of several has a coder of neither.
    see = beam.ParDo(_See(name)).with_output_types(kind, dead_letters=DeadLetter)
    return _whole(elements, name) | f"See[{name}]" >> see.with_outputs(
        DEAD_LETTERS, main="admitted", allow_unknown_tags=False
    )


class _See(beam.DoFn):  # type: ignore[misc]
    """Passes an element on, or says why not."""

    def __init__(self, name: str) -> None:
        self._refused = Metrics.counter("sink", f"refused_{name}")

    def process(self, element: _Result) -> Iterator[_Result | TaggedDeadLetter]:
        """Check one element."""
        letter = refused(element)
        if letter is None:
            yield element
        else:
            self._refused.inc()
            yield TaggedOutput(DEAD_LETTERS, letter)
