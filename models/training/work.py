"""The folder in which a training is made: it says of which one, and serves one at a time."""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from models import artefact, machine
from models.simulation import waveforms
from models.training.settings import TrainConfig
from transforms.detect.config import DetectConfig
from transforms.sink.folder import whole_file
from transforms.whiten.config import WhitenConfig

MARK = "work.json"
_ROOT = Path(__file__).parents[2]
_DATA_SOURCES = (
    "models/simulation/simulate.py",
    "models/simulation/background.py",
    "models/simulation/injections.py",
    "models/simulation/matching.py",
    "models/simulation/noise.py",
    "models/simulation/waveforms/*.py",
    "transforms/classify/features.py",
    "transforms/detect/*.py",
    "transforms/whiten/*.py",
)
"""What examples are made by: another text of it may make others."""
_FIT_SOURCES = tuple(f"models/training/{name}.py" for name in ("network", "fit", "batches"))
"""What weights are made by, beside the examples."""


class WorkError(ValueError):
    """A work folder that cannot be used; one line says why and what to do."""


def keys(config: TrainConfig, whitening: WhitenConfig, detection: DetectConfig) -> dict[str, str]:
    """Give the hashes of what the examples depend on, and of what the fit does too."""
    settings = asdict(config)
    fitting = {key: settings.pop(key) for key in _FITTING}
    del settings["name"]
    data = {
        "config": settings,
        "whiten": asdict(whitening),
        "detect": asdict(detection),
        "features": artefact.feature_spec(),
        "classes": waveforms.CLASSES,
        "versions": machine.versions(),
        "sources": _sources(_DATA_SOURCES),
    }
    data_key = _hash(data)
    return {"data": data_key, "fit": _hash([data_key, fitting, _sources(_FIT_SOURCES)])}


_FITTING = ("epochs", "patience", "batch_size", "learning_rate")


@contextmanager
def opened(folder: Path, wanted: Mapping[str, str]) -> Iterator[None]:
    """Hold a work folder for one training, whose hashes are ``wanted``.

    Examples of the same hash are kept. What was fitted is removed where the fit has changed.

    Raises:
        WorkError: The folder is of another training, or another one is at work in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        _lock(lock, folder)
        known = _known(folder)
        if known and known.get("data") != wanted["data"]:
            raise WorkError(
                f"{folder} is of another configuration or version: give another --work, "
                "or remove it"
            )
        if not known and any(path.name != ".lock" for path in folder.iterdir()):
            raise WorkError(f"{folder} holds other files: give another --work")
        if known.get("fit") != wanted["fit"]:
            shutil.rmtree(folder / "fit", ignore_errors=True)
        with whole_file(folder / MARK) as temporary:
            temporary.write_text(json.dumps(dict(wanted)) + "\n", "utf-8")
        yield


def _lock(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise WorkError(
            f"another training is at work in {folder}: wait for it, or give another --work"
        ) from None


def _known(folder: Path) -> dict[str, Any]:
    path = folder / MARK
    if not path.is_file():
        return {}
    found = json.loads(path.read_text("utf-8"))
    return found if isinstance(found, dict) else {}


def _sources(patterns: tuple[str, ...]) -> str:
    paths = sorted(path for pattern in patterns for path in _ROOT.glob(pattern))
    paths = [inner for path in paths for inner in _files(path)]
    return _hash([[path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in paths])


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
