"""What `make k8s-test` installs and looks at, without a cluster."""

import json

import jsonschema
import numpy as np
import pytest
import yaml

from beam_pipeline.config import parse_config
from benchmarks.rehearsal.compare import COMPARED
from benchmarks.rehearsal.kubernetes import release, reprocess, strain, trial
from benchmarks.rehearsal.kubernetes.release import CHART, VALUES
from flink import images
from flink.processes import Problem
from transforms.gps import NANOSECONDS
from transforms.ingest.config import IngestConfig
from transforms.ingest.files import formats


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
    assert strain.science() == parse_config(merged()["science"])


def test_the_chart_takes_what_its_archive_job_is_tried_with():
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = merged()
    update(values, reprocess._values(["H-H1.hdf5"]))
    jsonschema.validate(values, schema)
    assert not values["live"]["enabled"]
    assert values["archive"]["input"]["claim"] == reprocess._claim()["metadata"]["name"]


def test_a_minute_of_two_detectors_is_played(tmp_path):
    files = [str(path) for path in strain.played(tmp_path)]
    spans = [formats.describe(path, IngestConfig())[0] for path in files]
    assert [span.ifo for span in spans] == ["H1", "L1", "H1", "L1"]
    first, _, again, _ = spans
    assert again.gps_start_ns == first.gps_start_ns + strain.AGAIN_S * NANOSECONDS
    assert again.gps_start_ns == first.gps_end_ns + NANOSECONDS
    played, later = (
        formats.read(path, span.channel, span.gps_start_ns, span.gps_end_ns, 4096)
        for path, span in zip(files[::2], spans[::2], strict=True)
    )
    assert np.array_equal(played, later)


def test_what_ends_near_the_end_of_the_strain_may_stay_open():
    """Three seconds that a long signal reaches back, and what more data could still join."""
    (since,) = strain.left_open([{"channel": "H1:STRAIN"}]).values()
    assert strain.EVENTS_S[1] < since < 1126259478 + strain.AGAIN_S - 3


def test_a_trigger_that_lacks_is_told_with_detector_time_and_snr(capsys):
    row = {**dict.fromkeys(COMPARED), "id": "a1", "ifo": "H1", "channel": "H1:STRAIN"}
    row |= {"time": 1126259462.42, "end_time": 1126259462.5, "snr": 13.2, "label": "cbc"}
    with pytest.raises(Problem, match=r"missing: H1 at 1126259462.420, SNR 13.20, .*, a1"):
        trial._report([row], [])
    with pytest.raises(Problem, match=r"too many: H1 at 1126259462.420, SNR 13.20, final, a1"):
        trial._report([{**row, "id": "b2"}], [{**row, "status": "final"}])
    capsys.readouterr()
    trial._report([row], [{**row, "status": "final"}])
    assert "1 triggers: 0 lost, 0 too many, 0 differ; 1 messages" in capsys.readouterr().out


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
    ("changed", "running", "total", "expected"),
    [(7, 3, 3, False), (8, 2, 3, False), (8, 0, 0, False), (8, 3, 3, True)],
)
def test_a_job_that_only_goes_on_has_not_begun_again(
    monkeypatch, changed, running, total, expected
):
    """The JobManager that was killed may answer once more."""
    known = {"name": release.JOB, "start-time": 1, "state": "RUNNING", "last-modification": changed}
    known["tasks"] = {"total": total, "running": running}
    monkeypatch.setattr(release.FLINK, "ask", lambda _: {"jobs": [known]})
    assert release.changed() == changed
    assert release.runs_since(7) is expected


@pytest.mark.parametrize(
    ("state", "running", "expected"),
    [("RUNNING", 3, True), ("RUNNING", 2, False), ("RESTARTING", 3, False)],
)
def test_a_job_runs_when_all_its_tasks_do(monkeypatch, state, running, expected):
    tasks = {"total": 3, "running": running}
    known = {"name": release.JOB, "start-time": 1, "state": state, "tasks": tasks}
    monkeypatch.setattr(release.FLINK, "ask", lambda _: json.loads(json.dumps({"jobs": [known]})))
    assert release.runs() is expected
