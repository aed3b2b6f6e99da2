"""One table on standard output, and the same figures in a file."""

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIBRARIES = ("apache-beam", "numpy", "onnxruntime", "scipy", "tensorflow")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what every measurement has: ``--seed`` and ``--json``."""
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")


def count(text: str) -> int:
    """Return a number of things that an option takes: 0 or more.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 0 or more")
    return int(text)


def positive(text: str) -> int:
    """Return a number of things that an option takes: 1 or more.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    if not (found := count(text)):
        raise argparse.ArgumentTypeError("must be at least 1")
    return found


def progress(step: str) -> None:
    """Show at a terminal what is being done."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{step:<60}\r")


def progress_of(step: str, done: int, total: int) -> None:
    """Show at a terminal how much of a step is done."""
    progress(f"{step}: {done} of {total}")


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns: the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(cells).rstrip())


def provenance(cores: int) -> dict[str, Any]:
    """Return what was run on what: command line, versions, machine class."""
    return {
        "command": ["python", "-m", _module(), *sys.argv[1:]],
        "versions": {
            "wavefier": version("wavefier"),
            "commit": _commit(),
            "python": platform.python_version(),
            **{name: version(name) for name in LIBRARIES},
        },
        "machine": f"{platform.machine()}, {platform.system()}, {cores} core(s) used",
    }


def _commit() -> str:
    """Name the state of the source; a ``+`` marks one that differs from its commit."""
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _module() -> str:
    spec = sys.modules["__main__"].__spec__
    return spec.name if spec else Path(sys.argv[0]).stem


def write_json(path: Path | None, figures: Mapping[str, Any]) -> None:
    """Write the figures, where a file was asked for."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=1, default=float) + "\n")
