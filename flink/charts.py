"""The Helm chart: looked over, packed, installed and taken back: `python -m flink.charts`.

Helm and kubeconform come from the Go module proxy, in the versions that are named here.
"""

import argparse
import json
import os
import re
import sys
import textwrap
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from flink.images import REGISTRY, TAG
from flink.kubernetes_settings import KubernetesSettings
from flink.processes import Problem, reported, run
from flink.settings import ROOT
from transforms.checks import Form, check_values
from transforms.environment import read_texts
from transforms.texts import shown

CHART = ROOT / "flink" / "helm" / "wavefier"
EXAMPLES = ROOT / "flink" / "helm" / "values"
SCHEMA = CHART / "values.schema.json"
SCIENCE = ROOT / "beam_pipeline" / "science.json"
SCHEMAS = ROOT / "tests" / "data" / "kubernetes"
"""Of what the chart makes, as Kubernetes' own API describes it."""
KUBERNETES = "1.34.4"
"""Whose schemas these are, and whom templates are told to be for."""
TOOLS = {
    "helm": "helm.sh/helm/v3/cmd/helm@v3.19.2",
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0",
}
GO = (1, 24)
_LABEL = r"[a-z0-9]([-a-z0-9]{{0,{most}}}[a-z0-9])?"
VARIABLES = {
    "name": "HELM_RELEASE",
    "namespace": "HELM_NAMESPACE",
    "values": "HELM_VALUES",
    "timeout": "HELM_TIMEOUT",
    "registry": "IMAGES_REGISTRY",
    "tag": "IMAGES_TAG",
}
"""Of each field of a release."""


def binaries() -> Path:
    """Return the folder of programs: K8S_BINARIES, or one below `.flink`."""
    return KubernetesSettings.from_environment().binaries


def tool(name: str) -> Path:
    """Return a program.

    Raises:
        Problem: It was not built, or in another version.
    """
    if _stale(name):
        raise Problem(f"{binaries() / name} is missing or of another version: make chart-tools")
    return binaries() / name


def make() -> list[str]:
    """Build what is missing, and name it.

    Raises:
        Problem: There is no Go, or a build failed.
    """
    wanted = [name for name in TOOLS if _stale(name)]
    for name in wanted:
        require_go()
        binaries().mkdir(parents=True, exist_ok=True)
        own = {**os.environ, "GOBIN": str(binaries()), "GOFLAGS": "-buildvcs=false"}
        run("go install", ["go", "install", "-trimpath", "-ldflags=-s -w", TOOLS[name]], own)
        _stamp(name).write_text(f"{TOOLS[name]}\n")
    return wanted


def possible() -> None:
    """Look for what is needed from outside.

    Raises:
        Problem: Something is to be built, and there is no Go.
    """
    if any(_stale(name) for name in TOOLS):
        require_go()


def required() -> bool:
    """Return whether what needs Go must be there."""
    return os.environ.get("WAVEFIER_REQUIRE_GO") == "1"


def examples() -> list[Path]:
    """List the values files that are shown to users."""
    return sorted(EXAMPLES.glob("*.yaml"))


def lint(values: Path) -> str:
    """Lint the chart with some values.

    Raises:
        Problem: It finds fault.
    """
    own = ["--strict", "--kube-version", KUBERNETES, "--values", str(values)]
    return run("helm lint", [tool("helm"), "lint", CHART, *own])


def render(*given: str) -> str:
    """Return what the chart makes of values.

    Args:
        given: Options of `helm template`, such as `--values FILE` and `--set KEY=VALUE`.

    Raises:
        Problem: The values are refused.
    """
    where = ["--namespace", "gw", "--kube-version", KUBERNETES]
    return run("helm template", [tool("helm"), "template", "gw", CHART, *where, *given])


def conform(manifests: str) -> str:
    """Check manifests against Kubernetes' schemas, in which no unknown key is let through.

    Raises:
        Problem: One is not as Kubernetes wants it.
    """
    location = f"{SCHEMAS}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"
    own = ["-strict", "-summary", "-kubernetes-version", KUBERNETES, "-schema-location", location]
    return run("kubeconform", [tool("kubeconform"), *own], given=manifests)


def package(folder: Path) -> Path:
    """Pack the chart, with the project's version, and return the file.

    Raises:
        Problem: It cannot be packed.
    """
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    own = ["--destination", str(folder), "--app-version", version]
    said = run("helm package", [tool("helm"), "package", CHART, *own])
    return Path(said.strip().rpartition(" ")[2])


def schema_text() -> str:
    """Return what the schema of the chart's values must hold: the science is the code's own.

    Raises:
        Problem: It has no place for the science.
    """
    science = json.loads(SCIENCE.read_text("utf-8"))
    own = {key: science[key] for key in science if key not in ("$schema", "$id", "title")}
    part = f'"science": {json.dumps(own, indent=2, ensure_ascii=False)},'
    before, key, rest = SCHEMA.read_text("utf-8").partition('\n    "science": {\n')
    _, end, after = rest.partition("\n    },\n")
    if not (key and end):
        raise Problem(f'{SCHEMA}: has no "science" among its properties')
    return f"{before}\n{textwrap.indent(part, ' ' * 4)}\n{after}"


