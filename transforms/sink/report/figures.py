"""The report's figures, as SVG that takes its colours from the page around it.

What grows with the run is drawn as pixels: no figure is larger for having more to show.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.legend_handler import HandlerLine2D
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from transforms.elements import Segment
from transforms.gps import to_seconds
from transforms.page.drawing import COLOURS, drawing, svg
from transforms.sink.report.qscan import scan
from transforms.sink.report.results import Results
from transforms.sink.writers import Snippet

POINTS = 20_000
"""The most triggers that a map shows."""
SHOWN_CHANNELS = 8
LONGEST = 48
"""Characters of a name or reason in a figure; the tables have all."""
SPANS = (0.5, 2.0)
"""Lengths of the two views of a snippet [s]: around its peak, and up to its end."""
_REASONS = ("#d55e00", "#e69f00", "#cc79a7", "#b5a642", "#8c564b")
"""Warm, for what was not analysed; analysed is blue."""

_PANEL = "#170b2b"
_OTHER = "#8a8794"
_VIRIDIS = mpl.colormaps["viridis"]
_BRIGHT = ListedColormap(_VIRIDIS(np.linspace(0.28, 1.0, 256)))
"""Viridis without its darkest part, so that quiet triggers stand out from the panel."""


def time_frequency_map(results: Results, channel: str, name: str) -> Markup:
    """Draw a channel's triggers in time and frequency, coloured by SNR."""
    chosen = np.flatnonzero(results.of_channel(channel))
    snr = results.numbers("snr")[chosen]
    order = np.argsort(snr, kind="stable")[-POINTS:]  # the loudest, on top
    snr, chosen = snr[order], chosen[order]
    origin, end = results.span or (0.0, 1.0)
    unit, seconds = _time_unit(end - origin)
    with drawing(9.6, 3.0) as figure:
        axes = figure.subplots()
        _shade_idle(axes, results.segments, channel, origin, seconds)
        points = axes.scatter(
            (results.numbers("time")[chosen] - origin) / seconds,
            results.numbers("frequency")[chosen],
            c=snr,
            s=np.clip(snr, 6, 50) * _marker_scale(len(snr)),
            cmap=_BRIGHT,
            norm=LogNorm(5, 100),
            linewidths=0,
            rasterized=True,
        )
        axes.set(xlim=(0, (end - origin) / seconds or 1), xlabel=_since(unit, origin))
        _frequency_axis(axes, results.numbers("frequency"))
        if not len(snr):
            axes.text(0.5, 0.5, "no triggers", color="white", ha="center", transform=axes.transAxes)
        bar = figure.colorbar(points, ax=axes, pad=0.01, aspect=18, extend="max", label="SNR")
        _plain_ticks(bar.ax.yaxis, (5, 10, 20, 50, 100))
        return svg(figure, name, f"Triggers of {channel} in time and frequency")


def _marker_scale(count: int) -> float:
    # A handful must be seen, and thousands must not become one blot.
    return float(np.clip((2000 / max(count, 1)) ** 0.8, 0.15, 4.0))


def _frequency_axis(axes: Axes, frequencies: Any) -> None:
    axes.set_facecolor(_PANEL)
    low, high = (frequencies.min(), frequencies.max()) if len(frequencies) else (20, 2000)
    axes.set(yscale="log", ylabel="frequency [Hz]", ylim=(min(low / 1.3, 20), max(high * 1.3, 500)))
    _plain_ticks(axes.yaxis, (10, 20, 50, 100, 200, 500, 1000, 2000, 5000))


def _plain_ticks(axis: Any, values: Sequence[float]) -> None:
    axis.set_major_locator(FixedLocator(values))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _shade_idle(
    axes: Axes, segments: list[Segment], channel: str, origin: float, unit: float
) -> None:
    analysed = [each for each in segments if each.channel == channel and each.analysed]
    # All is idle but what was analysed: nothing said of a stretch is nothing looked at.
    axes.axvspan(0, 1e9, facecolor="#4a4553", hatch="////", edgecolor="#6a6474", lw=0)
    axes.broken_barh(_bars(analysed, origin, unit), (1, 1e5), facecolors=_PANEL, rasterized=True)


def _bars(segments: list[Segment], origin: float, unit: float) -> list[tuple[float, float]]:
    return [
        (
            (to_seconds(each.start_ns) - origin) / unit,
            to_seconds(each.end_ns - each.start_ns) / unit,
        )
        for each in segments
    ]


