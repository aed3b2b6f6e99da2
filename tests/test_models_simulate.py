"""The training set: reproducible, matched to the truth, of every class, in every noise."""

import pickle
from collections import Counter
from dataclasses import replace

import h5py
import numpy as np
import pytest

from models.simulation import background, injections, matching, noise, simulate, strain, waveforms
from transforms.detect.config import DetectConfig
from transforms.whiten.config import WhitenConfig

CONFIG = simulate.SimulationConfig(
    ("aligo_O4high",), stretches=1, noise_stretches=1, sample_rates=(2048,), seconds=128
)
WHITEN, DETECT = WhitenConfig(), DetectConfig()


def _stretch(number=0, seed=1, config=CONFIG):
    return simulate.stretch(config, number, WHITEN, DETECT, (seed,))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_examples():
    first, again = (list(simulate.simulate(CONFIG, WHITEN, DETECT, (1, 0))) for _ in range(2))
    assert first == again
    assert len(first) > 5


def test_a_stretch_by_itself_is_that_of_the_whole():
    whole = list(simulate.simulate(CONFIG, WHITEN, DETECT, (1, 0)))
    asked = pickle.loads(pickle.dumps((CONFIG, 1, WHITEN, DETECT, (1, 0))))
    alone = simulate.stretch_examples(*asked)
    assert alone
    assert alone == whole[-len(alone) :]


def test_other_seeds_have_other_noise_and_other_keys():
    made = [_stretch(1, seed) for seed in (1, 2)]
    assert abs(np.corrcoef(*(one.block.samples for one in made))[0, 1]) < 0.1
    assert made[0].key != made[1].key


def test_keys_name_one_injection_each():
    made = [_stretch(0, 1), _stretch(0, 2), _stretch(1, 1, replace(CONFIG, stretches=2))]
    keys = [injection.key for one in made for injection in one.injections]
    assert len(set(keys)) == len(keys) > 30


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
        assert whole == pytest.approx(injection.snr, rel=1e-6)
        assert injection.snr_between(injection.end_ns, injection.end_ns + 10**9) == 0


@pytest.mark.parametrize(("law", "median"), [("log", 20.0), ("inverse", 2 / (1 / 5 + 1 / 80))])
def test_the_snr_is_drawn_by_its_law(law, median):
    rng = np.random.default_rng(3)
    drawn = np.array([waveforms.Range(5.0, 80.0, law).draw(rng) for _ in range(4000)])
    assert drawn.min() >= 5
    assert drawn.max() <= 80
    assert np.mean(drawn < median) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("kind", ["uniform", "log", "inverse", "integer"])
def test_even_numbers_give_the_values_that_are_drawn(kind):
    span, rng = waveforms.Range(3, 6, kind), np.random.default_rng(4)
    drawn = sorted(span.draw(rng) for _ in range(4000))
    even = sorted(span.at(variate) for variate in (np.arange(4000) + 0.5) / 4000)
    assert np.mean(np.abs(np.subtract(drawn, even))) < 0.06


def test_a_stretch_draws_the_snr_by_its_law():
    quiet = _stretch(config=replace(CONFIG, snr_law="inverse", high_snr=1000.0, seconds=256))
    loud = _stretch(config=replace(CONFIG, high_snr=1000.0, seconds=256))
    middle = [
        np.median([i.snr for i in made.injections if waveforms.FAMILIES[i.label].snr is None])
        for made in (quiet, loud)
    ]
    assert middle[0] < 0.5 * middle[1]


def test_loud_transients_are_found_and_named():
    loud = replace(CONFIG, noise_stretches=0, low_snr=20.0)
    found = list(simulate.simulate(loud, WHITEN, DETECT, (3, 0)))
    made = simulate.stretch(loud, 0, WHITEN, DETECT, (3, 0))
    loudest = Counter(example.key for example in found if example.loudest)
    named = {injection.key for injection in made.injections} & set(loudest)
    assert len(named) >= 0.8 * len(made.injections)
    assert all(loudest[key] == 1 for key in named)
    assert {example.curve for example in found} == {"aligo_O4high"}


def test_the_detector_gives_the_snr_that_was_injected():
    some = replace(CONFIG, seconds=256, left_out=_all_but("sine_gaussian"), unknown_share=0)
    found = simulate.stretch_examples(some, 0, WHITEN, DETECT, (5,))
    ratio = [e.trigger.snr / e.injected_snr for e in found if e.injected_snr > 12]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.1)


def _all_but(*labels):
    return tuple(label for label in waveforms.FAMILIES if label not in labels)


def test_noise_alone_makes_noise_alone():
    quiet = replace(CONFIG, stretches=0, noise_stretches=1, noise_threshold=4.3)
    found = list(simulate.simulate(quiet, WHITEN, DETECT, (4, 0)))
    assert found
    assert {example.label for example in found} == {waveforms.NOISE}


