"""The way in from Kafka: messages as they come. All else is in the modules beside."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import apache_beam as beam
from apache_beam.coders import Coder
from apache_beam.io.iobase import RestrictionProgress, RestrictionTracker
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.metrics import Metrics
from apache_beam.pvalue import PBegin, PCollection, TaggedOutput
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.transforms.window import TimestampedValue
from apache_beam.typehints.decorators import no_annotations

from transforms.coders import DEAD_LETTERS, event_time, timed
from transforms.elements import DeadLetter
from transforms.ingest.kafka import reader
from transforms.ingest.kafka.positions import Positions
from transforms.ingest.kafka.source import Batch, Source
from transforms.observe.record import Spent

T = TypeVar("T")


class Read(NamedTuple, Generic[T]):
    """What comes from Kafka."""

    elements: PCollection[tuple[str, T]]
    """By key, each at the event time that the source's timekeeper sets."""
    dead_letters: PCollection[DeadLetter]
    """Which messages are not used."""


@dataclass
class ReadKafka(beam.PTransform, Generic[T]):  # type: ignore[misc]
    """Read all partitions of some topics, without end."""

    source: Source[T]

    @no_annotations  # type: ignore[untyped-decorator]
    def expand(self, begin: PBegin) -> Read[T]:
        """Return elements and dead letters."""
        messages = beam.ParDo(ReadMessages(self.source)).with_output_types(
            tuple[str, self.source.element],  # type: ignore[name-defined]
            **{DEAD_LETTERS: DeadLetter},
        )
        read = (
            begin
            # One element, which says nothing: a job that is restored keeps it for ever.
            | "Begin" >> beam.Impulse()
            | "Read" >> messages.with_outputs(DEAD_LETTERS, main="elements")
        )
        letters = read[DEAD_LETTERS]
        # Beam takes only the main output of an endless source for endless.
        letters.is_bounded = False
        return Read(read.elements, letters)


class PositionsCoder(Coder):  # type: ignore[misc]
    """Positions as JSON."""

    def encode(self, value: Positions) -> bytes:
        """Return the bytes of positions."""
        return value.to_bytes()

    def decode(self, encoded: bytes) -> Positions:
        """Return the positions that the bytes hold."""
        return Positions.from_bytes(encoded)

    def is_deterministic(self) -> bool:
        """Equal positions have equal bytes."""
        return True


class PositionsTracker(RestrictionTracker):  # type: ignore[misc]
    """Tracks positions that only advance, without end; it can split only where it stands."""

    def __init__(self, start: Positions) -> None:
        self._start = self._claimed = start

    def current_restriction(self) -> Positions:
        """Return where this began; ``done`` once the rest was split off."""
        return self._start

    def try_claim(self, position: Positions) -> bool:
        """Claim all up to some positions; False once the rest was split off."""
        if self._start.done:
            return False
        self._claimed = position
        return True

    def try_split(self, fraction_of_remainder: float) -> tuple[Positions, Positions] | None:
        """Split off all that is not claimed; an endless rest has no other fractions."""
        if fraction_of_remainder != 0 or self._start.done:
            return None
        self._start = Positions(done=True)
        return self._start, self._claimed

    def check_done(self) -> bool:
        """Check that the rest goes on elsewhere.

        Raises:
            ValueError: It does not.
        """
        if not self._start.done:
            raise ValueError("the rest was not split off")
        return True

    def current_progress(self) -> RestrictionProgress:
        """Return a progress that never changes, because the rest has no end."""
        return RestrictionProgress(completed=0, remaining=1)

    def is_bounded(self) -> bool:
        """Return False: there is no end."""
        return False


class EndlessPositions(RestrictionProvider):  # type: ignore[misc]
    """Begins where the reader will find out when it first reaches the broker."""

    def initial_restriction(self, element: bytes) -> Positions:
        """Return positions that are still open."""
        return Positions()

    def create_tracker(self, restriction: Positions) -> PositionsTracker:
        """Return a tracker."""
        return PositionsTracker(restriction)

    def restriction_size(self, element: bytes, restriction: Positions) -> int:
        """Return some size: nothing depends on it."""
        return 1

    def restriction_coder(self) -> PositionsCoder:
        """Return the coder of what a checkpoint holds."""
        return PositionsCoder()

    def truncate(self, element: bytes, restriction: Positions) -> None:
        """Read nothing more once the job is drained."""


_POSITIONS = beam.DoFn.RestrictionParam(EndlessPositions())
_WATERMARK = beam.DoFn.WatermarkEstimatorParam(ManualWatermarkEstimator.default_provider())


class ReadMessages(beam.DoFn, Generic[T]):  # type: ignore[misc]
    """Hand over what has come, then let the runner make its checkpoint."""

    messages = Metrics.counter("ingest", "messages")
    size = Metrics.counter("ingest", "bytes")
    dead_letters = Metrics.counter("ingest", "dead_letters")
    lag = Metrics.gauge("ingest", "lag")

    def __init__(self, source: Source[T]) -> None:
        self._source = source
        self._elements = Metrics.counter("ingest", source.name)

    def setup(self) -> None:
        """Use the process's one consumer."""
        self._reader = reader.borrow(self._source)

    def teardown(self) -> None:
        """Leave it."""
        reader.give_back(self._source)

    @beam.DoFn.unbounded_per_element()  # type: ignore[untyped-decorator]
    @no_annotations  # type: ignore[untyped-decorator]
    def process(
        self, element: bytes, tracker: Any = _POSITIONS, watermark: Any = _WATERMARK
    ) -> Iterator[TimestampedValue | TaggedOutput]:
        """Read from some positions, for half a second at most."""
        start = tracker.current_restriction()
        if start.done:
            return
        with Spent("read"):
            batch = self._reader.read(start)
        if not tracker.try_claim(batch.positions):
            return
        self._count(batch)
        for placed in batch.elements:
            yield timed((placed.key, placed.element), placed.time_ns)
        reached = watermark.current_watermark()
        if batch.watermark_ns is not None:
            time = event_time(batch.watermark_ns)
            if reached is None or time > reached:
                reached = time
                watermark.set_watermark(time)
        for letter in batch.dead_letters:
            # It has no time of its own that could be trusted.
            placed_letter = letter if reached is None else TimestampedValue(letter, reached)
            yield TaggedOutput(DEAD_LETTERS, placed_letter)
        tracker.defer_remainder()

    def _count(self, batch: Batch[T]) -> None:
        self.messages.inc(batch.messages)
        self.size.inc(batch.size)
        self._elements.inc(len(batch.elements))
        self.dead_letters.inc(len(batch.dead_letters))
        self.lag.set(batch.lag)
        if self._source.record is not None:
            self._source.record(batch)
