"""The configuration: what is read is what was meant, and a typo is refused by name."""

import json
import math
import subprocess
import sys
from dataclasses import asdict, fields, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from beam_pipeline import schema
from beam_pipeline.config import ConfigError, PipelineConfig, load_config, parse_config
from transforms import settings
from transforms.classify.config import ClassifyConfig
from transforms.ingest.config import IngestConfig


def test_written_configuration_reads_back_the_same(tmp_path):
    config = parse_config({"detect": {"threshold": 6}, "ingest": {"channels": ["H1:X"]}})
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml())
    assert load_config(path) == config
    assert config.detect.threshold == 6.0


def test_an_empty_file_is_the_default(tmp_path):
    path = tmp_path / "empty.yaml"
    path.write_text("")
    assert load_config(path) == PipelineConfig()


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"detekt": {}}, "unknown key detekt"),
        ({"detect": {"treshold": 6}}, "unknown key detect.treshold"),
        ({"detect": {"threshold": "high"}}, "detect.threshold must be of type float"),
        ({"detect": {"threshold": True}}, "detect.threshold must be of type float"),
        ({"detect": {"threshold": 1}}, r"detect\.threshold must be at least 4 .*, not 1"),
        ({"ingest": {"channels": "H1:X"}}, "ingest.channels must be a list of str"),
        ({"ingest": []}, "ingest must hold keys and values"),
        ([], "the file must hold keys and values"),
        (
            {"classify": {"backend": "torch"}},
            r"classify\.backend must be onnx or tfx_bsl or native",
        ),
        ({"detect": {"low_frequency": 10}}, "detect.low_frequency 10.0 must lie above"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(tree, said):
    with pytest.raises(ConfigError, match=said) as refused:
        parse_config(tree)
    assert "\n" not in str(refused.value)


def test_the_former_name_of_a_back_end_is_taken():
    assert parse_config({"classify": {"backend": "native"}}) == PipelineConfig()


def test_a_file_that_is_not_yaml_is_said(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("detect: {threshold: [")
    with pytest.raises(ConfigError, match=r"bad\.yaml: not YAML") as refused:
        load_config(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("detect: {threshold: 9}\ndetect: {gap_seconds: 0.2}", r"detect stands twice \(line 2\)"),
        ("detect: {threshold: 9, threshold: 8}", "threshold stands twice"),
        ("detect: {threshold: .nan}", "detect.threshold must be a finite number"),
        ("detect: {threshold: .inf}", "detect.threshold must be a finite number"),
        ("detect: {threshold: '5.5'}", "detect.threshold must be of type float"),
        ("detect: {threshold: [5.5]}", "detect.threshold must be of type float"),
        ("detect: {threshold: 1:30}", "detect.threshold must be of type float"),
        ("detect: {threshold: yes}", "detect.threshold must be of type float"),
        (f"detect: {{threshold: {'9' * 350}}}", "detect.threshold must be a finite number"),
        (f"detect: {{threshold: {'9' * 9000}}}", "too large a number"),
        ("sink: {loudest: 20.0}", "sink.loudest must be of type int"),
        ("sink: {loudest: true}", "sink.loudest must be of type int"),
        ("detect: {treshold: 9}", r"did you mean detect\.threshold\? known: low_frequency"),
        ("dtect: {}", r"did you mean detect\?"),
        ("1: 2", "unknown key 1"),
        ("null: 2", "unknown key None"),
        ("? [a, b]\n: 1", "not YAML"),
        ("detect:", "detect must hold keys and values"),
        ("- detect", "the file must hold keys and values"),
        ("5", "the file must hold keys and values"),
        ("false", "the file must hold keys and values"),
        ("---\na: 1\n---\nb: 2", "not YAML"),
        ("!!python/object/apply:os.system [id]", "not YAML"),
        ("detect: {threshold: !!binary aGk=}", "not YAML"),
        ("detect: {threshold: !!timestamp 2026-01-01}", "not YAML"),
        ("detect: {threshold: !!str 5.5}", "detect.threshold must be of type float, not '5.5'"),
        ("detect: {threshold: " + "[" * 250 + "]" * 250 + "}", "cannot be read|nested too deeply"),
        ('classify: {model: "\\ud800"}', "cannot be read"),
        ("detect: {1: 2}", "unknown key detect.1"),
        ("ingest: {channels: [H1:X, 5]}", "ingest.channels must be a list of str"),
        ("ingest: {channels: [H1:X, H1:X]}", r"ingest\.channels: H1:X stands twice"),
        ("ingest: {channels: ['']}", "channels: '' is no name"),
        ('ingest: {require: [DATA, "A\\nB"]}', "require: .* is no name"),
        ("ingest: {block_seconds: 1000000000}", "block_seconds must lie in 1 to"),
        ("ingest: {resample_rate: 1048576}", "resample_rate must be a power of two of 256 to"),
        ("ingest: {wait_seconds: 1e999}", "ingest.wait_seconds must be a finite number"),
        ("ingest: {quiet_seconds: 1e9}", "quiet_seconds must be more than 0, and at most"),
        ("a: &a [*a]", "a value holds itself"),
        ("[" * 5000, "nested too deeply|not YAML"),
        ("\x00", "not YAML"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"{n}: &{n} [{','.join([f'*{m}'] * 10)}]\n" for m, n in ["ab", "bc", "cd"])
            + "e: [*d, *d]",
            "holds more than 10000 values",
        ),
    ],
)
def test_a_document_is_read_strictly(text, said, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said) as refused:
        load_config(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize("content", [b"\xff\xfed\0", b"a: caf\xe9", b"#" * (2 << 20), None])
def test_a_file_that_is_no_text_is_one_line(content, tmp_path):
    path = tmp_path / "bad.yaml"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"bad\.yaml: ") as refused:
        load_config(path)
    assert "\n" not in str(refused.value)


