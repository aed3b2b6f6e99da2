"""Where a process shows its metrics, and how it writes its log."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ADDRESS, FOLDER, LOG = "WAVEFIER_METRICS", "WAVEFIER_METRICS_FOLDER", "WAVEFIER_LOG"
"""Environment variables: workers are started by others, and know where they run from these."""
TEXT, JSON = "text", "json"
LARGEST_PORT = 65535


@dataclass(frozen=True)
class ObserveConfig:
    """What is shown of a process; by default nothing.

    Raises:
        ValueError: The address or the kind of log cannot be; one line.
    """

    address: str = ""
    """HOST:PORT of the endpoint, shared by all processes of a machine or pod; empty: none."""
    folder: str = ""
    """Folder where these processes keep their counts; empty: one for each port, among the
    temporary files."""
    log: str = TEXT
    """How lines of the log are written: ``text`` or ``json``."""

    def __post_init__(self) -> None:
        if self.log not in (TEXT, JSON):
            raise ValueError(f"{LOG}={self.log}: must be {TEXT} or {JSON}")
        if not self.address:
            return
        host, _, port = self.address.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) <= LARGEST_PORT:
            raise ValueError(f"metrics at {self.address}: must be HOST:PORT, as in 127.0.0.1:9400")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read what the environment says.

        Raises:
            ValueError: A value cannot be.
        """
        given = os.environ if environment is None else environment
        return cls(given.get(ADDRESS, ""), given.get(FOLDER, ""), given.get(LOG) or TEXT)

    def environment(self) -> dict[str, str]:
        """Give the variables that say the same to a process."""
        return {ADDRESS: self.address, FOLDER: self.folder, LOG: self.log}

    @property
    def place(self) -> tuple[str, int]:
        """Give host and port of the endpoint."""
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def counts(self) -> Path:
        """Give the folder of counts."""
        if self.folder:
            return Path(self.folder)
        return Path(tempfile.gettempdir()) / f"wavefier-metrics-{self.place[1]}"
