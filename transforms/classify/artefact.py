"""A trained model on disk: a SavedModel, its ONNX form, and the card that says what it is.

Nothing here needs TensorFlow: a pipeline checks its model before any worker loads it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from transforms.classify import features
from transforms.classify.answers import KNOWN_PROBABILITIES, NOVELTY_LOG_ODDS, PROBABILITIES
from transforms.detect.config import DetectConfig
from transforms.whiten.config import WhitenConfig

CARD = "card.json"
PLOTS = "plots"
"""Folder of the card's figures."""
ONNX_FILE = "model.onnx"
"""The SavedModel as ONNX Runtime serves it."""
CONVERT = "run python -m models.training.convert FOLDER, or copy the whole model folder"
"""What to do about a model without it."""
LARGEST = 10_000_000
"""What a model should take at most, with all that lies beside it [bytes]."""
_SAVED_MODEL = ("*.pb", "variables/*", "assets/*")
"""Files of a SavedModel: what was trained. Nothing else of a folder enters the model's id."""
_REQUIRED = ("name", "id", "classes", "features", "settings", "data", "accuracy", "files")

SERVE = "serve(image, parameters)"
"""Endpoint that takes arrays."""
SERVE_EXAMPLES = "serving_default(examples)"
"""Endpoint that takes serialised ``tf.train.Example``, as tfx-bsl wants it."""
_PLACEHOLDERS = {
    SERVE: ("serve_image", "serve_parameters"),
    SERVE_EXAMPLES: ("serving_default_examples",),
}
"""What TensorFlow calls the inputs of an endpoint in the graph."""


class ArtefactError(ValueError):
    """A model that cannot be used; the message is one line that says what to do."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a model is, as ``card.json`` tells it."""

    folder: Path
    """The SavedModel's folder, where the card lies too."""
    name: str
    id: str
    """Hash of the SavedModel's files and of the classes, 16 hexadecimal digits."""
    classes: tuple[str, ...]
    """Labels in the order of the probabilities."""
    contents: Mapping[str, Any]
    """The whole card."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Return how the model can be asked; a card without it is of a model with one way."""
        return tuple(self.contents.get("endpoints", (SERVE,)))

    @property
    def converted(self) -> Mapping[str, str]:
        """Return the SHA-256 of the ONNX form, by its file's name; cards of old have none."""
        return dict(self.contents.get("converted", {}))

    @property
    def parts(self) -> tuple[str, ...]:
        """Return what the model says; a card without it is of a model of probabilities alone."""
        return tuple(self.contents.get("parts", (PROBABILITIES,)))

    @property
    def label(self) -> str:
        """Return the name by which triggers refer to the model."""
        return f"{self.name}/{self.id}"


def default_artefact() -> Path:
    """Return the folder of the model that comes with the package."""
    return Path(str(resources.files("models") / "artefacts" / "wavefier-4"))


def load_card(path: str | Path) -> Card:
    """Read a model's card and check that it is whole.

    Args:
        path: The model's folder.

    Raises:
        ArtefactError: There is no card, or it is not one of ours.
    """
    folder = Path(path)
    try:
        contents = json.loads((folder / CARD).read_text("utf-8"))
    except FileNotFoundError:
        raise ArtefactError(
            f"no model in {folder}: give the folder that 'wavefier train --output' wrote"
        ) from None
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{folder / CARD} cannot be read ({error}): train again") from None
    missing = [key for key in _REQUIRED if not isinstance(contents, dict) or key not in contents]
    if missing:
        raise ArtefactError(f"{folder / CARD} lacks {', '.join(missing)}: train again")
    card = Card(
        folder=folder,
        name=contents["name"],
        id=contents["id"],
        classes=tuple(contents["classes"]),
        contents=contents,
    )
    if not (folder / "saved_model.pb").is_file():
        raise ArtefactError(f"{folder} holds no SavedModel: copy the whole model folder")
    return card


def feature_spec() -> dict[str, Any]:
    """Return what the model sees, for the card: a model fits one such description only."""
    return {
        "version": features.VERSION,
        "image": [len(features.FREQUENCIES), features.COLUMNS, len(features.SPANS)],
        "parameters": list(features.PARAMETERS),
    }


def settings(whitening: WhitenConfig, detection: DetectConfig) -> dict[str, float]:
    """Return what of whitening and detection shapes the snippet that the model sees."""
    return {
        "whiten.low_frequency": whitening.low_frequency,
        "detect.snippet_before": detection.snippet_before,
        "detect.snippet_after": detection.snippet_after,
    }


