"""The options of ``wavefier replay``."""

import argparse
from pathlib import Path

from beam_pipeline.replay.faults import DELAY, KINDS
from transforms.ingest.config import FORMATS

FILE_HELP = (
    "file of strain (GWF; HDF5 of GWOSC, gwpy, PyCBC; text of GWOSC), as a path or a file:// URL;"
    " or @LIST, a file that lists such"
)
BROKERS_HELP = "Kafka's brokers, one or more"
SECURITY_HELP = "lines of key=value that secure the connection to Kafka"
TIME_HELP = "[GPS seconds, or UTC as in 2015-09-14T09:50:45]"


def add(parser: argparse.ArgumentParser) -> None:
    """Add them to a parser."""
    parser.add_argument("files", nargs="+", metavar="FILE", help=FILE_HELP)
    parser.add_argument("--brokers", required=True, metavar="HOST:PORT", help=BROKERS_HELP)
    parser.add_argument(
        "--topic",
        default="wavefier.strain.{ifo}",
        metavar="NAME",
        help="topic to send to; {ifo} stands for the detector (default: wavefier.strain.{ifo})",
    )
    parser.add_argument("--kafka-config", default="", metavar="FILE", help=SECURITY_HELP)
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default=FORMATS[0],
        help="format of the messages (default: lldd)",
    )
    _add_data(parser)
    _add_time(parser)
    _add_faults(parser)


def add_choice(parser: argparse.ArgumentParser, *, read: str, do: str) -> None:
    """Add the options that choose what of files is used.

    Args:
        parser: Of a command that takes files.
        read: What the command does with a channel, for the help.
        do: What it does with a stretch of time.
    """
    parser.add_argument(
        "--channel",
        action="append",
        default=[],
        metavar="NAME",
        help=f"{read} this channel, where a file holds several; may be repeated",
    )
    parser.add_argument("--start", metavar="TIME", help=f"{do} from here on {TIME_HELP}")
    parser.add_argument("--end", metavar="TIME", help=f"{do} up to here {TIME_HELP}")


def _add_data(parser: argparse.ArgumentParser) -> None:
    add_choice(parser, read="play", do="play")
    parser.add_argument(
        "--frame-seconds",
        type=float,
        default=1.0,
        metavar="S",
        help="length of a frame [s] (default: 1)",
    )


def _add_time(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--speed",
        type=float,
        default=1.0,
        metavar="N",
        help="play N times as fast as real time; 0: as fast as Kafka takes frames (default: 1)",
    )
    parser.add_argument(
        "--loop",
        type=int,
        default=1,
        metavar="N",
        help="play N times, each time later; 0: without end (default: 1)",
    )
    when = parser.add_mutually_exclusive_group()
    when.add_argument(
        "--shift", type=int, default=0, metavar="S", help="add S whole seconds to all times"
    )
    when.add_argument(
        "--now", action="store_true", help="shift times so that data seem to be taken now"
    )


def _add_faults(parser: argparse.ArgumentParser) -> None:
    faults = parser.add_argument_group(
        "faults", "P is a probability, or GPS times in the files: [IFO:]GPS,[IFO:]GPS,..."
    )
    for kind, text in KINDS.items():
        form = "P:SECONDS" if kind == DELAY else "P"
        faults.add_argument(
            f"--{kind}", action="append", default=[], metavar=form, help=f"a frame {text}"
        )
    faults.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of chance (default: 0)"
    )
    faults.add_argument(
        "--fault-log", type=Path, metavar="FILE", help="write a line of JSON for each frame here"
    )
