"""The files of an output folder: whole or not at all, and readable by the usual tools."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from astropy.time import Time

from beam_pipeline.cli import main
from tests.samples import EVENT, TRIGGER, UNLABELLED, arrival, prepare
from transforms.elements import DeadLetter, Segment
from transforms.files import OutputError, whole_file
from transforms.gps import from_seconds
from transforms.kinds import LetterKind, SegmentKind
from transforms.sink import rolling, writers
from transforms.sink.folder import event_partition, partition
from transforms.sink.report import write_report
from transforms.sink.tables import (
    EVENT_COLUMNS,
    SEGMENT_COLUMNS,
    TRIGGER_COLUMNS,
    event_row,
    event_table,
    trigger_row,
    trigger_table,
)
from transforms.utc import gps_now, utc_day, utc_text

# gwpy 4.1 asks astropy for a name that is on its way out.
pytestmark = pytest.mark.filterwarnings("ignore:COPY_IF_NEEDED")

MADE = writers.Provenance(config="c0ffee", version="0.1.0")


def written(folder, *triggers):
    output = prepare(str(folder), "threshold: 5.5\n", "c0ffee", "0.1.0")
    return writers.write_triggers(output, partition(TRIGGER), triggers, MADE)


def written_events(folder, *events):
    output = prepare(str(folder), "threshold: 5.5\n", "c0ffee", "0.1.0")
    return writers.write_events(output, event_partition(EVENT), events, MADE)


# -- whole files


def test_a_writer_that_fails_midway_keeps_the_old_file(tmp_path):
    path = tmp_path / "table"
    path.write_text("old")

    with pytest.raises(ZeroDivisionError), whole_file(path) as temporary:  # noqa: PT012
        temporary.write_text("ne")
        raise ZeroDivisionError

    assert [each.name for each in tmp_path.iterdir()] == ["table"]
    assert path.read_text() == "old"


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "table"

    with whole_file(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()

    assert path.read_text() == "whole"
    assert [each.name for each in path.parent.iterdir()] == ["table"]


def test_a_failing_parquet_writer_leaves_nothing(tmp_path, monkeypatch):
    def fail(table, path, **_):
        path.write_bytes(b"PAR1")
        raise OSError("disk full")

    path = written(tmp_path, TRIGGER)
    before = path.read_bytes()
    monkeypatch.setattr(pq, "write_table", fail)

    with pytest.raises(OSError, match="disk full"):
        writers.write_triggers(tmp_path, partition(TRIGGER), [], MADE)

    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


# -- the folder


def test_prepare_keeps_the_configuration_with_its_origin(tmp_path):
    prepare(str(tmp_path), "# why 6\nthreshold: 6\n", "c0ffee", "0.1.0")

    assert (tmp_path / "config.yaml").read_text() == (
        "# wavefier 0.1.0, configuration c0ffee\n# why 6\nthreshold: 6\n"
    )


def test_a_configuration_from_an_output_folder_gets_one_origin_only(tmp_path):
    prepare(str(tmp_path), "threshold: 6\n", "c0ffee", "0.1.0")
    again = (tmp_path / "config.yaml").read_text()

    prepare(str(tmp_path), again, "c0ffee", "0.1.0")

    assert (tmp_path / "config.yaml").read_text() == again


def test_prepare_clears_results_whole_or_half_and_nothing_else(tmp_path):
    path = written(tmp_path, TRIGGER)
    half = path.with_name(f".{path.name}.{'0' * 32}.part")
    mine = [tmp_path / "triggers" / "notes.txt", tmp_path / "data.parquet"]
    for each in (half, *mine):
        each.touch()

    prepare(str(tmp_path), "", "c0ffee", "0.1.0")

    assert not path.parent.exists()
    assert all(each.exists() for each in mine)


@pytest.mark.parametrize(
    "name", ["config.yaml", "snippets.h5", "triggers/schema.parquet", "events/schema.parquet"]
)
def test_prepare_never_touches_what_another_program_left(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("precious")

    with pytest.raises(OutputError, match=f"it holds {name}, which no run of ours left"):
        prepare(str(tmp_path), "", "c0ffee", "0.1.0")

    assert path.read_text() == "precious"


@pytest.mark.parametrize("output", ["{}/file", "{}/file/below", "s3://bucket/run"])
def test_an_output_that_cannot_be_written_is_refused_in_one_line(tmp_path, output):
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"^cannot write to .*: .*; choose another --output$"):
        prepare(output.format(tmp_path), "", "c0ffee", "0.1.0")


def test_readers_say_where_results_are_missing(tmp_path):
    for read in (
        writers.read_triggers, writers.read_events, writers.read_segments, writers.read_provenance
    ):  # fmt: skip
        with pytest.raises(OutputError, match=f"no results in {tmp_path}"):
            read(tmp_path)


# -- triggers


def test_a_row_has_every_column_in_order_and_is_json():
    row = trigger_row(UNLABELLED, "0.1.0", emitted_at=1126259464.0)

    assert list(row) == [column.name for column in TRIGGER_COLUMNS]
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert row["time"] == 1126259462.421875
    assert row["latency"] == 1.0
    assert row["score"] is None
    assert row["label"] == ""


def test_rows_are_in_order_and_no_id_comes_twice():
    later = replace(TRIGGER, id="0", time_ns=TRIGGER.time_ns + 1)
    quieter = replace(TRIGGER, snr=6.0)

    table = trigger_table([later, TRIGGER, quieter, UNLABELLED], "0.1.0", 0.0, {})

    assert table["id"].to_pylist() == ["00ff", "a1b2", "0"]
    assert table["snr"].to_pylist() == [12.0, 12.0, 12.0]


def test_units_meanings_and_origin_travel_with_the_file(tmp_path):
    schema = pq.read_schema(written(tmp_path, TRIGGER))

    assert schema.field("frequency").metadata[b"unit"] == b"Hz"
    assert schema.metadata[b"config"] == b"c0ffee"
    assert writers.read_provenance(tmp_path) == MADE
    assert all(schema.field(each.name).metadata[b"description"] for each in TRIGGER_COLUMNS)
    assert len({each.name for each in SEGMENT_COLUMNS}) == len(SEGMENT_COLUMNS)


def test_rewriting_changes_nothing_but_when(tmp_path, monkeypatch):
    monkeypatch.setattr(writers, "gps_now", lambda: 1.4e9)

    first = written(tmp_path, TRIGGER, UNLABELLED).read_bytes()

    assert written(tmp_path, UNLABELLED, TRIGGER).read_bytes() == first


def test_event_table_reads_a_file(tmp_path):
    from gwpy.table import EventTable

    path = written(tmp_path, TRIGGER, UNLABELLED)

    table = EventTable.read(path, format="parquet")
    assert list(table["time"]) == [1126259462.421875] * 2
    assert list(table["frequency"]) == [120.0, 120.0]
    assert list(table["snr"]) == [12.0, 12.0]
    assert json.loads(table["probabilities"][1]) == {"blip": 0.25, "chirp": 0.75}
    assert list(table["dq"]) == ["", "CAT2,CAT3"]
    assert list(table["injections"]) == ["", "CBC_HW_INJ,CW_HW_INJ"]
    assert np.isnan(table["far"]).all()
    assert [list(each) for each in table["wdf_index"]] == [[], [17, 40]]
    assert [list(each) for each in table["wdf_value"]] == [[], [3.0, -4.0]]
    assert len(EventTable.read([path, path], format="parquet", where="snr > 8")) == 4


def test_event_table_reads_a_run_without_triggers(tmp_path):
    from gwpy.table import EventTable

    prepare(str(tmp_path), "", "c0ffee", "0.1.0")

    table = EventTable.read(tmp_path / "triggers" / "schema.parquet", format="parquet")
    assert len(table) == 0
    assert table.colnames == [column.name for column in TRIGGER_COLUMNS]


def test_pandas_and_arrow_read_the_folder(tmp_path):
    written(tmp_path, TRIGGER, UNLABELLED)
    folder = tmp_path / "triggers"

    assert list(pd.read_parquet(folder)["id"]) == ["00ff", "a1b2"]
    assert pyarrow.dataset.dataset(folder).count_rows() == 2
    assert writers.read_triggers(tmp_path)["id"].to_pylist() == ["00ff", "a1b2"]


def test_the_documentation_names_every_column_with_its_unit():
    documentation = (Path(__file__).parents[1] / "docs" / "data-model.md").read_text("utf-8")

    for column in (*TRIGGER_COLUMNS, *EVENT_COLUMNS, *SEGMENT_COLUMNS):
        row = f"| `{column.name}` | {column.type} | {column.unit} | {column.description} |"
        assert row in documentation


# -- events


UNKNOWN = replace(
    EVENT, id="E1", time_ns=EVENT.time_ns + 1, far=float("nan"), far_livetime_ns=0, far_method="",
    label="", score=float("nan"), triggers=tuple(replace(one, dq=(), injections=(), label="")
                                                 for one in EVENT.triggers),
)  # fmt: skip


def test_a_row_of_an_event_has_every_column_in_order_and_is_json():
    row = event_row(UNKNOWN, "0.1.0", emitted_at=1126259470.0)

    assert list(row) == [column.name for column in EVENT_COLUMNS]
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert (row["far"], row["score"], row["dq"], row["far_louder"]) == (None, None, "", 0)


def test_an_event_tells_of_its_triggers_in_the_order_of_its_detectors():
    row = event_row(EVENT, "0.1.0", emitted_at=1126259470.421875)

    assert row["detectors"] == "H1,L1"
    assert row["trigger_id"] == "H1-a1b2,L1-a1b2"
    assert row["trigger_label"] == "chirp,chirp"
    assert row["trigger_time_ns"] == [EVENT.time_ns, EVENT.time_ns - 7_000_000]
    assert row["trigger_time"][0] == row["time"] == 1126259462.421875
    assert row["trigger_snr"] == [12.0, 9.0]
    assert (row["start_time"], row["end_time"]) == (1126259462.243, 1126259462.5)
    assert (row["low_frequency"], row["high_frequency"]) == (50.0, 240.0)
    assert row["frequency"] == 120.0  # of the louder one
    assert row["time_delay"] == -0.0069
    assert row["far_livetime"] == 5e8
    assert row["latency"] == 8.0


def test_a_flag_of_an_event_says_of_which_detector_it_is():
    row = event_row(EVENT, "0.1.0", 0.0)

    assert row["dq"] == "H1:CAT2,H1:CAT3,L1:CAT1"
    assert row["injections"] == "H1:CBC_HW_INJ,H1:CW_HW_INJ,L1:CBC_HW_INJ,L1:CW_HW_INJ"


def test_three_detectors_are_one_row():
    three = replace(
        EVENT, detectors=("H1", "L1", "V1"), triggers=(*EVENT.triggers, arrival("V1", 20_000_000))
    )

    row = event_row(three, "0.1.0", 0.0)

    assert (row["detectors"], len(row["trigger_rank"])) == ("H1,L1,V1", 3)
    table = event_table([EVENT, three, UNKNOWN], "0.1.0", 0.0, {})
    assert table["id"].to_pylist() == [EVENT.id, "E1"]


def test_tools_read_events_as_they_read_triggers(tmp_path):
    from gwpy.table import EventTable

    path = written_events(tmp_path, UNKNOWN, EVENT)

    table = EventTable.read(path, format="parquet")
    assert table.colnames == [column.name for column in EVENT_COLUMNS]
    assert list(table["detectors"]) == ["H1,L1"] * 2
    assert [list(each) for each in table["trigger_snr"]] == [[12.0, 9.0]] * 2
    assert np.isnan(table["far"]).tolist() == [False, True]
    three = replace(
        EVENT, id="E3", detectors=("H1", "L1", "V1"), triggers=(*EVENT.triggers, arrival("V1"))
    )
    other = writers.write_events(tmp_path, "events/mine.parquet", [three], MADE)
    files = [tmp_path / "events" / "schema.parquet", path, other]
    joined = EventTable.read(files, format="parquet", where="rank > 20")
    assert [len(each) for each in joined["trigger_snr"]] == [2, 2, 3]
    other.unlink()
    assert list(pd.read_parquet(tmp_path / "events")["id"]) == [EVENT.id, "E1"]
    assert pyarrow.dataset.dataset(tmp_path / "events").count_rows() == 2
    assert writers.read_events(tmp_path)["far"].to_pylist() == [EVENT.far, None]
    schema = pq.read_schema(path)
    assert schema.field("far").metadata[b"unit"] == b"Hz"
    assert schema.metadata[b"config"] == b"c0ffee"


def test_event_table_reads_a_run_without_events(tmp_path):
    from gwpy.table import EventTable

    prepare(str(tmp_path), "", "c0ffee", "0.1.0")

    table = EventTable.read(tmp_path / "events" / "schema.parquet", format="parquet")
    assert len(table) == 0
    assert table.colnames == [column.name for column in EVENT_COLUMNS]


def test_results_of_a_version_without_events_have_none(tmp_path):
    written(tmp_path, TRIGGER)
    (tmp_path / "events" / "schema.parquet").unlink()
    (tmp_path / "events").rmdir()
    writers.write_segments(tmp_path, [], MADE)

    table = writers.read_events(tmp_path)

    assert (len(table), table.column_names) == (0, [column.name for column in EVENT_COLUMNS])
    assert write_report(tmp_path).is_file()


def test_snippets_that_an_older_live_job_left_among_the_events_are_read(tmp_path):
    written_events(tmp_path, EVENT)
    path = writers.write_snippets(tmp_path, [TRIGGER], MADE)
    former = tmp_path / "events/H1/2015-09-14/H1-EVENTS-1126224017-86400.h5"
    former.parent.mkdir(parents=True)
    path.rename(former)

    assert list(writers.read_snippets(tmp_path)) == [TRIGGER.id]
    assert writers.read_events(tmp_path)["id"].to_pylist() == [EVENT.id]


def test_events_of_a_version_with_fewer_columns_are_read(tmp_path):
    path = written_events(tmp_path, EVENT)
    pq.write_table(pq.read_table(path).drop_columns(["far", "trigger_label"]), path)

    (row,) = writers.read_events(tmp_path).to_pylist()

    assert (row["id"], row["far"], row["trigger_label"]) == (EVENT.id, None, None)


# -- the rest


def test_gwpy_reads_an_event_as_a_time_series(tmp_path):
    from gwpy.timeseries import TimeSeries

    path = writers.write_snippets(tmp_path, [UNLABELLED, TRIGGER], MADE)

    series = TimeSeries.read(path, path="a1b2/whitened", format="hdf5")
    np.testing.assert_array_equal(series.value, TRIGGER.snippet_array)
    assert series.t0.value == 1126259461.0
    assert series.sample_rate.value == 128
    assert str(series.channel) == "H1:GDS-CALIB_STRAIN"
    with h5py.File(path) as file:
        assert list(file) == ["a1b2"]
        assert file["a1b2"].attrs["snr"] == 12.0
        assert list(file["a1b2"].attrs["wdf_value"]) == [3.0, -4.0]


def test_an_event_holds_coefficients_none_and_most(tmp_path):
    every = np.arange(2048)
    full = replace(
        TRIGGER,
        wdf_index=every.astype(np.uint16).tobytes(),
        wdf_value=every.astype(np.float32).tobytes(),
    )
    none = replace(TRIGGER, id="none", wdf_index=b"", wdf_value=b"")

    with h5py.File(writers.write_snippets(tmp_path, [full, none], MADE)) as file:
        np.testing.assert_array_equal(file["a1b2"].attrs["wdf_index"], every)
        assert file["none"].attrs["wdf_value"].shape == (0,)


def test_segments_are_joined_and_listed_for_each_channel(tmp_path):
    blocks = [
        Segment(ifo="H1", channel="H1:A-B", start_ns=0, end_ns=5, analysed=True),
        Segment(ifo="H1", channel="H1:A-B", start_ns=5, end_ns=9, analysed=True),
    ]

    writers.write_segments(tmp_path, blocks, MADE)

    assert writers.read_segments(tmp_path) == [
        Segment(ifo="H1", channel="H1:A-B", start_ns=0, end_ns=9, analysed=True)
    ]
    assert (tmp_path / "segments" / "H1-A_B_ANALYSED.txt").read_text().splitlines()[1] == (
        "0\t0.000000000\t0.000000009\t0.000000009"
    )


def test_dead_letters_keep_any_text(tmp_path):
    letters = [
        DeadLetter(source="topic", reason="line\nbreak"),
        DeadLetter(source="Größe.gwf", reason='"quoted"', checksum="ab"),
    ]

    writers.write_dead_letters(tmp_path, letters)

    assert writers.read_dead_letters(tmp_path) == sorted(letters, key=lambda each: each.source)
    assert len((tmp_path / "dead_letters/dead_letters.jsonl").read_text().splitlines()) == 2


def test_results_of_a_version_without_kinds_are_read(tmp_path):
    prepare(str(tmp_path), "", "c0ffee", "0.1.0")
    gap = Segment(
        ifo="H1",
        channel="H1:A",
        start_ns=5,
        end_ns=9,
        analysed=False,
        reason="not finite",
        kind=SegmentKind.NOT_FINITE,
    )
    path = writers.write_segments(
        tmp_path,
        [Segment(ifo="H1", channel="H1:A", start_ns=0, end_ns=5, analysed=True), gap],
        MADE,
    )
    pq.write_table(pq.read_table(path).drop_columns(["kind"]), path)
    old = {"source": "a.gwf", "reason": "empty", "checksum": ""}
    new = {**old, "source": "b.gwf", "kind": "of a newer version"}
    letters = tmp_path / "dead_letters" / "dead_letters.jsonl"
    letters.parent.mkdir()
    letters.write_text(f"{json.dumps(old)}\n{json.dumps(new)}\n")

    assert writers.read_segments(tmp_path) == [
        Segment(ifo="H1", channel="H1:A", start_ns=0, end_ns=5, analysed=True),
        gap,
    ]
    assert [each.kind for each in writers.read_dead_letters(tmp_path)] == [LetterKind.OTHER] * 2


@pytest.mark.parametrize("resumed", [False, True], ids=["old", "resumed"])
def test_results_of_a_version_without_injections_are_read(tmp_path, resumed):
    path = written(tmp_path, TRIGGER)
    schema = tmp_path / "triggers" / "schema.parquet"
    # A live job that goes on in a folder writes the schema anew.
    for one in (path,) if resumed else (path, schema):
        pq.write_table(pq.read_table(one).drop_columns(["injections"]), one)

    (row,) = writers.read_triggers(tmp_path).to_pylist()

    assert row["dq"] == "CAT2,CAT3"
    assert row.get("injections") is None
    assert ("injections" in row) is resumed
    writers.write_segments(tmp_path, [], MADE)
    assert '<span class="flag">CAT3</span>' in write_report(tmp_path).read_text("utf-8")


def test_a_live_job_completes_rows_of_a_version_without_injections(tmp_path):
    path = tmp_path / "a.parquet"
    rolling.add_triggers(path, [TRIGGER, UNLABELLED], MADE)
    pq.write_table(pq.read_table(path).drop_columns(["injections"]), path)

    assert rolling.add_triggers(path, [TRIGGER], MADE)

    rows = {row["id"]: row for row in pq.read_table(path).to_pylist()}
    assert rows[TRIGGER.id]["injections"] == "CBC_HW_INJ,CW_HW_INJ"
    assert rows[UNLABELLED.id]["injections"] is None


@pytest.mark.parametrize("kind", SegmentKind)
def test_every_kind_is_read_as_it_was_written(tmp_path, kind):
    one = Segment(
        ifo="H1",
        channel="H1:A",
        start_ns=5,
        end_ns=9,
        analysed=kind is SegmentKind.ANALYSED,
        reason="why",
        kind=kind,
    )
    letters = [DeadLetter(source="a", reason="why", kind=each) for each in LetterKind]

    writers.write_segments(tmp_path, [one], MADE)
    writers.write_dead_letters(tmp_path, letters)

    assert writers.read_segments(tmp_path) == [one]
    assert set(writers.read_dead_letters(tmp_path)) == set(letters)


# -- other things in the folder


def test_only_names_of_ours_are_read(tmp_path):
    written(tmp_path, TRIGGER)
    writers.write_segments(
        tmp_path, [Segment(ifo="H1", channel="H1:A", start_ns=0, end_ns=5, analysed=True)], MADE
    )
    for name in (
        "triggers/README", "triggers/H1/notes.parquet", "triggers/H1/2015-09-14/copy.parquet",
        "triggers/H1/2015-09-14/.hidden.parquet", "segments/H1/2015-09-14/x-SEGMENTS-y.parquet",
        "events/2015-09-14/mine.parquet", "events/H1/EVENTS-1-60.parquet",
        "dead_letters/2015-09-14/DEAD_LETTERS-mine.jsonl", "snippets/H1/2015-09-14/mine.h5",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("not ours")

    assert writers.read_triggers(tmp_path)["id"].to_pylist() == [TRIGGER.id]
    assert len(writers.read_events(tmp_path)) == 0
    assert len(writers.read_segments(tmp_path)) == 1
    assert writers.read_dead_letters(tmp_path) == []
    assert writers.read_snippets(tmp_path) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "triggers/schema.parquet", partition(TRIGGER), "segments/segments.parquet", "snippets.h5",
        "dead_letters/dead_letters.jsonl", "events/schema.parquet", event_partition(EVENT),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "damage", ["empty", "half", "foreign", "a folder", "bytes"], ids=lambda each: each
)
def test_a_damaged_file_is_one_line_with_its_name(tmp_path, capsys, name, damage):
    written(tmp_path, TRIGGER)
    writers.write_events(tmp_path, event_partition(EVENT), [EVENT], MADE)
    writers.write_segments(
        tmp_path, [Segment(ifo="H1", channel="H1:A", start_ns=0, end_ns=5, analysed=True)], MADE
    )
    writers.write_snippets(tmp_path, [TRIGGER], MADE)
    writers.write_dead_letters(tmp_path, [DeadLetter(source="a", reason="b")])
    path = tmp_path / name
    whole = path.read_bytes()
    path.unlink()
    if damage == "a folder":
        path.mkdir()
    elif damage == "foreign":
        foreign(path)
    else:
        path.write_bytes(
            {"empty": b"", "half": whole[: len(whole) // 2], "bytes": b"\xff\n"}[damage]
        )

    code = main(["report", str(tmp_path)])

    said = capsys.readouterr().err.splitlines()
    if name.endswith(".jsonl") and damage == "empty":  # as it is when there were none
        assert code == 0
    else:
        assert (code, len(said)) == (2, 1)
        assert str(path) in said[0]


def foreign(path):
    """Write a file of the same kind that is not of this software."""
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"x": [1]}), path)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["x"] = [1]
    else:
        path.write_text('{"x": 1}\n[]\n')


def test_a_disk_that_is_full_ends_no_process(tmp_path):
    """A limit on the size of files stands for the disk: HDF5 ended the process at either."""
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from tests.samples import TRIGGER\n"
        "from transforms.sink import writers\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "made = writers.Provenance(config='c0ffee', version='0.1.0')\n"
        "try:\n"
        "    writers.write_snippets(Path(sys.argv[1]), [TRIGGER], made)\n"
        "except OSError as error:\n"
        "    print(error.strerror)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1],
    )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr) == (0, "File too large\n", "")
    assert list(tmp_path.iterdir()) == []


# -- UTC


@pytest.mark.parametrize(
    ("gps", "date", "start", "duration"),
    [
        (1126259462, "2015-09-14", 1126224017, 86_400),
        (1126224017, "2015-09-14", 1126224017, 86_400),
        (1126224016, "2015-09-13", 1126137617, 86_400),
        (1167264017, "2016-12-31", 1167177617, 86_401),
        (0, "1980-01-06", 0, 86_400),
    ],
)
def test_days_begin_at_midnight_utc_and_know_leap_seconds(gps, date, start, duration):
    day = utc_day(from_seconds(gps))

    assert (day.date, day.gps_start, day.duration) == (date, start, duration)


@pytest.mark.parametrize("midnight", [0, 1126224017, 1167264018, 1483228818])
@pytest.mark.parametrize("seconds", [-1.25, -1.0, -0.5, -0.001, 0.0, 0.25, 1.0, 33_345.4])
def test_times_are_told_in_utc_as_astropy_tells_them(midnight, seconds):
    gps = midnight + seconds
    assert utc_text(gps) == Time(gps, format="gps", precision=3).utc.iso


def test_now_is_astropy_s_now():
    assert gps_now() == pytest.approx(Time.now().gps, abs=1.0)
