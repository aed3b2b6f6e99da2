"""PublishKafka: triggers, events, segments and dead letters as messages, once they are known."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import PDone
from apache_beam.typehints.decorators import no_annotations

import transforms.coders  # noqa: F401  (registers the elements' coders)
from transforms.broker import KafkaConfig, Topic, check_topic
from transforms.elements import DeadLetter, Event, Segment, Trigger
from transforms.kinds import LetterKind
from transforms.observe.record import Spent, recorder
from transforms.results import Results
from transforms.sink.messages import (
    DEAD_LETTERS,
    EVENTS,
    KINDS,
    SEGMENTS,
    TRIGGERS,
    Message,
    dead_letter_message,
    event_message,
    segment_message,
    trigger_message,
)
from transforms.sink.publisher import Batch, publisher
from transforms.utc import gps_now


def topic_name(prefix: str, kind: str) -> str:
    """Return the topic of one kind of messages, as in ``wavefier.dead-letters``."""
    return f"{prefix}.{kind.replace('_', '-')}"


def output_topics(prefix: str, partitions: int = 1, replication: int = -1) -> dict[str, Topic]:
    """Return the topics that ``PublishKafka`` needs, for ``ensure_topics``.

    Of triggers and events, Kafka keeps the last message of each id; of the others, all messages
    for as long as the broker says.
    """
    compact = {"cleanup.policy": "compact"}
    settings = {TRIGGERS: compact, EVENTS: compact}
    return {
        topic_name(prefix, kind): Topic(partitions, replication, settings.get(kind, {}))
        for kind in KINDS
    }


@dataclass(kw_only=True)
class PublishKafka(beam.PTransform):  # type: ignore[misc]
    """Publish triggers, events, segments and dead letters, whatever their windows.

    A bundle ends when the broker has all its messages. Messages may come
    twice, after a fault; those of one key stay in order.
    """

    config: KafkaConfig
    prefix: str
    """What the topics' names begin with: ``PREFIX.triggers`` and so on."""
    version: str
    timeout_seconds: float = 300.0
    """How long a bundle waits for the broker before it fails and is tried again [s]."""

    @no_annotations  # type: ignore[untyped-decorator]
    def expand(self, results: Results) -> PDone:
        """Wire each kind of result to its topic.

        Raises:
            BrokerError: The prefix cannot be part of a topic's name.
        """
        makers: dict[str, Callable[[Any], Message]] = {
            TRIGGERS: _Stamped(trigger_message, self.version),
            EVENTS: _Stamped(event_message, self.version),
            SEGMENTS: segment_message,
            DEAD_LETTERS: dead_letter_message,
        }
        for kind, make in makers.items():
            check_topic(topic_name(self.prefix, kind))
            publish = _Publish(self.config, self.prefix, self.timeout_seconds, kind, make)
            getattr(results, kind) | f"Publish[{kind}]" >> beam.ParDo(publish)
        return PDone(results.triggers.pipeline)


@dataclass(frozen=True)
class _Stamped:
    """Makes a message that tells when it is sent: now."""

    make: Callable[[Any, str, float], Message]
    version: str

    def __call__(self, found: Trigger | Event) -> Message:
        return self.make(found, self.version, gps_now())


class _Publish(beam.DoFn):  # type: ignore[misc]
    """Sends each element; a bundle ends when all are delivered."""

    def __init__(
        self,
        config: KafkaConfig,
        prefix: str,
        timeout_seconds: float,
        kind: str,
        make: Callable[[Any], Message],
    ) -> None:
        self._config = config
        self._timeout = timeout_seconds
        self._make = make
        self._topic = topic_name(prefix, kind)
        self._letters = topic_name(prefix, DEAD_LETTERS)
        self._published = Metrics.counter("sink", f"published_{kind}")
        self._refused = Metrics.counter("sink", "refused_messages")

    def start_bundle(self) -> None:
        """Begin to count; the publisher may be another than the last bundle's."""
        self._publisher = publisher(self._config, self._timeout)
        self._batch = Batch()

    def process(self, element: Trigger | Event | Segment | DeadLetter) -> None:
        """Send one element."""
        try:
            with Spent("publish"):
                topic, message = self._topic, self._make(element)
        except (ValueError, OverflowError) as error:
            self._refused.inc()
            reason = f"its message cannot be made ({error}): report it to the software's keepers"
            source = element.id if isinstance(element, Trigger | Event) else repr(element)
            element = DeadLetter(source=source, reason=reason, kind=LetterKind.UNPUBLISHABLE)
            topic, message = self._letters, dead_letter_message(element)
        else:
            self._published.inc()
        self._publisher.send(topic, message, self._batch)
        if (record := recorder()) is not None:
            record.published(element)

    def finish_bundle(self) -> None:
        """Wait for the broker."""
        self._publisher.wait(self._batch)
