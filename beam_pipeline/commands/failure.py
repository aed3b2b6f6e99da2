"""Why a job failed, found in what Beam makes of it: one line.

Beam wraps what happens in a worker into errors of its own, with the worker's traceback as text.
"""

import builtins
import re
from dataclasses import dataclass

_ERROR = re.compile(r"^\s*(?:Caused by: )?([A-Za-z_][\w.$]*(?:Error|Exception)): ?(.*)$", re.M)
_WHERE = re.compile(r" *\[while running [^\]]*\]")
_STORAGE = re.compile(
    r"No space left|Disk quota|Read-only file system|Input/output error|Stale file handle"
)
_OURS = frozenset(("ArtefactError", "BrokerError", "DataError", "OutputError", "StorageError"))
"""Errors of this software that are no fault of it."""
_WRAPPERS = ("java.lang.RuntimeException", "java.util.concurrent.", "org.apache.")


@dataclass(frozen=True)
class Failure:
    """What was at the root of an error."""

    kind: str
    """Name of the error, without its module."""
    text: str

    @property
    def of_surroundings(self) -> bool:
        """Whether data or storage failed, or memory, and not this software."""
        known = getattr(builtins, self.kind, None)
        if isinstance(known, type) and issubclass(known, (OSError, MemoryError)):
            return True
        return self.kind in _OURS or bool(_STORAGE.search(self.text))

    def __str__(self) -> str:
        return self.text or self.kind


def of(error: BaseException) -> Failure:
    """Return the root of an error: the innermost one that its text, or its causes, tell of."""
    inner = error
    while inner.__cause__ is not None:
        inner = inner.__cause__
    told = _ERROR.findall(str(error)) or _ERROR.findall(str(inner))
    ours = [(kind, text) for kind, text in told if not kind.startswith(_WRAPPERS)]
    if told:
        kind, text = (ours or told)[-1]
        return Failure(kind.rpartition(".")[2], _WHERE.sub("", text).strip())
    lines = str(inner).strip().splitlines() or [""]
    return Failure(type(inner).__name__, _WHERE.sub("", lines[0]).strip())
