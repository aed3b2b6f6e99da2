"""sgnax: the Q-transform excess-power search of LIGO's SGN framework."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import h5py

from benchmarks.detection.scoring import Event
from benchmarks.peers.tool import CHANNEL, CLUSTER, IFO, Span, lal_cache

SETTLING = 200.0
"""At the start of a run its spectrum settles, and every loud false trigger lies there [s]."""
Q_RANGE = ("3.3", "108")
MISMATCH = "0.2"


@dataclass
class Sgnax:
    """``sgnax-qtransform`` with its defaults for chunks and clusters."""

    python: Path
    name: str = "sgnax"
    length: float = 1.0

    def version(self) -> str:
        """Return which version is measured."""
        return installed(self.python, "sgnax")

    def command(self, span: Span) -> list[str | Path]:
        """Prepare a run, and return its command line."""
        rate = str(span.archive.sample_rate)
        return [
            *(self.python.parent / "sgnax-qtransform", "-q", "--data-source", "frames"),
            *("--ifo", IFO, "--channel-name", CHANNEL.partition(":")[2]),
            *("--gps-start-time", str(span.archive.gps_start), "--gps-end-time", str(span.end)),
            *("--frame-cache", lal_cache(span), "--output-dir", span.output),
            *("--input-sample-rate", rate, "--whiten-sample-rate", rate),
            *("--frequency-range", "20", str(span.archive.sample_rate // 2)),
            *("--q-range", *Q_RANGE, "--mismatch", MISMATCH),
            *("--snr-threshold", str(span.threshold), "--cluster-dt", str(CLUSTER)),
        ]

    def events(self, span: Span) -> list[Event]:
        """Read what a run found."""
        found: list[Event] = []
        for path in sorted(span.output.glob("features/*/*.h5")):
            with h5py.File(path) as file:
                for group in file.values():
                    for table in group.values():
                        found += [_event(row) for row in table[:]]
        return found

    def analysed(self, span: Span) -> tuple[float, float]:
        """Its spectrum settles first; the last chunk is not looked at."""
        last = max((event.time for event in self.events(span)), default=float(span.end))
        return SETTLING, span.end - last


def _event(row: object) -> Event:
    names = ("time", "duration", "frequency", "snr")
    time, duration, frequency, snr = (float(row[name]) for name in names)  # type: ignore[index]
    return Event(
        time=time,
        start=time - duration / 2,
        end=time + duration / 2,
        frequency=frequency,
        snr=snr,
        rank=snr,
    )


def installed(python: Path, package: str) -> str:
    """Ask an interpreter for the version of a package."""
    script = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.strip()
