"""How long a bundle waits for its messages: with a broker inside the client, without Java."""

import threading

import confluent_kafka
import pytest

from transforms.broker import KafkaConfig
from transforms.elements import Segment
from transforms.sink import publisher as publishing
from transforms.sink.messages import segment_message
from transforms.sink.publisher import Batch, Publisher

MESSAGE = segment_message(
    Segment(ifo="H1", channel="H1:STRAIN", start_ns=0, end_ns=1_000_000_000, analysed=True)
)
SLICE_S = 60.0


@pytest.fixture
def own(monkeypatch):
    """Yield a publisher to librdkafka's own broker, which waits long if it waits at all."""
    monkeypatch.setattr(publishing, "_SLICE_S", SLICE_S)
    made = Publisher(KafkaConfig("127.0.0.1:1"), 4 * SLICE_S)
    # Each message is on its way for a while, so that there always is one of others.
    settings = {"test.mock.num.brokers": 1, "test.mock.broker.rtt": 100, "linger.ms": 5}
    made._producer = confluent_kafka.Producer(settings)
    yield made
    made._producer.flush(SLICE_S)


def settled(own, batch, patience=SLICE_S / 2):
    """Return whether a thread that waits for a batch comes back."""
    thread = threading.Thread(target=own.wait, args=[batch], daemon=True)
    thread.start()
    thread.join(patience)
    return not thread.is_alive()


def test_a_bundle_waits_for_its_own_messages_and_not_for_those_of_others(own):
    others, stop = Batch(), threading.Event()

    def send_on():
        while not stop.wait(0.001):
            own.send("x.segments", MESSAGE, others)

    sender = threading.Thread(target=send_on)
    sender.start()
    try:
        for _ in range(3):
            batch = Batch()
            own.send("x.segments", MESSAGE, batch)
            assert settled(own, batch)
            assert (batch.waiting, batch.error) == (0, "")
    finally:
        stop.set()
        sender.join()


def test_threads_that_wait_at_once_are_all_told(own):
    batches = [Batch() for _ in range(8)]
    for batch in batches:
        own.send("x.segments", MESSAGE, batch)
    waiting = [threading.Thread(target=own.wait, args=[batch], daemon=True) for batch in batches]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join(SLICE_S / 2)

    assert not [thread for thread in waiting if thread.is_alive()]
    assert [batch.waiting for batch in batches] == [0] * 8
