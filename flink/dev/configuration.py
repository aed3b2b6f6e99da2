"""The configuration files of the cluster and of the broker, and the options of a job."""

import re
import shutil
from pathlib import Path

from flink.settings import BrokerSettings, ClusterSettings

# What a streaming job waits for before it hands a bundle on: measured, docs/flink.md.
BUNDLE_MS = 100
BUNDLE_ELEMENTS = 32
# A TaskManager that says nothing for so long is lost [ms]. Flink's own 50 s would hold results
# back for that long.
HEARTBEAT_MS = 8_000
# How often ZooKeeper's clock ticks; it grants sessions of 2 to 20 ticks [ms].
ZOOKEEPER_TICK_MS = 2_000
# Of a TaskManager's process [MB]: Beam's runner keeps no data in managed memory, its gRPC buffers
# are off the heap.
MANAGED_MB, NETWORK_MB, OFF_HEAP_MB = 64, 64, 128

# Flink's default is one that newer Java refuses. For keys of either kind, with forward secrecy.
CIPHERS = ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")

# Where a thread of gRPC finds no memory, its request is never answered and the job stands still
# for ever; where the process ends, Flink knows, and begins again from the checkpoint.
OUT_OF_MEMORY = "-XX:+ExitOnOutOfMemoryError"


def write_cluster(settings: ClusterSettings, distribution: Path) -> Path:
    """Write Flink's configuration.

    Args:
        settings: The cluster.
        distribution: Flink, whose own options for the Java machine and for the logs are taken over.

    Returns:
        The folder, for FLINK_CONF_DIR.
    """
    conf = settings.folder / "conf"
    conf.mkdir(parents=True, exist_ok=True)
    shutil.copy(distribution / "conf" / "log4j-console.properties", conf)
    shipped = (distribution / "conf" / "config.yaml").read_text()
    opened = re.search(r"^ +all: (.+)$", shipped, re.MULTILINE)
    values = _cluster(settings)
    # The log files turn over; what is printed besides would grow for ever.
    own = f"-Dconsole.log.level=OFF -Djava.io.tmpdir={settings.folder / 'tmp'}"
    options = [opened[1] if opened else "", own, OUT_OF_MEMORY, settings.java_options]
    values["env.java.opts.all"] = " ".join(options).strip()
    (settings.folder / "tmp").mkdir(exist_ok=True)
    if settings.high_availability:
        values |= _high_availability(settings)
        (conf / "zoo.cfg").write_text(_lines(_zookeeper(settings), "="))
    (conf / "config.yaml").write_text(_lines(values, ": "))
    return conf


def write_broker(settings: BrokerSettings) -> Path:
    """Write the broker's configuration, and return its path."""
    controller = f"127.0.0.1:{settings.controller_port}"
    protocol = "SASL_SSL" if settings.security else "PLAINTEXT"
    values = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.bootstrap.servers": controller,
        "listeners": f"{protocol}://127.0.0.1:{settings.port},CONTROLLER://{controller}",
        "advertised.listeners": f"{protocol}://127.0.0.1:{settings.port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,{protocol}:{protocol}",
        "log.dirs": settings.folder / "data",
        # One broker: one copy of everything, and no empty partitions by the dozen.
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        # After a crash it is let in again once the session that it had before is over.
        "broker.session.timeout.ms": 4000,
        "broker.heartbeat.interval.ms": 500,
        # A frame of several seconds at 16384 Hz, with room.
        "message.max.bytes": 10 * 1024 * 1024,
        # A third of the heap would go to the cleaner.
        "log.cleaner.dedupe.buffer.size": 8 * 1024 * 1024,
    }
    more = ""
    if settings.security:
        # The broker speaks with itself by it too.
        values["inter.broker.listener.name"] = protocol
        more = (Path(settings.security) / "server.properties").read_text()
    path = settings.folder / "server.properties"
    path.touch(mode=0o600)
    path.write_text(_lines(values, "=") + more)
    return path


