"""The science of a run: one YAML file, one dataclass for each stage."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from transforms import settings
from transforms.classify.config import ClassifyConfig
from transforms.coincide.config import CoincideConfig
from transforms.detect.config import DetectConfig
from transforms.detect.searchable import refusal
from transforms.ingest.config import IngestConfig
from transforms.settings import SettingsError
from transforms.significance.config import SignificanceConfig
from transforms.sink.config import SinkConfig
from transforms.whiten.config import WhitenConfig


class ConfigError(ValueError):
    """A configuration that cannot be used; the message is one line for the user."""


@dataclass(frozen=True)
class PipelineConfig:
    """All that changes the science; where it runs is pipeline options."""

    ingest: IngestConfig = field(default_factory=IngestConfig)
    whiten: WhitenConfig = field(default_factory=WhitenConfig)
    detect: DetectConfig = field(default_factory=DetectConfig)
    classify: ClassifyConfig = field(default_factory=ClassifyConfig)
    coincide: CoincideConfig = field(default_factory=CoincideConfig)
    significance: SignificanceConfig = field(default_factory=SignificanceConfig)
    sink: SinkConfig = field(default_factory=SinkConfig)

    def __post_init__(self) -> None:
        if reason := refusal(self.whiten, self.detect):
            raise ConfigError(reason)

    @property
    def id(self) -> str:
        """Hash what decides which triggers come out: equal ids, equal triggers."""
        science = {
            "require": self.ingest.require,
            "resample_rate": self.ingest.resample_rate,
            "whiten": asdict(self.whiten),
            "detect": asdict(self.detect),
        }
        return hashlib.sha256(json.dumps(science, sort_keys=True).encode()).hexdigest()[:12]

    def ranking_id(self, statistic: str) -> str:
        """Hash what decides which events come out, and their rates.

        Args:
            statistic: Id of the ranking statistic.
        """
        ranking = {
            "science": self.id,
            "classify": asdict(self.classify),
            "coincide": asdict(self.coincide),
            "significance": {**asdict(self.significance), "statistic": statistic},
        }
        return hashlib.sha256(json.dumps(ranking, sort_keys=True).encode()).hexdigest()[:12]

    def to_yaml(self) -> str:
        """Write all keys and values, in order."""
        plain = json.loads(json.dumps(asdict(self)))
        return str(yaml.safe_dump(plain, sort_keys=False))


def load_config(path: Path) -> PipelineConfig:
    """Read a configuration.

    Raises:
        ConfigError: The file cannot be read, a key is unknown or stands twice, or a value is
            impossible.
    """
    try:
        tree = settings.load(path)
    except SettingsError as error:
        raise ConfigError(error) from error
    try:
        return parse_config({} if tree is None else tree)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse_config(tree: Any) -> PipelineConfig:
    """Make a configuration from nested mappings; a missing key keeps its default.

    Raises:
        ConfigError: A key is unknown, or a value impossible.
    """
    try:
        return settings.build(PipelineConfig, tree)
    except SettingsError as error:
        raise ConfigError(error) from error
