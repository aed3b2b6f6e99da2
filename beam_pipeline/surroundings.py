"""What surrounds a command: logs, proxies, the folder of temporary files."""

import logging
import os

from beam_pipeline import loopback, temporary
from transforms.observe import journal
from transforms.observe.config import JSON


def prepare(verbose: bool, json_logs: bool) -> None:
    """Make them ready, before any library is imported that asks for them.

    Args:
        verbose: Show the libraries' own messages.
        json_logs: Write logs as lines of JSON.
    """
    _quiet(verbose)
    if json_logs:
        journal.write(JSON)
    loopback.spare()
    temporary.gather()


def _quiet(verbose: bool) -> None:
    """Keep the libraries' start-up chatter off the terminal; errors stay."""
    if not verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # What ends a job is told in one line; Beam would write a page before it.
    logging.getLogger("apache_beam").setLevel(logging.NOTSET if verbose else logging.CRITICAL)
    level = logging.INFO if verbose else logging.ERROR
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
