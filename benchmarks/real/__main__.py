"""Judge a model on real data: ``python -m benchmarks.real DATA``.

DATA holds what there is of ``glitches/`` (strain and a CSV, as ``wavefier evaluate`` reads),
``glitch_fits.csv``, ``strain/`` (files named after the events in them) and ``strain_16k/``. What
is missing is told at the end.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.catalogue import SOURCES
from benchmarks.real import mergers, page, rates, referee, tables
from benchmarks.real.judged import Judge, Searched
from benchmarks.real.mergers import Seen
from benchmarks.real.referee import Referee
from transforms.classify import artefact

NEW = "in strain that training has not seen"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.data.is_dir():
        parser.error(f"{options.data} is no folder: give the one with the data")
    try:
        judge = Judge.of(options.model or artefact.default_artefact())
    except artefact.ArtefactError as error:
        parser.error(str(error))
    known = Referee(judge, options.data, options.seed)
    print(f"model {judge.card.label}, data {options.data}")
    figures = {**report.provenance(1), "model": judge.card.label, "sources": SOURCES}
    figures["glitches"] = _labels("Labels on labelled glitches", known.glitches())
    figures["fits"] = _fits(known, options.fits)
    found = known.search(referee.STRAIN)
    figures["by_eye"] = _labels("Labels on shapes seen by eye in strain", known.by_eye(found))
    seen = known.mergers(found)
    figures["events"] = _events(seen)
    figures["rates"] = _rates(referee.STRAIN, referee.backgrounds(found, seen))
    new = referee.backgrounds(referee.not_learnt(found), seen)
    figures["rates_not_learnt"] = _rates(f"{referee.STRAIN}, {NEW}", new)
    fast = known.fast()
    title = f"{referee.FAST}, above {referee.ABOVE:g} Hz"
    figures["rates_fast"] = _rates(title, referee.above(fast))
    if options.page:
        _page(judge, options, found, seen)
    figures["missing"] = known.missing
    tables.heading("Missing, or not judged:" if known.missing else "Nothing is missing.")
    print("\n".join(known.missing))
    report.write_json(options.json, figures)
    return 0


def _labels(title: str, told: dict[str, Any] | None) -> dict[str, Any] | None:
    if told:
        tables.heading(title)
        tables.classes(told["by_class"])
        print()
        tables.scores(told["scores"])
        print()
        tables.glitches(told["glitches"])
        for name in told.get("not_found", ()):
            print(f"no trigger: {name}")
        if "not_learnt" in told:
            tables.heading(f"{title}, {NEW}")
            tables.classes(told["not_learnt"]["by_class"])
            print()
            tables.scores(told["not_learnt"]["scores"])
    return told


def _fits(known: Referee, count: int) -> dict[str, Any] | None:
    told = known.fits(count) if count else None
    if told:
        low, high = told["least_snr"], told["most_snr"]
        tables.heading(
            f"Waveforms from fits, SNR {low:g} to {high:g}, in noise of measured spectra"
        )
        tables.fits(told["drawn"])
        print("\nof those found:")
        tables.classes(told["by_class"])
        print()
        tables.scores({"known": told["scores"]["known"], "whole": told["scores_whole"]})
    return told


def _events(seen: Sequence[Seen]) -> Mapping[str, Any]:
    rows = referee.merger_rows(seen)
    if not rows:
        return {"rows": rows}
    tables.heading("Events: the matched filter's SNR, and the pipeline's trigger there")
    tables.mergers(rows)
    summary = mergers.summary(seen)
    tables.heading("Events found, and called cbc")
    tables.bands(summary)
    new = mergers.summary([each for each in seen if not each.learnt])
    tables.heading(f"Events found, and called cbc, {NEW}")
    tables.bands(new)
    return {"rows": rows, "summary": summary, "not_learnt": new}


def _rates(name: str, stretches: Sequence[rates.Background]) -> list[dict[str, Any]]:
    rows = rates.table(stretches)
    if rows:
        tables.heading(f"Triggers an hour, events aside: {name}")
        tables.rates(rows)
    return rows


def _page(
    judge: Judge, options: argparse.Namespace, found: Sequence[Searched], seen: Sequence[Seen]
) -> None:
    sections = referee.shots(found, seen, options.shown, options.seed)
    if options.at:
        sections["At times asked for"] = page.asked_for(judge, found, options.at)
    path = referee.drawn(judge, sections, options.page, options.data)
    print(f"\n{path}: {sum(map(len, sections.values()))} omega scans")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real", description=__doc__)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="default: the packaged one")
    parser.add_argument(
        "--fits", type=report.count, default=600, metavar="N", help="waveforms; 0: none"
    )
    parser.add_argument("--page", type=Path, metavar="DIR", help="write omega scans there")
    parser.add_argument(
        "--shown", type=report.count, default=24, metavar="N", help="scans of each kind"
    )
    parser.add_argument(
        "--at", nargs="+", default=[], type=float, metavar="GPS", help="draw these times, too"
    )
    report.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
