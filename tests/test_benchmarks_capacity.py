"""How much a live job bears: what is played, what it costs, and how late the job is."""

import marshal
import math
import os
import subprocess
import sys
import time

import confluent_kafka
import numpy as np
import pytest

from benchmarks import simulated
from benchmarks.live import capacity
from benchmarks.live.loads import player, shares, usage
from benchmarks.live.loads.lag import EDGE_S, lags, summed
from benchmarks.simulated import FIRST_GPS, Recipe
from flink.settings import ROOT
from transforms.elements import Segment
from transforms.gps import NANOSECONDS as S
from transforms.ingest.messages import row

NAMES = ("H1:A", "H1:B")


def segment(channel, end, begin=None, reason=""):
    start = end - 1 if begin is None else begin
    return Segment(
        ifo="H1",
        channel=channel,
        start_ns=start * S,
        end_ns=end * S,
        analysed=not reason,
        reason=reason,
    )


def test_lag_is_from_the_frame_that_completes_a_second_to_its_segment():
    sent = {101: [1000.0, 1000.1], 102: [1001.0, 1001.1], 103: [1002.0, 1002.1]}
    said = [
        (1000.3, segment("H1:A", 101)),
        # Not analysed, of another channel, told again after a restart: none of it counts.
        (1000.4, segment("H1:A", 102, reason="no data")),
        (1000.4, segment("H1:C", 102)),
        (1001.5, segment("H1:A", 102)),
        (1009.0, segment("H1:A", 102)),
        # Two seconds at once.
        (1002.9, segment("H1:B", 102, 100)),
    ]
    found = lags(sent, NAMES, said)
    assert found[101] == pytest.approx([0.3, 2.8])
    assert found[102] == pytest.approx([0.5, 1.8])
    assert found[103] == [math.inf, math.inf]


def of_each_second(seconds):
    return {FIRST_GPS + number: [lag, lag] for number, lag in enumerate(seconds)}


def test_a_job_keeps_up_whose_lag_does_not_grow():
    steady = summed(of_each_second([3.0, *[0.3] * 59]))
    assert steady.keeps_up
    assert (steady.p50, steady.p99, steady.begin, steady.end) == (0.3, 3.0, 0.3, 0.3)
    assert summed(of_each_second(np.linspace(5, 6.9, 60))).keeps_up
    growing = summed(of_each_second(np.linspace(0, 3, 60)))
    assert not growing.keeps_up
    assert growing.end - growing.begin == pytest.approx(3 * (60 - EDGE_S) / 59)


def test_what_never_came_is_no_keeping_up():
    lost = summed(of_each_second([*[0.3] * 59, math.inf]))
    assert (lost.missing, lost.p50, lost.p99, lost.end) == (2, 0.3, math.inf, 0.3)
    assert not lost.keeps_up
    assert not summed(of_each_second([math.inf] * 20)).keeps_up


BURN = """import time
print(flush=True)
input()
begun = time.process_time()
while time.process_time() < begun + 0.5: pass
print(flush=True)
input()
"""


def test_a_meter_tells_what_a_process_takes():
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", BURN], stdin=pipe, stdout=pipe) as child:
        assert usage.children(os.getpid()) == [child.pid]
        child.stdout.readline()
        meter, begun = usage.Meter({"child": (child.pid,), "nobody": (2**22 + 1,)}), time.time()
        child.stdin.write(b"\n")
        child.stdin.flush()
        child.stdout.readline()
        lasted = time.time() - begun
        found = meter.read(lasted)
        whole = usage.of([child.pid]).cpu_s
        child.communicate(b"\n")
    # To a few ticks of the clock.
    assert 0.45 < found["child"]["cores"] * lasted < whole + 0.05
    assert 3e6 < found["child"]["rss"] < 1e9
    assert found["nobody"] == {"cores": 0.0, "rss": 0.0}
    assert found["machine"]["cores"] >= found["child"]["cores"] / 2
    assert not usage.children(os.getpid())


