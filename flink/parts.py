"""The parts of a live run that are not Python: where they lie, and how they are made.

The job server, the broker and Flink's plugin for S3 are Maven's work; the cluster comes out of
Flink's own wheels, in a folder of its own as they ask for an older Beam than ours. All versions
are in `pom.xml`.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from flink.processes import Problem, reported, run
from flink.settings import ROOT

HERE = Path(__file__).parent
POM = HERE / "pom.xml"
JOB_SERVER = HERE / "job-server" / "target" / "job-server.jar"
BROKER = HERE / "kafka" / "target" / "lib"
S3 = HERE / "s3" / "target" / "plugin"
WHEELS = ROOT / ".flink" / "distribution"
MAKE = {
    "jar": "make flink-jar",
    "broker": "make kafka-jars",
    "s3": "make flink-s3",
    "distribution": "make flink-env",
}
MODULES = {"jar": "job-server", "broker": "kafka", "s3": "s3"}
"""Which of them Maven makes."""


def versions() -> dict[str, str]:
    """Read the versions."""
    space = "{http://maven.apache.org/POM/4.0.0}"
    properties = ElementTree.parse(POM).getroot().find(f"{space}properties")
    assert properties is not None
    return {str(one.tag).removeprefix(space): (one.text or "").strip() for one in properties}


def java() -> Path:
    """Find Java.

    Raises:
        Problem: There is none, or it is too old.
    """
    needed = versions()["java.release"]
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin") if home else None)
    where = f"in JAVA_HOME={home}" if home else "on the PATH"
    advice = f"install a Java runtime of version {needed} or newer, or set JAVA_HOME to one"
    if not found:
        raise Problem(f"no Java {where}: {advice}")
    done = subprocess.run([found, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', done.stderr)
    if not version or int(version[1]) < int(needed):
        said = version[1] if version else "unknown"
        raise Problem(f"Java {where} is version {said}: {advice}")
    return Path(found)


def tools() -> None:
    """Look for what the parts need from outside.

    Raises:
        Problem: There is no Java, or no Maven while it has something to make.
    """
    java()
    if any(map(_stale, MODULES)) and not shutil.which("mvn"):
        raise Problem("no mvn on the PATH: install Maven, version 3.8 or newer")


def job_server() -> Path:
    """Return the job server's jar."""
    return _made("jar", JOB_SERVER)


def broker() -> Path:
    """Return the folder of the broker's jars."""
    return _made("broker", BROKER)


def s3() -> Path:
    """Return the folder of the plugin with which Flink reads and writes an S3 store."""
    return _made("s3", S3)


def distribution() -> Path:
    """Return the folder of Flink: bin, conf, lib, plugins."""
    return _made("distribution", WHEELS / "pyflink")


def make(what: str) -> None:
    """Make a part, if it is not there or of other versions: a key of `MAKE`.

    Raises:
        Problem: Java or Maven is missing, or a download failed.
    """
    if not _stale(what):
        return
    tools()
    stamp = _stamp(what)
    if what in MODULES:
        # Maven would put the new classes into the old jar.
        shutil.rmtree(stamp.parent, ignore_errors=True)
        _maven(MODULES[what])
    else:
        _make_distribution()
    stamp.write_text(_recipe(what))


def _make_distribution() -> None:
    shutil.rmtree(WHEELS, ignore_errors=True)
    version = versions()["flink.version"]
    wheels = [f"{name}=={version}" for name in ("apache-flink", "apache-flink-libraries")]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(
        "pip, for Flink's wheels,",
        [*pip, "--no-deps", "--no-compile", "--target", str(WHEELS), *wheels],
    )
    # Wheels keep no execute permission.
    for script in (WHEELS / "pyflink" / "bin").glob("*.sh"):
        script.chmod(0o755)


def _maven(module: str) -> None:
    command = ["mvn", "--quiet", "--batch-mode", "--file", str(POM), "--projects", module]
    run(f"mvn, for {module},", [*command, "package"])


def _made(what: str, path: Path) -> Path:
    if _stale(what):
        raise Problem(f"{path} is missing or of other versions: {MAKE[what]}")
    return path


def _stale(what: str) -> bool:
    stamp = _stamp(what)
    return not stamp.exists() or stamp.read_text() != _recipe(what)


def _stamp(what: str) -> Path:
    folders = {"jar": JOB_SERVER.parent, "broker": BROKER, "s3": S3, "distribution": WHEELS}
    return folders[what] / "made-from"


def _recipe(what: str) -> str:
    """Return what a part depends on."""
    if what == "distribution":
        return versions()["flink.version"] + "\n"
    module = HERE / MODULES[what]
    files = [POM, module / "pom.xml", *sorted((module / "src").rglob("*.java"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest() + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what a live run needs; WAVEFIER_REQUIRE_JAVA=1 overrules --if-possible."""
    parser = argparse.ArgumentParser(prog="python -m flink.parts", description=main.__doc__)
    parser.add_argument("parts", nargs="*", choices=[*MAKE, []], help="default: all")
    parser.add_argument("--if-possible", action="store_true", help="no error without Java")
    given = parser.parse_args(arguments)
    return reported(lambda: _act(given))


def _act(given: argparse.Namespace) -> int:
    if given.if_possible:
        try:
            tools()
        except Problem as problem:
            if required():
                raise
            print(f"Left out: what needs Java (a Flink cluster, a Kafka broker). {problem}")
            return 0
    for what in given.parts or MAKE:
        make(what)
    return 0


def required() -> bool:
    """Return whether what needs Java must be there."""
    return os.environ.get("WAVEFIER_REQUIRE_JAVA") == "1"


if __name__ == "__main__":
    sys.exit(main())
