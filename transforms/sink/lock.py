"""Who may write to an output folder: one run on files, or the starts of one live job."""

import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK = ".wavefier.lock"
"""The file that is locked while somebody writes; it goes with him."""

_LOG = logging.getLogger(__name__)
_UNABLE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


class BusyError(RuntimeError):
    """Somebody else holds the folder."""


@contextmanager
def locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a folder while the context lasts; the lock of a process that is killed goes with it.

    Args:
        folder: The folder, which exists; on NFS, version 4.
        shared: Whether others who share may hold it too.

    Raises:
        BusyError: Somebody else holds it.
        OSError: The lock cannot be made.
    """
    path = folder / LOCK
    descriptor = _acquired(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
    finally:
        # Only the last one removes the file: a lock on a removed file keeps nobody out.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        os.close(descriptor)


def _acquired(path: Path, how: int) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            _lock(descriptor, how, path)
            if _still_there(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # whoever held it has removed it meanwhile


def _lock(descriptor: int, how: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BusyError from None
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
        _LOG.warning("%s: this file system has no locks; let one run at a time write", path)


def _still_there(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
