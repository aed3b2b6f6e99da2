"""What training is told: one YAML file, unknown keys and impossible values refused."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from models.simulation.simulate import SimulationConfig
from transforms import settings
from transforms.checks import Limits, check_values


@dataclass(frozen=True)
class TrainConfig:
    """How a model is made."""

    name: str
    """Name of the model on its card and in triggers."""
    seed: Annotated[int, Limits(ge=0)]
    """Settles all that is random; each set has a stream of its own."""
    threshold: Annotated[float, Limits(ge=4)]
    """Detector's threshold where there are transients [SNR]."""
    train: SimulationConfig
    validation: SimulationConfig
    """Stops the training and calibrates the scores."""
    test: SimulationConfig
    """Measures the model; touched once."""
    epochs: Annotated[int, Limits(ge=1)]
    """At most."""
    patience: Annotated[int, Limits(ge=1)]
    """Epochs without a better validation loss after which training stops."""
    batch_size: Annotated[int, Limits(ge=1)]
    """Examples for each step."""
    learning_rate: Annotated[float, Limits(gt=0)]
    """Of AdamW, at the start."""

    def __post_init__(self) -> None:
        check_values(self)
        if not self.name.isprintable() or not self.name or "/" in self.name:
            raise ValueError("name must be a word without '/'")


def read(path: Path | None = None) -> TrainConfig:
    """Read a training configuration.

    Args:
        path: The YAML file; without one, the one that made the packaged model.

    Raises:
        ValueError: It cannot be read, a key is unknown, missing or stands twice, or a value
            is impossible; it is named.
    """
    if path is None:
        packaged = resources.files("models.training") / "train.yaml"
        return from_mapping(settings.parse(packaged.read_text("utf-8")))
    tree = settings.load(path)
    try:
        return from_mapping(tree)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def from_mapping(values: Any) -> TrainConfig:
    """Make a training configuration of a YAML file's contents.

    Raises:
        ValueError: A key is unknown or missing, or a value impossible; it is named.
    """
    return settings.build(TrainConfig, values)
