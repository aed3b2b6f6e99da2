"""The detection stage of the graph: tiles, then session windows, then triggers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.transforms.window import Sessions, TimestampedValue
from apache_beam.utils.timestamp import Timestamp

from transforms.coders import CandidateCoder
from transforms.detect.bank import bank_for
from transforms.detect.cluster import cluster, marks
from transforms.detect.config import DetectConfig
from transforms.detect.search import bins_per_second, search
from transforms.elements import Trigger, Whitened
from transforms.gps import NANOSECONDS, to_event_micros


@dataclass
class Detect(beam.PTransform):  # type: ignore[misc]
    """Blocks of white noise to triggers: one for each transient of a channel."""

    config: DetectConfig
    band_low: float
    """Lower end of the whitened band [Hz]."""
    config_id: str

    def expand(self, whitened: Any) -> Any:
        """Wire the stage."""
        bin_ns, gap_ns = grid(self.config)
        return (
            whitened
            | "Search" >> beam.ParDo(_Search(self.config, self.band_low))
            | "Sessions" >> beam.WindowInto(Sessions((bin_ns + gap_ns) / NANOSECONDS))
            | "Gather" >> beam.GroupByKey()
            | "Cluster" >> beam.MapTuple(self._cluster).with_output_types(Trigger)
        )

    def _cluster(self, _channel: str, encoded: Iterable[bytes]) -> Trigger:
        coder = CandidateCoder()
        return cluster((coder.decode(item) for item in encoded if item), self.config_id)


def grid(config: DetectConfig) -> tuple[int, int]:
    """Give the width of a bin and the gap between triggers [ns]."""
    return NANOSECONDS // bins_per_second(config), round(config.gap_seconds * NANOSECONDS)


@beam.typehints.with_output_types(tuple[str, bytes])
class _Search(beam.DoFn):  # type: ignore[misc]
    """Candidates as (channel, bytes) at their event time.

    A candidate that lasts longer than the gap is followed by empty marks over its
    extent, so that session windows merge all that it overlaps.
    """

    def __init__(self, config: DetectConfig, band_low: float) -> None:
        self._config = config
        self._band_low = band_low
        self._candidates = Metrics.counter("wavefier", "candidates")

    def process(self, whitened: Whitened) -> Iterator[TimestampedValue]:
        """Search one block."""
        bank = bank_for(whitened.sample_rate, self._config, self._band_low)
        coder, (bin_ns, gap_ns) = CandidateCoder(), grid(self._config)
        for candidate in search(whitened, self._config, bank):
            self._candidates.inc()
            own, *others = marks(candidate, gap_ns, bin_ns)
            yield _at(own, candidate.channel, coder.encode(candidate))
            for mark in others:
                yield _at(mark, candidate.channel, b"")


def _at(gps_ns: int, channel: str, encoded: bytes) -> TimestampedValue:
    return TimestampedValue((channel, encoded), Timestamp(micros=to_event_micros(gps_ns)))
