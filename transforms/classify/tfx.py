"""The SavedModel served by tfx-bsl: TensorFlow's Python, serialised examples, a log of each.

tfx-bsl and TensorFlow are imported when a model is loaded. The answers are TensorFlow's own, bit
for bit, and those of ``transforms.classify.onnx`` to 1e-5; time and memory are not.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from transforms.arrays import SingleArray
from transforms.classify import tensorflow
from transforms.classify.answers import PROBABILITIES, Answer
from transforms.classify.artefact import ArtefactError
from transforms.texts import complaint


class TfxModel:
    """A SavedModel with an endpoint ``serving_default(examples)``, behind tfx-bsl's handler."""

    def __init__(self, folder: Path) -> None:
        """Load the model.

        Raises:
            ArtefactError: tfx-bsl is missing, or the model cannot be loaded or has no such
                endpoint.
        """
        if find_spec("tfx_bsl") is None:
            raise ArtefactError(
                "tfx-bsl is missing: pip install 'wavefier[tfx]', or set classify.backend: onnx"
            )
        self._tf = tensorflow.tensorflow()
        with _quiet():
            self._handler, self._session = _load(folder)

    def __call__(self, image: SingleArray, parameters: SingleArray) -> SingleArray:
        """Return the probabilities, [example, class], float32.

        Args:
            image: [example, frequency, time, span], float32.
            parameters: [example, parameter], float32.

        Raises:
            ValueError: TensorFlow refuses the inputs.
        """
        return self.answer(image, parameters).probabilities

    def answer(self, image: SingleArray, parameters: SingleArray) -> Answer:
        """Return all that the model says; arguments and errors as above."""
        examples = [self._example(*one) for one in zip(image, parameters, strict=True)]
        try:
            logs = self._handler.run_inference(examples, self._session)
        except self._tf.errors.InvalidArgumentError as error:
            raise ValueError(error.message) from None
        # Each log repeats the whole example: nothing of it is kept but the answer.
        parts = [self._parts(log) for log in logs]
        return Answer(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})

    def _example(self, image: SingleArray, parameters: SingleArray) -> bytes:
        features = self._tf.train.Features(
            feature={"image": self._feature(image), "parameters": self._feature(parameters)}
        )
        serialised: bytes = self._tf.train.Example(features=features).SerializeToString()
        return serialised

    def _feature(self, values: SingleArray) -> Any:
        held = np.ascontiguousarray(values, "<f4").tobytes()
        return self._tf.train.Feature(bytes_list=self._tf.train.BytesList(value=[held]))

    def _parts(self, log: Any) -> dict[str, SingleArray]:
        outputs = log.predict_log.response.outputs
        made = {name: self._tf.make_ndarray(outputs[name]) for name in outputs}
        # A model of old has one part, which TensorFlow has named.
        return made if len(made) > 1 else {PROBABILITIES: next(iter(made.values()))}


def _load(folder: Path) -> tuple[Any, Any]:
    """Return tfx-bsl's handler and the session that it runs.

    Raises:
        ArtefactError: The model takes no examples, or is damaged.
    """
    from tensorflow.errors import OpError
    from tfx_bsl.public.beam.run_inference import CreateModelHandler
    from tfx_bsl.public.proto.model_spec_pb2 import InferenceSpecType, SavedModelSpec

    spec = InferenceSpecType(saved_model_spec=SavedModelSpec(model_path=str(folder)))
    try:
        handler = CreateModelHandler(spec)
        return handler, handler.load_model()
    except (OSError, RuntimeError, ValueError, OpError) as error:
        raise ArtefactError(f"the model in {folder} cannot be loaded: {complaint(error)}") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back that tfx-bsl loads with a function that TensorFlow has deprecated."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
