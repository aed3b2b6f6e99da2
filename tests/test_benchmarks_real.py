"""The referee for real data: its filter, its counts and its page, on small data of known truth."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import catalogue
from benchmarks.catalogue import Event, events
from benchmarks.detection import detector
from benchmarks.real import __main__ as command
from benchmarks.real import (
    fits,
    glitches,
    matched_filter,
    mergers,
    page,
    rates,
    scores,
    tables,
)
from benchmarks.real.fits import Fit
from benchmarks.real.glitches import Sight
from benchmarks.real.judged import Judge, Searched, files_of, is_silent, searched
from benchmarks.real.matched_filter import Binary, Peak
from benchmarks.real.mergers import Seen
from benchmarks.real.rates import Background
from benchmarks.real.scores import Answer
from models.simulation import noise
from transforms import binaries
from transforms.classify import artefact
from transforms.elements import Trigger
from transforms.gps import NANOSECONDS

DATA = Path(__file__).parent / "data"
STRAIN = "L-L1_LOSC_4_V2-1126259446-32.hdf5"
CURVE = noise.load("H1_O3b_measured_asd")
RATE = 1024
GPS = 1_000_000_000


def trigger(time, **other):
    ns = round(time * 1e9)
    texts = dict.fromkeys(("id", "channel", "config"), "x")
    numbers = dict.fromkeys(("bandwidth", "duration", "amplitude", "phase", "q", "rank"), 1.0)
    own = {
        **{"ifo": "H1", "wavelet": "morlet", "tiles": 1, "dq": (), "label": "blip", "score": 0.5},
        **{"frequency": 100.0, "low_frequency": 90.0, "high_frequency": 110.0, "snr": 6.0},
        **{"time_ns": ns, "start_ns": ns - 10**7, "end_ns": ns + 10**7, "data_time_ns": ns},
    }
    return Trigger(**{**texts, **numbers, **own, **other})


def event(**other):
    own = {"name": "GW1", "window": (GPS, GPS), "chirp_mass": 30.0, "ratio": 1.0, "chi_eff": 0.0}
    return Event(**{**own, "source": "GWTC-1", **other})


@pytest.fixture(scope="module")
def judge():
    return Judge.of(artefact.default_artefact())


# The matched filter.


def injected(binary, snr, at, count=32 * RATE):
    """Return a template's strain at an optimal SNR, its merger at a time [s]."""
    spectrum = matched_filter.template(binary, count, RATE)
    strain = np.roll(np.fft.irfft(spectrum, count) * RATE, round(at * RATE))
    density = np.abs(spectrum / CURVE.at(np.fft.rfftfreq(count, 1 / RATE))) ** 2
    optimal = np.sqrt(4 * RATE / count * density.sum())
    return strain * snr / optimal, spectrum


def test_the_filter_of_a_template_alone_has_its_optimal_snr_at_its_merger():
    strain, shape = injected(Binary(20.0, 0.8, 0.1), 12.0, 20.0)
    data = np.fft.rfft(strain) / RATE
    series = matched_filter.snr_series(data, len(strain), RATE, CURVE, shape)
    assert np.argmax(series) == 20 * RATE
    assert series[20 * RATE] == pytest.approx(12.0, rel=1e-9)


