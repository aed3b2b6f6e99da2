"""The log as lines of JSON, for whoever collects logs; with the time in GPS beside UTC."""

import json
import logging
from datetime import UTC, datetime

from transforms.gps import NANOSECONDS, to_seconds
from transforms.observe.config import JSON
from transforms.utc import from_unix

_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One object a line.

    ``time`` (UTC), ``gps`` [s], ``level``, ``logger``, ``process``, ``message``, and whatever a
    call gave as ``extra``; what is called ``gps_..._ns`` in seconds too.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
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


def write(kind: str) -> None:
    """Have this process's log on standard error as JSON, if so asked; text is left as it is."""
    if kind != JSON:
        return
    root = logging.getLogger()
    # Whoever logged first, a library perhaps, has opened it already, for text.
    found = [one for one in root.handlers if type(one) is logging.StreamHandler]
    handler = found[0] if found else logging.StreamHandler()
    handler.setFormatter(JsonLines())
    if not found:
        root.addHandler(handler)
