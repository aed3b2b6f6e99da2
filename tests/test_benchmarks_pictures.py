"""Simulated transients are drawn beside Gravity Spy's pictures, at the same scales."""

import warnings

import numpy as np
import pytest
from matplotlib.image import imread, imsave

from benchmarks.classification import pictures

# gwpy 4.1 asks astropy for a name that is on its way out.
pytestmark = pytest.mark.filterwarnings("ignore:COPY_IF_NEEDED")


@pytest.mark.slow
def test_a_tone_lies_where_it_is():
    rng = np.random.default_rng(1)
    rate, seconds = pictures.RATE, 16
    time = np.arange(seconds * rate) / rate - seconds / 2
    white = rng.standard_normal(len(time))
    white += 2 * np.exp(-0.5 * (time / 0.05) ** 2) * np.cos(2 * np.pi * 300 * time)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found = pictures.plane(white, seconds / 2, "tone")
    row, column = np.unravel_index(np.argmax(found.energy), found.energy.shape)
    assert found.frequencies[row] == pytest.approx(300, rel=0.05)
    assert abs(found.times[column]) < 0.05
    # gwpy's unit is the median energy of each frequency.
    assert np.median(found.energy) == pytest.approx(1, rel=0.05)
    assert found.frequencies[-1] == pytest.approx(2048, rel=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["none", "out"], "none is no folder"),
        ([".", "file"], "file: File exists; choose another OUT"),
        ([".", "out", "--each", "-1"], "'-1' is no number of 0 or more"),
        ([".", "out", "--labels", "bleep"], "invalid choice: 'bleep'"),
    ],
)
def test_a_mistake_in_the_call_is_one_line(tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(SystemExit) as end:
        pictures.main(options)
    assert end.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_class_may_be_drawn_without_examples(tmp_path):
    assert pictures.main([str(tmp_path), str(tmp_path), "--labels", "blip", "--each", "0"]) == 0
    assert (tmp_path / "blip.png").stat().st_size


@pytest.mark.slow
def test_the_command_draws_a_sheet_of_each_class_asked_for(tmp_path, capsys):
    for span in pictures.SPANS:
        imsave(tmp_path / f"Tomte_H1_abc_{span}s.png", np.zeros((40, 50, 3)))
    out = tmp_path / "out"
    asked = [str(tmp_path), str(out), "--labels", "tomte", "--each", "1"]
    assert pictures.main(asked) == 0
    assert capsys.readouterr().out.strip() == str(out / "tomte.png")
    drawn = imread(out / "tomte.png")[:, :, :3]
    # Gravity Spy's picture, here black, above; the simulated one, with its bright tomte, below.
    above, below = np.array_split(drawn, 2)
    assert (above.max(axis=2) == 0).mean() > 0.3
    yellow = (below[:, :, 0] > 0.9) & (below[:, :, 1] > 0.8) & (below[:, :, 2] < 0.3)
    assert yellow.sum() > 20
