"""wdflow: the Wavelet Detection Filter, offline."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.detection import scoring
from benchmarks.detection.injections import BAND_LOW
from benchmarks.detection.scoring import Event
from benchmarks.peers.sgnax import installed
from benchmarks.peers.tool import CHANNEL, CLUSTER, Span, frame_list, read_csv

SCRIPT = Path(__file__).parent / "env" / "run_wdflow.py"


@dataclass
class Wdflow:
    """The worker for one segment: autoregressive model of order 600, windows of 1024."""

    python: Path
    name: str = "wdflow"
    length: float = 0.25

    def version(self) -> str:
        """Return which version is measured."""
        return installed(self.python, "wdflow")

    def command(self, span: Span) -> list[str | Path]:
        """Prepare a run, and return its command line."""
        times = str(span.archive.sample_rate), str(span.archive.gps_start), str(span.end)
        limits = str(span.threshold), str(BAND_LOW)
        return [self.python, SCRIPT, frame_list(span), CHANNEL, *times, *limits, span.output]

    def events(self, span: Span) -> list[Event]:
        """Read what a run found; overlapping windows tell of one transient twice."""
        return scoring.thin(read_csv(span.output / "events.csv"), CLUSTER)

    def analysed(self, span: Span) -> tuple[float, float]:
        """It says how far it got; its filters need a few seconds first."""
        searched = float((span.output / "analysed.txt").read_text())
        first = min(event.time for event in self.events(span)) - span.archive.gps_start
        return first, span.seconds - searched
