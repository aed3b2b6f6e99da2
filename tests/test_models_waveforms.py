"""The transients: shapes, ranges, where their energy lies, and the binaries' physics."""

import csv

import numpy as np
import pytest
import yaml
from scipy.signal import find_peaks, hilbert

from benchmarks.classification import separability
from models.simulation import fits, noise, waveforms
from models.simulation.waveforms import cbc, fitted, others
from transforms.binaries import SUN_SECONDS

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
    assert len(waveforms.CLASSES) == 28


# Of what is seen after whitening: where the spectrum has its peak [Hz], and how long the middle
# four fifths of the energy last [s].
SEEN = {
    "sine_gaussian": ((70, 620), (0.003, 0.12)),
    "ring_down": ((75, 720), (0.003, 0.25)),
    "whistle": ((30, 1900), (0.003, 1.8)),
    "scattered_light": ((16, 185), (0.1, 6)),
    "blip": ((16, 560), (0.0002, 0.09)),
    "low_frequency_blip": ((16, 400), (0.0005, 0.2)),
    "koi_fish": ((16, 400), (0.0002, 0.4)),
    "tomte": ((16, 100), (0.005, 0.2)),
    "fast_scattering": ((20, 75), (0.5, 3.2)),
    "scratchy": ((55, 340), (0.05, 2.2)),
    "power_line": ((48, 310), (0.05, 0.6)),
    "air_compressor": ((45, 60), (0.05, 0.3)),
    "low_frequency_lines": ((16, 28), (0.5, 2.1)),
    "1080_lines": ((1020, 1140), (0.005, 0.5)),
    "1400_ripples": ((1300, 1640), (0.003, 0.1)),
    "low_frequency_burst": ((14, 31), (0.05, 1.3)),
    "extremely_loud": ((15, 1800), (0.01, 1.5)),
    "helix": ((20, 1200), (0.004, 1.4)),
    "paired_doves": ((14, 110), (0.3, 4.5)),
    "light_modulation": ((14, 1300), (0.05, 3.5)),
    "repeating_blips": ((16, 560), (0.1, 3.0)),
    "violin_mode": ((260, 1700), (0.01, 0.5)),
    "wandering_line": ((85, 1350), (1.2, 3.3)),
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
    lost = [_lost(waveforms.draw(label, RATE, rng).samples, curve) for _ in range(5)]
    # These cross the band's lower end, where the cut itself rings.
    low = ("low_frequency_burst", "paired_doves", "light_modulation")
    assert np.median(lost) < (1e-2 if label in low else 1e-3)
    # So may any one.
    assert max(lost) < 0.05


def _lost(samples, curve):
    """Return which part of a shape's energy in the band does not survive."""
    shape = np.pad(samples, RATE // 2)
    # What the band holds of it; the rest of a shape cannot be seen by anyone.
    spectrum = np.fft.rfft(shape, 2 * len(shape))
    spectrum[np.fft.rfftfreq(2 * len(shape), 1 / RATE) < LOW] = 0
    band = np.fft.irfft(spectrum)[: len(shape)]
    again = noise.whitened(noise.strain_of(shape, RATE, curve, LOW), RATE, curve, LOW)
    return np.sum((again - band) ** 2) / np.sum(band**2)


def test_repeating_blips_repeat():
    parameters = {"f0": 60.0, "gbw": 0.6, "phase": 0.3, "detector": 0.0}
    one = waveforms.sample("blip", RATE, parameters)
    train = parameters | {"count": 4.0, "spacing": 0.25, "seed": 5.0}
    drawn = np.pad(waveforms.sample("repeating_blips", RATE, train).samples, RATE // 4)
    match = np.abs(np.correlate(drawn, one.samples, "valid")) / np.sum(one.samples**2)
    # Each is as loud as the loudest, or down to 0.4 of it; 0.18 to 0.32 s after the one before.
    peaks, _ = find_peaks(match, height=0.35, distance=round(0.15 * RATE))
    assert len(peaks) == 4
    assert np.all(np.diff(peaks) > 0.18 * RATE)
    assert np.all(np.diff(peaks) < 0.32 * RATE)


@pytest.mark.parametrize("label", ["blip", "low_frequency_blip", "tomte", "koi_fish"])
def test_fitted_families_are_drawn_with_their_table_s_moments(label):
    rng = np.random.default_rng(11)
    for known in fitted.mixtures(label).values():
        drawn = np.log([known.draw(rng, None)[:2] for _ in range(1000)])
        mean = known.weights @ known.means[:, :2]
        # Draws are limited to the bounds of the fits, at which some koi fish lie.
        assert np.mean(drawn, axis=0) == pytest.approx(mean, abs=0.2)


def test_a_quiet_blip_is_narrower_than_a_loud_one():
    known, rng = fitted.mixtures("blip")[0], np.random.default_rng(12)
    quiet, loud = (np.median([known.draw(rng, snr)[1] for _ in range(400)]) for snr in (8, 60))
    assert quiet > 1.3 * loud
    # Beyond what was fitted, what is nearest.
    beyond = np.median([known.draw(rng, 1.0)[1] for _ in range(400)])
    assert beyond == pytest.approx(
        np.median([known.draw(rng, known.snr[0])[1] for _ in range(400)]), rel=0.3
    )


@pytest.mark.parametrize("label", ["blip", "low_frequency_blip", "tomte"])
def test_many_of_a_fitted_family_are_quiet(label):
    rng = np.random.default_rng(14)
    drawn = np.array([waveforms.FAMILIES[label].snr.draw(rng) for _ in range(1000)])
    assert np.mean((drawn > 6) & (drawn < 20)) > 0.4
    assert drawn.min() >= 4


def test_koi_fish_are_loud():
    rng = np.random.default_rng(15)
    drawn = [waveforms.FAMILIES["koi_fish"].snr.draw(rng) for _ in range(1000)]
    assert 60 < np.median(drawn) < 200


def test_a_fit_has_the_spectrum_of_its_formula_in_the_detector_s_noise():
    parameters = {"f0": 30.0, "gbw": 0.8, "phase": 0.4, "detector": 1.0}
    drawn = waveforms.sample("blip", RATE, parameters)
    curve = noise.load(noise.MEASURED["L1"]).smooth
    count = 8 * RATE
    spectrum = np.fft.rfft(np.roll(np.pad(drawn.samples, (0, count - len(drawn.samples))),
                                   -drawn.reference))  # fmt: skip
    frequency = np.fft.rfftfreq(count, 1 / RATE)
    here = (frequency > 20) & (frequency < 1000)
    strain = spectrum[here] * curve.at(frequency[here])
    expected = np.exp(-0.4 * np.log(frequency[here] / 30.0) ** 2)
    ratio = np.abs(strain) / expected
    assert np.max(ratio) < 1.02 * np.min(ratio)
    assert np.angle(strain) == pytest.approx(np.full(here.sum(), 0.4), abs=0.01)


def _fits(rng, label, residuals):
    return [
        {
            "ml_label": label,
            "ifo": "H1",
            "f0": np.exp(rng.normal(3.0, 0.2)),
            "gbw": np.exp(rng.normal(1.0, 0.3)),
            "phase": rng.choice([0.0, np.pi]) + rng.normal(0.5, 0.2),
            "snr": np.exp(rng.normal(3.0, 0.5)),
            "power": 2.0,
            "residual": residual,
        }
        for residual in residuals
    ]


def _table_of_fits(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_the_table_is_what_the_command_makes_of_fits(tmp_path):
    rng = np.random.default_rng(13)
    rows = _fits(rng, "Tomte", [1.0] * 300 + [50.0] * 20)
    rows += [row for label in fits.LABELS if label != "Tomte" for row in _fits(rng, label, [1] * 9)]
    path, table = _table_of_fits(tmp_path / "fits.csv", rows), tmp_path / "table.yaml"
    assert fits.main([str(path), "--output", str(table)]) == 0
    found = yaml.safe_load(table.read_text())["tomte"]["H1"]
    assert found["fits"] == 300
    mean = np.array(found["weights"]) @ np.array(found["means"])
    assert mean[:3] == pytest.approx([3.0, 1.0, 3.0], abs=0.1)
    # A phase counts up to its sign.
    assert mean[3] % np.pi == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"snr": "nan"}, "fit 36: snr must be a number above 0, not 'nan'"),
        ({"f0": 0}, "fit 36: f0 must be a number above 0, not '0'"),
        ({"phase": ""}, "fit 36: phase must be a number, not ''"),
        ({"ifo": "K1"}, "fit 36: detector 'K1' is not among H1, L1, V1"),
        ({"ifo": "V1"}, "tomte, V1: 1 fits, where a mixture needs 5"),
    ],
)
def test_fits_that_cannot_be_used_are_told_in_one_line(tmp_path, capsys, change, message):
    rng = np.random.default_rng(3)
    rows = [row for label in fits.LABELS for row in _fits(rng, label, [1.0] * 9)]
    rows[35] |= change
    _refused(tmp_path, capsys, _table_of_fits(tmp_path / "fits.csv", rows), message)


