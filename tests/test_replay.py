"""Files sent to a real broker, killed and started again: nothing lost, nothing twice."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import confluent_kafka as kafka
import pytest
from confluent_kafka.admin import AdminClient

from beam_pipeline import cli, exits
from beam_pipeline.replay import command, sender
from beam_pipeline.replay.faults import Faults
from beam_pipeline.replay.playback import FrameCutting, Playback, PlayedFrame, gather
from beam_pipeline.replay.schedule import RateLimiter, ScheduledFrame
from beam_pipeline.replay.sender import Sender, SendError
from transforms.elements import DeadLetter, Interval
from transforms.gps import NANOSECONDS as S
from transforms.ingest.config import FORMATS, IngestConfig
from transforms.ingest.messages.decoder import Decoder
from transforms.utc import gps_now

# A Java machine starts, in some tests twice.
pytestmark = pytest.mark.timeout(1200)

DATA = Path(__file__).parent / "data"
GWOSC = [str(path) for path in sorted(DATA.glob("*LOSC_4_V2*.hdf5"))]
CHANNELS = ["H1:GWOSC-4KHZ_STRAIN", "L1:GWOSC-4KHZ_STRAIN"]


def replayed(broker, topic, *arguments, files=GWOSC):
    return cli.main(
        ["replay", *files, "--brokers", broker.address, "--topic", f"{topic}.{{ifo}}", *arguments]
    )


def on_topic(broker, topic):
    """Return all messages that a topic has by now."""
    consumer = kafka.Consumer({"bootstrap.servers": broker.address, "group.id": "test"})
    try:
        place = kafka.TopicPartition(topic, 0, 0)
        _, last = consumer.get_watermark_offsets(place, timeout=120)
        consumer.assign([place])
        found, end = [], time.monotonic() + 240
        while len(found) < last and time.monotonic() < end:
            found += consumer.consume(last - len(found), timeout=1)
        return found
    finally:
        consumer.close()


def decoded(messages):
    """Return the frames and dead letters of messages, in their order."""
    decoder = Decoder(IngestConfig(require=()))
    return [
        item
        for message in messages
        for item in decoder.feed(message.value(), f"{message.topic()}/0/{message.offset()}", 1)
    ]


def expected(channel, frame_ns=S):
    spans = gather(GWOSC, (), pytest.fail)
    frames = Playback(spans, FrameCutting(frame_ns=frame_ns)).frames()
    return [one.frame for one in frames if one.frame.channel == channel]


def content(frame):
    return frame.channel, frame.sample_rate, frame.gps_start_ns, frame.data, frame.flags


@pytest.mark.parametrize(("kind", "seconds"), [*[(kind, 1) for kind in FORMATS], ("lldd", 4)])
def test_what_is_sent_is_what_files_hold(broker, capsys, kind, seconds):
    topic = f"all.{kind}.{seconds}"
    arguments = ["--speed", "0", "--format", kind, "--frame-seconds", str(seconds)]
    assert replayed(broker, topic, *arguments) == exits.DONE
    # The first and the last of 4 s hold two seconds each.
    number = {1: 32, 4: 9}[seconds]
    assert capsys.readouterr().out.splitlines() == [
        f"{channel}: {number} frames sent to {topic}.{channel[:2]}" for channel in CHANNELS
    ]
    for channel in CHANNELS:
        messages = on_topic(broker, f"{topic}.{channel[:2]}")
        frames = decoded(messages)
        assert [content(one) for one in frames] == [
            content(one) for one in expected(channel, seconds * S)
        ]
        assert {message.key() for message in messages} == {channel.encode()}
        starts = [int(dict(message.headers())["gps"]) for message in messages]
        assert sorted(set(starts)) == [one.gps_start_ns // S for one in frames]
        assert len(frames) == number
        assert (len(messages) > number) == (seconds == 4)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_message_is_accounted_for(broker, tmp_path, kind):
    faults = ["--drop", "0.1", "--corrupt", "0.1", "--delay", "0.1:3", "--reorder", "0.1"]
    faults += ["--duplicate", "0.1", "--corrupt", "L1:1126259448"]
    logs = []
    for turn in ("a", "b"):
        log = tmp_path / f"{turn}.jsonl"
        arguments = [*faults, "--fault-log", str(log), "--speed", "0", "--format", kind]
        assert replayed(broker, f"faults.{kind}.{turn}", *arguments, "--seed", "4") == exits.DONE
        logs.append([json.loads(line) for line in log.read_text().splitlines()])
    lines = logs[0]
    assert len(lines) == 64
    assert {line["fault"] for line in lines} == {
        *("", "drop", "corrupt", "delay", "reorder", "duplicate")
    }
    same = ("gps", "ifo", "fault", "how", "late", "parts", "copies", "bytes", "sha256")
    assert [tuple(line[key] for key in same) for line in logs[1]] == [
        tuple(line[key] for key in same) for line in lines
    ]
    for channel in CHANNELS:
        messages = on_topic(broker, f"faults.{kind}.a.{channel[:2]}")
        account(channel, messages, [line for line in lines if line["channel"] == channel])


def account(channel, messages, lines):
    """Hold what is on a topic to what the log says of it."""
    assert sorted(offset for line in lines for offset in line["offsets"]) == list(
        range(len(messages))
    )
    frames = {one.gps_start_ns: one for one in expected(channel)}
    assert sorted(frames) == sorted(line["gps_ns"] for line in lines)
    good = defaultdict(int)
    letters = set()
    for item in decoded(messages):
        if isinstance(item, DeadLetter):
            letters.add(item.checksum)
        else:
            assert content(item) == content(frames[item.gps_start_ns])
            good[item.gps_start_ns] += 1
    for line in lines:
        sent = [messages[offset].value() for offset in line["offsets"]]
        assert len(sent) == line["parts"] * line["copies"]
        once = b"".join(sent[: line["parts"]])
        assert len(once) == line["bytes"]
        assert line["sha256"] == (sha256(once).hexdigest() if sent else "")
        if sent:
            last = messages[line["offsets"][-1]]
            assert last.timestamp()[1] == line["produced_ms"]
        copies = {"drop": 0, "corrupt": 0, "duplicate": 2}.get(line["fault"], 1)
        # The distribution's receiver drops repeated parts; one may be damaged where none looks.
        if line["topic"].startswith("faults.lldd"):
            assert good[line["gps_ns"]] in (
                {0, 1} if line["fault"] == "corrupt" else {min(copies, 1)}
            )
        else:
            assert good[line["gps_ns"]] == copies
            assert (line["sha256"] in letters) == (line["fault"] == "corrupt")


@pytest.fixture
def asked(monkeypatch):
    """The waits that a replay asks for [s]; how long they then are is the machine's."""
    waits, left = [], RateLimiter.left
    monkeypatch.setattr(RateLimiter, "left", lambda *given: waits.append(left(*given)) or waits[-1])
    return waits


