"""The way in from files: inspect, plan, read. All arithmetic is in the modules beside."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import PCollection, TaggedOutput
from apache_beam.typehints.decorators import no_annotations

from transforms import gps
from transforms.coders import (
    DEAD_LETTERS,
    SEGMENTS,
    TaggedDeadLetter,
    TaggedSegment,
    timed,
)
from transforms.elements import Block, BlockPlan, DeadLetter, Segment, Span
from transforms.ingest import formats
from transforms.ingest.blocks import read_block
from transforms.ingest.config import IngestConfig
from transforms.ingest.plan import Plan, Reach, plan
from transforms.ingest.series import DataError
from transforms.kinds import SegmentKind

Planner = Callable[[Iterable[Span]], Plan]
_LARGEST_HASHED = 64 << 20
"""Largest unusable file of which a checksum is taken [bytes]."""


class Archive(NamedTuple):
    """What comes out of the files."""

    blocks: PCollection
    """`Block`: what is analysed."""
    segments: PCollection
    """`Segment`: what is not, and why not."""
    dead_letters: PCollection
    """`DeadLetter`: which files, or parts of files, are not used."""
    plans: PCollection
    """`BlockPlan`: what will be read, known before any of it is."""


@dataclass
class ReadArchive(beam.PTransform):  # type: ignore[misc]
    """Turn paths of files into blocks of strain."""

    config: IngestConfig
    reach: Reach
    minimum_ns: int
    start_ns: int | None = None
    end_ns: int | None = None

    @no_annotations  # type: ignore[untyped-decorator]
    def expand(self, paths: PCollection) -> Archive:
        """Take paths, in any order; give blocks, segments not analysed and dead letters."""
        inspected = paths | "Inspect" >> beam.ParDo(InspectFile(self.config)).with_outputs(
            DEAD_LETTERS, main="spans"
        )
        planned = (
            inspected.spans
            | "Key by channel" >> beam.Map(_keyed)
            | "Group channel" >> beam.GroupByKey()
            | "Plan"
            >> beam.ParDo(PlanChannel(self._planner())).with_outputs(
                SEGMENTS, DEAD_LETTERS, main="plans"
            )
        )
        read = (
            planned.plans
            | "Spread" >> beam.Reshuffle()
            | "Read" >> beam.ParDo(ReadBlock()).with_outputs(SEGMENTS, DEAD_LETTERS, main="blocks")
        )
        letters = (part[DEAD_LETTERS] for part in (inspected, planned, read))
        return Archive(
            read.blocks,
            (planned[SEGMENTS], read[SEGMENTS]) | "Join segments" >> beam.Flatten(),
            tuple(letters) | "Join dead letters" >> beam.Flatten(),
            planned.plans,
        )

    def _planner(self) -> Planner:
        return partial(
            plan,
            reach=self.reach,
            minimum_ns=self.minimum_ns,
            block_ns=self.config.block_seconds * gps.NANOSECONDS,
            start_ns=self.start_ns,
            end_ns=self.end_ns,
        )


class InspectFile(beam.DoFn):  # type: ignore[misc]
    """Give the spans of a file, or a dead letter."""

    files = Metrics.counter("ingest", "files")
    spans = Metrics.counter("ingest", "spans")
    dead_letters = Metrics.counter("ingest", "dead_letters")

    def __init__(self, config: IngestConfig) -> None:
        self._config = config

    def process(self, name: str | bytes) -> Iterator[Span | TaggedDeadLetter]:
        """Inspect one file; its name may come as bytes, as it need not be text."""
        self.files.inc()
        path = os.fsdecode(name)
        try:
            spans = formats.inspect(path, self._config)
        except DataError as error:
            self.dead_letters.inc()
            yield TaggedOutput(
                DEAD_LETTERS, DeadLetter(path, str(error), checksum(path), error.kind)
            )
            return
        self.spans.inc(len(spans))
        yield from spans


class PlanChannel(beam.DoFn):  # type: ignore[misc]
    """Give the blocks of a channel, its segments not analysed, and files not used."""

    dead_letters = Metrics.counter("ingest", "dead_letters")

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    def process(
        self, grouped: tuple[str, Iterable[Span]]
    ) -> Iterator[BlockPlan | TaggedSegment | TaggedDeadLetter]:
        """Plan one channel."""
        planned = self._planner(grouped[1])
        self.dead_letters.inc(len(planned.dead_letters))
        yield from planned.blocks
        for segment in planned.segments:
            yield TaggedOutput(SEGMENTS, timed(segment, segment.start_ns))
        for letter in planned.dead_letters:
            yield TaggedOutput(DEAD_LETTERS, letter)


class ReadBlock(beam.DoFn):  # type: ignore[misc]
    """Give a block at its event time, or a segment not analysed and why."""

    blocks = Metrics.counter("ingest", "blocks")
    dead_letters = Metrics.counter("ingest", "dead_letters")

    def process(self, wanted: BlockPlan) -> Iterator[Block | TaggedSegment | TaggedDeadLetter]:
        """Read one block."""
        start_ns, end_ns = wanted.analyse_start_ns, wanted.analyse_end_ns
        try:
            block = read_block(wanted)
        except DataError as error:
            self.dead_letters.inc()
            yield TaggedOutput(
                DEAD_LETTERS, DeadLetter(wanted.pieces[0].path, str(error), kind=error.kind)
            )
            kind = SegmentKind.UNREADABLE
            lost = Segment(wanted.ifo, wanted.channel, start_ns, end_ns, False, kind.value, kind)
            yield TaggedOutput(SEGMENTS, timed(lost, start_ns))
            return
        self.blocks.inc()
        yield timed(block, start_ns)


def checksum(path: str) -> str:
    """Give the SHA-256 of a small file's bytes; empty where it cannot be had."""
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > _LARGEST_HASHED:
            return ""
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _keyed(span: Span) -> tuple[str, Span]:
    return span.channel, span
