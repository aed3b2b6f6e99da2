"""Noise exceeds a rank as often as theory says: against simulated fields and the search."""

from dataclasses import replace

import numpy as np
import pytest

from beam_pipeline.config import PipelineConfig
from benchmarks.detection import false_alarms
from transforms.detect.bank import bank_for
from transforms.detect.config import DetectConfig
from transforms.significance.gaussian import (
    Shapes,
    TileField,
    merged,
    overlap,
    peak_density,
    trigger_rate,
)

RATE = 4096
CONFIG = replace(DetectConfig(), threshold=4.5)


@pytest.fixture(scope="module")
def bank():
    return bank_for(RATE, CONFIG, 16.0)


@pytest.fixture(scope="module")
def field(bank):
    return TileField.of(bank, CONFIG)


def wavelet(f, q, at=0.0):
    """Sample one wavelet of unit energy over two seconds."""
    t = np.arange(-1, 1, 1 / 8192) - at
    tau = q / (np.sqrt(2) * np.pi * f)
    shape = np.exp(-((t / tau) ** 2) + 2j * np.pi * f * t)
    return shape / np.linalg.norm(shape)


@pytest.mark.parametrize("other", [(100.0, 9.0), (112.0, 6.0), (90.0, 5.0)])
def test_overlap_is_that_of_wavelets(other):
    direct = abs(np.vdot(wavelet(100.0, 6.0), wavelet(*other))) ** 2
    assert overlap(*np.array([100.0, 6.0, *other])) == pytest.approx(direct, rel=1e-6)


@pytest.mark.parametrize("q", [3.0, 10.0, 30.0])
def test_volume_is_that_of_the_wavelets_metric(q):
    f, step = 150.0, 1e-3
    scale = np.array([q / f, 1.0, 1.0])

    def loss(move):
        t, a, b = np.array(move) * step * scale
        return 1 - abs(np.vdot(wavelet(f, q), wavelet(f * np.exp(a), q * np.exp(b), t))) ** 2

    unit = np.eye(3)
    metric = np.array([[loss(x + y) - loss(x - y) for x in unit] for y in unit]) / 4
    volume = np.sqrt(np.linalg.det(metric)) / step**3 / np.prod(scale)
    assert volume == pytest.approx(np.pi * f / np.sqrt(2), rel=0.01)


def test_one_wavelet_crosses_a_level_as_often_as_an_edge_says():
    f, q, rate, seconds = 200.0, 4.5, 2048, 256
    spectrum = np.fft.fft(np.random.default_rng(1).standard_normal(rate * seconds))
    weight = np.exp(-(((np.fft.fftfreq(rate * seconds, 1 / rate) - f) * q / f) ** 2) / 2)
    energy = np.abs(np.fft.ifft(spectrum * weight)) ** 2
    energy *= 2 / energy.mean()
    level = 9.0
    crossings = np.count_nonzero((energy[1:] > level) & (energy[:-1] <= level)) / seconds
    # An edge of a box holds a quarter of what a line holds.
    expected = 4 * np.sqrt(2) * np.pi * f / q * peak_density(level, 1)
    assert crossings == pytest.approx(expected, rel=0.12)


def test_white_noise_has_the_triggers_foretold(bank, field):
    config = replace(PipelineConfig(), detect=CONFIG)
    run = false_alarms.white(1024, RATE, 5, config, lambda _: None)
    reach = CONFIG.gap_seconds + field.extent
    peaks = field.rate([4.5, 4.75], 4.5)
    expected = merged(peaks, float(peaks[0]), reach) * run.live
    found = [run.tiles_above(rank) for rank in (4.5, 4.75)]
    assert found[0] > 150
    assert found == pytest.approx(expected, rel=0.25)
    every = trigger_rate(4.5, field, CONFIG) * run.live
    assert run.above(4.5) == pytest.approx(float(every), rel=0.25)


