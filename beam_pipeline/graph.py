"""The graph: five stages, the same for a few files and for an observing run."""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import TimestampedValue

from beam_pipeline import progress
from beam_pipeline.config import PipelineConfig
from beam_pipeline.interrupt import whole
from beam_pipeline.version import own_version
from transforms.classify.stage import Classify
from transforms.coders import timed
from transforms.detect.searchable import unsearchable
from transforms.detect.sessions import Sessions
from transforms.detect.stage import Detect
from transforms.detect.surroundings import margin_seconds
from transforms.elements import Block, BlockPlan, Segment, Trigger
from transforms.gps import NANOSECONDS
from transforms.ingest.files.plan import EVERYTHING, Within
from transforms.ingest.files.stage import ReadArchive
from transforms.ingest.reach import Reach
from transforms.sink.archive import WriteArchive, failures
from transforms.sink.staging import Run, opened
from transforms.sink.writers import Provenance
from transforms.whiten.stage import Whiten
from transforms.whiten.whitening import future_needed, past_needed


@dataclass(frozen=True)
class ArchiveJob:
    """What one archive run is asked to do."""

    files: tuple[str, ...]
    output: str
    start_ns: int | None = None
    """Analyse nothing before [GPS ns]."""
    end_ns: int | None = None
    """Analyse nothing from here on [GPS ns]."""


def margin_ns(config: PipelineConfig) -> int:
    """Return how much whitened strain detection wants around what it searches [ns].

    Channels come at any rate; the one that needs most decides.
    """
    return margin_seconds(config.whiten, config.detect) * NANOSECONDS


def whitening(config: PipelineConfig) -> Whiten:
    """Return the stage that whitens what can be searched, and says of the rest why not."""
    refuse = partial(unsearchable, whiten=config.whiten, detect=config.detect)
    return Whiten(config.whiten, margin_ns(config), refuse)


def reach(config: PipelineConfig) -> Reach:
    """Return what strain a block needs around the stretch it answers for."""
    margin = margin_ns(config)
    return Reach(
        past_ns=past_needed(config.whiten, margin),
        future_ns=future_needed(config.whiten, margin),
        warm_up_ns=config.whiten.psd_seconds * NANOSECONDS,
    )


@dataclass
class Analyse(beam.PTransform):  # type: ignore[misc]
    """Blocks to triggers and analysed segments: what live and archive share."""

    config: PipelineConfig
    within: Within = EVERYTHING
    """Triggers elsewhere are not given."""

    def expand(self, blocks: Any) -> Any:
        """Wire whitening, detection and classification: ``triggers`` and ``segments``."""
        science = self.config
        white = blocks | "Whiten" >> whitening(science)
        detected = white.whitened | "Detect" >> Detect(
            science.detect, science.whiten.low_frequency, science.id
        )
        if self.within.searched is not None:
            # Before a model looks at them: what lies outside was found for its neighbours only.
            only = beam.Filter(_is_within, self.within).with_output_types(Trigger)
            detected = detected | "Within" >> only
        triggers = detected | "Classify" >> Classify(
            science.classify, science.whiten, science.detect
        )
        return {"triggers": triggers, "segments": white.segments}


def build_archive(
    pipeline: beam.Pipeline, job: ArchiveJob, config: PipelineConfig, folder: Path
) -> beam.PCollection:
    """Lay the archive graph: files to triggers, segments, dead letters and their files.

    Args:
        pipeline: Where to lay it.
        job: What is asked for.
        config: The science.
        folder: Where the run writes (``staging.opened``).
    """
    minimum_ns = config.whiten.minimum_seconds * NANOSECONDS
    within = Within(
        start_ns=job.start_ns,
        end_ns=job.end_ns,
        context_ns=Sessions.of(config.detect).context_ns,
    )
    read = (
        pipeline
        # Bytes, since no coder of text takes a path that is not UTF-8.
        | "Files" >> beam.Create([os.fsencode(path) for path in job.files])
        | "Ingest" >> ReadArchive(config.ingest, reach(config), minimum_ns, within)
    )
    read.plans | "Note plans" >> beam.Map(progress.note_plan).with_output_types(BlockPlan)
    blocks = read.blocks | "Note blocks" >> beam.Map(progress.note_block).with_output_types(Block)
    found = blocks | "Analyse" >> Analyse(config, within)
    segments = [read.segments, found["segments"]] | "All segments" >> beam.Flatten()
    return {
        "triggers": found["triggers"],
        "segments": segments
        | "Clip segments" >> beam.FlatMap(_clipped, within).with_output_types(Segment),
        "dead_letters": read.dead_letters,
    } | "Sink" >> WriteArchive(folder, config.sink, Provenance(config.id, own_version()))


def _is_within(trigger: Trigger, within: Within) -> bool:
    return within.holds(trigger.time_ns)


def _clipped(segment: Segment, within: Within) -> Iterator[TimestampedValue]:
    for part in within.clipped([segment]):
        yield timed(part, part.start_ns)


def output_folder(job: ArchiveJob, config: PipelineConfig) -> AbstractContextManager[Run]:
    """Hold the output folder of a run: nobody else writes to it meanwhile.

    Raises:
        transforms.files.OutputError: It cannot be used.
    """
    return opened(job.output, config.to_yaml(), config.id, own_version())


def run_archive(
    job: ArchiveJob, config: PipelineConfig, options: Sequence[str], folder: Run
) -> None:
    """Run the archive graph to its end on the runner that the options name.

    Args:
        job: What is asked for.
        config: The science.
        options: Beam's.
        folder: The output folder, held for this run.

    Raises:
        transforms.files.OutputError: Not all results could be written; what was in the
            folder is as it was.
    """
    from beam_pipeline.options import beam_options

    pipeline = beam.Pipeline(options=beam_options(options))
    build_archive(pipeline, job, config, folder.staged)
    result = pipeline.run()
    result.wait_until_finish()
    with whole():
        folder.commit(failures(result))
