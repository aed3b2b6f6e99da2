"""What training is told: one YAML file, unknown keys and impossible values refused."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from models.simulation import background
from models.simulation.simulate import SimulationConfig
from models.simulation.strain import located
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
    """Detector's threshold where there are transients: least rank."""
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
    labelled_equal: Annotated[float, Limits(gt=0)]
    """So many labelled glitches of a class count as much as all of its simulated ones: n of them
    have the share n / (n + this)."""
    labelled_copies: Annotated[int, Limits(ge=1)]
    """Examples made of a labelled glitch: itself, and variants of it."""
    unknown_limit: Annotated[float, Limits(gt=0)]
    """Times the distance that one in a hundred known triggers exceeds, from which on a trigger is
    rather unknown."""

    def __post_init__(self) -> None:
        check_values(self)
        if self.test.strain:
            raise ValueError("test.strain must be empty: real strain is measured by `evaluate`")
        if not self.name.isprintable() or not self.name or "/" in self.name:
            raise ValueError("name must be a word without '/'")


def with_strain(config: TrainConfig, folders: Sequence[Path]) -> TrainConfig:
    """Return a configuration whose stretches of real strain have the files that hold them.

    Args:
        config: The configuration.
        folders: See `models.simulation.strain.located`.

    Raises:
        ValueError: A stretch is nowhere, or its file cannot be used; the line names it.
    """
    sets = {key: getattr(config, key) for key in ("train", "validation")}
    # All at once: what is missing is told in one line.
    found = iter(located([each for one in sets.values() for each in one.strain], folders))
    for key, one in sets.items():
        sets[key] = replace(one, strain=tuple(islice(found, len(one.strain))))
        for stretch in sets[key].strain:
            # Before the work: a stretch may be drawn only after hours.
            background.check(stretch, one.sample_rates)
    return replace(config, **sets)


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