def _refused(folder, capsys, path, message):
    table = folder / "table.yaml"
    table.write_text("kept")
    with pytest.raises(SystemExit) as end:
        fits.main([str(path), "--output", str(table)])
    assert end.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert table.read_text() == "kept"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"", "lacks the columns ml_label, ifo, f0"),
        (b"ml_label,ifo\xff\n", "is no CSV in UTF-8"),
        (b"ml_label,ifo,f0,gbw,snr,power,residual,phase\nTomte,H1\n", "f0 must be a number"),
        # Without this the packaged table would be written anew, empty.
        (
            b"ml_label,ifo,f0,gbw,snr,power,residual,phase\n",
            "there are no fits of Blip, Koi_Fish, Blip_Low_Frequency, Tomte",
        ),
    ],
)
def test_a_table_of_fits_that_is_none_leaves_the_known_one(tmp_path, capsys, text, message):
    path = tmp_path / "fits.csv"
    if text is not None:
        path.write_bytes(text)
    _refused(tmp_path, capsys, path, message)


def test_scattered_light_has_its_arches():
    parameters = {"peak_frequency": 50.0, "period": 1.0, "arches": 3.0, "phase": 0.0}
    parameters |= {"decay": 0.0}
    drawn = waveforms.sample("scattered_light", RATE, parameters)
    frequency = _instantaneous(drawn.samples)
    reference = drawn.reference
    assert frequency[reference] == pytest.approx(50.0, rel=0.05)
    assert frequency[reference + RATE] == pytest.approx(50.0, rel=0.1)
    quarter = frequency[reference + RATE // 4]
    assert quarter == pytest.approx(50.0 * np.sin(np.pi / 4), rel=0.1)


def test_whistle_falls_to_its_lowest_frequency_and_rises_again():
    parameters = {"low_frequency": 200.0, "top_frequency": 1000.0, "duration": 0.5, "bend": 0.0}
    parameters |= {"turns": 1.0, "phase": 0.0}
    drawn = waveforms.sample("whistle", RATE, parameters)
    frequency, middle = _instantaneous(drawn.samples), drawn.reference
    away = round(0.125 * RATE)
    assert frequency[middle] == pytest.approx(200.0, rel=0.05)
    assert frequency[middle - away] == pytest.approx(np.hypot(200, 500), rel=0.05)
    assert frequency[middle + away] == pytest.approx(np.hypot(200, 500), rel=0.05)


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
    total, eta = (mass1 + mass2) * SUN_SECONDS, mass1 * mass2 / (mass1 + mass2) ** 2
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


def test_a_heavy_binary_is_one_or_two_cycles_below_a_hundred_hertz():
    drawn = _binary(150.0, 120.0)
    seen = noise.whitened(np.pad(drawn.samples, RATE), RATE, noise.load("aligo_O4high"), LOW)
    part = np.cumsum(seen**2) / np.sum(seen**2)
    assert 0.005 < (np.searchsorted(part, 0.9) - np.searchsorted(part, 0.1)) / RATE < 0.12
    assert 20 < _centroid(seen) < 100
    assert waveforms.FAMILIES["cbc"].extent(mass1=170.0, mass2=130.0)[0] < 0.5


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
    assert shares == pytest.approx([0.64, 0.20, 0.16], abs=0.05)


# The most alike pairs of `python -m benchmarks.classification.separability`.
ALIKE = [
    ("sine_gaussian", "ring_down"),
    ("sine_gaussian", "blip"),
    ("ring_down", "blip"),
    ("scattered_light", "low_frequency_burst"),
    ("scattered_light", "low_frequency_lines"),
    ("power_line", "air_compressor"),
]


@pytest.mark.parametrize("pair", ALIKE, ids=" and ".join)
def test_no_two_families_are_one_shape(pair):
    rng = np.random.default_rng(9)
    shapes = {label: separability.spectra(label, 25, rng) for label in pair}
    assert separability.likeness(*pair, shapes).median < 0.9
    first = pair[0]
    assert separability.likeness(first, first, shapes).median == pytest.approx(1.0, abs=1e-3)
