"""Detection: injections recovered, noise left alone, the same however the data are cut."""

import itertools
import operator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.simulation import noise
from tests import samples
from transforms.detect import bank as banks
from transforms.detect.cluster import cluster, trigger_id
from transforms.detect.config import DetectConfig
from transforms.detect.decimate import halve
from transforms.detect.octave import BINS
from transforms.detect.ranking import tile_trials_penalty
from transforms.detect.refine import Peak, refine
from transforms.detect.search import bins_per_second, search
from transforms.detect.sessions import Sessions
from transforms.detect.view import flags_over
from transforms.elements import Interval, Whitened
from transforms.gps import NANOSECONDS, to_ns
from transforms.whiten.config import WhitenConfig
from transforms.whiten.whitening import whiten

CONFIG = DetectConfig()
SESSIONS = Sessions.of(CONFIG)
WHITEN = WhitenConfig()
RATE = 4096
START = 1_000_000_007


def triggers_of(block, config=CONFIG):
    bank = banks.bank_for(block.sample_rate, config, WHITEN.low_frequency)
    white = whiten(block, WHITEN, bank.margin_seconds * NANOSECONDS)
    found = Sessions.of(config).group(search(white, config, bank))
    return [cluster(session.candidates, "test") for session in found]


def white_noise(seconds, rate=RATE, seed=0):
    """Make a ready-whitened block."""
    rng = np.random.default_rng(seed)
    start, end = START * NANOSECONDS, (START + seconds) * NANOSECONDS
    asd = np.ones((1, 2 * rate + 1), np.float32)
    return Whitened(
        ifo="H1",
        channel="H1:TEST",
        sample_rate=rate,
        gps_start_ns=start,
        data=rng.standard_normal(seconds * rate).astype("f4").tobytes(),
        valid_start_ns=start,
        valid_end_ns=end,
        analyse_start_ns=start,
        analyse_end_ns=end,
        asd=asd.tobytes(),
        asd_start_ns=0,
        asd_step_ns=1 << 62,
        asd_resolution=0.25,
        response=asd.astype("c8").tobytes(),
    )


def sine_gaussian(frequency, q, snr, curve, phase=0.3):
    """Make a sine-Gaussian of an optimal SNR: strain and the index of its centre."""
    tau = q / (np.sqrt(2) * np.pi * frequency)
    half = int(np.ceil(6 * tau * RATE))
    t = np.arange(-half, half + 1) / RATE
    wave = np.exp(-((t / tau) ** 2)) * np.cos(2 * np.pi * frequency * t + phase)
    return wave * snr / noise.optimal_snr(wave, RATE, curve, WHITEN.low_frequency), half


@pytest.mark.parametrize(
    ("frequency", "q"), [(45, 8), (70, 20), (150, 6), (250, 30), (600, 9), (1200, 20)]
)
def test_injections_are_recovered(frequency, q, coloured, as_block):
    curve = noise.load("aligo_O4high")
    strain = coloured("aligo_O4high", 96, seed=frequency).copy()
    wave, half = sine_gaussian(frequency, q, 15.0, curve)
    at = 50 * RATE + 1234
    strain[at - half : at + half + 1] += wave
    found = triggers_of(as_block(strain))
    loudest = max(found, key=lambda t: t.snr)
    centre = START * NANOSECONDS + to_ns(at, RATE)
    tau = q / (np.sqrt(2) * np.pi * frequency)
    assert abs(loudest.time_ns - centre) < max(3e6, 0.3e9 * tau)
    assert loudest.frequency == pytest.approx(frequency, rel=0.08)
    assert loudest.snr == pytest.approx(15, rel=0.15)
    assert loudest.start_ns <= centre <= loudest.end_ns
    assert loudest.low_frequency < frequency < loudest.high_frequency
    hrss = np.sqrt(np.sum(wave**2) / RATE)
    assert loudest.amplitude == pytest.approx(hrss, rel=0.25)
    assert loudest.snippet_array[6144] != 0


def test_injections_do_not_stand_beside_other_flags():
    flags = tuple(
        Interval(*span, name)
        for *span, name in (
            (0, 100, "CW_HW_INJ"),
            (10, 20, "DETCHAR_HW_INJ"),
            (10, 20, "BURST_CAT3"),
            (15, 16, "BURST_CAT2"),
            (17, 18, "BURST_CAT2"),
            (20, 30, "CBC_HW_INJ"),
            (0, 10, "CBC_CAT2"),
        )
    )

    assert flags_over(flags, 10, 20) == (
        ("BURST_CAT2", "BURST_CAT3"),
        ("CW_HW_INJ", "DETCHAR_HW_INJ"),
    )
    assert flags_over(flags, 40, 50) == ((), ("CW_HW_INJ",))
    assert flags_over(flags, 100, 110) == ((), ())


