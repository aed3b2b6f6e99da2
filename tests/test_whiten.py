"""Whitening: unit variance, flat spectrum, no lines, no NaN, and the same however it is cut."""

import itertools
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from models.simulation import noise
from transforms.elements import Block, Interval
from transforms.gps import NANOSECONDS, to_index
from transforms.kinds import SegmentKind
from transforms.whiten import convolve, fir, psd, whitening
from transforms.whiten.config import WhitenConfig
from transforms.whiten.filter_cache import FilterCache
from transforms.whiten.stage import analysed
from transforms.whiten.whitening import future_needed, past_needed, whiten

CONFIG = WhitenConfig()
MARGIN = 3 * NANOSECONDS
STEADY = 3
"""Seconds after which the filter's past lies in the data."""


def valid(white):
    rate = white.sample_rate
    first = to_index(white.gps_start_ns, rate)
    start, end = to_index(white.valid_start_ns, rate), to_index(white.valid_end_ns, rate)
    return white.samples[start - first : end - first]


def part_of(block, start_s, end_s):
    """Cut out the block that answers for [start, end) seconds, as the archive plans it."""
    begin = max(block.segment_start_ns, start_s * NANOSECONDS - past_needed(CONFIG, MARGIN))
    end = min(block.segment_end_ns, end_s * NANOSECONDS + future_needed(CONFIG, MARGIN))
    if begin == block.segment_start_ns:
        warm = begin + CONFIG.psd_seconds * NANOSECONDS
        end = min(block.segment_end_ns, max(end, warm))
    rate = block.sample_rate
    origin = to_index(block.gps_start_ns, rate)
    cut = slice(to_index(begin, rate) - origin, to_index(end, rate) - origin)
    return replace(
        block,
        gps_start_ns=begin,
        data=block.samples[cut].tobytes(),
        analyse_start_ns=max(start_s * NANOSECONDS, block.segment_start_ns),
        analyse_end_ns=min(end_s * NANOSECONDS, block.segment_end_ns),
    )


def steep():
    """Make noise as steep as KAGRA's published curve: eleven decades up towards 1 Hz."""
    n, rate = 64 * 4096, 4096
    f = np.fft.rfftfreq(n, 1 / rate)
    asd = 1e-23 * np.maximum(1, (30 / np.maximum(f, 1)) ** 8)
    rng = np.random.default_rng(3)
    return np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * asd * np.sqrt(rate / 2), n)


