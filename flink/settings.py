"""Where the cluster and the broker live and listen, and how large they are."""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from flink.processes import Problem

ROOT = Path(__file__).resolve().parents[1]
FILE = "settings.json"
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Java options of servers that live for minutes: half of a start goes to compiling code."""
DAY_MS = 86_400_000
MOST_MB = 1_048_576
LONGEST = 255
"""Of a file's name, in characters."""
BOOLEANS = {"0": False, "false": False, "1": True, "true": True}
SHOWN = 60
"""So much of a wrong value is shown, in characters."""


def _whole(text: str) -> int:
    # Python would take digits of every script, of any number, and underscores between.
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise ValueError(text)
    return int(text)


def _number(text: str) -> float:
    if not re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,9})?", text):
        raise ValueError(text)
    return float(text)


READERS: dict[type, tuple[Callable[[str], Any], str]] = {
    bool: (lambda text: BOOLEANS[text.lower()], "0 or 1"),
    str: (str, "a text"),
    int: (_whole, "a whole number"),
    float: (_number, "a number"),
}


@dataclass(frozen=True)
class Settings:
    """Settings that environment variables change: a prefix and the field's name in capitals."""

    PREFIX: ClassVar[str] = ""
    # The least that a number may be, where that is not 1, and the most, where that is not DAY_MS.
    LEAST: ClassVar[Mapping[str, int]] = {}
    MOST: ClassVar[Mapping[str, int]] = {}
    # Texts that name a folder.
    FOLDERS: ClassVar[tuple[str, ...]] = ()

    folder: Path = ROOT / ".flink"
    timeout_s: float = 120.0
    java_options: str = ""

    def __post_init__(self) -> None:
        for name in self._names():
            value = getattr(self, name)
            least = self.LEAST.get(name, 1)
            if name.endswith("port") and not least <= value <= 65535:
                raise Problem(f"{self.variable(name)}={value}: must be from {least} to 65535")
            if isinstance(value, int | float) and not isinstance(value, bool):
                if not value >= least:
                    raise Problem(f"{self.variable(name)}={value}: must be {least} or more")
                if value > (most := self.MOST.get(name, DAY_MS)):
                    raise Problem(f"{self.variable(name)}={value}: must be {most} or less")
        used = [port for port in self.ports().values() if port]
        if len(set(used)) < len(used):
            raise Problem(f"two ports are the same: {', '.join(self.ports())} must differ")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read what the environment sets; the rest is the default.

        Raises:
            Problem: A value cannot be.
        """
        given = os.environ if environment is None else environment
        names = {name: cls.variable(name) for name in cls._names()}
        return cls._read({name: given[key] for name, key in names.items() if given.get(key)})

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read what `save` left in a folder; None if nothing was started there.

        Raises:
            Problem: The file is damaged, or another version's.
        """
        if not cls.marks(folder):
            return None
        path = folder / FILE
        try:
            texts = {str(name): str(text) for name, text in json.loads(path.read_text()).items()}
            if unknown := set(texts) - set(cls._names()):
                raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        except (ValueError, AttributeError, OSError) as error:
            reason = shown(str(error))
            raise Problem(f"{path}: cannot be read ({reason}): remove the folder") from None
        return cls._read(texts)

    @staticmethod
    def marks(folder: Path) -> bool:
        """Return whether a folder is ours, to fill and to remove."""
        return (folder / FILE).exists()

    def refuse_others(self) -> None:
        """Refuse a folder that holds something else.

        Raises:
            Problem: It does.
        """
        folder = self.folder
        if not self.marks(folder) and folder.exists() and any(folder.iterdir()):
            variable = self.variable("folder")
            raise Problem(f"{folder} holds other files: set {variable} to a new folder")

    def save(self) -> None:
        """Mark the folder as ours, with what is started there."""
        texts = {name: str(getattr(self, name)) for name in self._names()}
        (self.folder / FILE).write_text(json.dumps(texts, indent=1) + "\n")

    @classmethod
    def variable(cls, name: str) -> str:
        """Return the environment variable of a field."""
        return cls.PREFIX + name.upper()

    def ports(self) -> dict[str, int]:
        """Return all ports, by environment variable."""
        names = [name for name in self._names() if name.endswith("port")]
        return {self.variable(name): getattr(self, name) for name in names}

    @classmethod
    def _names(cls) -> list[str]:
        return [field.name for field in fields(cls)]

    @classmethod
    def _read(cls, texts: Mapping[str, str]) -> Self:
        kinds = {field.name: type(field.default) for field in fields(cls)}
        values = {}
        for name, text in texts.items():
            read, what = READERS.get(kinds[name], (_path, "a path"))
            try:
                if not text.isprintable():
                    what = f"{what} on one line"
                    raise ValueError(text)
                values[name] = read(text)
                if name in cls.FOLDERS and text:
                    what = "a path"
                    _path(text)
            except (KeyError, ValueError, RuntimeError, OSError):
                raise Problem(f"{cls.variable(name)}={shown(text)}: must be {what}") from None
        return cls(**values)


