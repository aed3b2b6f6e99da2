"""What a running job tells about itself: counts, endpoint, log, and the range of a detector."""

import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gwpy.astro import sensemon_range
from gwpy.frequencyseries import FrequencySeries
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client import values as library
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.throughput import observing
from flink.processes import free_ports
from models.simulation import noise
from tests.samples import EVENT, candidate
from transforms.elements import (
    FINAL,
    PRELIMINARY,
    WITHDRAWN,
    Block,
    DeadLetter,
    Frame,
    PendingClusters,
    Segment,
    Trigger,
    Whitened,
)
from transforms.gps import NANOSECONDS as S
from transforms.ingest.config import IngestConfig
from transforms.ingest.messages.decoder import Decoder
from transforms.ingest.messages.encoder import encode
from transforms.kinds import LetterKind, SegmentKind, gap_kind
from transforms.observe import endpoint
from transforms.observe import record as recording
from transforms.observe.catalogue import CATALOGUE, COUNTER, HISTOGRAM, PREFIX, STAGES
from transforms.observe.config import ObserveConfig
from transforms.observe.endpoint import registry, workers
from transforms.observe.inspiral import LOWEST, inspiral_range
from transforms.observe.json_log import JsonLines
from transforms.observe.record import Recorder, Spent, recorder
from transforms.utc import from_unix

ROOT = Path(__file__).parents[1]
NAME = "H1:STRAIN"


