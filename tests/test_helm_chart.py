"""The Helm chart: what it makes, what it refuses, and that its numbers are the measured ones."""

import json
import re
from dataclasses import fields
from typing import get_type_hints

import pytest
import yaml

from beam_pipeline.application import PROGRAM
from beam_pipeline.cli import _parser
from beam_pipeline.config import PipelineConfig, load_config
from flink import charts, configuration
from flink.processes import Problem
from flink.settings import QUICK, ClusterSettings

EXAMPLES = [path.stem for path in charts.examples()]
LIVE = ("--set", "kafka.brokers=kafka:9092")
SCHEMA = json.loads((charts.CHART / "values.schema.json").read_text())


@pytest.fixture(scope="module", autouse=True)
def tools():
    """Leave out what needs Helm where it can be neither found nor built, or fail if it must be."""
    try:
        charts.possible()
    except Problem as problem:
        if charts.required():
            pytest.fail(str(problem))
        pytest.skip(f"left out: {problem}")


def made(*given):
    """Give what the chart makes, by kind and name."""
    parts = [part for part in yaml.safe_load_all(charts.render(*given)) if part]
    return {(part["kind"], part["metadata"]["name"]): part for part in parts}


def example(name):
    return made("--values", str(charts.EXAMPLES / f"{name}.yaml"))


def pod_specs(parts):
    """Give the pods' specifications, by kind and name of what holds them, with their volumes."""
    found = {}
    for key, part in parts.items():
        spec = part.get("spec", {})
        if key[0] == "Pod":
            found[key] = spec
        elif "template" in spec:
            claims = [one["metadata"] for one in spec.get("volumeClaimTemplates", ())]
            pod = spec["template"]["spec"]
            volumes = [*pod["volumes"], *({**one, "persistentVolumeClaim": {}} for one in claims)]
            found[key] = {**pod, "volumes": volumes}
    return found


def containers(pod):
    return [*pod.get("initContainers", []), *pod["containers"]]


def settings_of(parts):
    (text,) = (
        part["data"]["config.yaml"]
        for part in parts.values()
        if "config.yaml" in part.get("data", {})
    )
    return yaml.safe_load(text)


@pytest.mark.parametrize("name", EXAMPLES)
def test_helm_finds_no_fault_and_kubernetes_knows_every_key(name):
    path = charts.EXAMPLES / f"{name}.yaml"
    charts.lint(path)
    rendered = charts.render("--values", str(path))
    count = len(re.findall(r"^kind:", rendered, re.MULTILINE))
    assert f"Valid: {count}, Invalid: 0, Errors: 0, Skipped: 0" in charts.conform(rendered)


def test_there_are_five_examples():
    assert EXAMPLES == ["archive", "laptop", "live", "s3", "secured"]


BOTH = ["--values", str(charts.EXAMPLES / "archive.yaml"), "--set", "live.enabled=true"]


@pytest.mark.parametrize(
    "given",
    [
        BOTH,
        ["--set", "metrics.flinkPort=0,metrics.workerPort=0,podDisruptionBudget.enabled=false"],
        ["--set", "rbac.create=false,rbac.jobManagerAccount=a,rbac.taskManagerAccount=b"],
        ["--set", "images.registry=r.example:5000/gw,images.tag=1.2,images.pullSecrets={a,b}"],
        ["--set", "pods.priorityClass=high,pods.labels.team=gw,pods.annotations.note=x"],
        ["--set", "storage.state.volume.storageClass=fast,storage.results.volume.claim=mine"],
        ["--set", "live.channels={H1:A,L1:B},live.options={--max_bundle_size=16},live.files=false"],
        ["--set", "networkPolicy.web[0].namespaceSelector.matchLabels.a=b", *BOTH],
    ],
    ids=" ".join,
)
def test_other_values_make_what_kubernetes_takes_too(given):
    assert "Invalid: 0, Errors: 0, Skipped: 0" in charts.conform(charts.render(*LIVE, *given))


