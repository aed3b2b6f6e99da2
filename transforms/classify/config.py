"""What classification is told."""

from dataclasses import dataclass
from typing import Annotated

from transforms.checks import OneOf, check_values

NATIVE = "native"
TFX_BSL = "tfx_bsl"
BACKENDS = (NATIVE, TFX_BSL)


@dataclass(frozen=True)
class ClassifyConfig:
    """Which model labels the triggers, and what runs it."""

    model: str = ""
    """Folder of the model and its card; empty: the one that comes with the package."""
    backend: Annotated[str, OneOf(BACKENDS)] = NATIVE
    """``native``: TensorFlow's library alone; ``tfx_bsl``: tfx-bsl's RunInference, same answers."""

    def __post_init__(self) -> None:
        check_values(self)
