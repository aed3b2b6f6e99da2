"""The graph: one, for files and for streams, for a few seconds and for an observing run.

A source returns strain, the analysis returns results, and sinks take them. Sources and sinks
differ between live and archive; all stages between them are wired here, once.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import apache_beam as beam
from apache_beam.transforms.window import TimestampedValue
from apache_beam.typehints.decorators import no_annotations

from beam_pipeline.config import PipelineConfig
from transforms.classify import artefact
from transforms.classify.stage import Classify
from transforms.coders import timed
from transforms.coincide.stage import Coincide
from transforms.detect.searchable import unsearchable
from transforms.detect.stage import Detect
from transforms.detect.surroundings import future_seconds, margin_seconds
from transforms.elements import Segment, Trigger
from transforms.gps import NANOSECONDS, from_seconds
from transforms.ingest.files.plan import EVERYTHING, Within
from transforms.ingest.reach import Reach
from transforms.ingest.stitch.stitcher import StitchConfig
from transforms.refusal import Refuse
from transforms.results import Results, Strain
from transforms.significance.network import Network, load_statistic
from transforms.significance.stage import Heard, Rank
from transforms.whiten.stage import Whiten
from transforms.whiten.whitening import future_needed, past_needed

_LOGGER = logging.getLogger(__name__)


def build(
    pipeline: beam.Pipeline,
    source: beam.PTransform,
    sinks: Sequence[beam.PTransform],
    config: PipelineConfig,
    within: Within = EVERYTHING,
) -> Results:
    """Lay the graph.

    Args:
        pipeline: Where to lay it.
        source: From the pipeline's begin to `Strain`.
        sinks: Each takes `Results`; nothing uses what it returns.
        config: The science.
        within: The times that triggers and segments are returned for.

    Raises:
        transforms.classify.artefact.ArtefactError: The model is missing or does not fit.
    """
    strain = pipeline | "Ingest" >> source
    results: Results = strain | "Analyse" >> Analyse(config, within)
    for sink in sinks:
        results | sink
    return results


@dataclass
class Analyse(beam.PTransform):  # type: ignore[misc]
    """Strain to triggers, analysed segments and progress: what live and archive share."""

    config: PipelineConfig
    within: Within = EVERYTHING
    """Triggers and segments at other times are left out."""

    @no_annotations  # type: ignore[untyped-decorator]
    def expand(self, strain: Strain) -> Results:
        """Wire whitening, detection, classification, coincidence and ranking."""
        science = self.config
        white = strain.blocks | "Whiten" >> whitening(science)
        found = white.whitened | "Detect" >> Detect(
            config=science.detect, band_low=science.whiten.low_frequency, config_id=science.id
        )
        # Before the model labels them: triggers outside were found only to judge their neighbours.
        only = beam.Filter(_is_within, self.within).with_output_types(Trigger)
        triggers = (
            found.triggers
            | "Within" >> only
            | "Classify"
            >> Classify(config=science.classify, whitening=science.whiten, detection=science.detect)
        )
        segments = (
            (strain.segments, white.segments)
            | "Segments" >> beam.Flatten()
            | "Clip" >> beam.FlatMap(_clipped, self.within).with_output_types(Segment)
        )
        arrivals = triggers | "Coincide" >> Coincide(config=science.coincide)
        heard = Heard(arrivals=arrivals, progress=found.progress, segments=segments)
        events = heard | "Rank" >> ranking(science)
        return Results(
            triggers=triggers,
            events=events,
            segments=segments,
            dead_letters=strain.dead_letters,
            progress=found.progress,
        )


def _is_within(trigger: Trigger, within: Within) -> bool:
    return within.holds(trigger.time_ns)


def _clipped(segment: Segment, within: Within) -> Iterator[TimestampedValue]:
    for part in within.clipped([segment]):
        yield timed(part, part.start_ns)


def whitening(config: PipelineConfig) -> Whiten:
    """Return the stage that whitens searchable blocks, and says why it leaves out the others."""
    return Whiten(config=config.whiten, margin_ns=margin_ns(config), refuse=refusing(config))


def ranking(config: PipelineConfig) -> Rank:
    """Return the stage that makes events.

    Raises:
        transforms.classify.artefact.ArtefactError: The model or the ranking statistic is missing
            or damaged.
    """
    statistic = load_statistic(config.significance.statistic)
    card = artefact.load_card(config.classify.model or artefact.default_artefact())
    network = Network(
        statistic=statistic,
        config=config.significance,
        least_rank=config.coincide.threshold,
        classes=card.classes,
        config_id=config.ranking_id(statistic.id),
    )
    if not network.ranked_classes:
        _LOGGER.warning(
            "%s: the ranking statistic does not know all of its classes, so events are ranked "
            "without labels: make one with python -m models.ranking",
            card.label,
        )
    return Rank(network=network, coincide=config.coincide)


def refusing(config: PipelineConfig) -> Refuse:
    """Return what says of a sample rate why the configuration cannot search it."""
    return partial(unsearchable, whiten=config.whiten, detect=config.detect)


def margin_ns(config: PipelineConfig) -> int:
    """Return how much whitened strain detection needs around what it searches [ns].

    Channels come at any rate; the rate that needs most decides.
    """
    return margin_seconds(config.whiten, config.detect) * NANOSECONDS


def reach(config: PipelineConfig) -> Reach:
    """Return what strain a block needs around the stretch it answers for."""
    margin = margin_ns(config)
    return Reach(
        past_ns=past_needed(config.whiten, margin),
        future_ns=future_needed(config.whiten, margin),
        warm_up_ns=config.whiten.psd_seconds * NANOSECONDS,
    )


def stitching(config: PipelineConfig) -> StitchConfig:
    """Return how frames are joined."""
    future = future_seconds(config.whiten, config.detect) + config.whiten.lookahead_seconds
    return StitchConfig(
        reach=reach(config),
        certain_ns=math.ceil(future * NANOSECONDS),
        minimum_ns=config.whiten.minimum_seconds * NANOSECONDS,
        wait_ns=from_seconds(config.ingest.wait_seconds),
    )