@dataclass(frozen=True, kw_only=True)
class Release:
    """Where a chart is installed, and with which values.

    Attributes:
        name: Of the release.
        namespace: Made if it is not there.
        values: File of the chart's values, or its address.
        timeout: How long Helm waits for pods.
        registry: In front of the images' names; empty: as the values say.
        tag: Of the images; empty: as the values say.
    """

    name: Annotated[
        str, Form(_LABEL.format(most=51), "lower case, digits and dashes, at most 53")
    ] = "wavefier"
    namespace: Annotated[
        str, Form(_LABEL.format(most=61), "lower case, digits and dashes, at most 63")
    ] = "wavefier"
    values: Annotated[str, Form(r"[^-\x00-\x1f][^\x00-\x1f]*", "a file")] = str(
        EXAMPLES / "laptop.yaml"
    )
    timeout: Annotated[str, Form(r"([0-9]{1,6}(ms|s|m|h))+", "a time as 90s, 10m or 1h30m")] = "10m"
    registry: Annotated[str, REGISTRY] = ""
    tag: Annotated[str, TAG] = ""

    def __post_init__(self) -> None:
        try:
            check_values(self, VARIABLES.__getitem__)
        except ValueError as error:
            raise Problem(str(error)) from None

    @classmethod
    def from_environment(cls) -> Self:
        """Read the variables of a release.

        Raises:
            Problem: A value cannot be; one line.
        """
        texts = {field: os.environ.get(name, "") for field, name in VARIABLES.items()}
        try:
            return read_texts(cls, texts, VARIABLES.__getitem__)
        except ValueError as error:
            raise Problem(str(error)) from None

    def deploy(self) -> str:
        """Install or upgrade; a release that does not come up is taken back.

        Raises:
            Problem: There are no such values, or Helm fails.
        """
        if "://" not in self.values and not os.access(self.values, os.R_OK):
            raise Problem(f"HELM_VALUES: there is no file {shown(self.values)} to read")
        own = ["--install", "--create-namespace", "--atomic", "--timeout", self.timeout]
        images = {"registry": self.registry, "tag": self.tag}
        named = [f"--set-string=images.{key}={text}" for key, text in images.items() if text]
        return self._helm("upgrade", str(CHART), *own, "--values", self.values, *named)

    def smoke(self) -> str:
        """Run the chart's own test, and show what it says."""
        return self._helm("test", "--logs", "--timeout", self.timeout)

    def rollback(self) -> str:
        """Go back to the revision before."""
        return self._helm("rollback", "--wait", "--cleanup-on-fail", "--timeout", self.timeout)

    def undeploy(self) -> str:
        """Uninstall, and wait until it is gone."""
        return self._helm("uninstall", "--wait", "--timeout", self.timeout)

    def _helm(self, verb: str, *own: str) -> str:
        return run(
            f"helm {verb}", [tool("helm"), verb, self.name, *own, "--namespace", self.namespace]
        )


def _stale(name: str) -> bool:
    stamp = _stamp(name)
    built = (binaries() / name).exists() and stamp.exists()
    return not built or stamp.read_text() != f"{TOOLS[name]}\n"


def _stamp(name: str) -> Path:
    return binaries() / f".{name}.made-from"


def require_go() -> None:
    """Check that there is a Go, and that it is new enough.

    Raises:
        Problem: It is not.
    """
    advice = f"install Go {GO[0]}.{GO[1]} or newer"
    try:
        said = run("go version", ["go", "version"])
    except Problem:
        raise Problem(f"no go on the PATH: {advice}") from None
    found = re.search(r"go(\d+)\.(\d+)", said)
    if not found or (int(found[1]), int(found[2])) < GO:
        raise Problem(f"{said.strip()} is too old: {advice}")


def check() -> str:
    """Look the chart over with every example, and check what it makes of them."""
    for values in examples():
        lint(values)
        said = conform(render("--values", str(values))).strip()
        print(f"{values.relative_to(ROOT)}: {said}")
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Build Helm and kubeconform; check, pack, install the chart. docs/operations.md says how."""
    parser = argparse.ArgumentParser(prog="python -m flink.charts", description=main.__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    tools = actions.add_parser("tools", help="build Helm and kubeconform, unless they are there")
    tools.add_argument("--if-possible", action="store_true", help="no error without Go")
    actions.add_parser("check", help="lint, and compare with Kubernetes' schemas")
    actions.add_parser("schema", help="write the science's schema into that of the chart's values")
    pack = actions.add_parser("package", help="write the chart as a file")
    pack.add_argument("folder", type=Path)
    actions.add_parser("deploy", help="install or upgrade a release")
    actions.add_parser("smoke", help="run its test")
    actions.add_parser("rollback", help="go back to its former revision")
    actions.add_parser("undeploy", help="uninstall it")
    given = parser.parse_args(arguments)
    return reported(lambda: _act(given))


def _act(given: argparse.Namespace) -> int:
    if given.action == "tools" and given.if_possible and not required():
        try:
            possible()
        except Problem as problem:
            print(f"Left out: what needs Go (the Helm chart's tests). {problem}")
            return 0
    print(_said(given), end="")
    return 0


def _said(given: argparse.Namespace) -> str:
    if given.action == "tools":
        return "".join(f"{name} built\n" for name in make())
    if given.action == "package":
        return f"{package(given.folder)}\n"
    if given.action == "check":
        return check()
    if given.action == "schema":
        SCHEMA.write_text(schema_text(), "utf-8")
        return f"{SCHEMA}\n"
    return str(getattr(Release.from_environment(), given.action)())


if __name__ == "__main__":
    sys.exit(main())
