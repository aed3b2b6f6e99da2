"""The page of an evaluation: one file without references to anything outside it."""

from collections.abc import Callable, Mapping
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from matplotlib.axes import Axes

from models import metrics, plots
from models.evaluation.evaluate import Evaluation
from transforms.page.drawing import drawing, svg
from transforms.page.html import figure, none, style, table

WRONG = 25
_NONE = "&ndash;"


def render(evaluation: Evaluation, told: Mapping[str, Any]) -> str:
    """Return the page of an evaluation whose figures are ``told``."""
    template = Template(files("models.evaluation").joinpath("page.html").read_text("utf-8"))
    labels, bins = told["confusion"]["labels"], told["calibration"]
    confusion = _drawn(
        "confusion",
        plots.confusion_size(len(labels)),
        lambda axes: plots.confusion(axes, told["confusion"]["table"], labels),
    )
    return template.substitute(
        style=style(),
        title=f"How good is {escape(evaluation.card.name)}?",
        subtitle=f"{told['events']:,} events &middot; model <code>{escape(told['model'])}</code>",
        facts=_facts(told),
        notes="".join(f"<p>{escape(note)}</p>" for note in told["notes"]),
        confusion=figure(confusion, "Shares of each row; cells below 0.005 are blank."),
        classes=_classes(told),
        by_snr=figure(
            _drawn("snr", (5.2, 3.6), lambda axes: plots.by_snr(axes, told["by_snr"])),
            "Share of right labels in bins of the trigger's SNR.",
            wide=False,
        ),
        calibration=figure(
            _drawn("scores", (5.2, 3.6), lambda axes: plots.calibration(axes, bins)),
            "Of the labels with a score, as many should be right. "
            f"Expected calibration error {told['ece']:.3f}.",
            wide=False,
        ),
        roc=_roc(evaluation),
        wrong=_wrong(evaluation),
        provenance=_provenance(told),
    )


def _provenance(told: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in told["versions"].items())
    return f"<code>{escape(told['command'])}</code> &middot; {escape(versions)}"


def _drawn(name: str, size: tuple[float, float], draw: Callable[[Axes], None]) -> str:
    with drawing(*size) as canvas:
        draw(canvas.subplots())
        return svg(canvas, name, name)


def _facts(told: Mapping[str, Any]) -> str:
    binary = told["binary"]
    facts = {
        "accuracy": f"{told['accuracy']:.1%}",
        "macro F1": f"{told['macro_f1']:.3f}",
        "calibration error": f"{told['ece']:.3f}",
        "CPU time of an event": f"{told['ms_per_event']:.2f} ms",
        "transient or noise, AUC": _number(binary["auc"], "{:.4f}"),
        "false triggers removed at 1 % loss": _number(
            binary["removed_at_1_percent_loss"], "{:.1%}"
        ),
        "not detected": f"{told['not_detected']:,}",
    }
    return "".join(f"<div><dt>{name}</dt><dd>{fact}</dd></div>" for name, fact in facts.items())


def _number(value: float | None, form: str) -> str:
    return _NONE if value is None else form.format(value)


def _classes(told: Mapping[str, Any]) -> str:
    rows = [
        [
            escape(label),
            f"{each['count']:,}",
            f"{each['precision']:.3f}",
            f"{each['recall']:.3f}" if each["count"] else _NONE,
            f"{each['f1']:.3f}" if each["count"] else _NONE,
            _number(each["auc"], "{:.4f}"),
        ]
        for label, each in told["per_class"].items()
    ]
    return table(["class", "events", "precision", "recall", "F1", "AUC"], rows, "tnnnnn")


def _roc(evaluation: Evaluation) -> str:
    curves = {}
    for index, label in enumerate(evaluation.card.classes):
        own = evaluation.truth == index
        if own.any() and not own.all():
            curves[label] = metrics.roc(evaluation.probabilities[:, index], own)
    if not curves:
        return none("All events are of one class.")
    image = _drawn("roc", (9.6, 4.6), lambda axes: plots.roc(axes, curves))
    return figure(image, "By the probability of the class; false positive rates from 0.0001 on.")


def _wrong(evaluation: Evaluation) -> str:
    truths = [evaluation.card.classes[i] for i in evaluation.truth]
    wrong = [
        row for row, truth in zip(evaluation.rows, truths, strict=True) if row["guessed"] != truth
    ]
    if not wrong:
        return none("No label is wrong.")
    rows = [
        [
            escape(row["file"]),
            f"{row['time']:.3f}",
            escape(row["ifo"]),
            escape(row["label"]),
            escape(row["guessed"]),
            f"{row['score']:.3f}",
            f"{row['snr']:.1f}",
        ]
        for row in sorted(wrong, key=lambda row: -row["score"])[:WRONG]
    ]
    heads = ["file", "GPS time", "detector", "truth", "label", "score", "SNR"]
    return table(heads, rows, "-ntttnn")