def test_numbers_are_those_of_yaml_1_2_and_aliases_may_stand(tmp_path):
    path = tmp_path / "good.yaml"
    path.write_text(
        "detect: &d {threshold: 1e1, gap_seconds: 5e-2}\nsink: {loudest: 010}\n"
        "ingest: {channels: &c [H1:X], require: *c}\n"
    )
    config = load_config(path)
    assert (config.detect.threshold, config.detect.gap_seconds) == (10.0, 0.05)
    assert config.sink.loudest == 10
    assert config.ingest.channels == config.ingest.require == ("H1:X",)


SCHEMA = Draft202012Validator(json.loads(schema.PATH.read_text("utf-8")))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
KEYS = {
    stage.name: sorted(vars(getattr(PipelineConfig(), stage.name)))
    for stage in fields(PipelineConfig)
}
SECTIONS = st.fixed_dictionaries(
    {},
    optional={name: st.dictionaries(st.sampled_from(keys), VALUES) for name, keys in KEYS.items()},
)


@example({"\x85": None})
@example({"detect": {"a\nb": 1}})
@given(st.one_of(SECTIONS, VALUES))
def test_any_document_is_a_configuration_or_one_line(tree):
    try:
        config = parse_config(tree)
    except ConfigError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017
        return
    numbers = [v for each in vars(config).values() for v in vars(each).values()]
    assert all(math.isfinite(v) for v in numbers if isinstance(v, float))
    assert parse_config(settings.parse(config.to_yaml())) == config


@given(SECTIONS)
@example({"detect": {"threshold": 6}, "ingest": {"channels": ["H1:X"], "resample_rate": 4096}})
def test_what_the_schema_refuses_the_code_refuses(tree):
    try:
        parse_config(tree)
    except ConfigError:
        return
    SCHEMA.validate(tree)


