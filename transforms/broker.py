"""Which Kafka broker, how to be let in, and which topics must be there.

What is secret stands in a file and is read where a client is made: neither the command
line nor the graph that travels to the workers holds it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_KEYS = """
security.protocol enable.ssl.certificate.verification
ssl.ca.location ssl.ca.pem ssl.certificate.location ssl.certificate.pem ssl.cipher.suites
ssl.crl.location ssl.curves.list ssl.endpoint.identification.algorithm ssl.key.location
ssl.key.password ssl.key.pem ssl.keystore.location ssl.keystore.password ssl.sigalgs.list
sasl.mechanism sasl.mechanisms sasl.username sasl.password
sasl.kerberos.keytab sasl.kerberos.kinit.cmd sasl.kerberos.min.time.before.relogin
sasl.kerberos.principal sasl.kerberos.service.name
sasl.oauthbearer.client.id sasl.oauthbearer.client.secret sasl.oauthbearer.config
sasl.oauthbearer.extensions sasl.oauthbearer.method sasl.oauthbearer.scope
sasl.oauthbearer.token.endpoint.url
broker.address.family client.id client.rack socket.keepalive.enable
"""
SECURITY = frozenset(_KEYS.split())
"""Keys that a properties file may hold, as librdkafka names them."""

RECONNECT = {"reconnect.backoff.max.ms": 1000}
"""Back at work a second after the broker, whatever the outage."""
LOSSLESS = {
    **RECONNECT,
    "acks": "all",
    # No message twice or out of order when one is sent again after a fault.
    "enable.idempotence": True,
    # Whoever sends decides how long to wait.
    "message.timeout.ms": 0,
}
"""Of a producer that loses nothing."""

_ADDRESS = re.compile(r"([^\s:,/\[\]]+|\[[0-9a-fA-F:]+\]):([0-9]{1,5})")
_LARGEST_PORT = 65_535
_LARGEST_PROPERTIES = 1 << 20
"""[bytes]"""
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")


class BrokerError(ValueError):
    """What is wrong with a broker, its settings or topics, and what to do: one line."""


class BrokerAwayError(BrokerError):
    """No broker answers, or none lets us in."""


@dataclass(frozen=True)
class KafkaConfig:
    """Where the broker is, and how to be let in."""

    brokers: str
    """Addresses to begin with, as in ``kafka-1:9092,kafka-2:9092``."""
    properties: str = ""
    """File of what secures the connection, ``key=value`` in each line, the keys librdkafka's;
    every worker must see it under this path. Empty: an open connection."""

    def __post_init__(self) -> None:
        wrong = [one for one in self.brokers.split(",") if not _is_address(one.strip())]
        if wrong:
            raise BrokerError(f"brokers: {wrong[0]!r} is not HOST:PORT")

    def client_settings(self) -> dict[str, str]:
        """Return the settings of any client of librdkafka; they may hold secrets.

        Raises:
            BrokerError: The properties file cannot be read, or a line is not right.
        """
        settings = _read_properties(self.properties) if self.properties else {}
        return {"bootstrap.servers": self.brokers.replace(" ", ""), **settings}


def _is_address(text: str) -> bool:
    match = _ADDRESS.fullmatch(text)
    return match is not None and 0 < int(match[2]) <= _LARGEST_PORT


def _read_properties(path: str) -> dict[str, str]:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LARGEST_PROPERTIES + 1)
        lines = content.decode("utf-8").splitlines()
    except OSError as error:
        raise BrokerError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise BrokerError(f"{path}: not UTF-8 text") from error
    if len(content) > _LARGEST_PROPERTIES:
        raise BrokerError(f"{path}: no file of key=value lines: too large")
    settings: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, separator, value = (part.strip() for part in line.partition("="))
        # Never the value: it may be a secret, and this text goes to a log.
        if not separator:
            raise BrokerError(f"{path}: line {number} is not key=value")
        if key not in SECURITY:
            known = ", ".join(sorted(SECURITY))
            raise BrokerError(f"{path}: line {number}: unknown key {key}; known: {known}")
        if key in settings:
            raise BrokerError(f"{path}: line {number}: {key} comes twice; keep one")
        settings[key] = value
    return settings


@dataclass(frozen=True)
class Topic:
    """How a topic is made where it is missing."""

    partitions: int = 1
    replication: int = -1
    """How many brokers keep each record; -1: as the broker says."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of the topic, as Kafka names them (cleanup.policy, ...)."""


def check_topic(name: str) -> None:
    """Refuse what Kafka does not take as a topic's name.

    Raises:
        BrokerError: It does not.
    """
    if not _TOPIC.fullmatch(name) or name in (".", ".."):
        allowed = "letters, digits, dots, dashes and underscores, at most 249"
        raise BrokerError(f"{name!r} cannot be the name of a topic: use {allowed}")


def ensure_topics(
    config: KafkaConfig, topics: Mapping[str, Topic], timeout: float = 30.0
) -> list[str]:
    """Make the topics that are missing; those that are there stay as they are.

    Args:
        config: The broker.
        topics: By name.
        timeout: How long the broker may take to answer [s].

    Returns:
        The names of those that were made.

    Raises:
        BrokerError: No broker answers, or it does not make a topic.
    """
    # Here, as the settings are for programs without a client too.
    from confluent_kafka.admin import NewTopic

    for name in topics:
        check_topic(name)
    admin, there = _ask(config, timeout)
    missing = [
        NewTopic(name, topic.partitions, topic.replication, config=dict(topic.settings))
        for name, topic in topics.items()
        if name not in there
    ]
    if not missing:
        return []
    futures = admin.create_topics(missing, request_timeout=timeout)
    return [name for name, future in futures.items() if _made(name, future)]


def check_topics(config: KafkaConfig, topics: Iterable[str], timeout: float = 30.0) -> None:
    """Check that topics are there.

    Args:
        config: The broker.
        topics: Their names.
        timeout: How long the broker may take to answer [s].

    Raises:
        BrokerError: No broker answers, or a topic is not there.
    """
    _, known = _ask(config, timeout)
    missing = sorted(set(topics) - known)
    if missing:
        there = ", ".join(sorted(name for name in known if not name.startswith("__"))) or "none"
        raise BrokerError(
            f"no topic {', '.join(missing)} at {config.brokers}: create it, or correct its name; "
            f"topics there: {there}"
        )


def _ask(config: KafkaConfig, timeout: float) -> tuple[Any, set[str]]:
    """Return a client that makes topics, and the names of those that are there."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    told: list[str] = []
    quiet = {"log_level": 0, "error_cb": lambda error: told.append(error.str())}
    try:
        admin = AdminClient({**config.client_settings(), **quiet})
    except KafkaException as error:
        raise BrokerError(f"Kafka's settings: {error.args[0].str()}") from None
    try:
        return admin, set(admin.list_topics(timeout=timeout).topics)
    except KafkaException as error:
        admin.poll(0)  # what the client met meanwhile says more: a wrong password, a certificate
        reason = next((one for one in told if "brokers are down" not in one), error.args[0].str())
        advice = "start it, or correct brokers and properties"
        text = f"no broker answers at {config.brokers} ({reason}): {advice}"
        raise BrokerAwayError(text) from None


def _made(name: str, future: Any) -> bool:
    """Wait until a topic is made; False if another made it meanwhile."""
    from confluent_kafka import KafkaError, KafkaException

    try:
        future.result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        reason = error.args[0].str()
        advice = "have it made by whoever may"
        raise BrokerError(f"topic {name} could not be made ({reason}): {advice}") from None
    return True
