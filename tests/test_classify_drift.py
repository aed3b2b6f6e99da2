"""What is counted of labels and scores, as a runner reports it."""

from collections import defaultdict
from dataclasses import replace

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.metrics import MetricsFilter

from tests.samples import TRIGGER
from transforms.classify import artefact
from transforms.classify.answers import rates_of
from transforms.classify.config import BACKENDS, ClassifyConfig
from transforms.classify.features import model_input
from transforms.classify.handler import ClassifierHandler
from transforms.classify.stage import Classify, _Label
from transforms.elements import FINAL, LOW_SCORE, STATUSES, Trigger

RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"


def counted(result):
    """Return a finished pipeline's counters and distributions of classification, by name."""
    found = result.metrics().query(MetricsFilter().with_namespace("classify"))
    return tuple(
        {one.key.metric.name: one.committed for one in found[kind]}
        for kind in ("counters", "distributions")
    )


def noisy(number, status=FINAL):
    samples = np.random.default_rng(number).standard_normal(4096) * (1 + number % 7)
    return replace(
        TRIGGER,
        id=f"t{number}",
        status=status,
        snr=5.0 + number,
        snippet=samples.astype(np.float32).tobytes(),
        snippet_rate=2048,
    )


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_counts_each_label_and_its_scores(backend, untrained):
    folder = str(untrained.folder)
    triggers = [noisy(number) for number in range(40)]
    handler = ClassifierHandler(folder, untrained.id)
    model = handler.load_model()
    expected, doubtful = defaultdict(list), 0
    for one in triggers:
        (answer,) = handler.run_inference([model_input(one)], model)
        # Not of the rounded score: an untrained network's lie about a half.
        doubtful += float(max(answer)) < LOW_SCORE
        expected[untrained.classes[int(np.argmax(answer))]].append(round(1000 * float(max(answer))))

    pipeline = beam.Pipeline(runner=RUNNER)
    made = pipeline | beam.Create(triggers).with_output_types(Trigger)
    made | Classify(config=ClassifyConfig(folder, backend))
    result = pipeline.run()
    result.wait_until_finish()
    counters, scores = counted(result)

    low = counters.pop("low_score", 0)
    assert low == doubtful
    assert counters == {
        f"{name}_{label}": value
        for label, each in expected.items()
        for name, value in (("triggers", len(each)), ("score_sum", sum(each)))
    }
    assert set(scores) == {f"score_{label}" for label in expected}
    for label, each in expected.items():
        found = scores[f"score_{label}"]
        assert (found.count, found.sum, found.min, found.max) == (
            *(len(each), sum(each), min(each), max(each)),
        )


class _Answered(beam.DoFn):
    """Give each trigger the answer that goes with it, in place of a model."""

    def process(self, pair):
        trigger, answer = pair
        yield trigger, np.array(answer, np.float32)


def label(pairs, classes):
    """Label triggers by given answers; give what was counted."""
    pipeline = beam.Pipeline(runner=RUNNER)
    answered = pipeline | beam.Create(pairs) | beam.ParDo(_Answered())
    answered | beam.ParDo(_Label(classes, "m", rates_of((), classes)))
    result = pipeline.run()
    result.wait_until_finish()
    return counted(result)


def test_the_share_of_unknown_and_mean_scores_follow_from_counters():
    answers = [(0.9, 0.1, 0.0), (0.3, 0.45, 0.25), (0.1, 0.1, 0.8), (0.2, 0.2, 0.6)]
    pairs = [(noisy(number), answer) for number, answer in enumerate(answers)]
    counters, _ = label(pairs, ("blip", "noise", "unknown"))
    triggers = sum(n for name, n in counters.items() if name.startswith("triggers_"))
    assert counters["triggers_unknown"] / triggers == 0.5
    assert counters["score_sum_unknown"] / counters["triggers_unknown"] == 700
    assert counters["low_score"] == 1


def test_a_trigger_that_comes_several_times_counts_once():
    pairs = [(noisy(1, status), (0.2, 0.8)) for status in STATUSES]
    counters, scores = label(pairs, ("blip", "noise"))
    assert counters == {"triggers_noise": 1, "score_sum_noise": 800}
    assert scores["score_noise"].count == 1


def test_the_packaged_labels_can_be_names_of_metrics():
    card = artefact.load_card(artefact.default_artefact())
    assert all(f"triggers_{name}".isidentifier() for name in card.classes)
