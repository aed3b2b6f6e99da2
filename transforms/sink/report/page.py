"""The report's page: what results tell, in words and numbers; `report.html` places them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from transforms.classify import gravity_spy
from transforms.page import html
from transforms.sink.report import figures
from transforms.sink.report.results import Results
from transforms.utc import DAY, utc_text

LOUDEST = 25
SNIPPETS = 12
LETTERS = 50
LABELS = 20
YEAR = 365.25 * DAY
"""Julian [s]."""


def render(results: Results) -> str:
    """Return the page: one text without references to anything outside it."""
    ifos = sorted(set(results.texts("ifo").tolist()) | {each.ifo for each in results.segments})
    letters = results.dead_letters
    return html.render(
        "transforms.sink.report",
        "report.html",
        ifos=_listed(ifos),
        span=_span(results),
        facts=_facts(results),
        segments=figures.segment_bars(results, "segments") if results.channels else "",
        unseen=max(len(results.channels) - figures.SHOWN_CHANNELS, 0),
        channels=_channels(results),
        maps=_maps(results),
        loudness=figures.snr_distribution(results, "loudness") if len(results.triggers) else "",
        labels=_labels(results),
        events=_events(results),
        loudest=_loudest(results),
        snippets=_snippets(results),
        letters=letters[:LETTERS],
        more_letters=f"{len(letters) - LETTERS:,}" if len(letters) > LETTERS else "",
        config=results.config_text,
        provenance=results.provenance,
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _span(results: Results) -> dict[str, str] | None:
    if results.span is None:
        return None
    start, end = results.span
    return {
        "utc": f"{utc_text(start)} to {utc_text(end)}",
        "gps": f"{_gps(start)} to {_gps(end)}",
        "duration": _duration(end - start),
    }


def _facts(results: Results) -> dict[str, str]:
    snr = results.numbers("snr")
    return {
        "triggers": f"{len(snr):,}",
        "events": f"{len(results.events):,}",
        "loudest SNR": f"{snr.max():.1f}" if len(snr) else "",
        "channels": str(len(results.channels)),
        "livetime, all channels": _duration(sum(results.livetime.values())),
        "inputs not used": f"{len(results.dead_letters):,}",
        "version": results.provenance.version,
    }


def _channels(results: Results) -> list[dict[str, str]]:
    snr = results.numbers("snr")
    start, end = results.span or (0.0, 0.0)
    rows = []
    for name in results.channels:
        own, live = snr[results.of_channel(name)], results.livetime[name]
        rows.append(
            {
                "name": name,
                "analysed": _duration(live),
                "share": f"{live / (end - start):.1%}" if end > start else "",
                "triggers": f"{len(own):,}",
                "rate": f"{len(own) * 3600 / live:.1f}" if live else "",
                "loudest": f"{own.max():.1f}" if len(own) else "",
            }
        )
    return rows


def _maps(results: Results) -> list[dict[str, str]]:
    maps = []
    for number, channel in enumerate(results.channels[: figures.SHOWN_CHANNELS]):
        count = int(np.count_nonzero(results.of_channel(channel)))
        cut = f"; the loudest {figures.POINTS:,} are drawn" if count > figures.POINTS else ""
        found = f"{count:,} trigger{'' if count == 1 else 's'}{cut}"
        image = figures.time_frequency_map(results, channel, f"map{number}")
        maps.append({"channel": channel, "found": found, "image": image})
    return maps


def _labels(results: Results) -> list[dict[str, str]]:
    labels, counts = np.unique(results.texts("label"), return_counts=True)
    return [
        {
            "label": str(labels[each]),
            "gravity_spy": gravity_spy.name_of(str(labels[each])) or "",
            "count": f"{counts[each]:,}",
            "share": f"{counts[each] / counts.max():.1%}",
        }
        for each in np.argsort(-counts, kind="stable")[:LABELS]
    ]


def _loudest(results: Results) -> list[dict[str, Any]]:
    shown = {row["id"] for row in results.loudest_snippets(SNIPPETS)}
    return [_told(row) | {"shown": row["id"] in shown} for row in results.loudest(LOUDEST)]


def _events(results: Results) -> list[dict[str, str]]:
    return [
        {
            **{name: row[name] or "" for name in ("id", "label", "detectors")},
            "time": f"{row['time']:.4f}",
            "utc": utc_text(row["time"]),
            **{name: _number(row[name]) for name in ("snr", "rank", "rank_unlabelled")},
            "far": _rate(row["far"]),
        }
        for row in results.loudest_events(LOUDEST)
    ]


def _number(value: float | None) -> str:
    # A row of another version may lack it.
    return "" if value is None else f"{value:.1f}"


def _rate(far: float | None) -> str:
    """Return a false-alarm rate [Hz] as people say it, as in 1 in 3.2 yr; empty where unknown."""
    if far is None:
        return ""
    if far <= 0:  # no counted rate is, but a file may say so
        return "0"
    seconds = 1 / far
    units = (("yr", YEAR), ("d", DAY), ("h", 3600), ("min", 60))
    name, length = next((unit for unit in units if seconds >= unit[1]), ("s", 1))
    count = seconds / length
    return f"1 in {count:,.0f} {name}" if count >= 100 else f"1 in {count:.3g} {name}"


def _snippets(results: Results) -> list[dict[str, Any]]:
    return [
        _told(row)
        | {"image": figures.snippet_scan(results.snippets[row["id"]], f"snippet{number}")}
        for number, row in enumerate(results.loudest_snippets(SNIPPETS))
    ]


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """Return a trigger as it is told; empty where it has none of something."""
    return {
        **{name: row[name] for name in ("id", "channel", "label")},
        "time": f"{row['time']:.4f}",
        "utc": utc_text(row["time"]),
        "snr": f"{row['snr']:.1f}",
        "frequency": f"{row['frequency']:.1f}",
        "hertz": f"{row['frequency']:.0f}",
        "q": f"{row['q']:.1f}",
        "duration": f"{row['duration']:.3f}",
        "score": "" if row["score"] is None else f"{row['score']:.2f}",
        "dq": _flags(row, "dq"),
        "injections": _flags(row, "injections"),
    }


def _flags(row: dict[str, Any], column: str) -> list[str]:
    # A row of an older version lacks the injections: there they are among the other flags.
    return [flag for flag in (row.get(column) or "").split(",") if flag]


def _gps(gps: float) -> str:
    return f"{gps:.3f}".rstrip("0").rstrip(".")


def _duration(seconds: float) -> str:
    units = (("d", 86_400), ("h", 3600), ("min", 60))
    for position, (name, length) in enumerate(units):
        if seconds >= length:
            whole, rest = divmod(round(seconds), length)
            smaller, size = [*units, ("s", 1)][position + 1]
            return f"{whole} {name} {rest // size} {smaller}" if rest // size else f"{whole} {name}"
    return f"{seconds:.1f} s"