def test_an_unknown_key_of_kubernetes_is_found():
    rendered = charts.render(*LIVE).replace("readOnlyRootFilesystem", "readOnlyRoot")
    with pytest.raises(Problem, match="readOnlyRoot"):
        charts.conform(rendered)


def test_the_operators_manifest_is_as_its_resource_is_defined():
    manifest = charts.ROOT / "flink" / "operator" / "flinkdeployment.yaml"
    text = manifest.read_text()
    assert "Valid: 2, Invalid: 0" in charts.conform(text)
    with pytest.raises(Problem, match="upgradeMode"):
        charts.conform(text.replace("upgradeMode: stateless", "upgradeMode: none"))
    deployment = list(yaml.safe_load_all(text))[1]
    assert deployment["spec"]["job"]["entryClass"] == PROGRAM


@pytest.mark.parametrize("name", EXAMPLES)
def test_pods_are_as_restricted_namespaces_demand(name):
    pods = pod_specs(example(name))
    assert pods
    for where, pod in pods.items():
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True, where
        assert context["runAsUser"] > 0
        assert context["runAsGroup"] > 0
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert pod["automountServiceAccountToken"] is False
        allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
        assert {next(key for key in one if key != "name") for one in pod["volumes"]} <= allowed
        for container in containers(pod):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False
            assert own["readOnlyRootFilesystem"] is True
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"]["cpu"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_only_who_speaks_to_kubernetes_has_a_token(name):
    for pod in pod_specs(example(name)).values():
        for container in containers(pod):
            mounts = {one["name"] for one in container["volumeMounts"]}
            assert ("token" in mounts) == (container["name"] in ("flink", "forget"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_mounted_is_there(name):
    parts = example(name)
    for pod in pod_specs(parts).values():
        volumes = {one["name"]: one for one in pod["volumes"]}
        used = {mount["name"] for one in containers(pod) for mount in one["volumeMounts"]}
        assert used == set(volumes)
        for volume in volumes.values():
            held = volume.get("configMap", {}).get("name")
            assert held is None or ("ConfigMap", held) in parts


# Each with what the user is told.
WRONG = {
    "live.start=now": r"/live/start.*'latest', 'earliest'",
    "live.parallelism=0": r"/live/parallelism.*minimum",
    "live.paralelism=2": r"/live.*'paralelism' not allowed",
    "live.topics={a b}": r"/live/topics/0.*does not match pattern",
    "live.checkpointSeconds=ten": r"/live/checkpointSeconds.*got string, want integer",
    "kafka.brokers=kafka": r"/kafka/brokers.*does not match pattern",
    "kafka.password=secret": r"/kafka.*'password' not allowed",
    "science.whiten.psd_second=16": r"/science/whiten.*'psd_second' not allowed",
    "storage.state.kind=disk": r"/storage/state/kind.*'volume', 's3'",
    "storage.results.volume.size=fifty": r"/storage/results/volume/size.*pattern",
    "taskManager.memoryMb=512": r"/taskManager/memoryMb.*minimum.*1,?024",
    "pods.user=0": r"/pods/user.*minimum",
    "images.worker.digest=sha256:abc": r"/images/worker/digest.*pattern",
    "networkPolicy.api.ports={70000}": r"/networkPolicy/api/ports/0.*maximum",
    # What concerns several values.
    "live.parallelism=9": r"live.parallelism 9 needs as many slots: .* is 4",
    "live.enabled=false": r"nothing to run: set live.enabled or archive.enabled",
    "kafka.brokers=": r"kafka.brokers: set HOST:PORT of your Kafka, or kafka.trial.enabled=true",
    "kafka.trial.enabled=true": r"kafka.brokers and kafka.trial.enabled: set only one",
    "storage.state.kind=s3": r"storage.state.s3.path: set s3://BUCKET/PREFIX",
    "pods.user=9,storage.state.kind=s3,storage.state.s3.path=s3://frames/p": r"pods.user: .* 10001",
    "archive.enabled=true": r"archive.files: name the files",
    "rbac.create=false": r"name the accounts that are there",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_value_is_named(wrong):
    with pytest.raises(Problem, match=rf"(?s){WRONG[wrong]}"):
        charts.render(*LIVE, "--set", wrong)


def test_a_number_with_a_point_reaches_the_science_as_a_number():
    parts = made(*LIVE, "--set-json", "science.detect.threshold=5.5")
    science = parts["ConfigMap", "gw-wavefier-science"]["data"]["science.yaml"]
    assert yaml.safe_load(science) == {"detect": {"threshold": 5.5}}
    with pytest.raises(Problem, match=r"/science/detect/threshold.*got string, want number"):
        charts.render(*LIVE, "--set", "science.detect.threshold=5.5")


def test_every_value_has_its_place_in_the_schema_and_a_default():
    values = yaml.safe_load((charts.CHART / "values.yaml").read_text())

    def compare(value, schema, path):
        if "$ref" in schema:
            schema = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]
        if schema.get("properties") is None or not isinstance(value, dict) or not value:
            return
        assert schema["additionalProperties"] is False, path
        optional = {"global", "limits", "requests", "ephemeral-storage", "cpu", "memory"}
        assert set(value) - optional == set(schema["properties"]) - optional, path
        for key in value:
            compare(value[key], schema["properties"][key], f"{path}.{key}")

    compare(values, SCHEMA, "values")


def test_the_science_of_the_schema_is_that_of_the_code():
    known = SCHEMA["properties"]["science"]["properties"]
    stages = get_type_hints(PipelineConfig)
    assert set(known) == set(stages)
    for name, stage in stages.items():
        assert set(known[name]["properties"]) == {field.name for field in fields(stage)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_science_is_one_that_the_code_takes(name, tmp_path):
    science = example(name)["ConfigMap", "gw-wavefier-science"]["data"]["science.yaml"]
    path = tmp_path / "science.yaml"
    path.write_text(science)
    given = yaml.safe_load((charts.EXAMPLES / f"{name}.yaml").read_text()).get("science", {})
    read = load_config(path)
    for stage, section in given.items():
        for key, value in section.items():
            assert getattr(getattr(read, stage), key) == value


def test_flink_is_set_as_was_measured(tmp_path):
    distribution = tmp_path / "distribution" / "conf"
    distribution.mkdir(parents=True)
    (distribution / "log4j-console.properties").touch()
    (distribution / "config.yaml").write_text(" all: --add-opens=java.base/java.lang=ALL-UNNAMED\n")
    folder = configuration.write_cluster(ClusterSettings(folder=tmp_path), distribution.parent)
    measured = yaml.safe_load((folder / "config.yaml").read_text())
    ours = settings_of(made(*LIVE))
    # Addresses are the pods', folders the volume's, and ports the chart's own.
    places = re.compile(r".*(address|host|port|dirs?|env\.java.*|interval)")
    for key, value in measured.items():
        if not places.fullmatch(key):
            assert yaml.safe_load(ours[key]) == value, key
    assert ours["heartbeat.interval"] == str(measured["heartbeat.interval"])
    assert configuration.OUT_OF_MEMORY in ours["env.java.opts.all"]
    assert set(ours["env.java.opts.jobmanager"].split()) == set(QUICK.split())


def test_a_users_setting_of_flink_wins():
    more = "flink.configuration.heartbeat\\.timeout=20000"
    ours = settings_of(made(*LIVE, "--set-string", more))
    assert ours["heartbeat.timeout"] == "20000"
    assert ours["heartbeat.interval"] == "500"


def job_of(parts):
    return settings_of(parts)["kubernetes.cluster-id"]


def test_another_science_is_another_job_in_another_folder():
    before, same = made(*LIVE), made(*LIVE, "--set", "taskManager.replicas=5")
    other = made(*LIVE, "--set", "science.whiten.psd_seconds=32")
    assert job_of(before) == job_of(same) != job_of(other)
    for parts in (before, other):
        pod = pod_specs(parts)["Deployment", "gw-wavefier-jobmanager"]
        (forget, _) = pod["initContainers"]
        assert f"--but={job_of(parts)}" in forget["args"]
        assert re.fullmatch(r"gw-wavefier-[0-9a-f]{10}", job_of(parts))
        assert job_of(parts) in settings_of(parts)["high-availability.storageDir"]
    folders = [
        next(one for one in pod["initContainers"][1]["args"] if one.startswith("--output"))
        for pod in (
            pod_specs(parts)["Deployment", "gw-wavefier-jobmanager"] for parts in (before, other)
        )
    ]
    assert folders[0] != folders[1]


def test_scaling_restarts_nothing_and_science_restarts_all():
    def templates(*given):
        parts = made(*LIVE, *given)
        return [
            parts["Deployment", f"gw-wavefier-{name}"]["spec"]["template"]
            for name in ("jobmanager", "taskmanager")
        ]

    before = templates()
    assert templates("--set", "taskManager.replicas=5") == before
    after = templates("--set", "science.whiten.psd_seconds=32")
    assert after[0] != before[0]
    assert after[1] != before[1]


@pytest.mark.parametrize("name", ["laptop", "live", "s3", "secured"])
def test_the_live_command_is_one_that_the_command_line_takes(name):
    pod = pod_specs(example(name))["Deployment", "gw-wavefier-jobmanager"]
    job = pod["initContainers"][1]
    options, rest = _parser().parse_known_args([*job["command"][1:], *job["args"]])
    assert options.command == "live"
    assert options.application.parent.as_posix() == "/job"
    assert {one.partition("=")[0] for one in rest} == {"--parallelism", "--checkpointing_interval"}
    flink = pod["containers"][0]
    assert flink["args"][:2] == ["--job-classname", PROGRAM]
    (mount,) = (one for one in flink["volumeMounts"] if one["name"] == "job")
    assert mount["mountPath"].startswith("/opt/flink/usrlib/")


def test_the_archives_command_is_one_that_the_command_line_takes(tmp_path):
    parts = example("archive")
    assert not [key for key in parts if key[0] == "Deployment"]
    (job,) = (part for key, part in parts.items() if key[0] == "Job")
    container = job["spec"]["template"]["spec"]["containers"][0]
    listed = tmp_path / "files.txt"
    listed.write_text(parts["ConfigMap", "gw-wavefier-science"]["data"]["files.txt"])
    arguments = [
        f"@{listed}" if one.startswith("@") else one
        for one in (*container["command"][1:], *container["args"])
    ]
    options, rest = _parser().parse_known_args(arguments)
    assert options.files == [
        "/data/H-H1_GWOSC_O4a_4KHZ_R1-1368195072-4096.hdf5",
        "/data/L-L1_GWOSC_O4a_4KHZ_R1-1368195072-4096.hdf5",
    ]
    assert (options.start, options.end) == ("1368195072", "1368198672")
    assert rest == ["--direct_running_mode=multi_processing", "--direct_num_workers=4"]


@pytest.mark.parametrize("time", ["2015-09-14 09:50:45", "Sep 14 2015, 09:50 # UTC", 'a: "b"'])
def test_text_of_the_user_stays_one_argument(time):
    """As YAML, such text could be a comment or a mapping."""
    parts = made(
        "--values",
        str(charts.EXAMPLES / "archive.yaml"),
        "--set-string",
        f"archive.start={time}".replace(",", "\\,"),
    )
    (job,) = (part for key, part in parts.items() if key[0] == "Job")
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert f"--start={time}" in arguments


def test_other_files_are_another_job():
    def name(*given):
        parts = made("--values", str(charts.EXAMPLES / "archive.yaml"), *given)
        return next(key[1] for key in parts if key[0] == "Job")

    assert name() == name() != name("--set-string", "archive.end=1368195999")


def test_secrets_are_named_and_never_held():
    rendered = charts.render("--values", str(charts.EXAMPLES / "secured.yaml"))
    assert "kind: Secret" not in rendered
    parts = example("secured")
    for component, container in (("jobmanager", "job"), ("taskmanager", "workers")):
        pod = pod_specs(parts)["Deployment", f"gw-wavefier-{component}"]
        found = next(one for one in containers(pod) if one["name"] == container)
        (mount,) = (one for one in found["volumeMounts"] if one["name"] == "kafka")
        assert mount == {"name": "kafka", "mountPath": "/etc/wavefier/kafka", "readOnly": True}
    s3 = pod_specs(example("s3"))["Deployment", "gw-wavefier-taskmanager"]["containers"][0]["env"]
    held = [one["valueFrom"]["secretKeyRef"] for one in s3 if one["name"].startswith("AWS_")]
    assert held == [
        {"name": "wavefier-s3", "key": "access-key"},
        {"name": "wavefier-s3", "key": "secret-key"},
    ]


def test_rights_are_the_least():
    parts = made(*LIVE)
    rules = {key[1]: part["rules"] for key, part in parts.items() if key[0] == "Role"}
    assert {
        name: (rule["resources"], sorted(rule["verbs"])) for name, (rule,) in rules.items()
    } == {
        "gw-wavefier-forget": (["configmaps"], ["delete", "list"]),
        "gw-wavefier-jobmanager": (
            ["configmaps"],
            ["create", "delete", "get", "list", "patch", "update", "watch"],
        ),
        "gw-wavefier-taskmanager": (["configmaps"], ["get", "list", "watch"]),
    }
    assert not [key for key in parts if key[0].startswith("Cluster")]


def test_uninstalling_keeps_results_unless_told_otherwise():
    def kept(*given):
        claims = [part for key, part in made(*LIVE, *given).items() if key[0].endswith("Claim")]
        return {
            part["metadata"]["name"]: "helm.sh/resource-policy"
            in part["metadata"].get("annotations", {})
            for part in claims
        }

    assert kept() == {"gw-wavefier-state": False, "gw-wavefier-results": True}
    assert not any(kept("--set", "storage.results.volume.keep=false").values())


def test_every_pod_is_behind_a_policy_unless_it_is_a_hook():
    parts = made(
        *LIVE, "--values", str(charts.EXAMPLES / "archive.yaml"), "--set", "live.enabled=true"
    )
    component = "app.kubernetes.io/component"
    behind = {
        part["spec"]["podSelector"]["matchLabels"][component]
        for key, part in parts.items()
        if key[0] == "NetworkPolicy"
    }
    running = {
        part["spec"]["template"]["metadata"]["labels"][component]
        for key, part in parts.items()
        if "template" in part.get("spec", {})
        and "helm.sh/hook" not in part["metadata"].get("annotations", {})
    }
    assert running == behind == {"jobmanager", "taskmanager", "archive"}
    assert not [
        key for key in made(*LIVE, "--set", "networkPolicy.enabled=false") if "Policy" in key[0]
    ]


def test_names_stay_within_what_kubernetes_takes():
    parts = made(*LIVE, "--set", f"fullnameOverride={'w' * 30}")
    for kind, name in parts:
        assert len(name) <= 63, (kind, name)
    # Flink adds a job's id of 32 digits, and a suffix, to make the names of its own.
    assert len(job_of(parts)) <= 45
    with pytest.raises(Problem, match="/fullnameOverride"):
        charts.render(*LIVE, "--set", f"fullnameOverride={'w' * 31}")


def test_the_chart_is_packed_with_the_projects_version(tmp_path):
    path = charts.package(tmp_path)
    assert path.parent == tmp_path
    assert path.name == "wavefier-0.1.0.tgz"
    assert path.stat().st_size < 100_000
