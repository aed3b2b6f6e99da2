"""The stage: labels on, everything else kept, one trigger never depends on another."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.window import FixedWindows, GlobalWindows, Sessions, TimestampedValue

from tests.samples import UNLABELLED, candidate
from transforms.classify import artefact
from transforms.classify.answers import rates_of
from transforms.classify.config import BACKENDS, ClassifyConfig
from transforms.classify.features import model_input
from transforms.classify.handler import ClassifierHandler
from transforms.classify.onnx import OnnxModel
from transforms.classify.stage import Classify, _Label
from transforms.classify.tfx import TfxModel
from transforms.detect.clusters_live import update_clusters
from transforms.detect.config import DetectConfig
from transforms.detect.sessions import Sessions as DetectSessions
from transforms.elements import PRELIMINARY, SETTLED, WITHDRAWN, SearchResult
from transforms.whiten.config import WhitenConfig

RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
RATE = 4096


def trigger(number, samples=None):
    start = (1_000_000_000 + 10 * number) * 10**9
    if samples is None:
        samples = np.random.default_rng(number).standard_normal(2 * RATE)
    return replace(
        UNLABELLED,
        id=f"t{number}",
        time_ns=start + 1_500_000_000,
        start_ns=start + 1_490_000_000,
        end_ns=start + 1_510_000_000,
        snr=9.0 + number,
        dq=("FLAG",),
        data_time_ns=start,
        snippet=np.asarray(samples, np.float32).tobytes(),
        snippet_rate=RATE,
        snippet_start_ns=start,
    )


def run(triggers, check, window=None, stamps=None, backend="onnx"):
    stamps = stamps or range(len(triggers))
    stamped = [TimestampedValue(t, s) for t, s in zip(triggers, stamps, strict=True)]
    with beam.Pipeline(runner=RUNNER) as pipeline:
        made = pipeline | beam.Create(stamped) | beam.Map(lambda value: value)
        if window is not None:
            made |= beam.WindowInto(window)
        check(made | Classify(config=ClassifyConfig(backend=backend)))


class _Times(beam.DoFn):
    def process(self, element, timestamp=beam.DoFn.TimestampParam, window=beam.DoFn.WindowParam):
        yield element.id, float(timestamp), float(window.end)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("window", [GlobalWindows(), FixedWindows(4), Sessions(3)])
def test_times_and_windows_are_kept(window, backend):
    stamps = [1, 2.5, 9]
    expected = []
    for number, stamp in enumerate(stamps):
        assigned = window.assign(type(window).AssignContext(stamp, None))[0]
        expected.append((f"t{number}", float(stamp), float(assigned.end)))
    run(
        [trigger(i) for i in range(3)],
        lambda out: assert_that(out | beam.ParDo(_Times()), equal_to(expected)),
        window,
        stamps,
        backend,
    )


def _unlabelled(one):
    return replace(one, label="", score=0.0, probabilities=(), model="")


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_only_the_model_s_answer_is_added(backend):
    triggers = [trigger(0), trigger(1)]
    expected = [_unlabelled(one) for one in triggers]
    run(
        triggers,
        lambda out: assert_that(out | beam.Map(_unlabelled), equal_to(expected)),
        backend=backend,
    )


def _withdrawn_as_before(labelled):
    early = {one.id: one for one in labelled if one.status == PRELIMINARY}
    gone = [one for one in labelled if one.status == WITHDRAWN]
    assert len(gone) == 1
    for one in gone:
        last = early[one.id]
        assert one == replace(last, status=WITHDRAWN, arrived_ns=one.arrived_ns)


def test_a_withdrawn_trigger_keeps_its_last_label():
    second, at = 10**9, 1_000_000_000 * 10**9
    sessions = DetectSessions.of(DetectConfig())
    now, told = None, []
    for number, rank in ((0, 8.0), (1, 30.0)):
        bin_ns = at + second - sessions.bin_ns * (1 - number)
        made = trigger(number)
        found = candidate(
            bin_ns,
            rank,
            before=second // 20,
            after=second // 20,
            snippet=made.snippet,
            snippet_rate=RATE,
            snippet_start_ns=bin_ns - 3 * second // 2,
        )
        start = at + number * second
        searched = SearchResult(
            channel="H1:X",
            start_ns=start,
            end_ns=start + second,
            known_ns=at,
            arrived_ns=number + 1,
            candidates=(found,),
        )
        now, out = update_clusters(now, searched, sessions, "c")
        told += out
    assert [one.status for one in told] == [PRELIMINARY, SETTLED, WITHDRAWN]
    run(told, lambda out: assert_that(out, _withdrawn_as_before))


def _sane(labelled):
    card = artefact.load_card(artefact.default_artefact())
    for one in labelled:
        names = tuple(name for name, _ in one.probabilities)
        values = [value for _, value in one.probabilities]
        assert names == card.classes
        assert sum(values) == pytest.approx(1.0, abs=1e-5)
        assert one.score == max(values)
        assert one.label == names[int(np.argmax(values))]
        assert one.model == card.label


def test_probabilities_are_honest_and_in_the_card_s_order():
    run([trigger(0), trigger(1)], lambda out: assert_that(out, _sane))


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "broken",
    [
        {"snippet": b"", "snippet_rate": 0},
        {"snippet": b"abc"},
        {"snippet": np.full(2 * RATE, np.nan, np.float32).tobytes()},
        {"snr": float("nan"), "frequency": float("inf"), "q": -1.0},
    ],
)
def test_a_broken_trigger_is_labelled_and_stops_nothing(broken, backend):
    triggers = [replace(trigger(0), **broken), trigger(1)]
    run(triggers, lambda out: assert_that(out, _sane), backend=backend)


@pytest.fixture(scope="module", params=BACKENDS)
def served(request):
    card = artefact.load_card(artefact.default_artefact())
    handler = ClassifierHandler("", card.id, request.param)
    return handler, handler.load_model()


def _probabilities(one):
    return one.id, tuple(value for _, value in one.probabilities)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 6])
def test_a_trigger_does_not_depend_on_its_neighbours(served, count):
    handler, model = served
    triggers = [trigger(i) for i in range(count)]
    alone = []
    for one in triggers:
        answer = next(iter(handler.run_inference([model_input(one)], model)))
        alone.append((one.id, tuple(float(value) for value in answer)))
    run(
        triggers,
        lambda out: assert_that(out | beam.Map(_probabilities), equal_to(alone)),
        backend=handler.backend,
    )


def _close_to(expected):
    def check(answers):
        assert {name for name, _ in answers} == set(expected)
        for name, values in answers:
            assert np.allclose(values, expected[name], rtol=0, atol=1e-5)

    return check


@pytest.mark.slow
def test_both_back_ends_label_alike():
    card = artefact.load_card(artefact.default_artefact())
    handler = ClassifierHandler("", card.id)
    model = handler.load_model()
    triggers = [trigger(i) for i in range(60)]
    expected = {}
    for one in triggers:
        (expected[one.id],) = handler.run_inference([model_input(one)], model)
    for backend in BACKENDS:
        run(
            triggers,
            lambda out: assert_that(out | beam.Map(_probabilities), _close_to(expected)),
            backend=backend,
        )


def test_the_handler_keeps_the_order_of_a_batch(served):
    handler, model = served
    inputs = [model_input(trigger(i)) for i in range(5)]
    batch = list(handler.run_inference(inputs, model))
    single = [next(iter(handler.run_inference([one], model))) for one in inputs]
    assert np.allclose(batch, single, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_worker_with_another_model_refuses(backend):
    with pytest.raises(artefact.ArtefactError, match="install the same version"):
        ClassifierHandler("", "0" * 16, backend).load_model()


@pytest.mark.parametrize(
    ("backend", "kind"), [("onnx", OnnxModel), ("tfx_bsl", TfxModel)], ids=BACKENDS
)
def test_the_first_inference_is_made_while_loading(backend, kind, monkeypatch):
    asked, ask = [], kind.__call__

    def listening(self, image, parameters):
        asked.append(len(image))
        return ask(self, image, parameters)

    monkeypatch.setattr(kind, "__call__", listening)
    card = artefact.load_card(artefact.default_artefact())
    ClassifierHandler("", card.id, backend).load_model()
    assert asked == [1]


@pytest.mark.slow
def test_a_back_end_without_its_endpoint_is_told_when_the_graph_is_built(untrained, tmp_path):
    shutil.copytree(untrained.folder, tmp_path, dirs_exist_ok=True)
    contents = {key: value for key, value in untrained.contents.items() if key != "endpoints"}
    (tmp_path / artefact.CARD).write_text(json.dumps(contents))
    Classify(config=ClassifyConfig(str(tmp_path)))
    with pytest.raises(artefact.ArtefactError, match="train again") as refused:
        Classify(config=ClassifyConfig(str(tmp_path), "tfx_bsl"))
    assert "serving_default(examples)" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_the_label_unknown_is_one_of_the_classes(untrained):
    sure = np.array([0.1, 0.2, 0.7], np.float32)
    (labelled,) = _Label(untrained.classes, "m", rates_of((), untrained.classes)).process(
        (trigger(0), sure)
    )
    assert labelled.label == "unknown"
    assert labelled.score == labelled.probabilities[-1][1] == float(sure[2])


def test_a_missing_model_is_told_when_the_graph_is_built(tmp_path):
    with pytest.raises(artefact.ArtefactError, match="wavefier train"):
        Classify(config=ClassifyConfig(model=str(tmp_path)))


def test_a_model_of_other_whitening_is_told_when_the_graph_is_built():
    with pytest.raises(artefact.ArtefactError, match=r"whiten.low_frequency = 30"):
        Classify(
            config=ClassifyConfig(),
            whitening=WhitenConfig(low_frequency=30.0),
            detection=DetectConfig(),
        )


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_building_the_graph_loads_nothing_that_runs_a_model(backend):
    code = (
        "import sys, apache_beam as beam\n"
        "from transforms.classify.stage import Classify\n"
        "from transforms.classify.config import ClassifyConfig\n"
        f"p = beam.Pipeline(runner={RUNNER!r})\n"
        "from transforms.elements import Trigger\n"
        "made = p | beam.Create([1]) | beam.Map(lambda _: None).with_output_types(Trigger)\n"
        f"made | Classify(config=ClassifyConfig(backend={backend!r}))\n"
        "heavy = ('tensorflow', 'keras', 'tfx_bsl', 'onnxruntime')\n"
        "found = [m for m in heavy if m in sys.modules]\n"
        "sys.exit(', '.join(found) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
