"""Strain of any rate, and any configuration: searched, or refused in one line."""

import csv
import math
from dataclasses import replace

import apache_beam as beam
import h5py
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline import cli
from beam_pipeline.config import ConfigError, PipelineConfig
from beam_pipeline.graph import Analyse, margin_ns, reach, stitching
from beam_pipeline.options import IN_PROCESS
from models.evaluation import labelled
from transforms.classify.config import ClassifyConfig
from transforms.classify.features import model_input
from transforms.detect.bank import Bank, bank_for
from transforms.detect.cluster import cluster
from transforms.detect.config import DetectConfig
from transforms.detect.search import search
from transforms.detect.searchable import RATES, refusal, unsearchable
from transforms.detect.sessions import Sessions
from transforms.detect.surroundings import margin_seconds
from transforms.elements import Frame, Segment, Trigger
from transforms.gps import NANOSECONDS
from transforms.ingest.config import IngestConfig
from transforms.ingest.stitch.stage import StitchFrames
from transforms.kinds import SegmentKind
from transforms.sink import writers
from transforms.whiten.config import WhitenConfig
from transforms.whiten.whitening import whiten

START, SECONDS, AT = 1_000_000_000, 28, 14.3
TWOS = [1 << k for k in range(17)]
OTHERS = [10, 100, 300, 1000, 10000, 20000, 48000]
SCIENCE = PipelineConfig(whiten=WhitenConfig(psd_seconds=16, update_seconds=32))
SEARCHED = 64
"""Lowest rate that holds a wavelet of the default configuration [Hz]."""


def strain(rate, seconds=SECONDS, frequency=22.0, at=AT):
    """Make noise with a burst."""
    noise = np.random.default_rng(1).standard_normal(seconds * rate)
    time = np.arange(seconds * rate) / rate - at
    burst = np.exp(-((time / 0.1) ** 2)) * np.cos(2 * np.pi * frequency * time)
    return 1e-21 * (noise + 20 * burst)


def write(folder, rate, seconds=SECONDS, at=AT):
    path = folder / f"H-H1_R{rate}-{START}-{seconds}.h5"
    with h5py.File(path, "w") as file:
        series = file.create_dataset(f"H1:R{rate}", data=strain(rate, seconds, at=at))
        series.attrs.update(x0=float(START), dx=1 / rate, channel=f"H1:R{rate}")
    return path


def finite(row):
    return all(
        math.isfinite(value)
        for name, value in row.items()
        if isinstance(value, float) and name not in ("score", "latency")
    )


@pytest.mark.slow
def test_files_of_any_rate_are_searched_or_said_why_not(tmp_path):
    files = [write(tmp_path, rate) for rate in [*TWOS, *OTHERS]]
    output = tmp_path / "out"
    assert cli.main(["run", "--output", str(output), *map(str, files)]) == cli.DONE
    found = writers.read_triggers(output).to_pylist()
    segments = writers.read_segments(output)
    assert not writers.read_dead_letters(output)
    assert all(map(finite, found))
    for rate in [*TWOS, *OTHERS]:
        channel = f"H1:R{rate}"
        own = [s for s in segments if s.channel == channel]
        lost = [s for s in own if s.kind == SegmentKind.UNSEARCHABLE]
        here = [t for t in found if t["channel"] == channel]
        assert all("\n" not in s.reason for s in own)
        if rate >= SEARCHED:
            assert any(s.analysed for s in own), channel
            assert not lost, channel
            assert [t for t in here if abs(t["time"] - START - AT) < 0.3], channel
        else:
            # What is too short to be resampled says that.
            assert lost or (rate in OTHERS and own), channel
            # As live.
            whole = sum(s.end_ns - s.start_ns for s in lost) == SECONDS * NANOSECONDS
            assert whole or rate in OTHERS, channel
            assert not any(s.analysed for s in own), channel
            assert not here


def _keyed(each):
    return "", each


