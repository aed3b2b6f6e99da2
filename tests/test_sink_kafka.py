"""Publishing on a real broker, which is killed in the middle; and what is refused before."""

import json
import threading
import time
from collections import Counter
from dataclasses import replace

import apache_beam as beam
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from flink.processes import free_ports
from tests.samples import EVENT, UNLABELLED
from transforms.broker import (
    SECURITY,
    BrokerError,
    KafkaConfig,
    Topic,
    check_topics,
    ensure_topics,
)
from transforms.elements import (
    FINAL,
    PRELIMINARY,
    SETTLED,
    WITHDRAWN,
    DeadLetter,
    Event,
    Progress,
    Segment,
    Trigger,
)
from transforms.results import Results
from transforms.sink import publisher as publishing
from transforms.sink.kafka import PublishKafka, output_topics
from transforms.sink.messages import segment_message
from transforms.sink.publisher import Batch, Publisher, PublishError, publisher

# A Java machine starts twice; on a busy core that takes longer than other tests may.
pytestmark = pytest.mark.timeout(1200)

RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
TRIGGER = replace(
    UNLABELLED, id="a1b2", wavelet="morlet", snippet_rate=0, snippet_start_ns=0
)  # fmt: skip
SEGMENT = Segment(
    ifo="H1",
    channel="H1:GDS-CALIB_STRAIN",
    start_ns=1126259462_000000000,
    end_ns=1126259463_000000000,
    analysed=True,
)
LETTER = DeadLetter(source="frames/0/17", reason="truncated; send it again", checksum="00ff")


@pytest.fixture
def config(broker):
    return KafkaConfig(broker.address)


@pytest.fixture
def nobody():
    """Return the configuration of a broker that is not there."""
    return KafkaConfig(f"127.0.0.1:{free_ports(1)[0]}")


def read(config, topic):
    """Read what is on a topic now: key and value."""
    consumer = Consumer({**config.client_settings(), "group.id": "test"})
    try:
        place = TopicPartition(topic, 0, 0)
        _, end = consumer.get_watermark_offsets(place, timeout=240)
        consumer.assign([place])
        found, patience = [], time.monotonic() + 240
        while time.monotonic() < patience:
            found += consumer.consume(1000, timeout=0.1)
            if consumer.position([place])[0].offset >= end:
                break
        return [(one.key().decode(), json.loads(one.value())) for one in found]
    finally:
        consumer.close()


def publish(config, prefix, triggers=(), segments=(), letters=(), *, events=(), timeout=60.0):
    with beam.Pipeline(runner=RUNNER) as pipeline:
        results = Results(
            **{
                name: pipeline | name >> beam.Create(list(elements)).with_output_types(kind)
                for name, elements, kind in (
                    ("triggers", triggers, Trigger),
                    ("events", events, Event),
                    ("segments", segments, Segment),
                    ("dead_letters", letters, DeadLetter),
                    ("progress", (), Progress),
                )
            }
        )
        results | PublishKafka(
            config=config, prefix=prefix, version="0.1.0", timeout_seconds=timeout
        )
    summed = Counter()
    for each in pipeline.result.metrics().query()["counters"]:
        summed[each.key.metric.name] += each.committed
    return dict(summed)


# -- topics and messages


def test_missing_topics_are_made_and_others_left_alone(config):
    wanted = output_topics("made", partitions=2)
    mine = Topic(settings={"retention.ms": "12345"})
    assert ensure_topics(config, {"made.triggers": mine}) == ["made.triggers"]

    missing = ["made.events", "made.segments", "made.dead-letters"]
    assert ensure_topics(config, wanted) == missing
    assert ensure_topics(config, wanted) == []

    admin = AdminClient(config.client_settings())
    known = admin.list_topics(timeout=240).topics
    assert {name: len(known[name].partitions) for name in wanted} == {
        "made.triggers": 1,
        "made.events": 2,
        "made.segments": 2,
        "made.dead-letters": 2,
    }
    assert setting(config, "made.triggers", "retention.ms") == "12345"


def test_of_triggers_and_events_the_broker_keeps_the_last_message_of_each_id(config):
    ensure_topics(config, output_topics("kept"))

    assert setting(config, "kept.triggers", "cleanup.policy") == "compact"
    assert setting(config, "kept.events", "cleanup.policy") == "compact"
    assert setting(config, "kept.segments", "cleanup.policy") == "delete"


