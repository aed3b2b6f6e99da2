"""Prometheus beside a live job: where its programs come from, and a server for rehearsals.

`python -m flink.dev.prometheus` gets them: what is on the PATH, or else Debian's package unpacked
into `.flink`, which starts no service and needs no root.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from beam_pipeline.flink import bypass_proxy
from flink.processes import HOST, Problem, Processes, reported
from flink.settings import ROOT
from transforms.texts import one_line

HERE = Path(__file__).parents[1] / "monitoring"
ALERTS = HERE / "alerts.yaml"
DASHBOARD = HERE / "dashboard.json"
UNPACKED = ROOT / ".flink" / "prometheus"
PACKAGE = "prometheus"
SERVER = "prometheus"
PATIENCE_S = 240.0
STEPS = 2_000
"""Points of a query over the whole of a rehearsal, at most; Prometheus takes 11 000."""
_METRIC = re.compile(r"\b(?:wavefier|flink)[_:][A-Za-z0-9_:]+")
_LOCAL = bypass_proxy.opener(HOST)


def program(name: str) -> Path:
    """Find `prometheus` or `promtool`.

    Raises:
        Problem: It is not there.
    """
    found = shutil.which(name) or shutil.which(name, path=str(UNPACKED / "usr" / "bin"))
    if not found:
        raise Problem(f"no {name}: make prometheus, or install Prometheus and put it on the PATH")
    return Path(found)


def required() -> bool:
    """Return whether it must be there."""
    return os.environ.get("WAVEFIER_REQUIRE_PROMETHEUS") == "1"


def fetch(where: Path = UNPACKED) -> None:
    """Unpack Debian's package.

    Raises:
        Problem: There is no apt, or it has no such package.
    """
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise Problem("no apt-get: install Prometheus (2.42 or newer) and put it on the PATH")
    with tempfile.TemporaryDirectory() as folder:
        # As root, apt would warn that its own user may not write there.
        command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", PACKAGE]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode and os.geteuid() == 0:
            # A new machine has no lists yet.
            subprocess.run(["apt-get", "-qq", "update"], capture_output=True, check=False)
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Problem(f"{PACKAGE} could not be fetched; apt-get says: {done.stderr.strip()}")
        shutil.rmtree(where, ignore_errors=True)
        (package,) = Path(folder).glob("*.deb")
        subprocess.run(["dpkg-deb", "--extract", package, where], check=True)


def metrics_of(text: str) -> set[str]:
    """Return the names of this project's and Flink's metrics in a query."""
    return set(_METRIC.findall(text))


def rules(path: Path = ALERTS) -> list[dict[str, Any]]:
    """Return all rules of a file."""
    return [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def dashboard_queries(path: Path = DASHBOARD) -> list[str]:
    """Return the queries of a dashboard's panels and variables, with all values chosen."""
    board = json.loads(path.read_text())
    panels = [inner for one in board["panels"] for inner in (one, *one.get("panels", ()))]
    found = [target["expr"] for one in panels for target in one.get("targets", ())]
    found += [
        re.sub(r"^label_values\((.+),\s*\w+\)$", r"\1", variable["query"]["query"])
        for variable in board["templating"]["list"]
        if variable["type"] == "query"
    ]
    names = {variable["name"] for variable in board["templating"]["list"]}
    for name in names:
        found = [query.replace(f"${name}", ".*") for query in found]
    return [query.replace("$__rate_interval", "1m").replace("$__range", "5m") for query in found]


class Prometheus:
    """A server that scrapes some addresses of this machine, on loopback, with our alert rules."""

    def __init__(self, folder: Path, port: int, targets: Sequence[str]) -> None:
        self._folder, self._port, self._targets = folder, port, targets
        self._processes = Processes(folder)

    def up(self) -> None:
        """Start it and wait until it answers.

        Raises:
            Problem: It is not there, or does not come up.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / "prometheus.yaml"
        scraped = [{"job_name": "wavefier", "static_configs": [{"targets": [*self._targets]}]}]
        values = {
            "global": {"scrape_interval": "2s", "evaluation_interval": "2s"},
            "rule_files": [str(ALERTS)],
            "scrape_configs": scraped,
        }
        path.write_text(yaml.safe_dump(values))
        options = {
            "config.file": path,
            "storage.tsdb.path": self._folder / "data",
            "web.listen-address": f"{HOST}:{self._port}",
            "log.level": "warn",
        }
        line: list[str | Path] = [
            program(SERVER),
            *(f"--{name}={value}" for name, value in options.items()),
        ]
        self._processes.start(SERVER, line, {})
        end = time.monotonic() + PATIENCE_S
        while not self._answers():
            if SERVER not in self._processes.alive() or time.monotonic() > end:
                raise Problem(f"Prometheus does not come up; {self._processes.tail(SERVER)}")
            time.sleep(0.25)
        self._since = time.time()

    def down(self) -> None:
        """End it, and remove its files."""
        self._processes.end([SERVER])
        shutil.rmtree(self._folder, ignore_errors=True)

    def ask(self, path: str, **fields: Any) -> Any:
        """Ask its interface for version 1 of the API.

        Raises:
            Problem: It refuses the question.
        """
        asked = urllib.parse.urlencode(fields)
        url = f"http://{HOST}:{self._port}/api/v1/{path}?{asked}"
        try:
            with _LOCAL.open(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise Problem(f"{fields or path}: {_reason(error)}") from error

    def has(self, query: str) -> bool:
        """Return whether a query had a result at any time since the start."""
        now = time.time()
        step = max(1.0, (now - self._since) / STEPS)
        answer = self.ask("query_range", query=query, start=self._since, end=now, step=step)
        return bool(answer["result"])

    def names(self) -> list[str]:
        """Return the names of all metrics that were scraped or recorded."""
        found: list[str] = self.ask("label/__name__/values")
        return found

    def fired(self) -> list[str]:
        """Return the alerts that were pending or fired at any time since the start."""
        names = [rule["alert"] for rule in rules() if "alert" in rule]
        return [name for name in names if self.has(f'ALERTS{{alertname="{name}"}}')]

    def _answers(self) -> bool:
        try:
            self.ask("status/buildinfo")
        except (OSError, Problem):  # while it starts, it refuses all questions
            return False
        return True


def _reason(error: urllib.error.HTTPError) -> str:
    """Return what a refusal says: JSON, but while the server starts, a plain text."""
    text = error.read().decode(errors="replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return one_line(f"{error.code} {text}")


@contextmanager
def prometheus(folder: Path, port: int, targets: Sequence[str]) -> Iterator[Prometheus]:
    """Run a server while the block does; no process and no file is left of it."""
    server = Prometheus(folder, port, targets)
    try:
        server.up()
        yield server
    finally:
        server.down()


def main(arguments: Sequence[str] | None = None) -> int:
    """Get Prometheus; WAVEFIER_REQUIRE_PROMETHEUS=1 overrules --if-possible."""
    parser = argparse.ArgumentParser(
        prog="python -m flink.dev.prometheus", description=main.__doc__
    )
    parser.add_argument("--if-possible", action="store_true", help="no error without apt")
    given = parser.parse_args(arguments)
    return reported(lambda: _get(given.if_possible and not required()))


def _get(may_lack: bool) -> int:
    try:
        try:
            program(SERVER), program("promtool")
        except Problem:
            fetch()
        program(SERVER), program("promtool")
    except Problem as problem:
        if not may_lack:
            raise
        print(f"Left out: what needs Prometheus (alert rules, dashboard). {problem}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
