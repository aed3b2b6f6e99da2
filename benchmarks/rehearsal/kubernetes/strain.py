"""What `make k8s-test` plays, and what the archive's job finds in it."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import h5py
import yaml

from beam_pipeline.config import PipelineConfig, parse_config
from benchmarks.rehearsal.compare import Row, open_since
from benchmarks.rehearsal.kubernetes.release import VALUES
from flink.processes import Problem
from flink.settings import ROOT
from transforms.gps import NANOSECONDS
from transforms.sink.writers import read_triggers

FILES = sorted((ROOT / "tests" / "data").glob("*_LOSC_4_V2-1126259446-32.hdf5"))
AGAIN_S = 33
"""The same strain is played again so much later: a second is missing between, as no seam fits."""
EVENTS_S = (1126259462.4, 1126259462.4 + AGAIN_S)
"""GPS times of GW150914."""
NEAR_S = 0.1


def played(folder: Path) -> list[Path]:
    """Return the files to play: 65 s of two detectors.

    Args:
        folder: Where the later ones are written.
    """
    return [*FILES, *(_later(path, folder) for path in FILES)]


def _later(path: Path, folder: Path) -> Path:
    site, text, start, rest = path.name.split("-")
    made = folder / "-".join([site, text, str(int(start) + AGAIN_S), rest])
    shutil.copy(path, made)
    with h5py.File(made, "r+") as file:
        file["meta/GPSstart"][()] += AGAIN_S
        for name in ("strain/Strain", "quality/simple/DQmask", "quality/injections/Injmask"):
            file[name].attrs["Xstart"] += AGAIN_S
    return made


def science() -> PipelineConfig:
    """Read the science that the release is installed with."""
    made: dict[str, object] = {}
    for path in VALUES:
        made |= (yaml.safe_load(path.read_text()) or {}).get("science", {})
    return parse_config(made)


def archived(files: Sequence[Path], folder: Path, config: PipelineConfig) -> list[Row]:
    """Return the triggers that the archive's job finds.

    Args:
        files: Of strain.
        folder: Where it writes; made.
        config: The science.

    Raises:
        Problem: It fails.
    """
    folder.mkdir()
    given, output = folder / "science.yaml", folder / "results"
    given.write_text(config.to_yaml())
    line = [sys.executable, "-m", "beam_pipeline.cli", "run", *map(str, files)]
    line += ["--config", str(given), "--output", str(output)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Problem(f"the archive's job failed: {done.stderr}")
    return list(read_triggers(output).to_pylist())


def left_open(rows: Sequence[Row]) -> dict[str, float]:
    """Return the time from which on a trigger need not become final [GPS s], by channel."""
    ends = [int(path.stem.split("-")[2]) + int(path.stem.split("-")[3]) for path in FILES]
    end_ns = (max(ends) + AGAIN_S) * NANOSECONDS
    return open_since(science().detect, {str(row["channel"]): end_ns for row in rows})


def event(row: Row) -> bool:
    """Return whether a trigger is GW150914."""
    return any(abs(row["time"] - time) < NEAR_S for time in EVENTS_S)


def told(row: Row) -> str:
    """Return which trigger it is."""
    status = row.get("status", "of the archive")
    return f"{row['ifo']} at {row['time']:.3f}, SNR {row['snr']:.2f}, {status}, {row['id']}"
