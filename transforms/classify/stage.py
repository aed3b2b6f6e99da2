"""The PTransform that labels triggers."""

from dataclasses import dataclass, replace

import apache_beam as beam
from apache_beam.ml.inference.base import KeyedModelHandler, RunInference

import transforms.coders  # noqa: F401  (registers how triggers travel)
from models import artefact
from transforms.classify.config import ClassifyConfig
from transforms.classify.features import ModelInput, model_input
from transforms.classify.handler import Probabilities, SavedModelHandler
from transforms.detect.config import DetectConfig
from transforms.elements import Trigger
from transforms.whiten.config import WhitenConfig


@dataclass
class Classify(beam.PTransform):  # type: ignore[misc]
    """Label triggers: PCollection[Trigger] to PCollection[Trigger], times and windows kept.

    Each trigger is an inference of its own: batching would move its timestamp to the end
    of the window, and let a neighbour change the last digits of its probabilities.

    Raises:
        models.artefact.ArtefactError: The model is missing or does not fit, when the graph
            is built.
    """

    config: ClassifyConfig
    whitening: WhitenConfig | None = None
    """What made the triggers' snippets; with ``detection``, the model is checked to fit it."""
    detection: DetectConfig | None = None

    def __post_init__(self) -> None:
        super().__init__()
        self._card = artefact.load_card(self.config.model or artefact.default_artefact())
        artefact.fits(self._card, self.whitening, self.detection)

    def expand(self, triggers: beam.PCollection) -> beam.PCollection:
        """Make the inputs, ask the model, write its answer on the triggers."""
        handler = KeyedModelHandler(SavedModelHandler(self.config.model, self._card.id))
        label = beam.Map(_label, self._card.classes, self._card.label)
        return (
            triggers
            | "Features" >> beam.Map(_with_input)
            | "Model" >> RunInference(handler.with_no_batching())
            | "Label" >> label.with_output_types(Trigger)
        )


def _with_input(trigger: Trigger) -> list[tuple[Trigger, ModelInput]]:
    return [(trigger, model_input(trigger))]


def _label(answer: tuple[Trigger, Probabilities], classes: tuple[str, ...], model: str) -> Trigger:
    trigger, probabilities = answer
    values = [float(value) for value in probabilities]
    best = max(range(len(values)), key=values.__getitem__)
    return replace(
        trigger,
        label=classes[best],
        score=values[best],
        probabilities=tuple(zip(classes, values, strict=True)),
        model=model,
    )
