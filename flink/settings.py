"""Where the cluster and the broker live and listen, and how large they are."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from flink.processes import Problem
from transforms.checks import Limits, Rule, check_values
from transforms.environment import as_path, read_texts
from transforms.texts import cut

ROOT = Path(__file__).resolve().parents[1]
FILE = "settings.json"
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Java options of servers that live for minutes: half of a start goes to compiling code."""
DAY_MS = 86_400_000
MOST_MB = 1_048_576
PORT = Limits(ge=1, le=65535)


class FolderName(Rule):
    """A text that names a folder; empty: none."""

    def wanted(self, value: Any) -> str:
        """Return that it must be a path, if it can be none."""
        try:
            as_path(value)
        except (ValueError, RuntimeError, OSError):
            return "be a path"
        return ""


@dataclass(frozen=True)
class Settings:
    """Settings that environment variables change: a prefix and the field's name in capitals."""

    PREFIX: ClassVar[str] = ""

    folder: Path = ROOT / ".flink"
    timeout_s: Annotated[float, Limits(ge=1, le=86_400)] = 120.0
    java_options: str = ""

    def __post_init__(self) -> None:
        try:
            check_values(self, self.variable)
        except ValueError as error:
            raise Problem(str(error)) from None
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
        return cls._read({name: given.get(key, "") for name, key in names.items()})

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
            reason = cut(str(error))
            raise Problem(f"{path}: cannot be read ({reason}): remove the folder") from None
        return cls._read(texts)

    @classmethod
    def of_running(cls) -> Self:
        """Return the settings of what was started in the folder that the environment sets.

        Where nothing was, they are the environment's.

        Raises:
            Problem: A value, or the file that was left, cannot be.
        """
        given = cls.from_environment()
        return cls.load(given.folder) or given

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
        try:
            return read_texts(cls, texts, cls.variable)
        except ValueError as error:
            raise Problem(str(error)) from None


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

    folder: Path = ROOT / ".flink" / "cluster"
    port: Annotated[int, PORT] = 8081
    rpc_port: Annotated[int, PORT] = 6123
    job_port: Annotated[int, PORT] = 8099
    artifact_port: Annotated[int, PORT] = 8098
    zookeeper_port: Annotated[int, PORT] = 2181
    metrics_port: Annotated[int, Limits(ge=0, le=65535)] = 0
    taskmanagers: Annotated[int, Limits(ge=1, le=256)] = 2
    slots: Annotated[int, Limits(ge=1, le=256)] = 2
    jobmanager_mb: Annotated[int, Limits(ge=768, le=MOST_MB)] = 1024
    taskmanager_mb: Annotated[int, Limits(ge=1024, le=MOST_MB)] = 1280
    job_server_mb: Annotated[int, Limits(ge=128, le=MOST_MB)] = 256
    checkpoints: Annotated[str, FolderName()] = ""
    checkpoint_ms: Annotated[int, Limits(ge=100, le=DAY_MS)] = 10_000
    high_availability: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        last = self.metrics_port + self.taskmanagers
        if self.metrics_port and last > 65535:
            said = f"{self.variable('metrics_port')} must leave room for the TaskManagers'"
            raise Problem(f"{said}: with {self.metrics_port}, the last one is {last}, above 65535")

    @property
    def checkpoint_folder(self) -> Path:
        """Where checkpoints go."""
        return as_path(self.checkpoints) if self.checkpoints else self.folder / "checkpoints"


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

    folder: Path = ROOT / ".flink" / "broker"
    port: Annotated[int, PORT] = 9092
    controller_port: Annotated[int, PORT] = 9093
    heap_mb: Annotated[int, Limits(ge=128, le=MOST_MB)] = 384
    security: Annotated[str, FolderName()] = ""
