"""Rectangles and tracks: found where tiles fail, as rare in noise as they say."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import gamma

from models.simulation import noise, waveforms
from transforms.detect.bank import PAST_SECONDS, bank_for
from transforms.detect.cluster import cluster
from transforms.detect.config import DetectConfig
from transforms.detect.extended import LENGTHS, WIDTHS, running_sums
from transforms.detect.kernels import rectangle_hits
from transforms.detect.octave import BINS
from transforms.detect.ranking import FAR_OUT, Noise, overlap_gain
from transforms.detect.search import search
from transforms.detect.sessions import Sessions
from transforms.detect.tracks import rising_tracks
from transforms.gps import NANOSECONDS
from transforms.whiten.config import WhitenConfig
from transforms.whiten.whitening import whiten

RATE = 4096
CONFIG = DetectConfig()
WHITEN = WhitenConfig()
CURVE = "aligo_O4high"


@pytest.fixture(scope="module")
def find(coloured, as_block):
    """Find what a sum of signals (shape, SNR, second) in noise gives: candidates and triggers."""

    def finder(signals, seed=3, config=CONFIG):
        strain = coloured(CURVE, 64, RATE, seed).copy()
        for shape, snr, second in signals:
            scale = snr / noise.optimal_snr(shape, RATE, noise.load(CURVE), 16.0)
            first = int(second * RATE) - len(shape) // 2
            strain[first : first + len(shape)] += scale * shape
        bank = bank_for(RATE, config, WHITEN.low_frequency)
        white = whiten(as_block(strain), WHITEN, bank.margin_seconds * NANOSECONDS)
        candidates = search(white, config, bank)
        sessions = Sessions.of(config).group(candidates)
        return candidates, [cluster(session.candidates, "test") for session in sessions]

    return finder


def chirp(duration=0.8, start=50.0, end=400.0):
    parameters = {
        "start_frequency": start,
        "end_frequency": end,
        "duration": duration,
        "phase": 0.4,
    }
    return waveforms.sample("chirp", RATE, parameters).samples


def seconds(trigger):
    return trigger.time_ns / 1e9 - 1_000_000_007


def test_a_chirp_that_no_tile_sees_is_one_track(find):
    candidates, triggers = find([(chirp(), 12.0, 40.0)])
    near = [t for t in triggers if abs(seconds(t) - 40) < 0.5]
    assert len(near) == 1
    assert near[0].wavelet == "sweep"
    tiles = [c.rank for c in candidates if c.wavelet == "morlet"]
    assert near[0].rank > max(tiles, default=0) + 1
    # From 50 to 400 Hz, but the detector is most sensitive in between.
    assert near[0].low_frequency < 160
    assert near[0].high_frequency > 300
    assert 0.1 < near[0].duration < 1.0


def inspiral(mass, start=25.0, end=210.0):
    """Make a binary of a chirp mass [solar masses] by the quadrupole formula."""
    k = 5 / 256 * (4.925491e-6 * mass) ** (-5 / 3) * np.pi ** (-8 / 3)
    first, last = (k * f ** (-8 / 3) for f in (start, end))
    left = first - np.arange(int((first - last) * RATE)) / RATE
    frequency = (left / k) ** (-3 / 8)
    return frequency ** (2 / 3) * np.cos(2 * np.pi * np.cumsum(frequency) / RATE)


def test_a_light_binary_that_no_line_follows_is_one_track(find):
    shape = inspiral(9.0)
    candidates, triggers = find([(shape, 12.0, 40.0)])
    near = [t for t in triggers if abs(seconds(t) - 40 - len(shape) / 2 / RATE) < 1.5]
    assert [t.wavelet for t in near] == ["sweep"]
    tiles = [c.rank for c in candidates if c.wavelet == "morlet"]
    assert near[0].rank > max(tiles, default=0) + 0.5


def test_a_burst_of_noise_is_one_rectangle(find):
    rng = np.random.default_rng(8)
    spectrum = np.fft.rfft(rng.standard_normal(RATE))
    spectrum[(np.arange(len(spectrum)) < 120) | (np.arange(len(spectrum)) > 250)] = 0
    burst = np.fft.irfft(spectrum) * np.exp(-0.5 * ((np.arange(RATE) / RATE - 0.5) / 0.06) ** 2)
    _, triggers = find([(burst, 14.0, 30.0)])
    near = [t for t in triggers if abs(seconds(t) - 30) < 0.4]
    assert len(near) == 1
    assert near[0].wavelet == "box"
    assert near[0].low_frequency < 200 < near[0].high_frequency


def test_a_short_signal_stays_short(find):
    t = np.arange(-512, 513) / RATE
    blip = np.exp(-((t / 0.004) ** 2)) * np.cos(2 * np.pi * 180 * t)
    _, triggers = find([(blip, 60.0, 35.0)])
    near = [t for t in triggers if abs(seconds(t) - 35) < 2]
    assert len(near) == 1
    assert near[0].duration < 0.3
    assert near[0].snr == pytest.approx(60, rel=0.15)
    assert abs(seconds(near[0]) - 35) < 0.002


def test_two_signals_on_one_line_stay_two(find):
    t = np.arange(-512, 513) / RATE
    low, high = (np.exp(-((t / 0.01) ** 2)) * np.cos(2 * np.pi * f * t) for f in (70, 200))
    _, triggers = find([(low, 15.0, 30.0), (high, 15.0, 31.0)])
    loud = sorted(seconds(t) for t in triggers if t.snr > 10)
    assert loud == pytest.approx([30, 31], abs=0.01)


def test_sums_are_sums():
    energy = np.random.default_rng(1).exponential(size=(20, 40)).astype(np.float32)
    sums = running_sums(energy, 20)
    for width in WIDTHS:
        for length in LENGTHS:
            direct = energy[3 : 3 + width, 25 - length + 1 : 26].sum(dtype=float)
            assert sums[width, length][3, 25] == pytest.approx(direct, rel=1e-5)


def test_rectangle_hits_are_all_sums_over_their_limits():
    rng = np.random.default_rng(2)
    energy = rng.exponential(size=(20, 120)).astype(np.float32)
    limits = np.full((len(WIDTHS), len(LENGTHS), 18), np.inf, np.float32)
    sums, wanted = running_sums(energy, 18), set()
    for i, width in enumerate(WIDTHS):
        for j, length in enumerate(LENGTHS):
            for row in range(18 - width + 1):
                own = sums[width, length][row, 40:]
                # Between two sums, so that rounding decides nothing.
                limits[i, j, row] = np.partition(own, (-4, -3))[[-4, -3]].mean()
                wanted |= {(i, j, row, 40 + int(at)) for at in np.argsort(own)[-3:]}
    hits = np.zeros((len(wanted) + 1, 4), np.int64)
    assert rectangle_hits(energy, limits, 40, hits) == len(wanted)
    assert set(map(tuple, hits[:-1].tolist())) == wanted


@pytest.mark.parametrize(("form", "gain"), [(0.7, 2.5), (3.0, 3.0), (40.0, 8.0), (300.0, 40.0)])
def test_rarity_of_a_sum_is_its_tail_or_what_its_energy_allows(form, gain):
    noise = Noise(*(np.array(v) for v in (2 * form, form, 2.0, gain, 0.0)))
    value = 2 * np.linspace(0.1, form + 12 * np.sqrt(form) + 90, 400)
    rare = -2 * gamma.logsf(value / 2, form) - 2
    energy = np.maximum(2 * (value - 2 * form) / gain, FAR_OUT**2)
    assert 0.02 < np.mean(rare < energy) < 0.98
    expected = np.sqrt(np.clip(np.minimum(rare, energy), 0, None))
    assert noise.snr(value) == pytest.approx(expected, rel=1e-6)


def test_rank_is_the_snr_of_a_tile_as_rare():
    # One exponential of mean 1 is a tile: p = exp(-x) and SNR^2 = 2 x - 2.
    tile = Noise(*(np.array(v) for v in (1.0, 1.0, 1.0, 1.0, 0.0)))
    assert tile.rank(tile.snr(np.array(19.0))) == pytest.approx(6.0)
    fewer = replace(tile, trials_penalty=np.array(-2.0))
    assert fewer.snr(np.array(19.0)) == pytest.approx(6.0)
    assert fewer.rank(fewer.snr(np.array(19.0))) == pytest.approx(np.sqrt(38.0))
    assert fewer.limit(np.sqrt(38.0)) == pytest.approx(19.0)
    many = Noise(*(np.array(v) for v in (30.0, 30.0, 1.0, 1.0, 0.0)))
    value = many.limit(5.5)
    assert gamma.sf(value, 30) == pytest.approx(np.exp(-(5.5**2 + 2) / 2), rel=1e-6)
    assert many.rank(many.snr(value)) == pytest.approx(5.5, abs=1e-6)
    # Far beyond what doubles hold, rank still rises, and no faster than the energy.
    loud = [float(many.rank(many.snr(np.array(x)))) for x in (500.0, 5000.0, 5e5)]
    assert np.all(np.diff(loud) > 0)
    assert loud[-1] == pytest.approx(np.sqrt(2 * 5e5), rel=0.01)


def test_shapes_grow_rare_in_noise_as_tiles_do(coloured, as_block):
    config = DetectConfig(threshold=4.4)
    bank = bank_for(1024, config, WHITEN.low_frequency)
    block = as_block(coloured(CURVE, 512, 1024, 31), 1024)
    white = whiten(block, WHITEN, bank.margin_seconds * NANOSECONDS)
    found = search(white, config, bank)
    for kinds in ({"box", "sweep"}, {"morlet"}):
        rank = np.array([c.rank for c in found if c.wavelet in kinds])
        share = np.mean(rank > 5)
        # p = exp(-(rank^2 + 2) / 2): a factor of 11 from 4.4 to 5.
        assert 0.03 < share < 0.2
        assert rank.max() < 7


def test_independent_tiles_gain_nothing_from_overlap():
    energy = np.random.default_rng(5).exponential(size=(12, 20000)).astype(np.float32)
    assert overlap_gain(energy, (1, 1)) == pytest.approx(1, abs=0.05)
    assert overlap_gain(np.repeat(energy, 2, axis=1), (1, 2))[0] == pytest.approx(1.5, abs=0.3)
    doubled = np.repeat(energy, 2, axis=0)
    assert overlap_gain(doubled, (2, 1))[0] == pytest.approx(2, abs=0.1)


def test_every_track_rises_and_fits_the_past():
    bank = bank_for(4096, CONFIG, 16.0)
    tracks = rising_tracks(bank.frequency, bank.q)
    assert len(tracks) > 30
    for track in tracks:
        rows = [row for row, _, _ in track.parts]
        assert np.all(np.diff(bank.frequency[rows]) >= 0)
        assert max(lag + length for _, lag, length in track.parts) <= PAST_SECONDS * BINS
