"""Sets on disk: the same whoever makes them, and only once."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from models import pool
from models.simulation import simulate, waveforms
from models.training import dataset, examples
from models.training.batches import BESIDE_A_GAP, batches, beside_gaps
from transforms.classify.features import COLUMNS, SPANS
from transforms.detect.config import DetectConfig
from transforms.whiten.config import WhitenConfig

CONFIG = simulate.SimulationConfig(
    ("aligo_O4high",), stretches=4, noise_stretches=1, sample_rates=(1024,), seconds=64
)
PLAN = dataset.SetPlan("test", CONFIG, WhitenConfig(), DetectConfig(threshold=5), (7, 2))


class Stopped(Exception):
    """Stands for Ctrl-C."""


def _silent(*_):
    pass


def _same(one, other):
    return all(np.array_equal(getattr(one, n), getattr(other, n)) for n in examples.NAMES)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return dataset.make(PLAN, tmp_path_factory.mktemp("work"), 1, _silent)


@pytest.mark.slow
def test_a_set_holds_what_is_simulated(made):
    found = list(simulate.simulate(CONFIG, PLAN.whitening, PLAN.detection, PLAN.seed))
    expected = examples.collect(found)
    assert made.image.dtype == np.float16
    for name in set(examples.NAMES) - {"stretch"}:
        assert np.array_equal(getattr(made, name), getattr(expected, name))
    assert set(made.stretch) <= set(range(5))
    assert (made.injected_snr == 0).tolist() == [e.label == waveforms.NOISE for e in found]


@pytest.mark.slow
def test_processes_make_the_same_set(made, tmp_path):
    assert _same(dataset.make(PLAN, tmp_path, 2, _silent), made)


@pytest.mark.slow
def test_an_interrupted_set_is_gone_on_with(made, tmp_path, monkeypatch):
    def stop(_step, done, _total):
        if done == 4:
            raise Stopped

    with pytest.raises(Stopped):
        dataset.make(PLAN, tmp_path, 1, stop)
    again = []
    real = dataset.stretch_examples
    monkeypatch.setattr(dataset, "stretch_examples", lambda *a: again.append(a[1]) or real(*a))
    told = []
    assert _same(dataset.make(PLAN, tmp_path, 1, lambda *step: told.append(step)), made)
    assert again == [4]
    assert told[0] == ("simulating test", 5, 5)
    assert _same(dataset.make(PLAN, tmp_path, 1, _silent), made)
    assert again == [4]


@pytest.mark.slow
def test_batches_hold_each_example_once_in_another_order_each_epoch(made):
    data = batches(made, 7, seed=3)
    orders = []
    for epoch in (0, 1, 0):
        data.epoch = epoch
        parts = [data[i] for i in range(len(data))]
        inputs = np.concatenate([part[0]["parameters"] for part in parts])
        assert parts[0][0]["image"].dtype == np.float32
        orders.append(inputs[:, 0].tolist())
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(made.parameters[:, 0].tolist())
    assert orders[0] != orders[1]
    assert orders[0] == orders[2]


def test_without_a_seed_batches_hold_the_examples_as_they_are(made):
    data = batches(made, 7)
    images = np.concatenate([data[i][0]["image"] for i in range(len(data))])
    assert np.array_equal(images, made.image)


def test_some_examples_are_shown_beside_a_gap_which_all_spans_see_alike():
    shown = beside_gaps(
        np.ones((2000, 2, COLUMNS, len(SPANS)), np.float32), np.random.default_rng(1)
    )
    changed = (shown == 0).any(axis=(1, 2, 3))
    assert np.mean(changed) == pytest.approx(BESIDE_A_GAP, abs=0.03)
    assert np.array_equal(shown[:, 0], shown[:, 1])
    before = np.array([span.before for span in SPANS])
    time = (np.arange(COLUMNS)[:, None] - before) / [span.columns_per_second for span in SPANS]
    early = [time[image == 0].max() < time[image == 1].min() for image in shown[changed, 0]]
    late = [time[image == 0].min() > time[image == 1].max() for image in shown[changed, 0]]
    assert np.array_equal(early, ~np.array(late))
    assert 0.4 < np.mean(early) < 0.6
    assert all((shown[:, 0, span.before, number] == 1).all() for number, span in enumerate(SPANS))


@pytest.mark.slow
def test_the_same_draws_put_the_same_examples_beside_a_gap(made):
    first, second = (batches(made, 7, seed=3) for _ in range(2))
    assert np.array_equal(first[1][0]["image"], second[1][0]["image"])


def test_one_process_is_this_one():
    assert list(pool.each(abs, [-1, 2], 1)) == [1, 2]


def test_a_killed_process_is_told_in_one_line():
    with pytest.raises(pool.PoolError, match="fewer --processes"):
        list(pool.each(os._exit, [1, 1], 2))


def test_processes_end_with_their_parent_even_if_that_is_killed(tmp_path):
    path = tmp_path / "parent.py"
    path.write_text(
        "import os, pathlib, time\n"
        "from models import pool\n"
        "def wait(folder):\n"
        "    pathlib.Path(folder, str(os.getpid())).touch()\n"
        "    time.sleep(3000)\n"
        "if __name__ == '__main__':\n"
        "    list(pool.each(wait, [os.environ['FOLDER']] * 2, 2))\n"
    )
    folder = tmp_path / "pids"
    folder.mkdir()
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "FOLDER": str(folder), "PYTHONPATH": root}
    with subprocess.Popen([sys.executable, str(path)], env=environment) as parent:
        _until(lambda: len(list(folder.iterdir())) == 2)
        parent.kill()
    pids = [int(one.name) for one in folder.iterdir()]
    _until(lambda: not any(_alive(pid) for pid in pids))


def _alive(pid):
    stat = Path(f"/proc/{pid}/stat")
    return stat.is_file() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def _until(true, seconds=240):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
