"""What training is told: one YAML file, unknown keys and impossible values refused."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from models.simulation.simulate import SimulationConfig
from transforms.settings import finite, load, parse, refuse_not_finite, shown


@dataclass(frozen=True)
class TrainConfig:
    """How a model is made."""

    name: str
    """Name of the model on its card and in triggers."""
    seed: int
    """Settles all that is random; each set has a stream of its own."""
    threshold: float
    """Detector's threshold where there are transients [SNR]."""
    train: SimulationConfig
    validation: SimulationConfig
    """Stops the training and calibrates the scores."""
    test: SimulationConfig
    """Measures the model; touched once."""
    epochs: int
    """At most."""
    patience: int
    """Epochs without a better validation loss after which training stops."""
    batch_size: int
    learning_rate: float
    """Of AdamW, at the start."""

    def __post_init__(self) -> None:
        if not self.name.isprintable() or not self.name or "/" in self.name:
            raise ValueError("name must be a word without '/'")
        if self.seed < 0:
            raise ValueError("seed must not be negative")
        refuse_not_finite(self)
        if self.threshold < 4:
            raise ValueError("threshold must be at least 4")
        for key in ("epochs", "patience", "batch_size", "learning_rate"):
            if getattr(self, key) <= 0:
                raise ValueError(f"{key} must be positive")


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
        return from_mapping(parse(packaged.read_text("utf-8")))
    tree = load(path)
    try:
        return from_mapping(tree)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def from_mapping(values: Any) -> TrainConfig:
    """Make a training configuration of a YAML file's contents.

    Raises:
        ValueError: A key is unknown or missing, or a value impossible; it is named.
    """
    config: TrainConfig = _build(TrainConfig, values, "")
    return config


def _build(target: Any, values: Any, prefix: str) -> Any:
    """Make a dataclass of a mapping; ``prefix`` is the path to it, for the messages."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{prefix.rstrip('.') or 'the file'} must hold keys and values")
    kinds = get_type_hints(target)
    unknown = [shown(f"{prefix}{key}") for key in values if key not in kinds]
    if unknown:
        raise ValueError(f"unknown keys: {', '.join(unknown)}")
    needed = [field.name for field in fields(target) if field.default is MISSING]
    missing = [f"{prefix}{key}" for key in needed if key not in values]
    if missing:
        raise ValueError(f"missing keys: {', '.join(missing)}")
    made = {key: _convert(kinds[key], value, f"{prefix}{key}") for key, value in values.items()}
    try:
        return target(**made)
    except ValueError as error:
        raise ValueError(f"{prefix}{error}") from None


def _convert(kind: Any, value: Any, key: str) -> Any:
    if is_dataclass(kind):
        return _build(kind, value, f"{key}.")
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{key} must be a list, not {shown(repr(value))}")
        return tuple(_convert(get_args(kind)[0], item, key) for item in value)
    accepted = (int, float) if kind is float else (kind,)
    if isinstance(value, bool) or not isinstance(value, accepted):
        raise ValueError(f"{key} must be a {kind.__name__}, not {shown(value)}")
    return finite(value, key) if kind is float else value
