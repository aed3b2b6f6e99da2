"""The log as lines of JSON, for whoever collects logs; with the time in GPS beside UTC."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

from transforms.gps import NANOSECONDS, to_seconds
from transforms.observe.config import JSON
from transforms.sink.utc import from_unix

_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One object a line.

    ``time`` (UTC), ``gps`` [s], ``level``, ``logger``, ``process``, ``message``, and whatever a
    call gave as ``extra``; what is called ``gps_..._ns`` in seconds too.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        said = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "gps": round(to_seconds(from_unix(round(record.created * NANOSECONDS))), 3),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        for name, value in vars(record).items():
            if name not in _KNOWN:
                said[name] = value
            if name.startswith("gps_") and name.endswith("_ns"):
                said[name.removesuffix("_ns")] = to_seconds(value)
        if record.exc_info:
            said["error"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False, default=str)


def write(kind: str, stream: TextIO | None = None) -> None:
    """Have this process's log written to a stream, standard error by default, if as JSON.

    Beam's workers send their log to the runner and write none themselves: text is left as it is.
    """
    if kind != JSON:
        return
    root = logging.getLogger()
    if any(isinstance(handler.formatter, JsonLines) for handler in root.handlers):
        return
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root.addHandler(handler)
