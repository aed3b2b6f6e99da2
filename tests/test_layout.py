"""The rooms: names that are ours, numerics without Beam, modules that can be read at once."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests import sizes

ROOT = Path(__file__).parents[1]
PACKAGES = ("beam_pipeline", "transforms", "models")
BEAM = {
    "transforms.coders",
    "transforms.results",
    "transforms.classify.handler",
    "transforms.ingest.stream",
    "transforms.sink.archive",
    "transforms.sink.kafka",
    "transforms.sink.live",
}
"""Modules that wire the graph, beside each room's ``stage``."""
SOURCES = [p for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py"))]
MODULES = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in SOURCES]
NUMERICS = [
    name
    for name in MODULES
    if not name.startswith("beam_pipeline.")
    and name not in BEAM
    and name.rpartition(".")[2] not in {"stage", "__init__"}
]


@pytest.mark.parametrize("name", PACKAGES)
def test_top_level_names_are_ours(name):
    assert Path(str(import_module(name).__file__)).parent == ROOT / name


def test_what_wires_the_graph_is_there():
    assert set(MODULES) >= BEAM


@pytest.mark.slow
def test_numerics_never_import_beam_or_tensorflow():
    script = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    for heavy in ('apache_beam', 'tensorflow', 'keras'):\n"
        "        assert heavy not in sys.modules, f'{name} imports {heavy}'\n"
    )
    command = [sys.executable, "-c", script, *NUMERICS]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_the_command_line_does_not_wait_for_tensorflow():
    script = "import sys, beam_pipeline.commands.actions; assert 'tensorflow' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert done.returncode == 0


@pytest.mark.slow
def test_only_what_judges_models_needs_scikit_learn():
    script = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(name, *_):\n"
        "        if name == 'sklearn': raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent)\n"
        "from beam_pipeline import cli\n"
        "code = cli.main(['evaluate', '--output', 'build/none'])\n"
        "import beam_pipeline.commands.live, beam_pipeline.replay.command, transforms.sink.report\n"
        "sys.exit(code)\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    said = "wavefier: scikit-learn is missing: pip install 'wavefier[train]'\n"
    assert (done.returncode, done.stderr) == (2, said)


def test_what_is_too_long_to_be_read_at_once_is_a_warning():
    long = "".join(f"    x = {n}\n" for n in range(sizes.FUNCTION_LINES))
    most = f'def f():\n    """Say.\n\n    Much.\n    """\n{long}'
    rest = "\n" * (sizes.MODULE_LINES - len(most.splitlines()))
    assert list(sizes.too_long("a.py", most + rest)) == []
    found = list(sizes.too_long("a.py", f"{most}    x = 0\n{rest}"))
    assert found == [
        "a.py: warning: 401 lines, more than 400",
        "a.py:1: warning: f has 61 lines, more than 60",
    ]


def test_make_lint_prints_warnings_and_goes_on(monkeypatch, capsys):
    assert "python -m tests.sizes\n" in (ROOT / "Makefile").read_text()
    monkeypatch.setattr(sizes, "MODULE_LINES", 0)
    assert sizes.main() == 0
    said = capsys.readouterr().out.splitlines()
    assert {f"{p.relative_to(ROOT)}" for p in SOURCES if p.stat().st_size} <= {
        line.partition(":")[0] for line in said
    }


def test_no_package_hides_in_the_tests_or_in_flink():
    for folder in ("tests", "flink", "docs"):
        assert not list((ROOT / folder).rglob("__init__.py"))


def test_reading_topics_knows_nothing_of_strain():
    """Topics of anything else are read by the same modules."""
    for path in (ROOT / "transforms/ingest/kafka").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                inside = node.module.removeprefix("transforms.ingest")
                elsewhere = inside == node.module
                assert elsewhere or inside.startswith((".kafka", ".errors")), path.name
                names = {name.name for name in node.names}
                assert node.module != "transforms.elements" or names == {"DeadLetter"}, path.name
