"""A model served by the native library alone: TensorFlow's own answers, and none of its Python."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from transforms.classify import artefact, tensorflow
from transforms.classify.artefact import ArtefactError
from transforms.classify.native import ServedModel

FOLDER = artefact.default_artefact()


def inputs(count, seed=0):
    rng = np.random.default_rng(seed)
    return (
        rng.exponential(0.3, (count, 48, 64, 4)).astype(np.float32),
        rng.normal(3, 2, (count, 5)).astype(np.float32),
    )


@pytest.fixture(scope="module")
def model():
    return ServedModel(FOLDER)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_answers_are_tensorflow_s_bit_for_bit(model, count):
    reference = tensorflow.tensorflow().saved_model.load(str(FOLDER))
    for seed in range(20):
        image, parameters = inputs(count, seed)
        expected = reference.serve(image, parameters).numpy()
        assert np.array_equal(model(image, parameters), expected)


def test_inputs_need_not_be_contiguous_and_stay_as_they_are(model):
    image, parameters = inputs(4)
    before = image.copy()
    answer = model(image[::2], parameters[::2])
    assert np.array_equal(answer, model(image[::2].copy(), parameters[::2].copy()))
    assert np.array_equal(image, before)


def test_answers_outlive_their_model():
    first = ServedModel(FOLDER)
    answer = first(*inputs(1))
    kept = answer.copy()
    del first
    second = ServedModel(FOLDER)(*inputs(1))
    assert np.array_equal(answer, kept)
    assert np.array_equal(second, kept)


def test_inputs_of_another_shape_are_refused_and_the_next_are_served(model):
    image, parameters = inputs(1)
    with pytest.raises(ValueError, match="shape"):
        model(image[:, :20], parameters)
    assert model(image, parameters).shape == (1, len(artefact.load_card(FOLDER).classes))


def test_a_model_without_variables_is_refused(tmp_path):
    shutil.copy(FOLDER / "saved_model.pb", tmp_path)
    with pytest.raises(ArtefactError, match="copy the whole folder"):
        ServedModel(tmp_path)


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index"])
def test_a_damaged_model_is_refused(tmp_path, name):
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtefactError, match="cannot be loaded"):
        ServedModel(tmp_path)


def test_a_model_with_other_endpoints_is_refused(tmp_path):
    tf = tensorflow.tensorflow()
    module = tf.Module()
    module.factor = tf.Variable(2.0)
    signature = tf.TensorSpec((None, 5), tf.float32, name="other")
    endpoint = tf.function(lambda other: module.factor * other, input_signature=[signature])
    tf.saved_model.save(module, str(tmp_path), signatures={"serve": endpoint})
    with pytest.raises(ArtefactError, match=r"no serve\(image, parameters\)"):
        ServedModel(tmp_path)


def _fresh(code):
    """Run code in a process of its own; give what it said."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


SERVE = (
    "import sys, numpy as np\n"
    "from models import artefact, runtime\n"
    "from transforms.classify.native import ServedModel\n"
    "def serve():\n"
    "    model = ServedModel(artefact.default_artefact())\n"
    "    return model(np.ones((1, 48, 64, 4), np.float32), np.ones((1, 5), np.float32))\n"
)


@pytest.mark.slow
def test_serving_imports_no_tensorflow_and_says_nothing():
    done = _fresh(
        SERVE
        + "serve()\n"
        + "found = [m for m in sys.modules if m.split('.')[0] in ('tensorflow', 'keras')]\n"
        + "assert not found, found\n"
    )
    assert done.stderr == ""


@pytest.mark.slow
def test_tensorflow_can_be_imported_after_serving():
    _fresh(
        SERVE
        + "before = serve()\n"
        + "tf = runtime.tensorflow()\n"
        + "model = tf.saved_model.load(str(artefact.default_artefact()))\n"
        + "after = model.serve(np.ones((1, 48, 64, 4), 'f4'), np.ones((1, 5), 'f4')).numpy()\n"
        + "assert np.array_equal(before, after)\n"
        + "assert np.array_equal(before, serve())\n"
    )
