"""The archive's way out, in a real pipeline."""

from dataclasses import replace

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.transforms.window import Sessions, TimestampedValue

from tests import samples
from transforms.elements import DeadLetter, Event, Progress, Segment, Trigger
from transforms.files import OutputError
from transforms.gps import from_seconds, to_event_micros
from transforms.results import Results
from transforms.sink.archive import WriteArchive, failures
from transforms.sink.config import SinkConfig
from transforms.sink.staging import opened
from transforms.sink.writers import (
    Provenance,
    read_dead_letters,
    read_events,
    read_segments,
    read_snippets,
    read_triggers,
)

RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
MIDNIGHT = 1126224017
"""2015-09-15T00:00:00 UTC is this plus a day."""

TRIGGER = replace(
    samples.TRIGGER,
    id="a",
    time_ns=from_seconds(MIDNIGHT + 100),
    start_ns=from_seconds(MIDNIGHT + 99.9),
    end_ns=from_seconds(MIDNIGHT + 100.1),
    data_time_ns=from_seconds(MIDNIGHT + 101),
    snippet_start_ns=from_seconds(MIDNIGHT + 98.5),
)


def moved(name: str, seconds: float, **changes: object) -> Trigger:
    shift = from_seconds(seconds)
    times = ("time_ns", "start_ns", "end_ns", "data_time_ns", "snippet_start_ns")
    return replace(
        TRIGGER, id=name, **{key: getattr(TRIGGER, key) + shift for key in times}, **changes
    )


TRIGGERS = [
    moved("b", 7, snr=30.0),
    TRIGGER,
    moved("c", 86_400),
    moved("d", 3, snr=30.0),
    moved("e", 0, ifo="L1", channel="L1:GDS-CALIB_STRAIN"),
]
SEGMENTS = [
    Segment(ifo="H1", channel="H1:GDS-CALIB_STRAIN", start_ns=10, end_ns=20, analysed=True),
    Segment(ifo="H1", channel="H1:GDS-CALIB_STRAIN", start_ns=0, end_ns=10, analysed=True),
    Segment(
        ifo="H1",
        channel="H1:GDS-CALIB_STRAIN",
        start_ns=20,
        end_ns=30,
        analysed=False,
        reason="not finite",
    ),
]
EVENTS = [
    replace(samples.EVENT, id=name, time_ns=from_seconds(MIDNIGHT + seconds))
    for name, seconds in (("E2", 86_399.5), ("E3", 86_400), ("E1", 7))
]
LETTERS = [
    DeadLetter(source="b.gwf", reason="truncated; send it again", checksum="00"),
    DeadLetter(source="a.gwf", reason="empty"),
]


def run(
    output, triggers=TRIGGERS, segments=SEGMENTS, letters=LETTERS, *, loudest=2, meddle=None,
    events=EVENTS,
):  # fmt: skip
    with opened(str(output), "threshold: 5.5\n", "c0ffee", "0.1.0") as made:
        if meddle:
            meddle(made)
        with beam.Pipeline(runner=RUNNER) as pipeline:
            sessions = (
                pipeline
                | "Triggers" >> beam.Create(triggers).with_output_types(Trigger)
                | beam.Map(lambda each: TimestampedValue(each, to_event_micros(each.time_ns) / 1e6))
                | beam.WindowInto(Sessions(0.1)).with_output_types(Trigger)
            )
            results = Results(
                triggers=sessions,
                events=pipeline | "Events" >> beam.Create(events).with_output_types(Event),
                segments=pipeline | "Segments" >> beam.Create(segments).with_output_types(Segment),
                dead_letters=pipeline | beam.Create(letters).with_output_types(DeadLetter),
                progress=pipeline | "Progress" >> beam.Create([]).with_output_types(Progress),
            )
            results | WriteArchive(
                folder=made.staged,
                config=SinkConfig(loudest),
                provenance=Provenance(config="c0ffee", version="0.1.0"),
            )
        made.commit(failures(pipeline.result))
    return pipeline.result


def files(folder):
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def test_a_run_leaves_one_file_for_each_detector_and_day(tmp_path):
    run(tmp_path)

    assert files(tmp_path) == [
        "config.yaml",
        "dead_letters/dead_letters.jsonl",
        "events/2015-09-14/EVENTS-1126224017-86400.parquet",
        "events/2015-09-15/EVENTS-1126310417-86400.parquet",
        "events/schema.parquet",
        "segments/H1-GDS_CALIB_STRAIN_ANALYSED.txt",
        "segments/segments.parquet",
        "snippets.h5",
        "triggers/H1/2015-09-14/H1-TRIGGERS-1126224017-86400.parquet",
        "triggers/H1/2015-09-15/H1-TRIGGERS-1126310417-86400.parquet",
        "triggers/L1/2015-09-14/L1-TRIGGERS-1126224017-86400.parquet",
        "triggers/schema.parquet",
    ]


@pytest.mark.slow
def test_snippets_under_their_former_name_are_read_and_replaced(tmp_path):
    run(tmp_path)
    (tmp_path / "snippets.h5").rename(tmp_path / "events.h5")
    former = read_snippets(tmp_path)
    assert former

    run(tmp_path)

    assert not (tmp_path / "events.h5").exists()
    assert read_snippets(tmp_path).keys() == former.keys()


