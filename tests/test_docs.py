"""What the documentation shows is so: links lead somewhere, Python runs, commands exist."""

import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import apache_beam as beam
import pytest
import yaml

from beam_pipeline.analysis import analyse
from beam_pipeline.commands import arguments
from beam_pipeline.config import PipelineConfig, parse_config
from beam_pipeline.options import known_options
from beam_pipeline.words import options_of
from docs.tools import configuration, grid, hooks, links
from transforms.checks import Limits
from transforms.classify import artefact

ROOT = Path(__file__).parents[1]
PAGES = links.pages()
STRAIN = "*_LOSC_4_V2-1126259446-32.hdf5"

# gwpy 4.1 asks astropy for a name that is on its way out.
pytestmark = pytest.mark.filterwarnings("ignore:COPY_IF_NEEDED")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str) -> list[str]:
    text = path.read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


# Pages and drawings that come from the code.


def test_the_page_of_the_configuration_is_current():
    assert configuration.PAGE.read_text("utf-8") == configuration.page(), "make docs-pages"


def test_the_drawing_of_the_grid_is_current():
    assert grid.PICTURE.read_text("utf-8") == grid.picture(PipelineConfig()), "make docs-pages"


def test_a_field_without_a_text_is_refused():
    @dataclass
    class Bare:
        said: Annotated[int, Limits(ge=1, le=9)] = 1
        """What it is [s]."""
        silent: int = 2

    entries = configuration.entries(Bare)
    assert next(entries).row() == "| `said` | whole number | `1` | s | 1 to 9 | What it is. |"
    with pytest.raises(ValueError, match=r"Bare\.silent has no text below it"):
        next(entries)


# Links.


def test_links_and_names_of_files_lead_somewhere():
    assert [str(one) for one in links.broken(PAGES)] == []


GOOD = """
# One two

[self](#one-two) [again](#one-two-1) [page](docs/other.md#its-heading) [site](https://gwosc.org)
![picture](docs/a.svg) `[no](link.md)` `transforms/there.py` `there.py` <!-- [no](link.md) -->

## One *two*

```
[no](link.md) `transforms/gone.py`
```
"""


@pytest.fixture
def small(tmp_path):
    """Return a repository with one page."""
    for folder in ("docs", "transforms"):
        (tmp_path / folder).mkdir()
    (tmp_path / "transforms" / "there.py").touch()
    (tmp_path / "docs" / "a.svg").touch()
    (tmp_path / "docs" / "other.md").write_text("# Its heading\n")
    return tmp_path


def found(root: Path, text: str) -> list[str]:
    (root / "README.md").write_text(text)
    return [str(one) for one in links.broken(links.pages(root), root)]


def test_good_links_are_good(small):
    assert found(small, GOOD) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\n[x](gone.md)", "README.md:2: gone.md: no such file"),
        ("[x](docs/other.md#gone)", "README.md:1: docs/other.md#gone: no such heading"),
        ("```\n# x\n```\n[x](#x)", "README.md:4: #x: no such heading"),
        ("[x](../README.md)", "README.md:1: ../README.md: lies outside the repository"),
        ("`transforms/gone.py`", "README.md:1: transforms/gone.py: no such file"),
        ("`gone.py`", "README.md:1: gone.py: no module of this name"),
    ],
)
def test_a_broken_link_is_a_line(small, text, said):
    assert found(small, text) == [said]


