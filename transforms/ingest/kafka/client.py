"""A Kafka consumer as the source needs it: settings, topics, and errors that are only told."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

import confluent_kafka as kafka
from confluent_kafka.admin import AdminClient, OffsetSpec

from transforms.broker import RECONNECT
from transforms.rate_limited_log import RateLimitedLog

_LOG = logging.getLogger(__name__)
ASK_S = 2.0
"""How long a question to the broker may take [s]."""
_ANSWER_S = 1.0
"""How long a silent partition may take to say that it has nothing [s]: nobody waits for it."""
_METADATA_MS = 5000
"""How long who leads a partition is believed [ms]. A broker that has begun again refuses questions
that name the epoch of before, and the client does not ask for the new one of its own accord."""
_DEFAULTS = {
    "log_level": 2,
    **RECONNECT,
    # A request that waits holds up those for other offsets, after each step back.
    "fetch.wait.max.ms": 100,
    # What a reader that catches up may hold in memory, and how soon it asks for more.
    "queued.max.messages.kbytes": 16384,
    "fetch.queue.backoff.ms": 50,
}


def consumer(settings: Mapping[str, str], group: str, errors: RateLimitedLog) -> kafka.Consumer:
    """Make a consumer whose positions and commits are ours alone."""

    def failed(error: kafka.KafkaError) -> None:
        errors.tell(error.name(), f"Kafka: {error.str()}")

    def reported(error: kafka.KafkaError | None, _: object) -> None:
        if error is not None:
            errors.tell(f"commit {error.name()}", f"offsets were not committed: {error.str()}")

    own = {
        "group.id": group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # Deleted offsets are an error that we handle, so that somebody hears of it.
        "auto.offset.reset": "error",
        "error_cb": failed,
        "on_commit": reported,
    }
    return kafka.Consumer({**_DEFAULTS, **settings, **own}, logger=_LOG)


def partitions(client: kafka.Consumer, topics: Sequence[str]) -> list[str]:
    """List the partitions of topics, as ``topic/number``; a topic that is not there has none.

    Raises:
        kafka.KafkaException: No broker answers, or none of the topics is there.
    """
    known = client.list_topics(timeout=ASK_S).topics
    found = {topic: sorted(known[topic].partitions) for topic in topics if topic in known}
    if not found:
        text = f"no topic {', '.join(topics)}"
        raise kafka.KafkaException(kafka.KafkaError(kafka.KafkaError._UNKNOWN_TOPIC, text))
    return [f"{topic}/{number}" for topic, numbers in found.items() for number in numbers]


def committed(client: kafka.Consumer, partitions: Iterable[str]) -> dict[str, kafka.TopicPartition]:
    """Ask what the group has committed of partitions; a negative offset is nothing.

    Raises:
        kafka.KafkaException: It is not known.
    """
    found = client.committed([at(name) for name in partitions], timeout=ASK_S)
    for one in found:
        if one.error is not None:
            raise kafka.KafkaException(one.error)
    return {f"{one.topic}/{one.partition}": one for one in found}


def at(partition: str, offset: int = kafka.OFFSET_INVALID, note: str = "") -> kafka.TopicPartition:
    """Return a place in a partition as the client names it."""
    topic, _, number = partition.rpartition("/")
    return kafka.TopicPartition(topic, int(number), offset, note)


def limits(client: kafka.Consumer, partition: str) -> tuple[int, int]:
    """Ask for the first offset of a partition's log, and the one after its last.

    Raises:
        kafka.KafkaException: Its broker does not answer.
    """
    found = client.get_watermark_offsets(at(partition), timeout=ASK_S)
    if found is None:
        raise kafka.KafkaException(kafka.KafkaError(kafka.KafkaError._TIMED_OUT))
    return int(found[0]), int(found[1])


class End(NamedTuple):
    """Where a partition ends, as its broker says."""

    partition: str
    asked: float
    """When it was asked [s]."""
    offset: int | None
    """After the last message; None where nobody answers."""


class Ends:
    """Asks where partitions end, all at once, and waits for nobody."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        """Note how the broker is reached; nobody is asked yet."""
        self._settings = settings
        self._admin: AdminClient | None = None
        self._asked: dict[str, tuple[float, Future[Any]]] = {}

    def ask(self, partitions: Iterable[str], now: float) -> None:
        """Ask about partitions, but for those whose last answer has not come."""
        wanted = {at(name): OffsetSpec.latest() for name in partitions if name not in self._asked}
        if not wanted:
            return
        if self._admin is None:
            own = {"log_level": 2, "metadata.max.age.ms": _METADATA_MS, **RECONNECT}
            self._admin = AdminClient({**own, **self._settings}, logger=_LOG)
        answers = self._admin.list_offsets(wanted, request_timeout=_ANSWER_S)
        for one, answer in answers.items():
            self._asked[f"{one.topic}/{one.partition}"] = now, answer

    def answers(self) -> Iterator[End]:
        """Yield what was answered since."""
        for name, (asked, answer) in list(self._asked.items()):
            if answer.done():
                del self._asked[name]
                failed = answer.exception() is not None
                yield End(name, asked, None if failed else answer.result().offset)
