"""The stages one by one, in this process and without Beam, and live-sized blocks."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from beam_pipeline.config import PipelineConfig
from beam_pipeline.graph import margin_ns, reach
from benchmarks.simulated import Archive
from transforms.classify import artefact
from transforms.classify.features import model_input
from transforms.classify.handler import ClassifierHandler
from transforms.detect.bank import Bank, bank_for
from transforms.detect.cluster import cluster
from transforms.detect.search import search
from transforms.detect.sessions import Sessions
from transforms.elements import Block, BlockPlan, Candidate, Trigger
from transforms.gps import NANOSECONDS
from transforms.ingest.files import formats
from transforms.ingest.files.blocks import read_block
from transforms.ingest.files.plan import plan
from transforms.sink import folder, writers
from transforms.sink.writers import Provenance
from transforms.whiten.whitening import whiten

STAGES = ("read", "whiten", "search", "cluster and classify", "write")


@dataclass
class Stopwatch:
    """CPU time by stage [s]."""

    spent: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    @contextmanager
    def on(self, stage: str) -> Iterator[None]:
        """Count what happens inside."""
        before = time.process_time()
        yield
        self.spent[stage] += time.process_time() - before


@dataclass
class Chain:
    """The stages with what they need, ready to run."""

    config: PipelineConfig
    sample_rate: int

    def __post_init__(self) -> None:
        self.config_id = self.config.id
        card = artefact.load_card(artefact.default_artefact())
        self.handler = ClassifierHandler("", card.id)
        self.model: Any = self.handler.load_model()
        self.bank: Bank = bank_for(
            self.sample_rate, self.config.detect, self.config.whiten.low_frequency
        )
        self.margin = margin_ns(self.config)

    def plans(self, archive: Archive) -> tuple[BlockPlan, ...]:
        """Inspect files and plan their blocks."""
        spans = [s for f in archive.files for s in formats.inspect(str(f), self.config.ingest)]
        minimum = self.config.whiten.minimum_seconds * NANOSECONDS
        step = self.config.ingest.block_seconds * NANOSECONDS
        return plan(spans, reach(self.config), minimum, step).blocks

    def candidates(self, block: Block, watch: Stopwatch) -> list[Candidate]:
        """Whiten and search one block."""
        with watch.on("whiten"):
            white = whiten(block, self.config.whiten, self.margin)
        with watch.on("search"):
            return search(white, self.config.detect, self.bank)

    def triggers(self, candidates: list[Candidate]) -> list[Trigger]:
        """Cluster and ask the model, one trigger at a time as the graph does."""
        sessions = Sessions.of(self.config.detect).group(candidates)
        found = [cluster(session.candidates, self.config_id) for session in sessions]
        for trigger in found:
            list(self.handler.run_inference([model_input(trigger)], self.model))
        return found


def archive_stages(archive: Archive, config: PipelineConfig, output: Path) -> dict[str, float]:
    """Return the CPU time of each stage per second of strain.

    The first block pays for what is made once (tables of transforms), and is not counted
    in whitening, search and clustering; nor is the first writing, which opens libraries.
    """
    chain, watch = Chain(config, archive.sample_rate), Stopwatch()
    with watch.on("read"):
        plans = chain.plans(archive)
    found: list[Trigger] = []
    for number, wanted in enumerate(plans):
        with watch.on("read"):
            block = read_block(wanted)
        counted = watch if number else Stopwatch()
        candidates = chain.candidates(block, counted)
        with counted.on("cluster and classify"):
            found += chain.triggers(candidates)
    _write(found, output / "first")
    with watch.on("write"):
        _write(found, output / "counted")
    warm = sum(p.analyse_end_ns - p.analyse_start_ns for p in plans[1:]) / NANOSECONDS
    whole = {"read": archive.seconds, "write": archive.seconds}
    return {stage: spent / whole.get(stage, warm) for stage, spent in watch.spent.items()}


def _write(found: list[Trigger], output: Path) -> None:
    provenance = Provenance(config="benchmark", version="benchmark")
    output.mkdir(parents=True, exist_ok=True)
    by_file: dict[str, list[Trigger]] = {}
    for trigger in found:
        by_file.setdefault(folder.partition(trigger), []).append(trigger)
    for name, members in by_file.items():
        writers.write_triggers(output, name, members, provenance)
    writers.write_snippets(output, sorted(found, key=lambda t: -t.snr)[:10], provenance)


def live_stages(archive: Archive, config: PipelineConfig, blocks: int) -> dict[str, float]:
    """Return the median CPU time of each stage for blocks of one second, one at a time [s]."""
    chain = Chain(config, archive.sample_rate)
    (first, *_) = chain.plans(archive)
    around = reach(config)
    start = first.segment_start_ns + around.past_ns + around.warm_up_ns
    start -= start % -NANOSECONDS
    spent: dict[str, list[float]] = {stage: [] for stage in ("whiten", "search")}
    for number in range(blocks + 1):
        begin = start + number * NANOSECONDS
        watch = Stopwatch()
        chain.candidates(_second(archive, first, begin, config), watch)
        for stage, each in spent.items():
            each.append(watch.spent[stage])
    return {stage: median(each[1:]) for stage, each in spent.items()}


def _second(archive: Archive, like: BlockPlan, begin: int, config: PipelineConfig) -> Block:
    """Read a block that answers for one second, with the past and future it needs."""
    around, end = reach(config), begin + NANOSECONDS
    wanted = replace(like, analyse_start_ns=begin, analyse_end_ns=end)
    low, high = begin - around.past_ns, end + around.future_ns
    pieces = tuple(
        replace(piece, start_ns=max(piece.start_ns, low), end_ns=min(piece.end_ns, high))
        for piece in like.pieces
        if piece.start_ns < high and piece.end_ns > low
    )
    return read_block(replace(wanted, pieces=pieces))