def test_a_trigger_has_the_flags_and_injections_of_all_its_candidates():
    plain = [samples.candidate(5), samples.candidate(6, 9.0), samples.candidate(7)]
    marks = [
        {"dq": ("B", "C"), "injections": ("CW_HW_INJ",)},
        {},
        {"dq": ("A", "C"), "injections": ("CBC_HW_INJ", "CW_HW_INJ")},
    ]

    marked = [replace(one, **mark) for one, mark in zip(plain, marks, strict=True)]
    found = cluster(marked, "c")

    assert found.dq == ("A", "B", "C")
    assert found.injections == ("CBC_HW_INJ", "CW_HW_INJ")
    assert replace(found, dq=(), injections=()) == cluster(plain, "c")


def test_noise_alone_is_left_alone(coloured, as_block):
    found = triggers_of(as_block(coloured("aligo_O4high", 256, seed=11)))
    assert len(found) <= 6
    assert all(t.snr < 7 for t in found)


def test_tiles_of_white_noise_are_exponential():
    # |y|^2 of mean 2: over a threshold E lies exp(-E / 2) of it.
    bank = banks.Bank(1024, CONFIG, 0.0)
    octave = bank.octaves[0]
    rng = np.random.default_rng(2)
    blocks = rng.standard_normal((200, octave.size)).astype(np.float32)
    energy = np.empty((len(blocks), len(bank.q), BINS), np.float32)
    tiles = list(octave.scan(blocks, 2.5, energy))
    for group in octave.groups:
        assert energy[:, group.row].mean() == pytest.approx(1, abs=0.03)
    found = np.concatenate([t.snr for t in tiles]) ** 2 + 2
    total = sum(
        len(blocks) * len(g.q) * (octave.rate * g.length / octave.size) for g in octave.groups
    )
    counts = [np.sum(found > limit) for limit in (12, 14, 16)]
    for count, fewer in itertools.pairwise(counts):
        assert count / fewer == pytest.approx(np.e, rel=0.15)
    # Tops between samples are a little higher than the samples.
    assert 1 < counts[0] / (total * np.exp(-6)) < 1.4


@pytest.mark.parametrize("scale", [0.0, 1e-9, 0.3, 1.0])
def test_tiles_quieter_than_noise_have_no_snr_and_all_are_numbers(scale):
    bank = banks.bank_for(RATE, CONFIG, WHITEN.low_frequency)
    noise = np.random.default_rng(5).standard_normal(16 * RATE)
    for octave in bank.octaves:
        blocks = (scale * noise[: 3 * octave.size]).astype("f4").reshape(3, -1)
        energy = np.empty((3, len(bank.q), BINS), np.float32)
        # What an evaluation looks at, where the detector finds nothing.
        for tiles in octave.scan(blocks, 1.0, energy):
            assert np.isfinite([tiles.snr, tiles.rank, tiles.time, tiles.phase]).all()


def test_kernels_do_what_numpy_does():
    rng = np.random.default_rng(12)
    octave = banks.Bank(1024, CONFIG, 16.0).octaves[0]
    group = max(octave.groups, key=lambda g: len(g.q))
    blocks = rng.standard_normal((3, octave.size)).astype(np.float32)
    energy = np.zeros((3, 1 + group.row.max(), BINS), np.float32)
    octave.groups = [group]
    list(octave.scan(blocks, 9.0, energy))
    first, last = group.span
    times = (np.arange(first, last) * octave.size / group.length - octave.lead) / octave.rate
    for i, row in enumerate(group.row):
        band = np.zeros((3, group.length), complex)
        part = np.fft.rfft(blocks)[:, group.lowest[i] : group.lowest[i] + group.length]
        band[:, : part.shape[1]] = part * group.weight[i, : part.shape[1]]
        power = abs(np.fft.ifft(band)[:, first:last]) ** 2 / 2
        for b in (0, 7, BINS - 1):
            own = (times >= b / BINS - 1e-9) & (times < (b + 1) / BINS - 1e-9)
            np.testing.assert_allclose(energy[:, row, b], power[:, own].mean(axis=1), rtol=1e-3)


