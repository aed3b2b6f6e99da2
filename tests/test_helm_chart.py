"""The Helm chart: what it makes, what it refuses, and that its numbers are the measured ones."""

import base64
import json
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import pkcs12

from beam_pipeline import schema
from beam_pipeline.commands import arguments
from beam_pipeline.commands.inputs import expand
from beam_pipeline.config import ConfigError, load_config, parse_config
from beam_pipeline.flink.application import PROGRAM
from flink import charts
from flink.dev import configuration, prometheus
from flink.processes import Problem
from flink.settings import QUICK, ClusterSettings

EXAMPLES = [path.stem for path in charts.examples()]
LIVE = ("--set", "kafka.brokers=kafka:9092")
SCHEMA = json.loads(charts.SCHEMA.read_text("utf-8"))


pytestmark = pytest.mark.usefixtures("helm")


def parsed(rendered):
    """Return what the chart makes, by kind and name."""
    parts = [part for part in yaml.safe_load_all(rendered) if part]
    return {(part["kind"], part["metadata"]["name"]): part for part in parts}


def made(*given):
    return parsed(charts.render(*given))


@cache
def rendered_example(name):
    return charts.render("--values", str(charts.EXAMPLES / f"{name}.yaml"))


def example(name):
    return parsed(rendered_example(name))


def pod_specs(parts):
    """Return the pods' specifications, by kind and name of what holds them, with their volumes."""
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
        ["--set", "security.internal.enabled=false,networkPolicy.api.peers=null"],
        ["--set", "security.internal.secret=mine,pods.tmpSize=1Gi"],
        ["--set", "monitoring.operator.enabled=true,monitoring.operator.labels.release=stack"],
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
    """`make schemas` makes it so."""
    assert charts.SCHEMA.read_text("utf-8") == charts.schema_text()
    own = SCHEMA["properties"]["science"]
    assert own["properties"] == json.loads(schema.schema_text())["properties"]


@pytest.mark.parametrize(
    ("science", "said"),
    [
        ("detect: {threshold: 3}", r"/science/detect/threshold.*minimum"),
        ("detect: {threshold: '5.5'}", r"/science/detect/threshold.*got string, want number"),
        ("detect: {treshold: 6.0}", r"/science/detect.*'treshold' not allowed"),
        ("ingest: {resample_rate: 1000}", r"/science/ingest/resample_rate"),
        ("ingest: {channels: ['H1:A', 'H1:A']}", r"/science/ingest/channels.*equal"),
        ("whiten: {lookahead_seconds: 0.0}", r"/science/whiten/lookahead_seconds.*exclusiveMin"),
        ("classify: {backend: torch}", r"/science/classify/backend.*'onnx', 'tfx_bsl'"),
        ("sink: {loudest: true}", r"/science/sink/loudest.*got boolean, want integer"),
    ],
)
def test_a_wrong_science_is_refused_before_anything_is_installed(science, said, tmp_path):
    path = tmp_path / "values.yaml"
    path.write_text(f"kafka: {{brokers: 'kafka:9092'}}\nscience: {{{science}}}\n")
    for look in (charts.lint, lambda values: charts.render("--values", str(values))):
        with pytest.raises(Problem, match=rf"(?s){said}"):
            look(path)
    # The code would refuse it too, but only in the pod.
    with pytest.raises(ConfigError):
        parse_config(yaml.safe_load(science))


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
        forget = pod["initContainers"][0]
        assert f"--but={job_of(parts)}" in forget["args"]
        assert re.fullmatch(r"gw-wavefier-[0-9a-f]{10}", job_of(parts))
        # Whose namespace it is, as others may share the volume.
        folder = f"file:///state/gw/{job_of(parts)}/ha"
        assert settings_of(parts)["high-availability.storageDir"] == folder
        # The job itself says which science it is of: what is built in counts too.
        assert "--output=/results/live-{config}" in pod["initContainers"][1]["args"]


def test_state_in_a_bucket_is_in_a_folder_of_the_namespace():
    parts = example("s3")
    folder = f"s3://wavefier/live/gw/{job_of(parts)}/checkpoints"
    assert settings_of(parts)["state.checkpoints.dir"] == folder


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
    options = arguments.read([*job["command"][1:], *job["args"]])
    assert options.command == "live"
    assert options.application.parent.as_posix() == "/job"
    beam = {one.partition("=")[0] for one in options.beam}
    assert beam == {"--parallelism", "--checkpointing_interval"}
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
    words = [
        f"@{listed}" if one.startswith("@") else one
        for one in (*container["command"][1:], *container["args"])
    ]
    options = arguments.read(words)
    assert expand(options.files) == [
        "/data/H-H1_GWOSC_O4a_4KHZ_R1-1368195072-4096.hdf5",
        "/data/L-L1_GWOSC_O4a_4KHZ_R1-1368195072-4096.hdf5",
    ]
    assert (options.start, options.end) == ("1368195072", "1368198672")
    assert options.beam == ["--direct_running_mode=multi_processing", "--direct_num_workers=4"]


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
    words = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert f"--start={time}" in words


