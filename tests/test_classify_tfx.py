"""The same model behind tfx-bsl: the same answers, the same refusals, and its own transform."""

import shutil
import subprocess
import sys

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.util import assert_that

from models.simulation import simulate
from models.training import examples
from transforms.classify import artefact, tensorflow
from transforms.classify.artefact import ArtefactError
from transforms.classify.onnx import OnnxModel
from transforms.classify.tfx import TfxModel
from transforms.detect.config import DetectConfig
from transforms.whiten.config import WhitenConfig

pytestmark = pytest.mark.slow
FOLDER = artefact.default_artefact()
RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"


def inputs(count, seed=0):
    rng = np.random.default_rng(seed)
    return (
        rng.exponential(0.3, (count, 48, 64, 4)).astype(np.float32),
        rng.normal(3, 2, (count, 5)).astype(np.float32),
    )


@pytest.fixture(scope="module")
def models():
    return OnnxModel(FOLDER), TfxModel(FOLDER)


def test_the_answers_are_those_of_onnx(models):
    onnx, tfx = models
    image, parameters = inputs(300)
    for number in range(len(image)):
        one = slice(number, number + 1)
        expected = onnx(image[one], parameters[one])
        assert np.allclose(tfx(image[one], parameters[one]), expected, rtol=0, atol=1e-5)
    assert np.allclose(tfx(image, parameters), onnx(image, parameters), rtol=0, atol=1e-5)


def test_the_answers_about_triggers_are_those_of_onnx(models):
    onnx, tfx = models
    config = simulate.SimulationConfig(
        ("aligo_O4high",), stretches=1, noise_stretches=1, sample_rates=(2048,), seconds=96
    )
    found = examples.collect(
        simulate.simulate(config, WhitenConfig(), DetectConfig(threshold=5.0), (7,))
    )
    assert len(found) > 10
    expected = onnx(found.image, found.parameters)
    assert len(set(expected.argmax(axis=1))) > 1
    assert np.allclose(tfx(found.image, found.parameters), expected, rtol=0, atol=1e-5)


def test_inputs_of_another_shape_are_refused_and_the_next_are_served(models):
    _, tfx = models
    image, parameters = inputs(1)
    with pytest.raises(ValueError, match="reshape"):
        tfx(image[:, :20], parameters)
    assert tfx(image, parameters).shape == (1, len(artefact.load_card(FOLDER).classes))


def _example(image, parameters):
    tf = tensorflow.tensorflow()

    def feature(values):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[values.tobytes()]))

    held = {"image": feature(image), "parameters": feature(parameters)}
    return tf.train.Example(features=tf.train.Features(feature=held)).SerializeToString()


def test_tfx_bsl_s_own_transform_serves_the_artefact(models):
    # Only now: TensorFlow takes seconds of whoever collects tests.
    from tfx_bsl.public.beam.run_inference import RunInference
    from tfx_bsl.public.proto.model_spec_pb2 import InferenceSpecType, SavedModelSpec

    onnx, _ = models
    image, parameters = inputs(20)
    expected = onnx(image, parameters)
    keyed = [(n, _example(*one)) for n, one in enumerate(zip(image, parameters, strict=True))]

    def check(answers):
        assert sorted(number for number, _ in answers) == list(range(20))
        for number, log in answers:
            output = log.predict_log.response.outputs["probabilities"]
            values = tensorflow.tensorflow().make_ndarray(output)[0]
            assert np.allclose(values, expected[number], rtol=0, atol=1e-5)

    spec = InferenceSpecType(saved_model_spec=SavedModelSpec(model_path=str(FOLDER)))
    with beam.Pipeline(runner=RUNNER) as pipeline:
        made = pipeline | beam.Create(keyed).with_output_types(tuple[int, bytes])
        assert_that(made | RunInference(spec), check)


def test_a_model_without_variables_is_refused(tmp_path):
    shutil.copy(FOLDER / "saved_model.pb", tmp_path)
    with pytest.raises(ArtefactError, match="cannot be loaded"):
        TfxModel(tmp_path)


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index"])
def test_a_damaged_model_is_refused(tmp_path, name):
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtefactError, match="cannot be loaded"):
        TfxModel(tmp_path)


@pytest.fixture(scope="module")
def arrays_only(tmp_path_factory):
    """Make a model that takes arrays, and no examples."""
    tf = tensorflow.tensorflow()
    module = tf.Module()
    module.factor = tf.Variable(2.0)
    signature = [
        tf.TensorSpec((None, 48, 64, 4), tf.float32, name="image"),
        tf.TensorSpec((None, 5), tf.float32, name="parameters"),
    ]
    endpoint = tf.function(
        lambda image, parameters: module.factor * parameters + image[:, 0, 0, :1],
        input_signature=signature,
    )
    folder = tmp_path_factory.mktemp("model")
    tf.saved_model.save(
        module, str(folder), signatures={"serve": endpoint, "serving_default": endpoint}
    )
    return folder


def test_a_model_that_takes_no_examples_is_refused(arrays_only):
    with pytest.raises(ArtefactError, match="cannot be loaded"):
        TfxModel(arrays_only)


def test_the_card_tells_the_endpoints_that_are_there(arrays_only):
    assert artefact.endpoints(arrays_only) == [artefact.SERVE]
    assert artefact.endpoints(FOLDER) == [artefact.SERVE, artefact.SERVE_EXAMPLES]
    card = artefact.write_card(
        arrays_only, "x", ("a",), {"settings": {}, "data": {}, "accuracy": {}, "endpoints": ["no"]}
    )
    assert card.endpoints == (artefact.SERVE,)


def test_without_tfx_bsl_one_line_says_so(monkeypatch):
    monkeypatch.setattr("transforms.classify.tfx.find_spec", lambda name: None)
    with pytest.raises(ArtefactError, match=r"wavefier\[tfx\].*classify\.backend: onnx"):
        TfxModel(FOLDER)


def test_it_says_nothing_to_a_user():
    code = (
        "import logging, numpy as np\n"
        "logging.basicConfig(level=logging.ERROR)\n"
        "from transforms.classify import artefact\n"
        "from transforms.classify.tfx import TfxModel\n"
        "model = TfxModel(artefact.default_artefact())\n"
        "model(np.ones((1, 48, 64, 4), np.float32), np.ones((1, 5), np.float32))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
