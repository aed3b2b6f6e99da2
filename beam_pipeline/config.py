"""The science of a run: one YAML file, one dataclass for each stage."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from transforms.classify.config import ClassifyConfig
from transforms.detect.config import DetectConfig
from transforms.detect.searchable import refusal
from transforms.ingest.config import IngestConfig
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

    def to_yaml(self) -> str:
        """Write all keys and values, in order."""
        plain = json.loads(json.dumps(asdict(self)))
        return str(yaml.safe_dump(plain, sort_keys=False))


def load_config(path: Path) -> PipelineConfig:
    """Read a configuration.

    Raises:
        ConfigError: The file cannot be read, a key is unknown, or a value impossible.
    """
    try:
        tree = yaml.safe_load(path.read_text()) or {}
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    try:
        return parse_config(tree)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse_config(tree: Any) -> PipelineConfig:
    """Make a configuration from nested mappings; a missing key keeps its default.

    Raises:
        ConfigError: A key is unknown, or a value impossible.
    """
    stages = get_type_hints(PipelineConfig)
    _refuse_unknown("", tree, stages)
    parsed = {name: _stage(name, stages[name], section) for name, section in tree.items()}
    return PipelineConfig(**parsed)


def _refuse_unknown(prefix: str, section: Any, known: Mapping[str, Any]) -> None:
    if not isinstance(section, dict):
        raise ConfigError(f"{prefix.rstrip('.') or 'the file'} must hold keys and values")
    for key in section:
        if key not in known:
            raise ConfigError(f"unknown key {prefix}{key}; known: {', '.join(known)}")


def _stage(name: str, stage: type, section: Any) -> Any:
    hints = get_type_hints(stage)
    known = {f.name: hints[f.name] for f in fields(stage)}
    _refuse_unknown(f"{name}.", section, known)
    values = {key: _value(f"{name}.{key}", known[key], value) for key, value in section.items()}
    try:
        return stage(**values)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from error


def _value(key: str, kind: Any, value: Any) -> Any:
    """Check one value against the type of its field."""
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        if isinstance(value, list) and all(isinstance(v, item) for v in value):
            return tuple(value)
        raise ConfigError(f"{key} must be a list of {item.__name__}, not {value!r}")
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ConfigError(f"{key} must be of type {kind.__name__}, not {value!r}")
    return value
