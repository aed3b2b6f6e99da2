"""What the commands do."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from beam_pipeline import progress
from beam_pipeline.config import ConfigError, PipelineConfig, load_config
from beam_pipeline.doctor import examine
from beam_pipeline.exits import DATA_PROBLEM, DONE, USAGE, UserError
from beam_pipeline.graph import ArchiveJob, output_folder, run_archive
from beam_pipeline.options import OptionError, beam_options
from models.artefact import ArtefactError
from transforms.gps import from_seconds, to_seconds
from transforms.kinds import LetterKind, SegmentKind
from transforms.sink import folder, writers
from transforms.sink.folder import OutputError
from transforms.sink.segments import livetime

_TABLE = (
    ("time [GPS s]", "{time:.3f}"),
    ("ifo", "{ifo}"),
    ("frequency [Hz]", "{frequency:.1f}"),
    ("SNR", "{snr:.1f}"),
    ("Q", "{q:.0f}"),
    ("duration [s]", "{duration:.3f}"),
    ("label", "{label}"),
    ("score", "{score:.2f}"),
    ("data quality", "{dq}"),
)


def run(options: argparse.Namespace, rest: Sequence[str]) -> int:
    """Analyse files of strain."""
    config = _config(options)
    job = ArchiveJob(tuple(options.files), options.output, *_span(options))
    try:
        beam_options(rest)
        with output_folder(job, config) as held:
            with progress.shown():
                run_archive(job, config, rest, held)
            # Still held: what is told is this run's.
            return _summary(job.output, _drawn(job.output), options.rows)
    except (OptionError, OutputError, ArtefactError) as error:
        raise UserError(error) from error


def replay(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    """Send files to Kafka as a detector would."""
    # Only now: no other command needs a client of Kafka.
    from beam_pipeline.replay import command

    return command.replay(options, *_span(options))


def _config(options: argparse.Namespace) -> PipelineConfig:
    try:
        config = load_config(options.config) if options.config else PipelineConfig()
    except ConfigError as error:
        raise UserError(error) from error
    if options.channel:
        config = replace(config, ingest=replace(config.ingest, channels=tuple(options.channel)))
    return config


def _span(options: argparse.Namespace) -> tuple[int | None, int | None]:
    start_ns, end_ns = _time("--start", options.start), _time("--end", options.end)
    if start_ns is not None and end_ns is not None and start_ns >= end_ns:
        raise UserError("--start must lie before --end")
    return start_ns, end_ns


def _time(option: str, text: str | None) -> int | None:
    """Read a time as people write it: GPS seconds, or a date in UTC."""
    if text is None:
        return None
    try:
        return from_seconds(float(text))
    except ValueError:
        pass
    from gwpy.time import to_gps

    try:
        return int(to_gps(text).ns())
    except (ValueError, TypeError) as error:
        raise UserError(f"{option} {text}: neither GPS seconds nor a date") from error


def _summary(output: str, page: Path, rows: int) -> int:
    """Print what was found and what went wrong; give the exit code."""
    triggers = writers.read_triggers(output).to_pylist()
    segments = writers.read_segments(output)
    letters = writers.read_dead_letters(output)
    loudest = sorted(triggers, key=lambda t: (-t["snr"], t["id"]))[:rows]
    if loudest:
        _print_table([[form.format(**t) for _, form in _TABLE] for t in loudest])
    for channel, seconds in sorted(livetime(segments).items()):
        found = sum(t["channel"] == channel for t in triggers)
        sys.stdout.write(f"{channel}: {seconds:.3f} s analysed, {found} triggers\n")
    for segment in segments:
        if segment.kind is SegmentKind.TOO_SHORT:
            start = to_seconds(segment.start_ns)
            sys.stderr.write(f"wavefier: {segment.channel} at {start:.3f}: {segment.reason}\n")
    unsearchable = (s for s in segments if s.kind is SegmentKind.UNSEARCHABLE)
    for line in dict.fromkeys(f"{s.channel}: {s.reason}" for s in unsearchable):
        sys.stderr.write(f"wavefier: {line}\n")
    for letter in letters:
        sys.stderr.write(f"wavefier: {letter.reason}\n")
    sys.stdout.write(f"report: {page}\n")
    nothing = not any(segment.analysed for segment in segments)
    if nothing:
        sys.stderr.write("wavefier: nothing was analysed\n")
    faults = any(letter.kind is not LetterKind.NOTE for letter in letters)
    return DATA_PROBLEM if faults or nothing else DONE


def _print_table(rows: list[list[str]]) -> None:
    heads = [head for head, _ in _TABLE]
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def report(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    """Write the page of a finished run again."""
    try:
        # Only now: what draws is imported in half a second.
        from transforms.sink.report import write_report

        sys.stdout.write(f"report: {write_report(options.output)}\n")
    except OutputError as error:
        raise UserError(error) from error
    return DONE


def _drawn(output: str) -> Path:
    """Write the report in a process of its own: what draws takes 70 MB, beside TensorFlow's."""
    command = [sys.executable, "-m", "transforms.sink.report", output]
    # In a session of its own: Ctrl-C is for this process, which then ends the other.
    done = subprocess.run(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True, check=False
    )
    if done.returncode == USAGE:
        raise UserError(done.stderr.strip())
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Path(output) / folder.REPORT


def live(options: argparse.Namespace, rest: Sequence[str]) -> int:
    """Analyse topics of frames until it is told to stop."""
    # Only now: nobody else needs a Kafka client.
    from beam_pipeline.live_command import run_live

    return run_live(options, rest, _config(options))


def doctor(_options: argparse.Namespace, _rest: Sequence[str]) -> int:
    """Say what is installed, reachable and missing."""
    findings = list(examine())
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        mark = "ok     " if finding.good else "MISSING" if finding.needed else "absent "
        sys.stdout.write(f"{mark} {finding.what.ljust(width)}  {finding.found}\n")
    return DONE if all(f.good or not f.needed for f in findings) else DATA_PROBLEM


def train(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    """Make a model from simulated transients."""
    # Only now: no other command needs what simulates and draws.
    from beam_pipeline import model_commands

    return model_commands.train(options)


def evaluate(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    """Say how good a model is."""
    from beam_pipeline import model_commands

    return model_commands.evaluate(options)
