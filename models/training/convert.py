"""From a SavedModel to ONNX, which is what the pipeline serves.

``python -m models.training.convert FOLDER`` adds ONNX to a model that was trained before; its
weights and its id stay. TensorFlow and tf2onnx are imported where they are used.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models import environment
from transforms.classify import artefact, features, tensorflow
from transforms.classify.answers import NOVELTY_LOG_ODDS, PROBABILITIES
from transforms.classify.onnx import OnnxModel
from transforms.files import whole_file

OPSET = 17
"""Of ONNX's operators; every ONNX Runtime since 1.12 knows it."""
CLOSE = 1e-5
"""Greatest difference between a probability of the SavedModel and that of its conversion."""
COMPARED = 64
"""Inputs that are compared."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert a model, and write it into its folder and on its card."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.convert", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="what 'wavefier train --output' wrote")
    folder: Path = parser.parse_args(arguments).folder
    try:
        card = artefact.load_card(folder)
        environment.check_training()
        convert(folder)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    versions = {**card.contents.get("versions", {}), **environment.converters()}
    written = artefact.rewrite_card(card, {"versions": versions})
    sys.stdout.write(f"{written.label}: {folder / artefact.ONNX_FILE}\n")
    return 0


def convert(folder: Path) -> None:
    """Write the ONNX form of a SavedModel beside it: same inputs, same probabilities.

    Raises:
        transforms.classify.artefact.ArtefactError: It does not answer as the SavedModel does.
    """
    tf = tensorflow.tensorflow()
    import tf2onnx

    saved = tf.saved_model.load(str(folder))
    named = tf.function(
        lambda image, parameters: parts_of(saved.serve(image, parameters)),
        input_signature=signature(),
    )
    made, _ = tf2onnx.convert.from_function(named, signature(), opset=OPSET)
    with tempfile.TemporaryDirectory() as place:
        draft = Path(place) / artefact.ONNX_FILE
        draft.write_bytes(made.SerializeToString())
        _compare(saved, draft.parent, folder)
        with whole_file(folder / artefact.ONNX_FILE) as temporary:
            shutil.copyfile(draft, temporary)


def parts_of(answer: Any) -> dict[str, Any]:
    """Return the parts of an answer; that of a model of old is its probabilities."""
    return dict(answer) if isinstance(answer, dict) else {PROBABILITIES: answer}


def _compare(saved: Any, converted: Path, folder: Path) -> None:
    rng = np.random.default_rng(0)
    image, parameters = (
        rng.exponential(0.5, (COMPARED, *one.shape[1:])).astype(np.float32) for one in signature()
    )
    found = OnnxModel(converted).answer(image, parameters)
    for name, wanted in parts_of(saved.serve(image, parameters)).items():
        if name == NOVELTY_LOG_ODDS:
            continue  # its odds are in the probabilities, where they count
        apart = np.abs(getattr(found, name) - wanted.numpy()).max()
        if not apart <= CLOSE:
            raise artefact.ArtefactError(
                f"the ONNX form of {folder} differs from its SavedModel by {apart:.1e}: convert "
                "it with the versions of requirements.lock"
            )


def signature() -> list[Any]:
    """Return what a model takes, as TensorFlow has it: ``image`` and ``parameters``."""
    tf = tensorflow.tensorflow()
    image = len(features.FREQUENCIES), features.COLUMNS, len(features.SPANS)
    return [
        tf.TensorSpec((None, *image), tf.float32, name="image"),
        tf.TensorSpec((None, len(features.PARAMETERS)), tf.float32, name="parameters"),
    ]


if __name__ == "__main__":
    sys.exit(main())
