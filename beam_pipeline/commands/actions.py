"""What the commands do."""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from beam_pipeline import progress_bar, standard_streams
from beam_pipeline.archive import ArchiveJob, output_folder, run_archive
from beam_pipeline.commands import failure, inputs
from beam_pipeline.commands.doctor import examine
from beam_pipeline.commands.surroundings import quiet_threads
from beam_pipeline.config import PipelineConfig, load_config
from beam_pipeline.exits import DATA_PROBLEM, DONE, USAGE, DataProblem, UserError
from beam_pipeline.options import beam_options, in_process, see_runner
from beam_pipeline.standard_streams import one_line
from transforms import times
from transforms.classify.artefact import ArtefactError
from transforms.files import OutputError
from transforms.gps import to_seconds
from transforms.kinds import LetterKind, SegmentKind
from transforms.sink import folder, writers
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
    ("injections", "{injections}"),
)


def run(options: argparse.Namespace) -> int:
    """Analyse files of strain."""
    if options.rows < 0:
        raise UserError(f"--rows {options.rows}: give 0 or more")
    config = configuration(options)
    files = tuple(_files(options.files))
    start_ns, end_ns = _span(options)
    job = ArchiveJob(
        files=files,
        output=output_of(options.output, config),
        start_ns=start_ns,
        end_ns=end_ns,
    )
    try:
        beam_options(options.beam)
        see_runner(options.beam)
        with output_folder(job, config) as held:
            with progress_bar.shown(), _one_line(options):
                run_archive(job, config, options.beam, held)
            # Still held: what is told is this run's.
            return _summary(job.output, _drawn(job.output), options.rows)
    except (OutputError, ArtefactError) as error:
        raise UserError(error) from error


def replay(options: argparse.Namespace) -> int:
    """Send files to Kafka as a detector would."""
    # Only now: no other command needs a client of Kafka.
    from beam_pipeline.replay import command

    options.files = _files(options.files)
    start_ns, end_ns = _span(options)
    return command.replay(options, start_ns, end_ns)


def configuration(options: argparse.Namespace) -> PipelineConfig:
    """Return the science asked for.

    Raises:
        UserError: It cannot be used.
    """
    try:
        config = load_config(options.config) if options.config else PipelineConfig()
        if options.channel:
            config = replace(config, ingest=replace(config.ingest, channels=tuple(options.channel)))
    except ValueError as error:
        raise UserError(error) from error
    return config


def output_of(given: str, config: PipelineConfig) -> str:
    """Return a folder of results: of each science its own, where the name says so."""
    return given.replace("{config}", config.id)


@contextmanager
def _one_line(options: argparse.Namespace) -> Iterator[None]:
    """Turn the failure of a job into one line, where data, storage or another runner failed.

    A fault of this software, in this process, stays what it is.
    """
    local = in_process(options.beam)
    try:
        with quiet_threads(verbose=local or options.verbose):
            yield
    except (UserError, OutputError, ArtefactError, BrokenPipeError):
        raise
    except Exception as error:
        found = failure.of(error)
        if not found.of_surroundings and local:
            raise
        more = "" if options.verbose else " (--verbose tells more)"
        raise DataProblem(f"the run has failed: {found}{more}") from error


def _files(words: Sequence[str]) -> list[str]:
    named = inputs.expand(words)
    again = len(words) - len(named)
    if again > 0 and not any(word.startswith("@") for word in words):
        standard_streams.complain(
            f"{again} of the files named stand there twice: each is read once"
        )
    return named


def _span(options: argparse.Namespace) -> tuple[int | None, int | None]:
    start_ns, end_ns = _time("--start", options.start), _time("--end", options.end)
    if start_ns is not None and end_ns is not None and start_ns >= end_ns:
        raise UserError("--start must lie before --end")
    return start_ns, end_ns


def _time(option: str, text: str | None) -> int | None:
    try:
        return None if text is None else times.parse(text)
    except ValueError as error:
        raise UserError(f"{option} {error}") from error


