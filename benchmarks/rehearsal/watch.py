"""Whatever the job publishes, as it comes."""

import json
import threading
import time
from dataclasses import dataclass
from typing import Any

import confluent_kafka as kafka

from transforms.elements import Segment
from transforms.sink.kafka import topic_name
from transforms.sink.messages import DEAD_LETTERS, KINDS, SEGMENTS, TRIGGERS
from transforms.sink.writers import segment_from

_POLL_S = 0.2
_ANSWER_S = 60.0
"""A broker that is up says within this what it has [s]."""
Message = tuple[float, dict[str, Any]]
"""Kafka's time [Unix s], and what it says."""


@dataclass(frozen=True)
class Published:
    """What was read, in its order."""

    triggers: list[Message]
    segments: list[tuple[float, Segment]]
    letters: list[Message]


class Watch:
    """Reads the topics of results from their beginning, in a thread of its own."""

    def __init__(self, address: str, prefix: str) -> None:
        self._settings = {
            "bootstrap.servers": address,
            "group.id": f"{prefix}-watch",
            "enable.auto.commit": False,
            "reconnect.backoff.max.ms": 1000,
            "log_level": 0,
            "error_cb": lambda _: None,
        }
        self._topics = {topic_name(prefix, kind): kind for kind in KINDS}
        self._consumer = kafka.Consumer(self._settings)
        self._lock = threading.Lock()
        self._found: dict[str, list[Message]] = {kind: [] for kind in KINDS}
        self._next = dict.fromkeys(self._topics, 0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Watch":
        self._consumer.assign([kafka.TopicPartition(topic, 0, 0) for topic in self._topics])
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    @property
    def published(self) -> Published:
        """Return what has come so far."""
        with self._lock:
            found = {kind: list(messages) for kind, messages in self._found.items()}
        segments = [(when, segment_from(row)) for when, row in found[SEGMENTS]]
        return Published(found[TRIGGERS], segments, found[DEAD_LETTERS])

    def read_all(self) -> None:
        """Wait until all has come that the broker has by now."""
        # A client of its own: the other one is at work in its thread.
        asking = kafka.Consumer(self._settings)
        try:
            for topic in self._topics:
                place = kafka.TopicPartition(topic, 0)
                _, end = asking.get_watermark_offsets(place, timeout=_ANSWER_S)
                while self._next[topic] < end and self._thread.is_alive():
                    time.sleep(_POLL_S)
        finally:
            asking.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            message = self._consumer.poll(_POLL_S)
            if message is None or message.error() is not None:
                continue
            row = json.loads(message.value())
            with self._lock:
                kind = self._topics[message.topic()]
                self._found[kind].append((message.timestamp()[1] / 1e3, row))
            self._next[message.topic()] = message.offset() + 1
