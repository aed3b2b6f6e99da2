"""The key of a training's examples: another text of what makes them is another key."""

import sys

import pytest

from models.simulation import noise
from models.simulation.waveforms import fitted
from models.training import settings, work
from transforms.detect.config import DetectConfig
from transforms.whiten.config import WhitenConfig


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Yield the folder of a package that can be imported, with a module two levels down."""
    folder = tmp_path / "made_for_this"
    (folder / "inner").mkdir(parents=True)
    for path in ("__init__.py", "one.py", "inner/__init__.py", "inner/two.py"):
        (folder / path).write_text(f"# {path}\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.startswith("made_for_this")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    "name",
    ["transforms.nowhere", "nowhere.at.all", "transforms/detect/*.py", "made_for_this.three"],
)
def test_a_source_that_is_not_there_is_no_empty_text(package, name):
    with pytest.raises(ModuleNotFoundError):
        work.sources((name,))


@pytest.mark.parametrize("path", ["__init__.py", "one.py", "inner/__init__.py", "inner/two.py"])
def test_another_text_anywhere_in_a_package_is_another_key(package, path):
    before = work.sources(("made_for_this",))
    assert work.sources(("made_for_this",)) == before
    (package / path).write_text("# other\n")
    assert work.sources(("made_for_this",)) != before


def test_a_module_that_moves_is_another_key(package):
    before = work.sources(("made_for_this",))
    (package / "one.py").rename(package / "inner" / "one.py")
    assert work.sources(("made_for_this",)) != before


@pytest.mark.parametrize("sources", [work._DATA_SOURCES, work._FIT_SOURCES])
def test_each_source_that_is_named_is_hashed(sources):
    assert len({work.sources((name,)) for name in sources}) == len(sources)


def test_other_mixtures_or_curves_are_another_key(tmp_path):
    (tmp_path / "noise_curves").mkdir()
    paths = tmp_path / "fitted.yaml", tmp_path / "noise_curves" / "a.txt.gz"
    for path in paths:
        path.write_text("1")
    seen = [work._tables(tmp_path)]
    for path in paths:
        path.write_text("2")
        seen.append(work._tables(tmp_path))
    assert len({str(each) for each in seen}) == 3


def test_all_tables_of_the_simulation_are_hashed():
    names = [name for name, _ in work._tables(fitted.TABLE.parent)]
    assert names == ["fitted.yaml", *(f"{name}.txt.gz" for name in noise.names())]


def test_the_keys_are_the_same_wherever_one_asks(monkeypatch, tmp_path):
    wanted = work.keys(settings.read(), WhitenConfig(), DetectConfig())
    monkeypatch.chdir(tmp_path)
    assert work.keys(settings.read(), WhitenConfig(), DetectConfig()) == wanted
