"""The training set: reproducible, matched to the truth, and of every class."""

from dataclasses import replace

import numpy as np
import pytest

from models import simulate, waveforms
from transforms.detect.config import DetectConfig
from transforms.whiten.config import WhitenConfig

CONFIG = simulate.SimulationConfig(
    ("aligo_O4high",), stretches=1, noise_stretches=1, sample_rates=(2048,), seconds=128
)
WHITEN, DETECT = WhitenConfig(), DetectConfig()


def _stretch(number=0, seed=1, config=CONFIG):
    return simulate.stretch(config, number, WHITEN, np.random.default_rng((seed, number)))


def test_the_same_seed_gives_the_same_examples():
    first, again = (list(simulate.simulate(CONFIG, WHITEN, DETECT, (1, 0))) for _ in range(2))
    assert first == again
    assert len(first) > 5


def test_other_seeds_have_other_noise():
    samples = [_stretch(1, seed).block.samples for seed in (1, 2)]
    assert abs(np.corrcoef(*samples)[0, 1]) < 0.1


def test_transients_do_not_overlap_and_keep_from_the_edges():
    made = _stretch()
    block = made.block
    assert len(made.injections) > 10
    for one, next_ in zip(made.injections, made.injections[1:], strict=False):
        assert one.end_ns < next_.start_ns
    assert made.injections[0].start_ns > block.gps_start_ns + 5 * 10**9
    assert made.injections[-1].end_ns < block.segment_end_ns - 5 * 10**9


def test_an_injection_holds_its_snr():
    for injection in _stretch().injections:
        whole = injection.snr_between(injection.start_ns, injection.end_ns)
        assert whole == pytest.approx(injection.snr, rel=0.05)
        assert injection.snr_between(injection.end_ns, injection.end_ns + 10**9) == 0


def test_loud_transients_are_found_and_named():
    loud = replace(CONFIG, noise_stretches=0, low_snr=20.0)
    found = list(simulate.simulate(loud, WHITEN, DETECT, (3, 0)))
    made = simulate.stretch(loud, 0, WHITEN, np.random.default_rng((3, 0, 0)))
    labels = [example.label for example in found if example.loudest]
    named = sum(labels.count(name) for name in waveforms.FAMILIES)
    assert named >= 0.7 * len(made.injections)


def test_noise_alone_makes_noise_alone():
    quiet = replace(CONFIG, stretches=0, noise_stretches=1, noise_threshold=4.3)
    found = list(simulate.simulate(quiet, WHITEN, DETECT, (4, 0)))
    assert found
    assert {example.label for example in found} == {waveforms.NOISE}


def test_a_trigger_that_its_injection_does_not_explain_is_left_out():
    made = _stretch()
    triggers = simulate.find(made.block, WHITEN, DETECT)
    example = next(e for e in simulate.match(triggers, made.injections) if e.injected_snr)
    absurd = replace(example.trigger, snr=1e3)
    assert simulate.match([absurd], made.injections) == []
