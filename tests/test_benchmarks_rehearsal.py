"""The dress rehearsal: what it counts, compares and measures; and a short one, for real."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from confluent_kafka import Producer

from benchmarks.rehearsal.assertions import lines
from benchmarks.rehearsal.compare import analysed_differently, compare, judged, last_messages, same
from benchmarks.rehearsal.deliveries import Delivery, Log, good, stretches
from benchmarks.rehearsal.monitor import ALONE
from benchmarks.rehearsal.plan import ROOM_S, SLACK_S
from benchmarks.rehearsal.reconciliation import account
from benchmarks.rehearsal.run import _parser, _plan
from benchmarks.rehearsal.timing import (
    Beats,
    Expected,
    Play,
    Wait,
    delays,
    recovered,
    resumed,
    spread,
    undisturbed,
)
from benchmarks.rehearsal.watch import Watch
from flink import parts
from flink.dev import prometheus
from flink.dev.prometheus import SERVER, program
from flink.processes import Problem
from transforms.broker import KafkaConfig, ensure_topics
from transforms.elements import FINAL, PRELIMINARY, SETTLED, WITHDRAWN, Segment
from transforms.gps import GPS_EPOCH_UNIX, NANOSECONDS
from transforms.observe.catalogue import CATALOGUE, HISTOGRAM, PREFIX
from transforms.sink.kafka import output_topics
from transforms.sink.tables import TRIGGER_COLUMNS

CHANNEL = "H1:STRAIN"
S = NANOSECONDS
WAIT = 3 * S


def sent(second, at, fault="", copies=1, **fields):
    """A frame of one message, with its place in the partition."""
    values = {
        "channel": CHANNEL,
        "start_ns": second * S,
        "fault": fault,
        "late": 0.0,
        "topic": "strain.H1",
        "partition": 0,
        "offsets": tuple(range(at, at + copies)),
        "parts": 1,
        "produced": 1000.0 + second,
    }
    return Delivery(**{**values, **fields})


def in_order(*seconds):
    return [sent(second, at) for at, second in enumerate(seconds)]


def segment(start, end, reason=""):
    return Segment(
        ifo="H1",
        channel=CHANNEL,
        start_ns=round(start * S),
        end_ns=round(end * S),
        analysed=not reason,
        reason=reason,
    )


def seconds_of(frames):
    return [one.start_ns // S for one in frames]


def test_a_log_is_read_up_to_its_last_whole_line(tmp_path):
    line = {
        "gps_ns": 7 * S,
        "channel": CHANNEL,
        "topic": "strain.H1",
        "fault": "duplicate",
        "late": 0.5,
        "parts": 2,
        "partition": 3,
        "offsets": [4, 5, 6, 7],
        "produced_ms": 1500,
    }
    path = tmp_path / "log"
    log, text = Log(path), json.dumps(line) + "\n"
    assert log.read() == []
    path.write_text(text + text[:20])
    (one,) = log.read()
    assert (one.start_ns, one.late, one.produced) == (7 * S, 0.5, 1.5)
    assert one.arrived == 5
    assert one.sources == {f"strain.H1/3/{offset}" for offset in (4, 5, 6, 7)}
    path.write_text(text + text)
    assert log.read() == [one, one]


@pytest.mark.parametrize(
    ("order", "analysed"),
    [
        ((10, 11, 12, 13), [10, 11, 12, 13]),
        ((10, 12, 11, 13), [10, 11, 12, 13]),
        # Of what follows 11, the job has 3 s when it comes; then 4 s.
        ((10, 12, 13, 14, 11, 15), [10, 11, 12, 13, 14, 15]),
        ((10, 12, 13, 14, 15, 11), [10, 12, 13, 14, 15]),
        # 13 and 14 are missing too: 4 s follow the whole hole when it comes.
        ((10, 12, 15, 16, 17, 13), [10, 12, 13, 15, 16, 17]),
        # Nothing before the first frame is waited for.
        ((11, 10, 12), [11, 12]),
    ],
)
def test_frames_are_good_that_come_in_time(order, analysed):
    assert seconds_of(good(in_order(*order), WAIT)) == analysed


def test_frames_that_were_dropped_or_damaged_are_not_good():
    frames = [
        *in_order(10, 11),
        sent(12, 2, "corrupt"),
        sent(13, 3, "duplicate", copies=2),
        sent(14, 0, "drop", offsets=()),
    ]
    assert seconds_of(good(frames, WAIT)) == [10, 11, 13]


def test_of_a_frame_in_parts_the_last_part_counts():
    frames = [sent(10, 0), sent(12, 1), sent(11, 2, parts=3, offsets=(2, 6, 7))]
    frames += [sent(13, 3), sent(14, 4), sent(15, 5)]
    assert seconds_of(good(frames, WAIT)) == [10, 12, 13, 14, 15]


def test_frames_join_into_stretches():
    assert stretches(in_order(12, 10, 11, 14)) == [(10 * S, 13 * S), (14 * S, 15 * S)]


def test_every_frame_is_somewhere():
    frames = [
        *in_order(10, 11, 12, 13, 14),
        sent(15, 5, "corrupt"),
        sent(16, 6, "corrupt"),
        sent(17, 0, "drop", offsets=()),
        sent(18, 7),
    ]
    said = [segment(10, 12), segment(12, 12.5), segment(12.5, 14, "too short"), segment(15, 16)]
    found = account([*frames, sent(19, 8)], [*said, segment(19, 20)], ["strain.H1/0/5"])
    assert (found.sent, found.dropped, found.damaged) == (9, 1, 2)
    assert (found.analysed, found.gap, found.dead_lettered) == (3, 2, 1)
    # 14 and 18 are in no segment; of 17, which was never sent, none says so.
    assert (found.lost, found.corrupted, found.unsaid) == (2, 1, 1)
    assert found.received == 7


def test_a_gap_that_is_told_of_is_not_lost():
    frames = [*in_order(10, 12), sent(11, 0, "drop", offsets=())]
    said = [segment(10, 11), segment(11, 12, "no data"), segment(12, 13)]
    found = account(frames, said, [])
    assert (found.analysed, found.lost, found.unsaid) == (2, 0, 0)


def row(name, **fields):
    values = {column.name: "text" for column in TRIGGER_COLUMNS}
    values |= {"id": name, "channel": CHANNEL, "snr": 7.0, "wdf_value": [1.0, 2.0], "score": None}
    return {**values, "probabilities": '{"blip": 0.25}', "end_time": 10.0, **fields}


def test_the_same_triggers_are_the_same_however_they_are_written():
    expected = [row("a"), row("b")]
    received = [
        row("b", snr=7.0 + 1e-6, emitted_at=1.0, latency=2.0, version="other"),
        row("a", probabilities={"blip": 0.25 + 1e-8}),
    ]
    found = compare(expected, received)
    assert found.good
    assert (found.expected, found.received) == (2, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"snr": 7.00002},
        {"wdf_value": [1.0, 2.00001]},
        {"wdf_value": [1.0]},
        {"label": "other"},
        {"score": 0.5},
        {"probabilities": {"blip": 0.2501}},
        {"probabilities": {"chirp": 0.25}},
        {"config": "other"},
    ],
)
def test_each_column_counts(change):
    found = compare([row("a")], [row("a", **change)])
    assert not found.good
    assert found.differing[0].startswith(f"a {next(iter(change))}: ")


def test_missing_and_extra_triggers_are_named():
    found = compare([row("a"), row("b")], [row("b"), row("c")])
    assert (found.missing, found.extra, found.differing) == (("a",), ("c",), ())
    assert not found.good


def test_numbers_are_the_same_within_a_millionth():
    assert same(1.0, 1.0 + 9e-7)
    assert not same(1.0, 1.0 + 2e-6)
    assert not same(0.5, None)
    assert not same(1_000_000_000, 1_000_000_001)


def test_the_last_message_of_an_id_counts():
    messages = [
        row("a", status=PRELIMINARY),
        row("b", status=PRELIMINARY),
        row("a", status=FINAL, snr=8.0),
        row("b", status=WITHDRAWN),
        row("c", status=SETTLED),
    ]
    final, others = last_messages(messages)
    assert [(one["id"], one["snr"]) for one in final] == [("a", 8.0)]
    assert [one["id"] for one in others] == ["c"]


def test_only_at_the_end_of_the_data_may_a_trigger_be_left_open():
    messages = [
        row("a", status=FINAL),
        row("b", status=SETTLED, end_time=50.0),
        row("c", status=SETTLED, end_time=99.0),
    ]
    received, left = judged(messages, {CHANNEL: 98.0})
    assert [one["id"] for one in received] == ["a", "c"]
    assert [one["id"] for one in left] == ["c"]


def test_stretches_are_compared_joined():
    whole = [segment(10, 20), segment(20, 25, "no data")]
    cut = [segment(10, 15), segment(14, 20), segment(20, 25, "too short")]
    assert analysed_differently(whole, cut) == 0
    assert analysed_differently(whole, [segment(10, 19)]) == 2


def playing(frames, speed=1.0, end=200):
    """Data from second 0 on, due from Unix time 1001 on."""
    return Play.of(frames, 0, end * S, speed)


def test_a_replay_began_with_the_frame_that_was_sent_soonest():
    frames = [sent(second, second, produced=1000.0 + (second + 1) / 2) for second in range(10)]
    frames[3] = replace(frames[3], produced=1009.0)
    frames[4] = replace(frames[4], late=4.0, produced=1000.0 + 9 / 2)
    play = playing(frames, 2.0, 10)
    assert play.begun == pytest.approx(1000.5)
    assert play.due_ns(1002.5) == 5 * S
    assert play.due_ns(2000.0) == 10 * S
    assert play.ended == pytest.approx(1005.0)


def test_analysis_waits_for_the_warm_up_of_a_stretch():
    frames = [sent(s, s, produced=1001.0 + s) for s in range(200) if s != 100]
    expected = Expected(frames, playing(frames), Wait(32 * S, WAIT))
    # Data are due 5 s before: 2 s for the work, 3 s for frames that lack.
    assert expected.reached_ns(1000 + 5 + 20) == 0
    assert expected.reached_ns(1000 + 5 + 80) == 78 * S
    assert expected.reached_ns(1000 + 5 + 120) == 101 * S
    assert expected.reached_ns(1000 + 5 + 150) == 148 * S
    steady = [at for at in range(200) if expected.is_steady(1000 + 5 + at)]
    assert steady == [*range(32, 101), *range(133, 200)]


def test_recovery_ends_when_analysis_is_at_the_newest_data():
    frames = [sent(s, s, produced=1001.0 + s) for s in range(200)]
    expected = Expected(frames, playing(frames), Wait(32 * S, WAIT))
    # Nothing from 1080 to 1095, then all at once.
    when = [*range(1003, 1080), *[1095] * 15, *range(1096, 1202)]
    beats = Beats((time, (1000 + s) * S - 1000 * S) for s, time in enumerate(when, 1))
    assert beats.reached_ns(1002.9) == 0
    assert beats.reached_ns(1050.5) == 48 * S
    back = recovered(expected, beats, 1079.0, 1195.0)
    assert back == pytest.approx(1095.0, abs=0.2)
    assert recovered(expected, beats, 1110.0, 1195.0) == 1110.0


def test_a_job_that_is_back_before_anything_is_late_tells_by_its_first_new_result():
    frames = [sent(s, s, produced=1001.0 + s) for s in range(200) if s != 100]
    play = playing(frames)
    expected = Expected(frames, play, Wait(32 * S, WAIT))
    # Nothing from 1150 to 1153.
    when = [*range(1003, 1150), *[1153] * 4, *range(1154, 1202)]
    beats = Beats((time, s * S) for s, time in enumerate(when, 1))
    assert recovered(expected, beats, 1149.5, 1195.0) == 1149.5
    assert resumed(expected, beats, play, 1149.5) == 1153
    # What is undisturbed comes at its pace, and after a gap there is nothing to stop.
    assert resumed(expected, beats, play, 1090.5) == 1093
    assert resumed(expected, beats, play, 1110.5) is None
    assert beats.passed(999 * S) is None


def test_all_is_read_that_the_broker_has(broker):
    topics = output_topics("watched")
    ensure_topics(KafkaConfig(broker.address), topics)
    producer = Producer({"bootstrap.servers": broker.address})
    with Watch(broker.address, "watched") as watch:
        for number in range(2000):
            producer.produce("watched.dead-letters", json.dumps({"source": number}).encode())
        assert producer.flush(240) == 0
        watch.read_all()
        found = [row["source"] for _, row in watch.published.letters]
        assert found == list(range(2000))
        producer.produce("watched.dead-letters", b'{"source": "last"}')
        assert producer.flush(240) == 0
        watch.read_all()
        assert len(watch.published.letters) == 2001


def message(name, status, arrived_at):
    return {"id": name, "status": status, "arrived_at": arrived_at}


def unix(gps):
    """Unix time of a GPS time of 2011, when 15 s lay between them and TAI less 19 s."""
    return gps + GPS_EPOCH_UNIX - 15


def test_delays_are_those_of_first_messages():
    at = 1_000_000_000.0
    messages = [
        (unix(at) + 0.5, message("a", PRELIMINARY, at)),
        (unix(at) + 1.5, message("a", SETTLED, at + 1)),
        (unix(at) + 2.0, message("a", FINAL, at + 1)),
        (unix(at) + 9.0, message("a", PRELIMINARY, at)),
        (unix(at) + 7.0, message("b", SETTLED, at + 5)),
        (unix(at) + 7.5, message("c", SETTLED, None)),
    ]
    found = delays(messages)
    assert [one.seconds for one in found] == pytest.approx([0.5, 2.0])
    settled = delays(messages, (SETTLED, FINAL))
    assert [one.seconds for one in settled] == pytest.approx([1.5, 2.0])
    assert undisturbed(found, [(unix(at) + 4, unix(at) + 6)]) == pytest.approx([0.5])
    assert undisturbed(found, []) == pytest.approx([0.5, 2.0])


def test_a_recovery_that_outlived_the_data_is_told_apart():
    kill = {"what": "taskmanager", "recovery_s": 20.0, "data_left_s": 5.0}
    figures = {"kills": [kill, {**kill, "data_left_s": 0.0}]}
    figures |= {name: {"p50": None, "overall": {"p50": None}} for name in DELAYS}
    (_, measured), (_, short) = lines(figures)
    assert measured == "20.0"
    assert short == "20.0, but the data had ended: give more --frames or less --speed"


DELAYS = ("latency_s", "settled_s", "final_s")


def test_a_spread_of_nothing_is_nothing():
    assert spread([]) == {"p50": None, "p90": None, "p99": None, "max": None}
    assert spread([1.0, 3.0])["p50"] == 2.0


@pytest.mark.parametrize("frames", [300, 600, 3600, 14400])
@pytest.mark.parametrize("detectors", ["1", "3"])
def test_after_each_kill_data_go_on_until_analysis_is_back(frames, detectors):
    plan = _plan(_parser().parse_args(["--frames", str(frames), "--detectors", detectors]))
    windows = [plan.window(number) for number in range(len(plan.kills))]
    assert windows[0][0] > plan.wait.warm_up_ns / S
    ends = [last for _, last in windows[1:]] + [frames]
    for what, (due, last), end in zip(plan.kills, windows, ends, strict=True):
        assert due <= last - SLACK_S * plan.speed
        assert last == pytest.approx(end - ROOM_S[what] * plan.speed)


def test_with_more_kills_than_data_nothing_is_waited_for():
    plan = _plan(_parser().parse_args(["--frames", "30", "--speed", "8"]))
    assert [plan.window(number) for number in (0, 1)] == [(0, 0), (0, 0)]


@pytest.fixture(scope="module")
def lack():
    """Return why Prometheus cannot look on; empty if it can."""
    probe = subprocess.run([*ALONE, "true"], capture_output=True, text=True, check=False)
    try:
        program(SERVER)
        said = probe.stderr.strip() if probe.returncode else ""
    except (Problem, OSError) as problem:
        said = str(problem)
    if said and prometheus.required():
        pytest.fail(said)
    return said


@pytest.fixture(scope="module")
def rehearsed(cluster, lack, tmp_path_factory):
    """A rehearsal of 300 s, on which Prometheus looks if it can: its figures."""
    tmp_path = tmp_path_factory.mktemp("rehearsal")
    path, folder = tmp_path / "rehearsal.json", tmp_path / "here"
    folder.mkdir()
    command = [sys.executable, "-m", "benchmarks.rehearsal.run", "--frames", "300", "--json", path]
    done = subprocess.run(
        command if lack else [*ALONE, *command, "--monitor"],
        cwd=parts.ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(folder.iterdir())
    return json.loads(path.read_text())


# Java machines start, and 300 s of data are played at two and a half times their speed.
@pytest.mark.timeout(3600)
def test_a_short_rehearsal_loses_and_changes_nothing(rehearsed):
    figures = rehearsed
    wrong = ("frames_lost", "frames_corrupted", "frames_unsaid", "stretches_differing")
    wrong += ("triggers_missing", "triggers_extra", "triggers_differing")
    assert {name: figures[name] for name in wrong} == dict.fromkeys(wrong, 0)
    assert figures["frames_sent"] == figures["frames_received"] > 290
    assert figures["triggers_received"] > 10
    assert [kill["what"] for kill in figures["kills"]] == ["taskmanager", "upgrade"]
    # How long each was felt, `make rehearsal` says; a slow machine may run out of data first.
    for kill in figures["kills"]:
        assert kill["data_left_s"] == 0 or kill["recovery_s"] > 2
    assert {"corrupt", "delay", "drop", "duplicate", "reorder"} == set(figures["faults"])


@pytest.mark.timeout(3600)
def test_prometheus_has_all_that_the_dashboard_and_the_alerts_ask_for(rehearsed, lack):
    if lack:
        pytest.skip(f"left out: {lack}")
    seen = rehearsed["seen"]
    assert seen["unanswered"] == []
    ours = {f"{PREFIX}_{one.name}" for one in CATALOGUE if one.kind != HISTOGRAM}
    assert ours <= set(seen["metrics"])
