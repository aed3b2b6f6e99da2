"""How far a run has come: a bar on a terminal, plain lines in a pipe.

The graph notes what is planned and what is done; whoever watches in the same process
sees it at once. In other processes only Beam's counters travel.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from apache_beam.metrics import Metrics
from tqdm import tqdm

from transforms.elements import Block, BlockPlan

_PLANNED = Metrics.counter("wavefier", "planned_ms")
_DONE = Metrics.counter("wavefier", "read_ms")
LINE_EVERY = 5.0
"""Shortest time between two lines in a pipe [s]."""

Watcher = Callable[[float, float], None]
_watchers: list[Watcher] = []


def note_plan(plan: BlockPlan) -> BlockPlan:
    """Count a planned block."""
    milliseconds = (plan.analyse_end_ns - plan.analyse_start_ns) // 1_000_000
    _PLANNED.inc(milliseconds)
    note(milliseconds / 1000, 0.0)
    return plan


def note_block(block: Block) -> Block:
    """Count a block that is being analysed."""
    milliseconds = (block.analyse_end_ns - block.analyse_start_ns) // 1_000_000
    _DONE.inc(milliseconds)
    note(0.0, milliseconds / 1000)
    return block


def note(planned: float, done: float) -> None:
    """Show how much more strain is planned, and how much more is done [s]."""
    for watcher in _watchers:
        watcher(planned, done)


@contextmanager
def shown(stream: TextIO | None = None) -> Iterator[None]:
    """Show what the graph notes while the context lasts."""
    stream = stream or sys.stderr
    terminal = stream.isatty()
    watcher = _Bar(stream) if terminal else _Lines(stream)
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)
        watcher.close()


class _Bar:
    def __init__(self, stream: TextIO) -> None:
        form = "{l_bar}{bar}| {n:.0f}/{total:.0f} s of strain [{elapsed}<{remaining}]"
        self._bar = tqdm(total=0, file=stream, bar_format=form, leave=False, dynamic_ncols=True)

    def __call__(self, planned: float, done: float) -> None:
        self._bar.total += planned
        self._bar.update(done)

    def close(self) -> None:
        self._bar.close()


class _Lines:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._planned = self._done = 0.0
        self._said = time.monotonic()

    def __call__(self, planned: float, done: float) -> None:
        self._planned += planned
        self._done += done
        if done and time.monotonic() - self._said >= LINE_EVERY:
            self._said = time.monotonic()
            self._stream.write(f"{self._done:.0f} of {self._planned:.0f} s of strain\n")
            self._stream.flush()

    def close(self) -> None:
        """Nothing is held open."""