def test_places_sum_up_to_the_volume_and_the_faces(field):
    low, top, q = 20.0, 0.84 * RATE / 2, (3.0, 32.0)
    sums = [field.measure[field.dimension == d].sum() for d in (3, 2, 1)]
    assert sums[0] == pytest.approx(
        np.pi / np.sqrt(2) * (top - low) * np.log(q[1] / q[0]), rel=1e-2
    )
    faces = [np.pi * (top - low) * np.sqrt(1 + x**-2) for x in q]
    faces += [np.pi * f * (1 / q[0] - 1 / q[1]) for f in (low, top)]
    assert sums[1] == pytest.approx(sum(faces) / 2, rel=1e-4)
    edges = [np.sqrt(2) * np.pi * f / x for f in (low, top) for x in q]
    assert sums[2] == pytest.approx(sum(edges))


def test_rates_fall_with_rank_as_a_chi_square_with_volume(field):
    ranks = np.linspace(4.5, 12, 40)
    rates = field.rate(ranks, 4.5)
    assert np.all(np.diff(np.log(rates)) < 0)
    # The logarithm of u^(3/2) exp(-u / 2) falls by 1 - 3 / u for each unit of u / 2.
    fall = np.log(rates[0] / rates[10]) / ((ranks[10] ** 2 - ranks[0] ** 2) / 2)
    u = (ranks[10] ** 2 + ranks[0] ** 2) / 2 + 4
    assert fall == pytest.approx(1 - 3 / u, abs=0.03)


def test_a_search_of_less_gives_less(field):
    narrow = replace(CONFIG, low_q=6.0, high_frequency=400.0)
    less = TileField.of(bank_for(RATE, narrow, 16.0), narrow)
    assert less.rate(5.0, 4.5) < 0.7 * field.rate(5.0, 4.5)


def test_octaves_give_alike():
    each = []
    for low in (100.0, 400.0):
        part = replace(CONFIG, low_frequency=low, high_frequency=2 * low)
        each.append(float(TileField.of(bank_for(RATE, part, 16.0), part).rate(5.0, 4.5)))
    # The same but for u^(3/2), where a higher octave needs more.
    assert 1 < each[1] / each[0] < 1.2


def test_a_low_threshold_misses_nothing_that_a_high_one_sees(field):
    assert field.rate(5.5, 4.5) > field.rate(5.5, 5.5)
    assert field.rate(7.0, 5.5) == pytest.approx(field.rate(7.0, 4.5), rel=0.01)
    assert field.rate(5.0, 5.5) == field.rate(5.5, 5.5)


def test_losses_are_what_the_mismatch_allows(field):
    assert np.all(field.closer_loss >= 0)
    assert np.all(field.closer_loss <= field.bank_loss + 1e-12)
    assert np.mean(field.closer_loss) < 0.01
    assert np.mean(field.bank_loss < -np.log(1 - CONFIG.mismatch)) > 0.99


def test_clusters_of_events_at_random_times():
    rng, rate, part, reach, seconds = np.random.default_rng(3), 1.5, 0.3, 0.2, 40000
    times = np.sort(rng.uniform(0, seconds, int(rate * seconds)))
    marked = rng.random(len(times)) < part
    number = np.cumsum(np.diff(times, prepend=-1) >= reach)
    clusters = len(np.unique(number[marked])) / seconds
    assert merged(rate * part, rate, reach) == pytest.approx(clusters, rel=0.02)
    assert merged(1e-6, rate, 0.0) == pytest.approx(1e-6)


def test_shapes_go_through_what_was_counted():
    shapes = Shapes.between((4.5, 0.02), (5.0, 0.004))
    assert shapes([4.5, 5.0]) == pytest.approx([0.02, 0.004])
    assert shapes.rate == pytest.approx(0.004)
    with pytest.raises(ValueError, match="fall with rank"):
        Shapes.between((4.5, 0.004), (5.0, 0.02))


def test_triggers_are_tiles_and_shapes_less_what_merges(field):
    ranks = np.array([4.5, 5.5, 6.5])
    apart = field.rate(ranks, 4.5) + Shapes(3e-3, 0.7)(ranks)
    together = trigger_rate(ranks, field, CONFIG, Shapes(3e-3, 0.7))
    assert np.all(together < apart)
    assert together[1:] == pytest.approx(apart[1:], rel=0.01)
    # Hertz: tens an hour at the usual threshold, not thousands.
    assert 5 < together[1] * 3600 < 30
