"""What a training ran on and with, for the card: no name of the machine."""

import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

from models import pool
from transforms.files import whole_file

_CONVERTERS = ("onnx", "onnxruntime", "tf2onnx")
_PACKAGES = ("wavefier", "keras", "lalsuite", "numpy", "scipy", "tensorflow", *_CONVERTERS)
_TRAINING = ("tensorflow", "keras", "tf2onnx")
"""Modules without which no model can be made."""
_CPUINFO = Path("/proc/cpuinfo")


def about() -> dict[str, str | int]:
    """Return the processor's model, how many there are and how many may be used."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 1,
        "cores_used": pool.usable_cpus(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _cpu() -> str:
    if _CPUINFO.is_file():
        for line in _CPUINFO.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that make and serve a model."""
    return {"python": ".".join(map(str, sys.version_info[:3])), **_versions(_PACKAGES)}


def converters() -> dict[str, str]:
    """Return the versions of what turns a SavedModel into ONNX."""
    return _versions(_CONVERTERS)


def _versions(packages: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def check_training() -> None:
    """Check that models can be made here.

    Raises:
        ValueError: A package is missing.
    """
    missing = [name for name in _TRAINING if find_spec(name) is None]
    if missing:
        raise ValueError(f"{', '.join(missing)} missing: pip install 'wavefier[train]'")


def has_tensorboard() -> bool:
    """Return whether logs for TensorBoard can be written."""
    return find_spec("tensorboard") is not None


class Clock:
    """Wall time of each step [s], added up over the starts of one training."""

    def __init__(self, path: Path) -> None:
        """Go on with the times in a file, which is made."""
        self._path = path
        self.seconds: dict[str, float] = {}
        if path.is_file():
            self.seconds = json.loads(path.read_text("utf-8"))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what is done inside, whether or not it ends well."""
        start = perf_counter()
        try:
            yield
        finally:
            spent = self.seconds.get(name, 0.0) + perf_counter() - start
            self.seconds[name] = round(spent, 1)
            with whole_file(self._path) as temporary:
                temporary.write_text(json.dumps(self.seconds), "utf-8")
