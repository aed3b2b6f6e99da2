"""Files to triggers from Python: what ``wavefier run`` does, for scripts and notebooks."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from beam_pipeline.archive import ArchiveJob, output_folder, run_archive
from beam_pipeline.config import PipelineConfig
from transforms.elements import DeadLetter, Segment
from transforms.sink.writers import (
    read_dead_letters,
    read_events,
    read_segments,
    read_triggers,
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What an analysis found; the columns are those of docs/data-model.md."""

    triggers: pa.Table
    """One row for each trigger, by time."""
    events: pa.Table
    """One row for each event of several detectors, by time."""
    segments: Sequence[Segment]
    """What was analysed, and what was not and why."""
    dead_letters: Sequence[DeadLetter]
    """Files, or parts of files, that could not be used."""


def analyse(
    files: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    config: PipelineConfig | None = None,
) -> Found:
    """Find and classify the transients in files of strain, in this process.

    Args:
        files: Any format that ``wavefier run`` reads.
        output: Folder of the results. Those of a former run are replaced.
        config: The science; the defaults without one.

    Raises:
        transforms.files.OutputError: The folder cannot be used.
    """
    science = config or PipelineConfig()
    job = ArchiveJob(files=tuple(os.fspath(path) for path in files), output=os.fspath(output))
    with output_folder(job, science) as folder:
        run_archive(job, science, [], folder)
    return Found(
        triggers=read_triggers(job.output),
        events=read_events(job.output),
        segments=read_segments(job.output),
        dead_letters=read_dead_letters(job.output),
    )
