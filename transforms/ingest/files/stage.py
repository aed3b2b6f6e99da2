"""The way in from files: inspect, plan, read. All arithmetic is in the modules beside."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import PBegin, TaggedOutput
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
from transforms.ingest import quality
from transforms.ingest.config import IngestConfig
from transforms.ingest.errors import DataError, letter_of
from transforms.ingest.files import formats
from transforms.ingest.files.blocks import read_block
from transforms.ingest.files.plan import EVERYTHING, Plan, Within, plan
from transforms.ingest.reach import Reach
from transforms.kinds import LetterKind, SegmentKind
from transforms.refusal import Refuse, refuse_none, refused
from transforms.results import Strain

CHECKS = "checks"
TaggedChecks: TypeAlias = TaggedOutput[Literal["checks"], tuple[str, ...]]
"""Names of the bits of a file's masks."""
Planner = Callable[[Iterable[Span]], Plan]
_LARGEST_HASHED = 64 << 20
"""Largest unusable file of which a checksum is taken [bytes]."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """Functions that are called with each element as it passes, to show how far a run is."""

    plan: Callable[[BlockPlan], BlockPlan]
    """Called with what will be read, before any of it is."""
    block: Callable[[Block], Block]
    """Called with what was read."""


@dataclass
class ReadFiles(beam.PTransform):  # type: ignore[misc]
    """Files of strain as a source: blocks, in any order.

    No block is read of a rate that is refused: it is a segment with the reason.
    """

    paths: Sequence[str]
    config: IngestConfig
    reach: Reach
    minimum_ns: int
    within: Within = EVERYTHING
    watched: Watched | None = None
    refuse: Refuse = refuse_none

    @no_annotations  # type: ignore[untyped-decorator]
    def expand(self, begin: PBegin) -> Strain:
        """Wire the source: inspect, plan, read."""
        # Bytes, since no coder of text takes a path that is not UTF-8.
        paths = begin | "Files" >> beam.Create([os.fsencode(path) for path in self.paths])
        window = self.within.known(self.reach, self.minimum_ns)
        inspected = paths | "Inspect" >> beam.ParDo(InspectFile(self.config, window)).with_outputs(
            DEAD_LETTERS, CHECKS, main="spans"
        )
        planned = (
            inspected.spans
            | "Key by channel" >> beam.Map(_keyed)
            | "Group channel" >> beam.GroupByKey()
            | "Plan"
            >> beam.ParDo(PlanChannel(self._planner(), self.refuse)).with_outputs(
                SEGMENTS, DEAD_LETTERS, main="plans"
            )
        )
        plans = planned.plans
        if self.watched is not None:
            note = beam.Map(self.watched.plan).with_output_types(BlockPlan)
            plans = plans | "Note plans" >> note
        read = (
            plans
            | "Spread" >> beam.Reshuffle()
            | "Read" >> beam.ParDo(ReadBlock()).with_outputs(SEGMENTS, DEAD_LETTERS, main="blocks")
        )
        unknown = (
            inspected[CHECKS]
            | "Checks" >> beam.CombineGlobally(_Union())
            | "Unknown checks"
            >> beam.FlatMap(unknown_checks, self.config.require).with_output_types(DeadLetter)
        )
        missing = (
            inspected.spans
            | "Channels" >> beam.Map(_channel).with_output_types(tuple[str, ...])
            | "Found channels" >> beam.CombineGlobally(_Union())
            | "Missing channels"
            >> beam.FlatMap(missing_channels, self.config.channels).with_output_types(DeadLetter)
        )
        blocks = read.blocks
        if self.watched is not None:
            note = beam.Map(self.watched.block).with_output_types(Block)
            blocks = blocks | "Note blocks" >> note
        letters = (*(part[DEAD_LETTERS] for part in (inspected, planned, read)), unknown, missing)
        return Strain(
            blocks=blocks,
            segments=(planned[SEGMENTS], read[SEGMENTS]) | "Join segments" >> beam.Flatten(),
            dead_letters=letters | "Join dead letters" >> beam.Flatten(),
        )

    def _planner(self) -> Planner:
        return partial(
            plan,
            reach=self.reach,
            minimum_ns=self.minimum_ns,
            block_ns=self.config.block_seconds * gps.NANOSECONDS,
            within=self.within,
        )


class InspectFile(beam.DoFn):  # type: ignore[misc]
    """Inspect files: from a path to its spans, or dead letters."""

    files = Metrics.counter("ingest", "files")
    spans = Metrics.counter("ingest", "spans")
    dead_letters = Metrics.counter("ingest", "dead_letters")

    def __init__(self, config: IngestConfig, window: tuple[int, int] | None = None) -> None:
        self._config = config
        self._window = window

    def process(self, path: str | bytes) -> Iterator[Span | TaggedDeadLetter | TaggedChecks]:
        """Inspect one file, whose path is bytes where it need not be UTF-8."""
        path = os.fsdecode(path)
        self.files.inc()
        found = formats.examine(path, self._config, self._window)
        for error in found.errors:
            self.dead_letters.inc()
            yield TaggedOutput(DEAD_LETTERS, letter_of(path, error, checksum(path)))
        if found.checks:
            yield TaggedOutput(CHECKS, found.checks)
        self.spans.inc(len(found.spans))
        yield from found.spans


class PlanChannel(beam.DoFn):  # type: ignore[misc]
    """Plan channels: from spans to blocks to read, segments not analysed, and files not used."""

    dead_letters = Metrics.counter("ingest", "dead_letters")

    def __init__(self, planner: Planner, refuse: Refuse) -> None:
        self._planner = planner
        self._refuse = refuse

    def process(
        self, grouped: tuple[str, Iterable[Span]]
    ) -> Iterator[BlockPlan | TaggedSegment | TaggedDeadLetter]:
        """Plan one channel."""
        planned = self._planner(grouped[1])
        self.dead_letters.inc(len(planned.dead_letters))
        segments = list(planned.segments)
        for block in planned.blocks:
            if reason := self._refuse(block.sample_rate):
                segments.append(refused(block, reason))
            else:
                yield block
        for segment in segments:
            yield TaggedOutput(SEGMENTS, timed(segment, segment.start_ns))
        for letter in planned.dead_letters:
            yield TaggedOutput(DEAD_LETTERS, letter)


class ReadBlock(beam.DoFn):  # type: ignore[misc]
    """Read blocks: from a plan to a block at its event time, or a segment not analysed."""

    blocks = Metrics.counter("ingest", "blocks")
    dead_letters = Metrics.counter("ingest", "dead_letters")

    def process(self, wanted: BlockPlan) -> Iterator[Block | TaggedSegment | TaggedDeadLetter]:
        """Read one block."""
        start_ns, end_ns = wanted.analyse_start_ns, wanted.analyse_end_ns
        try:
            block = read_block(wanted)
        except DataError as error:
            self.dead_letters.inc()
            yield TaggedOutput(DEAD_LETTERS, letter_of(wanted.pieces[0].path, error))
            kind = SegmentKind.UNREADABLE
            lost = Segment(
                ifo=wanted.ifo,
                channel=wanted.channel,
                start_ns=start_ns,
                end_ns=end_ns,
                analysed=False,
                reason=kind.value,
                kind=kind,
            )
            yield TaggedOutput(SEGMENTS, timed(lost, start_ns))
            return
        self.blocks.inc()
        yield timed(block, start_ns)


class _Union(beam.CombineFn):  # type: ignore[misc]
    """All names of bits, each once."""

    def create_accumulator(self) -> frozenset[str]:
        """Return no names."""
        return frozenset()

    def add_input(self, known: frozenset[str], names: Iterable[str]) -> frozenset[str]:
        """Add the names of one file."""
        return known if known.issuperset(names) else known.union(names)

    def merge_accumulators(self, several: Iterable[frozenset[str]]) -> frozenset[str]:
        """Join the names of many files."""
        return frozenset().union(*several)

    def extract_output(self, known: frozenset[str]) -> tuple[str, ...]:
        """Return the names, sorted."""
        return tuple(sorted(known))


def unknown_checks(known: Sequence[str], require: Sequence[str]) -> list[DeadLetter]:
    """Return a note of the required checks that no mask has (or that GWOSC documents none of)."""
    usual = known or quality.DOCUMENTED_NAMES
    unknown = [name for name in require if name not in usual]
    if not unknown:
        return []
    what = "the masks have" if known else "masks of GWOSC have"
    reason = (
        f"ingest.require: no mask has {', '.join(unknown)}, so nothing was left out for it;"
        f" {what} {', '.join(usual)}"
    )
    return [DeadLetter(source="ingest.require", reason=reason, kind=LetterKind.NOTE)]


def missing_channels(found: Sequence[str], wanted: Sequence[str]) -> list[DeadLetter]:
    """Return a dead letter of the wanted channels that no file holds, if files hold others.

    A file that holds none of the wanted channels has its own dead letter.
    """
    missing = [name for name in wanted if name not in found]
    if not found or not missing:
        return []
    reason = (
        f"no file gave the channel {', '.join(missing)}; they gave {', '.join(found)};"
        " check the names after --channel, or in ingest.channels"
    )
    return [letter_of("ingest.channels", DataError(reason, LetterKind.CHANNEL))]


def checksum(path: str) -> str:
    """Return the SHA-256 of a small file's bytes; empty where it cannot be had."""
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > _LARGEST_HASHED:
            return ""
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _keyed(span: Span) -> tuple[str, Span]:
    return span.channel, span


def _channel(span: Span) -> tuple[str]:
    return (span.channel,)
