"""What classification is told."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ClassifyConfig:
    """Which model labels the triggers."""

    model: str = ""
    """Folder of the model and its card; empty: the one that comes with the package."""
