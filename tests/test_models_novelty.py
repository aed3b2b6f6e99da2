"""What was never taught: told by its distance to all that was."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.training import calibrated, network, novelty
from models.training.export import export
from transforms.classify import features, tensorflow
from transforms.classify.answers import STEEPNESS
from transforms.classify.onnx import OnnxModel

SNR = features.PARAMETERS.index("snr")
IMAGE = len(features.FREQUENCIES), features.COLUMNS, len(features.SPANS)
DIRECTIONS = arrays(np.float32, (7, 3), elements=st.floats(-1, 1, width=32))


def _around(rng, center, count=400, spread=0.1):
    return center + spread * rng.standard_normal((count, len(center)))


def test_as_many_of_each_class_are_kept_and_none_of_the_unknown():
    truth = np.repeat([0, 1, 2, 3], [1000, 40, 700, 2000])
    kept = novelty.kept(truth, 3, np.random.default_rng(1))
    assert np.bincount(truth[kept]).tolist() == [novelty.EACH, 40, novelty.EACH]
    assert np.array_equal(kept, novelty.kept(truth, 3, np.random.default_rng(1)))
    assert not np.array_equal(kept, novelty.kept(truth, 3, np.random.default_rng(2)))


@settings(deadline=None)
@given(DIRECTIONS, DIRECTIONS, st.floats(0.5, 100))
def test_a_distance_is_one_less_the_cosine(found, known, scale):
    kept = novelty.unit(known + np.float32([2, 0, 0]))
    distance = novelty.distances(found, kept)
    lengths = np.linalg.norm(found.astype(float), axis=1)
    cosine = found.astype(float) @ kept.T.astype(float) / np.where(lengths > 0, lengths, 1)[:, None]
    expected = 1 - cosine.max(axis=1)
    seen = lengths > 1e-3
    assert distance[seen] == pytest.approx(np.maximum(expected[seen], 1e-6), abs=1e-5)
    assert novelty.distances(scale * found, kept)[seen] == pytest.approx(distance[seen], abs=1e-5)


def test_what_is_kept_is_no_distance_away_however_much_is_asked():
    known = novelty.unit(np.random.default_rng(3).standard_normal((1500, 8)))
    assert np.all(novelty.distances(known, known) == novelty.NEAREST)


def test_the_limit_is_so_many_times_the_quantile_and_grows_for_quiet_ones():
    rng = np.random.default_rng(4)
    log_snr = rng.uniform(np.log(5), np.log(50), 20_000)
    typical = np.exp(-3 - 1.5 * np.minimum(log_snr - np.log(8), 0))
    a, b = novelty.fit(typical * rng.exponential(1, len(log_snr)), log_snr, 2.5)
    # Of an exponential distribution a part FAR lies beyond -ln FAR.
    assert np.exp(a) == pytest.approx(np.exp(-3) * -np.log(novelty.FAR) * 2.5, rel=0.06)
    assert b == pytest.approx(-1.5, abs=0.15)


def test_loud_triggers_have_one_limit():
    limits = novelty.limits(np.log([4, 8, 80, 8000]), (-2.0, -1.0))
    assert limits == pytest.approx(np.exp(-2) * np.array([2, 1, 1, 1]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
def test_the_written_model_turns_the_distance_into_the_unknown(tmp_path):
    rng = np.random.default_rng(5)
    network_ = calibrated.with_hidden(network.build(3))
    image = rng.exponential(1, (40, *IMAGE))
    parameters = rng.random((40, len(features.PARAMETERS)))
    parameters[:, SNR] = log_snr = rng.uniform(np.log(5), np.log(50), 40)
    inputs = image.astype(np.float32), parameters.astype(np.float32)
    logits, hidden = (np.asarray(part) for part in network_.predict_on_batch(list(inputs)))
    kept = novelty.unit(hidden[:3])
    distance = novelty.distances(hidden, kept)
    known = novelty.Novelty(kept, (float(np.log(np.median(distance[3:]))), -0.5))
    export(
        calibrated.CalibratedModel(
            network=network_, temperature=(0.0, 0.0), novelty=known, unknown=2
        ),
        tmp_path,
    )

    given = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    ratio = novelty.limits(log_snr, known.limit) / distance
    strange = 1 / (1 + ratio**STEEPNESS)
    assert strange[:3] == pytest.approx(np.zeros(3), abs=1e-6)
    assert strange[3:].min() < 0.5 < strange[3:].max()
    expected = given * (1 - strange)[:, None] + strange[:, None] * [0, 0, 1]
    assert OnnxModel(tmp_path)(*inputs) == pytest.approx(expected, abs=1e-4)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
def test_a_network_that_is_sure_of_a_stranger_calls_it_unknown(tmp_path):
    """Far from all that is kept, whatever the logits say."""
    tf = tensorflow.tensorflow()

    class Sure(tf.Module):
        def __init__(self):
            self.weight = tf.Variable([[20.0, 0.0, 0.0]])

        def __call__(self, given, training):
            return self.weight + 0 * given[1][:, :1], given[1]

    rng = np.random.default_rng(6)
    known = novelty.unit(_around(rng, [3.0, 1, 0, 0, 0]))
    own, strangers = _around(rng, [3.0, 1, 0, 0, 0], 50), _around(rng, [3.0, 0, 2, 0, 0], 50)
    distance = novelty.distances(_around(rng, [3.0, 1, 0, 0, 0]), known)
    limit = novelty.fit(distance, np.full(400, 3), 2.5)
    export(
        calibrated.CalibratedModel(
            network=Sure(), temperature=(0.0, 0.0), novelty=novelty.Novelty(known, limit), unknown=2
        ),
        tmp_path,
    )
    image = np.zeros((50, *IMAGE), np.float32)
    model = OnnxModel(tmp_path)
    assert np.all(model(image, own.astype(np.float32)).argmax(axis=1) == 0)
    assert np.all(model(image, strangers.astype(np.float32)).argmax(axis=1) == 2)
