"""A model served by ONNX Runtime: TensorFlow's answers, and nothing of TensorFlow."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from models.simulation import simulate
from models.training import examples
from models.training.convert import parts_of
from transforms.classify import artefact, tensorflow
from transforms.classify.artefact import ArtefactError
from transforms.classify.onnx import OnnxModel
from transforms.detect.config import DetectConfig
from transforms.whiten.config import WhitenConfig

FOLDER = artefact.default_artefact()


def inputs(count, seed=0):
    rng = np.random.default_rng(seed)
    return (
        rng.exponential(0.3, (count, 48, 64, 4)).astype(np.float32),
        rng.normal(3, 2, (count, 5)).astype(np.float32),
    )


@pytest.fixture(scope="module")
def model():
    return OnnxModel(FOLDER)


@pytest.fixture(scope="module")
def reference():
    return tensorflow.tensorflow().saved_model.load(str(FOLDER))


@pytest.mark.parametrize("count", [1, 2, 32])
def test_the_answers_are_tensorflow_s(model, reference, count):
    for seed in range(20):
        image, parameters = inputs(count, seed)
        expected = parts_of(reference.serve(image, parameters))["probabilities"].numpy()
        assert np.allclose(model(image, parameters), expected, rtol=0, atol=1e-5)


def test_the_answers_about_triggers_are_tensorflow_s(model, reference):
    config = simulate.SimulationConfig(
        ("aligo_O4high",), stretches=1, noise_stretches=1, sample_rates=(2048,), seconds=96
    )
    found = examples.collect(
        simulate.simulate(config, WhitenConfig(), DetectConfig(threshold=5.0), (7,))
    )
    assert len(found) > 10
    (image, parameters), *_ = found.batches(len(found))
    expected = parts_of(reference.serve(image, parameters))["probabilities"].numpy()
    assert len(set(expected.argmax(axis=1))) > 1
    answers = model(image, parameters)
    assert np.allclose(answers, expected, rtol=0, atol=1e-5)
    assert np.array_equal(answers.argmax(axis=1), expected.argmax(axis=1))


def test_the_same_inputs_have_the_same_answers_bit_for_bit(model):
    image, parameters = inputs(40)
    first = [model(image[n : n + 1], parameters[n : n + 1]) for n in range(40)]
    again = OnnxModel(FOLDER)
    for number in reversed(range(40)):
        one = slice(number, number + 1)
        assert np.array_equal(again(image[one], parameters[one]), first[number])


def test_inputs_need_not_be_contiguous_and_stay_as_they_are(model):
    image, parameters = inputs(4)
    before = image.copy()
    answer = model(image[::2], parameters[::2])
    assert np.array_equal(answer, model(image[::2].copy(), parameters[::2].copy()))
    assert np.array_equal(image, before)


def test_answers_outlive_their_model():
    first = OnnxModel(FOLDER)
    answer = first(*inputs(1))
    kept = answer.copy()
    del first
    second = OnnxModel(FOLDER)(*inputs(1))
    assert np.array_equal(answer, kept)
    assert np.array_equal(second, kept)


def test_inputs_of_another_shape_are_refused_and_the_next_are_served(model):
    image, parameters = inputs(1)
    with pytest.raises(ValueError, match="image") as refused:
        model(image[:, :20], parameters)
    assert "\n" not in str(refused.value)
    assert model(image, parameters).shape == (1, len(artefact.load_card(FOLDER).classes))


def test_a_model_without_its_onnx_form_is_told_how_to_get_it(tmp_path):
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    (tmp_path / artefact.ONNX_FILE).unlink()
    with pytest.raises(ArtefactError, match=r"python -m models\.training\.convert"):
        OnnxModel(tmp_path)


@pytest.mark.parametrize("left", [0.0, 0.5, 0.999])
def test_a_damaged_model_is_refused(tmp_path, left):
    whole = (FOLDER / artefact.ONNX_FILE).read_bytes()
    (tmp_path / artefact.ONNX_FILE).write_bytes(whole[: int(left * len(whole))])
    with pytest.raises(ArtefactError, match="cannot be loaded") as refused:
        OnnxModel(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_model_of_other_inputs_is_refused(tmp_path):
    import tf2onnx

    tf = tensorflow.tensorflow()
    signature = [tf.TensorSpec((None, 5), tf.float32, name="other")]
    function = tf.function(lambda other: {"probabilities": 2 * other}, input_signature=signature)
    made, _ = tf2onnx.convert.from_function(function, signature, opset=17)
    (tmp_path / artefact.ONNX_FILE).write_bytes(made.SerializeToString())
    with pytest.raises(ArtefactError, match="is not probabilities of image and parameters"):
        OnnxModel(tmp_path)


def test_without_onnx_runtime_one_line_says_so(monkeypatch):
    monkeypatch.setattr("transforms.classify.onnx.find_spec", lambda name: None)
    with pytest.raises(ArtefactError, match="install onnxruntime"):
        OnnxModel(FOLDER)


def test_serving_imports_no_tensorflow_and_says_nothing():
    code = (
        "import sys, numpy as np\n"
        "from transforms.classify import artefact\n"
        "from transforms.classify.onnx import OnnxModel\n"
        "model = OnnxModel(artefact.default_artefact())\n"
        "model(np.ones((1, 48, 64, 4), np.float32), np.ones((1, 5), np.float32))\n"
        "heavy = ('tensorflow', 'keras', 'onnx', 'tf2onnx')\n"
        "found = [m for m in sys.modules if m.split('.')[0] in heavy]\n"
        "assert not found, found\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == done.stdout == ""
