"""Kafka's side of a replay: nothing is lost and nothing is twice, however long a broker is away."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any

import confluent_kafka as kafka

from transforms.broker import LOSSLESS

LARGEST_MESSAGE = 10_000_000
"""[bytes]"""
_HELD_KB = 65536
"""Most that waits for a broker [KiB]; then the replay waits too."""
_POLL_S = 0.1
"""Ctrl-C takes effect between two waits."""
_PARTING_S = 5.0
"""How long an interrupted replay tries to have the frames it began arrive [s]."""
_SETTINGS = {
    **LOSSLESS,
    "message.max.bytes": LARGEST_MESSAGE,
    "queue.buffering.max.kbytes": _HELD_KB,
    "linger.ms": 0,
    "log_level": 0,
}

_GIVEN_UP = (kafka.KafkaError._PURGE_QUEUE, kafka.KafkaError._PURGE_INFLIGHT)


class SendError(ValueError):
    """Why the broker will not take frames, and what to do: one line."""


@dataclass
class Receipt:
    """What the broker says of the messages of one frame."""

    partition: int = -1
    offsets: list[int] = field(default_factory=list)
    produced_ms: int = 0
    """Kafka's timestamp of the last message [Unix ms]."""


class Sender:
    """A producer that waits for its broker."""

    def __init__(self, settings: Mapping[str, str], tell: Callable[[str], None]) -> None:
        """Connect, in the background.

        Args:
            settings: Of the client, as librdkafka names them; ``bootstrap.servers`` is needed.
            tell: Told when the broker goes and comes: one line.

        Raises:
            SendError: The settings cannot be.
        """
        self._tell, self._away, self._failed = tell, False, ""
        given = {**_SETTINGS, **settings, "error_cb": self._erred}
        try:
            self._producer = kafka.Producer(given)
        except kafka.KafkaException as error:
            raise SendError(f"Kafka's settings: {error.args[0].str()}") from None

    def send(
        self,
        topic: str,
        key: str,
        headers: Mapping[str, str],
        messages: Sequence[bytes],
        arrived: Callable[[Receipt], None],
    ) -> None:
        """Send the messages of one frame, in order; wait while too many are under way.

        Args:
            topic: Where to.
            key: Of all the messages: one key goes to one partition.
            headers: Of each message.
            messages: What is sent.
            arrived: Called when the broker has all of them, from `wait`, `send` or `finish`.

        Raises:
            SendError: They will never arrive.
        """
        receipt = Receipt()
        done = partial(self._arrived, receipt, len(messages), arrived)
        items = [(name, value.encode()) for name, value in headers.items()]
        for message in messages:
            while not self._taken(topic, message, key, items, done):
                self.wait(_POLL_S)
        self.wait(0)

    def wait(self, seconds: float) -> None:
        """Wait, and hear what has arrived meanwhile.

        Raises:
            SendError: Something will never arrive.
        """
        end = monotonic() + seconds
        while True:
            self._producer.poll(max(0.0, min(_POLL_S, end - monotonic())))
            if self._failed:
                raise SendError(self._failed)
            if monotonic() >= end:
                return

    def finish(self) -> None:
        """Wait until all has arrived.

        Raises:
            SendError: Something will never arrive.
        """
        while len(self._producer):
            self.wait(_POLL_S)

    def close(self) -> None:
        """Wait a few seconds for what is under way, and drop the rest."""
        if not self._away:
            self._producer.flush(_PARTING_S)
        self._producer.purge()
        self._producer.flush(_PARTING_S)

    def _taken(self, topic: str, message: bytes, key: str, headers: Any, done: Any) -> bool:
        """Hand a message to the client; False while it holds too much."""
        try:
            self._producer.produce(topic, message, key, headers=headers, on_delivery=done)
        except BufferError:
            return False
        except kafka.KafkaException as error:
            raise SendError(_advice(error.args[0], topic)) from None
        return True

    def _arrived(
        self,
        receipt: Receipt,
        number: int,
        arrived: Callable[[Receipt], None],
        error: kafka.KafkaError | None,
        message: kafka.Message,
    ) -> None:
        if error is not None:
            if error.code() not in _GIVEN_UP:
                self._failed = _advice(error, message.topic())
            return
        if self._away:
            self._away = False
            self._tell("the broker is back")
        receipt.partition = message.partition()
        receipt.offsets.append(message.offset())
        receipt.produced_ms = message.timestamp()[1]
        if len(receipt.offsets) == number:
            arrived(receipt)

    def _erred(self, error: kafka.KafkaError) -> None:
        if error.fatal():
            self._failed = f"Kafka: {error.str()}: start the replay again"
        elif not self._away and error.code() != kafka.KafkaError._TRANSPORT:
            # That one connection broke is no news: the next may hold.
            self._away = True
            self._tell(f"waiting for the broker ({error.str()})")


def _advice(error: kafka.KafkaError, topic: str) -> str:
    if error.code() == kafka.KafkaError.MSG_SIZE_TOO_LARGE:
        what = "send shorter frames, or --format lldd"
    else:
        what = "correct the topic, or have it allowed"
    return f"topic {topic} does not take a frame ({error.str()}): {what}"
