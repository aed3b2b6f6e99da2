"""How well quiet signals of the four simple families can be told at all.

``python -m benchmarks.classification.known_shapes``: an observer who knows the noise's spectrum,
the families, and how their parameters are drawn names the family of the largest evidence
(`benchmarks.classification.evidence`); the packaged model names the likeliest of them. Both see
the same triggers: the loudest one of each signal, found by our own whitening and detection in the
test set's noise, without lines and drift, so that all triggers of a curve have one spectrum. Of
the strain the observer is given what the model is given, as long as a snippet, but whitened by the
true spectrum. That the trigger is the loudest of its signal, which may reach beyond the snippet,
the observer does not use.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp, softmax

from benchmarks import report
from benchmarks.classification import evidence, simple_families
from benchmarks.classification.evidence import RATE, Listener
from benchmarks.classification.simple_families import EDGES, FAMILIES
from models import metrics
from models.evaluation.evaluate import asked, pipeline_of
from models.simulation import noise, waveforms
from models.simulation.matching import REACH, Example, Stretch, find, match
from models.simulation.simulate import SimulationConfig, stretch
from models.training.settings import read
from transforms.arrays import IntArray, RealArray
from transforms.classify import artefact
from transforms.classify.onnx import OnnxModel
from transforms.detect.config import DetectConfig
from transforms.gps import to_index
from transforms.whiten.config import WhitenConfig

NEAR = 10.0
"""Evidences are refined within this factor of the largest, its logarithm."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A trigger, as both see it."""

    label: str
    snr: float
    """Of the trigger."""
    curve: str
    data: RealArray
    """Strain whitened by the true spectrum, over the trigger's snippet, [time]."""
    extent: tuple[float, float]
    """Where in it the trigger lies [samples]."""
    answer: int
    """The model's: index of the likeliest of the six."""


