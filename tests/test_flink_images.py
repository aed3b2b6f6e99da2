"""What goes into an image: locked packages, versions from one place, and nothing secret."""

import re
import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import yaml

from flink import images, parts
from flink.docker import runtime
from flink.images import BASE, DOCKER, NAMES, ImageSettings, arguments, pip_configuration
from flink.processes import Problem

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = (ROOT / "pyproject.toml").read_text()


def dockerfile(name):
    return (DOCKER / f"{name}.Dockerfile").read_text()


def packages(extra=runtime.NONE):
    return {block.partition("==")[0] for block in runtime.needed(LOCK, PROJECT, extra)}


def test_a_worker_has_what_our_code_imports_and_no_developers_tools():
    found = packages()
    assert {"apache-beam", "onnxruntime", "confluent-kafka", "pyarrow", "grpcio"} <= found
    tools = {"pytest", "mypy", "ruff", "hypothesis", "uv", "lalsuite", "tensorboard", "tf2onnx"}
    tools.add("scikit-learn")
    assert not found & {*tools, "tensorflow", "keras", "tfx-bsl", "onnx"}


def test_a_worker_for_the_other_back_end_has_what_it_imports():
    found = packages("tfx")
    assert {"tensorflow", "keras", "tfx-bsl", "onnxruntime"} <= found
    assert not found & {"pytest", "lalsuite", "tensorboard", "tf2onnx"}


@pytest.mark.parametrize("extra", ["none", "tfx"])
def test_a_worker_lacks_nothing_that_one_of_its_packages_asks_for(extra):
    found = packages(extra)
    for name in found:
        try:
            asked = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # of another platform
        needs = {re.split(r"[^A-Za-z0-9._-]", one)[0] for one in asked if ";" not in one}
        needs = {re.sub(r"[-_.]+", "-", need).lower() for need in needs}
        assert needs - runtime.UNUSED <= found, name


def test_hashes_stay_with_their_packages():
    blocks = runtime.needed(LOCK, PROJECT)
    assert all("--hash=sha256:" in block for block in blocks)
    assert "".join(blocks) == "".join(b for b in runtime.blocks(LOCK).values() if b in blocks)


def test_a_package_that_is_not_locked_is_named():
    project = '[project]\ndependencies = ["numpy>=2", "nowhere>=1"]\n'
    with pytest.raises(KeyError, match="nowhere"):
        runtime.needed(LOCK, project)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("    # via keras\n", {"keras"}),
        ("    # via\n    #   -r requirements.in\n    #   a-b\n", {"a-b"}),
    ],
)
def test_the_lock_says_through_whom_a_package_came(lines, expected):
    assert runtime.through(f"some==1 \\\n    --hash=sha256:00\n{lines}") == expected


@pytest.mark.parametrize("name", NAMES)
def test_every_build_argument_has_a_value_from_the_one_place_that_names_it(name):
    text = dockerfile(name)
    asked = set(re.findall(r"^ARG (\w+)", text, re.MULTILINE))
    given = arguments(name, BASE, "sha256:0")
    assert asked == set(given)
    assert all(given.values())
    for version in parts.versions().values():
        assert not re.search(rf"\d\.\d.*{re.escape(version)}", text)


@pytest.mark.parametrize("name", NAMES)
def test_what_maven_makes_is_asked_for_before_it_is_copied(name):
    copied = re.findall(r"^COPY (?:flink|\.flink)/(\S+?)/", dockerfile(name), re.MULTILINE)
    made = {
        "job-server": parts.job_server,
        "s3": parts.s3,
        "kafka": parts.broker,
        "distribution": parts.distribution,
    }
    assert {made[one] for one in copied if one in made} == set(images.PARTS[name])


def test_flink_has_the_file_system_of_checkpoints_in_s3():
    """Flink looks for plugins in a folder each, and only there."""
    jar = "flink-s3-fs-hadoop-${FLINK}.jar"
    line = f"COPY flink/s3/target/plugin/{jar} /opt/flink/plugins/s3-fs-hadoop/\n"
    assert line in dockerfile("flink")
    ours = (ROOT / "flink" / "s3" / "pom.xml").read_text()
    assert "<version>${flink.version}</version>" in ours
    assert "<artifactId>flink-s3-fs-hadoop</artifactId>" in ours


def test_flinks_user_has_the_name_that_the_file_system_of_s3_asks_for():
    text = dockerfile("flink")
    (user, group) = re.search(r"^USER (\d+):(\d+)$", text, re.MULTILINE).groups()
    assert f"'wavefier:x:{user}:{group}::/tmp:/usr/sbin/nologin' >> /etc/passwd" in text
    values = yaml.safe_load((ROOT / "flink" / "helm" / "wavefier" / "values.yaml").read_text())
    assert values["pods"]["user"] == int(user)


