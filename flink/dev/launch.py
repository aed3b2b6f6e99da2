"""With which command each process of the cluster starts."""

from pathlib import Path

from flink import parts
from flink.settings import ClusterSettings

JOBMANAGER, TASKMANAGER, JOB_SERVER, ZOOKEEPER = "jobmanager", "tm", "job-server", "zookeeper"
KINDS = (JOBMANAGER, TASKMANAGER, JOB_SERVER, ZOOKEEPER)
# Beam's runner and its gRPC reach into these, which Java 17 keeps closed.
OPENED = ("java.lang", "java.lang.invoke", "java.util", "java.nio", "java.net", "sun.nio.ch")
REPORTER = "metrics.reporter.prom"
REPORTER_CLASS = "org.apache.flink.metrics.prometheus.PrometheusReporterFactory"


def command(settings: ClusterSettings, name: str) -> list[str | Path]:
    """Return a process's command.

    Args:
        settings: The cluster.
        name: A kind, or `tm-N` for a TaskManager.
    """
    scripts = parts.distribution() / "bin"
    if name == JOB_SERVER:
        return _job_server(settings)
    if name == ZOOKEEPER:
        # Not zookeeper.sh, whose process would be a shell's.
        zoo = settings.folder / "conf" / "zoo.cfg"
        return [scripts / "flink-console.sh", ZOOKEEPER, "--zkConfigFile", zoo, "--peerId", "1"]
    if name == JOBMANAGER:
        return [scripts / "jobmanager.sh", "start-foreground", *_metrics(settings, 0)]
    kind, _, number = name.partition("-")
    if kind != TASKMANAGER:
        raise ValueError(f"no process is called {name}")
    known_as = ["-D", f"taskmanager.resource-id={name}"]
    metrics = _metrics(settings, int(number))
    return [scripts / "taskmanager.sh", "start-foreground", *known_as, *metrics]


def environment(settings: ClusterSettings, name: str) -> dict[str, str]:
    """Return what Flink's scripts read, besides what the caller's environment holds."""
    return {
        "FLINK_CONF_DIR": str(settings.folder / "conf"),
        "FLINK_LOG_DIR": str(settings.folder / "log"),
        "FLINK_PID_DIR": str(settings.folder / "tmp"),
        # Part of the names of Flink's own logs.
        "FLINK_IDENT_STRING": name,
    }


def _job_server(settings: ClusterSettings) -> list[str | Path]:
    """Return Beam's command; port 0 is any, as Java's own transforms are not used."""
    return [
        parts.java(),
        f"-Xmx{settings.job_server_mb}m",
        f"-Djava.io.tmpdir={settings.folder / 'tmp'}",
        *settings.java_options.split(),
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED),
        "-jar",
        parts.job_server(),
        f"--flink-master=localhost:{settings.port}",
        f"--job-port={settings.job_port}",
        f"--artifact-port={settings.artifact_port}",
        "--expansion-port=0",
        f"--artifacts-dir={settings.folder / 'artifacts'}",
    ]


def _metrics(settings: ClusterSettings, number: int) -> list[str]:
    if not settings.metrics_port:
        return []
    port = settings.metrics_port + number
    return ["-D", f"{REPORTER}.factory.class={REPORTER_CLASS}", "-D", f"{REPORTER}.port={port}"]
