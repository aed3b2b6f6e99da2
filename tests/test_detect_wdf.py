"""The Wavelet Detection Filter's quantities: orthonormal, quiet in noise, true to signals."""

from dataclasses import replace

import numpy as np
import pytest
import pywt
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.simulation.waveforms.simple import FAMILIES, MOCK
from transforms.detect.cluster import cluster
from transforms.detect.wdf import (
    BASES,
    BLOCK,
    COARSEST,
    LAMBDA,
    Wdf,
    denoised,
    transform,
    wdf,
    window_start_ns,
)
from transforms.elements import Candidate
from transforms.gps import NANOSECONDS, to_index, to_ns
from transforms.sink.tables import trigger_row

RATE = 4096
SIZE = RATE // 2
START = 1_000_000_007 * NANOSECONDS
PEAK = START + 3 * NANOSECONDS // 2
FIRST = 3 * RATE // 2 - SIZE // 2
"""Place of the window in the snippet."""
PARAMETERS = {
    "blip": {"frequency": 200.0, "q": 3.0, "phase": 0.7},
    "sine_gaussian": {"frequency": 250.0, "q": 9.0, "phase": 0.3},
}


def noise(seed=0, rate=RATE):
    return np.random.default_rng(seed).standard_normal(2 * rate).astype(np.float32)


