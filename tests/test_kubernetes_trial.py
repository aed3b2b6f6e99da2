"""What `make k8s-test` installs and looks at, without a cluster."""

import json

import pytest
import yaml

from flink import images
from flink.kubernetes import release, trial
from flink.kubernetes.release import CHART, VALUES
from flink.processes import Problem


def merged():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for path in VALUES:
        update(values, yaml.safe_load(path.read_text()))
    return values


def update(values, more):
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            update(values[key], value)
        else:
            values[key] = value


def test_the_chart_asks_for_the_images_that_are_built():
    values = merged()
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    for name in images.NAMES:
        repository = values["images"][name]["repository"]
        reference = f"{values['images']['registry']}/{repository}:{chart['appVersion']}"
        assert reference == images.ImageSettings().reference(name)
    assert values["images"]["pullPolicy"] == "Never"


def test_another_waits_for_each_that_is_killed():
    values = merged()
    assert values["jobManager"]["replicas"] >= 2
    slots = values["taskManager"]["replicas"] * values["taskManager"]["slots"]
    assert slots >= 2 * values["live"]["parallelism"]


def test_names_are_those_of_the_release():
    values = merged()
    assert f"wavefier-live-{values['live']['group']}" == release.JOB
    assert values["live"]["publish"] == release.PUBLISH
    assert values["kafka"]["trial"]["enabled"]


def test_the_science_is_the_one_that_the_archive_is_compared_with():
    assert trial._science() == merged()["science"]


def test_the_strain_is_of_two_detectors():
    assert [path.name[:1] for path in trial.STRAIN] == ["H", "L"]


def test_the_leader_is_the_pod_whose_address_flink_noted(monkeypatch):
    asked = []

    def kubectl(*command):
        asked.append(command)
        noted = '{"org.apache.flink.k8s.leader.restserver":"3f2a,http://10.244.0.9:8081"}'
        return noted if command[1] == "configmaps" else "pod/wavefier-jobmanager-x\n"

    monkeypatch.setattr(release, "kubectl", kubectl)
    assert release.leader() == "wavefier-jobmanager-x"
    assert "--field-selector=status.podIP=10.244.0.9" in asked[-1]


def test_without_a_leader_it_says_so(monkeypatch):
    monkeypatch.setattr(release, "kubectl", lambda *_: "")
    with pytest.raises(Problem, match="leads"):
        release.leader()


def test_what_a_namespace_has_of_its_own_accord_is_not_left_over(monkeypatch):
    listed = "configmap/kube-root-ca.crt\nserviceaccount/default\ndeployment.apps/wavefier\n"
    monkeypatch.setattr(release, "kubectl", lambda *_: listed)
    assert release.left() == ["deployment/wavefier"]


@pytest.mark.parametrize(
    ("state", "running", "expected"),
    [("RUNNING", 3, True), ("RUNNING", 2, False), ("RESTARTING", 3, False)],
)
def test_a_job_runs_when_all_its_tasks_do(monkeypatch, state, running, expected):
    tasks = {"total": 3, "running": running}
    known = {"name": release.JOB, "start-time": 1, "state": state, "tasks": tasks}
    monkeypatch.setattr(release.FLINK, "ask", lambda _: json.loads(json.dumps({"jobs": [known]})))
    assert release.runs() is expected
