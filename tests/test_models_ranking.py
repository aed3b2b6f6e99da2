"""Sets of simulated networks: kept, repeatable, labelled, with their causes."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from models.ranking import __main__ as ranking_command
from models.ranking import making, real, resample, sets
from models.simulation import network
from models.simulation.network import NetworkConfig
from transforms.classify import artefact
from transforms.gps import NANOSECONDS, to_index, to_ns
from transforms.significance.statistic import Card, load

PAIR = NetworkConfig(detectors=("H1", "L1"), seconds=40)


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return sets.Plan(work=tmp_path_factory.mktemp("network"), network=PAIR)


@pytest.fixture(scope="module")
def noise(plan):
    return sets.noise(plan, 1, 4)


@pytest.fixture(scope="module")
def heard(plan):
    return sets.signals(plan, 1, 12)


def test_noise_is_kept_and_read_as_it_was_made(plan, noise):
    told = []
    again = sets.noise(plan, 1, 4, lambda *step: told.append(step))
    assert again == noise
    assert not told
    assert {ifo: len(found) for ifo, found in noise.items()} == {"H1": 4, "L1": 4}
    assert sum(len(one.arrivals) for one in noise["L1"]) >= 3


def test_what_is_missing_is_made_again_alike(plan, noise, tmp_path):
    path = plan.folder(sets.NOISE, 1) / "L1-000002.npz"
    path.unlink()
    told = []
    assert sets.noise(plan, 1, 4, lambda *step: told.append(step)) == noise
    assert told == [("simulating noise", 8, 8)]


def test_fewer_stretches_are_the_first_of_more(plan, noise):
    assert sets.noise(plan, 1, 2) == {ifo: found[:2] for ifo, found in noise.items()}


def test_other_settings_lie_in_another_folder(plan):
    kinds = [
        plan,
        replace(plan, network=replace(PAIR, noise="storm")),
        replace(plan, detection=replace(plan.detection, threshold=5.0)),
    ]
    folders = {str(one.folder(sets.NOISE, 1)) for one in kinds}
    assert len(folders) == len(kinds)
    assert plan.folder(sets.NOISE, 2) != plan.folder(sets.NOISE, 1)
    assert replace(plan, processes=2).folder(sets.NOISE, 1) == plan.folder(sets.NOISE, 1)


def test_arrivals_are_labelled_and_lie_in_their_stretch(noise):
    classes = artefact.load_card(artefact.default_artefact()).classes
    for ifo, found in noise.items():
        for number, one in enumerate(found):
            assert one.ifo == ifo
            assert one.start_ns == PAIR.start_ns(number)
            assert one.end_ns == PAIR.start_ns(number + 1)
            times = [each.time_ns for each in one.arrivals]
            assert times == sorted(times)
            assert len(one.causes) == len(one.arrivals)
            for each in one.arrivals:
                assert one.start_ns <= each.time_ns < one.end_ns
                assert [name for name, _ in each.probabilities] == list(classes)
                assert sum(value for _, value in each.probabilities) == pytest.approx(1, abs=1e-3)
                assert each.label == max(each.probabilities, key=lambda pair: pair[1])[0]
                assert each.waveform_rate == 2048


def test_loud_signals_are_found_where_they_are(heard):
    assert sum(len(one.signals) for one in heard) >= 12
    loud = found = 0
    for one in heard:
        assert [seen.ifo for seen in one.seen] == list(PAIR.detectors)
        for place, seen in enumerate(one.seen):
            for number, signal in enumerate(one.signals):
                own = [
                    each
                    for each, cause in zip(seen.arrivals, seen.causes, strict=True)
                    if cause == number
                ]
                if signal.kind in ("sine_gaussian", "ring_down") and signal.snrs[place] > 9:
                    loud += 1
                    found += bool(own)
                    assert max(each.snr for each in own) == pytest.approx(
                        signal.snrs[place], rel=0.4
                    )
    assert loud > 2
    assert found == loud


def test_signals_are_read_as_they_were_made(plan, heard):
    assert sets.signals(plan, 1, 12) == heard
    assert sets.signals(plan, 1, 1) == heard[:1]


def test_stretches_without_room_for_a_signal_are_refused(tmp_path):
    plan = sets.Plan(work=tmp_path, network=replace(PAIR, detectors=("H1",), seconds=16))
    with pytest.raises(ValueError, match="hold no signal"):
        sets.signals(plan, 1, 1)


def test_drawn_again_arrivals_come_as_often(noise):
    seen, days = noise["L1"], 20 * network.DAY
    count = sum(len(one.arrivals) for one in seen)
    made = resample.resampled(seen, days, np.random.default_rng(1))
    assert len(made) == pytest.approx(count * days / sets.live_seconds(seen), rel=0.05)
    assert len({each.id for each in made}) == len(made)
    times = np.array([each.time_ns for each in made])
    assert (np.diff(times) >= 0).all()
    first = network.FIRST_GPS * NANOSECONDS
    assert np.mean(times - first) / 1e9 == pytest.approx(days / 2, rel=0.05)


def test_drawn_again_arrivals_look_as_before(noise):
    seen = noise["L1"]
    before = {each.id: each for one in seen for each in one.arrivals}
    for each in resample.resampled(seen, network.HOUR, np.random.default_rng(2)):
        old = before[each.id.rpartition("-")[0]]
        moved = each.time_ns - old.time_ns
        assert each == replace(
            old,
            id=each.id,
            time_ns=each.time_ns,
            start_ns=old.start_ns + moved,
            end_ns=old.end_ns + moved,
            waveform_start_ns=old.waveform_start_ns + moved,
        )
        assert to_ns(to_index(each.waveform_start_ns, 2048), 2048) == each.waveform_start_ns


def test_a_storm_moves_glitches_and_not_what_noise_makes(noise):
    seen = noise["L1"]
    causes = {
        each.id: cause >= 0
        for one in seen
        for each, cause in zip(one.arrivals, one.causes, strict=True)
    }
    assert any(causes.values())
    made = resample.resampled(seen, 20 * network.DAY, np.random.default_rng(3), "storm")
    first = network.FIRST_GPS * NANOSECONDS
    hour = np.array([(each.time_ns - first) // 10**9 % network.DAY // 3600 for each in made])
    glitch = np.array([causes[each.id.rpartition("-")[0]] for each in made])
    assert np.mean(hour[glitch] == 10) == pytest.approx(10 / 33, rel=0.1)
    if not glitch.all():
        assert np.mean(hour[~glitch] == 10) == pytest.approx(1 / 24, rel=0.3)


def test_nothing_seen_gives_nothing_again(noise):
    empty = [replace(one, arrivals=(), causes=()) for one in noise["H1"]]
    assert resample.resampled(empty, network.DAY, np.random.default_rng(1)) == []


def test_a_statistic_is_learnt_and_written_with_its_card(noise, heard, tmp_path):
    quiet = [replace(one, arrivals=(), causes=()) for one in noise["H1"]]
    with pytest.raises(ValueError, match="slid pairs"):
        making.learnt({**noise, "H1": quiet}, heard, ("H1", "L1"), Card(**CARD))
    signals = [arrival for one in heard for arrival in one.seen[0].arrivals]
    busy = {
        ifo: [replace(found[0], end_ns=found[0].start_ns + 10**12, arrivals=_spread(signals))]
        for ifo, found in noise.items()
    }
    made = making.learnt(busy, heard, ("H1", "L1"), Card(**CARD))
    assert made.card.signal_pairs > 2
    assert made.card.noise_pairs > 10
    made.save(tmp_path / "ranking.json")
    assert load(tmp_path / "ranking.json") == made


CARD = {
    **dict.fromkeys(("name", "command", "signals", "noise"), "test"),
    **dict.fromkeys(("signal_pairs", "noise_pairs"), 0),
    "seed": 1,
    "versions": (),
}


def _spread(arrivals):
    """Put arrivals ten seconds apart, so that slides bring many together."""
    start = network.FIRST_GPS * NANOSECONDS
    made = []
    for number in range(60):
        old = arrivals[number % len(arrivals)]
        moved = start + number * 16 * resample.GRID_NS * 321 - old.time_ns
        made.append(
            replace(
                old,
                id=f"{old.id}-{number}",
                time_ns=old.time_ns + moved,
                start_ns=old.start_ns + moved,
                end_ns=old.end_ns + moved,
                waveform_start_ns=old.waveform_start_ns + moved,
            )
        )
    return tuple(made)


def test_the_command_tells_what_is_wrong_in_one_line(tmp_path, monkeypatch):
    told = []

    def made(plan, recipe, strain, command, progress):
        assert strain == ()
        told.append((plan.network.detectors, recipe, command))
        raise ValueError("a network needs two detectors")

    monkeypatch.setattr(ranking_command, "made", made)
    arguments = ["--output", str(tmp_path / "a.json"), "--work", str(tmp_path), "--hours", "2"]
    with pytest.raises(SystemExit, match=r"models\.ranking: a network needs two detectors"):
        ranking_command.main([*arguments, "--detectors", "L1", "H1", "--seed", "7"])
    ((detectors, recipe, command),) = told
    assert detectors == ("H1", "L1")
    assert recipe == making.Recipe(hours=2.0, seed=7)
    assert command.startswith("python -m models.ranking --output")
    with pytest.raises(SystemExit, match="hours"):
        ranking_command.main([*arguments[:-1], "0"])
    with pytest.raises(SystemExit, match="X9"):
        ranking_command.main([*arguments, "--detectors", "X9"])


def test_hours_are_whole_stretches():
    assert making.Recipe(hours=1).stretches(NetworkConfig(seconds=600)) == 6
    assert making.Recipe(hours=1.01).stretches(NetworkConfig(seconds=600)) == 7
    assert making.Recipe(hours=1e-6).stretches(PAIR) == 1


def test_one_detector_is_no_network(tmp_path):
    plan = sets.Plan(work=tmp_path, network=replace(PAIR, detectors=("H1",)))
    with pytest.raises(ValueError, match="two detectors"):
        making.made(plan, making.Recipe())


def test_real_strain_is_set_end_to_end(plan, data, tmp_path):
    for name in ("H-H1_LOSC_4_V2-1126259446-32.hdf5", "L-L1_LOSC_4_V2-1126259446-32.hdf5"):
        shutil.copy(data / name, tmp_path)
        shutil.copy(data / name, tmp_path / f"a-second-{name}")
    start = network.FIRST_GPS * NANOSECONDS
    found = real.noise([tmp_path], plan, start)
    assert sorted(found) == ["H1", "L1"]
    for ifo, stretches in found.items():
        assert sets.live_seconds(stretches) == 64
        assert start <= stretches[0].start_ns < start + resample.GRID_NS
        apart = stretches[1].start_ns - stretches[0].end_ns
        assert 0 <= apart < resample.GRID_NS
        one, other = (stretch.arrivals for stretch in stretches)
        # The second is the first again, with the event in it.
        assert [each.rank for each in one] == [each.rank for each in other]
        assert any(each.label == "cbc" for each in one), ifo
        for stretch in stretches:
            for each in stretch.arrivals:
                assert stretch.start_ns <= each.time_ns < stretch.end_ns


def test_folders_without_strain_are_refused(plan, tmp_path):
    with pytest.raises(ValueError, match="no strain of H1, L1"):
        real.noise([tmp_path], plan, 0)
    with pytest.raises(ValueError, match="is no folder"):
        real.noise([tmp_path / "nowhere"], plan, 0)
    assert real.noise([], plan, 0) == {"H1": [], "L1": []}