def test_other_files_are_another_job():
    def name(*given):
        parts = made("--values", str(charts.EXAMPLES / "archive.yaml"), *given)
        return next(key[1] for key in parts if key[0] == "Job")

    assert name() == name() != name("--set-string", "archive.end=1368195999")


def test_the_archives_folder_may_name_its_science():
    given = ["--values", str(charts.EXAMPLES / "archive.yaml"), "--set-json"]
    (job,) = (
        part
        for key, part in made(*given, 'archive.folder="o4a-{config}"').items()
        if key[0] == "Job"
    )
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert "--output=/results/o4a-{config}" in container["args"]
    for wrong in ("o4a-{other}", "../x", "a b", "{", "-x"):
        with pytest.raises(Problem, match="/archive/folder"):
            charts.render(*given, f"archive.folder={json.dumps(wrong)}")


def test_secrets_are_named_and_never_held():
    parts = example("secured")
    # But the key that Flink's processes know each other by, which nobody else needs.
    assert [key for key in parts if key[0] == "Secret"] == [("Secret", "gw-wavefier-internal")]
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


def test_every_pod_is_behind_a_policy():
    """Those of hooks too: where a namespace lets nothing out, uninstalling would wait for ever."""
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
    }
    running |= {
        part["metadata"]["labels"][component] for key, part in parts.items() if key[0] == "Pod"
    }
    assert running == behind == {"jobmanager", "taskmanager", "archive", "forget", "test"}
    # Of a hook that runs when all else is gone, the policy is a hook too, and there before.
    policy, job = parts["NetworkPolicy", "gw-wavefier-forget"], parts["Job", "gw-wavefier-forget"]
    hooks = [part["metadata"]["annotations"] for part in (policy, job)]
    assert [one["helm.sh/hook"] for one in hooks] == ["post-delete"] * 2
    before, after = (int(one["helm.sh/hook-weight"]) for one in hooks)
    assert before < after
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


def egress(parts, component):
    """Return where a part's pods may go, by port: peers, or None for anywhere."""
    policy = parts["NetworkPolicy", f"gw-wavefier-{component}"]
    return {
        one["port"]: rule.get("to")
        for rule in policy["spec"].get("egress", ())
        for one in rule["ports"]
    }


PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"]