@pytest.mark.parametrize("name", NAMES)
def test_images_run_as_a_user_with_a_number(name):
    users = re.findall(r"^USER (.*)$", dockerfile(name), re.MULTILINE)
    assert users == ["10001:10001"]


@pytest.mark.parametrize("name", NAMES)
def test_images_list_their_packages(name):
    assert "/usr/share/wavefier/packages.txt" in dockerfile(name)


@pytest.mark.parametrize("name", NAMES)
def test_images_tell_what_they_were_built_on(name):
    text = dockerfile(name)
    last = text.rpartition("\nFROM ")[2]
    assert 'org.opencontainers.image.base.digest="${BASE_DIGEST}"' in last
    assert {"BASE", "BASE_DIGEST", "SNAPSHOT"} <= set(
        re.findall(r"^ARG (\w+)$", last, re.MULTILINE)
    )
    assert '"${BASE} ${BASE_DIGEST} base"' in last
    # Before the first package of Debian, apt is told which time to take it of.
    assert text.index("sources.sh ${SNAPSHOT}") < text.index("apt-get")


def test_debians_packages_are_those_of_a_time(tmp_path):
    """The script as it runs in a build, on a root of the test's own."""
    apt = tmp_path / "etc" / "apt"
    (apt / "sources.list.d").mkdir(parents=True)
    own = apt / "sources.list.d" / "debian.sources"
    own.touch()
    script = (DOCKER / "sources.sh").read_text().replace("/etc/apt", str(apt))
    for snapshot in ("none", "20261101T000000Z"):
        assert own.exists()
        subprocess.run(["sh", "-c", script, "sources.sh", snapshot], check=True)
    assert not own.exists()
    lines = (apt / "sources.list").read_text().splitlines()
    assert len(lines) == 3
    assert all("/20261101T000000Z bookworm" in line for line in lines)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"IMAGES_REGISTRY": "a b"}, "IMAGES_REGISTRY must be HOST"),
        ({"IMAGES_TAG": "../x"}, "IMAGES_TAG must be letters"),
        ({"IMAGES_BASE": "debian@sha256:1"}, "IMAGES_BASE must be NAME"),
        ({"IMAGES_SNAPSHOT": "2026-11-01"}, "IMAGES_SNAPSHOT must be none, or a time"),
        ({"IMAGES_EXTRA": "train"}, "IMAGES_EXTRA must be none, or tfx"),
    ],
)
def test_a_name_that_no_image_can_have_is_one_line(given, said):
    with pytest.raises(Problem) as raised:
        ImageSettings.from_environment(given)
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


def test_only_what_was_pushed_is_signed(tmp_path, monkeypatch):
    record = tmp_path / "record"
    (tmp_path / "cosign").write_text(f'#!/bin/sh\necho "$@" >> {record}\n')
    (tmp_path / "cosign").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    made = images.Images(ImageSettings(folder=tmp_path, registry="r.example/gw", tag="7"))
    with pytest.raises(Problem, match="worker was not pushed: sign it with --push"):
        made.sign(["worker"])
    made.settings.digest("worker").write_text("sha256:1f\n")
    assert made.sign(["worker"]) == ["r.example/gw/wavefier/worker:7@sha256:1f"]
    assert record.read_text().split()[-1] == "r.example/gw/wavefier/worker:7@sha256:1f"
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Problem, match="no cosign on the PATH"):
        made.sign(["worker"])


def test_what_pip_is_told_is_handed_over_and_stays_outside():
    made = pip_configuration("global.index-url='https://mirror.example/simple'\n:env:.cert='/x'\n")
    assert "index-url = https://mirror.example/simple" in made
    assert "/x" not in made
    mounts = re.findall(r"--mount=(\S+)", dockerfile("worker"))
    assert mounts
    assert all(mount.startswith("type=secret,") for mount in mounts)


def test_names_are_the_charts():
    settings = ImageSettings(registry="registry.example/group", tag="7")
    assert settings.reference("worker") == "registry.example/group/wavefier/worker:7"
    assert ImageSettings().reference("flink").endswith(f":{images.version()}")


def test_what_is_missing_is_asked_for_in_one_line():
    with pytest.raises(Problem) as raised:
        images.require({"no-such-program-1": "package-b", "no-such-program-2": "package-a"})
    said = str(raised.value)
    assert said.endswith("apt-get install --no-install-recommends package-a package-b")
    assert "\n" not in said
