"""Data that cannot be used: the error, and the dead letter that it becomes."""

import hashlib

from transforms.elements import DeadLetter
from transforms.kinds import LetterKind
from transforms.texts import printable

_LONGEST_REASON = 2000
"""Characters of a reason that are kept: a file may name a thousand channels."""


class DataError(ValueError):
    """An input that cannot be used: one line that names it and says what to do."""

    def __init__(self, reason: str, kind: LetterKind = LetterKind.DAMAGED) -> None:
        """Make an error; of a reason that is too long, its end is cut off."""
        text = printable(reason)
        if len(text) > _LONGEST_REASON:
            text = text[: _LONGEST_REASON - 3] + "..."
        super().__init__(text)
        self.kind = kind


def letter_of(path: str, error: DataError, checksum: str = "") -> DeadLetter:
    """Return the dead letter of a file, or of what of it cannot be used."""
    return DeadLetter(source=printable(path), reason=str(error), checksum=checksum, kind=error.kind)


def letter_of_message(source: str, reason: str, payload: bytes, kind: LetterKind) -> DeadLetter:
    """Return the dead letter of a message, or of what was put together of several.

    Args:
        source: Where it was read: topic, partition and offset.
        reason: One line.
        payload: What came of it.
        kind: What is wrong, for programs.
    """
    checksum = hashlib.sha256(payload).hexdigest()
    return DeadLetter(source=source, reason=reason, checksum=checksum, kind=kind)