@pytest.mark.parametrize("sample_rate", [2048, 4096, 16384])
@pytest.mark.parametrize("curve", noise.names())
def test_noise_of_every_curve_becomes_white(curve, sample_rate, coloured, as_block):
    strain = coloured(curve, 96, sample_rate)
    white = valid(whiten(as_block(strain, sample_rate), CONFIG, MARGIN))
    assert white.std() == pytest.approx(1, abs=0.04)
    f, power = signal.welch(white, sample_rate, nperseg=4 * sample_rate)
    wide = signal.welch(white, sample_rate, nperseg=sample_rate // 8)[1] * sample_rate / 2
    band = np.fft.rfftfreq(sample_rate // 8, 1 / sample_rate) > 3 * CONFIG.low_frequency
    # Flat, but for the notches: lines are taken out and not filled up.
    assert np.max(wide[band][:-1]) < 1.25
    assert np.mean(abs(wide[band][:-1] - 1) < 0.15) > 0.8
    assert np.median(wide[band]) == pytest.approx(1, abs=0.08)
    assert np.max(power[f > CONFIG.low_frequency]) * sample_rate / 2 < 8
    assert abs(white).max() < 6.5


def test_steep_noise_at_one_hertz_does_not_leak(as_block):
    white = valid(whiten(as_block(steep()), CONFIG, MARGIN))
    assert white.std() == pytest.approx(1, abs=0.03)


def test_the_level_is_neither_high_nor_low(coloured, as_block):
    # 2 % too much power would double the false alarms of any threshold.
    white = [
        valid(whiten(as_block(coloured("aligo_O4high", 64, seed=seed)), CONFIG, MARGIN))
        for seed in range(4)
    ]
    f, power = signal.welch(np.concatenate(white), 4096, nperseg=2 * 4096)
    for low, high in ((100, 300), (300, 900), (900, 2000)):
        assert np.median(power[(f > low) & (f < high)]) / (2 / 4096) == pytest.approx(1, abs=0.012)


def test_lines_are_taken_out(coloured, as_block):
    strain = coloured("aligo_O4high", 64)
    time = np.arange(len(strain)) / 4096
    for frequency in (60.0, 331.9, 501.3, 1001.7):
        strain = strain + 3e-21 * np.sin(2 * np.pi * frequency * time)
    white = valid(whiten(as_block(strain), CONFIG, MARGIN))[STEADY * 4096 :]
    f, power = signal.welch(white, 4096, nperseg=4 * 4096)
    assert np.max(power[f > CONFIG.low_frequency]) * 2048 < 8
    assert white.std() == pytest.approx(1, abs=0.03)


def test_matches_a_long_filter_where_the_spectrum_is_smooth(coloured, as_block):
    curve = noise.load("aligo_O4high")
    strain = coloured("aligo_O4high", 64)
    white = whiten(as_block(strain), CONFIG, 0).samples[8 * 4096 : 56 * 4096]
    reference = noise.whitened(strain, 4096, curve, 1.0)[8 * 4096 : 56 * 4096]
    # Well above the wall at 20 Hz, and below the first violin modes, there is no delay: the
    # series agree sample by sample.
    band = signal.butter(8, [100, 450], "bandpass", fs=4096, output="sos")
    ours, theirs = (signal.sosfiltfilt(band, y) for y in (white, reference))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.98


def test_median_spectrum_matches_scipy():
    x = np.random.default_rng(0).standard_normal(30 * 256)
    power = psd.periodograms(x, 256, 2)
    ours, count = psd.median_psd(power, np.ones(len(power), bool))
    f, theirs = signal.welch(x, 256, nperseg=512, average="median", detrend=False)
    emphasis = 16 * np.sin(np.pi * f / 256) ** 4
    assert count == 29
    # The pre-emphasis acts before the window; over a Hann window's width it is constant.
    np.testing.assert_allclose(ours[60:-1] / emphasis[60:-1], theirs[60:-1], rtol=0.15)


def test_a_glitch_does_not_enter_the_spectrum(coloured, as_block):
    strain = coloured("aligo_O4high", 64)
    loud = strain.copy()
    loud[30 * 4096 : 30 * 4096 + 200] += 1e-18
    quiet = whiten(as_block(strain), CONFIG, MARGIN)
    glitch = whiten(as_block(loud), CONFIG, MARGIN)
    ratio = glitch.asd_array[0, 80:] / quiet.asd_array[0, 80:]
    assert np.median(ratio) == pytest.approx(1, abs=0.02)
    assert ratio.max() < 2


def test_flagged_stretches_do_not_enter_the_spectrum(coloured, as_block):
    strain = coloured("aligo_O4high", 64)
    noisy = strain.copy()
    noisy[10 * 4096 : 30 * 4096] *= 3
    block = as_block(noisy)
    start = block.gps_start_ns
    flag = Interval(start + 10 * NANOSECONDS, start + 30 * NANOSECONDS, "BURST_CAT2")
    for_days = Interval(start - NANOSECONDS, start + 100 * NANOSECONDS, "CW_HW_INJ")
    flagged = whiten(replace(block, flags=(for_days, flag)), CONFIG, MARGIN)
    clean = whiten(as_block(strain), CONFIG, MARGIN)
    ratio = flagged.asd_array[0, 80:4000] / clean.asd_array[0, 80:4000]
    assert np.median(ratio) == pytest.approx(1, abs=0.05)


def test_silence_and_steps_give_no_nan(as_block, coloured):
    silent = whiten(as_block(np.zeros(32 * 4096)), CONFIG, MARGIN)
    assert np.all(np.isfinite(silent.samples))
    stepped = coloured("aligo_O4high", 32)
    stepped[16 * 4096 :] = 0
    assert np.all(np.isfinite(whiten(as_block(stepped), CONFIG, MARGIN).samples))


def test_scale_of_the_strain_does_not_matter(coloured, as_block):
    strain = coloured("aligo_O4high", 32)
    once = whiten(as_block(strain), CONFIG, MARGIN).samples
    # A power of two changes exponents only.
    scaled = whiten(as_block(strain * 2.0**40), CONFIG, MARGIN).samples
    np.testing.assert_array_equal(once, scaled)


@settings(max_examples=6, deadline=None)
@given(cuts=st.lists(st.integers(1, 179), min_size=1, max_size=4, unique=True), sub=st.booleans())
def test_any_cutting_gives_the_same_bits(cuts, sub, coloured, as_block):
    start_ns = 1_000_000_007 * NANOSECONDS + (NANOSECONDS // 4 if sub else 0)
    block = as_block(coloured("L1_O3a_measured_asd", 180, 1024), 1024, start_ns=start_ns)
    whole = whiten(block, CONFIG, MARGIN)
    begin = start_ns // NANOSECONDS
    edges = [begin, *(begin + c for c in sorted(cuts)), begin + 181]
    for start, end in itertools.pairwise(edges):
        part = whiten(part_of(block, start, end), CONFIG, MARGIN)
        offset = (part.gps_start_ns - whole.gps_start_ns) // NANOSECONDS * 1024
        low, high = max(offset, 0), offset + len(part.samples)
        np.testing.assert_array_equal(part.samples[low - offset :], whole.samples[low:high])


def test_only_the_look_ahead_is_lost_at_the_ends(coloured, as_block):
    block = as_block(coloured("aligo_O4high", 32))
    white = whiten(block, CONFIG, MARGIN)
    edge = round(CONFIG.lookahead_seconds * NANOSECONDS)
    assert white.valid_start_ns == block.segment_start_ns + edge
    assert white.valid_end_ns == block.segment_end_ns - edge
    head = valid(white)[: 2 * 4096]
    assert head.std() == pytest.approx(1, abs=0.06)
    assert abs(head).max() < 5.5
    pieces = list(analysed(block, CONFIG))
    edge = SegmentKind.FILTER_EDGE
    assert [p.kind for p in pieces] == [edge, SegmentKind.ANALYSED, edge]
    assert pieces[0].start_ns == block.segment_start_ns
    assert pieces[-1].end_ns == block.segment_end_ns
    assert all(a.end_ns == b.start_ns for a, b in itertools.pairwise(pieces))


def test_the_future_beyond_the_look_ahead_is_not_used(coloured, as_block):
    strain = coloured("aligo_O4high", 128)
    changed = strain.copy()
    changed[100 * 4096 :] *= -1
    before = whiten(as_block(strain), CONFIG, 0)
    after = whiten(as_block(changed), CONFIG, 0)
    at = 100 * 4096 - round(CONFIG.lookahead_seconds * 4096)
    np.testing.assert_array_equal(before.samples[:at], after.samples[:at])
    assert np.any(before.samples[at + 50 :] != after.samples[at + 50 :])


def test_partitioned_filtering_is_convolution():
    rng = np.random.default_rng(5)
    x, taps = rng.standard_normal(20 * 64), rng.standard_normal(150)
    parts = convolve.partition(taps, 64)
    got = convolve.convolve(x, parts, 64)
    np.testing.assert_allclose(got, np.convolve(x, taps)[3 * 64 : 20 * 64], atol=1e-10)


REAL = (
    "H-H1_LOSC_4_V2-1126259446-32.hdf5",
    "L-L1_LOSC_4_V2-1126259446-32.hdf5",
    "L-L1_GWOSC_4KHZ_R1-1187008867-32.hdf5",
)


def rounding(strain, sample_rate, as_block, monkeypatch):
    """Return what single precision adds to each octave of white noise of unit variance."""
    block = as_block(strain, sample_rate)
    chosen = valid(whiten(block, CONFIG, MARGIN)).astype(np.float64)
    with monkeypatch.context() as patch:
        patch.setattr(fir, "ROUNDED", 0)
        patch.setattr(whitening, "_PREPARED", FilterCache(lambda made: made.nbytes))
        double = valid(whiten(block, CONFIG, MARGIN))
    f, power = signal.welch((chosen - double)[STEADY * sample_rate :], sample_rate, nperseg=4096)
    octaves = CONFIG.low_frequency * 2.0 ** np.arange(10)
    return [
        np.mean(power[(f >= low) & (f < 2 * low)]) * sample_rate / 2
        for low in octaves[octaves < sample_rate / 2]
    ]


@pytest.mark.parametrize("name", REAL)
def test_single_precision_resolves_real_noise(name, data, as_block, monkeypatch):
    with h5py.File(data / name) as file:
        strain = file["strain/Strain"][:]
    assert 0 < max(rounding(strain, 4096, as_block, monkeypatch)) < 1e-5


@pytest.mark.parametrize("curve", noise.names())
def test_rounding_is_small_for_every_curve(curve, coloured, as_block, monkeypatch):
    strain = coloured(curve, 32, 16384)
    assert max(rounding(strain, 16384, as_block, monkeypatch)) < 1e-4


def test_double_precision_is_used_where_single_is_not_enough(as_block, monkeypatch):
    assert max(rounding(steep(), 4096, as_block, monkeypatch)) == 0


def test_a_wild_sample_gives_no_nan(coloured, as_block):
    strain = coloured("aligo_O4high", 128)
    strain[100 * 4096] = 1e30
    white = whiten(as_block(strain), CONFIG, MARGIN)
    assert np.all(np.isfinite(white.samples))


@settings(max_examples=50)
@given(st.integers(1, 600), st.integers(0, 10**7))
def test_updates_come_into_force_one_after_another(update_seconds, update):
    config = WhitenConfig(update_seconds=update_seconds)
    at = psd.comes_into_force(update, config)
    assert at % NANOSECONDS == 0
    assert psd.in_force(at, config) == update
    assert psd.in_force(at - 1, config) == update - 1


def test_minimum_phase_has_the_magnitude_and_the_least_delay():
    magnitude = np.abs(np.fft.rfft([1.0, -0.5, 0.2], 256))
    taps = fir.minimum_phase(magnitude)
    np.testing.assert_allclose(taps[:3], [1.0, -0.5, 0.2], atol=1e-6)
    np.testing.assert_allclose(taps[3:], 0, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"lookahead_seconds": 0.3},
        {"psd_seconds": 10},
        {"minimum_seconds": 4},
        {"past_seconds": 9.0},
    ],
)
def test_impossible_values_are_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        WhitenConfig(**change)


def test_what_was_made_of_equal_strain_is_given_again_and_of_no_other():
    made, kept = [], FilterCache(size=lambda _: 1000, largest=3000)
    strain = np.random.default_rng(0).standard_normal(100)

    def ask(channel, samples, rest=()):
        return kept.of(channel, samples, rest, lambda: made.append(1) or len(made))

    assert ask("A", strain) == ask("A", strain.copy()) == 1
    later = strain.copy()
    later[-1] = np.nextafter(later[-1], 9)
    assert ask("A", later) == 2
    assert ask("A", strain) == 1
    assert ask("A", strain, "other") == 3
    assert ask("A", strain) == 1
    assert ask("B", strain) == 4  # 3000 bytes are kept: "later" was asked for longest ago
    assert ask("A", strain) == 1
    assert ask("A", later) == 5
    assert ask("B", strain) == 4
    assert ask("A", strain, "other") == 6


def test_the_filters_of_64_channels_at_16384_hz_are_each_made_once(monkeypatch):
    """Live, channels come one after the other, second by second."""
    rate, channels, made = 16384, 64, []
    filters = FilterCache(lambda each: each.nbytes)
    rng = np.random.default_rng(0)
    strains = [rng.standard_normal(64 * rate) for _ in range(2)]
    # Two strains serve all channels: they are told apart by their names.
    prepared = np.zeros(1_600_000, np.uint8)

    def make():
        made.append(1)
        return prepared

    for update in range(2):
        for _ in range(3):
            for channel in range(channels):
                filters.of(f"H1:C{channel}", strains[update], rate, make)
        assert len(made) == channels * (update + 1)
    block = Block(
        ifo="H1",
        channel="H1:X",
        sample_rate=rate,
        gps_start_ns=0,
        data=strains[0].tobytes(),
        segment_start_ns=0,
        segment_end_ns=64 * NANOSECONDS,
        analyse_start_ns=0,
        analyse_end_ns=NANOSECONDS,
    )
    monkeypatch.setattr(whitening, "_PREPARED", FilterCache(lambda each: made.append(each) or 0))
    whiten(block, CONFIG, MARGIN)
    assert made[-1].nbytes < prepared.nbytes
