"""The written model: two endpoints and an ONNX form, one answer."""

import math

import numpy as np
import pytest

from models.training.calibrated import CalibratedModel
from models.training.export import export
from models.training.novelty import Novelty, unit
from transforms.classify import artefact, tensorflow
from transforms.classify.onnx import OnnxModel


def inputs(count):
    rng = np.random.default_rng(3)
    spec = artefact.feature_spec()
    return (
        rng.exponential(0.3, (count, *spec["image"])).astype(np.float32),
        rng.normal(3, 2, (count, len(spec["parameters"]))).astype(np.float32),
    )


def example(**values):
    tf = tensorflow.tensorflow()
    held = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.tobytes()]))
        for name, value in values.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=held)).SerializeToString()


@pytest.fixture(scope="module")
def loaded(untrained):
    return tensorflow.tensorflow().saved_model.load(str(untrained.folder))


def test_both_endpoints_and_the_onnx_form_give_the_same_probabilities(untrained, loaded):
    image, parameters = inputs(50)
    examples = [example(image=i, parameters=p) for i, p in zip(image, parameters, strict=True)]
    answers = loaded.serving_default(tensorflow.tensorflow().constant(examples))["probabilities"]
    answers = answers.numpy()
    assert answers.dtype == np.float32
    assert answers.sum(axis=1) == pytest.approx(np.ones(50), abs=1e-6)
    served = loaded.serve(image, parameters)["probabilities"].numpy()
    assert np.allclose(answers, served, rtol=0, atol=1e-6)
    onnx = OnnxModel(untrained.folder)(image, parameters)
    assert np.allclose(answers, onnx, rtol=0, atol=1e-5)


def test_the_card_names_all(untrained):
    assert untrained.endpoints == (artefact.SERVE, artefact.SERVE_EXAMPLES)
    assert set(untrained.converted) == {artefact.ONNX_FILE}
    artefact.verify(untrained)


@pytest.mark.parametrize("lost", ["image", "parameters"])
def test_an_example_that_lacks_something_is_refused(loaded, lost):
    tf = tensorflow.tensorflow()
    image, parameters = inputs(1)
    values = {"image": image[0], "parameters": parameters[0]}
    del values[lost]
    with pytest.raises(tf.errors.InvalidArgumentError, match=lost):
        loaded.serving_default(tf.constant([example(**values)]))


def test_the_temperature_softens(untrained, tmp_path):
    """Half the temperature squares the odds."""
    tf = tensorflow.tensorflow()

    class Logits(tf.Module):
        """Give logits that are known, and say what is known too."""

        def __init__(self):
            self.weight = tf.Variable([[1.0, 0.0, -1.0]])

        def __call__(self, given, training):
            return given[1][:, :1] * self.weight, tf.ones_like(given[1])

    image, parameters = inputs(4)
    known = Novelty(unit(np.ones((1, parameters.shape[1]))), (0.0, 0.0))
    answers = []
    for temperature in (2.0, 1.0):
        folder = tmp_path / str(temperature)
        export(
            CalibratedModel(
                network=Logits(), temperature=(math.log(temperature), 0.0), novelty=known, unknown=2
            ),
            folder,
        )
        answers.append(OnnxModel(folder)(image, parameters))
    soft, hard = (a[:, 0] / a[:, 1] for a in answers)
    assert hard == pytest.approx(soft**2, rel=1e-5)