def setting(config, topic, name):
    admin = AdminClient(config.client_settings())
    (future,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    return future.result()[name].value


def test_each_kind_goes_to_its_topic_and_is_counted(config):
    ensure_topics(config, output_topics("kinds"))

    counts = publish(config, "kinds", [TRIGGER], [SEGMENT], [LETTER], events=[EVENT])

    ((key, trigger),) = read(config, "kinds.triggers")
    assert (key, trigger["id"], trigger["version"]) == ("a1b2", "a1b2", "0.1.0")
    assert trigger["emitted_at"] == trigger["latency"] + 1126259463
    ((key, event),) = read(config, "kinds.events")
    assert (key, event["id"], event["detectors"]) == (EVENT.id, EVENT.id, "H1,L1")
    ((key, segment),) = read(config, "kinds.segments")
    assert (key, segment["analysed"]) == ("H1:GDS-CALIB_STRAIN|1126259462000000000", True)
    ((key, letter),) = read(config, "kinds.dead-letters")
    assert (key, letter) == ("00ff|frames/0/17", vars(LETTER))
    assert counts == {
        f"published_{kind}": 1 for kind in ("triggers", "events", "segments", "dead_letters")
    }


def test_of_one_id_the_last_message_counts(config):
    ensure_topics(config, output_topics("order"))
    absorbed = [replace(TRIGGER, id="c3", status=one) for one in (PRELIMINARY, WITHDRAWN)]
    known = [replace(TRIGGER, status=one) for one in (PRELIMINARY, SETTLED, FINAL)]

    publish(config, "order", [known[0], absorbed[0], known[1], absorbed[1], known[2]])
    publish(config, "order", [known[0], known[1], known[2]])  # as after a fault

    messages = read(config, "order.triggers")
    assert len(messages) == 8
    last = {key: trigger["status"] for key, trigger in messages}
    assert last == {"a1b2": FINAL, "c3": WITHDRAWN}


def test_what_cannot_be_a_message_is_a_dead_letter(config):
    ensure_topics(config, output_topics("broken"))

    counts = publish(
        config, "broken", [replace(TRIGGER, snr=float("nan")), TRIGGER],
        events=[EVENT, replace(EVENT, id="E1", far=float("inf"))],
    )  # fmt: skip

    assert [key for key, _ in read(config, "broken.triggers")] == ["a1b2"]
    assert [key for key, _ in read(config, "broken.events")] == [EVENT.id]
    letters = [letter for _, letter in read(config, "broken.dead-letters")]
    assert sorted(letter["source"] for letter in letters) == ["E1", "a1b2"]
    assert all("cannot be made" in letter["reason"] for letter in letters)
    assert counts == {"published_triggers": 1, "published_events": 1, "refused_messages": 2}


# -- faults


def numbered(count):
    return [replace(SEGMENT, start_ns=SEGMENT.start_ns + number) for number in range(count)]


class Sender(threading.Thread):
    """Sends one segment after the other to two topics, each when the last is delivered."""

    def __init__(self, config):
        super().__init__()
        self.config, self.sent, self.failed, self.enough = config, [], [], threading.Event()

    def run(self):
        try:
            own = publisher(self.config, 200.0)
            for segment in numbered(1_000_000):
                batch = Batch()
                for topic in ("killed.segments", "killed.dead-letters"):
                    own.send(topic, segment_message(segment), batch)
                own.wait(batch)
                self.sent.append(segment.start_ns)
                if self.enough.is_set():
                    return
        except Exception as error:
            self.failed.append(error)


def test_a_broker_killed_in_the_middle_loses_nothing(broker, config):
    for prefix in ("killed", "bundle"):
        ensure_topics(config, output_topics(prefix))
    counts = []
    bundle = threading.Thread(
        target=lambda: counts.append(publish(config, "bundle", segments=numbered(500)))
    )
    sender = Sender(config)
    sender.start()
    try:
        wait_for(lambda: len(sender.sent) > 100)
        broker.kill()
        bundle.start()
        held = -1
        while held != (held := len(sender.sent)):
            time.sleep(1)
        time.sleep(1)
        # Who sends waits.
        assert len(sender.sent) == held
        assert not counts
        broker.up()
        wait_for(lambda: len(sender.sent) > held + 100)
    finally:
        sender.enough.set()
        sender.join(240)
        bundle.join(240)
    assert not sender.failed
    # Nothing twice either: the same producer went on, no runner had to try again.
    for topic in ("killed.segments", "killed.dead-letters"):
        assert [value["start_ns"] for _, value in read(config, topic)] == sender.sent
    assert counts == [{"published_segments": 500}]
    expected = [segment_message(one).key.decode() for one in numbered(500)]
    assert [key for key, _ in read(config, "bundle.segments")] == expected


def wait_for(condition):
    end = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_after_a_long_while_it_is_an_error_and_the_next_begins_anew(nobody):
    first = publisher(nobody, 0.5)
    assert publisher(nobody, 0.5) is first
    batch = Batch()
    first.send("x.segments", segment_message(SEGMENT), batch)

    with pytest.raises(PublishError, match=r"^Kafka at .*: nothing for 0.5 s; .*; look after"):
        first.wait(batch)

    assert batch.waiting == 0  # nothing of it is sent later
    assert publisher(nobody, 0.5) is not first


def test_a_pipeline_fails_when_nothing_is_delivered(nobody):
    with pytest.raises(RuntimeError, match=r"Kafka at .*nothing for 0.3 s"):
        publish(nobody, "x", [TRIGGER], timeout=0.3)


def test_a_full_queue_holds_up_who_sends(nobody, monkeypatch):
    monkeypatch.setitem(publishing._SETTINGS, "queue.buffering.max.messages", 2)
    own, batch = Publisher(nobody, 0.5), Batch()
    for _ in range(2):
        own.send("x.segments", segment_message(SEGMENT), batch)

    with pytest.raises(PublishError, match="its queue is full"):
        own.send("x.segments", segment_message(SEGMENT), batch)


def test_a_message_that_is_refused_is_an_error(config):
    ensure_topics(config, {"small.segments": Topic(settings={"max.message.bytes": "100"})})

    with pytest.raises(RuntimeError, match=r"Kafka at .*larger than|too large|size"):
        publish(config, "small", segments=[SEGMENT])


def test_all_threads_of_a_process_share_a_producer(nobody):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(publisher(nobody, 7.0))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(map(id, found))) == 1


