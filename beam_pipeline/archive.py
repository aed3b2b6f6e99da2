"""An archive job: files of strain to a folder of results."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam

from beam_pipeline import progress_bar
from beam_pipeline.config import PipelineConfig
from beam_pipeline.graph import build, reach, refusing
from beam_pipeline.interrupt import whole
from beam_pipeline.version import own_version
from transforms.detect.sessions import Sessions
from transforms.gps import NANOSECONDS
from transforms.ingest.files.plan import Within
from transforms.ingest.files.stage import ReadFiles, Watched
from transforms.results import Results
from transforms.sink.archive import WriteArchive, failures
from transforms.sink.staging import Run, opened
from transforms.sink.writers import Provenance


@dataclass(frozen=True, kw_only=True)
class ArchiveJob:
    """What one archive run is asked to do."""

    files: tuple[str, ...]
    output: str
    start_ns: int | None = None
    """Analyse nothing before [GPS ns]."""
    end_ns: int | None = None
    """Analyse nothing from here on [GPS ns]."""


def build_archive(
    pipeline: beam.Pipeline, job: ArchiveJob, config: PipelineConfig, folder: Path
) -> Results:
    """Lay the graph from files to files.

    Args:
        pipeline: Where to lay it.
        job: What is asked for.
        config: The science.
        folder: Where the run writes (``staging.opened``).

    Raises:
        transforms.classify.artefact.ArtefactError: The model is missing or does not fit.
    """
    within = Within(
        start_ns=job.start_ns,
        end_ns=job.end_ns,
        context_ns=Sessions.of(config.detect).context_ns,
    )
    source = ReadFiles(
        paths=job.files,
        config=config.ingest,
        reach=reach(config),
        minimum_ns=config.whiten.minimum_seconds * NANOSECONDS,
        within=within,
        watched=Watched(plan=progress_bar.note_plan, block=progress_bar.note_block),
        refuse=refusing(config),
    )
    provenance = Provenance(config=config.id, version=own_version())
    files = "Write files" >> WriteArchive(folder=folder, config=config.sink, provenance=provenance)
    return build(pipeline, source, [files], config, within)


def output_folder(job: ArchiveJob, config: PipelineConfig) -> AbstractContextManager[Run]:
    """Hold the output folder of a run: nobody else writes to it meanwhile.

    Raises:
        transforms.files.OutputError: It cannot be used.
    """
    return opened(job.output, config.to_yaml(), config.id, own_version())


def run_archive(
    job: ArchiveJob, config: PipelineConfig, options: Sequence[str], folder: Run
) -> None:
    """Run an archive job to its end on the runner that the options name.

    Args:
        job: What is asked for.
        config: The science.
        options: Beam's.
        folder: The output folder, held for this run.

    Raises:
        transforms.files.OutputError: Not all results could be written; what was in the folder
            is as it was.
    """
    from beam_pipeline.options import beam_options

    pipeline = beam.Pipeline(options=beam_options(options))
    build_archive(pipeline, job, config, folder.staged)
    result = pipeline.run()
    result.wait_until_finish()
    with whole():
        folder.commit(failures(result))
