"""The referee's parts: each measures what a folder of real data has for it, or says it lacks it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.real import fits, glitches, mergers, page, rates, scores
from benchmarks.real.fits import Shown
from benchmarks.real.judged import Judge, Searched, files_of, searched
from benchmarks.real.mergers import Seen
from benchmarks.real.page import Shot
from benchmarks.real.rates import Background
from benchmarks.real.scores import Answer
from models.evaluation.labelled import LabelError

GLITCHES, FITS, STRAIN, FAST = "glitches", "glitch_fits.csv", "strain", "strain_16k"
"""Parts of a folder of real data."""
ABOVE = 2000.0
"""Triggers of fast strain are counted above [Hz]."""


@dataclass
class Referee:
    """Judges a model on a folder of real data; what is not there is told in ``missing``."""

    judge: Judge
    data: Path
    seed: int
    missing: list[str] = field(default_factory=list)

    def glitches(self) -> dict[str, Any] | None:
        """Return what the labels of labelled glitches are, and what their scores mean."""
        if not self._has(GLITCHES, "no labels on labelled glitches"):
            return None
        try:
            answers = glitches.answers(self.judge, self.data / GLITCHES, report.progress_of)
        except LabelError as error:
            self.missing.append(f"labels on labelled glitches: {error}")
            return None
        return {**self._scored(answers), "glitches": [_answer(each) for each in answers]}

    def fits(self, count: int) -> dict[str, Any] | None:
        """Return what becomes of waveforms drawn from fits."""
        if not self._has(FITS, "no waveforms from fits"):
            return None
        try:
            table = fits.read(self.data / FITS)
        except fits.FitsError as error:
            self.missing.append(f"waveforms from fits: {error}")
            return None
        chosen = fits.drawn(table, count, np.random.default_rng(self.seed))
        found = list(fits.shown(self.judge, chosen, self.seed))
        answers = [each.answer for each in found if each.answer is not None]
        whole = [each for each in answers if each.truth != fits.FINNED]
        return {
            **self._scored(answers),
            "scores_whole": scores.told(whole, self.judge.card.classes)["known"],
            "drawn": fit_rows(found),
            "most_snr": fits.MOST_SNR,
            "least_snr": fits.LEAST_SNR,
        }

    def _scored(self, answers: Sequence[Answer]) -> dict[str, Any]:
        classes = self.judge.card.classes
        return {
            "scores": scores.told(answers, classes),
            "by_class": scores.by_class(answers, classes),
        }

    def search(self, part: str) -> list[Searched]:
        """Return the searched strain of a part of the data."""
        if not self._has(part, "no triggers of it"):
            return []
        found = []
        for each in searched(self.judge, files_of(self.data / part), self.missing):
            report.progress(each.file)
            found.append(each)
        if not found:
            self.missing.append(f"{part}: no strain that can be searched")
        return found

    def fast(self) -> list[Searched]:
        """Return the searched fast strain; what does not go an octave beyond ``ABOVE`` is told."""
        found = self.search(FAST)
        slow = [each for each in found if each.block.sample_rate <= 4 * ABOVE]
        self.missing += [
            f"{each.file}: {each.block.sample_rate} Hz, too slow for what lies above {ABOVE:g} Hz"
            for each in slow
        ]
        return [each for each in found if each not in slow]

    def by_eye(self, found: Sequence[Searched]) -> dict[str, Any] | None:
        """Return what the labels are of shapes seen by eye in the strain."""
        answers, missed = glitches.by_eye(self.judge, found, glitches.sights())
        if not answers and not missed:
            self.missing.append("by eye: the strain holds nothing of benchmarks/real/by_eye.csv")
            return None
        told = [_answer(each) for each in answers]
        new, _ = glitches.by_eye(self.judge, not_learnt(found), glitches.sights())
        return {
            **self._scored(answers),
            "glitches": told,
            "not_found": missed,
            "not_learnt": self._scored(new),
        }

    def mergers(self, found: Sequence[Searched]) -> list[Seen]:
        """Return the catalogued events of searched strain."""
        named = [each for each in found if each.event]
        if not named:
            self.missing.append("events: no file of strain is named after one")
        return mergers.seen(named, self.missing)

    def _has(self, part: str, lacking: str) -> bool:
        there = (self.data / part).exists()
        if not there:
            self.missing.append(f"{part}: not in {self.data}: {lacking}")
        return there


def not_learnt(found: Sequence[Searched]) -> list[Searched]:
    """Return the strain from which training has drawn no noise."""
    return [each for each in found if not each.learnt]


def fit_rows(found: Sequence[Shown]) -> list[dict[str, Any]]:
    """Return recall and errors of time, by label and detector; a label's own row comes first."""
    rows = []
    for label in sorted({each.fit.label for each in found}):
        own = [each for each in found if each.fit.label == label]
        ifos = sorted({each.fit.ifo for each in own})
        rows.append(_fit_row(label, rates.ALL, own))
        rows += [
            _fit_row(label, ifo, [each for each in own if each.fit.ifo == ifo]) for ifo in ifos
        ]
    return rows


