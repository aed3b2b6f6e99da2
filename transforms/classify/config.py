"""Configuration of classification."""

from dataclasses import dataclass
from typing import Annotated

from transforms.checks import OneOf, check_values

ONNX = "onnx"
TFX_BSL = "tfx_bsl"
BACKENDS = (ONNX, TFX_BSL)
RENAMED = {"native": ONNX}
"""Former names, which are taken for one version more."""


@dataclass(frozen=True)
class ClassifyConfig:
    """Which model labels the triggers, and what runs it."""

    model: str = ""
    """Folder of the model and its card; empty: the packaged model."""
    backend: Annotated[str, OneOf((*BACKENDS, *RENAMED))] = ONNX
    """``onnx``: ONNX Runtime; ``tfx_bsl``: TensorFlow by tfx-bsl, same answers to 1e-5."""

    def __post_init__(self) -> None:
        check_values(self)
        object.__setattr__(self, "backend", RENAMED.get(self.backend, self.backend))