def pipeline_options(settings: ClusterSettings) -> list[str]:
    """Return the options of a Beam pipeline on the cluster, Python in the caller's own process."""
    return [
        "--runner=PortableRunner",
        f"--job_endpoint=localhost:{settings.job_port}",
        "--environment_type=LOOPBACK",
        f"--checkpointing_interval={settings.checkpoint_ms}",
        f"--max_bundle_time_mills={BUNDLE_MS}",
        f"--max_bundle_size={BUNDLE_ELEMENTS}",
    ]


def _cluster(settings: ClusterSettings) -> dict[str, object]:
    where = settings.checkpoint_folder
    return {
        "jobmanager.rpc.address": "localhost",
        "jobmanager.rpc.port": settings.rpc_port,
        "jobmanager.bind-host": "localhost",
        "jobmanager.memory.process.size": f"{settings.jobmanager_mb}m",
        "jobmanager.execution.failover-strategy": "region",
        "taskmanager.host": "localhost",
        "taskmanager.bind-host": "localhost",
        "taskmanager.numberOfTaskSlots": settings.slots,
        # So that a survivor knows a job already: loading it anew takes a TaskManager 10 s.
        "cluster.evenly-spread-out-slots": "true",
        "taskmanager.memory.process.size": f"{settings.taskmanager_mb}m",
        "taskmanager.memory.managed.size": f"{MANAGED_MB}m",
        "taskmanager.memory.network.min": f"{NETWORK_MB}m",
        "taskmanager.memory.network.max": f"{NETWORK_MB}m",
        "taskmanager.memory.task.off-heap.size": f"{OFF_HEAP_MB}m",
        "rest.address": "localhost",
        "rest.bind-address": "localhost",
        "rest.port": settings.port,
        "rest.bind-port": settings.port,
        "io.tmp.dirs": settings.folder / "tmp",
        "state.checkpoints.dir": f"file://{where}",
        "state.savepoints.dir": f"file://{where / 'savepoints'}",
        "execution.checkpointing.interval": f"{settings.checkpoint_ms}ms",
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": 2**31 - 1,
        "restart-strategy.fixed-delay.delay": "1s",
        "heartbeat.timeout": HEARTBEAT_MS,
        # Two that find nobody there tell of a death sooner than the timeout does.
        "heartbeat.interval": HEARTBEAT_MS // 16,
    }


def _high_availability(settings: ClusterSettings) -> dict[str, object]:
    return {
        "high-availability.type": "zookeeper",
        "high-availability.zookeeper.quorum": f"localhost:{settings.zookeeper_port}",
        "high-availability.zookeeper.client.session-timeout": HEARTBEAT_MS,
        "high-availability.zookeeper.client.connection-timeout": HEARTBEAT_MS,
        "high-availability.storageDir": f"file://{settings.folder / 'ha'}",
        "high-availability.cluster-id": "/wavefier",
    }


def internal_tls(store: Path, password: str) -> dict[str, object]:
    """Return what secures Flink's own connections: RPC, blobs and data, but not REST.

    Both sides show the one certificate that both trust.

    Args:
        store: A key and its certificate, in PKCS 12.
        password: Of the store, and of the key in it.
    """
    prefix = "security.ssl.internal"
    stores = {f"{prefix}.{name}": store for name in ("keystore", "truststore")}
    passwords = {
        f"{prefix}.{name}-password": password for name in ("keystore", "truststore", "key")
    }
    return {
        f"{prefix}.enabled": "true",
        **stores,
        **passwords,
        "security.ssl.protocol": "TLSv1.2",
        "security.ssl.algorithms": ",".join(CIPHERS),
    }


def _zookeeper(settings: ClusterSettings) -> dict[str, object]:
    return {
        "tickTime": ZOOKEEPER_TICK_MS,
        "initLimit": 10,
        "syncLimit": 5,
        "dataDir": settings.folder / "zookeeper",
        "clientPort": settings.zookeeper_port,
        "clientPortAddress": "127.0.0.1",
        "admin.enableServer": "false",
    }


def _lines(values: dict[str, object], between: str) -> str:
    return "".join(f"{key}{between}{value}\n" for key, value in values.items())