def _fit_row(label: str, ifo: str, own: Sequence[Shown]) -> dict[str, Any]:
    errors = [1e3 * abs(each.time_error) for each in own if each.answer is not None]
    right = sum(each.answer is not None and each.answer.label == label for each in own)
    return {
        "label": label,
        "ifo": ifo,
        "count": len(own),
        "found": len(errors),
        "right": right,
        "recall": round(right / len(own), 4),
        "time_error": round(float(np.median(errors)), 4) if errors else None,
        "time_error_90": round(float(np.quantile(errors, 0.9)), 4) if errors else None,
    }


def merger_rows(seen: Sequence[Seen]) -> list[dict[str, Any]]:
    """Return each event in each detector, as it is written down."""
    return [
        {
            "event": each.event.name,
            "ifo": each.ifo,
            "source": each.event.source,
            "time": round(each.time, 4),
            "peak": round(each.peak.time, 4),
            "snr": round(each.peak.snr, 2),
            "chirp_mass": round(float(each.peak.binary.chirp_mass), 2),
            "ratio": each.peak.binary.ratio,
            "spin": round(each.peak.binary.spin, 2),
            "found": each.trigger is not None,
            "trigger_snr": round(each.trigger.snr, 2) if each.trigger else None,
            "wavelet": each.trigger.wavelet if each.trigger else "",
            "label": each.trigger.label if each.trigger else "",
            "score": round(each.trigger.score, 4) if each.trigger else None,
        }
        for each in seen
    ]


def backgrounds(found: Sequence[Searched], seen: Sequence[Seen]) -> list[Background]:
    """Return what searched strain holds that is of no event."""
    times = {each.event.name: each for each in seen}
    told = []
    for each in found:
        own, live = list(each.triggers), each.live[1] - each.live[0]
        if known := times.get(each.event):
            own = [t for t in own if not mergers.belongs(t, known.event, known.time)]
            live -= 2 * mergers.ASIDE
        told.append(Background(ifo=each.ifo, live=live, triggers=own))
    return told


def above(found: Sequence[Searched]) -> list[Background]:
    """Return the triggers of fast strain above ``ABOVE``."""
    return [
        Background(
            ifo=each.ifo,
            live=each.live[1] - each.live[0],
            triggers=[t for t in each.triggers if t.frequency > ABOVE],
        )
        for each in found
    ]


def shots(
    found: Sequence[Searched], seen: Sequence[Seen], count: int, seed: int
) -> dict[str, list[Shot]]:
    """Return what a person is to look at: the loudest triggers, and quiet ones at random."""
    times = {each.event.name: each for each in seen}
    every = []
    for each in found:
        known = times.get(each.event)
        for trigger in each.triggers:
            own = known is not None and mergers.belongs(trigger, known.event, known.time)
            every.append(Shot(found=each, trigger=trigger, note=each.event if own else ""))
    quiet = [shot for shot in every if shot.trigger.snr < rates.QUIET and not shot.note]
    order = np.random.default_rng(seed).permutation(len(quiet))[:count]
    return {
        "Loudest": sorted(every, key=lambda shot: -shot.trigger.snr)[:count],
        "Quiet, at random": [quiet[number] for number in order],
    }


def drawn(judge: Judge, sections: dict[str, list[Shot]], folder: Path, data: Path) -> Path:
    """Write the page into a folder, made where missing; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    path.write_text(page.render(judge, sections, data.name), "utf-8")
    return path


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "name": answer.name,
        "truth": answer.truth,
        "label": answer.label,
        "score": round(answer.score, 4),
        "snr": round(answer.snr, 2),
        "detected": answer.detected,
    }