def test_a_matching_wavelet_has_its_own_snr_time_and_phase():
    bank = banks.Bank(2048, CONFIG, 0.0)
    octave = bank.octaves[0]
    group = octave.groups[0]
    f, q = group.frequency[0], group.q[0]
    tau = q / (np.sqrt(2) * np.pi * f)
    t = (np.arange(octave.size) - octave.lead) / octave.rate - 0.4567
    wave = np.exp(-((t / tau) ** 2)) * np.cos(2 * np.pi * f * t + 0.7)
    wave *= 10 / np.sqrt(np.sum(wave**2))
    energy = np.empty((1, len(bank.q), BINS), np.float32)
    block = wave.astype(np.float32)
    tiles = next(iter(octave.scan(block[None], 6.0, energy)))
    best = np.argmax(tiles.snr)
    assert tiles.snr[best] == pytest.approx(10, rel=0.03)
    assert tiles.time[best] == pytest.approx(0.4567, abs=0.05 * tau)
    assert tiles.phase[best] == pytest.approx(0.7, abs=0.25)


@pytest.mark.parametrize(("frequency", "q"), [(100.0, 3.5), (100.0, 15.0), (230.0, 7.0)])
def test_a_closer_look_finds_what_lies_between_the_wavelets(frequency, q):
    bank = banks.Bank(1024, CONFIG, 16.0)
    near = np.argmin(np.log(bank.frequency / frequency) ** 2 * q**2 + np.log(bank.q / q) ** 2)
    octave = bank.octave_of(bank.frequency[near], bank.q[near])
    tau = q / (np.sqrt(2) * np.pi * frequency)
    t = (np.arange(octave.size) - octave.lead) / octave.rate - 0.5
    wave = np.exp(-((t / tau) ** 2)) * np.cos(2 * np.pi * frequency * t + 0.7)
    wave *= 10 / np.sqrt(np.sum(wave**2))
    seen = Peak(
        time=0.5 + 0.1 * tau,
        frequency=float(bank.frequency[near]),
        q=float(bank.q[near]),
        snr=9.0,
        rank=9.0,
        phase=0.0,
    )
    found = refine(wave.astype(np.float32), octave, seen, bank.spacing(seen.q))
    # Without noise the fit has 5 less than the energy of the signal and of its noise.
    assert found.snr**2 + 5 == pytest.approx(100, rel=0.02)
    assert found.time == pytest.approx(0.5, abs=0.03 * tau)
    assert found.frequency == pytest.approx(frequency, rel=0.02)
    assert found.q == pytest.approx(q, rel=0.12)
    assert found.phase == pytest.approx(0.7, abs=0.1)


def test_low_frequencies_rank_above_high_ones_of_the_same_snr():
    # An octave has as many tiles as its frequency is high: as rare means ln(f) more in snr^2 / 2.
    less = tile_trials_penalty(np.array([50.0, 100.0, 800.0]))
    assert less[1] == 0
    assert np.exp(less / 2) == pytest.approx([0.5, 1, 8])


@pytest.mark.slow
def test_all_octaves_of_noise_give_as_many_false_alarms():
    white = white_noise(400, seed=9)
    config = replace(CONFIG, threshold=4.0)
    bank = banks.bank_for(RATE, config, WHITEN.low_frequency)
    margin = bank.margin_seconds * NANOSECONDS
    white = replace(
        white,
        analyse_start_ns=white.analyse_start_ns + margin,
        analyse_end_ns=white.analyse_end_ns - margin,
    )
    found = [c for c in search(white, config, bank) if c.wavelet == "morlet" and c.snippet]
    counts = np.histogram([c.frequency for c in found], [40, 80, 160, 320, 640, 1280])[0]
    assert counts.min() > 30
    assert counts.max() < 2 * counts.min()


def test_between_neighbours_the_mismatch_is_lost_at_most():
    ladder = banks.q_ladder(4, 100, 0.1)
    assert ladder[0] > 4
    assert ladder[-1] < 100
    grid = np.arange(1.0, 400.0, 0.01)

    def wavelet(f, q):
        return np.exp(-(((grid - f) * q / f) ** 2) / 2)

    for q, next_q in itertools.pairwise(ladder):
        frequencies = banks.f_ladder(q, 20, 300, 0.1)
        f = np.sqrt(frequencies[5] * frequencies[6])
        bank, between = wavelet(frequencies[5], q), wavelet(f, np.sqrt(q * next_q))
        kept = np.sum(bank * between) ** 2 / np.sum(bank**2) / np.sum(between**2)
        assert 0.04 < 1 - kept < 0.105


