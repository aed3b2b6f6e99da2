"""Few labels: drawn from other groups alone, and more of them teach more."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.classification import few_labels
from models.evaluation.labelled import Row
from models.training import settings, teaching
from models.training.calibrated import Heard, Taught
from models.training.teaching import Layer, Lesson

CLASSES, FEATURES = 4, 8
UNKNOWN = CLASSES - 1
GROUPS = ("O3a_H1", "O3a_L1", "O3b_H1")


def _heard(rng, count, shift, classes=CLASSES):
    truth = np.arange(count) % classes
    features = rng.exponential(0.3, (count, FEATURES))
    features[np.arange(count), truth] += 2
    log_snr = rng.uniform(np.log(6), np.log(40), count)
    return Heard(Lesson(features + shift, truth, np.arange(count)), log_snr)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    train, validation, test = (_heard(rng, 400, 0.0) for _ in range(3))
    nothing = Layer(np.zeros((FEATURES, CLASSES)), np.zeros(CLASSES))
    layer = teaching.taught(nothing, train.lesson, train.lesson, 20.0)
    # Six glitches of three classes, each twice, which show in what simulated ones do not have.
    real = _heard(rng, 18, 0.0, 3)
    real.lesson.features[:] = np.roll(real.lesson.features, 4, axis=1)
    rows = np.repeat(np.arange(18), 2)
    return few_labels.Data(
        taught=Taught(layer=layer, train=train, validation=validation, unknown=UNKNOWN),
        test=test,
        real=Heard(
            Lesson(real.lesson.features[rows], real.lesson.truth[rows], rows), real.log_snr[rows]
        ),
        itself=np.arange(36) % 2 == 0,
        groups=np.array(GROUPS)[rows // 3 % 3],
    )


@pytest.mark.parametrize("number", [0, 1, 2, 4])
def test_what_is_taught_is_of_other_groups_and_of_each_class_alike(data, number):
    for name in GROUPS:
        taken = few_labels.chosen(data, name, number, np.random.default_rng(2))
        assert not np.any(data.groups[taken] == name)
        glitches = {(t, g) for t, g in zip(*_rows(data, taken), strict=True)}
        assert np.bincount([t for t, _ in glitches], minlength=3).tolist() == [number] * 3
        assert taken.sum() == 2 * len(glitches)


def _rows(data, taken):
    lesson = data.real.lesson
    return lesson.truth[taken].tolist(), lesson.glitch[taken].tolist()


def test_labels_help_what_was_left_out_and_cost_the_simulated_little(data):
    config = settings.read()
    found = [few_labels.outcome(data, config, number, 2) for number in (0, 4)]
    assert [each.taught for each in found] == [0, 12]
    assert found[1].right > found[0].right
    assert found[1].simulated > found[0].simulated - 0.02
    # Without labels nothing of the real ones is right, however sure the model is.
    assert found[0].right == 0
    assert found[0].wrong == found[0].sure > 0
    assert found[1].wrong < found[1].sure


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["work", "labels"], "there is no work/train.npz: give the folder that `wavefier train"),
        (["work", "none"], "none is no folder"),
        (["work", "labels", "--config", "none.yaml"], "none.yaml: cannot be read"),
        (["work", "labels", "--group", "("], "'(' is no pattern"),
        (["work", "labels", "--group", "x"], "its name has no x; set --group"),
        (["work", "labels", "--draws", "0"], "--draws: must be at least 1"),
        (["work", "labels", "--draws", "-1"], "--draws: '-1' is no number"),
    ],
)
def test_a_mistake_in_the_call_is_one_line(tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "labels"
    folder.mkdir()
    (folder / "H1_O3_a.hdf5").write_bytes(b"")
    (folder / "labels.csv").write_text("file,time,ifo,label\nH1_O3_a.hdf5,1e9,H1,blip\n")
    with pytest.raises(SystemExit) as end:
        few_labels.main(options)
    assert end.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_group_is_named_by_the_file():
    row = Row(number=0, file=Path("d/O3a_H1_Blip_0.hdf5"), time=0.0, ifo="H1", label="blip")
    assert few_labels.group(row, few_labels.GROUP) == "O3a_H1"
    with pytest.raises(ValueError, match="has no x; set --group"):
        few_labels.group(row, "x")
