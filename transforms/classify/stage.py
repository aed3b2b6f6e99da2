"""The PTransform that labels triggers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import apache_beam as beam
import numpy as np
import numpy.typing as npt
from apache_beam.metrics import Metrics
from apache_beam.ml.inference.base import KeyedModelHandler, RunInference

import transforms.coders  # noqa: F401  (registers how triggers travel)
from transforms.classify import artefact
from transforms.classify.answers import NOVELTY_LOG_ODDS, UNKNOWN, labelled, rates_of, weighed
from transforms.classify.config import ClassifyConfig
from transforms.classify.features import ModelInput, model_input
from transforms.classify.handler import ClassifierHandler, Limit, Probabilities, check_backend
from transforms.detect.config import DetectConfig
from transforms.elements import FINAL, LOW_SCORE, Trigger
from transforms.whiten.config import WhitenConfig


@dataclass(kw_only=True)
class Classify(beam.PTransform):  # type: ignore[misc]
    """Label triggers: PCollection[Trigger] to PCollection[Trigger], times and windows kept.

    Each trigger is an inference of its own: batching would move its timestamp to the end
    of the window, and let a neighbour change the last digits of its probabilities. So one that
    is withdrawn, which has the snippet of its last publication, gets the same label again: no
    labels need be kept, and a restart changes none.

    Raises:
        ArtefactError: The model is missing or does not fit, or cannot be
            asked by the back end, when the graph is built.
    """

    config: ClassifyConfig
    whitening: WhitenConfig | None = None
    """What made the triggers' snippets; with ``detection``, the model is checked to fit it."""
    detection: DetectConfig | None = None

    def __post_init__(self) -> None:
        super().__init__()
        self._card = artefact.load_card(self.config.model or artefact.default_artefact())
        artefact.fits(self._card, self.whitening, self.detection)
        check_backend(self._card, self.config.backend)
        self._limit = _limit(self._card, self.config.unknown_limit)
        try:
            self._rates = rates_of(self.config.rates, self._card.classes)
        except ValueError as error:
            raise artefact.ArtefactError(
                f"classify.rates: {error}, the classes of model {self._card.label}"
            ) from None

    def expand(self, triggers: beam.PCollection[Trigger]) -> beam.PCollection[Trigger]:
        """Make the inputs, ask the model, write its answer on the triggers."""
        config, card = self.config, self._card
        model = ClassifierHandler(config.model, card.id, config.backend, self._limit)
        label = beam.ParDo(_Label(card.classes, card.label, self._rates))
        return (
            triggers
            | "Features" >> beam.Map(_with_input)
            | "Model" >> RunInference(KeyedModelHandler(model).with_no_batching())
            | "Label" >> label.with_output_types(Trigger)
        )


def _limit(card: artefact.Card, factor: float) -> Limit | None:
    """Return what the model is asked for another limit of the unknown.

    Raises:
        ArtefactError: It does not tell it.
    """
    if factor == 1:
        return None
    if NOVELTY_LOG_ODDS not in card.parts or UNKNOWN not in card.classes:
        raise artefact.ArtefactError(
            f"model {card.label} has its own limit of the unknown alone: set "
            "classify.unknown_limit: 1, or train again"
        )
    return Limit(card.classes.index(UNKNOWN), factor)


def _with_input(trigger: Trigger) -> list[tuple[Trigger, ModelInput]]:
    return [(trigger, model_input(trigger))]


class _Label(beam.DoFn):  # type: ignore[misc]
    """Write the model's answer on the trigger, and count what shows a drift."""

    def __init__(
        self,
        classes: tuple[str, ...],
        model: str,
        rates: Mapping[str, npt.NDArray[np.float64]],
    ) -> None:
        self._classes, self._rates = classes, rates
        self._model = model
        self._counts = {label: _Counts(label) for label in classes}
        self._low = Metrics.counter("classify", "low_score")

    def process(self, answer: tuple[Trigger, Probabilities]) -> Iterator[Trigger]:
        """Label one trigger."""
        trigger, probabilities = answer
        own = weighed(probabilities, self._rates, trigger.ifo)
        told = labelled(trigger, self._classes, own, self._model)
        # Live, a trigger comes several times, and one that is withdrawn counts for nothing.
        if trigger.status == FINAL:
            self._counts[told.label].add(told.score)
            if told.score < LOW_SCORE:
                self._low.inc()
        yield told


class _Counts:
    """What is counted of one label; scores in per mille, since Beam counts in whole numbers."""

    def __init__(self, label: str) -> None:
        self._triggers = Metrics.counter("classify", f"triggers_{label}")
        # A sum as well: distributions do not leave every runner.
        self._sum = Metrics.counter("classify", f"score_sum_{label}")
        self._scores = Metrics.distribution("classify", f"score_{label}")

    def add(self, score: float) -> None:
        per_mille = round(1000 * score)
        self._triggers.inc()
        self._sum.inc(per_mille)
        self._scores.update(per_mille)