def _summary(output: str, page: Path, rows: int) -> int:
    """Print what was found and what went wrong; return the exit code."""
    triggers = writers.read_triggers(output).to_pylist()
    segments = writers.read_segments(output)
    letters = writers.read_dead_letters(output)
    loudest = sorted(triggers, key=lambda t: (-t["snr"], t["id"]))[:rows]
    if loudest:
        _print_table([[one_line(form.format(**t)) for _, form in _TABLE] for t in loudest])
    for channel, seconds in sorted(livetime(segments).items()):
        found = sum(t["channel"] == channel for t in triggers)
        _say(f"{channel}: {seconds:.3f} s analysed, {found} triggers")
    for segment in segments:
        if segment.kind is SegmentKind.TOO_SHORT:
            start = to_seconds(segment.start_ns)
            standard_streams.complain(f"{segment.channel} at {start:.3f}: {segment.reason}")
    unsearchable = (s for s in segments if s.kind is SegmentKind.UNSEARCHABLE)
    for line in dict.fromkeys(f"{s.channel}: {s.reason}" for s in unsearchable):
        standard_streams.complain(line)
    for letter in letters:
        standard_streams.complain(letter.reason)
    _say(f"report: {page}")
    nothing = not any(segment.analysed for segment in segments)
    if nothing:
        standard_streams.complain("nothing was analysed")
    faults = any(letter.kind is not LetterKind.NOTE for letter in letters)
    return DATA_PROBLEM if faults or nothing else DONE


def _say(text: str) -> None:
    sys.stdout.write(f"{one_line(text)}\n")


def _print_table(rows: list[list[str]]) -> None:
    heads = [head for head, _ in _TABLE]
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def report(options: argparse.Namespace) -> int:
    """Write the page of a finished run again."""
    try:
        # Only now: what draws is imported in half a second.
        from transforms.sink.report import write_report

        _say(f"report: {write_report(options.output)}")
    except OutputError as error:
        raise UserError(error) from error
    except OSError as error:
        raise UserError(f"{options.output}: cannot be used ({error.strerror or error})") from error
    return DONE


def _drawn(output: str) -> Path:
    """Write the report in a process of its own: what draws takes 70 MB, beside TensorFlow's."""
    command = [sys.executable, "-m", "transforms.sink.report", output]
    # In a session of its own: Ctrl-C is for this process, which then ends the other.
    done = subprocess.run(
        command,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
        start_new_session=True,
        check=False,
    )
    if done.returncode == USAGE:
        raise UserError(done.stderr.strip())
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Path(output) / folder.REPORT


def live(options: argparse.Namespace) -> int:
    """Analyse topics of frames until it is told to stop."""
    # Only now: nobody else needs a Kafka client.
    from beam_pipeline.commands.live import run_live

    config = configuration(options)
    if options.output:
        options.output = output_of(options.output, config)
    return run_live(options, options.beam, config)


def doctor(_options: argparse.Namespace) -> int:
    """Return what is installed, reachable and missing."""
    findings = list(examine())
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        mark = "ok     " if finding.good else "MISSING" if finding.needed else "absent "
        _say(f"{mark} {finding.what.ljust(width)}  {finding.found}")
    return DONE if all(f.good or not f.needed for f in findings) else DATA_PROBLEM


def train(options: argparse.Namespace) -> int:
    """Make a model from simulated transients."""
    return int(_models().train(options))


def evaluate(options: argparse.Namespace) -> int:
    """Return how good a model is."""
    return int(_models().evaluate(options))


def _models() -> ModuleType:
    # Only now: no other command needs what simulates, judges and draws.
    try:
        from beam_pipeline.commands import models
    except ModuleNotFoundError as error:
        if error.name != "sklearn":
            raise
        raise UserError("scikit-learn is missing: pip install 'wavefier[train]'") from error
    return models
