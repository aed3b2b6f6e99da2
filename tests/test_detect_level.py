"""The level of noise around: one in white noise, and what louder noise is held against."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.detection.detector import flat
from tests import samples
from transforms.detect.bank import PAST_SECONDS, bank_for
from transforms.detect.config import DetectConfig
from transforms.detect.level import GUARD, HIGHEST, LEAST_BLOCKS, Levels
from transforms.detect.octave import BINS
from transforms.detect.ranking import tile_rank_over
from transforms.detect.search import search
from transforms.detect.sessions import Sessions
from transforms.gps import NANOSECONDS
from transforms.whiten.config import WhitenConfig

ROWS = 12
PAST = PAST_SECONDS * BINS
Q = np.repeat([4.0, 9.0], ROWS // 2)
RATE = 1024
CONFIG = DetectConfig()


def energies(bins, seed=1):
    """Make energies of white noise whose bins hold eight independent tiles each."""
    return np.random.default_rng(seed).gamma(8, 1 / 8, (ROWS, bins)).astype(np.float32)


@pytest.fixture(scope="module")
def levels():
    return Levels(Q, energies(116 * BINS))


def of_tiles(levels, energy, known=0):
    bins = np.arange(PAST, energy.shape[1])
    return levels.of_tiles(energy, np.full(len(bins), 3), bins, known)


def test_white_noise_is_hardly_ever_louder_than_white_noise(levels):
    level = of_tiles(levels, energies(400 * BINS, seed=2))
    assert level.min() == 1
    assert level.mean() < 1.01


def test_noise_that_is_louder_for_seconds_is_the_level(levels):
    level = of_tiles(levels, 2 * energies(40 * BINS, seed=3))
    assert np.median(level) == pytest.approx(2, rel=0.08)
    rectangles = np.array([[2, 3, 6, PAST + 5]])
    assert levels.of_rectangles(2 * energies(40 * BINS), rectangles, 0) == pytest.approx(2, rel=0.1)
    track = levels.of_track(2 * energies(40 * BINS), np.array([1, 7]), np.ones(2), PAST + 9, 0)
    assert track == pytest.approx(2, rel=0.1)


def test_no_level_hides_what_is_far_louder_than_noise(levels):
    level = of_tiles(levels, 100 * energies(20 * BINS))
    assert np.all(level == HIGHEST)
    assert tile_rank_over(12.0, 100.0, HIGHEST) > CONFIG.threshold


def test_one_transient_is_no_level(levels):
    energy = energies(40 * BINS, seed=4)
    energy[:, 5 * BINS] += 1000
    assert of_tiles(levels, energy).max() < 1.4


def test_what_lies_beyond_the_past_or_in_the_guard_does_not_count(levels):
    energy = energies(20 * BINS, seed=5)
    at, other = np.array([10 * BINS]), energy.copy()
    other[:, : 10 * BINS + 1 - PAST] = 0
    other[:, 10 * BINS + 1 - GUARD :] = 50
    row = np.array([3])
    assert levels.of_tiles(2 * other, row, at, 0) != levels.of_tiles(other, row, at, 0)
    other = np.where(other == 50, energy, other)
    assert levels.of_tiles(2 * other, row, at, 0) == levels.of_tiles(2 * energy, row, at, 0)


def test_after_a_gap_the_level_is_one_until_enough_is_known(levels):
    energy, known = 3 * energies(20 * BINS), 4 * BINS
    energy[:, :known] = 0
    level = of_tiles(levels, energy, known)
    enough = known + GUARD + LEAST_BLOCKS * BINS // 4 - 1
    assert np.all(level[: enough - PAST] == 1)
    assert level[enough - PAST :] == pytest.approx(3, rel=0.3)


def test_levels_are_the_same_bits_in_any_company(levels):
    energy = 1.3 * energies(60 * BINS, seed=6)
    whole = of_tiles(levels, energy)
    for second in range(0, 57):
        part = np.ascontiguousarray(energy[:, second * BINS : second * BINS + PAST + BINS])
        own = of_tiles(levels, part, -second * BINS)
        assert own.tobytes() == whole[second * BINS : (second + 1) * BINS].tobytes()


def found_in(strain, config=CONFIG):
    bank = bank_for(RATE, config, WhitenConfig().low_frequency)
    end, margin = len(strain) // RATE * NANOSECONDS, bank.margin_seconds * NANOSECONDS
    white = flat(strain, RATE, 0, valid_ns=(0, end), analyse_ns=(margin, end - margin))
    candidates = search(white, config, bank)
    return candidates, Sessions.of(config).group(candidates)


def test_louder_noise_is_quiet_and_a_signal_in_it_is_not():
    strain = np.random.default_rng(7).standard_normal(140 * RATE, np.float32)
    strain *= np.float32(np.sqrt(1.5))
    t = np.arange(-256, 257) / RATE
    pulse = np.exp(-((t / 0.02) ** 2)) * np.cos(2 * np.pi * 120 * t)
    at = 70 * RATE
    strain[at - 256 : at + 257] += 12 * pulse / np.linalg.norm(pulse)
    candidates, sessions = found_in(strain)
    times = [c.bin_ns for s in sessions for c in s.candidates]
    assert any(abs(time - 70 * NANOSECONDS) < NANOSECONDS // 8 for time in times)
    every = [c for c in candidates if abs(c.bin_ns - 70 * NANOSECONDS) > NANOSECONDS]
    assert len(every) > 40
    assert len(sessions) < len(every) / 4
    assert all(c.rank <= c.snr + 1 for c in candidates)


def test_a_quiet_candidate_ties_others_together_and_is_no_trigger():
    loud = samples.candidate(10 * NANOSECONDS, 7.0)
    quiet = replace(samples.candidate(10 * NANOSECONDS + NANOSECONDS // 32, 6.0), rank=4.0)
    sessions = Sessions.of(CONFIG)
    assert sessions.group([quiet]) == []
    (session,) = sessions.group([quiet, loud])
    assert set(session.candidates) == {quiet, loud}


def test_the_band_ends_where_calibration_does():
    bank = bank_for(16384, CONFIG, WhitenConfig().low_frequency)
    assert 4000 < bank.frequency.max() < 5000