def fits(
    card: Card, whitening: WhitenConfig | None = None, detection: DetectConfig | None = None
) -> None:
    """Check that a model was trained on what it will be shown.

    Args:
        card: The model's card.
        whitening: What the strain will be whitened with; without it and ``detection``,
            only the features are checked.
        detection: What the triggers will be made with.

    Raises:
        ArtefactError: It was not; the message names what differs.
    """
    if card.contents["features"] != feature_spec():
        raise ArtefactError(
            f"model {card.label} was trained on other features than this version makes: "
            "train again, or use the version named in its card"
        )
    if whitening is None or detection is None:
        return
    for key, value in settings(whitening, detection).items():
        if card.contents["settings"].get(key) != value:
            raise ArtefactError(
                f"model {card.label} was not trained with {key} = {value} but with "
                f"{card.contents['settings'].get(key)}: set it back, or train a model with it"
            )


def endpoints(folder: Path) -> list[str]:
    """Return which of our endpoints a SavedModel has, by the nodes of its graph."""
    graph = (folder / "saved_model.pb").read_bytes()
    return [
        endpoint
        for endpoint, names in _PLACEHOLDERS.items()
        if all(_name_field(name) in graph for name in names)
    ]


def parts(folder: Path) -> list[str]:
    """Return which parts a model's answer has, by the names in its ONNX form."""
    path = folder / ONNX_FILE
    graph = path.read_bytes() if path.is_file() else b""
    return [
        name
        for name in (PROBABILITIES, KNOWN_PROBABILITIES, NOVELTY_LOG_ODDS)
        if _name_field(name) in graph
    ]


def _name_field(name: str) -> bytes:
    """Return a name as protobuf writes it, in TensorFlow's nodes and ONNX's outputs: field 1."""
    return bytes((0x0A, len(name))) + name.encode()


def checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each of the SavedModel's files, by path below the model's folder."""
    paths = (path for pattern in _SAVED_MODEL for path in folder.glob(pattern))
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(paths)
        if path.is_file()
    }


def size(folder: Path) -> int:
    """Return how much a model's folder holds [bytes]."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def content_id(files: Mapping[str, str], classes: tuple[str, ...]) -> str:
    """Return the model's id: 16 hexadecimal digits over its files and its classes."""
    text = json.dumps([sorted(files.items()), list(classes)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def verify(card: Card) -> None:
    """Check the model's files against the card.

    Raises:
        ArtefactError: A file is missing, changed or new.
    """
    files = checksums(card.folder)
    if files != card.contents["files"] or content_id(files, card.classes) != card.id:
        raise ArtefactError(f"the files of model {card.label} differ from its card: copy it again")
    verify_converted(card)


def verify_converted(card: Card) -> None:
    """Check that the ONNX form is the one that was made of the SavedModel.

    Raises:
        ArtefactError: It is missing or changed, or the card names none.
    """
    if not card.converted:
        raise ArtefactError(f"model {card.label} has no ONNX form: {CONVERT}")
    if _converted(card.folder) != card.converted:
        raise ArtefactError(
            f"{ONNX_FILE} of model {card.label} differs from its card: copy the folder again"
        )


def _converted(folder: Path) -> dict[str, str]:
    path = folder / ONNX_FILE
    return {ONNX_FILE: hashlib.sha256(path.read_bytes()).hexdigest()} if path.is_file() else {}


def write_card(folder: Path, name: str, classes: tuple[str, ...], about: Mapping[str, Any]) -> Card:
    """Write the card of the SavedModel in ``folder``; which endpoints it has is seen there.

    Args:
        folder: The model's folder, with its SavedModel.
        name: The model's name.
        classes: Labels in the order of the probabilities.
        about: The rest: data, accuracy, versions, settings.
    """
    files = checksums(folder)
    contents = {
        "name": name,
        "id": content_id(files, classes),
        "classes": list(classes),
        "features": feature_spec(),
        **about,
        "endpoints": endpoints(folder),
        "parts": parts(folder),
        "files": files,
        "converted": _converted(folder),
    }
    return _write(folder, contents)


def rewrite_card(card: Card, about: Mapping[str, Any]) -> Card:
    """Write the card again, with the ONNX form that is there now; the model's id stays.

    Args:
        card: The model's card.
        about: What takes the place of its contents of these names.
    """
    seen = {"parts": parts(card.folder), "converted": _converted(card.folder)}
    contents = {**card.contents, **about, **seen}
    return _write(card.folder, contents)


def _write(folder: Path, contents: Mapping[str, Any]) -> Card:
    (folder / CARD).write_text(json.dumps(contents, indent=1) + "\n", "utf-8")
    return load_card(folder)
