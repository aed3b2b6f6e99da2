"""What a label costs: each back end is measured in a process of its own, beside the others."""

import json

import pytest

from benchmarks import report
from benchmarks.classification import backends, cost
from transforms.classify.features import model_input


@pytest.mark.slow
def test_the_command_prints_a_table_and_writes_the_same(tmp_path, capsys):
    path = tmp_path / "figures.json"
    sizes = ["--triggers", "60", "--repeats", "1", "--cores", "0", "--compared", "8"]
    assert cost.main([*sizes, "--json", str(path)]) == 0
    figures = json.loads(path.read_text())
    printed = capsys.readouterr().out
    assert figures["model"] in printed
    assert set(report.LIBRARIES) < set(figures["versions"])
    left_out = backends.missing()
    assert set(left_out) <= {backends.LITERT}
    assert all(f"{name} is left out" in printed for name in left_out)
    measured = [name for name in backends.LOADERS if name not in left_out]
    assert [row["backend"] for row in figures["rows"]] == measured
    for row in figures["rows"]:
        assert min(row[key] for key in ("load", "load_cpu", "memory", "features")) > 0
        assert row["together"] > row["inference"] > 0
        assert row["batched"] > 0
        assert f"{row['inference']:.2f}" in printed
        assert row["apart"] <= 1e-5
        assert row["other_labels"] == 0
    apart = {row["backend"]: row["apart"] for row in figures["rows"]}
    assert apart[backends.TENSORFLOW] == 0
    # Eight answers are there to be compared: two libraries do not agree in every digit of all.
    assert apart["onnx"] > 0


def test_one_slow_process_does_not_count():
    rows = [{"backend": "onnx", "load": load} for load in (1.0, 9.0, 2.0)]
    assert cost._median(rows) == {"backend": "onnx", "load": 2.0}


def test_its_trigger_is_one_that_the_model_sees():
    seen = model_input(cost._trigger(1, 2))
    assert (seen.image[:, :, 0] > 0).all()
