"""What classification is told."""

from dataclasses import dataclass

from transforms.checks import check_values

NATIVE = "native"
TFX_BSL = "tfx_bsl"
BACKENDS = (NATIVE, TFX_BSL)


@dataclass(frozen=True)
class ClassifyConfig:
    """Which model labels the triggers, and what runs it."""

    model: str = ""
    """Folder of the model and its card; empty: the one that comes with the package."""
    backend: str = NATIVE
    """``native``: TensorFlow's library alone; ``tfx_bsl``: tfx-bsl's RunInference, same answers."""

    def __post_init__(self) -> None:
        check_values(self)
        if self.backend not in BACKENDS:
            raise ValueError(f"backend must be {' or '.join(BACKENDS)}, not {self.backend!r}")