def test_halving_keeps_time_and_variance():
    rng = np.random.default_rng(4)
    x = rng.standard_normal(1 << 15).astype(np.float32)
    assert halve(x)[100:-100].std() == pytest.approx(1, abs=0.02)
    t = np.arange(4096) / 4096
    tone = np.sin(2 * np.pi * 100 * t).astype(np.float32)
    np.testing.assert_allclose(halve(tone)[50:-50], np.sqrt(2) * tone[::2][50:-50], atol=2e-3)


def test_one_block_at_a_time_gives_the_same_bits():
    white = white_noise(60, seed=8)
    config = replace(CONFIG, threshold=4.0)
    bank = banks.bank_for(RATE, config, WHITEN.low_frequency)
    margin = bank.margin_seconds
    whole = search(
        replace(
            white,
            analyse_start_ns=(START + margin) * NANOSECONDS,
            analyse_end_ns=(START + 60 - margin) * NANOSECONDS,
        ),
        config,
        bank,
    )
    single = []
    for second in range(START + margin, START + 60 - margin):
        cut = slice((second - margin - START) * RATE, (second + 1 + margin - START) * RATE)
        part = replace(
            white,
            gps_start_ns=(second - margin) * NANOSECONDS,
            data=white.samples[cut].tobytes(),
            analyse_start_ns=second * NANOSECONDS,
            analyse_end_ns=(second + 1) * NANOSECONDS,
        )
        single.extend(search(part, config, bank))
    assert len(whole) > 20
    assert {c.wavelet for c in whole} == {"morlet", "box", "sweep"}
    # Within a second shapes and tiles come in another order; in session windows none counts.
    key = operator.attrgetter("bin_ns", "wavelet", "snr")
    assert sorted(single, key=key) == sorted(whole, key=key)


def test_time_shift_moves_the_triggers_and_nothing_else(coloured, as_block):
    curve = noise.load("aligo_O4high")
    strain = coloured("aligo_O4high", 64, seed=21).copy()
    wave, half = sine_gaussian(150, 10, 20.0, curve)
    strain[30 * RATE - half : 30 * RATE + half + 1] += wave
    shift = WHITEN.update_seconds * 5
    here = triggers_of(as_block(strain))
    there = triggers_of(as_block(strain, start_ns=(START + shift) * NANOSECONDS))
    assert len(here) == len(there) > 0
    for a, b in zip(here, there, strict=True):
        assert b.time_ns - a.time_ns == shift * NANOSECONDS
        assert (a.frequency, a.q, a.snr, a.snippet) == (b.frequency, b.q, b.snr, b.snippet)


def test_a_loud_glitch_is_one_trigger(coloured, as_block):
    strain = coloured("H1_O3b_measured_asd", 64, seed=5).copy()
    t = (np.arange(len(strain)) - 40 * RATE) / RATE
    strain += 2e-19 * np.exp(-((t / 0.004) ** 2)) * np.cos(2 * np.pi * 120 * t)
    found = triggers_of(as_block(strain))
    loud = [t for t in found if t.snr > 10]
    assert len(loud) == 1
    assert abs(loud[0].time_ns - (START + 40) * NANOSECONDS) < 10e6
    assert loud[0].snr > 300


def test_edges_and_gaps_make_no_triggers(coloured, as_block):
    # Raw strain starts with a step of thousands of sigma.
    strain = coloured("L1_O3a_measured_asd", 200, 2048, seed=6)
    found = []
    for first, last in ((0, 33), (33, 90), (90, 200)):
        start_ns = (START + first) * NANOSECONDS
        piece = strain[first * 2048 : last * 2048]
        found += triggers_of(as_block(piece, 2048, start_ns=start_ns))
    assert all(t.snr < 7 for t in found)
    assert len(found) <= 6


def candidate(bin_ns, snr=6.0, width=0, **fields):
    return samples.candidate(bin_ns, snr, before=width, after=width, **fields)


