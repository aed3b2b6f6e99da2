"""Ctrl-C: one line and no traceback, whatever is running."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):
    """The user asked to stop."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn Ctrl-C inside the context into ``Interrupted``.

    Beam runs in this thread and wraps what it meets into errors of its own, with a page
    of log; what was asked is remembered here.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = []

    def stop(_number: int, _frame: FrameType | None) -> None:
        asked.append(True)
        logging.disable(logging.CRITICAL)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    except (KeyboardInterrupt, RuntimeError) as error:
        if asked:
            raise Interrupted from error
        raise
    finally:
        signal.signal(signal.SIGINT, before)
        logging.disable(logging.NOTSET)
