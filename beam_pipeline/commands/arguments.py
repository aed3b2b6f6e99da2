"""The commands and their options: words to what a command is asked to do."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from beam_pipeline.exits import UserError
from beam_pipeline.replay import options as replay_options
from beam_pipeline.replay.options import BROKERS_HELP, FILE_HELP, SECURITY_HELP, add_choice
from beam_pipeline.version import own_version
from beam_pipeline.words import Actions, OneLineParser, divide, options_of

_BEAM = ("run", "live")
"""Commands that take options of Apache Beam too."""
_OUTPUT_HELP = "folder of the results; {config} in it becomes the id of the science"
_CONFIG_HELP = "the science: what differs from the defaults"


def read(words: Sequence[str]) -> argparse.Namespace:
    """Read a command line; ``beam`` holds the options of Apache Beam.

    Raises:
        UserError: A word cannot be used.
    """
    for word in words:
        _refuse_impossible(word)
    parser, commands = _parser()
    if not words or words[0] not in commands:
        if words and words[0].startswith("-") and words[0] not in ("-h", "--help", "--version"):
            raise UserError(f"{words[0]}: name the command first; see wavefier --help")
        parser.parse_args(list(words[:1]))
        raise UserError("name a command; see wavefier --help")
    name, command = words[0], commands[words[0]]
    sorted_ = divide(words[1:], options_of(command), _beam if name in _BEAM else None)
    most = _most_words(command)
    if len(sorted_.rest) > most:
        raise UserError(f"{sorted_.rest[most]}: wavefier {name} has no place for this word")
    options = command.parse_args(sorted_.given())
    options.command, options.beam = name, sorted_.beam
    return options


def _refuse_impossible(word: str) -> None:
    """Refuse what no operating system can hand on as a name."""
    try:
        os.fsencode(word)
    except UnicodeEncodeError:
        raise UserError(f"{word!r}: holds a character that no name can have") from None
    if "\0" in word:
        raise UserError(f"{word!r}: holds a zero byte")


def _most_words(command: argparse.ArgumentParser) -> int:
    """Return how many words that are no options a command takes."""
    places = [action for action in command._actions if not action.option_strings]
    return sum(sys.maxsize if place.nargs == "+" else 1 for place in places)


def _beam() -> Actions:
    # Only now: Beam is imported in a second, and few words need it.
    from beam_pipeline.options import known_options

    return known_options()


def _parser() -> tuple[OneLineParser, dict[str, OneLineParser]]:
    """Return the parser, and that of each command."""
    parser = OneLineParser(
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
    report = _add(commands, "report", "write the HTML report of a run again")
    report.add_argument("output", metavar="DIR", help="output folder of a run")
    _add(commands, "doctor", "say what is installed, reachable and missing")
    return parser, commands.choices


def _add_run(commands: "argparse._SubParsersAction[OneLineParser]") -> None:
    run = _add(commands, "run", "analyse files of strain")
    run.epilog = (
        "Options of Apache Beam work too, for example --runner=FlinkRunner (make flink-jar builds"
        " what that needs). @LIST names a file with a list: paths, file:// URLs, or lines of a LAL"
        " cache or an FFL."
    )
    run.add_argument("files", nargs="+", metavar="FILE", help=FILE_HELP)
    run.add_argument("--output", required=True, metavar="DIR", help=_OUTPUT_HELP)
    run.add_argument("--config", type=Path, metavar="YAML", help=_CONFIG_HELP)
    add_choice(run, read="read", do="analyse")
    run.add_argument(
        "--rows", type=int, default=10, metavar="N", help="how many triggers to print (default: 10)"
    )


def _add_live(commands: "argparse._SubParsersAction[OneLineParser]") -> None:
    live = _add(commands, "live", "analyse frames from Kafka, on Flink, until you stop it")
    live.epilog = (
        "Runs on Flink inside the job server (make flink-jar), or on a cluster. Options of Apache"
        " Beam work too, for example --job_endpoint=HOST:PORT."
    )
    live.add_argument("--brokers", required=True, metavar="HOST:PORT", help=BROKERS_HELP)
    live.add_argument("--kafka-config", metavar="FILE", help=SECURITY_HELP)
    live.add_argument(
        "--topic",
        action="append",
        required=True,
        metavar="TOPIC",
        help="read frames from this topic; may be repeated",
    )
    live.add_argument(
        "--make-topics", action="store_true", help="make the topics of frames if they are missing"
    )
    live.add_argument(
        "--publish",
        default="wavefier",
        metavar="PREFIX",
        help="publish on PREFIX.triggers, PREFIX.events, PREFIX.segments, PREFIX.dead-letters "
        "(default: wavefier)",
    )
    live.add_argument("--output", metavar="DIR", help=f"also write files by minute: {_OUTPUT_HELP}")
    live.add_argument("--config", type=Path, metavar="YAML", help=_CONFIG_HELP)
    live.add_argument(
        "--channel",
        action="append",
        default=[],
        metavar="NAME",
        help="read this channel, where a message holds several; may be repeated",
    )
    live.add_argument(
        "--group",
        default="wavefier",
        help="consumer group, under which Kafka keeps how far the job has read (default: wavefier)",
    )
    live.add_argument(
        "--start",
        choices=("latest", "earliest"),
        default="latest",
        help="where to begin if the group has read nothing yet (default: latest)",
    )
    _add_place(live)


def _add_place(live: argparse.ArgumentParser) -> None:
    """Add the options that say where a live job runs, and how it is watched."""
    live.add_argument(
        "--flink_master", metavar="HOST:PORT", help="REST interface of a Flink cluster to run on"
    )
    live.add_argument(
        "--logs", type=Path, metavar="DIR", help="folder in which to keep the workers' logs"
    )
    live.add_argument(
        "--application",
        type=Path,
        metavar="JAR",
        help="write the job to this file, for Flink's application mode, and end",
    )
    live.add_argument(
        "--patience",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how long to wait for a broker that does not answer (default: 0)",
    )
    live.add_argument("--metrics", metavar="HOST:PORT", help="serve /metrics and /healthz here")
    live.add_argument("--json-logs", action="store_true", help="write logs as lines of JSON")


def _add_train(commands: "argparse._SubParsersAction[OneLineParser]") -> None:
    train = _add(commands, "train", "make a model from simulated transients")
    train.epilog = "Interrupted, the same command goes on where it was."
    train.add_argument("--output", type=Path, required=True, metavar="DIR", help="the new model's")
    train.add_argument("--work", type=Path, metavar="DIR", help="default: the output's with .work")
    train.add_argument("--keep-work", action="store_true", help="keep the examples at the end")
    train.add_argument(
        "--strain",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="with the real strain that the configuration names; may stand several times; "
        "default: from GWOSC",
    )
    train.add_argument(
        "--labelled",
        type=Path,
        metavar="DIR",
        help="strain (HDF5) and a CSV: file,time,ifo,label; taught beside the simulated",
    )
    train.add_argument("--logs", type=Path, metavar="DIR", help="TensorBoard's; default: in --work")
    _add_simulation(train)


def _add_evaluate(commands: "argparse._SubParsersAction[OneLineParser]") -> None:
    evaluate = _add(commands, "evaluate", "measure how good a model is")
    evaluate.add_argument(
        "data",
        nargs="?",
        type=Path,
        metavar="SNIPPETS",
        help="folder of strain and a CSV: file,time,ifo,label; default: simulate a test set",
    )
    evaluate.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder of the results"
    )
    evaluate.add_argument(
        "--model", type=Path, metavar="DIR", help="folder of the model; default: the packaged one"
    )
    _add_simulation(evaluate)


def _add_simulation(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config",
        type=Path,
        metavar="YAML",
        help="configuration of training; default: that of the packaged model",
    )
    command.add_argument("--seed", type=int, help="seed, in place of the configuration's")
    command.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="how many processes simulate; default: one for each CPU",
    )


def _add(
    commands: "argparse._SubParsersAction[OneLineParser]", name: str, text: str
) -> OneLineParser:
    command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    command.add_argument("--verbose", action="store_true", help="show the libraries' own messages")
    return command