def test_sessions_part_at_gaps_and_join_over_extents():
    second, bin_ns = NANOSECONDS, SESSIONS.bin_ns
    near = [candidate(second), candidate(second + 3 * bin_ns)]
    assert len(SESSIONS.group(near)) == 1
    far = [candidate(second), candidate(second + SESSIONS.gap_ns + 2 * bin_ns)]
    assert len(SESSIONS.group(far)) == 2
    long = [candidate(second, width=second), candidate(second + second // 2)]
    assert len(SESSIONS.group(long)) == 1


@given(
    st.lists(st.tuples(st.integers(0, 400), st.floats(5, 50), st.integers(0, 40)), min_size=1),
    st.randoms(use_true_random=False),
)
@settings(max_examples=50, deadline=None)
def test_order_of_arrival_does_not_matter(spec, random):
    bin_ns = SESSIONS.bin_ns
    made = [candidate(b * bin_ns, snr, w * bin_ns) for b, snr, w in spec]
    shuffled = list(made)
    random.shuffle(shuffled)
    once, again = (
        sorted((cluster(s.candidates, "c") for s in SESSIONS.group(order)), key=lambda t: t.time_ns)
        for order in (made, shuffled)
    )
    assert [(t.time_ns, t.snr, t.start_ns, t.end_ns, t.tiles) for t in once] == [
        (t.time_ns, t.snr, t.start_ns, t.end_ns, t.tiles) for t in again
    ]


def test_marks_cover_the_extent_without_a_gap():
    gap_ns = SESSIONS.gap_ns
    c = candidate(10 * NANOSECONDS, width=NANOSECONDS)
    points = sorted(SESSIONS.marks(c))
    assert c.bin_ns in points
    assert np.diff(points).max() <= gap_ns
    assert points[0] <= c.start_ns + gap_ns
    assert points[-1] >= c.end_ns - gap_ns


def test_id_depends_on_channel_configuration_and_tile_only():
    base = candidate(NANOSECONDS)
    name = trigger_id("H1:X", "c", base)
    assert name == trigger_id("H1:X", "c", replace(base, snr=99.0, time_ns=5))
    others = {
        trigger_id("L1:X", "c", base),
        trigger_id("H1:X", "d", base),
        trigger_id("H1:X", "c", replace(base, bin_ns=2 * NANOSECONDS)),
        trigger_id("H1:X", "c", replace(base, frequency=101.0)),
    }
    assert len(others | {name}) == 5


def test_nothing_to_cluster_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        cluster([], "c")


def test_bins_divide_a_second_exactly():
    for gap in (0.01, 0.05, 0.1, 0.5, 1.0):
        bins = bins_per_second(replace(CONFIG, gap_seconds=gap))
        assert NANOSECONDS % bins == 0
        assert 1 / bins <= gap / 2


@pytest.mark.parametrize(
    "change",
    [{"threshold": 2.0}, {"low_q": 1.0}, {"mismatch": 0.9}, {"snippet_after": 1.0}],
)
def test_impossible_values_are_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        DetectConfig(**change)


def test_a_session_is_inside_only_where_no_other_block_can_join_it():
    stretch = 100 * NANOSECONDS, 200 * NANOSECONDS
    join = SESSIONS.bin_ns + SESSIONS.gap_ns
    others = stretch[0] + SESSIONS.ahead_ns, stretch[1] - SESSIONS.back_ns
    for at, inside in (
        (others[0] + join, True),
        (others[0] + join - 1, False),
        (others[1] - join, True),
        (others[1] - join + 1, False),
    ):
        (session,) = SESSIONS.group([candidate(at)])
        assert SESSIONS.is_inside(session, stretch) is inside
        assert (len(SESSIONS.group(map(candidate, (at, *others)))) == 3) is inside


def test_candidates_leave_their_second_no_further_than_sessions_allow(coloured, as_block):
    curve = noise.load("aligo_O4high")
    strain = coloured("aligo_O4high", 64, RATE, 4).copy()
    shapes = itertools.product((21, 60, 300), (4, 31), (8, 300))
    for number, (f, q, snr) in enumerate(shapes):
        wave, half = sine_gaussian(f, q, snr, curve)
        first = round((8.0 + 4.01 * number) * RATE) - half
        strain[first : first + len(wave)] += wave
    bank = banks.bank_for(RATE, CONFIG, WHITEN.low_frequency)
    white = whiten(as_block(strain), WHITEN, bank.margin_seconds * NANOSECONDS)
    seen = 0
    for second in range(START, START + 64):
        stretch = second * NANOSECONDS, (second + 1) * NANOSECONDS
        own = replace(white, analyse_start_ns=stretch[0], analyse_end_ns=stretch[1])
        for found in search(own, CONFIG, bank):
            seen += 1
            assert min(SESSIONS.marks(found)) >= stretch[0] - SESSIONS.back_ns
            assert max(SESSIONS.marks(found)) <= stretch[1] + SESSIONS.ahead_ns
    assert seen > 50
