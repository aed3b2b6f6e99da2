"""Ctrl-C, and a supervisor's SIGTERM: one line and no traceback, whatever is running."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = "interrupted; what was written is whole"


class Interrupted(Exception):
    """The user, or a supervisor, asked to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number
        """As a shell gives it."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM inside the context into ``Interrupted``.

    Beam runs in this thread and wraps what it meets into errors of its own, with a page
    of log; what was asked is remembered here. A second signal stops what the first one
    lets end in order.
    """
    asked: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        import logging

        asked.append(number)
        logging.disable(logging.CRITICAL)
        raise KeyboardInterrupt

    try:
        with _handled(stop):
            yield
    except BaseException as error:
        if asked:
            raise Interrupted(asked[0]) from error
        raise
    finally:
        if asked:
            import logging

            logging.disable(logging.NOTSET)


@contextmanager
def beginning() -> Iterator[None]:
    """Make a signal end the process at once, with the line that every interruption prints.

    Nothing has begun yet. An exception would not do: libraries that are being imported catch or
    wrap what is raised in them.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        from beam_pipeline import private_tmpdir, standard_streams

        standard_streams.complain(INTERRUPTED)
        private_tmpdir.remove()
        os._exit(128 + number)

    with _handled(stop):
        yield


@contextmanager
def whole() -> Iterator[None]:
    """Delay a signal until the body of ``with`` has ended; a second signal counts at once."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    heard: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        known = before[signal.Signals(number)]
        if len(heard) > 1 and callable(known):
            known(number, frame)

    with _handled(note):
        yield
    for number in heard[:1]:
        signal.raise_signal(number)


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, known in before.items():
            signal.signal(number, known)
