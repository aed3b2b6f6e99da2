"""Glitches that no training made: found in their noise, labelled, shown."""

import h5py
import numpy as np
import pytest

from benchmarks.classification import generated_blips, real_glitches
from models.evaluation.evaluate import pipeline_of
from models.simulation import noise

RATE = 4096
# gwpy says where its tiling ends.
pytestmark = pytest.mark.filterwarnings("ignore:upper frequency of:UserWarning")


def _pulse(frequency):
    time = np.arange(-0.1, 0.1, 1 / RATE)
    pulse = np.exp(-((time * frequency) ** 2)) * np.cos(2 * np.pi * frequency * time)
    return pulse / np.linalg.norm(pulse)


@pytest.mark.slow
def test_blips_are_found_where_they_were_put(untrained):
    blips = np.stack([_pulse(frequency) for frequency in np.linspace(100, 300, 30)])
    rng = np.random.default_rng(1)
    found = list(
        generated_blips.examples(blips, "L1_O3a_measured_asd", pipeline_of(untrained), rng)
    )
    assert len(found) >= 25
    for each in found:
        assert each.trigger.snr == pytest.approx(each.injected_snr, rel=0.3, abs=2)


def test_blips_are_counted_by_label(untrained, tmp_path, capsys):
    path = tmp_path / "blips.npz"
    np.savez(path, H1=_pulse(150)[None], L1=_pulse(250)[None])
    figures = tmp_path / "figures.json"
    arguments = [str(path), "--model", str(untrained.folder), "--json", str(figures)]
    assert generated_blips.main(arguments) == 0
    assert figures.is_file()
    assert "blips of gengli that were found" in capsys.readouterr().out


@pytest.mark.slow
def test_snippets_are_labelled_and_drawn(untrained, tmp_path, capsys):
    rng, curve = np.random.default_rng(2), noise.load("L1_O3a_measured_asd")
    strain = np.stack([noise.coloured(curve, RATE, RATE, rng) for _ in range(8)])
    pulse = np.pad(_pulse(200.0), RATE)
    loud = noise.strain_of(pulse, RATE, curve, 16.0)
    middle = len(loud) // 2
    strain[3] += 30 * loud[middle - RATE // 2 : middle + RATE // 2]
    path, picture = tmp_path / "snippets.h5", tmp_path / "picture.png"
    with h5py.File(path, "w") as file:
        file["strain"], file["omicron_snr"] = strain, np.full(8, 10.0)
    found = real_glitches.labelled(path, untrained)
    assert found[3].detected
    assert found[3].trigger.snr == pytest.approx(30, rel=0.2)
    assert abs(found[3].trigger.time_ns - real_glitches.MIDDLE_NS) < 5e6
    arguments = [str(path), "--model", str(untrained.folder), "--picture", str(picture)]
    assert real_glitches.main(arguments) == 0
    assert picture.stat().st_size > 10_000
    assert len(capsys.readouterr().out.splitlines()) == 10
