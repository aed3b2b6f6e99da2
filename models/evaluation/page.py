"""The page of an evaluation: figures in words and numbers; `page.html` places them."""

from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes

from models import metrics, plots
from models.evaluation.evaluation import Evaluation
from transforms.page import html
from transforms.page.drawing import drawing, svg

WRONG, UNUSABLE = 25, 50
"""How many events are shown at most."""
_HALF = (5.2, 3.6)
"""Size of a figure that has half of the page [inch]."""


def render(evaluation: Evaluation, told: Mapping[str, Any]) -> str:
    """Return the page of an evaluation whose figures are ``told``."""
    table, labels = told["confusion"]["table"], told["confusion"]["labels"]
    size = plots.confusion_size(len(labels))
    return html.render(
        "models.evaluation",
        "page.html",
        name=evaluation.card.name,
        model=told["model"],
        events=f"{told['events']:,}",
        facts=_facts(told),
        notes=told["notes"],
        confusion=_drawn("confusion", size, lambda axes: plots.confusion(axes, table, labels)),
        classes=_classes(told),
        by_snr=_drawn("snr", _HALF, lambda axes: plots.by_snr(axes, told["by_snr"])),
        calibration=_drawn(
            "scores", _HALF, lambda axes: plots.calibration(axes, told["calibration"])
        ),
        ece=f"{told['ece']:.3f}",
        roc=_roc(evaluation),
        wrong=_wrong(evaluation),
        unusable=[_event(row, "why") for row in evaluation.unusable[:UNUSABLE]],
        more=f"{len(evaluation.unusable) - UNUSABLE:,}"
        if len(evaluation.unusable) > UNUSABLE
        else "",
        command=told["command"],
        versions=", ".join(f"{name} {number}" for name, number in told["versions"].items()),
    )


def _drawn(name: str, size: tuple[float, float], draw: Callable[[Axes], None]) -> Markup:
    with drawing(*size) as canvas:
        draw(canvas.subplots())
        return svg(canvas, name, name)


def _facts(told: Mapping[str, Any]) -> dict[str, str]:
    binary = told["binary"]
    return {
        "accuracy": f"{told['accuracy']:.1%}",
        "macro F1": f"{told['macro_f1']:.3f}",
        "calibration error": f"{told['ece']:.3f}",
        "CPU time of an event": f"{told['ms_per_event']:.2f} ms",
        "transient or noise, AUC": _number(binary["auc"], ".4f"),
        "false triggers removed at 1 % loss": _number(binary["removed_at_1_percent_loss"], ".1%"),
        "not detected": f"{told['not_detected']:,}",
        "not usable": f"{told['not_usable']:,}",
    }


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _classes(told: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "label": label,
            "count": f"{each['count']:,}",
            "precision": f"{each['precision']:.3f}",
            "recall": f"{each['recall']:.3f}" if each["count"] else "",
            "f1": f"{each['f1']:.3f}" if each["count"] else "",
            "auc": _number(each["auc"], ".4f"),
        }
        for label, each in told["per_class"].items()
    ]


def _roc(evaluation: Evaluation) -> Markup | None:
    curves = {}
    for index, label in enumerate(evaluation.card.classes):
        own = evaluation.truth == index
        if own.any() and not own.all():
            curves[label] = metrics.roc(evaluation.probabilities[:, index], own)
    return _drawn("roc", (9.6, 4.6), lambda axes: plots.roc(axes, curves)) if curves else None


def _wrong(evaluation: Evaluation) -> list[dict[str, str]]:
    truths = [evaluation.card.classes[i] for i in evaluation.truth]
    wrong = [
        row for row, truth in zip(evaluation.usable, truths, strict=True) if row["guessed"] != truth
    ]
    return [
        {**_event(row, "guessed"), "score": f"{row['score']:.3f}", "snr": f"{row['snr']:.1f}"}
        for row in sorted(wrong, key=lambda row: -row["score"])[:WRONG]
    ]


def _event(row: Mapping[str, Any], what: str) -> dict[str, str]:
    """Return which event a row tells of, and what of it."""
    told = {name: row[name] for name in ("file", "ifo", "label", what)}
    return {**told, "time": f"{row['time']:.3f}"}