def test_the_loudest_glitches_leave_no_noise_behind():
    loud = replace(CONFIG, seconds=256, left_out=_all_but("extremely_loud"), unknown_share=0)
    loud = replace(loud, low_gap=15.0, high_gap=20.0)
    found = simulate.stretch_examples(loud, 0, WHITEN, DETECT, (6,))
    assert sum(example.label == "extremely_loud" for example in found) > 5
    # They disturb the spectrum, so that some of the lines is left; nothing of the glitch is.
    assert all(e.trigger.snr < 10 for e in found if e.label == waveforms.NOISE)


def test_a_trigger_that_its_injection_does_not_explain_is_left_out():
    made = _stretch()
    triggers = matching.find(made.block, WHITEN, DETECT)
    example = next(e for e in matching.match(triggers, made) if e.injected_snr)
    absurd = replace(example.trigger, snr=1e3)
    assert matching.match([absurd], made) == []


def test_what_is_left_out_never_appears():
    gone = ("unknown", "cbc", "blip")
    config = replace(CONFIG, seconds=256, left_out=gone)
    made = _stretch(config=config).injections
    assert not {injection.label for injection in made} & set(gone)


def test_the_unknown_have_their_share():
    for share in (0.0, 1.0):
        made = _stretch(config=replace(CONFIG, unknown_share=share)).injections
        assert np.mean([one.label == waveforms.UNKNOWN for one in made]) == share


@pytest.mark.parametrize("rate", [1024, 2048])
def test_shapes_that_a_rate_cannot_carry_are_drawn_again(rate):
    rng, snr = np.random.default_rng(7), waveforms.Range(8, 9)
    for _ in range(60):
        drawn = injections.draw("unknown", rate, snr, rng, 1.875)
        assert np.max(np.abs(drawn.shape)) > 0.1


@pytest.mark.parametrize("rate", [1024, 2048, 4096])
@pytest.mark.parametrize("label", waveforms.FAMILIES)
def test_every_family_is_drawn_at_each_rate_that_carries_it(label, rate):
    rng, snr = np.random.default_rng(8), waveforms.Range(8, 9)
    if rate < waveforms.FAMILIES[label].least_rate:
        with pytest.raises(ValueError, match=f"{label} needs a sample rate of"):
            injections.draw(label, rate, snr, rng, 1.875)
        return
    for _ in range(3):
        drawn = injections.draw(label, rate, snr, rng, 1.875)
        assert np.isfinite(drawn.shape).all()
        assert np.max(np.abs(drawn.shape)) > 0.1


def test_what_a_rate_does_not_carry_is_not_among_its_transients():
    high = _all_but("1080_lines", "sine_gaussian")
    some = replace(CONFIG, left_out=high, unknown_share=0, sample_rates=(2048,))
    assert {i.label for i in _stretch(config=some).injections} == {"sine_gaussian"}
    none = replace(some, left_out=_all_but("1080_lines"))
    with pytest.raises(ValueError, match="leaves no family that a sample rate of 2048 Hz"):
        _stretch(config=none)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"left_out": ("blips",)}, r"left_out \['blips'\] are not among sine_gaussian"),
        ({"left_out": tuple(waveforms.FAMILIES)}, "left_out leaves no family"),
        ({"unknown_share": 1.5}, "unknown_share must lie in 0 to 1"),
        ({"curves": ()}, "curves .* are not among"),
        ({"modulation": 2.0}, "modulation must lie in 0 to 0.5"),
        ({"snr_law": "power"}, "snr_law must be log or inverse"),
    ],
)
def test_an_impossible_configuration_is_refused_by_its_key(change, message):
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **change)


def test_the_level_of_simulated_noise_drifts():
    made = background.simulated("aligo_O4high", 256, 1024, np.random.default_rng(1), 0.5, 0)
    still = background.simulated("aligo_O4high", 256, 1024, np.random.default_rng(1), 0.0, 0)
    second = np.arange(256 * 1024) / 1024
    level = made.drift.at(second)
    assert np.allclose(made.strain, still.strain * level, rtol=1e-9, atol=0)
    assert 0 < made.drift.depth < 0.5
    assert np.max(np.abs(level - 1)) == pytest.approx(made.drift.depth, rel=0.2)
    assert np.all(still.drift.at(second) == 1)


FILE, GLITCH = "H-H1_O3A_HIGHPASSED_2KHZ-1238205077-500.hdf", 1238205532_099000000


@pytest.fixture
def real(data):
    named = strain.RealStrain("H1", 1238205077, 500, file=str(data / FILE))
    return replace(CONFIG, curves=(), strain=(named,), seconds=500)


