"""Published events: when they were, and what a template of them looks like.

Values are medians, rounded, entered by hand; the templates' bank reaches far beyond their
errors. ``events.csv`` names the catalogue of each row by a short name (`SOURCES`).
"""

import csv
import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources

from transforms.utc import utc_midnight

SOURCES = {
    "GWTC-1": "Abbott et al. 2019, arXiv:1811.12907, table III",
    "GWTC-2": "Abbott et al. 2021, arXiv:2010.14527, table VI",
    "GWTC-2.1": "Abbott et al. 2024, arXiv:2108.01045",
    "GWTC-3": "Abbott et al. 2023, arXiv:2111.03606, table IV",
    "IAS-O1": "Zackay et al. 2019, arXiv:1902.10331: detector-frame chirp mass",
    "IAS-O2": "Venumadhav et al. 2020, arXiv:1904.07214: detector-frame chirp masses",
    "IAS-two": "Zackay et al. 2021, arXiv:1910.09528: time; chirp mass as cogwheel begins with",
}
"""Where the values of ``events.csv`` were published. GPS times: GWOSC's event list for GWTC."""
_NAME = re.compile(r"GWC?(\d{2})(\d{2})(\d{2})(?:_(\d{2})(\d{2})(\d{2}))?")
_FILE = re.compile(r"[A-Z]-([A-Z]\d)_(GWC?\d{6}(?:_\d{6})?)-\d+-\d+\.")


@dataclass(frozen=True, kw_only=True)
class Event:
    """A compact binary of a catalogue."""

    name: str
    window: tuple[float, float]
    """When its merger was: one time twice, or the second within which it lies [GPS s]."""
    chirp_mass: float
    """In the detector's frame [solar masses]."""
    ratio: float
    """Of the smaller mass to the larger one."""
    chi_eff: float
    """Effective spin along the orbit's axis."""
    source: str
    """A key of ``SOURCES``."""


@cache
def events() -> dict[str, Event]:
    """Return the published events, by name."""
    path = resources.files("benchmarks") / "events.csv"
    rows = csv.DictReader(path.read_text("utf-8").splitlines())
    return {row["name"]: _event(row) for row in rows}


def _event(row: dict[str, str]) -> Event:
    name = row["name"]
    at = float(row["gps"]) if row["gps"] else second_of(name)
    return Event(
        name=name,
        window=(at, at if row["gps"] else at + 1),
        chirp_mass=float(row["chirp_mass"]) * (1 + float(row["redshift"])),
        ratio=float(row["ratio"]),
        chi_eff=float(row["chi_eff"]),
        source=row["source"],
    )


def second_of(name: str) -> float:
    """Return the GPS second that a name like GW190521_074359 tells, in UTC there [s].

    Raises:
        ValueError: The name tells no time of day.
    """
    match = _NAME.fullmatch(name)
    if not match or match[4] is None:
        raise ValueError(f"{name} tells no time: write its GPS time into events.csv")
    year, month, day, hour, minute, second = map(int, match.groups())
    midnight = utc_midnight(date(2000 + year, month, day).toordinal())
    return float(midnight + 3600 * hour + 60 * minute + second)


def named(file: str) -> tuple[str, str] | None:
    """Return the detector and the event that a file's name tells; None where it tells none."""
    match = _FILE.match(file)
    return (match[1], match[2]) if match else None
