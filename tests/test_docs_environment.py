"""docs/environment.md lists every environment variable that the code reads, with its default."""

import ast
import re
from dataclasses import fields

import pytest

from flink import charts
from flink.images import ImageSettings
from flink.kubernetes_settings import KubernetesSettings
from flink.settings import ROOT, BrokerSettings, ClusterSettings
from models import pool
from transforms.observe.config import ADDRESS, FOLDER, LOG, ObserveConfig

PAGE = ROOT / "docs" / "environment.md"
OURS = re.compile(r"(WAVEFIER|FLINK|KAFKA|IMAGES|HELM|K8S)_[A-Z0-9_]+")
NO_VARIABLES = {"FLINK_SERIES", "PATH_INFO"}
"""Names like ours of what is no variable."""
SOURCES = [
    path
    for room in ("beam_pipeline", "transforms", "models", "flink", "benchmarks")
    for path in sorted((ROOT / room).rglob("*.py"))
]
KINDS = (ClusterSettings, BrokerSettings, ImageSettings, KubernetesSettings)
METHODS = {"get", "pop", "setdefault"}
# Where the name is made while running: which ones these are.
MADE = {
    "benchmarks/__init__.py": {
        *(f"{one}_NUM_THREADS" for one in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")),
        *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
    },
    "flink/charts.py": set(charts.VARIABLES.values()),
    "flink/settings.py": {kind.variable(one.name) for kind in KINDS for one in fields(kind)},
    "models/pool.py": set(pool._THREADS),
    "transforms/observe/config.py": {ADDRESS, FOLDER, LOG},
    # Names that come in as constants of others, or from the pool of workers.
    "beam_pipeline/flink/worker.py": set(),
    "benchmarks/live/poison.py": {"WAVEFIER_CRASH_FOLDER"},
}
UNKNOWN = "?"


def is_environment(node):
    """Return whether an expression is a process's environment, by the names that ours have."""
    text = ast.unparse(node)
    return text in ("os.environ", "environ", "environment") or text.endswith("_environment")


def constants(tree):
    """Return the module's names of texts."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            (target,) = node.targets
            pairs = (
                zip(target.elts, node.value.elts, strict=True)
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                else [(target, node.value)]
            )
            for name, value in pairs:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    found[ast.unparse(name)] = value.value
    return found


def read_by(source):
    """Return the variables that a source reads or sets; UNKNOWN for a name it makes."""
    tree = ast.parse(source)
    known, found = constants(tree), set()
    for node in ast.walk(tree):
        names = []
        match node:
            case ast.Subscript(value=of, slice=name) if is_environment(of):
                names = [name]
            case ast.Call(func=ast.Attribute(value=of, attr=how), args=[name, *_]) if (
                how in METHODS and is_environment(of)
            ):
                names = [name]
            case ast.Call(func=ast.Attribute(attr="getenv"), args=[name, *_]):
                names = [name]
            case ast.Compare(left=name, ops=[ast.In() | ast.NotIn()], comparators=[of]) if (
                is_environment(of)
            ):
                names = [name]
            case ast.Call(func=ast.Attribute(value=of, attr="update"), args=given, keywords=more):
                if is_environment(of):
                    found |= {one.arg for one in more} | ({UNKNOWN} if given else set())
            case ast.Dict(keys=keys) if any(
                key is None and is_environment(value)
                for key, value in zip(keys, node.values, strict=True)
            ):
                # What is started finds these; what else comes in was read elsewhere.
                names = [key for key in keys if isinstance(key, ast.Constant)]
            case ast.Constant(value=str(text)) if OURS.fullmatch(text):
                names = [node]
        for name in names:
            if isinstance(name, ast.Constant):
                found.add(name.value)
            else:
                found.add(known.get(ast.unparse(name), UNKNOWN))
    return found


def read_elsewhere():
    """Return the variables of scripts, images, the chart and make."""
    files = {
        r"\$\{([A-Z][A-Z0-9_]+)[:}]": ["flink/docker/*.sh"],
        r"\bname: ([A-Z][A-Z0-9_]+), value": [
            "flink/helm/wavefier/templates/**/*",
            "flink/operator/*",
        ],
        r"(?m)^(?:ENV|   ) ?(?!PATH)([A-Z_]+)=": ["flink/docker/*.Dockerfile"],
        r"(?m)^(?:export )?([A-Z_]+) \?=": ["Makefile"],
        r'"\$\(([A-Z_]+)\)': ["Makefile"],
        r"\b((?:COSIGN|FLINK|WAVEFIER)_[A-Z_]+)\b": [
            ".ci/run",
            ".gitlab-ci.yml",
            "flink/docker/*.Dockerfile",
        ],
    }
    return {
        name
        for pattern, globs in files.items()
        for glob in globs
        for path in ROOT.glob(glob)
        if path.is_file()
        for name in re.findall(pattern, path.read_text("utf-8"))
    }


def listed():
    """Return the page's rows by variable: default, unit, what for, read by."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text("utf-8").splitlines()
        if line.startswith("| `")
    ]
    found = {name.strip("`"): (default.strip("`"), *rest) for name, default, *rest in rows}
    assert len(found) == len(rows), "a variable is listed twice"
    assert all(len(row) == 4 and row[2] and row[3] for row in found.values())
    return found