@pytest.fixture(autouse=True)
def counts(monkeypatch):
    """Let go of the files that a test counts in."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    monkeypatch.setattr(library, "ValueClass", library.ValueClass)
    yield
    library.close_all_multiprocess_files()


@pytest.fixture
def record(tmp_path):
    """A recorder of a folder of its own."""
    return Recorder(tmp_path)


def values(folder):
    """Every sample: (name, labels in alphabetical order) -> value."""
    return samples(generate_latest(registry(folder)).decode())


def samples(text, parse=text_string_to_metric_families):
    return {
        (
            one.name.removeprefix(f"{PREFIX}_"),
            *(v for _, v in sorted(one.labels.items())),
        ): one.value
        for family in parse(text)
        for one in family.samples
    }


def now_ns():
    return from_unix(time.time_ns())


def frame(start_ns=None, **fields):
    start = now_ns() // S * S - 3 * S if start_ns is None else start_ns
    values = {"channel": NAME, "arrived_ns": time.time_ns() - S, "data": np.ones(4096).tobytes()}
    return Frame(ifo="H1", sample_rate=4096, gps_start_ns=start, **{**values, **fields})


def trigger(**fields):
    at = now_ns() - 2 * S
    numbers = dict.fromkeys(("frequency", "low_frequency", "high_frequency", "bandwidth"), 100.0)
    numbers |= dict.fromkeys(("duration", "q", "snr", "rank", "amplitude", "phase"), 1.0)
    values = {"id": "a", "ifo": "H1", "channel": NAME, "time_ns": at, "start_ns": at}
    values |= {"end_ns": at, "wavelet": "morlet", "tiles": 1, "dq": (), "config": "c"}
    values |= {"data_time_ns": at, "label": "blip", "score": 0.9, "arrived_ns": time.time_ns() - S}
    return Trigger(**{**values, **numbers, **fields})


def whitened(asd_start_ns=0, **fields):
    asd = np.full((1, 8193), 1e-23, np.float32)
    values = {"data": b"1234", "asd": asd.tobytes(), "asd_start_ns": asd_start_ns}
    values |= {"valid_start_ns": 0, "valid_end_ns": S, "analyse_start_ns": 99 * S}
    values |= {"analyse_end_ns": 100 * S, "asd_step_ns": 128 * S, "asd_resolution": 0.25}
    return Whitened(
        ifo="H1",
        channel=NAME,
        sample_rate=4096,
        gps_start_ns=0,
        **{**values, "response": b"", **fields},
    )


def test_every_kind_of_element_is_counted(record, tmp_path):
    began, sent = time.time(), frame()
    block = Block(
        ifo="H1",
        channel=NAME,
        sample_rate=4096,
        gps_start_ns=0,
        data=b"12345678",
        segment_start_ns=0,
        segment_end_ns=S,
        analyse_start_ns=0,
        analyse_end_ns=S,
    )
    record.messages(2, 1000, 7)
    record.frame(sent)
    assert values(tmp_path)["repeated_frames_total", NAME] == 0
    record.frame(replace(sent, analysed=True))  # its time is told, it is not counted again
    record.frame(replace(sent, data=b""))
    record.repeated(NAME)
    record.block(block)
    record.whitened(whitened())
    record.searched(whitened(arrived_ns=time.time_ns() - S), 3)
    record.followed(NAME, PendingClusters(since_ns=0, searched_ns=S), cut=False)
    assert values(tmp_path)["cut_sessions_total", NAME] == 0
    found = candidate(0, channel=NAME)
    record.followed(
        NAME, PendingClusters(since_ns=0, searched_ns=S, candidates=(found,) * 5), cut=True
    )
    record.model("wavefier-1 abc")
    seen = values(tmp_path)
    assert seen["messages_total",] == 2
    assert seen["message_bytes_total",] == 1000
    assert seen["waiting_messages",] == 7
    assert seen["frames_total", NAME] == 1
    assert seen["repeated_frames_total", NAME] == 1
    assert seen["blocks_total", NAME] == 1
    assert seen["candidates_total", NAME] == 3
    assert seen["open_candidates", NAME] == 5
    assert seen["cut_sessions_total", NAME] == 1
    assert seen["model_info", "wavefier-1 abc"] == 1
    assert seen["psd_age_seconds", NAME] == 100
    assert seen["range_megaparsecs", NAME] > 1
    assert 1 <= seen["search_latency_seconds_sum", "H1"] <= 1 + time.time() - began
    assert seen["workers",] == 1
    # The end of the frame on the clock that Prometheus has.
    ahead = from_unix(round(began * S)) - round(began * S)
    at = (sent.gps_end_ns - ahead) / S
    assert seen["frame_timestamp_seconds", NAME] == pytest.approx(at, abs=1e-3)


def test_what_is_published_is_counted_by_what_it_is(record, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    began = time.time()
    record.published(trigger(status=PRELIMINARY))
    record.published(trigger(status=FINAL, score=0.3))
    assert values(tmp_path)["dead_letters_total", "damaged"] == 0  # there before the first one
    record.published(Segment(ifo="H1", channel=NAME, start_ns=10 * S, end_ns=14 * S, analysed=True))
    record.published(
        Segment(
            ifo="H1",
            channel=NAME,
            start_ns=14 * S,
            end_ns=16 * S,
            analysed=False,
            reason="too short",
            kind=SegmentKind.TOO_SHORT,
        )
    )
    record.published(DeadLetter(source="t/0/1", reason="t/0/1: bad", kind=LetterKind.DAMAGED))
    seen = values(tmp_path)
    assert seen["triggers_total", NAME, "blip", PRELIMINARY] == 1
    assert seen["triggers_total", NAME, "blip", FINAL] == 1
    assert seen["doubtful_triggers_total", NAME] == 1
    assert seen["analysed_seconds_total", NAME] == 4
    assert seen["gap_seconds_total", NAME, "too short"] == 2
    assert seen["gaps_total", NAME, "too short"] == 1
    assert seen["dead_letters_total", "damaged"] == 1
    passed = time.time() - began
    assert 1 <= seen["arrival_latency_seconds_sum", "H1", FINAL] <= 1 + passed
    assert 2 <= seen["data_latency_seconds_sum", "H1", FINAL] <= 2 + passed
    gap, letter = caplog.records
    assert (gap.channel, gap.gps_start_ns, gap.gps_end_ns) == (NAME, 14 * S, 16 * S)
    assert (letter.source, letter.reason) == ("t/0/1", "damaged")


def test_events_are_counted_by_status_from_the_start(record, tmp_path):
    statuses = (PRELIMINARY, FINAL, WITHDRAWN)
    assert [values(tmp_path)["events_total", each] for each in statuses] == [0, 0, 0]
    began = time.time()
    record.published(replace(EVENT, status=PRELIMINARY, arrived_ns=time.time_ns() - S))
    record.published(replace(EVENT, status=PRELIMINARY))  # from an archive: nothing arrived
    record.published(EVENT)
    seen = values(tmp_path)
    assert [seen["events_total", each] for each in statuses] == [2, 1, 0]
    assert seen["event_latency_seconds_count", PRELIMINARY] == 1
    assert 1 <= seen["event_latency_seconds_sum", PRELIMINARY] <= 1 + time.time() - began


def test_a_histogram_holds_each_delay_once(record, tmp_path):
    for seconds in (31.0, 121.0, 1000.0):
        record.published(trigger(arrived_ns=time.time_ns() - round(seconds * S)))
    seen = values(tmp_path)
    counts = {key[2]: n for key, n in seen.items() if key[0] == "arrival_latency_seconds_bucket"}
    assert list(counts.values()) == sorted(counts.values())
    assert seen["arrival_latency_seconds_count", "H1", FINAL] == 3
    # A busy machine adds to a delay, but not half a minute.
    found = [counts[end] for end in ("30.0", "60.0", "120.0", "300.0", "+Inf")]
    assert found == [0, 1, 1, 2, 3]


def test_the_range_is_made_when_the_spectrum_is_another(record, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(recording, "inspiral_range", lambda *_: made.append(1) or 1.0)
    for start in (0, 0, 128 * S, 128 * S):
        record.whitened(whitened(asd_start_ns=start))
    assert len(made) == 2


def test_series_without_end_are_counted_together(record, tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "MOST_SERIES", 3)
    for number in range(10):
        record.repeated(f"H1:{number}")
    seen = {key: n for key, n in values(tmp_path).items() if key[0] == "repeated_frames_total"}
    assert len(seen) == 4
    assert seen["repeated_frames_total", "other"] == 7


def test_an_archive_job_counts_nothing(monkeypatch):
    for name in ("WAVEFIER_METRICS", "WAVEFIER_METRICS_FOLDER", "WAVEFIER_LOG"):
        monkeypatch.delenv(name, raising=False)
    assert recorder() is None


def test_a_stage_is_charged_with_the_time_of_its_thread(record, tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "recorder", lambda: record)
    begun = time.thread_time()
    with Spent("search"):
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass
        time.sleep(0.2)  # waiting is no work
    spent = time.thread_time() - begun
    seen = values(tmp_path)
    assert 0.05 <= seen["cpu_seconds_total", "search"] <= spent
    assert {key[1] for key in seen if key[0] == "cpu_seconds_total"} == set(STAGES)


def made_by(call):
    """Count the calls of functions that a call makes: what it costs, whatever the machine."""
    made = []
    sys.setprofile(lambda _frame, event, _given: made.append(event))
    try:
        call()
    finally:
        sys.setprofile(None)
    return sum(event in ("call", "c_call") for event in made)


def test_a_call_is_a_few_counts_however_many_channels_there_are(record):
    """How long one takes: `python -m benchmarks.throughput.observing`."""
    calls = observing.calls(record)
    for call in calls.values():
        call()
    cost = {name: made_by(call) for name, call in calls.items()}
    assert max(cost.values()) <= 60
    for number in range(300):
        record.frame(frame(channel=f"H1:{number}"))
        record.block(
            Block(
                ifo="H1",
                channel=f"H1:{number}",
                sample_rate=4096,
                gps_start_ns=0,
                data=b"12345678",
                segment_start_ns=0,
                segment_end_ns=S,
                analyse_start_ns=0,
                analyse_end_ns=S,
            )
        )
    assert {name: made_by(call) for name, call in calls.items()} == cost


def test_what_a_call_costs_is_printed(tmp_path, capsys):
    path = tmp_path / "figures.json"
    assert observing.main(["--repeats", "2", "--calls", "3", "--json", str(path)]) == 0
    found = json.loads(path.read_text())["call_s"]
    assert set(found) == {"frame", "block", "whitened", "searched", "followed", "marked"}
    assert all(seconds > 0 for seconds in found.values())
    printed = capsys.readouterr().out
    assert all(name in printed for name in found)


def test_each_metric_is_as_prometheus_wants_it():
    assert len({one.name for one in CATALOGUE}) == len(CATALOGUE)
    for one in CATALOGUE:
        assert one.name.endswith("_total") == (one.kind == COUNTER)
        assert one.name.endswith("_seconds") or one.kind != HISTOGRAM


@pytest.mark.parametrize("kind", [*LetterKind, *SegmentKind])
def test_each_kind_is_documented(kind):
    if kind is not SegmentKind.ANALYSED:
        assert f"`{kind}`" in (ROOT / "docs" / "monitoring.md").read_text()


def test_each_metric_is_documented():
    text = (ROOT / "docs" / "monitoring.md").read_text()
    rows = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `wavefier_")}
    assert rows == {f"{PREFIX}_{one.name}" for one in CATALOGUE}


@pytest.mark.parametrize("wire", ["lldd", "gwf", "row"])
def test_damage_that_the_decoder_finds_has_a_kind(wire):
    messages = encode([frame(1_400_000_000 * S)], wire)
    last = bytearray(messages[-1])
    last[-40] ^= 255
    letters = [
        one
        for message in (
            *messages[:-1],
            bytes(last),
            messages[0][: len(messages[0]) // 2],
            b"",
            b"?",
        )
        for one in Decoder(IngestConfig()).feed(message, "t/0/1", 0)
        if isinstance(one, DeadLetter)
    ]
    assert len(letters) >= 3
    assert {one.kind for one in letters} <= {
        LetterKind.DAMAGED,
        LetterKind.INCOMPLETE,
        LetterKind.UNKNOWN_FORMAT,
    }


def test_a_gap_that_a_sender_names_has_one_of_few_kinds():
    assert gap_kind("no data") is SegmentKind.NO_DATA
    assert gap_kind("analysed") is SegmentKind.CHECK
    assert gap_kind("CBC_CAT1") is SegmentKind.CHECK


@pytest.mark.parametrize("curve", ["aligo_O4high", "avirgo_O4high", "L1_O3a_measured_asd"])
def test_the_range_is_that_of_gwpy(curve):
    resolution, rate = 0.25, 4096
    frequency = np.arange(round(rate / 2 / resolution) + 1) * resolution
    psd = noise.load(curve).at(frequency) ** 2
    series = FrequencySeries(psd, f0=0, df=resolution, unit="1 / Hz")
    expected = sensemon_range(series[1:], fmin=LOWEST).to_value("Mpc")
    assert inspiral_range(np.sqrt(psd), resolution) == pytest.approx(expected, rel=2e-3)


def test_the_range_scales_with_the_noise_and_leaves_out_what_is_no_number():
    asd = np.full(8193, 1e-23)
    whole = inspiral_range(asd, 0.25)
    assert inspiral_range(asd / 2, 0.25) == pytest.approx(2 * whole)
    asd[4000:4010] = np.nan
    asd[4010] = 0
    assert 0.99 * whole < inspiral_range(asd, 0.25) < whole
    assert inspiral_range(asd[:40], 0.25) == 0


@pytest.mark.parametrize(
    "address",
    ["9400", "host:", ":9400", "host:port", "host:99999", "host:0", "host:\u00b2", "[]:1", "a b:1"],
)
def test_an_address_that_cannot_be_is_refused(address):
    with pytest.raises(ValueError, match="HOST:PORT"):
        ObserveConfig(address)


def test_workers_are_told_by_their_environment(tmp_path):
    config = ObserveConfig("[::1]:9400", str(tmp_path), "json")
    assert ObserveConfig.from_environment(config.environment()) == config
    assert config.place == ("::1", 9400)
    assert ObserveConfig.from_environment({}) == ObserveConfig()
    with pytest.raises(ValueError, match="WAVEFIER_LOG must be text or json, not 'xml'"):
        ObserveConfig.from_environment({"WAVEFIER_LOG": "xml"})


@given(st.text(), st.text(), st.text())
def test_any_environment_is_taken_or_refused_in_one_line(address, folder, log):
    given_ = {"WAVEFIER_METRICS": address, "WAVEFIER_METRICS_FOLDER": folder, "WAVEFIER_LOG": log}
    try:
        config = ObserveConfig.from_environment(given_)
    except ValueError:
        return
    assert config.log in ("text", "json")
    assert not address or 0 < config.place[1] < 65536


def test_the_folder_of_counts_is_this_users_alone(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    config = ObserveConfig("127.0.0.1:9400")
    made = config.made()
    assert made.stat().st_mode & 0o777 == 0o700
    assert config.made() == made
    made.chmod(0o777)
    with pytest.raises(ValueError, match="not this user's alone"):
        config.made()
    made.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    made.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="not this user's alone"):
        config.made()
    # A folder that was named is whoever's: a volume of a pod is root's.
    named = replace(config, folder=str(tmp_path / "shared"))
    named.made().chmod(0o777)
    assert named.made() == tmp_path / "shared"
    with pytest.raises(ValueError, match="cannot be used"):
        replace(config, folder="/dev/null/x").made()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::]", "localhost"])
def test_the_endpoint_is_there_for_both_kinds_of_addresses(host, tmp_path):
    if host.startswith("[") and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    (port,) = free_ports(1)
    endpoint.serve(ObserveConfig(f"{host}:{port}", str(tmp_path)))
    asked = {"[::]": ["127.0.0.1", "[::1]"]}.get(host, [host])
    for one in asked:
        assert get(f"http://{one}:{port}/healthz") == '{"workers": 0}\n'


def test_prometheus_gets_the_format_that_it_asks_for(record, tmp_path):
    record.published(trigger(label='a "b" \\ \n\u00e9'))
    record.model("wavefier-1 abc")
    (port,) = free_ports(1)
    endpoint.serve(ObserveConfig(f"127.0.0.1:{port}", str(tmp_path)))
    get(f"http://127.0.0.1:{port}/healthz")
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/metrics",
        headers={"Accept": "application/openmetrics-text;version=1.0.0"},
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        assert samples(answer.read().decode(), openmetrics) == values(tmp_path)


def test_who_asks_for_nothing_is_left_after_a_while(tmp_path, monkeypatch, capfd):
    (port,) = free_ports(1)
    monkeypatch.setattr(endpoint._Handler, "timeout", 0.5)
    endpoint.serve(ObserveConfig(f"127.0.0.1:{port}", str(tmp_path)))
    get(f"http://127.0.0.1:{port}/healthz")
    with socket.create_connection(("127.0.0.1", port), timeout=60) as silent:
        assert silent.recv(1) == b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as hasty:
        hasty.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        assert hasty.recv(1) == b""
    assert get(f"http://127.0.0.1:{port}/healthz") == '{"workers": 0}\n'
    assert capfd.readouterr().err == ""


WORKER = """
import sys, time
from transforms.elements import Block
from transforms.observe.record import recorder
recorder().block(
    Block(
        ifo="H1", channel="H1:STRAIN", sample_rate=4096, gps_start_ns=0, data=b"12345678",
        segment_start_ns=0, segment_end_ns=1, analyse_start_ns=0, analyse_end_ns=1,
    )
)
print("there", flush=True)
time.sleep(3600)
"""


@pytest.fixture
def address(tmp_path):
    """The endpoint of two processes, of which either may serve, and both of them."""
    (port,) = free_ports(1)
    config = ObserveConfig(f"127.0.0.1:{port}", str(tmp_path / "counts"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **config.environment()}
    found = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        assert [process.stdout.readline() for process in found] == ["there\n"] * 2
        yield f"http://{config.address}", found
    finally:
        for process in found:
            process.kill()
            process.communicate()


def get(url):
    end = time.monotonic() + 240
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError:
            raise
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_one_address_tells_of_all_processes_and_outlives_each(address):
    url, found = address
    assert samples(get(f"{url}/metrics"))["blocks_total", NAME] == 2
    assert json.loads(get(f"{url}/healthz")) == {"workers": 2}
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{url}/else")
    found[0].send_signal(signal.SIGKILL)
    found[0].wait()
    # What it has counted stays, whichever of them has served.
    assert samples(get(f"{url}/metrics"))["blocks_total", NAME] == 2
    assert json.loads(get(f"{url}/healthz")) == {"workers": 1}


def test_a_channel_that_moves_is_as_it_was_said_last(tmp_path):
    first = Recorder(tmp_path)
    first.whitened(whitened(analyse_end_ns=200 * S))
    for path in tmp_path.glob("*.db"):  # as another process's
        path.rename(path.with_name(path.name.replace(str(os.getpid()), "999999999")))
    second = Recorder(tmp_path)
    second.whitened(whitened(analyse_end_ns=150 * S))
    assert values(tmp_path)["psd_age_seconds", NAME] == 150
    assert workers(tmp_path) == 1


def test_a_line_of_the_log_is_json_with_gps():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    log = logging.Logger("wavefier.test")
    log.addHandler(handler)
    began = now_ns() / S
    log.info("gap of %d s", 4, extra={"channel": NAME, "gps_start_ns": 5 * S // 2})
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("wrong")
    said, wrong = map(json.loads, stream.getvalue().splitlines())
    assert said["message"] == "gap of 4 s"
    assert (said["level"], said["channel"], said["gps_start"]) == ("INFO", NAME, 2.5)
    assert began - 0.001 <= said["gps"] <= now_ns() / S + 0.001
    assert said["time"].endswith("+00:00")
    assert "ValueError: no" in wrong["error"]


def test_json_is_written_once_however_often_it_is_asked_for():
    script = (
        "import logging\n"
        "from transforms.observe import json_log\n"
        "{before}\n"
        "json_log.write('text'); json_log.write('json'); json_log.write('json')\n"
        "logging.warning('once')\n"
    )
    for before in ("", "logging.warning('as text')"):
        command = [sys.executable, "-c", script.format(before=before)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        *first, last = done.stderr.splitlines()
        assert json.loads(last)["message"] == "once"
        assert len(first) == bool(before)