def test_late_frames_come_late_and_in_real_time(broker, tmp_path, asked):
    log = tmp_path / "log.jsonl"
    faults = ["--delay", "H1:1126259447:2", "--reorder", "L1:1126259447", "--fault-log", str(log)]
    span = ["--end", "1126259451", "--speed", "4"]
    started = time.time() * 1000
    assert replayed(broker, "pace", *span, *faults) == exits.DONE
    # Six seconds of data, four times as fast.
    assert sum(wait for wait in asked if wait > 0) < 5 / 4 + 0.1
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    seconds = {"H1": [0, 2, 3, 1, 4], "L1": [0, 2, 1, 3, 4]}
    late = {("H1", 1): 2, ("L1", 1): 1}
    for ifo, order in seconds.items():
        own = sorted((one for one in lines if one["ifo"] == ifo), key=lambda one: one["offsets"])
        assert [one["gps"] - 1126259446 for one in own] == order
        for one, second in zip(own, order, strict=True):
            assert one["late"] == late.get((ifo, second), 0)
            # Never too soon.
            assert started + 250 * (second + one["late"]) - 2 <= one["produced_ms"]


def test_data_seem_to_be_taken_now(broker, tmp_path):
    log = tmp_path / "log.jsonl"
    begun = gps_now()
    arguments = ["--now", "--frame-seconds", "0.5", "--end", "1126259447", "--fault-log", str(log)]
    assert replayed(broker, "now", *arguments) == exits.DONE
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == 4
    assert begun < lines[0]["gps"] + 0.5 < gps_now()
    offset = time.time() - gps_now()
    for line in lines:
        age = line["produced_ms"] / 1000 - offset - (line["gps"] + 0.5)
        assert -0.002 <= age <= gps_now() - begun
        assert (line["gps"] - line["file_gps"]) % 1 == 0
    headers = [dict(m.headers())["gps"].decode() for m in on_topic(broker, "now.H1")]
    assert headers == [f"{lines[0]['gps']:.15g}", f"{lines[-1]['gps']:.15g}"]


