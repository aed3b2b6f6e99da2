"""The cluster of one node, without starting it: configuration, commands, what is left over."""

import io
import json
import os
import tarfile

import pytest

from flink import charts
from flink.dev.kubernetes import binaries, configuration, launch, node
from flink.dev.kubernetes.cluster import Kubernetes, remove_cgroups
from flink.dev.kubernetes.pause_image import write_pause_image
from flink.kubernetes_settings import API_SERVICE, NODE, KubernetesSettings
from flink.processes import Problem


@pytest.fixture
def settings(tmp_path):
    return KubernetesSettings(folder=tmp_path / "cluster", binaries=tmp_path / "bin", volumes=2)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return settings whose files are written; keys take a while, and nobody changes them."""
    folder = tmp_path_factory.mktemp("written")
    made = KubernetesSettings(folder=folder / "cluster", binaries=folder / "bin", volumes=2)
    configuration.write(made)
    return made


def test_its_keys_are_for_nobody_else(written):
    assert written.conf.stat().st_mode & 0o077 == 0


def test_the_api_servers_certificate_holds_the_names_that_pods_use(written):
    names = (written.conf / "names").read_text()
    for name in ("DNS:kubernetes.default.svc", f"IP:{API_SERVICE}", f"IP:{NODE}"):
        assert name in names
    assert "BEGIN CERTIFICATE" in (written.conf / "server.crt").read_text()


def test_a_second_start_keeps_the_keys(written):
    before = (written.conf / "ca.crt").read_text(), written.kubeconfig.read_text()
    configuration.write(written)
    assert ((written.conf / "ca.crt").read_text(), written.kubeconfig.read_text()) == before


def test_clients_know_the_token_that_the_server_lets_in(written):
    user = json.loads(written.kubeconfig.read_text())["users"][0]["user"]
    assert (written.conf / "tokens.csv").read_text().startswith(user["token"] + ",")


def test_names_of_the_cluster_are_not_denied_with_those_outside(written):
    # Plugins have an order of their own, whatever that of the file is.
    inside, outside = (written.conf / "Corefile").read_text().split("\n. {")
    assert "kubernetes cluster.local" in inside
    assert "NXDOMAIN" not in inside
    assert "NXDOMAIN" in outside


def test_volumes_are_offered_to_claims(written):
    items = json.loads((written.conf / "storage.json").read_text())["items"]
    folders = [one["spec"]["hostPath"]["path"] for one in items if "spec" in one]
    assert folders == [str(configuration.volume(written, number)) for number in (1, 2)]


@pytest.mark.parametrize("name", launch.ORDER)
def test_nothing_listens_outside_of_the_nodes_network(written, name):
    line = [str(part) for part in launch.command(written, name)]
    assert not [part for part in line if "0.0.0.0" in part]
    assert line[0].startswith(str(written.binaries)) or "/" not in line[0]


def test_everything_runs_in_namespaces_of_its_own(settings):
    line = launch.machine(settings)
    assert {"--mount", "--net", "--pid", "--fork", "--kill-child"} <= set(line)
    commands = node.lay_out(settings.folder)
    assert commands[0] == ["mount", "--make-rprivate", "/"]
    assert not [command for command in commands if "/etc" in command]


def test_programs_are_named_that_are_not_there_or_of_other_versions(settings):
    everything = binaries.missing(settings.binaries)
    assert {"kubelet", "helm", "pause"} <= set(everything)
    settings.binaries.mkdir()
    for name in everything:
        (settings.binaries / name).touch()
        (settings.binaries / f".{name}.made-from").write_text(binaries._recipe(name))
    assert binaries.missing(settings.binaries) == []
    (settings.binaries / ".helm.made-from").write_text("helm.sh/helm/v3/cmd/helm@v3.0.0\n")
    assert binaries.missing(settings.binaries) == ["helm"]


def test_kubernetes_says_the_version_that_charts_ask_for():
    flags = binaries._said().split()
    wanted = f"v{charts.KUBERNETES}"
    assert f"k8s.io/component-base/version.gitVersion={wanted}" in flags
    assert f"k8s.io/client-go/pkg/version.gitVersion={wanted}" in flags


def test_a_folder_of_somebody_else_is_refused(settings):
    settings.folder.mkdir()
    (settings.folder / "thesis.tex").touch()
    with pytest.raises(Problem, match="K8S_FOLDER"):
        Kubernetes(settings).up()
    assert (settings.folder / "thesis.tex").exists()


def test_a_folder_that_the_node_would_hide_is_refused(tmp_path, settings):
    hidden = KubernetesSettings(folder=tmp_path / "a", binaries=settings.binaries)
    object.__setattr__(hidden, "folder", type(tmp_path)("/run/wavefier-no-such-folder"))
    with pytest.raises(Problem, match="the node hides"):
        Kubernetes(hidden)._prepare()


def test_down_without_up_is_no_mistake(settings):
    assert Kubernetes(settings).down() == "the cluster is down already"


def test_what_needs_the_cluster_says_how_to_start_it(settings):
    with pytest.raises(Problem, match="make k8s-up"):
        Kubernetes(settings).enter(["true"])


def test_control_groups_are_made_in_every_hierarchy(tmp_path):
    for hierarchy in ("cpu", "memory"):
        (tmp_path / hierarchy).mkdir()
        (tmp_path / hierarchy / "cgroup.procs").touch()
    (tmp_path / "no-hierarchy").mkdir()
    node.make_cgroups(tmp_path, "ours", cores=2)
    assert (tmp_path / "cpu" / "ours").is_dir()
    assert (tmp_path / "memory" / "ours").is_dir()
    assert not (tmp_path / "no-hierarchy" / "ours").exists()


@pytest.mark.parametrize(("file", "weight"), [("cpu.shares", "4096"), ("cpu.weight", "157")])
def test_the_pods_weigh_as_much_as_the_machine_has_cores(tmp_path, file, weight):
    """As the kubelet would say, in either version of control groups."""
    (tmp_path / "cpu" / "ours").mkdir(parents=True)
    (tmp_path / "cpu" / "cgroup.procs").touch()
    (tmp_path / "cpu" / "ours" / file).write_text("1024")
    node.make_cgroups(tmp_path, "ours", cores=4)
    assert (tmp_path / "cpu" / "ours" / file).read_text() == weight
    assert os.listdir(tmp_path / "cpu" / "ours") == [file]


def test_control_groups_go_from_every_hierarchy(tmp_path):
    for hierarchy in ("cpu", "memory"):
        (tmp_path / hierarchy / "ours" / "pod" / "container").mkdir(parents=True)
        (tmp_path / hierarchy / "others").mkdir()
    remove_cgroups(tmp_path, "ours")
    assert sorted(os.listdir(tmp_path / "cpu")) == ["others"]
    assert sorted(os.listdir(tmp_path / "memory")) == ["others"]


def test_the_pause_image_is_one_program(tmp_path):
    program = tmp_path / "pause"
    program.write_bytes(b"\x7fELF")
    write_pause_image(program, tmp_path / "pause.tar")
    with tarfile.open(tmp_path / "pause.tar") as archive:
        manifest = json.load(archive.extractfile("manifest.json"))
        layer = archive.extractfile(manifest[0]["Layers"][0]).read()
    assert manifest[0]["RepoTags"] == [configuration.PAUSE_IMAGE]
    with tarfile.open(fileobj=io.BytesIO(layer)) as files:
        (only,) = files.getmembers()
    assert only.mode & 0o111
