"""Temporary files: in a folder of this process's own, which goes with it.

Beam makes folders where its pipelines, its stager and its job server start, and removes few.
"""

import atexit
import os
import shutil
import tempfile
from functools import cache


@cache
def use() -> str:
    """Make temporary files in one folder, which is removed as this process ends."""
    folder = tempfile.mkdtemp(prefix="wavefier-")
    # Before Beam is asked for anything: what it does at the end, with its files, comes first.
    atexit.register(_remove, folder, os.getpid())
    tempfile.tempdir = folder
    # For the children.
    os.environ["TMPDIR"] = folder
    return folder


def remove() -> None:
    """Remove the folder now, where there is one."""
    if use.cache_info().currsize:
        _remove(use(), os.getpid())


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
