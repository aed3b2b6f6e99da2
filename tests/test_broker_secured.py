"""Kafka with TLS and SASL: a real broker lets in who has the password, and nobody else."""

import json
import re
import subprocess
import time
from functools import partial

import apache_beam as beam
import pytest
from confluent_kafka import Consumer, TopicPartition

from beam_pipeline import cli
from flink.dev.broker import Broker
from flink.processes import free_ports
from flink.settings import QUICK, BrokerSettings
from transforms.broker import BrokerAwayError, KafkaConfig, Topic, check_topics, ensure_topics
from transforms.elements import DeadLetter, Event, Progress, Segment, Trigger
from transforms.ingest.config import IngestConfig
from transforms.ingest.kafka.positions import Positions
from transforms.ingest.kafka.reader import Reader
from transforms.ingest.messages.decoder import Decoder
from transforms.ingest.strain.source import strain_source
from transforms.results import Results
from transforms.sink.kafka import PublishKafka, output_topics

# A Java machine starts; on a busy core that takes longer than other tests may.
pytestmark = pytest.mark.timeout(1200)

RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
PASSWORD = "correct horse; battery=staple"
SEGMENT = Segment(
    ifo="H1",
    channel="H1:GDS-CALIB_STRAIN",
    start_ns=1126259462_000000000,
    end_ns=1126259463_000000000,
    analysed=True,
)


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def authority(folder, name):
    """Make an authority that signs certificates."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    openssl(*request, "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(certificate))
    return key, certificate


def certify(folder, key, certificate):
    """Make a broker's key and its certificate, in one file as Kafka reads it."""
    own, asked, signed = folder / "broker.key", folder / "broker.csr", folder / "broker.crt"
    openssl(
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=broker",
        "-keyout",
        str(own),
        "-out",
        str(asked),
    )
    names = folder / "names"
    names.write_text("subjectAltName=IP:127.0.0.1")
    signing = ["x509", "-req", "-in", str(asked), "-CA", str(certificate), "-CAkey", str(key)]
    openssl(*signing, "-CAcreateserial", "-days", "2", "-extfile", str(names), "-out", str(signed))
    together = folder / "broker.pem"
    together.write_text(own.read_text() + signed.read_text())
    return together


def client(folder, name, **change):
    """Write how a client is let in, but for what is changed."""
    given = {
        "security.protocol": "sasl_ssl",
        "ssl.ca.location": str(folder / "ca.pem"),
        "sasl.mechanisms": "PLAIN",
        "sasl.username": "wavefier",
        "sasl.password": PASSWORD,
        **{key.replace("_", "."): value for key, value in change.items()},
    }
    path = folder / f"{name}.properties"
    path.write_text("".join(f"{key}={value}\n" for key, value in given.items()))
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("security")
    authority(folder, "other")
    together = certify(folder, *authority(folder, "ca"))
    login = "org.apache.kafka.common.security.plain.PlainLoginModule"
    users = f'username="broker" password="b" user_broker="b" user_wavefier="{PASSWORD}"'
    values = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": together,
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": folder / "ca.pem",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": f"{login} required {users};",
    }
    text = "".join(f"{key}={value}\n" for key, value in values.items())
    (folder / "server.properties").write_text(text)
    client(folder, "client")
    return folder


@pytest.fixture(scope="module")
def broker(java, folder, tmp_path_factory):
    """Yield a secured broker that runs."""
    port, controller = free_ports(2)
    own = {"port": port, "controller_port": controller, "security": str(folder)}
    made = Broker(BrokerSettings(tmp_path_factory.mktemp("kafka") / "broker", 240.0, QUICK, **own))
    try:
        assert made.up() == f"the broker is up: 127.0.0.1:{port}"
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def config(broker):
    return broker.client()


