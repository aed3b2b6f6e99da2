"""A page of omega scans of triggers, so that a person can judge their labels by eye."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from markupsafe import Markup

from benchmarks.real.judged import Judge, Searched
from models.evaluation import snippets
from transforms.detect.config import DetectConfig
from transforms.elements import Block, Trigger, Whitened
from transforms.gps import NANOSECONDS, from_seconds, to_index, to_ns, to_seconds
from transforms.page import html
from transforms.sink.report.figures import snippet_scan
from transforms.sink.writers import Snippet
from transforms.whiten.config import WhitenConfig
from transforms.whiten.whitening import whiten

SPANS = (0.5, 4.0)
"""Lengths of the two views of a trigger [s]."""
LONGEST = 4 * 4096
"""Samples of the longer view at most: at high rates it is shorter."""


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A trigger that is drawn."""

    found: Searched
    """Where it is."""
    trigger: Trigger
    """Labelled."""
    note: str = ""
    """What else is known of it."""


def asked_for(judge: Judge, found: Iterable[Searched], times: Sequence[float]) -> list[Shot]:
    """Return shots at GPS times [s], in each detector that was analysed then.

    Where there is no trigger within half a second, one is made of the loudest tile.
    """
    shots = []
    for each in found:
        for time in times:
            if each.live[0] <= time < each.live[1]:
                white = _whitened(each.block, judge.whitening, judge.detection)
                bank = snippets.bank_of(white.sample_rate, judge.whitening, judge.detection)
                at = snippets.trigger_at(white, from_seconds(time), judge.detection, bank)
                note = "" if at.detected else "not detected"
                shots.append(Shot(found=each, trigger=judge.labelled(at.trigger), note=note))
    return shots


@lru_cache(maxsize=64)
def _whitened(block: Block, whitening: WhitenConfig, detection: DetectConfig) -> Whitened:
    bank = snippets.bank_of(block.sample_rate, whitening, detection)
    return whiten(block, whitening, bank.margin_seconds * NANOSECONDS)


def render(judge: Judge, sections: Mapping[str, Sequence[Shot]], data: str) -> str:
    """Return the page: one text without references to anything outside it.

    Args:
        judge: The model whose labels they are.
        sections: Shots, by the heading above them.
        data: Names what was looked at.
    """
    return html.render(
        "benchmarks.real",
        "page.html",
        model=judge.card.label,
        data=data,
        sections={
            name: [_told(judge, shot, f"s{place}n{number}") for number, shot in enumerate(shots)]
            for place, (name, shots) in enumerate(sections.items())
        },
    )


def _told(judge: Judge, shot: Shot, name: str) -> dict[str, Any]:
    trigger = shot.trigger
    white = _whitened(shot.found.block, judge.whitening, judge.detection)
    return {
        "image": _drawn(white, trigger, name),
        "ifo": trigger.ifo,
        "time": f"{to_seconds(trigger.time_ns):.3f}",
        "label": trigger.label,
        "score": f"{trigger.score:.2f}",
        "snr": f"{trigger.snr:.1f}",
        "hertz": f"{trigger.frequency:.0f}",
        "shape": trigger.wavelet,
        "duration": f"{trigger.duration:.3f}",
        "file": shot.found.file,
        "note": shot.note,
    }


def _drawn(white: Whitened, trigger: Trigger, name: str) -> Markup:
    """Draw what lies around a trigger; the longer view ends where the strain does."""
    rate = white.sample_rate
    length = min(SPANS[1], LONGEST / rate)
    first = to_index(trigger.time_ns - white.gps_start_ns, rate) - round(length / 2 * rate)
    last = first + round(length * rate)
    kept = np.asarray(white.samples[max(first, 0) : max(last, 0)])
    snippet = Snippet(
        id=name,
        channel=trigger.channel,
        time=to_seconds(trigger.time_ns),
        low_frequency=trigger.low_frequency,
        high_frequency=trigger.high_frequency,
        start_time=to_seconds(white.gps_start_ns + to_ns(max(first, 0), rate)),
        sample_rate=rate,
        samples=kept,
    )
    return snippet_scan(snippet, name, (SPANS[0], length))
