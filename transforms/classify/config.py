"""Configuration of classification."""

from dataclasses import dataclass
from typing import Annotated

from transforms.checks import Form, Limits, OneOf, check_values

ONNX = "onnx"
TFX_BSL = "tfx_bsl"
BACKENDS = (ONNX, TFX_BSL)
RENAMED = {"native": ONNX}
"""Former names, which are taken for one version more."""


@dataclass(frozen=True)
class Rate:
    """How often a class is."""

    label: str
    """One of the model's classes."""
    rate: Annotated[float, Limits(gt=0, le=1e6)]
    """Relative to the labels that are not named, which have 1."""
    detector: Annotated[str, Form("([A-Z][0-9])?", "a detector such as H1, or empty")] = ""
    """Of which this holds; empty: of all that do not name the label themselves."""

    def __post_init__(self) -> None:
        check_values(self)


@dataclass(frozen=True)
class ClassifyConfig:
    """Which model labels the triggers, and what runs it."""

    model: str = ""
    """Folder of the model and its card; empty: the packaged model."""
    backend: Annotated[str, OneOf((*BACKENDS, *RENAMED))] = ONNX
    """``onnx``: ONNX Runtime; ``tfx_bsl``: TensorFlow by tfx-bsl, same answers to 1e-5."""
    rates: tuple[Rate, ...] = ()
    """How often classes are, by detector; a model was taught all of them alike."""
    unknown_limit: Annotated[float, Limits(ge=0.01, le=100)] = 1.0
    """Times the model's own distance from which on a trigger is rather unknown."""

    def __post_init__(self) -> None:
        check_values(self)
        named = [(rate.detector, rate.label) for rate in self.rates]
        for detector, label in named:
            if named.count((detector, label)) > 1:
                where = f" for {detector}" if detector else ""
                raise ValueError(f"rates: {label} stands twice{where}: keep one")
        object.__setattr__(self, "backend", RENAMED.get(self.backend, self.backend))
