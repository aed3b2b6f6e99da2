"""The report's page: results to HTML, with every text escaped."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

from transforms.page.html import figure, none, style, table
from transforms.sink.report import figures
from transforms.sink.report.results import Results
from transforms.utc import utc_text

LOUDEST = 25
EVENTS = 12
LETTERS = 50
LABELS = 20
_NONE = "&ndash;"


def render(results: Results) -> str:
    """Return the page: one text without references to anything outside it."""
    template = Template(files("transforms.sink").joinpath("report.html").read_text("utf-8"))
    ifos = sorted(set(results.texts("ifo").tolist()) | {each.ifo for each in results.segments})
    return template.substitute(
        style=style(),
        title=f"Transients in {_listed(ifos)}" if ifos else "Transients",
        span=_span(results),
        facts=_facts(results),
        segments=_segments(results),
        channels=_channels(results),
        maps=_maps(results),
        loudness=_loudness(results),
        labels=_labels(results),
        loudest=_loudest(results),
        events=_events(results),
        dead_letters=_dead_letters(results),
        config=escape(results.config_text),
        provenance=f"wavefier {escape(results.provenance.version)}, configuration "
        f"<code>{escape(results.provenance.config)}</code>",
    )


def _listed(names: Sequence[str]) -> str:
    return escape(" and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]])))


def _span(results: Results) -> str:
    if results.span is None:
        return "No data were looked at."
    start, end = results.span
    return (
        f"{utc_text(start)} to {utc_text(end)} UTC "
        f"&middot; GPS {_gps(start)} to {_gps(end)} &middot; {_duration(end - start)}"
    )


def _facts(results: Results) -> str:
    snr = results.numbers("snr")
    facts = {
        "triggers": f"{len(snr):,}",
        "loudest SNR": f"{snr.max():.1f}" if len(snr) else _NONE,
        "channels": str(len(results.channels)),
        "livetime, all channels": _duration(sum(results.livetime.values())),
        "inputs not used": f"{len(results.dead_letters):,}",
        "version": escape(results.provenance.version),
        "configuration": f"<code>{escape(results.provenance.config[:12])}</code>",
    }
    return "".join(f"<div><dt>{name}</dt><dd>{fact}</dd></div>" for name, fact in facts.items())


def _segments(results: Results) -> str:
    if not results.channels:
        return none("No channel was looked at.")
    return figure(
        figures.segment_bars(results, "segments"),
        f"What is blank was not handed over.{_beyond(results)}",
    )


def _beyond(results: Results) -> str:
    more = len(results.channels) - figures.SHOWN_CHANNELS
    return f" {more} more channels are in the table only." if more > 0 else ""


def _channels(results: Results) -> str:
    names, snr = results.channels, results.numbers("snr")
    start, end = results.span or (0.0, 0.0)
    rows = []
    for name in names:
        own, live = snr[results.of_channel(name)], results.livetime[name]
        rows.append(
            [
                escape(name),
                _duration(live),
                f"{live / (end - start):.1%}" if end > start else _NONE,
                f"{len(own):,}",
                f"{len(own) * 3600 / live:.1f}" if live else _NONE,
                f"{own.max():.1f}" if len(own) else _NONE,
            ]
        )
    heads = ["channel", "analysed", "of the span", "triggers", "triggers an hour", "loudest SNR"]
    return table(heads, rows, "tnnnnn") if rows else ""


def _maps(results: Results) -> str:
    if not results.channels:
        return none("No channel was looked at.")
    maps = []
    for number, channel in enumerate(results.channels[: figures.SHOWN_CHANNELS]):
        count = int(np.count_nonzero(results.of_channel(channel)))
        cut = f"; the loudest {figures.POINTS:,} are drawn" if count > figures.POINTS else ""
        found = f"{count:,} trigger{'' if count == 1 else 's'}{cut}"
        caption = f"<b>{escape(channel)}</b>: {found}. Hatched: not analysed."
        maps.append(figure(figures.time_frequency_map(results, channel, f"map{number}"), caption))
    return "".join(maps)


def _loudness(results: Results) -> str:
    if not len(results.numbers("snr")):
        return none("No triggers.")
    return figure(
        figures.snr_distribution(results, "loudness"),
        "Triggers at least so loud, for each hour analysed.",
        wide=False,
    )


def _labels(results: Results) -> str:
    labels, counts = np.unique(results.texts("label"), return_counts=True)
    order = np.argsort(-counts, kind="stable")[:LABELS]
    if not len(order):
        return none("No triggers.")
    rows = [
        [
            escape(str(labels[each])) or "<span class=dim>not classified</span>",
            f"{counts[each]:,}",
            f'<span class="share" style="width:{counts[each] / counts.max():.1%}"></span>',
        ]
        for each in order
    ]
    return table(["label", "triggers", ""], rows, "-ns")


def _loudest(results: Results) -> str:
    rows = results.loudest(LOUDEST)
    if not rows:
        return none("No triggers.")
    shown = {row["id"] for row in results.loudest_events(EVENTS)}
    heads = ["GPS time", "UTC", "channel", "SNR", "frequency [Hz]", "Q", "duration [s]"]
    cells = [
        [
            _linked(row, shown),
            utc_text(row["time"]),
            escape(row["channel"]),
            f"{row['snr']:.1f}",
            f"{row['frequency']:.1f}",
            f"{row['q']:.1f}",
            f"{row['duration']:.3f}",
            escape(row["label"]) or _NONE,
            _NONE if row["score"] is None else f"{row['score']:.2f}",
            _flags(row["dq"]) or _NONE,
        ]
        for row in rows
    ]
    return table([*heads, "label", "score", "data quality"], cells, "nttnnnntnt")


def _linked(row: dict[str, Any], shown: set[str]) -> str:
    time = f"{row['time']:.4f}"
    return f'<a href="#event-{escape(row["id"])}">{time}</a>' if row["id"] in shown else time


def _flags(dq: str) -> str:
    return "".join(f'<span class="flag">{escape(flag)}</span>' for flag in dq.split(",") if flag)


def _events(results: Results) -> str:
    rows = results.loudest_events(EVENTS)
    if not rows:
        return none("No strain was kept.")
    images = [_event(results, row, number) for number, row in enumerate(rows)]
    return f'<div class="events">{"".join(images)}</div>'


def _event(results: Results, row: dict[str, Any], number: int) -> str:
    image = figures.event_scan(results.events[row["id"]], f"event{number}")
    score = "" if row["score"] is None else f" ({row['score']:.2f})"
    label = f"{escape(row['label'])}{score} &middot; " if row["label"] else ""
    return (
        f'<figure id="event-{escape(row["id"])}"><header><h3>{escape(row["channel"])}</h3>'
        f'<span class="dim">{row["time"]:.4f}</span></header><div class="plot">{image}</div>'
        f"<figcaption>{label}SNR {row['snr']:.1f}, {row['frequency']:.0f} Hz, "
        f"Q {row['q']:.1f}, {row['duration']:.3f} s {_flags(row['dq'])}"
        f" <code>{escape(row['id'])}</code></figcaption></figure>"
    )


def _dead_letters(results: Results) -> str:
    letters = results.dead_letters
    if not letters:
        return none("None: every input could be used.")
    rows = [
        [f"<code>{escape(each.source)}</code>", escape(each.reason)] for each in letters[:LETTERS]
    ]
    more = len(letters) - len(rows)
    note = f"<p class=dim>{more:,} more in dead_letters/dead_letters.jsonl.</p>" if more else ""
    return table(["source", "what is wrong, and what to do"], rows, "--") + note


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
