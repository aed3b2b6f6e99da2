"""Where a run runs: Beam's own options, with the local runner pinned."""

import argparse
from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions

IN_PROCESS = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
"""What ``DirectRunner`` means here. Beam's own switch would first try to download another."""
_ALIASES = (None, "DirectRunner", "direct", "FnApiRunner", IN_PROCESS)
_CLUSTER = ("FlinkRunner", "PortableRunner", "PrismRunner")


class OptionError(ValueError):
    """An option that nobody knows; one line for the user."""


def beam_options(arguments: Sequence[str]) -> PipelineOptions:
    """Read Beam's options.

    Args:
        arguments: As typed, for example ``--runner=FlinkRunner``.

    Raises:
        OptionError: An option is unknown. Options of a cluster's runner are not checked:
            its job server adds its own.
    """
    runner, rest = _runner(arguments)
    if runner not in (*_ALIASES, *_CLUSTER):
        names = ", ".join(("DirectRunner", *_CLUSTER))
        raise OptionError(f"--runner {runner}: unknown; choose one of {names}")
    if runner in _ALIASES:
        runner = IN_PROCESS
        _refuse_unknown(rest)
    return PipelineOptions([f"--runner={runner}", *rest])


def _runner(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--runner")
    known, rest = parser.parse_known_args(list(arguments))
    return known.runner, rest


def _refuse_unknown(arguments: Sequence[str]) -> None:
    known = {name.lstrip("-").removeprefix("no_") for name in _known_names()}
    for argument in arguments:
        if not argument.startswith("--"):
            continue
        name = argument[2:].split("=")[0]
        if name.removeprefix("no_") not in known:
            raise OptionError(f"unknown option --{name}; see wavefier run --help")


def _known_names() -> list[str]:
    """List the options that this installation of Beam knows."""
    parser = argparse.ArgumentParser(add_help=False, conflict_handler="resolve")
    for group in PipelineOptions.__subclasses__():
        group._add_argparse_args(parser)
    return [name for action in parser._actions for name in action.option_strings]
