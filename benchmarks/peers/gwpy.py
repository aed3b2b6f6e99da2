"""gwpy's q_gram: tiles of the loudest Q plane, 64 s at a time."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.detection import scoring
from benchmarks.detection.injections import BAND_LOW
from benchmarks.detection.scoring import Event
from benchmarks.peers.sgnax import installed
from benchmarks.peers.tool import CHANNEL, CLUSTER, Span, lal_cache, read_csv

SCRIPT = Path(__file__).parent / "env" / "run_gwpy.py"


@dataclass
class Gwpy:
    """``TimeSeries.whiten`` and ``q_gram``."""

    python: Path
    name: str = "gwpy"
    length: float = 1.0

    def version(self) -> str:
        """Return which version is measured."""
        return installed(self.python, "gwpy")

    def command(self, span: Span) -> list[str | Path]:
        """Prepare a run, and return its command line."""
        times = str(span.archive.gps_start), str(span.end)
        limits = str(span.threshold), str(BAND_LOW)
        return [self.python, SCRIPT, lal_cache(span), CHANNEL, *times, *limits, span.output]

    def events(self, span: Span) -> list[Event]:
        """Read what a run found; of neighbouring tiles the loudest."""
        return scoring.thin(read_csv(span.output / "events.csv"), CLUSTER)

    def analysed(self, span: Span) -> tuple[float, float]:
        """All but what whitening cuts off at the ends: half a filter of 2 s."""
        return 1.0, 1.0
