"""The folder in which a training is made: it says of which one, and serves one at a time."""

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import IO, Any

from models import environment
from models.evaluation.labelled import Row
from models.simulation import waveforms
from models.simulation.strain import checksum
from models.simulation.waveforms.fitted import TABLE
from models.training.settings import TrainConfig
from models.training.variants import files_of
from transforms.classify import artefact
from transforms.detect.config import DetectConfig
from transforms.files import whole_file
from transforms.whiten.config import WhitenConfig

MARK = "work.json"
LABELLED = "labelled.npz"
"""Examples of labelled strain."""
_DATA_SOURCES = (
    "models.simulation.simulate",
    "models.simulation.background",
    "models.simulation.injections",
    "models.simulation.matching",
    "models.simulation.noise",
    "models.simulation.strain",
    "models.simulation.waveforms",
    "transforms.binaries",
    "transforms.classify.features",
    "transforms.detect",
    "transforms.ingest.files",
    "transforms.ingest.quality",
    "transforms.whiten",
)
"""Modules, and packages with all inside, that examples are made by: another text of these may
make others."""
_LABELLED_SOURCES = (
    "models.evaluation.labelled",
    "models.evaluation.snippets",
    "models.evaluation.strain_files",
    "models.evaluation.whiteness",
    "models.training.variants",
)
_FIT_SOURCES = tuple(f"models.training.{name}" for name in ("network", "fit", "batches"))
"""What weights are made by, beside the examples."""


class WorkError(ValueError):
    """A folder that cannot be used; one line says why and what to do."""


def made(folder: Path, option: str) -> None:
    """Make a folder where it is missing.

    Args:
        folder: To write into.
        option: Of the command, which names it.

    Raises:
        WorkError: It cannot be made, or not be written into.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"{folder} cannot be made ({error.strerror})"
        raise WorkError(f"{reason}: give another {option}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise WorkError(f"{folder} cannot be written into: give another {option}")


def keys(
    config: TrainConfig,
    whitening: WhitenConfig,
    detection: DetectConfig,
    rows: Sequence[Row] = (),
) -> dict[str, str]:
    """Return the hashes of what examples depend on, of what the fit does too, and of the labelled.

    Args:
        config: With the files of its real strain.
        whitening: The pipeline's.
        detection: The pipeline's.
        rows: Of labelled strain.
    """
    settings = asdict(config)
    fitting = {key: settings.pop(key) for key in _FITTING}
    for key in ("name", *_ANSWERING):
        del settings[key]
    strain = {key: settings[key].pop("strain") for key in ("train", "validation", "test")}
    for stretch in chain.from_iterable(strain.values()):
        del stretch["file"]  # wherever it lies
    data = {
        "config": settings,
        "strain": strain,
        "samples": checksum([*config.train.strain, *config.validation.strain]),
        "whiten": asdict(whitening),
        "detect": asdict(detection),
        "features": artefact.feature_spec(),
        "classes": waveforms.CLASSES,
        "versions": environment.versions(),
        "sources": sources(_DATA_SOURCES),
        "tables": _tables(TABLE.parent),
    }
    data_key = _hash(data)
    told = [[row.number, row.file.name, row.time, row.ifo, row.label] for row in rows]
    files = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files_of(rows)]
    copies = [config.seed, config.labelled_copies]
    return {
        "data": data_key,
        "fit": _hash([data_key, fitting, sources(_FIT_SOURCES)]),
        "labelled": _hash([data_key, copies, told, files, sources(_LABELLED_SOURCES)]),
    }


_FITTING = ("epochs", "patience", "batch_size", "learning_rate")
_ANSWERING = ("labelled_equal", "labelled_copies", "unknown_limit")
"""What only the last step depends on, which is made anew each time."""


@contextmanager
def opened(folder: Path, wanted: Mapping[str, str]) -> Iterator[None]:
    """Hold a work folder for one training, whose hashes are ``wanted``.

    Examples of the same hash are kept. What was fitted is removed where the fit has changed, and
    the examples of labelled strain where that has.

    Raises:
        WorkError: The folder is of another training, or another one is at work in it.
    """
    made(folder, "--work")
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
        if known.get("labelled") != wanted["labelled"]:
            (folder / LABELLED).unlink(missing_ok=True)
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


def sources(names: tuple[str, ...]) -> str:
    """Hash the text of modules, by the names that they are imported by.

    Raises:
        ModuleNotFoundError: There is no such module: examples would be taken for those of
            another text. Whoever moves a module names its new place here.
    """
    texts = [pair for name in names for pair in sorted(_texts(name))]
    return _hash([[name, hashlib.sha256(text).hexdigest()] for name, text in texts])


def _tables(folder: Path) -> list[list[str]]:
    """Hash the tables that simulation reads: the mixtures of fits and the curves of noise."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".yaml", ".gz"))
    return [[path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in paths]


def _texts(name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the names and texts of a module, or of all in a package."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module {name} to hash", name=name)
    if spec.submodule_search_locations is None:
        yield name, Path(spec.origin).read_bytes()
        return
    folder = Path(spec.origin).parent
    for path in folder.rglob("*.py"):
        inner = path.relative_to(folder).with_suffix("").parts
        yield ".".join((name, *inner)), path.read_bytes()


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