def read_by_the_code():
    found = read_elsewhere() - NO_VARIABLES
    for path in [*SOURCES, ROOT / "tests" / "conftest.py"]:
        where = str(path.relative_to(ROOT))
        names = read_by(path.read_text("utf-8"))
        if UNKNOWN in names and where != "tests/conftest.py":
            assert where in MADE, f"{where} makes the name of a variable: say in MADE which"
        found |= (names | MADE.get(where, set())) - {UNKNOWN} - NO_VARIABLES
    return found


def test_every_variable_that_is_read_is_listed():
    missing = read_by_the_code() - set(listed())
    assert not missing, f"docs/environment.md lacks {sorted(missing)}"


def test_every_variable_of_ours_that_is_listed_is_read():
    stale = {name for name in listed() if OURS.fullmatch(name)} - read_by_the_code()
    assert not stale, f"docs/environment.md lists {sorted(stale)}, which nobody reads"


def told(default):
    """Return a default as the page writes it."""
    if isinstance(default, bool):
        return str(int(default))
    if isinstance(default, float):
        return f"{default:g}"
    return str(default).removeprefix(f"{ROOT}/")


def test_defaults_are_those_of_the_code():
    page = listed()
    given = {kind.variable(one.name): one.default for kind in KINDS for one in fields(kind)}
    given |= {
        charts.VARIABLES[one.name]: one.default
        for one in fields(charts.Release)
        if one.name not in ("registry", "tag")  # ImageSettings', and empty here
    }
    names = {"address": ADDRESS, "folder": FOLDER, "log": LOG}
    given |= {names[one.name]: one.default for one in fields(ObserveConfig)}
    assert {name: page[name][0] for name in given} == {
        name: told(default) for name, default in given.items()
    }
    units = {"_S": "s", "_MS": "ms", "_MB": "MB", "_PORT": "port", "_FOLDER": "path"}
    for name in given:
        for end, unit in units.items():
            assert not name.endswith(end) or page[name][1] == unit, name


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import os\nos.environ['NEW']", {"NEW"}),
        ("import os\nos.environ.get('NEW', '')", {"NEW"}),
        ("import os\nos.getenv('NEW')", {"NEW"}),
        ("import os\n'NEW' in os.environ", {"NEW"}),
        ("import os\nos.environ.update(NEW='1')", {"NEW"}),
        ("import os\nown = {**os.environ, 'NEW': '1'}", {"NEW"}),
        ("import os\nA, B = 'NEW', 'OTHER'\nos.environ.get(B)", {"OTHER"}),
        ("import os\nos.environ[f'{x}_NEW']", {UNKNOWN}),
        ("def f(environment): return environment.get('NEW')", {"NEW"}),
        ("read(variable='FLINK_NEW')", {"FLINK_NEW"}),
        ("given.get('other')", set()),
    ],
)
def test_a_variable_is_found_however_it_is_read(source, names):
    assert read_by(source) == names
