"""Beam's handle on the model: load once per worker, one thread, warmed up."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from apache_beam.ml.inference.base import ModelHandler

from transforms.classify import artefact, features
from transforms.classify.answers import Model, relimited
from transforms.classify.config import ONNX, TFX_BSL
from transforms.classify.features import ModelInput
from transforms.classify.onnx import OnnxModel
from transforms.classify.tfx import TfxModel
from transforms.observe.record import Spent, recorder

Probabilities = npt.NDArray[np.float32]

_MODELS: dict[str, Callable[[Path], Model]] = {ONNX: OnnxModel, TFX_BSL: TfxModel}


def check_backend(card: artefact.Card, backend: str) -> None:
    """Check that a model has the form that a back end serves.

    Raises:
        ArtefactError: It lacks it.
    """
    if backend == ONNX and not card.converted:
        raise artefact.ArtefactError(
            f"model {card.label} has no ONNX form, which classify.backend: {ONNX} needs: "
            f"run python -m models.training.convert {card.folder}"
        )
    if backend == TFX_BSL and artefact.SERVE_EXAMPLES not in card.endpoints:
        raise artefact.ArtefactError(
            f"model {card.label} has no endpoint {artefact.SERVE_EXAMPLES}, which "
            f"classify.backend: {TFX_BSL} needs: set {ONNX}, or train again"
        )


@dataclass(frozen=True)
class Limit:
    """Another limit of the unknown."""

    unknown: int
    """Index of the class that is none."""
    factor: float
    """Times the model's own."""


class ClassifierHandler(ModelHandler[ModelInput, Probabilities, Model]):  # type: ignore[misc]
    """Serve a model by one of the back ends.

    What runs it is loaded with the model, by the worker: the graph is built without.
    """

    def __init__(
        self, folder: str, model_id: str, backend: str = ONNX, limit: Limit | None = None
    ) -> None:
        """Note which model to load; nothing is read yet.

        Args:
            folder: The model's folder on the worker; empty for the packaged one, which
                may lie elsewhere there than where the graph is built.
            model_id: Content hash that the worker's model must have.
            backend: One of ``transforms.classify.config.BACKENDS``.
            limit: Of the unknown, where it is not the model's own.
        """
        super().__init__()
        self.backend = backend
        self._folder = folder
        self._id = model_id
        self._limit = limit

    def load_model(self) -> Model:
        """Load the model and run it once, so that the first trigger does not wait.

        Raises:
            ArtefactError: The worker has no such model, or another one.
        """
        card = artefact.load_card(self._folder or artefact.default_artefact())
        if card.id != self._id:
            raise artefact.ArtefactError(
                f"the worker's model is {card.label}, the graph was built with {self._id}: "
                "install the same version on both"
            )
        if self.backend == ONNX:
            artefact.verify_converted(card)
        model = _MODELS[self.backend](card.folder)
        self.run_inference([_silence()], model)
        if (record := recorder()) is not None:
            record.model(card.label)
        return model

    def run_inference(
        self,
        batch: Sequence[ModelInput],
        model: Model,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[Probabilities]:
        """Return each input's probabilities, [class], in the order of the batch."""
        images = np.stack([example.image for example in batch])
        parameters = np.stack([example.parameters for example in batch])
        with Spent("classify"):
            if self._limit is None:
                return model(images, parameters)
            answer = model.answer(images, parameters)
            return relimited(answer, self._limit.unknown, self._limit.factor)

    def batch_elements_kwargs(self) -> dict[str, Any]:
        """Bound the batches of whoever runs this handler with batching."""
        return {"min_batch_size": 1, "max_batch_size": 64}

    def share_model_across_processes(self) -> bool:
        """Keep a model per process: it is small, and a shared one is a queue."""
        return False

    def get_metrics_namespace(self) -> str:
        """Name the counters."""
        return "wavefier_classify"


def _silence() -> ModelInput:
    shape = (len(features.FREQUENCIES), features.COLUMNS, len(features.SPANS))
    return ModelInput(np.zeros(shape, np.float32), np.zeros(len(features.PARAMETERS), np.float32))