@pytest.mark.slow
def test_real_strain_keeps_its_own_transients_to_itself(real):
    made = _stretch(config=real)
    assert made.curve == "H1-1238205077-500"
    assert any(low < GLITCH < high for low, high in made.known)
    assert len(made.injections) > 50
    for low, high in made.known:
        assert not any(i.start_ns < high and i.end_ns > low for i in made.injections)
    triggers = matching.find(made.block, WHITEN, DETECT)
    assert any(t.snr > 20 and abs(t.time_ns - GLITCH) < 10**8 for t in triggers)
    for example in matching.match(triggers, made):
        assert abs(example.trigger.time_ns - GLITCH) > 10**9
        assert example.label != waveforms.NOISE or example.trigger.snr < 8


@pytest.mark.slow
def test_injections_into_real_strain_have_the_snr_that_its_spectrum_says(real):
    some = replace(real, left_out=_all_but("sine_gaussian"), unknown_share=0)
    found = simulate.stretch_examples(some, 0, WHITEN, DETECT, (2,))
    ratio = [e.trigger.snr / e.injected_snr for e in found if e.injected_snr > 12]
    assert len(ratio) > 10
    assert np.median(ratio) == pytest.approx(1.0, abs=0.1)


@pytest.mark.slow
def test_real_strain_alone_makes_noise(real):
    found = simulate.stretch_examples(
        replace(real, stretches=0, noise_threshold=4.3), 0, WHITEN, DETECT, (2,)
    )
    assert {example.label for example in found} == {waveforms.NOISE}
    assert max(example.trigger.snr for example in found) < simulate.LOUD_SNR


