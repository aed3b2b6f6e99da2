"""What surrounds a command: logs, proxies, the folder of temporary files."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from beam_pipeline import private_tmpdir
from beam_pipeline.flink import bypass_proxy
from transforms.observe import json_log
from transforms.observe.config import JSON


def prepare(verbose: bool, json_logs: bool) -> None:
    """Make them ready, before any library is imported that asks for them.

    Args:
        verbose: Show the libraries' own messages.
        json_logs: Write logs as lines of JSON.
    """
    _quiet(verbose)
    if json_logs:
        json_log.write(JSON)
    bypass_proxy.bypass()
    private_tmpdir.use()


@contextmanager
def quiet_threads(verbose: bool) -> Iterator[None]:
    """Keep what ends the client's threads off the terminal: the job's own end says why.

    gRPC's threads end with tracebacks where a job server does.
    """
    before = threading.excepthook
    if not verbose:
        threading.excepthook = lambda _: None
    try:
        yield
    finally:
        threading.excepthook = before


def _quiet(verbose: bool) -> None:
    """Keep the libraries' start-up chatter off the terminal; errors stay."""
    if not verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # What ends a job is told in one line; Beam would write a page before it.
    logging.getLogger("apache_beam").setLevel(logging.NOTSET if verbose else logging.CRITICAL)
    level = logging.INFO if verbose else logging.ERROR
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