def test_pods_go_to_no_public_address_unless_it_is_named():
    private = [{"ipBlock": {"cidr": cidr}} for cidr in PRIVATE]
    mine = [{"ipBlock": {"cidr": "198.51.100.0/24"}}]
    for component in ("jobmanager", "taskmanager"):
        towards = egress(made(*LIVE), component)
        assert {port for port, peers in towards.items() if peers is None} == {53}
        assert [towards[port] for port in (443, 6443, 9092, 9094)] == [private] * 4
        assert egress(example("secured"), component)[9094] == mine
        anywhere = made(*LIVE, "--set-json", "networkPolicy.api.peers=[]")
        assert egress(anywhere, component)[6443] is None
        # An S3 store of a cloud has a public address.
        assert egress(example("s3"), component)[443] in (
            private,
            [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
        )
    assert egress(made(*LIVE), "forget")[6443] == private


def test_the_kafka_of_a_trial_is_one_pod():
    (peer,) = egress(example("laptop"), "taskmanager")[9092]
    assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "kafka"


def test_the_test_of_a_release_asks_the_jobmanager_and_nobody_else():
    towards = egress(made(*LIVE), "test")
    assert set(towards) == {53, 8081}
    assert egress(example("archive"), "test") == {}


def test_flinks_own_connections_need_the_releases_key(tmp_path):
    parts = made(*LIVE)
    settings = settings_of(parts)
    assert settings["security.ssl.internal.enabled"] == "true"
    tried = configuration.internal_tls(Path("/opt/flink/keystore/internal.p12"), "internal")
    ours = {key: value for key, value in settings.items() if key.startswith("security")}
    assert ours == {key: str(value) for key, value in tried.items()}
    secret = parts["Secret", "gw-wavefier-internal"]
    for name in ("jobmanager", "taskmanager"):
        pod = pod_specs(parts)["Deployment", f"gw-wavefier-{name}"]
        (made_store,) = (one for one in containers(pod) if one["name"] == "keystore")
        volumes = {one["name"]: one for one in pod["volumes"]}
        assert volumes["internal"]["secret"]["secretName"] == secret["metadata"]["name"]
        # No disk keeps the key.
        assert volumes["keystore"]["emptyDir"]["medium"] == "Memory"
        (flink,) = (one for one in containers(pod) if one["name"] == "flink")
        (mount,) = (one for one in flink["volumeMounts"] if one["name"] == "keystore")
        assert settings["security.ssl.internal.keystore"] == f"{mount['mountPath']}/internal.p12"
    # What the init container runs makes a store of the Secret that opens with Flink's password.
    for key, value in secret["data"].items():
        (tmp_path / key).write_bytes(base64.b64decode(value))
    places = {"/etc/wavefier/internal/": f"{tmp_path}/", "/opt/flink/keystore/": f"{tmp_path}/"}
    line = [*made_store["command"], *made_store["args"]]
    for inside, here in places.items():
        line = [part.replace(inside, here) for part in line]
    subprocess.run(line, check=True, capture_output=True)
    password = settings["security.ssl.internal.keystore-password"].encode()
    key, certificate, more = pkcs12.load_key_and_certificates(
        (tmp_path / "internal.p12").read_bytes(), password
    )
    assert key.public_key() == certificate.public_key()
    assert more == []


def test_a_key_of_ones_own_takes_the_place_of_the_charts():
    parts = made(*LIVE, "--set", "security.internal.secret=mine")
    assert not [key for key in parts if key[0] == "Secret"]
    pod = pod_specs(parts)["Deployment", "gw-wavefier-taskmanager"]
    assert {"name": "internal", "secret": {"secretName": "mine", "defaultMode": 0o440}} in pod[
        "volumes"
    ]
    off = made(*LIVE, "--set", "security.internal.enabled=false")
    assert not [key for key in off if key[0] == "Secret"]
    assert not [key for key in settings_of(off) if key.startswith("security")]


def test_what_a_container_may_write_has_a_bound():
    for name in EXAMPLES:
        for where, pod in pod_specs(example(name)).items():
            for volume in pod["volumes"]:
                assert "sizeLimit" in volume.get("emptyDir", {"sizeLimit": ""}), (where, volume)


def test_prometheus_operator_gets_the_alerts_and_grafana_the_dashboard():
    given = "monitoring.operator.enabled=true,monitoring.operator.labels.release=stack"
    parts = made(*LIVE, "--set", given)
    assert not [key for key in made(*LIVE) if key[0] in ("PodMonitor", "PrometheusRule")]
    rules = parts["PrometheusRule", "gw-wavefier"]
    assert rules["spec"] == yaml.safe_load(prometheus.ALERTS.read_text())
    board = parts["ConfigMap", "gw-wavefier-dashboard"]
    assert json.loads(board["data"]["wavefier.json"]) == json.loads(
        prometheus.DASHBOARD.read_text()
    )
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
    monitor = parts["PodMonitor", "gw-wavefier"]
    assert all(one["metadata"]["labels"]["release"] == "stack" for one in (rules, board, monitor))
    named = {
        port["name"]
        for pod in pod_specs(parts).values()
        for one in containers(pod)
        for port in one.get("ports", ())
    }
    asked = {one["port"] for one in monitor["spec"]["podMetricsEndpoints"]}
    assert asked == {"metrics", "worker-metrics"} <= named


def test_a_message_that_ends_workers_is_given_up_and_not_the_job():
    """It is left out after three deaths, which its marks must outlive."""
    parts = made(*LIVE)
    settings = settings_of(parts)
    assert settings["restart-strategy.type"] == "fixed-delay"
    assert int(settings["restart-strategy.fixed-delay.attempts"]) >= 1000
    assert settings["restart-strategy.fixed-delay.delay"] == "1s"
    pod = pod_specs(parts)["Deployment", "gw-wavefier-taskmanager"]
    (workers,) = (one for one in containers(pod) if one["name"] == "workers")
    (folder,) = (one["value"] for one in workers["env"] if one["name"] == "WAVEFIER_CRASH_FOLDER")
    (mount,) = (one for one in workers["volumeMounts"] if one["name"] == "crashes")
    # The volume's own root may be written by the pod's group; marks want a folder of one user.
    assert folder.startswith(f"{mount['mountPath']}/")
    (volume,) = (one for one in pod["volumes"] if one["name"] == "crashes")
    assert "emptyDir" in volume
    assert workers["securityContext"]["readOnlyRootFilesystem"] is True