# -- settings


def test_what_is_secret_stays_in_its_file(tmp_path):
    path = tmp_path / "client.properties"
    path.write_text(
        "# who we are\n\nsecurity.protocol = SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n"
        "sasl.username=me\nsasl.password=a=b#c\n"
    )
    config = KafkaConfig("one:9092, two:9093", str(path))

    assert config.client_settings() == {
        "bootstrap.servers": "one:9092,two:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "me",
        "sasl.password": "a=b#c",
    }
    assert "a=b#c" not in repr(config)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("sasl.pasword=hunter2", "line 1: unknown key sasl.pasword; known: .*sasl.password"),
        ("\nbootstrap.servers=x:1", "line 2: unknown key bootstrap.servers"),
        ("sasl.password hunter2", "line 1 is not key=value"),
        ("client.id=hunter2\nclient.id=hunter2", "line 2: client.id comes twice"),
    ],
)
def test_a_properties_file_that_is_wrong_is_refused_without_its_secrets(tmp_path, text, complaint):
    path = tmp_path / "client.properties"
    path.write_text(text)

    with pytest.raises(BrokerError, match=f"^{path}: {complaint}") as refused:
        KafkaConfig("one:9092", str(path)).client_settings()

    assert "hunter2" not in str(refused.value)


def test_a_properties_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(BrokerError, match="missing: cannot be read"):
        KafkaConfig("one:9092", str(tmp_path / "missing")).client_settings()


@pytest.mark.parametrize("key", sorted(SECURITY))
def test_the_client_knows_every_key_that_may_stand_in_the_file(tmp_path, key):
    path = tmp_path / "client.properties"
    path.write_text(f"{key}=nonsense\n")
    try:
        Publisher(KafkaConfig("127.0.0.1:1", str(path)), 1.0)
        said = ""
    except BrokerError as error:
        said = str(error)
    assert "No such configuration property" not in said


def test_settings_that_the_client_refuses_are_told_in_one_line(tmp_path):
    path = tmp_path / "client.properties"
    path.write_text("security.protocol=hope\n")

    config = KafkaConfig("127.0.0.1:1", str(path))
    with pytest.raises(BrokerError, match=r"^Kafka's settings: .*security\.protocol"):
        Publisher(config, 1.0)
    for ask in (ensure_topics, check_topics):
        with pytest.raises(BrokerError, match=r"^Kafka's settings: .*security\.protocol"):
            ask(config, output_topics("x"))


@pytest.mark.parametrize(
    "brokers", ["", "kafka", "one:9092,", "kafka://one:9092", "one:9092 two:1"]
)
def test_an_address_that_is_none_is_refused(brokers):
    with pytest.raises(BrokerError, match="is not HOST:PORT"):
        KafkaConfig(brokers)


@pytest.mark.parametrize("prefix", ["a b", "x" * 250, "ä"])
def test_a_prefix_that_no_topic_can_have_is_refused(nobody, prefix):
    with pytest.raises(BrokerError, match="cannot be the name of a topic"):
        publish(nobody, prefix)


@pytest.mark.parametrize("ask", [ensure_topics, check_topics])
def test_no_broker_is_told_in_one_line(ask, nobody):
    with pytest.raises(BrokerError, match=r"^no broker answers at .*: start it, or correct"):
        ask(nobody, output_topics("x"), timeout=0.5)
