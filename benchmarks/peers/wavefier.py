"""This project's own command, on the same files as the peers."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from beam_pipeline.config import PipelineConfig
from benchmarks.detection import detector
from benchmarks.detection.scoring import Event
from benchmarks.peers.tool import Span
from benchmarks.throughput import archive
from transforms.sink import writers


@dataclass
class Wavefier:
    """The whole chain: read, whiten, search, cluster, classify, write, report."""

    name: str = "wavefier"
    length: float = 1.0

    def version(self) -> str:
        """Return which version is measured."""
        return version("wavefier")

    def command(self, span: Span) -> list[str | Path]:
        """Prepare a run, and return its command line."""
        span.output.mkdir(parents=True, exist_ok=True)
        config = span.output / "science.yaml"
        config.write_text(detector.eager(PipelineConfig(), span.threshold).to_yaml())
        line = archive.command(span.archive, span.seconds, 1, span.output / "results")
        return [*line, "--config", config]

    def events(self, span: Span) -> list[Event]:
        """Read what a run found."""
        rows = writers.read_triggers(str(span.output / "results")).to_pylist()
        return [detector.row_as_event(row) for row in rows]

    def analysed(self, span: Span) -> tuple[float, float]:
        """Half a filter at either end."""
        segments = writers.read_segments(str(span.output / "results"))
        good = [segment for segment in segments if segment.analysed]
        start = min(segment.start_ns for segment in good) / 1e9
        end = max(segment.end_ns for segment in good) / 1e9
        return start - span.archive.gps_start, span.end - end
