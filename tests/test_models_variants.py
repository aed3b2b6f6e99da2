"""Variants of labelled strain: the same glitch, seen otherwise."""

from dataclasses import replace

import numpy as np
import pytest

from models.evaluation import labelled
from models.evaluation.strain_files import Strain
from models.simulation import waveforms
from models.training import variants
from transforms.detect.config import DetectConfig
from transforms.whiten.config import WhitenConfig

RATE, START = 2048, 10**9
PIPELINE = WhitenConfig(), DetectConfig(threshold=5.0)
AT_NS = (START + 40) * 10**9


@pytest.fixture(scope="module")
def strain(coloured):
    samples = coloured("aligo_O4high", 64, RATE)
    time = np.arange(len(samples)) / RATE - 40
    samples += 6e-22 * np.exp(-((time / 0.01) ** 2)) * np.cos(2 * np.pi * 150 * time)
    return Strain(ifo="H1", rate=RATE, first=START * RATE, samples=samples)


def _snr(strain):
    found = labelled.event_in(strain, AT_NS, PIPELINE, {})
    assert found.detected
    assert abs(found.trigger.time_ns - AT_NS) < 10**7
    return found.trigger.snr


def test_more_noise_makes_a_quieter_glitch_of_the_same_spectrum(strain):
    before = _snr(strain)
    assert before > 15
    made = [variants.noisier(strain, 2.0, np.random.default_rng(seed)) for seed in range(3)]
    assert np.mean([_snr(noisy) for noisy in made]) == pytest.approx(before / 2, rel=0.15)
    for noisy in made:
        assert noisy.samples.std() == pytest.approx(strain.samples.std(), rel=0.3)


def test_half_the_rate_keeps_glitch_and_time(strain):
    before = _snr(strain)
    for first in (strain.first, strain.first + 1):
        moved = replace(strain, first=first, samples=strain.samples[first % 2 :])
        slow = variants.slower(moved)
        assert slow.rate == RATE // 2
        assert _snr(slow) == pytest.approx(before, rel=0.1)


def test_less_strain_holds_the_glitch(strain):
    rng = np.random.default_rng(2)
    lengths = []
    for _ in range(20):
        cut = variants.shorter(strain, AT_NS, rng)
        seconds = len(cut.samples) / RATE
        assert cut.start_ns + 7 * 10**9 < AT_NS < cut.end_ns - 7 * 10**9
        lengths.append(seconds)
    assert min(lengths) >= variants.SHORTEST
    assert len(set(lengths)) > 5
    assert _snr(cut) > 10


def test_short_strain_stays_as_long_as_it_is(strain):
    short = replace(strain, samples=strain.samples[: 10 * RATE])
    assert variants.shorter(short, AT_NS, np.random.default_rng(1)) is short
    brief = replace(strain, samples=strain.samples[: 4 * RATE])
    assert variants.noisier(brief, 2.0, np.random.default_rng(1)) is brief


@pytest.mark.parametrize(("snr", "least"), [(6.0, 1.0), (30.0, 0.2)])
def test_quiet_glitches_get_no_more_noise(strain, monkeypatch, snr, least):
    monkeypatch.setattr(variants, "SLOWER", 0.0)
    made = [variants.varied(strain, AT_NS, snr, np.random.default_rng(seed)) for seed in range(20)]
    same = [np.isin(each.samples, strain.samples).all() for each in made]
    # Three quarters of the loud ones have more.
    assert np.mean(same) == pytest.approx(least, abs=0.2 if least < 1 else 0)


def _write(path, samples):
    import h5py

    with h5py.File(path, "w") as file:
        data = file.create_dataset("H1:STRAIN", data=samples)
        data.attrs.update({"x0": START, "dx": 1 / RATE, "xunit": "s", "channel": "H1:STRAIN"})


def test_a_glitch_in_noise_that_is_not_white_is_not_taught(strain, tmp_path):
    _write(tmp_path / "a.hdf5", strain.samples)
    # The noise comes back at 36 s: what is found at 40 s tells of that.
    later = np.arange(len(strain.samples)) > 36 * RATE
    _write(tmp_path / "b.hdf5", np.where(later, 1.0, 1e-3) * strain.samples)
    (tmp_path / "labels.csv").write_text(
        f"file,time,ifo,label\nb.hdf5,{START + 40},H1,blip\na.hdf5,{START + 40},H1,blip\n"
    )
    rows = labelled.table(tmp_path)
    made = variants.examples_of(rows, PIPELINE, 2, 5, 1, lambda *_: None)
    assert set(made.stretch.tolist()) == {1}


def test_examples_are_of_each_glitch_the_same_whoever_makes_them(strain, tmp_path):
    _write(tmp_path / "a.hdf5", strain.samples)
    (tmp_path / "labels.csv").write_text(
        "file,time,ifo,label\n"
        f"a.hdf5,{START + 40},H1,blip\n"
        f"a.hdf5,{START + 20.5},H1,tomte\n"
        f"a.hdf5,{START + 40},H1,none_such\n"
    )
    rows = labelled.table(tmp_path)
    made, again = (
        variants.examples_of(rows, PIPELINE, 4, 5, processes, lambda *_: None)
        for processes in (1, 2)
    )
    assert (
        made.truth.tolist()
        == [waveforms.CLASSES.index("blip")] * 4 + [waveforms.CLASSES.index("unknown")] * 4
    )
    assert made.stretch.tolist() == [0] * 4 + [2] * 4
    assert made.loudest.tolist() == [True, False, False, False] * 2
    assert len(set(made.snr[:4].tolist())) == 4
    assert made.snr.min() > 5
    assert all(np.array_equal(getattr(made, n), getattr(again, n)) for n in variants.NAMES)
    with pytest.raises(labelled.LabelError, match="none of 1 labelled glitches is found"):
        variants.examples_of(rows[1:2], PIPELINE, 2, 5, 1, lambda *_: None)