@dataclass(frozen=True)
class ClusterSettings(Settings):
    """A Flink cluster and Beam's job server.

    Attributes:
        folder: Configuration, logs, process ids and, unless said otherwise, checkpoints.
        timeout_s: How long a start may take [s].
        java_options: More options for every Java machine.
        port: Of the JobManager's REST interface and web page.
        rpc_port: Of the JobManager for the TaskManagers.
        job_port: Where Beam pipelines are handed in.
        artifact_port: Where they hand in their files.
        zookeeper_port: Of ZooKeeper, with high availability.
        metrics_port: Of the JobManager's metrics for Prometheus; TaskManager n has the n-th
            after it. 0: none, as Flink opens these on every interface of the machine.
        taskmanagers: How many.
        slots: Of each TaskManager.
        jobmanager_mb: Memory of the JobManager's process [MB].
        taskmanager_mb: Memory of each TaskManager's process, Python workers not counted [MB].
        job_server_mb: Heap of the job server [MB].
        checkpoints: Folder of checkpoints and savepoints; outside of `folder`, `down` keeps it.
        checkpoint_ms: Time between checkpoints [ms].
        high_availability: Whether jobs survive the JobManager, by ZooKeeper.
    """

    PREFIX: ClassVar[str] = "FLINK_"
    LEAST: ClassVar[Mapping[str, int]] = {
        "metrics_port": 0,
        "jobmanager_mb": 768,
        "taskmanager_mb": 1024,
        "job_server_mb": 128,
        "checkpoint_ms": 100,
    }
    MOST: ClassVar[Mapping[str, int]] = {
        **dict.fromkeys(("jobmanager_mb", "taskmanager_mb", "job_server_mb"), MOST_MB),
        **dict.fromkeys(("taskmanagers", "slots"), 256),
    }
    FOLDERS: ClassVar[tuple[str, ...]] = ("checkpoints",)

    folder: Path = ROOT / ".flink" / "cluster"
    port: int = 8081
    rpc_port: int = 6123
    job_port: int = 8099
    artifact_port: int = 8098
    zookeeper_port: int = 2181
    metrics_port: int = 0
    taskmanagers: int = 2
    slots: int = 2
    jobmanager_mb: int = 1024
    taskmanager_mb: int = 1280
    job_server_mb: int = 256
    checkpoints: str = ""
    checkpoint_ms: int = 10_000
    high_availability: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        last = self.metrics_port + self.taskmanagers
        if self.metrics_port and last > 65535:
            said = f"{self.variable('metrics_port')}={self.metrics_port}"
            raise Problem(f"{said}: the last TaskManager's would be {last}, above 65535")

    @property
    def checkpoint_folder(self) -> Path:
        """Where checkpoints go."""
        return _path(self.checkpoints) if self.checkpoints else self.folder / "checkpoints"


@dataclass(frozen=True)
class BrokerSettings(Settings):
    """A Kafka broker, which is its own controller.

    Attributes:
        folder: Configuration, log, process id and the records.
        timeout_s: How long a start may take [s].
        java_options: More options for the Java machine.
        port: Where producers and consumers connect.
        controller_port: Where the broker's controller listens.
        heap_mb: Heap of the broker [MB].
        security: Folder of `server.properties`, which secures the listener (more of the broker's
            settings, as Kafka names them), and `client.properties`, how to be let in; empty: open.
    """

    PREFIX: ClassVar[str] = "KAFKA_"
    LEAST: ClassVar[Mapping[str, int]] = {"heap_mb": 128}
    MOST: ClassVar[Mapping[str, int]] = {"heap_mb": MOST_MB}
    FOLDERS: ClassVar[tuple[str, ...]] = ("security",)

    folder: Path = ROOT / ".flink" / "broker"
    port: int = 9092
    controller_port: int = 9093
    heap_mb: int = 384
    security: str = ""


def shown(text: str) -> str:
    """Return a text as one line of a message may hold it."""
    line = "".join(one if one.isprintable() else "?" for one in text)
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}..."


def _path(text: str) -> Path:
    if max(map(len, text.split("/"))) > LONGEST:
        raise ValueError(text)
    return Path(text).expanduser().resolve()
