"""The transients: shapes, ranges, where their energy lies, and the binaries' physics."""

import numpy as np
import pytest
from scipy.signal import hilbert

from benchmarks.classification import separability
from models.simulation import noise, waveforms
from models.simulation.waveforms import cbc, others

RATE = 4096
LOW = 16.0


@pytest.mark.parametrize("label", waveforms.FAMILIES)
def test_every_family_gives_a_finite_transient_that_ends_within_its_extent(label):
    rng = np.random.default_rng(1)
    for _ in range(10):
        drawn = waveforms.draw(label, RATE, rng)
        size = np.abs(drawn.samples)
        assert np.isfinite(drawn.samples).all()
        assert 0.4 < size.max() <= 1.5
        assert 0 <= drawn.reference < len(size) < 17 * RATE
        # The predecessor's chirp ends at two standard deviations of its envelope.
        least = 0.14 if label == "chirp" else 0.05
        assert max(size[0], size[-1]) < least * size.max()


@pytest.mark.parametrize("label", waveforms.FAMILIES)
def test_parameters_stay_in_their_ranges(label):
    rng = np.random.default_rng(2)
    for _ in range(20):
        for name, value in waveforms.draw(label, RATE, rng).parameters:
            span = waveforms.FAMILIES[label].ranges[name]
            assert span.low <= value <= span.high


@pytest.mark.parametrize("label", waveforms.FAMILIES)
def test_no_family_reaches_nyquist(label):
    rng = np.random.default_rng(3)
    for _ in range(5):
        samples = waveforms.draw(label, RATE, rng).samples
        power = np.abs(np.fft.rfft(samples, max(4 * RATE, len(samples)))) ** 2
        top = int(0.9 * len(power))
        assert power[top:].sum() < 0.01 * power.sum()


@pytest.mark.parametrize("label", waveforms.FAMILIES)
def test_the_same_seed_draws_the_same_transient(label):
    first, again = (waveforms.draw(label, RATE, np.random.default_rng(4)) for _ in range(2))
    assert first.parameters == again.parameters
    assert np.array_equal(first.samples, again.samples)


def test_classes_are_the_families_with_noise_before_the_unknown():
    assert waveforms.CLASSES[-2:] == (waveforms.NOISE, waveforms.UNKNOWN)
    assert set(waveforms.CLASSES) == {*waveforms.FAMILIES, waveforms.NOISE}
    assert len(waveforms.CLASSES) == 23


# Of what is seen after whitening: where the spectrum has its peak [Hz], and how long the middle
# four fifths of the energy last [s].
SEEN = {
    "gaussian": ((20, 150), (0.003, 0.09)),
    "sine_gaussian": ((70, 620), (0.003, 0.12)),
    "ring_down": ((75, 720), (0.003, 0.25)),
    "whistle": ((110, 900), (0.08, 0.7)),
    "scattered_light": ((16, 65), (0.2, 6)),
    "blip": ((60, 560), (0.001, 0.03)),
    "low_frequency_blip": ((16, 50), (0.05, 0.15)),
    "koi_fish": ((20, 200), (0.0005, 0.5)),
    "tomte": ((25, 200), (0.01, 0.25)),
    "fast_scattering": ((20, 75), (0.5, 3.2)),
    "scratchy": ((55, 200), (0.2, 2.2)),
    "power_line": ((48, 310), (0.05, 0.3)),
    "low_frequency_burst": ((14, 31), (0.1, 1)),
    "extremely_loud": ((15, 1500), (0.05, 1.5)),
    "helix": ((50, 420), (0.04, 0.3)),
    "repeating_blips": ((60, 560), (0.1, 2.1)),
    "violin_mode": ((290, 1210), (0.1, 0.5)),
    "wandering_line": ((85, 900), (1.4, 3.3)),
    "ccsn": ((80, 1300), (0.02, 1)),
}


@pytest.mark.slow
@pytest.mark.parametrize("label", SEEN)
def test_a_family_is_seen_where_its_ranges_say(label):
    curve, rng = noise.load("aligo_O4high"), np.random.default_rng(5)
    (low, high), (shortest, longest) = SEEN[label]
    for _ in range(10):
        seen = _seen(label, curve, rng)
        power = np.abs(np.fft.rfft(seen, 8 * len(seen))) ** 2
        peak = np.argmax(power) * RATE / (8 * len(seen))
        assert low <= peak <= high
        part = np.cumsum(seen**2) / np.sum(seen**2)
        duration = (np.searchsorted(part, 0.9) - np.searchsorted(part, 0.1)) / RATE
        assert shortest <= duration <= longest