def test_what_was_handed_over_is_read_back(tmp_path):
    run(tmp_path)

    assert read_triggers(tmp_path)["id"].to_pylist() == ["a", "e", "d", "b", "c"]
    assert read_events(tmp_path)["id"].to_pylist() == ["E1", "E2", "E3"]
    assert read_segments(tmp_path) == [
        Segment(ifo="H1", channel="H1:GDS-CALIB_STRAIN", start_ns=0, end_ns=20, analysed=True),
        Segment(
            ifo="H1",
            channel="H1:GDS-CALIB_STRAIN",
            start_ns=20,
            end_ns=30,
            analysed=False,
            reason="not finite",
        ),
    ]
    assert read_dead_letters(tmp_path) == sorted(LETTERS, key=lambda each: each.source)


@pytest.mark.slow
def test_the_loudest_of_each_channel_keep_their_strain_and_ids_settle_ties(tmp_path):
    run(tmp_path, loudest=1)

    events = read_snippets(tmp_path)
    assert sorted(events) == ["d", "e"]
    np.testing.assert_array_equal(events["d"].samples, TRIGGER.snippet_array)
    assert events["d"].start_time == MIDNIGHT + 98.5 + 3
    assert events["d"].sample_rate == 128


@pytest.mark.slow
def test_no_strain_is_kept_when_none_is_asked_for(tmp_path):
    run(tmp_path, loudest=0)

    assert read_snippets(tmp_path) == {}


def test_a_run_that_found_nothing_can_be_read(tmp_path):
    run(tmp_path, [], [], [], events=[])

    assert read_triggers(tmp_path).num_rows == 0
    assert read_events(tmp_path).num_rows == 0
    assert read_segments(tmp_path) == []
    assert read_dead_letters(tmp_path) == []
    assert read_snippets(tmp_path) == {}


@pytest.mark.slow
def test_a_second_run_replaces_the_first(tmp_path):
    run(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")

    run(tmp_path, triggers=[TRIGGER], events=EVENTS[:1])

    assert read_triggers(tmp_path)["id"].to_pylist() == ["a"]
    assert read_events(tmp_path)["id"].to_pylist() == ["E2"]
    assert not (tmp_path / "events" / "2015-09-15").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.slow
def test_two_runs_differ_in_nothing_but_when_they_were_written(tmp_path):
    run(tmp_path / "first")
    run(
        tmp_path / "second", TRIGGERS[::-1], SEGMENTS[::-1], LETTERS[::-1], events=EVENTS[::-1]
    )  # fmt: skip

    assert files(tmp_path / "first") == files(tmp_path / "second")
    for name in files(tmp_path / "first"):
        if name.startswith(("triggers/", "events/")):
            continue
        assert (tmp_path / "first" / name).read_bytes() == (
            tmp_path / "second" / name
        ).read_bytes(), name
    written = ["emitted_at", "latency"]
    for read in (read_triggers, read_events):
        first, second = (read(tmp_path / name) for name in ("first", "second"))
        assert first.drop_columns(written).equals(second.drop_columns(written), check_metadata=True)


@pytest.mark.slow
def test_what_is_written_is_counted(tmp_path):
    counters = run(tmp_path).metrics().query()["counters"]

    counts = {each.key.metric.name: each.committed for each in counters}
    assert counts == {"triggers": 5, "events": 3, "segments": 3, "dead_letters": 2}


def test_a_folder_that_cannot_be_written_is_refused_before_the_run(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match="choose another --output"):
        run(tmp_path / "file")


@pytest.mark.slow
def test_what_no_file_can_hold_is_a_dead_letter_and_the_rest_is_written(tmp_path):
    evil = "H1:x/../../../evil"
    hostile = [moved("t", 0, ifo=evil), moved("n", 0, rank=float("nan"))]
    odd = [Segment(ifo=evil, channel=f"{evil}:S", start_ns=0, end_ns=10, analysed=True)]

    silent = replace(EVENTS[0], id="E0", snr=float("nan"))

    result = run(
        tmp_path / "a" / "out", [TRIGGER, *hostile], [*SEGMENTS, *odd], LETTERS,
        events=[silent, EVENTS[2]],
    )  # fmt: skip

    output = tmp_path / "a" / "out"
    assert read_triggers(output)["id"].to_pylist() == ["a"]
    assert read_segments(output) == read_segments_of(tmp_path)
    kinds = {each.source: each.kind for each in read_dead_letters(output)}
    assert read_events(output)["id"].to_pylist() == ["E1"]
    assert kinds == {
        "t": "channel", "n": "unpublishable", "E0": "unpublishable", f"{evil}:S": "channel"
    } | {each.source: each.kind for each in LETTERS}  # fmt: skip
    assert [path for path in tmp_path.rglob("*") if "evil" in path.name] == []
    counts = {each.key.metric.name: each.committed for each in result.metrics().query()["counters"]}
    names = ("refused_triggers", "refused_events", "refused_segments")
    assert [counts[name] for name in names] == [2, 1, 1]


def read_segments_of(tmp_path):
    run(tmp_path / "plain")
    return read_segments(tmp_path / "plain")


@pytest.mark.slow
def test_storage_that_refuses_is_one_line_and_the_former_results_stay(tmp_path):
    run(tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}

    def fill(made):
        # Nothing can be made where a file is in the way: as on a disk that is full.
        (made.staged / "segments").touch()

    with pytest.raises(OutputError, match=r"^cannot write to .*: .*; choose another --output$"):
        run(tmp_path, triggers=[TRIGGER], meddle=fill)

    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before