def test_each_page_is_in_the_site_and_each_module_of_the_api_exists():
    shown = set(re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    there = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert shown == there
    modules = [
        module
        for path in (ROOT / "docs" / "api").glob("*.md")
        for module in re.findall(r"^::: (\S+)$", path.read_text(), re.MULTILINE)
    ]
    assert modules
    assert [one for one in modules if importlib.util.find_spec(one) is None] == []


@pytest.mark.parametrize(
    ("page", "written", "shown"),
    [
        ("a.md", "[x](../models/x.py) [y](b.md#c)", "x (`models/x.py`) [y](b.md#c)"),
        ("api/a.md", "[y](../b.md) [x](../../README.md#z)", "[y](../b.md) x (`README.md`)"),
    ],
)
def test_the_site_names_files_that_it_does_not_hold(page, written, shown):
    one = SimpleNamespace(file=SimpleNamespace(src_uri=page))
    assert hooks.on_page_markdown(written, page=one, config=None, files=None) == shown


# Python.

ELSEWHERE = ROOT / "docs" / "data-model.md"
"""Run by tests/test_sink_documented.py, after runs that found something and nothing."""
README = ROOT / "README.md"
WITH_PYTHON = [path for path in PAGES if path not in (README, ELSEWHERE) and blocks(path, "python")]


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> Path:
    """Return a folder with the real files and the run of ``make demo``."""
    folder = tmp_path_factory.mktemp("shown")
    (folder / "tests").symlink_to(ROOT / "tests")
    analyse(sorted((ROOT / "tests" / "data").glob(STRAIN)), folder / "demo")
    return folder


def run(path: Path) -> None:
    known = {"pipeline": beam.Pipeline()}
    for block in blocks(path, "python"):
        exec(compile(block, str(path), "exec"), known)


@pytest.mark.parametrize("path", WITH_PYTHON, ids=name)
def test_python_of_the_pages_runs(path, shown, monkeypatch):
    monkeypatch.chdir(shown)
    run(path)


def test_python_of_enough_pages_is_run():
    ran = {name(path) for path in WITH_PYTHON}
    assert ran >= {"docs/grid.md", "docs/examples.md", "docs/tutorial.md"}


@pytest.mark.slow
def test_the_example_of_the_readme_is_short_and_finds_gw150914(shown, monkeypatch, capsys):
    monkeypatch.chdir(shown)
    assert len(blocks(README, "python")[0].splitlines()) <= 12
    run(README)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("1126259462.42")
    assert "cbc" in line


def test_the_readme_counts_the_labels_of_the_packaged_model():
    classes = artefact.load_card(artefact.default_artefact()).classes
    assert f"one of {len(classes)} labels" in README.read_text("utf-8")


def test_what_the_tutorial_prints_is_printed(shown):
    from transforms.sink.writers import read_triggers

    (printed, *_) = blocks(ROOT / "docs" / "tutorial.md", "text")
    for row in read_triggers(shown / "demo").to_pylist():
        said = f"{row['time']:.3f}  {row['ifo']}   {row['frequency']:.1f}"
        assert said in printed


@pytest.mark.parametrize("page", ["docs/configuration.md", "docs/tutorial.md"])
def test_configurations_of_the_pages_can_be(page):
    written = blocks(ROOT / page, "yaml")
    assert written
    for block in written:
        assert parse_config(yaml.safe_load(block)) != PipelineConfig()


# Commands.

TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
_, COMMANDS = arguments._parser()


def lines(path: Path) -> list[str]:
    """Return the commands that a page shows as lines of their own."""
    text = path.read_text("utf-8").replace("\\\n", " ")
    indented = re.findall(r"^    ((?:wavefier|make|python) .*)$", text, re.MULTILINE)
    inside = [
        line for block in blocks(path, "") for line in whole_lines(block.replace("\\\n", " "))
    ]
    return [line for line in (*inside, *indented) if is_command(line)]


def whole_lines(block: str) -> Iterator[str]:
    """Yield the lines of a block, each with those that it goes on in."""
    begun = ""
    for line in block.splitlines():
        begun = f"{begun}\n{line}" if begun else line.strip().removeprefix(".venv/bin/")
        if not is_command(begun) or begun.count('"') % 2 == 0:
            yield begun
            begun = ""


def mentions(path: Path) -> list[str]:
    """Return the commands that a page mentions in its text, which may be parts of some."""
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`([^`]+)`", text)
    return [one for one in (" ".join(span.split()) for span in spans) if is_command(one)]


def is_command(text: str) -> bool:
    return bool(re.match(r"(wavefier|make|python -m|python examples/\S+)( |$)", text))


def words_of(line: str) -> list[str]:
    """Return a command's words, without comment, and without the brackets of what may be left."""
    return [
        word.removesuffix("...")
        for word in shlex.split(re.sub(r"[\[\]]", "", line), comments=True)
        if word != "..."
    ]


def options(words: list[str]) -> list[str]:
    return [word.partition("=")[0] for word in words if re.match(r"--\w", word)]


def complaints(line: str) -> Iterator[str]:
    """Yield what of a command does not exist."""
    program, *words = words_of(line)
    if program == "wavefier":
        yield from of_wavefier(words)
    elif program == "make":
        yield from (word for word in words if "=" not in word and word not in TARGETS)
    elif words[0] == "-m":
        # What follows "run" is another program's.
        own = list(takewhile(lambda word: word != "run", words))
        yield from of_module(words[1], options(own))
    elif not (ROOT / words[0]).is_file():
        yield words[0]
    else:
        text = (ROOT / words[0]).read_text()
        yield from (option for option in options(words) if f'"{option}"' not in text)


def of_wavefier(words: list[str]) -> Iterator[str]:
    if not words:
        return
    if words[0].startswith("--"):  # an option that is mentioned without a command
        known = {"--help", "--version"}.union(*map(options_of, COMMANDS.values()))
    elif words[0] in COMMANDS:
        beam_too = known_options() if words[0] in ("run", "live") else ()
        known = {"--help", *options_of(COMMANDS[words[0]]), *beam_too}
    else:
        yield words[0]
        return
    yield from (option for option in options(words) if option not in known)


QUOTED = re.compile(r'"[\w-]+"')
OURS = ("beam_pipeline", "transforms", "models", "flink", "benchmarks", "docs")


def of_module(module: str, given: list[str]) -> Iterator[str]:
    found = importlib.util.find_spec(module)
    if found is None:
        yield module
    elif module.partition(".")[0] in OURS:
        # Its own text and that of what stands beside it: asking each for --help takes minutes.
        text = "\n".join(one.read_text() for one in Path(str(found.origin)).parent.rglob("*.py"))
        for one in given:
            if one != "--help" and not {f'"{one}"', f'"{one[2:]}"'} & set(QUOTED.findall(text)):
                yield one


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_commands_of_the_pages_exist(path):
    shown = [*lines(path), *mentions(path)]
    assert [(line, wrong) for line in shown for wrong in complaints(line)] == []


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_whole_commands_can_be_read(path):
    for line in lines(path):
        program, *words = words_of(line)
        if program == "wavefier" and " ... " not in line:
            arguments.read(["1" if word == "N" else word for word in words])


@pytest.mark.parametrize(
    "line",
    [
        "wavefier runs",
        "wavefier --nothing",
        "wavefier run FILE --outputs DIR",
        "wavefier live --frame-seconds 3",
        "make nothing",
        "python -m benchmarks.nothing",
        "python -m benchmarks.detection.efficiency --nothing",
        "python examples/nothing.py",
        "python examples/plot_a_run.py demo --nothing",
    ],
)
def test_a_command_that_does_not_exist_is_seen(line):
    assert list(complaints(line))


def test_enough_commands_are_looked_at():
    assert sum(len(lines(path)) for path in PAGES) > 30
    assert sum(len(mentions(path)) for path in PAGES) > 60


def test_the_timing_of_decoding_runs():
    (block,) = (one for one in blocks(ROOT / "docs" / "live.md", "") if "timeit" in one)
    words = shlex.split(block.replace("-n 200", "-n 1 -r 1"))
    done = subprocess.run([sys.executable, *words[1:]], cwd=ROOT, check=False)
    assert done.returncode == 0


# What others read of the project.


def test_the_citation_is_of_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert cited["version"] == project["version"]
    assert cited["license"] == project["license"]
    assert cited["title"] == project["name"]
    assert {"cff-version", "message", "authors"} <= cited.keys()


def test_the_licence_is_whole():
    text = (ROOT / "LICENSE").read_text()
    assert text.startswith("SPDX-License-Identifier: GPL-3.0-or-later\n")
    assert "END OF TERMS AND CONDITIONS" in text
