"""The stage that sends triggers of strain to their network."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.typehints.decorators import no_annotations

import transforms.coders  # noqa: F401  (registers how arrivals travel)
from transforms.coincide import sites
from transforms.coincide.arrivals import arrival
from transforms.coincide.config import CoincideConfig
from transforms.elements import Arrival, Progress, Segment, Trigger


@dataclass(kw_only=True)
class Coincide(beam.PTransform):  # type: ignore[misc]
    """Triggers to what a network needs of them: those of strain, of detectors whose site is known.

    Times and windows are kept.
    """

    config: CoincideConfig

    @no_annotations  # type: ignore[untyped-decorator]
    def expand(self, triggers: PCollection[Trigger]) -> PCollection[Arrival]:
        """Wire the stage."""
        arrive = beam.FlatMap(_arrivals, self.config.channels).with_output_types(Arrival)
        arrivals: PCollection[Arrival] = triggers | "Arrive" >> arrive
        return arrivals


def _arrivals(trigger: Trigger, channels: tuple[str, ...]) -> Iterator[Arrival]:
    if is_strain(trigger, channels):
        yield arrival(trigger)


def is_strain(told: Trigger | Progress | Segment, channels: tuple[str, ...]) -> bool:
    """Return whether something is of a channel of strain, and of a detector whose site is known."""
    return sites.known(told.ifo) and any(fnmatchcase(told.channel, p) for p in channels)
