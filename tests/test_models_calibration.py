"""Temperatures: found again where they are known, and left plain where SNR says nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.training import calibrated, calibration, network, novelty
from models.training.export import export
from transforms.classify import features
from transforms.classify.onnx import OnnxModel


def _drawn(rng, temperature, count=20_000):
    log_snr = rng.uniform(np.log(5), np.log(50), count)
    honest = 2 * rng.standard_normal((count, 4))
    odds = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    truth = (odds.cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    shown = honest * calibration.temperatures(log_snr, temperature)[:, None]
    return shown, truth, log_snr, np.arange(count) % 2 == 1


def test_a_temperature_that_falls_with_snr_is_found():
    found = calibration.fit(*_drawn(np.random.default_rng(1), (0.5, -0.4)))
    assert found == pytest.approx((0.5, -0.4), abs=0.06)


def test_a_plain_temperature_stays_plain_or_nearly():
    a, b = calibration.fit(*_drawn(np.random.default_rng(2), (np.log(3), 0.0)))
    assert np.exp(a) == pytest.approx(3.0, rel=0.05)
    assert abs(b) < 0.05


def test_without_a_second_half_the_snr_does_not_enter():
    *data, second = _drawn(np.random.default_rng(3), (0.5, -0.4), 500)
    assert calibration.fit(*data, np.zeros_like(second))[1] == 0


@settings(deadline=None)
@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0, 7))
def test_temperatures_stay_in_their_limits(a, b, log_snr):
    low, high = calibration.LIMITS
    with np.errstate(over="ignore"):
        value = calibration.temperatures(np.array([log_snr]), (a, b))[0]
    assert low <= value <= high


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
def test_the_written_model_divides_by_the_temperature(tmp_path):
    model = network.build(3)
    rng = np.random.default_rng(4)
    image = rng.random((5, len(features.FREQUENCIES), features.COLUMNS, len(features.SPANS)))
    parameters = rng.random((5, len(features.PARAMETERS)))
    log_snr = np.log([5.0, 8.0, 20.0, 100.0, 1e3])
    parameters[:, features.PARAMETERS.index("snr")] = log_snr
    nowhere = novelty.Novelty(novelty.unit(np.ones((1, network.HIDDEN))), (50.0, 0.0))
    export(
        calibrated.CalibratedModel(
            network=calibrated.with_hidden(model),
            temperature=(0.3, -0.5),
            novelty=nowhere,
            unknown=2,
        ),
        tmp_path,
    )
    inputs = image.astype(np.float32), parameters.astype(np.float32)
    logits = np.asarray(model.predict_on_batch(list(inputs)))
    scaled = logits / calibration.temperatures(log_snr, (0.3, -0.5))[:, None]
    expected = np.exp(scaled) / np.exp(scaled).sum(axis=1, keepdims=True)
    assert OnnxModel(tmp_path)(*inputs) == pytest.approx(expected, abs=1e-5)