def test_ctrl_c_ends_in_one_line(broker, tmp_path):
    log = tmp_path / "log.jsonl"
    line = [sys.executable, "-m", "beam_pipeline.cli", "replay", *GWOSC, "--loop", "0"]
    line += ["--brokers", broker.address, "--topic", "stop.{ifo}", "--fault-log", str(log)]
    root = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        line, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            end = time.monotonic() + 240
            while not (log.exists() and log.read_text()) and time.monotonic() < end:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == exits.INTERRUPTED
    assert out == ""
    assert err == "wavefier: interrupted; what was written is whole\n"
    lines = [json.loads(text) for text in log.read_text().splitlines()]
    sent = {ifo: len(decoded(on_topic(broker, f"stop.{ifo}"))) for ifo in ("H1", "L1")}
    assert sent == {ifo: sum(one["ifo"] == ifo for one in lines) for ifo in sent}


def test_frames_wait_for_a_broker_that_is_away(broker, tmp_path, monkeypatch, capsys):
    # So few may wait with the client that the replay has to wait itself.
    monkeypatch.setitem(sender._SETTINGS, "queue.buffering.max.messages", 6)
    log = tmp_path / "log.jsonl"
    ended = []
    # All of it takes eight seconds, of which the kill takes the first.
    arguments = ["--speed", "8", "--fault-log", str(log), "--loop", "2", "--format", "row"]
    thread = threading.Thread(
        target=lambda: ended.append(replayed(broker, "away", *arguments)), daemon=True
    )
    thread.start()
    end = time.monotonic() + 240
    while not (log.exists() and len(log.read_text().splitlines()) > 4) and time.monotonic() < end:
        time.sleep(0.02)
    broker.kill()
    time.sleep(1)
    begun = len(log.read_text().splitlines())
    assert 4 < begun < 128
    assert thread.is_alive()
    broker.up()
    thread.join(240)
    assert ended == [exits.DONE]
    err = capsys.readouterr().err
    assert err.count("wavefier: waiting for the broker (") == 1
    assert err.count("wavefier: the broker is back\n") == 1
    lines = [json.loads(text) for text in log.read_text().splitlines()]
    assert len(lines) == 128
    for ifo in ("H1", "L1"):
        starts = [one.gps_start_ns // S for one in decoded(on_topic(broker, f"away.{ifo}"))]
        assert starts == [1126259446 + n for n in (*range(32), *range(33, 65))]


def test_topics_are_made_and_those_that_are_there_stay(broker):
    assert replayed(broker, "made", "--speed", "0", "--end", "1126259447") == exits.DONE
    topics = AdminClient({"bootstrap.servers": broker.address}).list_topics(timeout=120).topics
    assert {"made.H1", "made.L1"} <= set(topics)
    assert len(topics["made.H1"].partitions) == 1
    assert replayed(broker, "made", "--speed", "0", "--end", "1126259447") == exits.DONE
    assert len(on_topic(broker, "made.H1")) == 2


def test_a_frame_that_no_topic_takes_is_one_line(broker, monkeypatch, capsys):
    monkeypatch.setitem(sender._SETTINGS, "message.max.bytes", 100_000)
    arguments = ["--format", "row", "--frame-seconds", "16", "--speed", "0"]
    assert replayed(broker, "large", *arguments) == exits.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert "does not take a frame" in line
    assert "send shorter frames, or --format lldd" in line


def test_files_that_cannot_be_used_are_told_and_others_played(broker, tmp_path, capsys):
    bad = tmp_path / "bad.gwf"
    bad.write_bytes(b"IGWD" + bytes(100))
    files = [str(bad), GWOSC[0]]
    assert replayed(broker, "bad", "--speed", "0", files=files) == exits.DATA_PROBLEM
    said = capsys.readouterr()
    assert said.out == "H1:GWOSC-4KHZ_STRAIN: 32 frames sent to bad.H1\n"
    (line,) = [text for text in said.err.splitlines() if "of strain" not in text]
    assert line.startswith(f"wavefier: {bad}: cannot be read as GWF")
    assert replayed(broker, "bad", files=files[:1]) == exits.DATA_PROBLEM
    assert capsys.readouterr().err.splitlines()[-1] == "wavefier: there is nothing to play"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--drop", "often"], "--drop often: write a probability"),
        (["--drop", "0.7", "--corrupt", "0.7"], "more than 1"),
        (["--speed", "-1"], "--speed -1"),
        (["--speed", "nan"], "--speed nan"),
        (["--now", "--speed", "2"], "--now plays in real time"),
        (["--frame-seconds", "1.5"], "whole seconds, or an even part"),
        (["--frame-seconds", "inf"], "--frame-seconds"),
        (["--loop", "-1"], "once or more"),
        (["--start", "20", "--end", "10"], "--start must lie before --end"),
        (["--brokers", "nonsense"], "is not HOST:PORT"),
        (["--topic", "strain/{ifo}"], "cannot be the name of a topic"),
        (["--kafka-config", "/none/such"], "/none/such: cannot be read"),
        (["--brokers", "127.0.0.1:9"], "no broker answers at 127.0.0.1:9"),
    ],
)
def test_mistakes_are_one_line(monkeypatch, capsys, arguments, words):
    monkeypatch.setattr(command, "PATIENCE_S", 0.5)
    brokers = [] if "--brokers" in arguments else ["--brokers", "127.0.0.1:1"]
    call = ["replay", GWOSC[0], *brokers, *arguments]
    assert cli.main(call) == exits.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("wavefier: ")
    assert words in line