def signal(label, snr, rate=RATE):
    """Make a transient at the peak of a snippet, of a given optimal SNR in white noise."""
    time = (np.arange(2 * rate) - 3 * rate // 2) / rate
    wave = (FAMILIES | MOCK)[label].shape(time, **PARAMETERS[label])
    return wave * snr / np.sqrt(np.sum(wave**2))


def look(strain, rate=RATE):
    return wdf(strain, rate, START, PEAK)


def arrays(found):
    return np.frombuffer(found.index, np.uint16), np.frombuffer(found.value, np.float32)


def waveform(found):
    return denoised(found.basis, found.rate, *arrays(found))


def levels(size):
    return int(np.log2(size // COARSEST))


def oracle(window, basis):
    return pywt.wavedec(window, basis, "periodization", levels(len(window)))


# -- the transform


@pytest.mark.parametrize("size", [2 * COARSEST, 128, SIZE])
def test_every_basis_is_orthonormal(size):
    rows = np.array([transform(unit) for unit in np.eye(size)[:: max(size // 64, 1)]])
    for matrix in rows.transpose(1, 0, 2):
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(matrix)), atol=1e-10)


@given(st.integers(0, 2**32 - 1), st.sampled_from([32, 256, SIZE]))
@settings(max_examples=20, deadline=None)
def test_every_basis_keeps_the_energy(seed, size):
    window = np.random.default_rng(seed).standard_normal(size)
    np.testing.assert_allclose(np.sum(transform(window) ** 2, axis=1), np.sum(window**2))


# PyWavelets warns that long filters wrap at coarse levels; in a periodic transform they may.
@pytest.mark.filterwarnings("ignore:Level value of")
@pytest.mark.parametrize("rate", [256, 1024, RATE])
def test_the_transform_is_that_of_pywavelets(rate):
    window = noise(1)[: rate // 2].astype(np.float64)
    for row, basis in zip(transform(window), BASES, strict=True):
        np.testing.assert_allclose(row, np.concatenate(oracle(window, basis)), atol=1e-12)


@pytest.mark.filterwarnings("ignore:Level value of")
def test_quantities_are_those_of_a_plain_reading_of_the_definition():
    strain = noise(2) + signal("blip", 15.0)
    kept = {}
    for basis in BASES:
        parts = oracle(strain[FIRST : FIRST + SIZE].astype(np.float64), basis)
        for part in parts:
            for block in part.reshape(-1, BLOCK):
                if np.sum(block**2) <= LAMBDA * BLOCK:
                    block[:] = 0
        kept[basis] = parts
    norm = {basis: np.linalg.norm(np.concatenate(parts)) for basis, parts in kept.items()}
    best = max(BASES, key=norm.__getitem__)

    found = look(strain)

    assert found.basis == best
    assert found.enwdf == pytest.approx(norm[best], rel=1e-6)
    assert len(arrays(found)[0]) == np.count_nonzero(np.concatenate(kept[best]))
    expected = pywt.waverec(kept[best], best, "periodization")
    np.testing.assert_allclose(waveform(found), expected, atol=1e-5)


# -- noise


@pytest.mark.slow
def test_blocks_of_noise_are_chi_squared_and_seldom_kept():
    rng = np.random.default_rng(3)
    chance, windows = stats.chi2.sf(LAMBDA * BLOCK, BLOCK), 1500
    rows = np.stack([transform(rng.standard_normal(SIZE)) for _ in range(windows)])
    energy = (rows**2).reshape(windows, len(BASES), -1, BLOCK).sum(axis=-1)

    for of_basis in energy.transpose(1, 0, 2):
        assert stats.kstest(of_basis[:100].ravel(), stats.chi2(BLOCK).cdf).pvalue > 1e-3
        low, high = stats.poisson(chance * of_basis.size).interval(1 - 1e-4)
        assert low <= np.sum(of_basis > LAMBDA * BLOCK) <= high


def test_most_windows_of_noise_keep_nothing():
    kept = [look(noise(seed)) for seed in range(400)]

    # 256 blocks in each of five bases, with a chance of 1.7e-5 each, are 2.2 % at most.
    assert sum(bool(found.basis) for found in kept) <= 20
    assert Wdf(rate=RATE) in kept


def test_decimated_noise_has_the_same_deviation(coloured, as_block):
    from transforms.detect.bank import bank_for
    from transforms.detect.config import DetectConfig
    from transforms.detect.view import View
    from transforms.whiten.config import WhitenConfig
    from transforms.whiten.whitening import whiten

    config, low = DetectConfig(), WhitenConfig().low_frequency
    strain = coloured("aligo_O4high", 72, sample_rate=16384)
    bank = bank_for(16384, config, low)
    white = whiten(as_block(strain, 16384), WhitenConfig(), 4 * NANOSECONDS)
    view = View.of(white, config, bank)
    rows = []
    for second in range(5, 65):
        time_ns = white.gps_start_ns + second * NANOSECONDS
        snippet = view.snippet(time_ns)
        assert snippet.rate == RATE
        first = to_index(time_ns, RATE) - to_index(snippet.start_ns, RATE) - RATE // 4
        samples = np.frombuffer(snippet.samples, "f4")[first : first + RATE // 2]
        rows.append(transform(samples.astype("f8")))
    for level in range(2, levels(SIZE) + 1):  # from 32 Hz up: below, the whitening lets less pass
        place = slice(COARSEST << (level - 1), COARSEST << level)
        assert np.std([row[:, place] for row in rows]) == pytest.approx(1, abs=0.1)


# -- signals


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("place", [COARSEST + 11, 261, 1400])
def test_a_wavelet_of_a_basis_is_found_by_it_in_one_block(basis, place):
    wave = denoised(basis, RATE, [place], [1.0])
    assert np.sum(wave**2) == pytest.approx(1)
    strain = 0.01 * noise(5)
    strain[FIRST : FIRST + SIZE] += 12 * wave

    index, value = arrays(found := look(strain))

    assert found.basis == basis
    assert found.enwdf == pytest.approx(12, abs=0.1)
    assert list(index) == list(range(place // BLOCK * BLOCK, place // BLOCK * BLOCK + BLOCK))
    assert index[np.argmax(np.abs(value))] == place


@pytest.mark.parametrize("basis", BASES)
def test_enwdf_is_the_snr_of_a_wavelet_within_the_noise(basis):
    wave, excess = denoised(basis, RATE, [300], [12.0]), []
    for seed in range(30):
        strain = noise(seed)
        strain[FIRST : FIRST + SIZE] += wave
        found = look(strain)
        excess.append(found.enwdf**2 - len(found.index) // 2 - 12**2)
    # Each kept coefficient adds 1; the cross term has a deviation of 2 x 12.
    assert abs(np.mean(excess)) < 4 * 24 / np.sqrt(30)
    assert np.std(excess) < 2 * 24


@pytest.mark.parametrize("label", PARAMETERS)
@pytest.mark.parametrize("rate", [2048, RATE])
def test_the_denoised_waveform_is_the_injected_one(label, rate):
    wave = signal(label, 20.0, rate)
    first = 3 * rate // 2 - rate // 4
    injected, match = wave[first : first + rate // 2], []
    for seed in range(30):
        found = look(noise(seed, rate) + wave, rate)
        got = waveform(found)
        match.append(got @ injected / np.sqrt((got @ got) * (injected @ injected)))
        assert found.enwdf == pytest.approx(20, abs=4)
        assert len(found.index) // 2 < 100
    assert np.median(match) > 0.9
    assert min(match) > 0.8


# -- invariances


@given(st.integers(0, 2**32 - 1), st.floats(6, 60), st.sampled_from(sorted(PARAMETERS)))
@settings(max_examples=30, deadline=None)
def test_sign_changes_the_sign_and_scale_never_loses(seed, snr, label):
    strain = noise(seed) + signal(label, snr)
    found, mirrored, doubled = look(strain), look(-strain), look(2 * strain)

    assert (mirrored.basis, mirrored.enwdf, mirrored.index) == (
        found.basis,
        found.enwdf,
        found.index,
    )
    np.testing.assert_array_equal(arrays(mirrored)[1], -arrays(found)[1])
    # What is kept of a signal is kept of twice that signal, in every basis.
    assert doubled.enwdf >= 2 * found.enwdf * (1 - 1e-6)
    window = strain[FIRST : FIRST + SIZE].astype(np.float64)
    assert found.enwdf <= np.sqrt(np.sum(window**2)) * (1 + 1e-6)


@given(st.integers(0, SIZE), st.integers(0, RATE // 4), st.integers(0, 10**9))
@settings(max_examples=20, deadline=None)
def test_only_the_window_counts(before, after, second):
    """More or less strain around the window, or another GPS time, changes no bit."""
    strain = noise(6) + signal("blip", 12.0)
    part = strain[before : len(strain) - after]
    shift = (second - 10**9) * NANOSECONDS
    other = wdf(part, RATE, START + to_ns(before, RATE) + shift, PEAK + shift)
    assert other == look(strain)


def test_equal_strain_gives_equal_bits_wherever_it_lies_in_memory():
    strain = noise(7) + signal("sine_gaussian", 9.0)
    buffer = np.empty(len(strain) + 9, np.float64)
    for offset in range(9):
        moved = buffer[offset : offset + len(strain)]
        moved[:] = strain
        assert look(moved) == look(strain)


# -- edges


def test_what_is_missing_counts_as_zero():
    strain = noise(8) + signal("blip", 20.0)
    silent = strain.copy()
    silent[3 * RATE // 2 + 100 :] = 0

    assert look(strain[: 3 * RATE // 2 + 100]) == look(silent)
    assert look(silent).basis in BASES


def test_silence_and_nothing_have_defined_values():
    assert look(np.zeros(2 * RATE, np.float32)) == Wdf(rate=RATE)
    assert look(np.zeros(0, np.float32)) == Wdf()
    assert wdf(noise(rate=32), 32, START, PEAK) == Wdf()
    assert wdf(noise(), RATE, START, PEAK + 9 * NANOSECONDS) == Wdf(rate=RATE)
    np.testing.assert_array_equal(waveform(Wdf(rate=RATE)), np.zeros(SIZE))
    assert waveform(Wdf()).size == 0


def test_a_basis_that_is_not_ours_is_refused():
    with pytest.raises(ValueError, match="no basis 'db99': choose one of haar, db4"):
        denoised("db99", RATE, [20], [1.0])


# -- on the trigger


CANDIDATE = Candidate(
    ifo="H1",
    channel="H1:TEST",
    bin_ns=PEAK,
    time_ns=PEAK,
    frequency=200.0,
    q=4.0,
    snr=20.0,
    rank=20.0,
    phase=0.7,
    amplitude=1e-22,
    start_ns=PEAK - 10**7,
    end_ns=PEAK + 10**7,
    low_frequency=150.0,
    high_frequency=250.0,
    tiles=9,
    dq=(),
    wavelet="morlet",
    snippet=(noise(9) + signal("blip", 20.0)).astype("f4").tobytes(),
    snippet_rate=RATE,
    snippet_start_ns=START,
)


def test_a_trigger_publishes_all_that_its_denoised_waveform_needs():
    trigger = cluster([CANDIDATE], "test")
    row = trigger_row(trigger, "0.1.0", 0.0)

    wave = denoised(row["wdf_basis"], row["wdf_rate"], row["wdf_index"], row["wdf_value"])

    first = to_index(window_start_ns(row["time_ns"], row["wdf_rate"]), RATE)
    assert first - to_index(START, RATE) == FIRST
    found = wdf(trigger.snippet_array, RATE, START, row["time_ns"])
    np.testing.assert_array_equal(wave, waveform(found))
    assert np.sqrt(np.sum(wave**2)) == pytest.approx(row["enwdf"], rel=1e-6)
    assert row["wdf_coefficients"] == len(row["wdf_index"]) == len(row["wdf_value"]) > 0


def test_a_trigger_without_a_snippet_has_empty_quantities():
    row = trigger_row(
        cluster([replace(CANDIDATE, snippet=b"", snippet_rate=0, snippet_start_ns=0)], "test"),
        "0.1.0",
        0.0,
    )

    assert {name: row[name] for name in row if "wdf" in name} == {
        "wdf_basis": "", "enwdf": 0.0, "wdf_coefficients": 0, "wdf_rate": 0,
        "wdf_index": [], "wdf_value": [],
    }  # fmt: skip
