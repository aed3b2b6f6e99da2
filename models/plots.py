"""Figures of how good a classifier is: for a model's folder and for an evaluation's page.

Each draws on the axes it is given, and knows nothing of where they are shown.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.ticker import FuncFormatter, NullFormatter

from transforms.classify.artefact import Card
from transforms.page.drawing import COLOURS, drawing, png

_SHOWN = 0.005
"""Least share of a row that a cell of a confusion table tells."""
_DASHES = ("-", "--", ":")
_FAINT = "#8a8794"
# Of growing opacity, so that it suits a dark page too.
_SHADE = ListedColormap([(0.0, 0.45, 0.7, alpha) for alpha in np.linspace(0, 0.8, 64)])

Curve = tuple[Sequence[float], Sequence[float]]
"""False and true positive rate, [point] each."""


def confusion_size(classes: int) -> tuple[float, float]:
    """Return the width and height that a confusion table needs [inch]."""
    return 3.0 + 0.3 * classes, 2.2 + 0.26 * classes


def confusion(axes: Axes, table: Sequence[Sequence[int]], classes: Sequence[str]) -> None:
    """Draw a confusion table: rows are the truth, and each row's shares its colours."""
    counts = np.asarray(table, np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(totals, 1)
    axes.imshow(share, cmap=_SHADE, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    for row, column in np.argwhere(share >= _SHOWN):
        text = f"{share[row, column]:.2f}".lstrip("0")
        axes.text(column, row, text, ha="center", va="center", fontsize=7)
    axes.set_xticks(range(len(classes)), classes, rotation=90)
    rows = [f"{name} ({int(total)})" for name, total in zip(classes, totals[:, 0], strict=True)]
    axes.set_yticks(range(len(classes)), rows)
    axes.tick_params(length=0)
    axes.set(xlabel="label", ylabel="truth (events)")
    axes.spines[["left", "bottom"]].set_visible(False)


def calibration(axes: Axes, curve: Sequence[Mapping[str, float]]) -> None:
    """Draw accuracy against score; honest scores lie on the diagonal."""
    axes.plot((0, 1), (0, 1), color=_FAINT, lw=0.8, ls="--")
    count = np.array([each["count"] for each in curve], np.float64)
    score, accuracy = (np.array([each[key] for each in curve]) for key in ("score", "accuracy"))
    error = np.sqrt(np.maximum(accuracy * (1 - accuracy), 1e-4) / np.maximum(count, 1))
    axes.errorbar(score, accuracy, error, color=COLOURS[0], marker="o", ms=4, lw=1.2)
    axes.set(xlabel="score", ylabel="share that is right", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.grid(visible=True)


def by_snr(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw accuracy against SNR, with the error of a share."""
    low = np.array([max(each["low"], 5.0) for each in rows])
    high = np.array([each["high"] or 2 * each["low"] for each in rows])
    share, count = (np.array([each[key] for each in rows]) for key in ("accuracy", "count"))
    error = np.sqrt(np.maximum(share * (1 - share), 1e-4) / np.maximum(count, 1))
    middle = np.sqrt(low * high)
    width = np.array([middle - low, high - middle])
    axes.errorbar(middle, share, error, width, color=COLOURS[0], marker="o", ms=4, lw=1.2, ls="")
    axes.set(xscale="log", xlabel="SNR", ylabel="accuracy", ylim=(0, 1.02))
    ticks = [tick for tick in (5, 6, 8, 10, 20, 50, 100, 200) if tick <= high.max(initial=10)]
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(visible=True)


def roc(axes: Axes, curves: Mapping[str, Curve]) -> None:
    """Draw true against false positive rate, the latter on a logarithmic axis."""
    for number, (label, (false, true)) in enumerate(curves.items()):
        colour, dash = COLOURS[number % 8], _DASHES[number // 8 % 3]
        # Nothing is at zero on a logarithmic axis: it is drawn at the left edge.
        left = np.maximum(false, 1e-4)
        axes.step(left, true, where="post", color=colour, ls=dash, lw=1.2, label=label)
    axes.set(xscale="log", xlim=(1e-4, 1), ylim=(0, 1.02))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    axes.grid(visible=True)
    if len(curves) > 1:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, labelspacing=0.25)


def learning(axes: Axes, history: Sequence[Mapping[str, float]]) -> None:
    """Draw the losses of each epoch."""
    epochs = np.arange(len(history)) + 1
    for colour, (key, label) in zip(
        COLOURS, (("loss", "training"), ("val_loss", "validation")), strict=False
    ):
        axes.plot(epochs, [each[key] for each in history], color=colour, label=label, lw=1.2)
    axes.set(xlabel="epoch", ylabel="loss")
    axes.grid(visible=True)
    axes.legend()


def write(card: Card, folder: Path) -> None:
    """Draw what a card holds, as PNG files in a folder that is made."""
    contents = card.contents
    table = contents["accuracy"]["all"]["confusion"]
    wide = confusion_size(len(card.classes))
    drawn: dict[str, tuple[tuple[float, float], Callable[[Axes], None]]] = {
        "confusion": (wide, lambda axes: confusion(axes, table, card.classes)),
        "calibration": ((5, 4), lambda axes: calibration(axes, contents["calibration"])),
        "accuracy_by_snr": ((5, 4), lambda axes: by_snr(axes, contents["by_snr"])),
        "roc": ((5, 4), lambda axes: roc(axes, {"transient": contents["roc"]})),
        "learning": ((5, 4), lambda axes: learning(axes, contents["training"]["history"])),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, (size, draw) in drawn.items():
        with drawing(*size, page=False) as figure:
            draw(figure.subplots())
            (folder / f"{name}.png").write_bytes(png(figure))
