"""Alert rules and dashboard: each alert fires for its cause alone, and all can be drawn."""

import json
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

from flink.dev import prometheus as tools
from flink.dev.prometheus import (
    ALERTS,
    DASHBOARD,
    HERE,
    dashboard_queries,
    fetch,
    main,
    metrics_of,
    program,
    rules,
)
from flink.processes import Problem
from transforms.observe.catalogue import CATALOGUE, HISTOGRAM, PREFIX

ROOT = Path(__file__).parents[1]
CASES = HERE / "alerts_test.yaml"
NAMES = [rule["alert"] for rule in rules() if "alert" in rule]
SCHEMA = HERE / "dashboard.schema.json"


@pytest.fixture(scope="module")
def promtool():
    """Leave out what needs Prometheus where there is none, or fail where it must be there."""
    try:
        return program("promtool")
    except Problem as problem:
        if tools.required():
            pytest.fail(str(problem))
        pytest.skip(f"left out: {problem}")


def told(promtool, *arguments):
    return subprocess.run([promtool, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_rules_do_what_their_cases_say(promtool):
    for what, path in (("check", ALERTS), ("test", CASES)):
        done = told(promtool, what, "rules", path)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("expression", ["vector(1)", "vector(1) > 2"])
def test_the_cases_tell_alerts_that_fire_always_or_never(promtool, tmp_path, expression):
    tree = yaml.safe_load(ALERTS.read_text())
    for rule in [rule for group in tree["groups"] for rule in group["rules"] if "alert" in rule]:
        rule |= {"expr": expression, "for": "0s"}
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(tree))
    cases = tmp_path / "alerts_test.yaml"
    cases.write_text(CASES.read_text())
    said = told(promtool, "test", "rules", cases)
    assert set(re.findall(r"alertname: (\w+)", said.stdout + said.stderr)) == set(NAMES)


def test_each_alert_has_a_case_with_its_cause_and_one_without():
    cases = [
        case
        for test in yaml.safe_load(CASES.read_text())["tests"]
        for case in test.get("alert_rule_test", ())
    ]
    for fires in (True, False):
        assert {c["alertname"] for c in cases if bool(c["exp_alerts"]) == fires} == set(NAMES)


def test_each_alert_says_what_to_do():
    text = (ROOT / "docs" / "monitoring.md").read_text()
    assert re.findall(r"^\| `(Wavefier\w+)`", text, re.MULTILINE) == NAMES
    for rule in rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("critical", "warning", "info")
            assert rule["annotations"]["summary"]


def known():
    names = {f"{PREFIX}_{one.name}" for one in CATALOGUE if one.kind != HISTOGRAM}
    ends = ("_bucket", "_sum", "_count")
    names |= {f"{PREFIX}_{m.name}{end}" for m in CATALOGUE if m.kind == HISTOGRAM for end in ends}
    return names | {rule["record"] for rule in rules() if "record" in rule}


def test_queries_ask_for_what_there_is():
    asked = [*dashboard_queries(), *(rule["expr"] for rule in rules())]
    ours = {name for query in asked for name in metrics_of(query) if name.startswith(PREFIX)}
    assert ours <= known()


def test_each_metric_is_on_the_dashboard():
    shown = {name for query in dashboard_queries() for name in metrics_of(query)}
    recorded = {r["record"]: metrics_of(r["expr"]) for r in rules() if "record" in r}
    for name in [name for name in shown if name in recorded]:
        shown |= recorded[name]
    for one in CATALOGUE:
        assert shown & {f"{PREFIX}_{one.name}", f"{PREFIX}_{one.name}_bucket"}, one.name


def test_the_dashboard_is_as_grafana_wants_it():
    board, schema = json.loads(DASHBOARD.read_text()), json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(board, schema)
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    taken = set()
    for at in (panel["gridPos"] for panel in board["panels"]):
        assert at["x"] + at["w"] <= 24
        own = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert not taken & own
        taken |= own


@pytest.mark.parametrize(
    "wrong", [{"type": "nonsense"}, {"targets": [{"refId": "A"}]}, {"gridPos": {"x": 0}}]
)
def test_a_panel_that_grafana_would_not_draw_is_told(wrong):
    board, schema = json.loads(DASHBOARD.read_text()), json.loads(SCHEMA.read_text())
    board["panels"][1].update(wrong)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(board, schema)


def test_without_prometheus_it_says_what_is_left_out(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "UNPACKED", tmp_path)
    monkeypatch.delenv("WAVEFIER_REQUIRE_PROMETHEUS", raising=False)
    assert main(["--if-possible"]) == 0
    assert capsys.readouterr().out.startswith("Left out: what needs Prometheus")
    monkeypatch.setenv("WAVEFIER_REQUIRE_PROMETHEUS", "1")
    assert main(["--if-possible"]) == 1
    assert "PATH" in capsys.readouterr().err


def test_debians_package_is_unpacked_and_nothing_is_installed(monkeypatch, tmp_path):
    """With stand-ins for apt and dpkg, which are asked for by name."""
    tool = "#!/bin/sh\necho x > prometheus_2_amd64.deb\n"
    (tmp_path / "apt-get").write_text(tool)
    tool = '#!/bin/sh\nmkdir -p "$3/usr/bin" && echo >"$3/usr/bin/promtool"\n'
    (tmp_path / "dpkg-deb").write_text(tool)
    for name in ("apt-get", "dpkg-deb"):
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    fetch(tmp_path / "made")
    assert (tmp_path / "made" / "usr" / "bin" / "promtool").exists()
