"""What can serve the model: the pipeline's back ends, and what was weighed against them.

Each is a function that loads the model of a folder and returns what is asked. What a back end
needs is imported in it, so that a process has one only.
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from models.training.convert import parts_of, signature
from transforms.arrays import SingleArray
from transforms.classify import artefact, tensorflow
from transforms.classify.answers import PROBABILITIES
from transforms.classify.config import ONNX, TFX_BSL

Model = Callable[[SingleArray, SingleArray], SingleArray]
"""From images and parameters to probabilities, as `transforms.classify.onnx.OnnxModel`."""

TENSORFLOW = "tensorflow"
LITERT = "litert"
LITERT_FILE = "model.tflite"


def load(backend: str, folder: Path, scratch: Path) -> Model:
    """Load a model as a worker does, its first inference included.

    Args:
        backend: One of `LOADERS`.
        folder: The model's folder.
        scratch: Where `convert_to_litert` wrote.
    """
    model = LOADERS[backend](scratch if backend == LITERT else folder)
    shapes = artefact.feature_spec()
    model(
        np.zeros((1, *shapes["image"]), np.float32),
        np.zeros((1, len(shapes["parameters"])), np.float32),
    )
    return model


def missing() -> dict[str, str]:
    """Return the back ends that cannot be measured here, each with the package that it lacks."""
    needs = {LITERT: "ai_edge_litert", "onnx by Beam": "onnx"}
    return {name: package for name, package in needs.items() if find_spec(package) is None}


def convert_to_litert(folder: Path, scratch: Path) -> None:
    """Write the LiteRT form of a SavedModel."""
    tf = tensorflow.tensorflow()
    saved = tf.saved_model.load(str(folder))
    function = tf.function(
        lambda image, parameters: parts_of(saved.serve(image, parameters))[PROBABILITIES],
        input_signature=signature(),
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], saved
    )
    (scratch / LITERT_FILE).write_bytes(converter.convert())


def _pipeline(backend: str) -> Callable[[Path], Model]:
    def loaded(folder: Path) -> Model:
        from transforms.classify.handler import ClassifierHandler

        card = artefact.load_card(folder)
        model: Model = ClassifierHandler(str(folder), card.id, backend).load_model()
        return model

    return loaded


def _onnx_by_beam(folder: Path) -> Model:
    import onnxruntime
    from apache_beam.ml.inference.onnx_inference import OnnxModelHandlerNumpy

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1

    def infer(session: Any, batch: Any, _: Any) -> SingleArray:
        image, parameters = (np.stack(part) for part in zip(*batch, strict=True))
        asked = {"image": image, "parameters": parameters}
        answers: SingleArray = session.run([PROBABILITIES], asked)[0]
        return answers

    handler = OnnxModelHandlerNumpy(
        str(folder / artefact.ONNX_FILE), options, ["CPUExecutionProvider"], inference_fn=infer
    )
    session = handler.load_model()

    def ask(image: SingleArray, parameters: SingleArray) -> SingleArray:
        batch = list(zip(image, parameters, strict=True))
        return np.stack([one.inference for one in handler.run_inference(batch, session)])

    return ask


def _tensorflow(folder: Path) -> Model:
    tf = tensorflow.tensorflow()
    saved = tf.saved_model.load(str(folder))

    def ask(image: SingleArray, parameters: SingleArray) -> SingleArray:
        said = parts_of(saved.serve(tf.constant(image), tf.constant(parameters)))
        answers: SingleArray = said[PROBABILITIES].numpy()
        return answers

    return ask


def _litert(folder: Path) -> Model:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(folder / LITERT_FILE), num_threads=1)
    interpreter.allocate_tensors()
    found = {one["name"]: one["index"] for one in interpreter.get_input_details()}
    places = [
        next(index for name, index in found.items() if wanted in name)
        for wanted in ("image", "parameters")
    ]
    (output,) = interpreter.get_output_details()

    def ask(image: SingleArray, parameters: SingleArray) -> SingleArray:
        examples = interpreter.get_input_details()[0]["shape"][0]
        if examples != len(image):
            for place, values in zip(places, (image, parameters), strict=True):
                interpreter.resize_tensor_input(place, values.shape)
            interpreter.allocate_tensors()
        for place, values in zip(places, (image, parameters), strict=True):
            interpreter.set_tensor(place, values)
        interpreter.invoke()
        answers: SingleArray = interpreter.get_tensor(output["index"])
        return answers

    return ask


LOADERS: dict[str, Callable[[Path], Model]] = {
    ONNX: _pipeline(ONNX),
    TFX_BSL: _pipeline(TFX_BSL),
    "onnx by Beam": _onnx_by_beam,
    LITERT: _litert,
    TENSORFLOW: _tensorflow,
}
