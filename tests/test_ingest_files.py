"""The archive's way in, in a real pipeline."""

import hashlib
from collections import Counter
from functools import partial
from pathlib import Path

import apache_beam as beam
import h5py
import numpy as np
import pytest
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.utils.timestamp import Timestamp

from transforms import gps
from transforms.elements import Block, BlockPlan, DeadLetter, Segment
from transforms.ingest.config import IngestConfig
from transforms.ingest.files.blocks import read_block
from transforms.ingest.files.formats import inspect
from transforms.ingest.files.plan import plan
from transforms.ingest.files.stage import PlanChannel, ReadBlock, ReadFiles, missing_channels
from transforms.ingest.reach import Reach
from transforms.kinds import LetterKind, SegmentKind
from transforms.refusal import refuse_none, refused

RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
DATA = Path(__file__).parent / "data"
GOOD = [
    str(DATA / name)
    for name in (
        "H-H1_LOSC_4_V2-1126259446-32.hdf5",
        "L-L1_LOSC_4_V2-1126259446-32.hdf5",
        "H-H1_O2_llhoft-1216577976-4.gwf",
    )
]
S = gps.NANOSECONDS
REACH = Reach(past_ns=6 * S, future_ns=S // 8, warm_up_ns=12 * S)
CONFIG = IngestConfig(block_seconds=8)


def source(*paths: str, config: IngestConfig = CONFIG) -> ReadFiles:
    return ReadFiles(paths=paths, config=config, reach=REACH, minimum_ns=16 * S)


def timed(element: Block | Segment, time: Timestamp = beam.DoFn.TimestampParam) -> tuple:
    return element, time.micros


def test_what_cannot_be_searched_is_not_read(tmp_path):
    (path,) = [path for path in GOOD if "L-L1_LOSC" in path]
    spans = inspect(path, CONFIG)
    planner = partial(plan, reach=REACH, minimum_ns=16 * S, block_ns=8 * S)

    def refuse(rate):
        return f"{rate} Hz are too few"

    read = list(PlanChannel(planner, refuse_none).process((spans[0].channel, spans)))
    left = list(PlanChannel(planner, refuse).process((spans[0].channel, spans)))

    assert len(read) == 5
    assert all(isinstance(each, BlockPlan) for each in read)
    segments = [each.value.value for each in left]
    # What whitening says live, where the strain has come before it is judged.
    assert segments == [refused(read_block(block), "4096 Hz are too few") for block in read]
    assert {segment.kind for segment in segments} == {SegmentKind.UNSEARCHABLE}


@pytest.mark.slow
def test_files_become_blocks_at_their_event_time(tmp_path):
    broken = tmp_path / "broken.gwf"
    broken.write_bytes(b"IGWD and no more")
    expected_blocks, expected_segments = [], []
    for path in GOOD:
        planned = plan(inspect(path, CONFIG), REACH, 16 * S, 8 * S)
        expected_blocks += [read_block(block) for block in planned.blocks]
        expected_segments += planned.segments
    assert [segment.reason for segment in expected_segments] == ["too short: 4 s, 16 s needed"]

    pipeline = beam.Pipeline(runner=RUNNER)
    archive = pipeline | source(*GOOD, str(broken), GOOD[0])
    assert_that(
        archive.blocks | "Block times" >> beam.Map(timed),
        equal_to([(b, gps.to_event_micros(b.analyse_start_ns)) for b in expected_blocks]),
        label="blocks",
    )
    assert_that(
        archive.segments | "Segment times" >> beam.Map(timed),
        equal_to([(s, gps.to_event_micros(s.start_ns)) for s in expected_segments]),
        label="segments",
    )
    checksum = hashlib.sha256(broken.read_bytes()).hexdigest()
    assert_that(
        archive.dead_letters
        | "Words" >> beam.Map(lambda item: (item.source, item.checksum, "covered" in item.reason)),
        equal_to([(str(broken), checksum, False), (GOOD[0], "", True)]),
        label="dead letters",
    )
    result = pipeline.run()
    result.wait_until_finish()
    counters: Counter[str] = Counter()
    for counter in result.metrics().query()["counters"]:
        if counter.key.metric.namespace == "ingest":
            counters[counter.key.metric.name] += counter.committed
    assert counters == {"files": 5, "spans": 4, "blocks": len(expected_blocks), "dead_letters": 2}


def test_what_cannot_be_read_again_is_a_dead_letter_and_not_analysed(tmp_path):
    path = tmp_path / "H-H1_X-1000-32.hdf"
    with h5py.File(path, "w") as file:
        file["data"] = np.random.default_rng(0).normal(size=32 * 256)
        file["data"].attrs.update({"start_time": 1000.0, "delta_t": 1 / 256})
    planned = plan(inspect(str(path), CONFIG), REACH, 16 * S, 32 * S)
    path.unlink()
    with beam.Pipeline(runner=RUNNER) as pipeline:
        read = (
            pipeline
            | beam.Create(list(planned.blocks)).with_output_types(BlockPlan)
            | beam.ParDo(ReadBlock()).with_outputs("segments", "dead_letters", main="blocks")
        )
        first, second = planned.blocks
        lost = SegmentKind.UNREADABLE
        assert_that(read.blocks, equal_to([]), label="blocks")
        assert_that(
            read.segments,
            equal_to(
                [
                    Segment(
                        ifo="H1",
                        channel="H1:STRAIN",
                        start_ns=1000 * S,
                        end_ns=1024 * S,
                        analysed=False,
                        reason="unreadable",
                        kind=lost,
                    ),
                    Segment(
                        ifo="H1",
                        channel="H1:STRAIN",
                        start_ns=1024 * S,
                        end_ns=1032 * S,
                        analysed=False,
                        reason="unreadable",
                        kind=lost,
                    ),
                ]
            ),
            label="segments",
        )
        reason = f"{path}: no such file; check the path or pattern"
        letter = DeadLetter(source=str(path), reason=reason, kind=LetterKind.ACCESS)
        assert_that(read.dead_letters, equal_to([letter] * 2), label="dead letters")
    assert (first.analyse_end_ns, second.analyse_start_ns) == (1024 * S, 1024 * S)


def test_a_channel_asked_for_that_no_file_gives_is_told():
    config = IngestConfig(channels=("H1:GWOSC-4KHZ_STRAIN", "H1:NOTHING"), block_seconds=8)
    with beam.Pipeline(runner=RUNNER) as pipeline:
        archive = pipeline | source(*GOOD[:1], config=config)
        reason = (
            "no file gave the channel H1:NOTHING; they gave H1:GWOSC-4KHZ_STRAIN;"
            " check the names after --channel, or in ingest.channels"
        )
        letter = DeadLetter(source="ingest.channels", reason=reason, kind=LetterKind.CHANNEL)
        assert_that(archive.dead_letters, equal_to([letter]))


def test_where_all_channels_are_found_or_none_nothing_more_is_said():
    assert missing_channels(("H1:A", "L1:B"), ("H1:A",)) == []
    assert missing_channels((), ("H1:A",)) == []