def test_masks_that_a_format_has_no_place_for_are_one_line():
    frame = expected(CHANNELS[0])[0]
    odd = replace(frame, flags=(Interval(frame.gps_start_ns, frame.gps_end_ns, "ODD"),))
    wire = command.Wire(kind="gwf", topic="{ifo}", faults=Faults(()))
    with pytest.raises(exits.UserError, match="no bit that says ODD; send rows"):
        wire.packed(ScheduledFrame(0, PlayedFrame(frame=odd, due_ns=0, file_ns=0, place=0)))


def test_settings_that_cannot_be_are_one_line():
    with pytest.raises(SendError, match="Kafka's settings: ") as refused:
        Sender({"bootstrap.servers": "h:1", "security.protocol": "none"}, lambda _: None)
    assert "\n" not in str(refused.value)


def test_an_interrupted_replay_does_not_wait_for_a_broker_that_is_away(monkeypatch):
    said, arrived = [], []
    client = Sender({"bootstrap.servers": "127.0.0.1:9"}, said.append)
    client.send("t", "H1:X", {"gps": "1"}, [b"one", b"two"], arrived.append)
    while not said:
        client.wait(0.1)
    # So long that no machine is as slow.
    monkeypatch.setattr(sender, "_PARTING_S", 240.0)
    begun = time.monotonic()
    client.close()
    assert time.monotonic() - begun < sender._PARTING_S
    assert arrived == []
    (line,) = said
    assert line.startswith("waiting for the broker (")
