"""Where a run runs: Beam's own options, with the local runner pinned."""

import argparse
from collections.abc import Sequence
from functools import cache

from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipeline.exits import UserError
from beam_pipeline.flink import job_server
from beam_pipeline.words import OneLineParser, divide, options_of

IN_PROCESS = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
"""What ``DirectRunner`` means here. Beam's own switch would first try to download another."""
_ALIASES = (None, "DirectRunner", "direct", "FnApiRunner", IN_PROCESS)
FLINK, PORTABLE = "FlinkRunner", "PortableRunner"
_CLUSTER = (FLINK, PORTABLE, "PrismRunner")


class OptionError(UserError):
    """An option that nobody knows, or a value it cannot have; one line for the user."""


def beam_options(arguments: Sequence[str]) -> PipelineOptions:
    """Read Beam's options.

    Args:
        arguments: As typed, for example ``--runner=FlinkRunner``.

    Raises:
        OptionError: An option is unknown, or has a value that it cannot have.
    """
    typed = checked(arguments)
    runner = job_server.typed(typed).get("runner")
    if runner not in (*_ALIASES, *_CLUSTER):
        names = ", ".join(("DirectRunner", *_CLUSTER))
        raise OptionError(f"--runner {runner}: unknown; choose one of {names}")
    if runner in _ALIASES:
        _refuse_those_of_flink(typed)
        others = [word for word in typed if not word.startswith("--runner=")]
        return PipelineOptions([f"--runner={IN_PROCESS}", *others])
    if runner == FLINK:
        typed = [*job_server.flink_options(typed), *typed]
    elif runner == PORTABLE and "job_endpoint" not in job_server.typed(typed):
        raise OptionError(f"--runner {PORTABLE} needs --job_endpoint=HOST:PORT")
    return PipelineOptions(typed)


def see_runner(arguments: Sequence[str]) -> None:
    """Check that what a runner needs is here, and that its servers answer.

    Raises:
        OptionError: Something is missing; or an option is none.
    """
    typed = checked(arguments)
    try:
        job_server.see_those_named(typed)
        if job_server.typed(typed).get("runner") == FLINK:
            job_server.see_installed([*job_server.flink_options(typed), *typed])
    except job_server.JobServerError as error:
        raise OptionError(error) from error


def in_process(arguments: Sequence[str]) -> bool:
    """Return whether options name the runner of this process."""
    return job_server.typed(arguments).get("runner") in _ALIASES


def checked(arguments: Sequence[str]) -> list[str]:
    """Return Beam's options, an option and its value in one word.

    Raises:
        OptionError: An option is unknown, or has a value that it cannot have.
    """
    try:
        words = divide(arguments, {}, known_options)
        if words.rest:
            raise OptionError(f"{words.rest[0]}: belongs to no option")
        _parser().parse_args(words.beam)
    except UserError as error:
        raise OptionError(str(error).partition("; see ")[0]) from error
    return words.beam


@cache
def known_options() -> dict[str, argparse.Action]:
    """Return the options of this installation of Beam, and those of Flink's job server."""
    return options_of(_parser())


def _refuse_those_of_flink(typed: Sequence[str]) -> None:
    own = options_of(_own_parser())
    for word in typed:
        name = word.partition("=")[0]
        if name not in own:
            raise OptionError(f"{name} is of Flink: give --runner=FlinkRunner too")


@cache
def _own_parser() -> argparse.ArgumentParser:
    parser = OneLineParser("wavefier", add_help=False, conflict_handler="resolve")
    for group in PipelineOptions.__subclasses__():
        group._add_argparse_args(parser)
    return parser


@cache
def _parser() -> argparse.ArgumentParser:
    # A parser of its own: options of Flink's would show among Beam's otherwise.
    parser = OneLineParser("wavefier", add_help=False, allow_abbrev=False, parents=[_own_parser()])
    known = options_of(parser)
    for name, kind in job_server.OPTIONS.items():
        if f"--{name}" not in known:
            form = {"action": "store_true"} if kind is bool else {"type": kind}
            parser.add_argument(f"--{name}", **form)  # type: ignore[arg-type]
    return parser