@pytest.mark.parametrize(
    "tree",
    [
        {"detekt": {}},
        {"detect": {"treshold": 6}},
        {"detect": {"threshold": 3.9}},
        {"detect": {"mismatch": "0.3"}},
        {"whiten": {"lookahead_seconds": 0}},
        {"ingest": {"resample_rate": 1000}},
        {"ingest": {"require": ["A", "A"]}},
        {"ingest": {"channels": [" H1:X"]}},
        {"classify": {"backend": "torch"}},
        {"sink": {"loudest": True}},
    ],
)
def test_the_schema_knows_each_values_limits(tree):
    assert not SCHEMA.is_valid(tree)
    with pytest.raises(ConfigError):
        parse_config(tree)


def test_the_published_schema_is_that_of_the_code(capsys):
    """`make schemas` makes it so."""
    text = schema.PATH.read_text("utf-8")
    assert text == schema.schema_text()
    assert schema.main([]) == 0
    assert capsys.readouterr().out == f"{schema.PATH}\n"
    assert schema.main(["--other"]) == 2
    default = json.loads(json.dumps(asdict(PipelineConfig())))
    for stage, values in default.items():
        described = SCHEMA.schema["properties"][stage]["properties"]
        assert {key: one["default"] for key, one in described.items()} == values
        for key, one in described.items():
            assert one["description"], key
            assert key.endswith("_seconds") <= (one.get("unit") == "s"), key
            assert key.endswith("_frequency") <= (one.get("unit") == "Hz"), key


def test_reading_a_configuration_is_all_that_waits_for_pydantic():
    script = (
        "import sys, beam_pipeline.config, transforms.detect.search, flink.settings\n"
        "from transforms.observe.config import ObserveConfig\n"
        "ObserveConfig.from_environment(); flink.settings.ClusterSettings.from_environment()\n"
        "beam_pipeline.config.PipelineConfig()\n"
        "assert 'pydantic' not in sys.modules\n"
        "beam_pipeline.config.parse_config({})\n"
        "assert 'pydantic' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=schema.PATH.parents[1])


@given(st.text())
def test_any_text_is_yaml_or_one_line(text):
    try:
        settings.parse(text)
    except settings.SettingsError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017


def test_the_id_changes_with_the_science_and_with_nothing_else():
    default = PipelineConfig()
    louder = replace(default, detect=replace(default.detect, threshold=6.0))
    wider = replace(default, whiten=replace(default.whiten, psd_seconds=32))
    longer = replace(default, ingest=replace(default.ingest, block_seconds=64))
    more = replace(default, sink=replace(default.sink, loudest=3))
    other = replace(default, classify=ClassifyConfig("folder", "tfx_bsl"))
    assert len({default.id, louder.id, wider.id}) == 3
    assert default.id == longer.id == more.id == other.id


def test_every_setting_says_its_unit_or_meaning():
    import inspect

    for stage in fields(PipelineConfig):
        kind = type(getattr(PipelineConfig(), stage.name))
        text = inspect.getsource(kind)
        assert text.count('"""') >= 4, kind


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"channels": "H1:STRAIN"}, "channels must be a tuple, not 'H1:STRAIN'"),
        ({"channels": ("H1:STRAIN", 1)}, "channels must be of type str, not 1"),
        ({"block_seconds": 1.5}, "block_seconds must be of type int, not 1.5"),
        ({"wait_seconds": float("nan")}, "wait_seconds must be a finite number, not nan"),
        ({"quiet_seconds": True}, "quiet_seconds must be of type float, not True"),
        ({"block_seconds": 0}, "block_seconds must lie in 1 to 16384, not 0"),
        ({"quiet_seconds": 0.0}, "quiet_seconds must be more than 0, and at most 86400, not 0.0"),
        ({"resample_rate": 1000}, "resample_rate must be a power of two .* Hz, not 1000"),
        ({"require": ("A", "A")}, "require: A stands twice: keep one"),
    ],
)
def test_values_are_checked_wherever_they_come_from(values, said):
    """A configuration made in Python is held to what one in YAML is."""
    with pytest.raises(ValueError, match=f"^{said}$"):
        IngestConfig(**values)