@pytest.mark.slow
def test_a_slow_channel_harms_no_other_live():
    rates = [*TWOS[:12], 4096]
    sent = []
    for second in range(SECONDS):
        for rate in rates:
            data = strain(rate)[second * rate : (second + 1) * rate].tobytes()
            start = (START + second) * NANOSECONDS
            sent.append(
                Frame(
                    ifo="H1",
                    channel=f"H1:R{rate}",
                    sample_rate=rate,
                    gps_start_ns=start,
                    data=data,
                    arrived_ns=1,
                )
            )
    sent += [replace(frame, data=b"") for frame in sent[-len(rates) :]]

    def check(grouped):
        told = [each for _, values in grouped for each in values]
        for rate in rates:
            own = [t for t in told if t.channel == f"H1:R{rate}"]
            triggers = [t for t in own if isinstance(t, Trigger)]
            segments = [s for s in own if isinstance(s, Segment)]
            assert all(finite(vars(t)) for t in triggers)
            lost = [s for s in segments if s.kind == SegmentKind.UNSEARCHABLE]
            if rate >= SEARCHED:
                final = [t for t in triggers if t.status == "final"]
                assert [t for t in final if abs(t.time_ns / 1e9 - START - AT) < 0.3], rate
                assert not lost
            else:
                assert sum(s.end_ns - s.start_ns for s in lost) == SECONDS * NANOSECONDS, rate
                assert not triggers

    options = PipelineOptions([f"--runner={IN_PROCESS}", "--allow_unsafe_triggers"])
    with beam.Pipeline(options=options) as pipeline:
        keyed = [(frame.channel, frame) for frame in sent]
        given_ = pipeline | beam.Create(keyed).with_output_types(tuple[str, Frame])
        given_.is_bounded = False
        found = given_ | StitchFrames(stitching(SCIENCE)) | "Analyse" >> Analyse(SCIENCE)
        told = [
            getattr(found, name)
            | f"Key {name}"
            >> beam.Map(lambda each: ("", each)).with_output_types(tuple[str, object])
            for name in ("triggers", "segments")
        ] | beam.Flatten()
        assert_that(told | beam.GroupByKey(), check)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [2, SECONDS])
def test_an_evaluation_takes_any_rate_that_can_be_searched(tmp_path, seconds):
    pipeline = WhitenConfig(), DetectConfig()
    for rate in [*TWOS, *OTHERS]:
        folder = tmp_path / str(rate)
        folder.mkdir()
        at = START + AT if seconds == SECONDS else START + 1.05
        path = write(folder, rate, seconds=seconds, at=at - START)
        table = folder / "labels.csv"
        with table.open("w", newline="") as file:
            csv.writer(file).writerows([labelled.COLUMNS, (path.name, at, "H1", "blip")])
        rows = labelled.table(folder)
        told, refused = [], ""
        try:
            told = list(labelled.from_folder(rows, pipeline, lambda *_: None))
        except labelled.LabelError as error:
            refused = str(error)
        if rate in TWOS:
            assert bool(told) == (rate >= SEARCHED), (rate, refused)
        assert told or refused
        assert "\n" not in refused
        assert all(finite(vars(found.trigger)) for _, found in told)


def log_uniform(low, high):
    return st.floats(math.log(low), math.log(high)).map(math.exp)