@dataclass(frozen=True)
class Draws:
    """How a family's parameters are averaged over."""

    even: int
    """Draws that all triggers share, of three parameters and more; an eighth for each one less."""
    rounds: int
    each: int
    """Draws of a round, made for one trigger."""

    @property
    def stages(self) -> tuple[int, ...]:
        """Return after how many draws the evidence is told."""
        halved = (self.even // 4, self.even // 2, self.even)
        return (*halved, *(self.even + n * self.each for n in range(1, self.rounds + 1)))


def config() -> SimulationConfig:
    """Return the test set's, of the simple families alone, at one rate, without lines and drift."""
    others = tuple(label for label in waveforms.FAMILIES if label not in FAMILIES)
    drawn = replace(read().test, left_out=others, unknown_share=0.0, noise_stretches=0)
    return replace(drawn, sample_rates=(RATE,), modulation=0.0, most_lines=0)


def simulated(
    card: artefact.Card, pipeline: tuple[WhitenConfig, DetectConfig], seed: int
) -> Iterator[Seen]:
    """Make triggers without end."""
    model, settings = OnnxModel(card.folder), config()
    own = [card.classes.index(label) for label in FAMILIES]
    number = 0
    while True:
        endless = replace(settings, stretches=number + 1)
        made = stretch(endless, number, *pipeline, (seed,))
        number += 1
        curve = noise.load(made.curve)
        white = noise.whitened(made.block.samples, RATE, curve, pipeline[0].low_frequency)
        for each in match(find(made.block, *pipeline), made):
            if _taken(each):
                answer = int(np.argmax(asked(model, each.trigger)[own]))
                yield _seen(each, made, white, pipeline[1], answer)


def _taken(example: Example) -> bool:
    trigger = example.trigger
    loud = EDGES[0] <= trigger.snr < EDGES[-1]
    return loud and example.loudest and example.label in FAMILIES


def _seen(
    example: Example, made: Stretch, white: RealArray, detection: DetectConfig, answer: int
) -> Seen:
    trigger = example.trigger
    before, after = (round(s * RATE) for s in (detection.snippet_before, detection.snippet_after))
    peak = to_index(trigger.time_ns - made.block.gps_start_ns, RATE)
    data = white[peak - before : peak + after]
    ends = (trigger.start_ns - REACH * 1e9, trigger.end_ns + REACH * 1e9)
    low, high = (before + (end - trigger.time_ns) * RATE / 1e9 for end in ends)
    extent = max(low, 0.0), min(high, float(len(data)))
    return Seen(
        label=example.label,
        snr=trigger.snr,
        curve=made.curve,
        data=data,
        extent=extent,
        answer=answer,
    )


def evidences(
    seen: Sequence[Seen], low_frequency: float, snr: tuple[float, float], draws: Draws, seed: int
) -> RealArray:
    """Return the evidence of each family after each stage, its logarithm, [stage, trigger, family].

    Args:
        seen: The triggers.
        low_frequency: Of whitening [Hz].
        snr: Range of the optimal SNR.
        draws: How many.
        seed: Settles the draws.
    """
    told = np.empty((len(draws.stages), len(seen), len(FAMILIES)))
    for curve in sorted({each.curve for each in seen}):
        rows = np.array([i for i, each in enumerate(seen) if each.curve == curve])
        known = [
            Listener(label, curve=noise.load(curve), low_frequency=low_frequency, snr=snr)
            for label in FAMILIES
        ]
        for listener in known:
            listener.hear(np.stack([seen[i].data for i in rows]), _extents(seen, rows))
        told[:, rows] = _averaged(known, draws, seed)
    return told


def _extents(seen: Sequence[Seen], rows: IntArray) -> RealArray:
    return np.array([seen[i].extent for i in rows])


def _averaged(known: Sequence[Listener], draws: Draws, seed: int) -> RealArray:
    """Return the evidences in the data that listeners have, [stage, trigger, family]."""
    shared, columns = [], []
    for listener in known:
        start = time.monotonic()
        even = draws.even >> 3 * max(3 - len(evidence.parameters(listener.label)), 0)
        points = evidence.points(listener.label, even, seed)
        logs = np.stack([listener(point) for point in points], axis=1)
        shared.append((points, logs))
        parts = (even // 4, even // 2, *[even] * (1 + draws.rounds))
        columns.append([logsumexp(logs[:, :n], axis=1) - np.log(n) for n in parts])
        _tell(f"{listener.label}, {even} draws", start)
    told, rng = np.stack(columns, axis=2), np.random.default_rng(seed)
    near = told[2] > told[2].max(axis=1, keepdims=True) - NEAR
    start = time.monotonic()
    for row, column in np.argwhere(near):
        points, logs = shared[column]
        told[3:, row, column] = evidence.refined(
            known[column].of(int(row)),
            points,
            logs[row],
            rng,
            rounds=draws.rounds,
            draws=draws.each,
        )
    _tell(f"{near.sum()} of {near.size} refined", start)
    return np.asarray(told)


def _tell(step: str, start: float) -> None:
    print(f"{step}: {time.monotonic() - start:.0f} s", file=sys.stderr)


def by_snr(seen: Sequence[Seen], observer: IntArray) -> list[list[str]]:
    """Return the accuracies in each bin of SNR."""
    truth = np.array([FAMILIES.index(each.label) for each in seen])
    model, snr = np.array([each.answer for each in seen]), np.array([each.snr for each in seen])
    return simple_families.by_snr(snr, [model == truth, observer == truth])


def convergence(seen: Sequence[Seen], told: RealArray, draws: Draws) -> list[list[str]]:
    """Return how often the observer is right, and how often it thinks so, after each stage."""
    truth = np.array([FAMILIES.index(each.label) for each in seen])
    best = told.argmax(axis=2)
    thought = softmax(told, axis=2).max(axis=2).mean(axis=1)
    right, same = np.mean(best == truth, axis=1), np.mean(best == best[-1], axis=1)
    columns = zip(draws.stages, right, thought, same, strict=True)
    return [[str(n), *(f"{share:.3f}" for share in shares)] for n, *shares in columns]


def confusion(seen: Sequence[Seen], answers: IntArray) -> list[list[str]]:
    """Count answers, a row for each true family."""
    truth = np.array([FAMILIES.index(each.label) for each in seen])
    table = metrics.confusion(truth, answers, len(FAMILIES))
    return [[label, *map(str, row)] for label, row in zip(FAMILIES, table, strict=True)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    card = artefact.load_card(options.model or artefact.default_artefact())
    whitening, detection = pipeline_of(card)
    eager = replace(detection, threshold=read().threshold)
    made = simulated(card, (whitening, eager), options.seed)
    seen = [next(made) for _ in range(options.triggers)]
    draws = Draws(options.draws, options.rounds, options.each)
    snr = (config().low_snr, config().high_snr)
    told = evidences(seen, whitening.low_frequency, snr, draws, options.seed)
    observer = told[-1].argmax(axis=1)
    print(f"{card.label} and the observer: {', '.join(FAMILIES)}")
    report.print_table(("SNR", "triggers", "model", "observer"), by_snr(seen, observer))
    print()
    rows = convergence(seen, told, draws)
    report.print_table(("draws", "observer", "thinks", "as at last"), rows)
    for name, answers in (("observer", observer), ("model", np.array([s.answer for s in seen]))):
        print(f"\n{name}: truth in rows")
        report.print_table(("", *FAMILIES), confusion(seen, answers))
    figures = {**report.provenance(1), "model": card.label, "draws": vars(draws)}
    own = [{"label": s.label, "snr": s.snr, "model": FAMILIES[s.answer]} for s in seen]
    report.write_json(options.json, {**figures, "triggers": own, "evidence": told.tolist()})
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.classification.known_shapes")
    parser.add_argument("--triggers", type=int, default=200, metavar="N")
    parser.add_argument("--draws", type=int, default=2048, metavar="N", help="a power of two")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of refinement")
    parser.add_argument("--each", type=int, default=64, metavar="N", help="draws in each")
    parser.add_argument("--model", default="", metavar="DIR", help="default: the packaged one")
    report.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
