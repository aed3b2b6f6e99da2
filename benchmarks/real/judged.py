"""The pipeline's own code on files of strain: triggers with their labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.catalogue import named
from benchmarks.real.scores import Answer
from models.evaluation.evaluate import asked, pipeline_of
from models.simulation.matching import find
from transforms.arrays import SingleArray
from transforms.classify import artefact
from transforms.classify.answers import labelled
from transforms.classify.onnx import OnnxModel
from transforms.detect.config import DetectConfig
from transforms.detect.searchable import unsearchable
from transforms.elements import Block, Trigger
from transforms.gps import NANOSECONDS, from_seconds
from transforms.ingest.errors import DataError
from transforms.ingest.files import formats
from transforms.ingest.files.blocks import read_file
from transforms.whiten.config import WhitenConfig
from transforms.whiten.whitening import valid_range

REACH = 0.1
"""How far a trigger's extent is widened to hold a time [s]."""
LEARNT = ("train", "validation")
"""Sets of a card's training that decide what a model becomes."""
SILENT = 0.01
"""A second with less than this part of the median second's noise is silent."""


@dataclass(frozen=True)
class Judge:
    """A model, with the whitening and the detection that it was trained with."""

    card: artefact.Card
    model: OnnxModel
    whitening: WhitenConfig
    detection: DetectConfig

    @classmethod
    def of(cls, folder: Path) -> "Judge":
        """Load a model.

        Raises:
            ArtefactError: It is missing, or does not fit this version's features.
        """
        card = artefact.load_card(folder)
        artefact.fits(card)
        return cls(card, OnnxModel(card.folder), *pipeline_of(card))

    def has_learnt(self, block: Block) -> bool:
        """Return whether training has drawn noise from any of a block's strain."""
        return any(
            stretch["detector"] == block.ifo
            and stretch["start"] * NANOSECONDS < block.segment_end_ns
            and (stretch["start"] + stretch["seconds"]) * NANOSECONDS > block.segment_start_ns
            for part in LEARNT
            for stretch in self.card.contents["training"][part]["strain"]
        )

    def answer(self, trigger: Trigger, *, name: str, truth: str, detected: bool) -> Answer:
        """Return what the model says of a trigger whose label a person knows."""
        probabilities = asked(self.model, trigger)
        label, score = self._best(probabilities)
        return Answer(
            name=name,
            truth=truth,
            label=label,
            score=score,
            probabilities=probabilities,
            snr=trigger.snr,
            detected=detected,
        )

    def labelled(self, trigger: Trigger) -> Trigger:
        """Return a trigger with its label and score."""
        return labelled(trigger, self.card.classes, asked(self.model, trigger), self.card.label)

    def _best(self, probabilities: SingleArray) -> tuple[str, float]:
        """Return the likeliest label and its probability, of probabilities, [class]."""
        best = int(np.argmax(probabilities))
        return self.card.classes[best], float(probabilities[best])

    def triggers(self, block: Block) -> list[Trigger]:
        """Return what the pipeline finds in a block, labelled."""
        return [self.labelled(each) for each in find(block, self.whitening, self.detection)]


@dataclass(frozen=True, kw_only=True)
class Searched:
    """A contiguous stretch of a file's strain, and what was found in it."""

    file: str
    event: str
    """Which the file's name tells; empty where it tells none."""
    path: Path
    block: Block
    live: tuple[float, float]
    """What was analysed [GPS s]."""
    triggers: Sequence[Trigger]
    learnt: bool
    """Whether training has drawn noise from it."""

    @property
    def ifo(self) -> str:
        """Return the detector."""
        return self.block.ifo

    def trigger_at(self, time: float) -> Trigger | None:
        """Return the loudest trigger whose extent, widened by ``REACH``, holds a time [GPS s]."""
        at, reach = from_seconds(time), from_seconds(REACH)
        held = [t for t in self.triggers if t.start_ns - reach <= at <= t.end_ns + reach]
        return max(held, key=lambda trigger: trigger.snr, default=None)


def files_of(folder: Path) -> list[Path]:
    """Return the files of strain in a folder, by name; none where there is no folder."""
    return sorted(path for path in folder.glob("*") if path.name.endswith(formats.SUFFIXES))


def is_silent(block: Block) -> bool:
    """Return whether a second of strain has next to nothing of the usual second's noise.

    Differences are compared, so that what strain has at low frequencies does not hide it.
    """
    count = len(block.samples) // block.sample_rate
    seconds = block.samples[: count * block.sample_rate].reshape(count, block.sample_rate)
    level = np.diff(seconds, n=2, axis=1).std(axis=1)
    return bool(level.min() < SILENT * np.median(level))


def searched(judge: Judge, paths: Sequence[Path], missing: list[str]) -> Iterator[Searched]:
    """Search files of strain, each contiguous stretch as a segment of its own.

    Args:
        judge: The model, and what searches.
        paths: The files.
        missing: Told of each file that cannot be used, and why.
    """
    for path in paths:
        try:
            blocks = read_file(path, minimum_seconds=judge.whitening.minimum_seconds)
        except DataError as error:
            missing.append(str(error))
            continue
        if not blocks:
            shortest = judge.whitening.minimum_seconds
            missing.append(f"{path.name}: no {shortest} s of good strain in one piece")
        for block in blocks:
            if is_silent(block):
                missing.append(f"{path.name}: a second of it or more is silent: left out")
                continue
            if reason := unsearchable(block.sample_rate, judge.whitening, judge.detection):
                missing.append(f"{path.name}: {reason}")
                continue
            name = named(path.name)
            ends = valid_range((block.segment_start_ns, block.segment_end_ns), judge.whitening)
            yield Searched(
                file=path.name,
                event=name[1] if name else "",
                path=path,
                block=block,
                live=(ends[0] / NANOSECONDS, ends[1] / NANOSECONDS),
                triggers=judge.triggers(block),
                learnt=judge.has_learnt(block),
            )
