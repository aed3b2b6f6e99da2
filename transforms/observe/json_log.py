"""The log as lines of JSON, for whoever collects logs; with the time in GPS beside UTC."""

import logging
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from transforms.gps import NANOSECONDS, to_seconds
from transforms.observe.config import JSON
from transforms.utc import from_unix


class JsonLines(JsonFormatter):
    """One object a line.

    ``time`` (UTC), ``gps`` [s], ``level``, ``logger``, ``process``, ``message``, ``error`` where
    there is one, and whatever a call gave as ``extra``; what is called ``gps_..._ns`` in seconds
    too.
    """

    def __init__(self) -> None:
        super().__init__(
            ["time", "gps", "levelname", "name", "process", "message"],
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "error"},
            json_ensure_ascii=False,
            json_default=str,
        )

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Add the fields that a record has, and the times."""
        super().add_fields(log_data, record, message_dict)
        time = datetime.fromtimestamp(record.created, UTC)
        gps = to_seconds(from_unix(round(record.created * NANOSECONDS)))
        log_data |= {"time": time.isoformat(timespec="milliseconds"), "gps": round(gps, 3)}
        for name, value in vars(record).items():
            if name.startswith("gps_") and name.endswith("_ns"):
                log_data[name.removesuffix("_ns")] = to_seconds(value)


def write(kind: str) -> None:
    """Write this process's log as JSON on standard error, if so asked; text is left as it is."""
    if kind != JSON:
        return
    root = logging.getLogger()
    # Whoever logged first, a library perhaps, has opened it already, for text.
    found = [one for one in root.handlers if type(one) is logging.StreamHandler]
    handler = found[0] if found else logging.StreamHandler()
    handler.setFormatter(JsonLines())
    if not found:
        root.addHandler(handler)
