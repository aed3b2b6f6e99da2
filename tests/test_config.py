"""The configuration: what is read is what was meant, and a typo is refused by name."""

from dataclasses import fields, replace

import pytest

from beam_pipeline.config import ConfigError, PipelineConfig, load_config, parse_config
from transforms.classify.config import ClassifyConfig


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
        ({"detect": {"threshold": 1}}, "detect: threshold must be at least 4"),
        ({"ingest": {"channels": "H1:X"}}, "ingest.channels must be a list of str"),
        ({"ingest": []}, "ingest must hold keys and values"),
        ([], "the file must hold keys and values"),
        ({"classify": {"backend": "onnx"}}, "classify: backend must be native or tfx_bsl"),
        ({"detect": {"low_frequency": 10}}, "detect.low_frequency 10.0 must lie above"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(tree, said):
    with pytest.raises(ConfigError, match=said) as refused:
        parse_config(tree)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_yaml_is_said(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("detect: {threshold: [")
    with pytest.raises(ConfigError, match=r"bad\.yaml: not YAML") as refused:
        load_config(path)
    assert "\n" not in str(refused.value)


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