def test_a_merger_in_noise_has_its_snr_mass_and_time():
    strain, _ = injected(Binary(28.0, 1.0, 0.0), 15.0, 20.0)
    strain += noise.coloured(CURVE, len(strain), RATE, np.random.default_rng(1))
    known = noise.measured("x", strain, RATE)
    used = np.ones(len(strain) // 2 + 1, bool)
    bank = matched_filter.bank(event())
    found = matched_filter.peaks(strain, RATE, known, bank, (19.9, 20.1), used)
    best = max(found, key=lambda peak: peak.snr)
    assert best.snr == pytest.approx(15.0, abs=2.5)
    assert best.time == pytest.approx(20.0, abs=0.02)
    assert best.binary.chirp_mass == pytest.approx(28.0, rel=0.2)


def test_noise_alone_has_the_snr_of_chance():
    strain = noise.coloured(CURVE, 32 * RATE, RATE, np.random.default_rng(2))
    shape = matched_filter.template(Binary(20.0, 1.0, 0.0), len(strain), RATE)
    data = np.fft.rfft(matched_filter.faded(strain, RATE)) / RATE
    series = matched_filter.snr_series(data, len(strain), RATE, CURVE, shape)
    # Two phases of unit variance, and a sixteenth of the strain is faded at its ends.
    assert np.mean(series**2) == pytest.approx(2.0, rel=0.2)


def test_bands_that_strain_lacks_are_not_used():
    frequency = np.fft.rfftfreq(4 * RATE, 1 / RATE)
    lacking = (CURVE.frequency < 30) | (np.abs(CURVE.frequency - 115) < 0.5)
    cut = noise.NoiseCurve("cut", CURVE.frequency, np.where(lacking, 0.01, 1) * CURVE.asd)
    used = matched_filter.usable(cut, CURVE, frequency)
    assert not used[frequency < 30].any()
    assert not used[np.abs(frequency - 115) < 1].any()
    assert used[(frequency > 35) & (frequency < 113)].all()
    assert used[(frequency > 118) & (frequency < 500)].all()


def test_masses_of_a_binary_have_its_chirp_mass():
    heavy, light = Binary(20.0, 0.4, 0.0).masses
    assert light / heavy == pytest.approx(0.4)
    assert (heavy * light) ** 0.6 / (heavy + light) ** 0.2 == pytest.approx(20.0)


# Published events.


def test_published_times_lie_in_the_second_that_names_tell():
    told = [each for each in events().values() if "_" in each.name]
    assert len(told) > 40
    for each in told:
        second = catalogue.second_of(each.name)
        assert second <= each.window[0] <= each.window[1] <= second + 1, each.name


def test_published_values_are_possible_and_have_a_source():
    for each in events().values():
        assert each.source in catalogue.SOURCES
        assert 1 < each.chirp_mass < 150
        assert 0 < each.ratio <= 1
        assert abs(each.chi_eff) < 1


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("H-H1_GW170608-1180922447-95.hdf5", ("H1", "GW170608")),
        ("V-V1_GW190503_185404-1240944839-31.hdf5", ("V1", "GW190503_185404")),
        ("L-L1_GWC170402-1175205081-95.hdf5", ("L1", "GWC170402")),
        ("L-L1_GWOSC_16KHZ_R1-1268903496-32.hdf5", None),
    ],
)
def test_names_of_files_tell_events(file, told):
    assert catalogue.named(file) == told


# Triggers at events.


def stretch(*triggers):
    block = detector.block_of(np.zeros(16 * RATE), RATE, 0)
    own = {"file": "x", "event": "", "path": Path("x"), "live": (0.0, 16.0)}
    return Searched(block=block, triggers=triggers, learnt=False, **own)


def test_strain_that_training_has_drawn_from_is_known_by_detector_and_time(judge):
    (first, *_) = judge.card.contents["training"]["train"]["strain"]
    start, end = first["start"], first["start"] + first["seconds"]
    block = detector.block_of(np.zeros(16 * RATE), RATE, start + 1)
    inside = replace(block, ifo=first["detector"])
    assert judge.has_learnt(inside)
    assert not judge.has_learnt(replace(inside, ifo="X1"))
    after = replace(
        inside, segment_start_ns=end * NANOSECONDS, segment_end_ns=(end + 16) * NANOSECONDS
    )
    assert not judge.has_learnt(after)
    assert judge.has_learnt(replace(after, segment_start_ns=end * NANOSECONDS - 1))


def test_the_loudest_trigger_that_holds_a_time_stands_for_it():
    near, loud, far = trigger(10.1), trigger(9.95, snr=9.0), trigger(10.2, snr=50.0)
    assert stretch(near, loud, far).trigger_at(10.0) is loud
    assert stretch(far).trigger_at(10.0) is None


