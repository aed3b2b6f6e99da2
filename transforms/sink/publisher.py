"""Sends messages to Kafka, one producer for each process: all of them, or it says so.

While the broker is away, whoever waits for his messages waits on: what comes behind is held
up and nothing is lost. After a long while it is an error, and the runner begins again
with the same messages.
"""

import logging
import threading
import time
from typing import Any

import confluent_kafka as kafka

from transforms.broker import LOSSLESS, BrokerError, KafkaConfig
from transforms.sink.messages import Message

_LOG = logging.getLogger(__name__)
_SLICE_S = 0.2
"""How long to wait at once [s]."""
_TURN_S = 0.01
"""How long to wait for one's turn before one looks again [s]."""
_TELL_S = 10.0
"""Who waits says so this often [s]."""
_SETTINGS = {
    **LOSSLESS,
    "linger.ms": 5,
    "log_level": 2,
}


class PublishError(RuntimeError):
    """Messages that were not delivered: why, and what to do, in one line."""


class Batch:
    """Messages of which a caller awaits the delivery together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = 0
        self.error = ""
        """Why a message was not delivered; empty as long as none failed."""

    @property
    def waiting(self) -> int:
        """Return how many messages are neither delivered nor failed yet."""
        return self._waiting

    def add(self) -> None:
        """Note that a message is sent."""
        with self._lock:
            self._waiting += 1

    def settle(self, error: kafka.KafkaError | None, _message: Any) -> None:
        """Note that a message is delivered, or has failed."""
        with self._lock:
            self._waiting -= 1
            if error is not None:
                self.error = error.str()


class Publisher:
    """One producer; safe to be called from several threads."""

    def __init__(self, config: KafkaConfig, timeout_seconds: float) -> None:
        self._config = config
        self._timeout = timeout_seconds
        self._complaint = "no answer"
        self._polling = threading.Lock()
        own = {**_SETTINGS, "error_cb": self._complain}
        try:
            self._producer = kafka.Producer({**config.client_settings(), **own}, logger=_LOG)
        except kafka.KafkaException as error:
            raise BrokerError(f"Kafka's settings: {error.args[0].str()}") from None

    def send(self, topic: str, message: Message, batch: Batch) -> None:
        """Hand a message to the producer; wait where its queue is full.

        Raises:
            PublishError: It cannot be sent.
        """
        end = time.monotonic() + self._timeout
        while True:
            batch.add()
            try:
                self._producer.produce(topic, message.value, message.key, on_delivery=batch.settle)
                return
            except BufferError:
                batch.settle(None, None)
                if time.monotonic() > end:
                    self._fail("its queue is full")
                self._producer.poll(_SLICE_S)
            except kafka.KafkaException as error:
                batch.settle(None, None)
                self._fail(f"{topic}: {error.args[0].str()}")

    def wait(self, batch: Batch) -> None:
        """Wait until the broker has all messages of a batch.

        Raises:
            PublishError: One was refused, or time is up.
        """
        begin = told = time.monotonic()
        while batch.waiting:
            self._poll(batch)
            now = time.monotonic()
            if batch.waiting and now - begin > self._timeout:
                self._fail(f"nothing for {self._timeout:g} s; {self._complaint}")
            if batch.waiting and now - told > _TELL_S:
                told = now
                counts = f"{batch.waiting} messages have waited for {now - begin:.0f} s"
                _LOG.warning("Kafka at %s: %s; %s", self._config.brokers, counts, self._complaint)
        if batch.error:
            self._fail(batch.error)

    def _poll(self, batch: Batch) -> None:
        """Handle what is known of messages; not of all, as others send on and on."""
        # One thread at a time: each is told of everybody's messages, and the others look here.
        if self._polling.acquire(timeout=_TURN_S):
            try:
                if batch.waiting:
                    self._producer.poll(_SLICE_S)
            finally:
                self._polling.release()

    def _complain(self, error: kafka.KafkaError) -> None:
        self._complaint = error.str()

    def _fail(self, reason: str) -> None:
        """Give up: whoever comes next begins with a new producer.

        Raises:
            PublishError: Always.
        """
        with _lock:
            if _publishers.get(self._key) is self:
                del _publishers[self._key]
        # What still waits is sent anew by the runner. Sent late, it would undo what is newer.
        self._producer.purge()
        self._producer.poll(0)
        advice = "look after the broker, its topics and what this client may do there"
        raise PublishError(f"Kafka at {self._config.brokers}: {reason}; {advice}")

    @property
    def _key(self) -> tuple[KafkaConfig, float]:
        return self._config, self._timeout


_publishers: dict[tuple[KafkaConfig, float], Publisher] = {}
_lock = threading.Lock()


def publisher(config: KafkaConfig, timeout_seconds: float) -> Publisher:
    """Return the process's publisher to a broker; make it if it is the first.

    Raises:
        BrokerError: The settings cannot be used.
    """
    with _lock:
        key = config, timeout_seconds
        if key not in _publishers:
            _publishers[key] = Publisher(config, timeout_seconds)
        return _publishers[key]
