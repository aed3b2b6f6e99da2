"""The referee's figures as tables of text."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import report
from benchmarks.real.rates import HOUR
from models.metrics import SURE

SCORED = {
    "known": "classes of the model",
    "all": "all, unknown right where no class",
    "whole": "without koi fish, which lack their fins",
}
"""What score figures are of."""
Rows = Sequence[Mapping[str, Any]]


def heading(text: str) -> None:
    """Print a line above a table."""
    print(f"\n{text}")


def classes(by_class: Mapping[str, Mapping[str, Any]]) -> None:
    """Print which labels a person's labels got, with the range of their scores."""
    rows = [
        [
            truth if own["known"] else f"{truth} (no class)",
            str(own["count"]),
            str(own["right"] if own["known"] else own["unknown"]),
            ", ".join(_counted(label, each) for label, each in own["labels"].items()),
        ]
        for truth, own in by_class.items()
    ]
    report.print_table(("class", "count", "right", "labels (scores)"), rows)


def _counted(label: str, own: Mapping[str, Any]) -> str:
    low, high = own["scores"]
    return f"{label} {own['count']} ({low:.2f}{f'-{high:.2f}' if high > low else ''})"


def scores(told: Mapping[str, Mapping[str, Any]]) -> None:
    """Print what scores mean."""
    rows = [
        [
            SCORED[name],
            f"{own['right']} of {own['count']}",
            number(own["ece"], ".3f"),
            f"{own['sure_wrong']} of {own['sure']}",
        ]
        for name, own in told.items()
    ]
    heads = ("", "right", "calibration error", f"scores above {SURE:g} that are wrong")
    report.print_table(heads, rows)


def glitches(answers: Rows) -> None:
    """Print each labelled glitch."""
    rows = [
        [
            *(each["name"], each["truth"], each["label"], f"{each['score']:.2f}"),
            *(f"{each['snr']:.1f}", "" if each["detected"] else "not detected"),
        ]
        for each in answers
    ]
    report.print_table(("", "truth", "label", "score", "SNR", ""), rows)


def fits(rows: Rows) -> None:
    """Print what became of waveforms, by class and detector."""
    told = [
        [
            *(each["label"], each["ifo"], str(each["count"]), str(each["found"])),
            *(str(each["right"]), f"{each['recall']:.2f}"),
            *(number(each["time_error"], ".2f"), number(each["time_error_90"], ".2f")),
        ]
        for each in rows
    ]
    heads = ("class", "", "drawn", "found", "right", "recall", "|dt| [ms]", "90 %")
    report.print_table(heads, told)


def mergers(rows: Rows) -> None:
    """Print each event in each detector."""
    told = [
        [
            *(each["event"], each["ifo"], f"{each['time']:.3f}", f"{each['snr']:.1f}"),
            *(f"{each['chirp_mass']:.0f}", "yes" if each["found"] else "no"),
            *(number(each["trigger_snr"], ".1f"), each["label"], number(each["score"], ".2f")),
        ]
        for each in rows
    ]
    heads = ("event", "", "GPS", "filter's SNR", "Mc", "found", "SNR", "label", "score")
    report.print_table(heads, told)


def bands(rows: Rows) -> None:
    """Print how many events were found, by the filter's SNR."""
    told = [
        [_band(each), str(each["count"]), str(each["found"]), str(each["cbc"])] for each in rows
    ]
    report.print_table(("filter's SNR", "events", "found", "cbc"), told)


def rates(rows: Rows) -> None:
    """Print triggers an hour: by detector, SNR, shape and label."""
    told = [
        [
            *(each["ifo"], f"{each['live']:.0f}", str(each["triggers"])),
            number(each["hourly"], ".0f"),
            *(_hourly(each, band["count"]) for band in each["by_snr"]),
            _listed(each["by_shape"]),
            f"{each['quiet_sure']} of {each['quiet']}",
        ]
        for each in rows
    ]
    names = [_band(band) for band in rows[0]["by_snr"]]
    heads = ("", "live [s]", "triggers", "an hour", *names, "by shape", "quiet and sure")
    report.print_table(heads, told)
    print("\nan hour, by frequency [Hz]:")
    told = [
        [each["ifo"], *(_hourly(each, band["count"]) for band in each["by_frequency"])]
        for each in rows
    ]
    names = [_band(band) for band in rows[0]["by_frequency"]]
    report.print_table(("", *names), told)
    print("\nlabels:")
    for each in rows:
        print(f"{each['ifo']}: {_listed(each['by_label']) or 'no trigger'}")


def _hourly(row: Mapping[str, Any], count: int) -> str:
    return f"{count * HOUR / row['live']:.0f}" if row["live"] else ""


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _band(own: Mapping[str, Any]) -> str:
    if own["high"] is None:
        return f"from {own['low']:g}"
    return f"{own['low']:g}-{own['high']:g}" if own["low"] else f"below {own['high']:g}"


def number(value: float | None, form: str) -> str:
    """Return a number as text; empty where there is none."""
    return "" if value is None else format(value, form)
