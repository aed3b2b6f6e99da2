"""The command line: ``wavefier run``, ``live``, ``replay``, ``train``, ``evaluate``, and more.

Exit codes: 0 done, 1 a problem with the data, 2 a mistake in the call, 130 Ctrl-C, 143 SIGTERM.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from beam_pipeline import loopback, temporary
from beam_pipeline.exits import DATA_PROBLEM, DONE, USAGE, UserError
from beam_pipeline.interrupt import Interrupted, stoppable
from beam_pipeline.replay import options as replay_options
from beam_pipeline.version import own_version
from transforms.observe import journal
from transforms.observe.config import JSON

__all__ = ["DATA_PROBLEM", "DONE", "USAGE", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; what a user can mend is one line on standard error."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    _quiet(options.verbose)
    if getattr(options, "json_logs", False):
        journal.write(JSON)
    loopback.spare()
    temporary.gather()
    # Only now: what it imports reads the environment that was just set.
    from beam_pipeline import commands

    if rest and options.command not in ("run", "live"):
        parser.error(f"unknown option {rest[0]}")
    try:
        with stoppable():
            return int(getattr(commands, options.command)(options, rest))
    except UserError as error:
        sys.stderr.write(f"wavefier: {error}\n")
        return USAGE
    except Interrupted as stop:
        sys.stderr.write("wavefier: interrupted; what was written is whole\n")
        return stop.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wavefier",
        description="Find and classify transients in gravitational-wave strain.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"wavefier {own_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_run(commands)
    _add_live(commands)
    replay_options.add(_add(commands, "replay", "send files to Kafka as a detector would"))
    _add_train(commands)
    _add_evaluate(commands)
    report = _add(commands, "report", "write the page of a finished run again")
    report.add_argument("output", metavar="DIR", help="output folder of a run")
    _add(commands, "doctor", "say what is installed, reachable and missing")
    return parser


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    run = _add(commands, "run", "analyse files of strain")
    run.epilog = (
        "Any option of Apache Beam may follow, for example --runner=FlinkRunner. @LIST stands for"
        " the lines of a file."
    )
    run.fromfile_prefix_chars = "@"
    run.add_argument("files", nargs="+", metavar="FILE", help="GWF or HDF5 (GWOSC, gwpy, PyCBC)")
    run.add_argument("--output", required=True, metavar="DIR", help="folder of the results")
    run.add_argument("--config", type=Path, metavar="YAML", help="the science; default: built in")
    run.add_argument(
        "--channel",
        action="append",
        default=[],
        metavar="NAME",
        help="read this channel, where a file holds several; may be repeated",
    )
    run.add_argument("--start", metavar="TIME", help="analyse from here on [GPS seconds or UTC]")
    run.add_argument("--end", metavar="TIME", help="analyse up to here [GPS seconds or UTC]")
    run.add_argument("--rows", type=int, default=10, help="triggers to print (default: 10)")


def _add_live(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    live = _add(commands, "live", "analyse frames as they come, without end")
    live.epilog = (
        "Runs on Flink inside the job server (make flink-jar), or on a cluster; any option of"
        " Apache Beam may follow, for example --job_endpoint=HOST:PORT."
    )
    live.add_argument("--brokers", required=True, metavar="HOST:PORT", help="Kafka")
    live.add_argument("--kafka-config", metavar="FILE", help="key=value lines: how to be let in")
    live.add_argument(
        "--topic", action="append", required=True, metavar="TOPIC", help="frames; may be repeated"
    )
    live.add_argument(
        "--make-topics", action="store_true", help="make the topics of frames where missing"
    )
    live.add_argument(
        "--publish", default="wavefier", metavar="PREFIX", help="results go to PREFIX.triggers, ..."
    )
    live.add_argument("--output", metavar="DIR", help="folder of files too, one each minute")
    live.add_argument("--config", type=Path, metavar="YAML", help="the science; default: built in")
    live.add_argument("--channel", action="append", default=[], metavar="NAME")
    live.add_argument("--group", default="wavefier", help="Kafka's name for how far this job is")
    live.add_argument("--start", choices=("latest", "earliest"), default="latest")
    live.add_argument("--flink_master", metavar="HOST:PORT", help="a cluster's REST interface")
    live.add_argument("--logs", type=Path, metavar="DIR", help="keep the workers' logs here")
    live.add_argument(
        "--application",
        type=Path,
        metavar="JAR",
        help="write the job for Flink's application mode, and end",
    )
    live.add_argument(
        "--patience",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how long to wait for a broker that does not answer (default: 0)",
    )
    live.add_argument("--metrics", metavar="HOST:PORT", help="show /metrics and /healthz here")
    live.add_argument("--json-logs", action="store_true", help="write logs as lines of JSON")


def _add_train(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    train = _add(commands, "train", "make a model from simulated transients")
    train.epilog = "Interrupted, the same command goes on where it was."
    train.add_argument("--output", type=Path, required=True, metavar="DIR", help="the new model's")
    train.add_argument("--work", type=Path, metavar="DIR", help="default: the output's with .work")
    train.add_argument("--keep-work", action="store_true", help="keep the examples at the end")
    train.add_argument("--logs", type=Path, metavar="DIR", help="TensorBoard's; default: in --work")
    _add_simulation(train)


def _add_evaluate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    evaluate = _add(commands, "evaluate", "say how good a model is")
    evaluate.add_argument(
        "data",
        nargs="?",
        type=Path,
        metavar="DATA",
        help="folder of strain (HDF5) and a CSV: file,time,ifo,label; default: a simulated set",
    )
    evaluate.add_argument("--output", type=Path, required=True, metavar="DIR", help="of the report")
    evaluate.add_argument("--model", type=Path, metavar="DIR", help="default: the packaged one")
    _add_simulation(evaluate)


def _add_simulation(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config", type=Path, metavar="YAML", help="training's; default: built in"
    )
    command.add_argument("--seed", type=int, help="in place of the configuration's")
    command.add_argument("--processes", type=int, metavar="N", help="that simulate; default: CPUs")


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    command.add_argument("--verbose", action="store_true", help="show the libraries' own messages")
    return command


def _quiet(verbose: bool) -> None:
    """Keep the libraries' start-up chatter off the terminal; errors stay."""
    if not verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    level = logging.INFO if verbose else logging.ERROR
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")


if __name__ == "__main__":
    sys.exit(main())
