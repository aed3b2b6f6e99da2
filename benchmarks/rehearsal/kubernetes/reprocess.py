"""The chart's archive job on the cluster: over files on a volume, without Kafka and Flink."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rehearsal.compare import Comparison, Row, compare
from benchmarks.rehearsal.kubernetes import release
from transforms.sink.writers import read_triggers

NAME = "again"
INPUT = "strain"
FOLDER = "archive"
DEADLINE_S = 300


def reprocess(files: Sequence[Path], expected: Sequence[Row], folder: Path) -> Comparison:
    """Install the chart for files, wait until they are analysed, uninstall.

    Args:
        files: Of strain.
        expected: Triggers that they hold.
        folder: For what Helm reads.

    Returns:
        What came out beside what is expected.

    Raises:
        Problem: The chart is refused, or its job fails or does not end.
    """
    release.kubectl("apply", f"--filename={_written(folder / 'claim.json', _claim())}")
    for path in files:
        shutil.copy(path, release.folder(INPUT))
    values = _written(folder / "archive.json", _values([path.name for path in files]))
    release.install(f"--values={values}", name=NAME)
    try:
        chosen = f"--selector=app.kubernetes.io/instance={NAME}"
        release.kubectl(
            "wait", "job", chosen, "--for=condition=Complete", f"--timeout={DEADLINE_S}s"
        )
        results = release.folder(f"{NAME}-wavefier-results")
        return compare(expected, read_triggers(results / FOLDER).to_pylist())
    finally:
        release.helm("uninstall", NAME, "--wait", "--timeout=120s")
        release.kubectl("delete", "pvc", INPUT)


def _written(path: Path, what: object) -> Path:
    path.write_text(json.dumps(what))
    return path


def _claim() -> dict[str, object]:
    wanted = {"accessModes": ["ReadOnlyMany"], "resources": {"requests": {"storage": "1Gi"}}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": INPUT},
        "spec": wanted,
    }


def _values(names: Sequence[str]) -> dict[str, object]:
    archive = {"enabled": True, "files": list(names), "input": {"claim": INPUT}, "folder": FOLDER}
    return {
        "live": {"enabled": False},
        "kafka": {"trial": {"enabled": False}},
        "archive": archive,
    }
