"""What classification is told."""

from dataclasses import dataclass

from transforms.checks import check_values

ONNX = "onnx"
TFX_BSL = "tfx_bsl"
BACKENDS = (ONNX, TFX_BSL)
RENAMED = {"native": ONNX}
"""Former names, which are taken for one version more."""
LOW_SCORE = 0.5
"""A label with less is less likely than all others together."""


@dataclass(frozen=True)
class ClassifyConfig:
    """Which model labels the triggers, and what runs it."""

    model: str = ""
    """Folder of the model and its card; empty: the one that comes with the package."""
    backend: str = ONNX
    """``onnx``: ONNX Runtime; ``tfx_bsl``: TensorFlow by tfx-bsl, same answers to 1e-5."""

    def __post_init__(self) -> None:
        check_values(self)
        object.__setattr__(self, "backend", RENAMED.get(self.backend, self.backend))
        if self.backend not in BACKENDS:
            raise ValueError(f"backend must be {' or '.join(BACKENDS)}, not {self.backend!r}")