def test_who_knows_the_password_makes_topics(config):
    assert ensure_topics(config, {"made": Topic()}) == ["made"]
    check_topics(config, ["made"])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sasl_password": "guess"}, "Authentication failed: Invalid username or password"),
        ({"sasl_username": "somebody"}, "Authentication failed: Invalid username or password"),
        ({"security_protocol": "sasl_plaintext"}, ""),
        ({"security_protocol": "ssl"}, ""),
    ],
)
def test_nobody_else_is_let_in_and_the_reason_holds_no_secret(broker, folder, change, reason):
    config = KafkaConfig(broker.address, client(folder, "refused", **change))
    said = refusal(config, f"no broker answers at .*{reason}")
    assert PASSWORD not in said
    assert "guess" not in said


def refusal(config, reason):
    """Ask until the reason has come; how long that takes is the machine's affair."""
    for patience in (2.0, 8.0, 32.0, 128.0):
        with pytest.raises(BrokerAwayError) as refused:
            check_topics(config, ["made"], timeout=patience)
        said = str(refused.value)
        if re.search(reason, said):
            return said
    raise AssertionError(said)


def test_a_broker_that_another_authority_vouches_for_is_not_believed(broker, folder):
    path = client(folder, "other", ssl_ca_location=str(folder / "other.pem"))
    refusal(KafkaConfig(broker.address, path), "certificate verify failed")


def test_the_whole_way_from_replay_to_results(config, data, tmp_path):
    """Frames are sent, read, and results published, each by the code that a live job runs."""
    (path,) = data.glob("H-H1_LOSC*.hdf5")
    where = ["--brokers", config.brokers, "--kafka-config", config.properties]
    some = ["--topic", "strain", "--start", "1126259447", "--end", "1126259451", "--speed", "0"]
    assert cli.main(["replay", str(path), *where, *some]) == cli.DONE

    decoder = partial(Decoder, IngestConfig())
    source = strain_source(
        kafka=config, topics=("strain",), group="secured", decoder=decoder, start="earliest"
    )
    reader, positions, frames = Reader(source), Positions(), []
    try:
        end = time.monotonic() + 240
        while len(frames) < 4 and time.monotonic() < end:
            batch = reader.read(positions)
            positions = batch.positions
            frames += [one.element for one in batch.elements]
    finally:
        reader.close()
    assert [frame.gps_start_ns // 10**9 for frame in frames] == list(range(1126259447, 1126259451))

    ensure_topics(config, output_topics("secured"))
    with beam.Pipeline(runner=RUNNER) as pipeline:
        kinds = {
            "triggers": Trigger,
            "events": Event,
            "segments": Segment,
            "dead_letters": DeadLetter,
            "progress": Progress,
        }
        found = {"segments": [SEGMENT]}
        Results(
            **{
                name: pipeline | name >> beam.Create(found.get(name, [])).with_output_types(kind)
                for name, kind in kinds.items()
            }
        ) | PublishKafka(config=config, prefix="secured", version="0.1.0", timeout_seconds=60.0)
    consumer = Consumer({**config.client_settings(), "group.id": "look"})
    consumer.assign([TopicPartition("secured.segments", 0, 0)])
    (message,) = consumer.consume(1, timeout=240)
    consumer.close()
    assert json.loads(message.value())["channel"] == SEGMENT.channel


def test_a_job_is_written_by_a_command_line_without_the_password(config, tmp_path):
    jar = tmp_path / "job.jar"
    where = ["--brokers", config.brokers, "--kafka-config", config.properties]
    line = ["live", *where, "--topic", "job", "--make-topics", "--application", str(jar)]
    assert not [word for word in line if PASSWORD in word]
    assert cli.main(line) == cli.DONE
    assert jar.exists()
    check_topics(config, ["job", "wavefier.triggers"])


def test_a_changed_password_counts_from_the_next_client_on(config, folder):
    """Secrets are read where a client is made: after a rotation, what restarts is let in."""
    path = client(folder, "rotated", sasl_password="the old one")
    rotated = KafkaConfig(config.brokers, path)
    refusal(rotated, "Authentication failed")
    client(folder, "rotated")
    ensure_topics(rotated, {"made": Topic()})
