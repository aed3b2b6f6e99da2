"""What the Makefile and CI do with the chart, without Go, Helm or a cluster."""

import json

import pytest

from flink import charts
from flink.processes import Problem

RECORDS = """#!/usr/bin/env python3
import json, os, sys
with open(os.environ["RECORD"], "a") as record:
    record.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] == os.environ.get("FAILS"):
    sys.exit("Error: release: not found")
print("done")
"""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Put something in Helm's place that records what it is asked."""
    for name in charts.TOOLS:
        (tmp_path / name).write_text(RECORDS)
        (tmp_path / name).chmod(0o755)
        (tmp_path / f".{name}.made-from").write_text(f"{charts.TOOLS[name]}\n")
    record = tmp_path / "record"
    monkeypatch.setenv("K8S_BINARIES", str(tmp_path))
    monkeypatch.setenv("RECORD", str(record))
    for name in ("HELM_RELEASE", "HELM_NAMESPACE", "HELM_VALUES", "HELM_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("IMAGES_REGISTRY", "IMAGES_TAG"):
        monkeypatch.delenv(name, raising=False)
    return lambda: [json.loads(line) for line in record.read_text().splitlines()]


def test_what_is_deployed_is_what_was_pushed_and_is_taken_back_by_itself(
    asked, tmp_path, monkeypatch
):
    values = tmp_path / "values.yaml"
    values.touch()
    monkeypatch.setenv("HELM_VALUES", str(values))
    monkeypatch.setenv("HELM_NAMESPACE", "gw")
    monkeypatch.setenv("IMAGES_REGISTRY", "registry.example/gw")
    monkeypatch.setenv("IMAGES_TAG", "abc123")
    assert charts.main(["deploy"]) == 0
    (line,) = asked()
    assert line[:3] == ["upgrade", "wavefier", str(charts.CHART)]
    assert {"--install", "--atomic", "--create-namespace"} <= set(line)
    assert line[line.index("--values") + 1] == str(values)
    assert line[line.index("--namespace") + 1] == "gw"
    assert "--set-string=images.registry=registry.example/gw" in line
    assert "--set-string=images.tag=abc123" in line


def test_values_that_are_not_there_are_one_line(asked, monkeypatch, capsys):
    monkeypatch.setenv("HELM_VALUES", "/nowhere/values.yaml")
    assert charts.main(["deploy"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "error: HELM_VALUES: there is no file '/nowhere/values.yaml' to read"


@pytest.mark.parametrize(
    ("action", "verb"), [("smoke", "test"), ("rollback", "rollback"), ("undeploy", "uninstall")]
)
def test_a_release_is_tested_taken_back_and_uninstalled(asked, action, verb, capsys):
    assert charts.main([action]) == 0
    (line,) = asked()
    assert line[:2] == [verb, "wavefier"]
    assert "--timeout" in line
    assert capsys.readouterr().out == "done\n"


def test_what_helm_says_is_passed_on(asked, monkeypatch, capsys):
    monkeypatch.setenv("FAILS", "rollback")
    assert charts.main(["rollback"]) == 1
    assert "Error: release: not found" in capsys.readouterr().err


@pytest.fixture
def nothing(tmp_path, monkeypatch):
    """Have neither programs nor Go."""
    monkeypatch.setenv("K8S_BINARIES", str(tmp_path / "bin"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("WAVEFIER_REQUIRE_GO", raising=False)


def test_without_go_it_is_said_what_is_left_out(nothing, capsys):
    assert charts.main(["tools", "--if-possible"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Left out: what needs Go (the Helm chart's tests). no go on the PATH")


def test_where_nothing_may_be_left_out_that_is_an_error(nothing, monkeypatch, capsys):
    monkeypatch.setenv("WAVEFIER_REQUIRE_GO", "1")
    assert charts.main(["tools", "--if-possible"]) == 1
    assert "install Go 1.24 or newer" in capsys.readouterr().err


def test_a_program_that_was_not_built_is_named_with_what_to_do(nothing):
    with pytest.raises(Problem, match="helm is missing or of another version: make chart-tools"):
        charts.tool("helm")


def test_an_old_go_is_refused(nothing, tmp_path):
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho go version go1.19.8 linux/amd64\n")
    go.chmod(0o755)
    with pytest.raises(Problem, match=r"go1\.19\.8 .* is too old: install Go 1\.24"):
        charts.possible()
