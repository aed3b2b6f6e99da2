"""Where results are kept, and what it says when it cannot be used."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from transforms.files import OutputError, refusal
from transforms.texts import complaint


@contextmanager
def storage(output: str) -> Iterator[None]:
    """Turn errors of the storage into one line.

    Raises:
        OutputError: For each of them.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(refusal(output, said(error))) from error


def said(error: OSError) -> str:
    """Return what the system says of an error: one line, without names."""
    known = os.strerror(error.errno) if error.errno else ""
    return known or complaint(error)
