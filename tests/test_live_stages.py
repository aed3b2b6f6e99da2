"""The live stages on a real runner: the archive's triggers, whatever a process holds."""

from dataclasses import replace

import apache_beam as beam
import h5py
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing import test_stream
from apache_beam.testing.util import assert_that

from beam_pipeline import cli
from beam_pipeline.config import PipelineConfig
from beam_pipeline.graph import Analyse, stitching, whitening
from beam_pipeline.options import IN_PROCESS
from transforms.detect.bank import bank_for
from transforms.detect.cluster import cluster
from transforms.detect.search import search
from transforms.detect.sessions import Sessions
from transforms.detect.stage import Detect
from transforms.elements import Block, Frame, Trigger
from transforms.gps import GPS_EPOCH_UNIX, NANOSECONDS
from transforms.ingest.config import IngestConfig
from transforms.ingest.stitch import stage
from transforms.ingest.stitch.stage import StitchFrames
from transforms.sink import writers
from transforms.whiten.config import WhitenConfig
from transforms.whiten.whitening import whiten

RATE = 1024
START = 1_000_000_011
CHANNELS = "H1:TEST-STRAIN", "L1:TEST-STRAIN"
SCIENCE = PipelineConfig(whiten=WhitenConfig(psd_seconds=16, update_seconds=32, minimum_seconds=16))
SECONDS = 60


@pytest.fixture(scope="module")
def strain(coloured):
    """Make noise of two detectors with a click every seven seconds."""
    made = {c: coloured("aligo_O4high", SECONDS, RATE, i) for i, c in enumerate(CHANNELS)}
    return {c: _clicks(s.copy(), 3 + i) for i, (c, s) in enumerate(made.items())}


def _clicks(strain, first):
    for second in range(first, SECONDS, 7):
        strain[second * RATE + 990] += 2e-21
    return strain


def frames(strain, channel):
    return [
        Frame(
            ifo=channel[:2],
            channel=channel,
            sample_rate=RATE,
            gps_start_ns=(START + s) * NANOSECONDS,
            data=part.tobytes(),
            arrived_ns=s + 1,
        )
        for s, part in enumerate(strain[channel].reshape(-1, RATE))
    ]


