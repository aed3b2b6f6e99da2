"""What a network was not taught: left out of its examples, and told from what it knows."""

import numpy as np
import pytest

from benchmarks.classification import left_out, simple_families
from models.simulation import waveforms
from models.training.examples import Examples
from transforms.classify import features

CLASSES = waveforms.CLASSES


def _examples(labels, snr=20.0):
    count = len(labels)
    shape = len(features.FREQUENCIES), features.COLUMNS, len(features.SPANS)
    return Examples(
        image=np.zeros((count, *shape), np.float16),
        parameters=np.zeros((count, len(features.PARAMETERS)), np.float32),
        truth=np.array([CLASSES.index(label) for label in labels]),
        snr=np.full(count, snr),
        injected_snr=np.full(count, snr),
        loudest=np.ones(count, bool),
        stretch=np.arange(count),
    )


def _probabilities(rows):
    made = np.full((len(rows), len(CLASSES)), 1e-3)
    for row, (label, value) in zip(made, rows, strict=True):
        row[CLASSES.index(label)] = value
    return made / made.sum(axis=1, keepdims=True)


def test_every_family_is_left_out_once_and_never_all():
    dealt = [label for group in left_out.groups() for label in group]
    assert sorted(dealt) == sorted(set(waveforms.FAMILIES) - {"unknown"})
    assert len(left_out.groups()) == left_out.GROUPS


def test_labels_are_left_out_of_the_stretches_that_are_taken():
    kept = left_out.without(_examples(["blip", "cbc", "blip", "noise", "helix"]), ["blip"], 2)
    assert [CLASSES[i] for i in kept.truth] == ["helix"]
    assert kept.stretch.tolist() == [4]


def test_what_is_called_unknown_is_told_from_what_is_known():
    test = _examples(["helix", "helix", "cbc", "blip", "noise", "unknown"])
    rows = [("unknown", 0.9), ("blip", 0.5), ("cbc", 0.9), ("blip", 0.8)]
    answers = _probabilities([*rows, ("noise", 0.9), ("unknown", 0.9)])
    (found,) = left_out.measure(answers, test, ["helix"])
    assert (found.label, found.triggers, found.called_unknown) == ("helix", 2, 0.5)
    # The one called unknown ranks over both, the other one's doubt too.
    assert found.auc_largest == pytest.approx(1.0)
    assert found.auc_unknown >= 0.5


def test_quiet_triggers_do_not_count():
    (found,) = left_out.measure(
        _probabilities([("unknown", 0.9), ("cbc", 0.9)]),
        _examples(["helix", "cbc"], 6.0),
        ["helix"],
    )
    assert found.triggers == 0
    assert np.isnan(found.auc_unknown)


def test_quiet_signals_of_simple_families_are_told_among_all_and_among_four():
    test = _examples(["chirp", "whistle", "cbc", "chirp"], snr=6.5)
    answers = _probabilities([("ccsn", 0.9), ("whistle", 0.9), ("cbc", 0.9), ("noise", 0.9)])
    answers[[0, 3], CLASSES.index("chirp")] *= 2
    told = {row[0]: row[1:] for row in simple_families.rows(answers, test)}
    assert told["6-7"] == told["5-8"] == ["3", "0.333", "0.667", "1.000"]
    assert told["5-6"] == ["0", "nan", "nan", "nan"]
