"""What the model says of real glitches: ``python -m benchmarks.classification.real_glitches FILE``.

FILE is HDF5 with snippets of 1 s of raw strain of one detector (``strain``, [snippet, time],
at 4096 Hz), each with a glitch in its middle, and the SNR that Omicron gave them
(``omicron_snr``). There are no labels: a table says what the model thinks, and ``--picture``
draws each snippet as gwpy's Q transform shows it, with the label over it, for an eye to judge.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from benchmarks import report
from models.evaluation import snippets
from models.evaluation.evaluate import asked, pipeline_of
from models.evaluation.strain_files import Strain
from transforms.classify import artefact
from transforms.classify.onnx import OnnxModel
from transforms.elements import Trigger, Whitened
from transforms.gps import NANOSECONDS

RATE = 4096
START = 1_300_000_000
"""Stands for the start of each snippet, which is not told [GPS s]."""
MIDDLE_NS = (START * NANOSECONDS) + NANOSECONDS // 2
"""Where the glitches are [ns]."""
HEADS = (
    *("snippet", "omicron", "snr", "frequency [Hz]", "duration [s]"),
    *("label", "score", "second", "score"),
)
COLUMNS = 7
"""Pictures in a row."""
BAND = (20.0, 1400.0)
"""Drawn [Hz]."""
SHOWN = (0.2, 0.8)
"""Drawn of each second [s]: the rest is faded."""


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """One snippet and what is said of it."""

    omicron_snr: float
    whitened: Whitened
    trigger: Trigger
    detected: bool
    ranking: tuple[tuple[str, float], ...]
    """Labels and probabilities, the best first."""


def labelled(path: Path, card: artefact.Card) -> list[Labelled]:
    """Whiten, search and label all snippets of a file."""
    with h5py.File(path) as file:
        strain, omicron = file["strain"][:], file["omicron_snr"][:]
    whitening, detection = pipeline_of(card)
    all_ = [
        Strain(ifo="L1", rate=RATE, first=START * RATE, samples=np.asarray(row, np.float64))
        for row in strain
    ]
    power = np.concatenate([snippets.spectra(each) for each in all_])
    made = snippets.common_filter(power, RATE, whitening)
    bank = snippets.bank_of(RATE, whitening, detection)
    model = OnnxModel(card.folder)
    found = []
    for each, snr in zip(all_, omicron, strict=True):
        white = snippets.whiten_short(each, *made, bank.margin_seconds)
        at = snippets.trigger_at(white, MIDDLE_NS, detection, bank)
        answer = asked(model, at.trigger)
        order = np.argsort(-answer)
        ranking = tuple((card.classes[i], float(answer[i])) for i in order[:3])
        found.append(
            Labelled(
                omicron_snr=float(snr),
                whitened=white,
                trigger=at.trigger,
                detected=at.detected,
                ranking=ranking,
            )
        )
    return found


def draw(found: Sequence[Labelled], path: Path) -> None:
    """Draw all snippets on one sheet."""
    from matplotlib.figure import Figure

    rows = -(-len(found) // COLUMNS)
    figure = Figure(figsize=(2.2 * COLUMNS, 2.3 * rows), dpi=60, layout="constrained")
    for number, (axes, each) in enumerate(
        zip(figure.subplots(rows, COLUMNS).flat, found, strict=False)
    ):
        _one(axes, number, each)
    for axes in figure.axes[len(found) :]:
        axes.set_axis_off()
    figure.savefig(path)


def _one(axes: Any, number: int, each: Labelled) -> None:
    from gwpy.timeseries import TimeSeries

    white, at = each.whitened, each.trigger.time_ns / NANOSECONDS - START
    first = START - white.gps_start_ns // NANOSECONDS
    samples = white.samples[first * RATE : (first + 1) * RATE].astype(np.float64)
    series = TimeSeries(samples, t0=0, sample_rate=RATE)
    # gwpy's tiling ends below the Nyquist frequency by 1 + sqrt(11) / q.
    plane = series.q_transform(
        qrange=(8, 16), frange=BAND, outseg=SHOWN, whiten=False, tres=0.002, fres=200, logf=True
    )
    axes.pcolormesh(plane.times.value, plane.frequencies.value, plane.value.T, vmin=0, vmax=25.5)
    axes.axvline(at, color="w", lw=0.6, ls=":")
    axes.set_yscale("log")
    label, score = each.ranking[0]
    axes.set_title(f"{number}: {label} {score:.2f}\nSNR {each.trigger.snr:.0f}", fontsize=8)
    axes.tick_params(labelsize=6)


def main(arguments: Sequence[str] | None = None) -> int:
    """Label, print, draw."""
    options = _parser().parse_args(arguments)
    card = artefact.load_card(options.model or artefact.default_artefact())
    found = labelled(options.file, card)
    print(f"{card.label}: {len(found)} snippets")
    report.print_table(HEADS, [_cells(number, each) for number, each in enumerate(found)])
    if options.picture:
        draw(found, options.picture)
    return 0


def _cells(number: int, each: Labelled) -> list[str]:
    trigger, (best, second, *_) = each.trigger, each.ranking
    mark = "" if each.detected else " (not detected)"
    return [
        *(f"{number}{mark}", f"{each.omicron_snr:.0f}", f"{trigger.snr:.1f}"),
        *(f"{trigger.frequency:.0f}", f"{trigger.duration:.3f}"),
        *(best[0], f"{best[1]:.2f}", second[0], f"{second[1]:.2f}"),
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.classification.real_glitches", description=__doc__
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--model", type=Path, metavar="DIR", help="default: the packaged one")
    parser.add_argument("--picture", type=Path, metavar="PNG")
    return parser


if __name__ == "__main__":
    sys.exit(main())
