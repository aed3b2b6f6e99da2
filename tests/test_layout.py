"""The rooms: names that are ours, numerics without Beam, modules that can be read at once."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("beam_pipeline", "transforms", "models")
BEAM = {"stage", "archive", "coders", "handler", "live", "kafka"}
SOURCES = [p for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py"))]
NUMERICS = [
    ".".join(p.relative_to(ROOT).with_suffix("").parts)
    for p in SOURCES
    if p.parts[len(ROOT.parts)] != "beam_pipeline" and p.stem not in {*BEAM, "__init__"}
]


@pytest.mark.parametrize("name", PACKAGES)
def test_top_level_names_are_ours(name):
    assert Path(str(import_module(name).__file__)).parent == ROOT / name


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


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_and_functions_can_be_read_at_once(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = node.body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert length <= 60, f"{node.name} has {length} lines"


def test_no_package_hides_in_the_tests_or_in_flink():
    for folder in ("tests", "flink", "docs"):
        assert not list((ROOT / folder).rglob("__init__.py"))
