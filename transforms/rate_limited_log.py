"""Warnings that come without end, told seldom."""

import logging
import time
from collections.abc import Mapping
from threading import Lock

REPEAT_S = 30.0
"""A warning that goes on is logged so often [s]."""
_MOST_KINDS = 256
"""Kinds that are remembered: whoever makes new ones without end fills no memory."""


class RateLimitedLog:
    """Logs warnings: each kind at once, then not more often than every 30 s."""

    def __init__(self, log: logging.Logger) -> None:
        """Limit a log."""
        self._log = log
        self._lock = Lock()
        self._told: dict[str, float] = {}
        self._kept: dict[str, int] = {}

    def tell(self, kind: str, text: object, extra: Mapping[str, object] | None = None) -> None:
        """Log a warning, unless one of its kind was logged a short while ago.

        Args:
            kind: Which warnings are counted together.
            text: What is said.
            extra: Fields of the log's record.
        """
        now = time.monotonic()
        with self._lock:
            if now - self._told.get(kind, -REPEAT_S) < REPEAT_S:
                self._kept[kind] = self._kept.get(kind, 0) + 1
                return
            more = self._kept.pop(kind, 0)
            if len(self._told) >= _MOST_KINDS:
                self._told.clear()
                self._kept.clear()
            self._told[kind] = now
        since = f"; {more} more of the kind since the last time" if more else ""
        self._log.warning("%s (told every %d s at most%s)", text, REPEAT_S, since, extra=extra)
