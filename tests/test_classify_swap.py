"""Another model: other labels, and nothing else of a run changes."""

import pytest
import yaml

from beam_pipeline import cli, exits
from transforms.classify import artefact
from transforms.sink import writers

pytestmark = pytest.mark.slow

ANSWER = {"label", "score", "probabilities", "model"}
WHEN = {"emitted_at", "latency"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory, data, untrained):
    """Run the archive's job on GW150914 with either model; give rows by id, and segments."""
    folder = tmp_path_factory.mktemp("swap")
    files = sorted(map(str, data.glob("*_LOSC_4_V2-1126259446-32.hdf5")))
    found = []
    for name, model in (("packaged", ""), ("other", str(untrained.folder))):
        output, config = str(folder / name), folder / "config.yaml"
        science = {"classify": {"model": model}, "detect": {"threshold": 4.5}}
        config.write_text(yaml.safe_dump(science))
        assert cli.main(["run", *files, "--config", str(config), "--output", output]) == exits.DONE
        rows = {row["id"]: row for row in writers.read_triggers(output).to_pylist()}
        found.append((rows, writers.read_segments(output)))
    return found


def test_the_same_triggers_are_found(runs):
    (first, segments), (second, segments_again) = runs
    assert first.keys() == second.keys()
    assert len(first) > 2
    assert segments == segments_again


@pytest.mark.slow
def test_all_but_the_answer_is_equal(runs):
    (first, _), (second, _) = runs
    for name, row in first.items():
        kept = row.keys() - ANSWER - WHEN
        assert {key: row[key] for key in kept} == {key: second[name][key] for key in kept}


def test_each_trigger_names_the_model_that_labelled_it(runs, untrained):
    (first, _), (second, _) = runs
    packaged = artefact.load_card(artefact.default_artefact())
    for rows, card in ((first, packaged), (second, untrained)):
        assert {row["model"] for row in rows.values()} == {card.label}
        assert {row["label"] for row in rows.values()} <= set(card.classes)
    assert packaged.label != untrained.label