def test_what_was_seen_by_eye_is_judged_where_there_is_strain(judge, data):
    found = list(searched(judge, files_of(data / "strain"), []))
    at = found[0].triggers[0].time_ns / 1e9
    sights = [
        Sight(ifo=ifo, time=time, label="cbc")
        for ifo, time in (("L1", at), ("L1", at - 8), ("H1", at), ("L1", at + 1e6))
    ]
    answers, missed = glitches.by_eye(judge, found, sights)
    assert [each.truth for each in answers] == ["cbc"]
    assert missed == [f"L1 {at - 8:.2f} cbc"]


def test_sights_have_labels_of_the_model(judge):
    for sight in glitches.sights():
        assert sight.label in judge.card.classes
        assert sight.ifo in noise.MEASURED


def test_triggers_along_an_inspiral_are_its_own():
    heavy = event(chirp_mass=10.0)
    at = binaries.frequency_at(10.0, 2.0)
    along = trigger(GPS - 2.0, frequency=at, low_frequency=0.9 * at, high_frequency=1.1 * at)
    beside = replace(along, low_frequency=1.5 * at, high_frequency=2 * at)
    assert mergers.belongs(along, heavy, GPS)
    assert not mergers.belongs(beside, heavy, GPS)
    assert mergers.belongs(trigger(GPS + 0.9), heavy, GPS)
    assert not mergers.belongs(trigger(GPS + 2.0), heavy, GPS)


def test_the_inspiral_of_two_neutron_stars_is_where_it_is_known_to_be():
    # 134 Hz (1.21 / M)^(5/8) (1 s / t)^(3/8), docs/classification.md.
    assert binaries.frequency_at(1.21, 1.0) == pytest.approx(134, rel=0.01)


def seen(snr, found):
    return Seen(
        event=event(),
        ifo="H1",
        time=GPS,
        peak=Peak(snr, GPS, Binary(30.0, 1.0, 0.0)),
        trigger=found,
        learnt=False,
    )


def test_events_are_counted_by_the_snr_of_the_filter():
    cbc, other = trigger(0, label="cbc"), trigger(0, label="blip")
    rows = [seen(12, cbc), seen(8, other), seen(7.9, None), seen(6.5, cbc), seen(4, None)]
    told = [(row["count"], row["found"], row["cbc"]) for row in mergers.summary(rows)]
    assert told == [(2, 2, 1), (1, 0, 0), (1, 1, 1), (1, 0, 0)]


# Rates.


def test_rates_are_of_the_live_time_and_of_all_detectors_together():
    quiet = [trigger(1, score=0.95), trigger(2, label="noise", score=0.99), trigger(3)]
    loud = [trigger(4, snr=30.0, score=0.99, wavelet="box")]
    told = [
        Background(ifo="H1", live=1800.0, triggers=quiet),
        Background(ifo="L1", live=1800.0, triggers=loud),
    ]
    h1, l1, both = rates.table(told)
    assert (h1["hourly"], l1["hourly"], both["hourly"]) == (6.0, 2.0, 4.0)
    assert (both["quiet"], both["quiet_sure"]) == (3, 1)
    assert [band["count"] for band in both["by_snr"]] == [3, 0, 1]
    assert [band["count"] for band in both["by_frequency"]] == [0, 4, 0, 0]
    assert both["by_shape"] == {"morlet": 3, "box": 1}
    assert rates.table([]) == []


# Scores.


CLASSES = ("blip", "tomte", "unknown")


def answer(truth, probabilities, **other):
    best = int(np.argmax(probabilities))
    own = {"name": "x", "label": CLASSES[best], "score": probabilities[best], "snr": 9.0}
    told = {**own, "detected": True, **other}
    return Answer(truth=truth, probabilities=np.array(probabilities), **told)