def _seen(label, curve, rng):
    shape = np.pad(waveforms.draw(label, RATE, rng).samples, RATE // 2)
    if waveforms.FAMILIES[label].whitened:
        shape = noise.strain_of(shape, RATE, curve, LOW)
    return noise.whitened(shape, RATE, curve, LOW)


@pytest.mark.parametrize("label", [k for k, f in waveforms.FAMILIES.items() if f.whitened])
def test_a_whitened_shape_survives_colouring_and_whitening(label):
    rng, curve = np.random.default_rng(6), noise.load("H1_O3b_measured_asd").smooth
    shape = np.pad(waveforms.draw(label, RATE, rng).samples, RATE // 2)
    # What the band holds of it; the rest of a shape cannot be seen by anyone.
    spectrum = np.fft.rfft(shape, 2 * len(shape))
    spectrum[np.fft.rfftfreq(2 * len(shape), 1 / RATE) < LOW] = 0
    band = np.fft.irfft(spectrum)[: len(shape)]
    again = noise.whitened(noise.strain_of(shape, RATE, curve, LOW), RATE, curve, LOW)
    # A low-frequency burst crosses the band's lower end, where the cut itself rings.
    part = 1e-2 if label == "low_frequency_burst" else 1e-3
    assert np.sum((again - band) ** 2) < part * np.sum(band**2)


def test_repeating_blips_repeat():
    parameters = {"frequency": 200.0, "q": 2.0, "phase": 0.3, "count": 4.0, "spacing": 0.25}
    drawn = waveforms.sample("repeating_blips", RATE, parameters)
    one = drawn.samples[drawn.reference - 20 : drawn.reference + 60]
    for k in (1, 2, 3):
        first = drawn.reference + k * RATE // 4
        other = drawn.samples[first - 20 : first + 60]
        assert np.corrcoef(one, other)[0, 1] > 0.999


def test_scattered_light_has_its_arches():
    parameters = {"peak_frequency": 50.0, "period": 1.0, "arches": 3.0, "phase": 0.0}
    drawn = waveforms.sample("scattered_light", RATE, parameters)
    frequency = _instantaneous(drawn.samples)
    reference = drawn.reference
    assert frequency[reference] == pytest.approx(50.0, rel=0.05)
    assert frequency[reference + RATE] == pytest.approx(50.0, rel=0.1)
    quarter = frequency[reference + RATE // 4]
    assert quarter == pytest.approx(50.0 * np.sin(np.pi / 4), rel=0.1)


def test_whistle_falls_to_its_lowest_frequency_and_rises_again():
    parameters = {"low_frequency": 200.0, "sweep": 600.0, "duration": 0.5, "phase": 0.0}
    drawn = waveforms.sample("whistle", RATE, parameters)
    frequency, middle = _instantaneous(drawn.samples), drawn.reference
    away = round(0.125 * RATE)
    assert frequency[middle] == pytest.approx(200.0, rel=0.05)
    assert frequency[middle - away] == pytest.approx(350.0, rel=0.05)
    assert frequency[middle + away] == pytest.approx(350.0, rel=0.05)


def _instantaneous(samples):
    angle = np.unwrap(np.angle(hilbert(samples)))
    return np.diff(angle) * RATE / (2 * np.pi)


def test_core_collapse_rises_in_frequency():
    rng = np.random.default_rng(7)
    for _ in range(5):
        parameters = waveforms.FAMILIES["ccsn"].draw(rng) | {"bounce": 0.0, "duration": 0.8}
        drawn = waveforms.sample("ccsn", RATE, parameters)
        early, late = (
            _centroid(drawn.samples[drawn.reference + round(a * RATE) :][: RATE // 5])
            for a in (0.02, 0.5)
        )
        assert parameters["start_frequency"] < early < late < parameters["end_frequency"]


def _centroid(samples):
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    return np.sum(power * np.fft.rfftfreq(len(samples), 1 / RATE)) / np.sum(power)


@pytest.mark.parametrize("kind", range(len(others.KINDS)), ids=lambda k: others.KINDS[k].__name__)
def test_every_kind_of_the_unknown_is_random(kind):
    first, other = (
        waveforms.sample("unknown", RATE, {"kind": kind, "duration": 0.3, "seed": seed}).samples
        for seed in (1, 2)
    )
    match = np.correlate(first, other, "full") / np.linalg.norm(first) / np.linalg.norm(other)
    assert np.max(np.abs(match)) < 0.98


def _binary(mass1, mass2, **rest):
    parameters = {"spin1": 0.0, "spin2": 0.0, "phase": 0.3, "mass1": mass1, "mass2": mass2}
    return waveforms.sample("cbc", RATE, parameters | rest)


@pytest.mark.parametrize(("mass1", "mass2"), [(39.0, 32.0), (10.0, 1.4), (1.4, 1.4), (5.0, 5.0)])
def test_a_binary_chirps_as_newton_s_until_late(mass1, mass2):
    drawn = _binary(mass1, mass2)
    frequency = _instantaneous(drawn.samples)
    total, eta = (mass1 + mass2) * cbc.SUN_SECONDS, mass1 * mass2 / (mass1 + mass2) ** 2
    before = [s for s in (4.0, 1.0, 0.3, 0.1, 0.03) if s * RATE < drawn.reference - RATE // 4]
    track = []
    for seconds in before:
        at = drawn.reference - round(seconds * RATE)
        track.append(np.median(frequency[at - 20 : at + 20]))
        newton = (5 * total / (256 * eta * seconds)) ** 0.375 / (np.pi * total)
        # To leading order; what it leaves out grows with the mass ratio and towards the end.
        assert track[-1] == pytest.approx(newton, rel=0.25 if mass1 > 3 * mass2 else 0.15)
    assert track == sorted(track)
    loudest = int(np.argmax(np.abs(hilbert(drawn.samples))))
    assert abs(loudest - drawn.reference) < 0.01 * RATE


def test_the_ring_down_of_gw150914_is_where_it_was_seen():
    # 251 Hz in the detector's frame, of the remnant (arXiv:1602.03841); at z = 0.09.
    drawn = _binary(36 * 1.09, 29 * 1.09)
    after = drawn.samples[drawn.reference + 8 : drawn.reference + 40]
    assert np.median(_instantaneous(after)) == pytest.approx(251, rel=0.12)


def test_gw150914_lies_in_the_ranges():
    black_holes = waveforms.FAMILIES["cbc"].variants[0].ranges
    assert black_holes["mass1"].low < 36 * 1.09 < black_holes["mass1"].high
    assert black_holes["mass2"].low < 29 * 1.09 < black_holes["mass2"].high


def test_lighter_binaries_last_longer_up_to_a_bound():
    heavy, light, star = (len(_binary(m, m).samples) / RATE for m in (40.0, 15.0, 1.4))
    assert light > 2 * heavy
    assert star == pytest.approx(cbc.LONGEST + 0.2, abs=0.01)
    assert cbc.start_frequency(1.4, 1.4) > 40 > cbc.start_frequency(15.0, 15.0) == 20


def test_binaries_are_of_three_kinds():
    rng = np.random.default_rng(8)
    drawn = [waveforms.FAMILIES["cbc"].draw(rng) for _ in range(1000)]
    stars = np.array([sum(p[m] < 3 for m in ("mass1", "mass2")) for p in drawn])
    shares = [np.mean(stars == count) for count in (0, 1, 2)]
    assert shares == pytest.approx([0.50, 0.28, 0.22], abs=0.05)


# The most alike pairs of `python -m benchmarks.classification.separability`.
ALIKE = [
    ("sine_gaussian", "ring_down"),
    ("gaussian", "low_frequency_blip"),
    ("gaussian", "tomte"),
    ("sine_gaussian", "blip"),
    ("ring_down", "blip"),
    ("low_frequency_blip", "low_frequency_burst"),
]


@pytest.mark.parametrize("pair", ALIKE, ids=" and ".join)
def test_no_two_families_are_one_shape(pair):
    rng = np.random.default_rng(9)
    shapes = {label: separability.spectra(label, 25, rng) for label in pair}
    assert separability.likeness(*pair, shapes).median < 0.9
    first = pair[0]
    assert separability.likeness(first, first, shapes).median == pytest.approx(1.0, abs=1e-3)
