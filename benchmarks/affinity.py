"""On which cores a measurement runs."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager


def add_option(parser: argparse.ArgumentParser, default: int = 1) -> None:
    """Add ``--cores``."""
    text = (
        "cores to run on, the first ones that this process may use; 0: all (default: %(default)s)"
    )
    parser.add_argument("--cores", type=int, default=default, metavar="N", help=text)


def pin(count: int) -> int:
    """Keep this process and its children on ``count`` cores, and return how many there are."""
    allowed = sorted(os.sched_getaffinity(0))
    if count:
        os.sched_setaffinity(0, allowed[:count])
    return len(os.sched_getaffinity(0))


@contextmanager
def pinned(count: int) -> Iterator[None]:
    """Keep this process and its children on ``count`` cores for a while."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
