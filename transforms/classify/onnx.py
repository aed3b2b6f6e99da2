"""A model served by ONNX Runtime: neither TensorFlow nor Keras in the process.

ONNX Runtime is imported when a model is loaded.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from transforms.arrays import SingleArray
from transforms.classify import artefact
from transforms.classify.answers import KNOWN_PROBABILITIES, NOVELTY_LOG_ODDS, PROBABILITIES, Answer
from transforms.classify.artefact import ArtefactError
from transforms.texts import complaint

_FORMS = ({PROBABILITIES}, {PROBABILITIES, KNOWN_PROBABILITIES, NOVELTY_LOG_ODDS})
"""What models say: those of old, and those of now."""
_ERRORS = 3
"""Least severity of what it logs."""


class OnnxModel:
    """A model with inputs ``image`` and ``parameters``, on one thread."""

    def __init__(self, folder: Path) -> None:
        """Load the model.

        Args:
            folder: The model's folder, which holds ``model.onnx``.

        Raises:
            ArtefactError: ONNX Runtime or the file is missing, or the model cannot be loaded
                or has other inputs or outputs.
        """
        self._session = _load(folder)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        self._parts = {one.name for one in outputs}
        if [one.name for one in inputs] != ["image", "parameters"] or self._parts not in _FORMS:
            raise ArtefactError(
                f"{folder / artefact.ONNX_FILE} is not {PROBABILITIES} of image and parameters: "
                f"{artefact.CONVERT}"
            )

    def __call__(self, image: SingleArray, parameters: SingleArray) -> SingleArray:
        """Return the probabilities, [example, class], float32.

        Args:
            image: [example, frequency, time, span], taken as float32.
            parameters: [example, parameter], taken as float32.

        Raises:
            ValueError: ONNX Runtime refuses the inputs.
        """
        values: SingleArray = self._run([PROBABILITIES], image, parameters)[0]
        return values

    def answer(self, image: SingleArray, parameters: SingleArray) -> Answer:
        """Return all that the model says; arguments and errors as above."""
        names = sorted(self._parts)
        return Answer(**dict(zip(names, self._run(names, image, parameters), strict=True)))

    def _run(self, names: list[str], image: SingleArray, parameters: SingleArray) -> Any:
        from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

        named = {"image": image, "parameters": parameters}
        given = {name: np.asarray(values, np.float32) for name, values in named.items()}
        try:
            return self._session.run(names, given)
        except InvalidArgument as error:
            raise ValueError(complaint(error)) from None


def _load(folder: Path) -> Any:
    """Return a session that computes in the thread that asks.

    Raises:
        ArtefactError: It cannot be made.
    """
    if find_spec("onnxruntime") is None:
        raise ArtefactError("ONNX Runtime is missing: install onnxruntime")
    path = folder / artefact.ONNX_FILE
    if not path.is_file():
        raise ArtefactError(f"{folder} holds no {artefact.ONNX_FILE}: {artefact.CONVERT}")
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as raised

    options = onnxruntime.SessionOptions()
    # The runner's workers are the parallelism, and one thread always sums in one order.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS
    refused = (
        *(raised.Fail, raised.InvalidGraph, raised.InvalidProtobuf, raised.InvalidArgument),
        *(raised.NoModel, raised.NoSuchFile, raised.NotImplemented, raised.RuntimeException),
    )
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except refused as error:
        raise ArtefactError(f"{path} cannot be loaded: {complaint(error)}") from None