def test_classes_that_the_model_lacks_are_right_as_unknown_and_told_apart():
    answers = [
        answer("blip", [0.95, 0.03, 0.02]),
        answer("tomte", [0.97, 0.02, 0.01]),
        answer("light_modulation", [0.02, 0.02, 0.96]),
    ]
    told = scores.told(answers, CLASSES)
    assert (told["known"]["count"], told["known"]["right"]) == (2, 1)
    assert (told["all"]["count"], told["all"]["right"]) == (3, 2)
    assert (told["known"]["sure"], told["known"]["sure_wrong"]) == (2, 1)
    assert told["known"]["ece"] == pytest.approx(abs(0.96 - 0.5))
    table = scores.by_class(answers, CLASSES)
    assert table["light_modulation"]["known"] is False
    assert table["light_modulation"]["unknown"] == 1
    assert table["tomte"]["labels"] == {"blip": {"count": 1, "scores": (0.97, 0.97)}}


def test_a_model_without_unknown_is_wrong_about_what_it_does_not_know():
    told = scores.told([answer("whistle", [0.95, 0.05, 0.0])], CLASSES[:2])
    assert told["all"]["right"] == 0
    assert told["all"]["ece"] == pytest.approx(0.95)
    assert told["known"]["ece"] is None


# Waveforms from fits.


FIT = Fit(label="blip", ifo="H1", f0=100.0, gbw=2.0, phase=0.7, snr=12.0)


