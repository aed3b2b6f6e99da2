"""What is installed, reachable and missing."""

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, packages_distributions, version

PACKAGES = (
    "apache-beam",
    "onnxruntime",
    "gwpy",
    "gwframe",
    "h5py",
    "numpy",
    "scipy",
    "PyWavelets",
    "pyarrow",
    "confluent-kafka",
    "prometheus-client",
)
FOR_SOME = {
    "tensorflow": "only training and classify.backend: tfx_bsl need it",
    "keras": "only training needs it",
    "tf2onnx": "only training needs it",
    "tfx-bsl": "only classify.backend: tfx_bsl needs it",
}
OWN = ("beam_pipeline", "transforms", "models")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    found: str
    good: bool
    needed: bool = True
    """False for what only some commands need."""


def examine() -> Iterator[Finding]:
    """Look at everything that a run depends on."""
    python = platform.python_version()
    yield Finding("Python", python, python.startswith("3.11."))
    for package in PACKAGES:
        try:
            yield Finding(package, version(package), True)
        except PackageNotFoundError:
            yield Finding(package, "not installed: run make env", False)
    for package, whose in FOR_SOME.items():
        try:
            yield Finding(package, version(package), True, False)
        except PackageNotFoundError:
            yield Finding(package, f"not installed: {whose}", False, False)
    yield from _own_names()
    yield _model()
    yield _temporary_folder()
    yield Finding("processors", str(len(os.sched_getaffinity(0))), True)
    java = shutil.which("java")
    yield Finding("java", java or "not found: only a local Flink needs it", bool(java), False)


def _own_names() -> Iterator[Finding]:
    """Check that our short top-level names are ours."""
    owners = packages_distributions()
    for name in OWN:
        owner = sorted(set(owners.get(name, [])))
        # An editable install lists no files; then the import system is asked elsewhere.
        yield Finding(f"package {name}", ", ".join(owner) or "source", owner in ([], ["wavefier"]))


def _model() -> Finding:
    from transforms.classify import artefact

    try:
        card = artefact.load_card(artefact.default_artefact())
        artefact.verify(card)
    except artefact.ArtefactError as error:
        return Finding("model", str(error), False)
    return Finding("model", f"{card.label}, {len(card.classes)} classes", True)


def _temporary_folder() -> Finding:
    try:
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"x")
    except OSError as error:
        return Finding("temporary folder", str(error), False)
    return Finding("temporary folder", "can be written", True)