@st.composite
def sciences(draw):
    """Draw what the two stages accept, each on its own."""
    fft = draw(st.integers(1, 6))
    ahead = draw(st.one_of(st.just(0.125), log_uniform(1e-5, 0.125)))
    low = draw(log_uniform(8, 5000))
    q = sorted(draw(st.tuples(log_uniform(3, 200), log_uniform(3, 200))))
    q = [min(max(each, 3.0), 200.0) for each in q]
    whitening = WhitenConfig(
        psd_seconds=fft * draw(st.integers(4, 8)),
        update_seconds=draw(st.integers(1, 64)),
        fft_seconds=fft,
        minimum_seconds=4 * fft + draw(st.integers(0, 3)),
        past_seconds=draw(st.floats(4 * min(ahead, 0.125), fft)),
        lookahead_seconds=min(ahead, 0.125),
        low_frequency=draw(st.floats(8, max(low, 8.0))),
    )
    detection = DetectConfig(
        low_frequency=max(low, 8.0),
        high_frequency=max(low, 8.0) * draw(st.floats(1.001, 100)),
        low_q=q[0],
        high_q=q[1],
        mismatch=draw(st.floats(0.05, 0.5)),
        threshold=draw(st.floats(4, 9)),
        gap_seconds=draw(st.floats(0.01, 1)),
        snippet_before=draw(st.floats(1e-4, 2)),
        snippet_after=draw(st.floats(1e-4, 0.5)),
    )
    return whitening, detection


@pytest.mark.slow
@given(sciences(), st.sampled_from(range(8)), st.integers(1, 30))
def test_any_configuration_is_searched_or_refused_before_anything_starts(
    as_block, science, which, block_seconds
):
    whitening, detection = science
    if reason := refusal(whitening, detection):
        assert "\n" not in reason
        with pytest.raises(ConfigError):
            PipelineConfig(whiten=whitening, detect=detection)
        return
    config = PipelineConfig(IngestConfig(block_seconds=block_seconds), whitening, detection)
    assert reach(config).past_ns > 0
    can = [rate for rate in RATES[:14] if not unsearchable(rate, *science)]
    if not can:
        return
    rate = can[min(which, len(can) - 1)]
    seconds = whitening.minimum_seconds
    block = as_block(strain(rate, seconds, detection.low_frequency * 1.01), rate)
    margin = margin_ns(config)
    white = whiten(block, whitening, margin)
    assert np.isfinite(white.samples).all()
    found = search(white, detection, bank_for(rate, detection, whitening.low_frequency))
    for session in Sessions.of(detection).group(found):
        trigger = cluster(session.candidates, config.id)
        assert finite(vars(trigger))
        assert np.isfinite(model_input(trigger).image).all()


@given(sciences(), st.sampled_from(RATES))
def test_no_rate_needs_more_margin_than_all_of_them(science, rate):
    if not refusal(*science) and not unsearchable(rate, *science):
        bank = Bank(rate, science[1], science[0].low_frequency)
        assert bank.margin_seconds <= margin_seconds(*science)


@pytest.mark.parametrize("kind", [WhitenConfig, DetectConfig, ClassifyConfig])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, "8", None, 10**400, (1,)])
def test_a_value_that_is_none_is_refused_by_name(kind, value):
    for name, default in vars(kind()).items():
        if type(value) is not type(default) or isinstance(default, float):
            with pytest.raises(ValueError, match=name) as refused:
                kind(**{name: value})
            assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fft_seconds": 0}, "fft_seconds must lie in 1 to 256"),
        ({"fft_seconds": -4}, "fft_seconds must lie in 1 to 256"),
        ({"update_seconds": 1 << 70}, "lie in 1 to 86400"),
    ],
)
def test_numbers_that_no_whitening_has_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        WhitenConfig(**change)


@pytest.mark.parametrize(
    ("whiten_", "detect", "said"),
    [
        ({}, {"low_frequency": 1e6, "high_frequency": 2e6}, "no strain can be searched"),
        ({"lookahead_seconds": 1e-9}, {}, "no strain can be searched"),
        ({"low_frequency": 25.0}, {}, "must lie above whiten.low_frequency"),
    ],
)
def test_a_configuration_that_can_search_nothing_is_refused(whiten_, detect, said):
    with pytest.raises(ConfigError, match=said) as refused:
        PipelineConfig(whiten=WhitenConfig(**whiten_), detect=DetectConfig(**detect))
    assert "\n" not in str(refused.value)