def test_all_channels_are_played_each_with_strain_of_its_own(broker, tmp_path):
    log = tmp_path / "sent.json"
    assert player.read_log(log) == {}
    options = {
        "brokers": broker.address,
        "topic": "load",
        "channels": 2,
        "rate": 256,
        "past": 3,
        "seconds": 2,
        "log": log,
    }
    command = [sys.executable, "-m", "benchmarks.live.loads.player"]
    command += [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as child:
        assert child.stdout.readline() == "past\n"
        assert len(on_topic(broker, 6)) == 6
        before = time.time()
        child.communicate("go\n")
        after = time.time()
    assert child.returncode == 0
    frames = [row.decode(value, "here") for value in on_topic(broker, 10)]
    recipe = Recipe(
        curve=player.CURVE,
        seconds=5 + 2 * player.APART_S,
        sample_rate=256,
        seed=1,
        classes=player.CLASSES,
        gap=player.GAP_S,
    )
    (whole,) = [strain for strain, _ in simulated.pieces(recipe)]
    for number in range(2):
        own = [one for one in frames if one.channel == player.name(number)]
        assert [one.gps_start_ns for one in own] == [(FIRST_GPS + s) * S for s in range(5)]
        first = player.APART_S * number * 256
        joined = np.concatenate([one.samples for one in own])
        assert np.array_equal(joined, whole[first : first + len(joined)])
    sent = player.read_log(log)
    assert list(sent) == [FIRST_GPS + 3, FIRST_GPS + 4]
    # Each second not before its time; a busy machine may be late.
    for number, times in enumerate(sent.values()):
        assert all(before + number - 0.01 <= at <= after for at in times)


def on_topic(broker, count):
    settings = {"bootstrap.servers": broker.address, "group.id": "look"}
    consumer = confluent_kafka.Consumer({**settings, "enable.auto.commit": False})
    try:
        consumer.assign([confluent_kafka.TopicPartition("load", 0, 0)])
        found, end = [], time.monotonic() + 240
        while len(found) < count and time.monotonic() < end:
            found += consumer.consume(count - len(found), timeout=1)
        return [one.value() for one in found]
    finally:
        consumer.close()


def test_shares_are_of_the_stages_that_are_called_and_not_of_waiting(tmp_path):
    def at(name, file="beam.py"):
        return file, 1, name

    read = at("process", str(ROOT / "transforms/ingest/kafka/stage.py"))
    consume = at("<consume>", "~")
    white, fft = at("process", str(ROOT / "transforms/whiten/stage.py")), at("fft", "scipy.py")
    helper = at("whiten", str(ROOT / "transforms/whiten/whitening.py"))
    beam = at("process_bundle")
    stats = {
        beam: (1, 1, 1.0, 11.0, {}),
        read: (1, 1, 0.5, 6.5, {beam: (1, 1, 0.5, 6.5)}),
        consume: (1, 1, 6.0, 6.0, {read: (1, 1, 6.0, 6.0)}),
        white: (1, 1, 0.5, 3.5, {beam: (1, 1, 0.5, 3.5)}),
        helper: (1, 1, 1.0, 3.0, {white: (1, 1, 1.0, 3.0)}),
        fft: (1, 1, 2.0, 2.0, {helper: (1, 1, 2.0, 2.0)}),
    }
    (tmp_path / "cpu_profile").mkdir()
    for name in ("one", "two"):
        (tmp_path / "cpu_profile" / name).write_bytes(marshal.dumps(stats))
    assert shares.shares(tmp_path) == pytest.approx(
        {"whiten": 0.7, "Beam, coders, state": 0.2, "read": 0.1}
    )
    assert shares.shares(tmp_path / "none") == {}


def test_the_table_shows_a_job_that_failed_too(capsys):
    parts = {name: {"cores": 0.5, "rss": 2e9} for name in (*capacity.SHOWN, *capacity.WHOLE)}
    lag = dict.fromkeys(("p50", "p99", "begin", "end"), 0.25)
    good = {
        "channels": 10,
        "lag_s": lag,
        "keeps_up": True,
        "trigger_s": {"p50": None, "p99": None},
        "parts": parts,
        "checkpoint_bytes": 3e6,
        "restarts": 0.0,
    }
    rows = [good, {"channels": 20, "failed": "wavefier live ended with 1:"}]
    capacity._show({"rows": rows, "stages_cpu_s": {"whiten": 0.001, "search": 0.002}, "shares": {}})
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["channels", "10", "20"]
    assert ["segment", "p50", "[s]", "0.25", "-"] in lines
    assert ["Python", "workers", "[MB]", "2000", "-"] in lines
    assert lines[-3][-6:] == ["yes", "wavefier", "live", "ended", "with", "1:"]
    assert lines[-1][-3:] == ["0.03", "without", "Beam"]