def _time_unit(seconds: float) -> tuple[str, float]:
    for name, length in (("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return name, length
    return "seconds", 1.0


def _since(unit: str, origin: float) -> str:
    return f"{unit} from GPS {origin:.3f}".rstrip("0").rstrip(".")


def segment_bars(results: Results, name: str) -> Markup:
    """Draw what was analysed of each channel, and why the rest was not."""
    channels = results.channels[:SHOWN_CHANNELS]
    origin, end = results.span or (0.0, 1.0)
    unit, seconds = _time_unit(end - origin)
    kinds = _kinds(results.segments)
    legend_rows = -(-len(kinds) // 4)
    with drawing(9.6, 0.5 + 0.25 * legend_rows + 0.34 * len(channels)) as figure:
        axes = figure.subplots()
        for kind, (colour, members) in kinds.items():
            for row, channel in enumerate(channels):
                bars = _bars([each for each in members if each.channel == channel], origin, seconds)
                axes.broken_barh(bars, (row - 0.32, 0.64), facecolors=colour, rasterized=True)
            axes.bar(0, 0, color=colour, label=_short(kind))
        axes.set(xlim=(0, (end - origin) / seconds or 1), xlabel=_since(unit, origin))
        axes.set_yticks(range(len(channels)), [_short(channel) for channel in channels])
        axes.set_ylim(len(channels) - 0.5, -0.5)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        if kinds:
            figure.legend(loc="outside upper left", ncols=4, handlelength=1, handleheight=1)
        return svg(figure, name, "Stretches analysed and not analysed of each channel")


def _short(text: str) -> str:
    """Return a text as a figure has room for it, in one line."""
    line = " ".join(text.split())
    # Matplotlib leaves out of a legend what begins with an underscore.
    shown = f" {line}" if line.startswith("_") else line
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 3]}..."


def _kinds(segments: list[Segment]) -> dict[str, tuple[str, list[Segment]]]:
    """Sort segments into the few kinds that a legend can hold, each with its colour."""
    totals: dict[str, int] = {}
    for each in segments:
        if not each.analysed:
            totals[each.reason] = totals.get(each.reason, 0) + each.end_ns - each.start_ns
    named = sorted(totals, key=lambda reason: (-totals[reason], reason))[: len(_REASONS)]
    kinds: dict[str, tuple[str, list[Segment]]] = {}
    palette = dict(zip(named, _REASONS, strict=False))
    for each in sorted(segments, key=lambda each: not each.analysed):
        kind = "analysed" if each.analysed else each.reason if each.reason in palette else "other"
        colour = COLOURS[0] if each.analysed else palette.get(each.reason, _OTHER)
        kinds.setdefault(kind, (colour, []))[1].append(each)
    return kinds


def snr_distribution(results: Results, name: str) -> Markup:
    """Draw how often each channel has a trigger at least so loud."""
    snr = results.numbers("snr")
    top = max(float(snr.max()), 20.0) if len(snr) else 20.0
    bottom = min(float(snr.min()), top / 2) if len(snr) else 5.0
    grid = np.geomspace(bottom, top, 300)
    with drawing(5.2, 3.3) as figure:
        axes = figure.subplots()
        for number, channel in enumerate(results.channels[:SHOWN_CHANNELS]):
            own = np.sort(snr[results.of_channel(channel)])
            louder = len(own) - np.searchsorted(own, grid)
            hours = results.livetime[channel] / 3600
            if hours and len(own):
                seen = louder > 0
                colour, dash = COLOURS[number % 8], ("-", "--")[number % 2]
                rate = louder[seen] / hours
                axes.step(
                    grid[seen], rate, where="pre", color=colour, ls=dash, label=_short(channel)
                )
        axes.set(xscale="log", yscale="log", xlabel="SNR", ylabel="louder triggers an hour")
        axes.set_xlim(grid[0] / 1.03, top * 1.03)
        for axis in (axes.xaxis, axes.yaxis):
            low, high = axis.get_view_interval()
            axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.grid(visible=True)
        if axes.lines:
            # gwpy replaces the handler that all legends share.
            axes.legend(handler_map={Line2D: HandlerLine2D()})
        return svg(figure, name, "Rate of triggers above each signal-to-noise ratio")


def snippet_scan(snippet: Snippet, name: str, spans: tuple[float, float] = SPANS) -> Markup:
    """Draw a snippet's whitened strain in time and frequency, near and wide.

    Args:
        snippet: What is drawn.
        name: Of the figure in its page.
        spans: Lengths of the two views, as ``SPANS`` are [s].
    """
    start = snippet.start_time - snippet.time
    times = start + np.arange(len(snippet.samples)) / snippet.sample_rate
    near = _within(times, -spans[0] / 2, spans[0] / 2)
    band = (snippet.low_frequency / 1.5, snippet.high_frequency * 1.5)
    plane = scan(snippet.samples, snippet.sample_rate, near, band)
    views = (near, _within(times, times[-1] - spans[1], times[-1]))
    with drawing(5.4, 2.5) as figure:
        panels = figure.subplots(1, 2, sharey=True)
        edges = np.log2(plane.frequencies[[0, -1]])
        for axes, view in zip(panels, views, strict=True):
            image = axes.imshow(
                _pooled(plane.energy[:, view], 360),
                origin="lower",
                aspect="auto",
                interpolation="bilinear",
                extent=(times[view][0], times[view][-1], *edges),
                norm=Normalize(0, 25),
                cmap=_VIRIDIS,
            )
            octaves = np.arange(np.ceil(edges[0]), np.floor(edges[1]) + 1)
            axes.set_yticks(octaves, [f"{2**octave:g}" for octave in octaves])
            axes.set_xlabel("time from peak [s]")
        panels[0].set_ylabel("frequency [Hz]")
        figure.colorbar(
            image, ax=panels, pad=0.02, aspect=22, extend="max", label="normalised energy"
        )
        return svg(figure, name, f"Time-frequency image, Q = {plane.q:g}")


def _within(times: Any, start: float, end: float) -> slice:
    first, last = np.searchsorted(times, [start, end])
    first = min(int(first), len(times) - 2)
    return slice(first, max(int(last), first + 2))


def _pooled(energy: Any, columns: int) -> Any:
    # The largest of each column's samples: a peak must not fall between two pixels.
    step = -(-energy.shape[1] // columns)
    starts = np.arange(0, energy.shape[1], step)
    return np.maximum.reduceat(energy, starts, axis=1)
