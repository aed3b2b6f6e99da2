"""What is rehearsed, and what came of it."""

from dataclasses import dataclass, field
from pathlib import Path

from beam_pipeline.config import PipelineConfig
from benchmarks.rehearsal.deliveries import Delivery
from benchmarks.rehearsal.monitor import Seen
from benchmarks.rehearsal.servers import BROKER, JOBMANAGER, TASKMANAGER, UPGRADE
from benchmarks.rehearsal.timing import Wait
from benchmarks.rehearsal.watch import Published
from benchmarks.simulated import FIRST_GPS
from transforms.gps import NANOSECONDS, from_seconds

IFOS = ("H1", "L1", "V1")
GROUP, RESULTS = "rehearsal", "rehearsal"
"""The job's consumer group, and what the names of its topics begin with."""
JOB = f"wavefier-live-{GROUP}"
ROOM_S = {TASKMANAGER: 30.0, JOBMANAGER: 30.0, BROKER: 20.0, UPGRADE: 60.0}
"""Within this, analysis is back after each kill [s of real time], with data still coming."""
SLACK_S = 15.0
"""How much sooner than it must be a kill may be [s of real time]."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is rehearsed."""

    frames: int
    seed: int
    speed: float
    """Seconds of data in a second."""
    detectors: int
    kills: tuple[str, ...]
    wire: str
    """How frames are sent: lldd, gwf or row."""
    faults: tuple[str, ...]
    """Options of ``wavefier replay``."""
    config: PipelineConfig
    deadline_s: float
    monitored: bool = False
    """Whether Prometheus looks on."""

    @property
    def ifos(self) -> tuple[str, ...]:
        """The detectors."""
        return IFOS[: self.detectors]

    @property
    def wait(self) -> Wait:
        """What the analysis waits for."""
        warm_up_ns = self.config.whiten.psd_seconds * NANOSECONDS
        return Wait(warm_up_ns, from_seconds(self.config.ingest.wait_seconds))

    def window(self, number: int) -> tuple[float, float]:
        """Return when a kill is due, and when it can wait no more for results [s of data].

        They are spread evenly; after each, data must go on until analysis is back.
        """
        even = (number + 1) * self.frames / (len(self.kills) + 1)
        room = sum(ROOM_S[what] for what in self.kills[number:])
        last = self.frames - room * self.speed
        return max(0.0, min(even, last - SLACK_S * self.speed)), max(0.0, last)

    @property
    def end_ns(self) -> int:
        """GPS time at which the data end."""
        return (FIRST_GPS + self.frames) * NANOSECONDS


@dataclass
class Outcome:
    """What came of it."""

    deliveries: list[Delivery] = field(default_factory=list)
    kills: list[tuple[str, float]] = field(default_factory=list)
    """What, and when [Unix s]."""
    published: Published = field(default_factory=lambda: Published([], [], []))
    checkpoint_bytes: list[int] = field(default_factory=list)
    """Sizes of checkpoints, as time goes by; the last is the last."""
    seen: Seen | None = None
    """What Prometheus has seen."""
    live: Path = Path()
    """Folder that the live job has written."""
    archive: Path = Path()
    """Folder of the archive's job on the good frames."""