def test_the_quiet_triggers_of_real_strain_are_noise_and_its_loud_ones_are_nothing(
    coloured, tmp_path
):
    rate, curve = 2048, noise.load("aligo_O4high")
    samples = coloured("aligo_O4high", 64, rate)
    time = np.arange(-rate // 4, rate // 4) / rate
    pulse = np.exp(-((time / 0.01) ** 2)) * np.sin(2 * np.pi * 150 * time)
    pulse /= noise.optimal_snr(pulse, rate, curve, 16.0)
    for snr, at in ((7.0, 20), (15.0, 40)):
        samples[at * rate :][: len(pulse)] += snr * pulse
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        data = file.create_dataset("H1:STRAIN", data=samples)
        data.attrs.update({"x0": 1e9, "dx": 1 / rate, "xunit": "s", "channel": "H1:STRAIN"})
    named = strain.RealStrain("H1", 10**9, 64, file=str(tmp_path / "a.hdf5"))
    config = replace(CONFIG, curves=(), strain=(named,), stretches=0, seconds=64)
    found = simulate.stretch_examples(config, 0, WHITEN, DETECT, (2,))
    assert {example.label for example in found} == {waveforms.NOISE}
    seconds = [example.trigger.time_ns / 1e9 - 1e9 for example in found]
    assert any(abs(second - 20.25) < 0.1 for second in seconds)
    assert not any(abs(second - 40.25) < 2 for second in seconds)


def test_an_event_in_real_strain_is_left_out(data):
    named = strain.RealStrain(
        "H1",
        1126259447,
        31,
        "GW150914",
        1126259462.4,
        str(data / "H-H1_LOSC_4_V2-1126259446-32.hdf5"),
    )
    config = replace(CONFIG, curves=(), strain=(named,), stretches=4, seconds=32)
    for number in range(5):
        made = _stretch(number, config=config)
        (event,) = named.taken
        assert event in made.known
        assert made.block.segment_end_ns - made.block.segment_start_ns == 31 * 10**9
        assert not any(i.start_ns < event[1] and i.end_ns > event[0] for i in made.injections)
        for example in matching.match(matching.find(made.block, WHITEN, DETECT), made):
            assert not event[0] <= example.trigger.time_ns < event[1]


def test_stretches_are_as_long_as_they_come_in_real_use():
    config = replace(CONFIG, shortest=32, seconds=256, sample_rates=(1024,), stretches=0)
    blocks = [_stretch(number, config=config).block for number in range(40)]
    seconds = [(one.segment_end_ns - one.segment_start_ns) // 10**9 for one in blocks]
    assert 32 <= min(seconds) < 40
    assert 200 < max(seconds) <= 256
    assert np.median(seconds) == pytest.approx(90, rel=0.3)


def test_real_strain_has_its_share():
    named = strain.RealStrain("H1", 0, 16, file="nowhere")
    config = replace(CONFIG, strain=(named,), strain_share=0.0, seconds=32, sample_rates=(1024,))
    assert _stretch(config=config).curve == "aligo_O4high"
    with pytest.raises(ValueError, match="nowhere: no such file"):
        _stretch(config=replace(config, strain_share=1.0))
    quiet = replace(config, strain_share=1.0, noise_strain_share=0.0)
    assert _stretch(1, config=quiet).curve == "aligo_O4high"


def test_a_family_that_no_rate_carries_ends_the_search_for_it():
    rng, snr = np.random.default_rng(7), waveforms.Range(8, 9)
    family = waveforms.FAMILIES["violin_mode"]
    ranges = {**family.ranges, "frequency": waveforms.Range(900.0, 1000.0)}
    high = replace(family, ranges=ranges, variants=())
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(waveforms.FAMILIES, "violin_mode", high)
        assert injections.draw("violin_mode", 1024, snr, rng, 1.875) is None
        some = replace(CONFIG, left_out=_all_but("violin_mode"), sample_rates=(1024,))
        assert not _stretch(config=replace(some, unknown_share=0.0)).injections


def test_strain_that_is_too_short_or_too_slow_is_refused(real, data):
    rng = np.random.default_rng(1)
    short = strain.RealStrain(
        "H1", 1216577976, 16, file=str(data / "H-H1_O2_llhoft-1216577976-4.gwf")
    )
    with pytest.raises(ValueError, match="holds no contiguous strain of 16 s of H1"):
        background.real(short, 64, (2048,), rng)
    with pytest.raises(ValueError, match="its rate of 2048 Hz gives none of"):
        background.real(real.strain[0], 64, (4096,), rng)


def test_strain_is_found_by_detector_and_time(data, tmp_path):
    named = strain.RealStrain("L1", 1126259447, 31, "GW150914", 1126259462.4)
    (found,) = strain.located([named], [tmp_path, data])
    assert found == replace(named, file=str(data / "L-L1_LOSC_4_V2-1126259446-32.hdf5"))
    assert strain.located([found], []) == (found,)
    for other in (replace(named, detector="V1"), replace(named, start=1126259460)):
        with pytest.raises(ValueError, match=f"strain {other.name} GW150914: not in {data}; add"):
            strain.located([other], [data])
    with pytest.raises(ValueError, match="is no folder"):
        strain.located([named], [tmp_path / "none"])


def test_strain_in_gwosc_s_text_is_found_beside_other_texts(tmp_path):
    samples = "\n".join(["0.5"] * 16 * 4)
    head = "# This file has 4 samples per second\n# starting GPS 1000000000 duration 16\n"
    (tmp_path / "H-H1_LOSC_4_V1-1000000000-16.txt").write_text(
        f"# Gravitational wave strain for GW000000 for H1 (see http://losc.ligo.org)\n{head}{samples}"
    )
    (tmp_path / "notes.txt").write_text("none of it is strain\n")
    (found,) = strain.located([strain.RealStrain("H1", 10**9, 16)], [tmp_path])
    assert found.file == str(tmp_path / "H-H1_LOSC_4_V1-1000000000-16.txt")


def test_strain_that_gwosc_does_not_give_is_told_in_one_line(monkeypatch):
    named = strain.RealStrain("L1", 1126259447, 31, "GW150914", 1126259462.4)
    monkeypatch.setattr(strain, "GWOSC", "http://127.0.0.1:9")
    with pytest.raises(ValueError, match=r"GWOSC does not answer with it.*--strain") as raised:
        strain.located([named], [])
    assert "\n" not in str(raised.value)


def test_other_strain_has_another_checksum(tmp_path):
    named = strain.RealStrain("L1", 0, 16, file=str(tmp_path / "a"))
    (tmp_path / "a").write_bytes(b"1")
    first = strain.checksum([named, named])
    assert first == strain.checksum([replace(named, start=5)])
    (tmp_path / "a").write_bytes(b"2")
    assert strain.checksum([named]) != first


def test_strain_is_put_in_as_it_is_whatever_its_label():
    """Blips are drawn as whitening shows them; one that is strain must not become it twice."""
    quiet = background.simulated("aligo_O4high", 32, 4096, np.random.default_rng(1), 0.0, 0)
    time = np.arange(-0.5, 0.5, 1 / 4096)
    pulse = np.exp(-((time * 50) ** 2)) * np.cos(2 * np.pi * 50 * time)
    low = WHITEN.low_frequency
    strain = noise.strain_of(pulse, 4096, quiet.curve, low)
    put = []
    for shape, whitened in ((pulse, True), (strain, False)):
        drawn = injections.Drawn("blip", 12.0, shape, whitened=whitened)
        signal, made = injections.inject(drawn, quiet, 10.0, WHITEN, "")
        assert np.linalg.norm(made.whitened) == pytest.approx(12)
        put.append(signal)
    assert np.array_equal(*put)
