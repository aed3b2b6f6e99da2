"""What environment variables say of clusters, images and releases: taken, or one line."""

import os
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flink import charts, images
from flink.images import ImageSettings
from flink.kubernetes_settings import KubernetesSettings
from flink.processes import Problem
from flink.settings import BrokerSettings, ClusterSettings

KINDS = (ClusterSettings, BrokerSettings, ImageSettings, KubernetesSettings)
VARIABLES = [(kind, kind.variable(one.name)) for kind in KINDS for one in fields(kind)]
ODD = ("nan", "inf", "-0", "1e9", "0x10", " 8", "1_0", "\u0663", "9" * 400, "~nobody-here/x", "~")
TEXTS = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))),
    st.sampled_from([*ODD, "a\nb", "x" * 400, "../..", "0", "-1", "65535", "65536", "1048577"]),
    st.integers().map(str),
    st.floats().map(str),
)


def told(problem, name):
    text = str(problem.value)
    assert "\n" not in text
    assert text.isprintable()
    assert len(text) < 250
    assert name in text


@given(one=st.sampled_from(VARIABLES), text=TEXTS)
@example(one=(ClusterSettings, "FLINK_TIMEOUT_S"), text="nan")
@example(one=(ClusterSettings, "FLINK_FOLDER"), text="~nobody-here/x")
@example(one=(ClusterSettings, "FLINK_CHECKPOINTS"), text="~nobody-here/x")
@example(one=(BrokerSettings, "KAFKA_JAVA_OPTIONS"), text="-Da=1\nlisteners=PLAINTEXT://:1")
@example(one=(ClusterSettings, "FLINK_METRICS_PORT"), text="65535")
def test_a_value_is_taken_or_named_in_one_line(one, text):
    kind, name = one
    try:
        made = kind.from_environment({name: text})
    except Problem as problem:
        told(type("Caught", (), {"value": problem}), name)
        return
    value = getattr(made, name.removeprefix(kind.PREFIX).lower())
    if isinstance(value, float):
        assert 1 <= value < 1e9
    if isinstance(value, Path):
        assert value.is_absolute()
    if isinstance(value, str):
        assert value.isprintable()


@given(texts=st.dictionaries(st.sampled_from([name for _, name in VARIABLES]), TEXTS, min_size=2))
def test_several_values_at_once_are_taken_or_one_line(texts):
    for kind in KINDS:
        try:
            kind.from_environment(texts)
        except Problem as problem:
            told(type("Caught", (), {"value": problem}), kind.PREFIX)


RELEASE = ["HELM_RELEASE", "HELM_NAMESPACE", "HELM_VALUES", "HELM_TIMEOUT"]
RELEASE += ["IMAGES_REGISTRY", "IMAGES_TAG"]


@given(name=st.sampled_from(RELEASE), text=TEXTS)
@example(name="HELM_RELEASE", text="--dry-run")
@example(name="HELM_VALUES", text="--post-renderer=/bin/sh")
@example(name="HELM_TIMEOUT", text="forever")
def test_a_value_of_a_release_is_taken_or_named_in_one_line(name, text):
    with pytest.MonkeyPatch.context() as patch:
        for each in RELEASE:
            patch.delenv(each, raising=False)
        patch.setenv(name, text)
        try:
            release = charts.Release.from_environment()
        except Problem as problem:
            told(type("Caught", (), {"value": problem}), name)
            return
    # What is taken can be no option of Helm.
    for value in (release.name, release.namespace, release.values, release.timeout):
        assert value
        assert not value.startswith("-")


def test_an_empty_variable_is_none(monkeypatch):
    for name in RELEASE:
        monkeypatch.setenv(name, "")
    release = charts.Release.from_environment()
    assert (release.name, release.timeout) == ("wavefier", "10m")
    assert release.values == str(charts.EXAMPLES / "laptop.yaml")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"port": 1', '{"door": "8081"}', '{"port": "many"}', "\xff"]
)
def test_a_damaged_record_of_what_was_started_is_one_line(text, tmp_path):
    (tmp_path / "settings.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(Problem) as problem:
        ClusterSettings.load(tmp_path)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    ("main", "name", "value"),
    [
        (charts.main, "HELM_TIMEOUT", "soon"),
        (charts.main, "K8S_BINARIES", "~nobody-here/bin"),
        (images.main, "IMAGES_TAG", "a b"),
    ],
)
def test_a_command_says_so_and_ends(main, name, value, monkeypatch, capsys):
    monkeypatch.setenv(name, value)
    line = ["deploy"] if main is charts.main else []
    assert main(line) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"error: {name} must be ")
    assert said.endswith(f", not {value!r}")
    assert os.environ[name] == value