def wanted(strain):
    """Return the triggers of the whole, as one block for each channel."""
    found = []
    bank = bank_for(RATE, SCIENCE.detect, SCIENCE.whiten.low_frequency)
    for channel, samples in strain.items():
        start, end = START * NANOSECONDS, (START + len(samples) // RATE) * NANOSECONDS
        block = Block(
            ifo=channel[:2],
            channel=channel,
            sample_rate=RATE,
            gps_start_ns=start,
            data=samples.tobytes(),
            segment_start_ns=start,
            segment_end_ns=end,
            analyse_start_ns=start,
            analyse_end_ns=end,
        )
        white = whiten(block, SCIENCE.whiten, bank.margin_seconds * NANOSECONDS)
        groups = Sessions.of(SCIENCE.detect).group(search(white, SCIENCE.detect, bank))
        found += [cluster(g.candidates, SCIENCE.id) for g in groups]
    return {trigger.id: trigger for trigger in found}


def interleaved(strain):
    """Return the frames of all channels as they come, and that nothing more does."""
    streams = [frames(strain, channel) for channel in CHANNELS]
    ends = [replace(stream[-1], data=b"") for stream in streams]
    return [(f.channel, f) for pair in zip(*streams, strict=True) for f in pair] + [
        (f.channel, f) for f in ends
    ]


def run(sent, check):
    options = PipelineOptions([f"--runner={IN_PROCESS}", "--allow_unsafe_triggers"])
    with beam.Pipeline(options=options) as pipeline:
        given = pipeline | beam.Create(sent).with_output_types(tuple[str, Frame])
        given.is_bounded = False
        found = given | StitchFrames(stitching(SCIENCE)) | "Analyse" >> Analyse(SCIENCE)
        told = (
            found.triggers
            | beam.Map(lambda t: ("", t)).with_output_types(tuple[str, Trigger])
            | beam.GroupByKey()
        )
        assert_that(told, check)


@pytest.mark.slow
@pytest.mark.parametrize("held", [True, False], ids=["held", "made again of the state each time"])
def test_live_final_triggers_are_the_archive_s(strain, monkeypatch, held):
    if not held:
        monkeypatch.setattr(stage._ProcessCache, "take", lambda *_: None)
    expected = wanted(strain)
    assert len(expected) > 8

    def check(grouped):
        (told,) = [list(values) for _, values in grouped]
        last = {}
        for trigger in told:
            if trigger.id not in last or last[trigger.id].status != "final":
                last[trigger.id] = trigger
        # The last seconds of the data may still be joined.
        closing = (START + SECONDS - 4) * NANOSECONDS
        assert set(last) == set(expected)
        for name, trigger in expected.items():
            now = last[name]
            assert now.status == "final" or trigger.end_ns > closing
            assert now.label
            assert now.arrived_ns > 0
            plain = replace(
                now, status="final", arrived_ns=0, label="", score=trigger.score, probabilities=(),
                model="",
            )  # fmt: skip
            assert plain == trigger

    run(interleaved(strain), check)


@pytest.fixture(scope="module")
def loud(strain):
    """Make H1 loud without a pause, from one update of the spectrum nearly to the next."""
    noisy, rng = strain[CHANNELS[0]].copy(), np.random.default_rng(5)
    for click in range(20 * RATE, 50 * RATE, RATE // 16):
        noisy[click + int(rng.integers(RATE // 32))] += rng.choice([-2e-21, 2e-21])
    return {CHANNELS[0]: noisy, CHANNELS[1]: strain[CHANNELS[1]]}


@pytest.mark.slow
def test_a_channel_that_is_loud_for_long_gives_the_archive_s_triggers_and_harms_none(loud):
    expected = wanted(loud)
    long_ones = [t for t in expected.values() if t.duration > 10]
    assert len(long_ones) >= 2
    assert all(t.duration < 32 for t in expected.values())
    closing = (START + SECONDS - 4) * NANOSECONDS

    def check(grouped):
        (told,) = [list(values) for _, values in grouped]
        final = {t.id: t for t in told if t.status == "final"}
        assert len(final) == sum(t.status == "final" for t in told)
        assert {n for n, t in expected.items() if t.end_ns < closing} <= set(final)
        for name, trigger in final.items():
            bare = replace(trigger, label="", score=0.0, probabilities=(), model="", arrived_ns=0)
            assert bare == replace(expected[name], score=0.0)
        before = {}
        for trigger in told:
            if trigger.status == "withdrawn" and trigger.id in before:
                last = before[trigger.id]
                assert trigger == replace(last, status="withdrawn", arrived_ns=trigger.arrived_ns)
            before[trigger.id] = trigger

    run(interleaved(loud), check)


@pytest.mark.slow
def test_a_channel_that_is_loud_for_long_gives_the_same_in_any_blocks(loud, tmp_path):
    path = tmp_path / f"H-H1_LOUD-{START}-{SECONDS}.h5"
    with h5py.File(path, "w") as file:
        series = file.create_dataset("H1:LOUD", data=loud[CHANNELS[0]])
        series.attrs.update(x0=float(START), dx=1 / RATE, channel="H1:LOUD")
    tables = []
    for block_seconds in (7, 512):
        config, output = tmp_path / "config.yaml", tmp_path / str(block_seconds)
        config.write_text(
            replace(SCIENCE, ingest=IngestConfig(block_seconds=block_seconds)).to_yaml()
        )
        arguments = ["run", "--config", config, "--output", output, path]
        assert cli.main(list(map(str, arguments))) == cli.DONE
        rows = writers.read_triggers(output).to_pylist()
        for row in rows:
            del row["emitted_at"], row["latency"]
        tables.append(sorted(rows, key=lambda row: row["id"]))
    assert tables[0] == tables[1]
    assert sum(row["duration"] > 10 for row in tables[0]) >= 2


@pytest.mark.slow
def test_what_lies_before_a_gap_is_final_though_nothing_is_analysed_after_it(strain):
    low, high = 40, 45  # what follows is too short to be analysed
    assert SECONDS - high < SCIENCE.whiten.minimum_seconds
    expected = wanted({channel: samples[: low * RATE] for channel, samples in strain.items()})
    closing = (START + low - 3) * NANOSECONDS
    assert any(trigger.end_ns > closing for trigger in expected.values())
    sent = [
        (channel, frame)
        for channel, frame in interleaved(strain)
        if not frame.data or not low <= frame.gps_start_ns // NANOSECONDS - START < high
    ]

    def check(grouped):
        (told,) = [list(values) for _, values in grouped]
        assert {t.id for t in told if t.status == "final"} == set(expected)

    run(sent, check)


@pytest.mark.slow
def test_a_stopped_detector_holds_nobody_back(strain):
    """H1 goes on alone: what it gives does not wait for L1."""
    both = [f for f in interleaved(strain) if f[0] == CHANNELS[0] or f[1].arrived_ns <= 30]
    stream = test_stream.TestStream()
    for number, pair in enumerate(both):
        stream = stream.advance_watermark_to(number + 1.0).add_elements([pair])
    stream = stream.advance_watermark_to_infinity()

    def check(blocks):
        ends = {}
        for block in blocks:
            ends[block.channel] = max(ends.get(block.channel, 0), block.analyse_end_ns)
        assert ends[CHANNELS[0]] == (START + SECONDS) * NANOSECONDS
        assert ends[CHANNELS[1]] >= (START + 29) * NANOSECONDS

    options = PipelineOptions(["--streaming", "--allow_unsafe_triggers"])
    with beam.Pipeline(runner="BundleBasedDirectRunner", options=options) as pipeline:
        given = pipeline | stream
        keyed = given | beam.Map(lambda e: e).with_output_types(tuple[str, Frame])
        stitched = keyed | StitchFrames(stitching(SCIENCE))
        assert_that(stitched.blocks, check)


@pytest.mark.slow
@pytest.mark.parametrize("away", [0, 20])
def test_a_channel_that_changes_its_rate_gives_the_triggers_of_both(coloured, away):
    """Before and after are two stretches, whether or not time has passed between."""
    parts, sent, expected = ((1024, 0), (2048, 30 + away)), [], set()
    for rate, begin in parts:
        strain = coloured("aligo_O4high", 30, rate, rate).copy()
        for second in range(4, 28, 7):
            strain[second * rate + rate // 2] += 2e-21 * 1024 / rate
        start = (START + begin) * NANOSECONDS
        end = start + 30 * NANOSECONDS
        fields = {"ifo": CHANNELS[0][:2], "channel": CHANNELS[0], "sample_rate": rate}
        block = Block(
            **fields,
            gps_start_ns=start,
            data=strain.tobytes(),
            segment_start_ns=start,
            segment_end_ns=end,
            analyse_start_ns=start,
            analyse_end_ns=end,
        )
        bank = bank_for(rate, SCIENCE.detect, SCIENCE.whiten.low_frequency)
        white = whiten(block, SCIENCE.whiten, bank.margin_seconds * NANOSECONDS)
        groups = Sessions.of(SCIENCE.detect).group(search(white, SCIENCE.detect, bank))
        expected |= {cluster(g.candidates, SCIENCE.id).id for g in groups}
        cut = strain.reshape(30, rate)
        sent += [
            Frame(
                **fields,
                gps_start_ns=start + s * NANOSECONDS,
                data=part.tobytes(),
                arrived_ns=1,
            )
            for s, part in enumerate(cut)
        ]
    assert len(expected) >= 6

    def check(grouped):
        (told,) = [list(values) for _, values in grouped]
        last = {trigger.id: trigger.status for trigger in told}
        assert {name for name, status in last.items() if status != "withdrawn"} == expected
        # The last seconds of all are left open.
        assert sum(status == "final" for status in last.values()) >= len(expected) - 1

    ending = [*sent, replace(sent[-1], data=b"")]
    run([(frame.channel, frame) for frame in ending], check)


def test_a_channel_that_ended_a_day_ago_is_forgotten_and_not_before(strain):
    """A frame that comes again is a repetition as long as its channel is known."""
    channel = CHANNELS[0]
    sent = frames(strain, channel)[:5]
    ended, again = replace(sent[-1], data=b""), sent[2]
    seconds = START + 5 + GPS_EPOCH_UNIX
    stream = test_stream.TestStream().advance_watermark_to(seconds)
    stream = stream.add_elements([(channel, frame) for frame in [*sent, ended, again]])
    for hours in (23, 25):
        stream = stream.advance_watermark_to(seconds + 3600 * hours)
        stream = stream.add_elements([(channel, again), (channel, ended)])
    stream = stream.advance_watermark_to_infinity()

    def check(segments):
        spans = sorted((s.start_ns // NANOSECONDS, s.end_ns // NANOSECONDS) for s in segments)
        assert spans == [(START, START + 5), (START + 2, START + 3)]

    options = PipelineOptions(["--streaming", "--allow_unsafe_triggers"])
    with beam.Pipeline(runner="BundleBasedDirectRunner", options=options) as pipeline:
        given = pipeline | stream
        keyed = given | beam.Map(lambda e: e).with_output_types(tuple[str, Frame])
        stitched = keyed | StitchFrames(stitching(SCIENCE))
        assert_that(stitched.segments, check)


def test_what_a_channel_left_open_at_its_end_is_final_a_day_later_and_kept_no_longer(strain):
    """Until then it may come back as it stopped, and what is open may go on."""
    channel = CHANNELS[0]
    samples = strain[channel][: 40 * RATE].copy()
    samples[-RATE // 4] += 2e-21
    sent = frames({channel: samples}, channel)
    expected = wanted({channel: samples})
    open_ones = {n for n, t in expected.items() if t.end_ns > (START + 38) * NANOSECONDS}
    assert open_ones
    seconds = START + 40 + GPS_EPOCH_UNIX
    stream = test_stream.TestStream().advance_watermark_to(START + GPS_EPOCH_UNIX)
    stream = stream.add_elements([(channel, f) for f in [*sent, replace(sent[-1], data=b"")]])
    for hours in (23, 25):
        stream = stream.advance_watermark_to(seconds + 3600 * hours)
    stream = stream.advance_watermark_to_infinity()

    def check(told):
        finals = [t.id for t in told if t.status == "final"]
        assert sorted(finals) == sorted(expected)
        last = {t.id: t.status for t in told}
        assert set(last.values()) <= {"final", "withdrawn"}
        # By a day without the channel, and by nothing else.
        late = {t.id for t in told if t.status == "final" and not t.arrived_ns}
        assert late == open_ones

    options = PipelineOptions(["--streaming", "--allow_unsafe_triggers"])
    with beam.Pipeline(runner="BundleBasedDirectRunner", options=options) as pipeline:
        given = pipeline | stream
        keyed = given | beam.Map(lambda e: e).with_output_types(tuple[str, Frame])
        stitched = keyed | StitchFrames(stitching(SCIENCE))
        white = stitched.blocks | whitening(SCIENCE)
        low = SCIENCE.whiten.low_frequency
        found = white.whitened | Detect(config=SCIENCE.detect, band_low=low, config_id=SCIENCE.id)
        assert_that(found.triggers, check)


def test_a_longer_past_than_the_bags_hold_is_refused():
    longer = replace(SCIENCE, whiten=WhitenConfig(psd_seconds=256, update_seconds=256))
    with pytest.raises(ValueError, match="at most 208 s"):
        StitchFrames(stitching(longer))