def test_a_waveform_has_the_spectrum_of_its_fit():
    series = fits.waveform(FIT, fits.RATE)
    frequency = np.fft.rfftfreq(len(series), 1 / fits.RATE)
    spectrum = np.fft.rfft(np.roll(series, -len(series) // 2))
    inside = (frequency > 2 * fits.FITTED) & (frequency < 1500)
    told = np.exp(-FIT.gbw / 2 * np.log(frequency[inside] / FIT.f0) ** 2)
    assert np.abs(spectrum[inside]) == pytest.approx(told, abs=1e-9)
    assert np.angle(spectrum[frequency == 100.0]) == pytest.approx(FIT.phase)
    assert np.abs(spectrum[frequency < fits.FITTED / 2]).max() < 1e-9
    assert np.abs(series[:1000]).max() < 1e-3 * np.abs(series).max()


def test_waveforms_are_found_in_noise_at_their_time(judge):
    chosen = [replace(FIT, snr=20.0, ifo=ifo) for ifo in ("H1", "V1", "V1")]
    found = list(fits.shown(judge, chosen, 1))
    assert len(found) == 3
    for each in found:
        assert each.answer is not None
        assert 12 < each.answer.snr < 24
        assert abs(each.time_error) < 0.01


def test_fits_are_drawn_alike_of_each_label_and_loud_enough():
    table = [replace(FIT, label=label, snr=snr) for label in ("blip", "tomte") for snr in range(20)]
    drawn = fits.drawn(table, 20, np.random.default_rng(1))
    assert [each.label for each in drawn] == ["blip"] * 5 + ["tomte"] * 5
    assert all(each.snr >= fits.LEAST_SNR for each in drawn)


@pytest.mark.parametrize(
    "text",
    [
        "f0,gbw\n1,2\n",
        *(
            f"ml_label,ifo,f0,gbw,phase,snr\nBlip,H1,{values}\n"
            for values in ("x,1,1,1", "9", "nan,1,1,20", "0,1,1,20", "9,-1,1,20")
        ),
    ],
)
def test_a_table_that_is_none_is_told_in_one_line(tmp_path, text):
    path = tmp_path / "fits.csv"
    path.write_text(text)
    with pytest.raises(fits.FitsError, match="not a table with f0"):
        fits.read(path)


# The command.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["none"], "none is no folder: give the one with the data"),
        ([".", "--model", "none"], "no model in none"),
        ([".", "--fits", "-3"], "'-3' is no number of 0 or more"),
    ],
)
def test_a_mistake_in_the_call_is_one_line(tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        command.main(options)
    assert end.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.fixture
def data(tmp_path):
    """Return a folder with a stretch of real strain in the name of its event."""
    folder = tmp_path / "real"
    (folder / "strain").mkdir(parents=True)
    shutil.copy(DATA / STRAIN, folder / "strain" / "L-L1_GW150914-1126259446-32.hdf5")
    return folder


@pytest.mark.slow
def test_an_event_is_filtered_found_labelled_and_drawn(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(matched_filter, "CHIRP_MASSES", (1.0,))
    out, scans = tmp_path / "figures.json", tmp_path / "page"
    told = ["--json", str(out), "--page", str(scans), "--shown", "1"]
    assert command.main([str(data), *told, "--at", "1126259462.42"]) == 0
    figures = json.loads(out.read_text())
    (row,) = figures["events"]["rows"]
    assert row["snr"] == pytest.approx(13.3, abs=1.5)
    assert (row["found"], row["label"]) == (True, "cbc")
    assert figures["events"]["not_learnt"] == figures["events"]["summary"]
    assert figures["rates_not_learnt"] == figures["rates"]
    assert figures["glitches"] is None
    assert figures["fits"] is None
    assert [text.partition(":")[0] for text in figures["missing"]] == [
        *("glitches", "glitch_fits.csv", "by eye", "strain_16k")
    ]
    printed = capsys.readouterr().out
    assert "GW150914" in printed
    assert "glitch_fits.csv: not in" in printed
    html = (scans / "index.html").read_text()
    assert html.count("<svg") >= 2
    assert "At times asked for" in html


def test_a_merger_known_to_a_second_is_where_the_filter_finds_it(judge, data, monkeypatch):
    own = replace(events()["GW150914"], window=(1126259462.0, 1126259463.0))
    monkeypatch.setattr(mergers, "events", lambda: {"GW150914": own})
    monkeypatch.setattr(matched_filter, "CHIRP_MASSES", (1.0,))
    (found,) = searched(judge, files_of(data / "strain"), [])
    (row,) = mergers.seen([found], [])
    assert row.time == pytest.approx(1126259462.42, abs=0.02)
    assert row.trigger is not None


def test_events_that_cannot_be_judged_are_told(judge, data):
    (found,) = searched(judge, files_of(data / "strain"), [])
    missing = []
    others = [replace(found, event="GW990101"), replace(found, event="GW170823")]
    assert mergers.seen(others, missing) == []
    assert "is not in what was analysed" in missing[0]
    assert "GW990101: not in" in missing[1]


def test_names_of_a_page_are_escaped(judge, data):
    (found,) = searched(judge, files_of(data / "strain"), [])
    shot = page.Shot(found=found, trigger=found.triggers[0], note="<script>")
    html = page.render(judge, {"Loudest": [shot], "Quiet": []}, "real")
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_strain_with_a_silent_second_is_told():
    rng = np.random.default_rng(1)
    strain = noise.coloured(CURVE, 16 * RATE, RATE, rng)
    assert not is_silent(detector.block_of(strain, RATE, GPS))
    strain[5 * RATE : 6 * RATE] *= 1e-3
    assert is_silent(detector.block_of(strain, RATE, GPS))


def test_files_that_cannot_be_used_are_told_and_not_skipped(data):
    (data / "strain" / "H-H1_GW170608-1180922447-95.hdf5").write_bytes(b"none")
    (data / "glitches").mkdir()
    (data / "glitch_fits.csv").write_text("x\n")
    known = command.Referee(Judge.of(artefact.default_artefact()), data, 1)
    assert known.glitches() is None
    assert known.search("strain")
    assert len(known.missing) == 2


def test_tables_name_what_the_model_has_no_class_for(capsys):
    tables.classes(scores.by_class([answer("whistle", [0.2, 0.2, 0.6])], CLASSES))
    assert "whistle (no class)" in capsys.readouterr().out
