"""Where a process shows its metrics, and how it writes its log."""

import os
import re
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from transforms.checks import OneOf, Rule, check_values
from transforms.environment import read_texts
from transforms.texts import shown

ADDRESS, FOLDER, LOG = "WAVEFIER_METRICS", "WAVEFIER_METRICS_FOLDER", "WAVEFIER_LOG"
"""Environment variables: workers are started by others, and know where they run from these."""
_VARIABLES = {"address": ADDRESS, "folder": FOLDER, "log": LOG}
_CALLED = {**_VARIABLES, "address": f"the address of metrics (--metrics, {ADDRESS})"}
TEXT, JSON = "text", "json"
LARGEST_PORT = 65535


class _Address(Rule):
    """HOST:PORT, or nothing."""

    def wanted(self, value: str) -> str:
        """Return the form, if a text has another one."""
        return "" if not value or is_address(value) else "be HOST:PORT, as in 127.0.0.1:9400"


@dataclass(frozen=True)
class ObserveConfig:
    """What is shown of a process; by default nothing.

    Raises:
        ValueError: The address or the kind of log cannot be; one line.
    """

    address: Annotated[str, _Address()] = ""
    """HOST:PORT of the endpoint, shared by all processes of a machine or pod; empty: none."""
    folder: str = ""
    """Folder where these processes keep their counts; empty: one for each user and port, among
    the temporary files, which nobody else may read."""
    log: Annotated[str, OneOf((TEXT, JSON))] = TEXT
    """How lines of the log are written: ``text`` or ``json``."""

    def __post_init__(self) -> None:
        check_values(self, _CALLED.__getitem__)
        if "\0" in self.folder:
            raise ValueError(f"{FOLDER} must be the name of a folder, not {shown(self.folder)}")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read what the environment says.

        Raises:
            ValueError: A value cannot be.
        """
        given = os.environ if environment is None else environment
        texts = {field: given.get(name, "") for field, name in _VARIABLES.items()}
        return read_texts(cls, texts, _CALLED.__getitem__)

    def environment(self) -> dict[str, str]:
        """Return the variables that say the same to a process."""
        return {name: str(getattr(self, field)) for field, name in _VARIABLES.items()}

    @property
    def place(self) -> tuple[str, int]:
        """Return host and port of the endpoint."""
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def counts(self) -> Path:
        """Return the folder of counts."""
        if self.folder:
            return Path(self.folder)
        # Whose: the folder of temporary files may be everybody's.
        name = f"wavefier-metrics-{os.geteuid()}-{self.place[1]}"
        return Path(tempfile.gettempdir()) / name

    def made(self) -> Path:
        """Make the folder of counts, or see that it is ours, and return it.

        Raises:
            ValueError: It cannot be made, or somebody else's stands there; one line.
        """
        folder = self.counts
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = folder.lstat()
        except OSError as error:
            raise ValueError(f"{FOLDER}={folder}: cannot be used ({error.strerror})") from error
        if not self.folder and not (
            stat.S_ISDIR(found.st_mode)
            and found.st_uid == os.geteuid()
            and not found.st_mode & 0o077
        ):
            raise ValueError(
                f"{folder} is not this user's alone: name another folder in {FOLDER}, or remove it"
            )
        return folder


def is_address(text: str) -> bool:
    """Return whether a text is HOST:PORT; an address of IPv6 may stand between brackets."""
    host, _, port = text.rpartition(":")
    digits = port.isascii() and port.isdigit() and len(port) <= 5
    if not digits or not 0 < int(port) <= LARGEST_PORT:
        return False
    return bool(host.strip("[]")) and host.isprintable() and not re.search(r"[\s/]", host)
