"""Live files: closed by the watermark, whole at any time, and the same after a restart."""

import errno
import os
import time
from dataclasses import replace
from itertools import pairwise

import apache_beam as beam
import numpy as np
import pyarrow.parquet as pq
import pytest
from apache_beam.coders import BytesCoder
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing import test_stream
from apache_beam.transforms.window import Sessions, TimestampedValue

from beam_pipeline.cli import main
from tests import samples
from tests.samples import prepare
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
from transforms.files import OutputError
from transforms.gps import from_event_micros, from_seconds, to_event_micros
from transforms.results import Results
from transforms.sink import rolling
from transforms.sink.config import SinkConfig
from transforms.sink.folder import resume
from transforms.sink.live import WriteLive, _Keyed, _Write
from transforms.sink.writers import (
    DamagedError,
    Provenance,
    read_dead_letters,
    read_events,
    read_segments,
    read_snippets,
    read_triggers,
    readable,
)

MINUTE = 1126259460
"""2015-09-14, on the GPS grid of minutes."""
TRIGGER = replace(
    samples.TRIGGER,
    id="a",
    time_ns=from_seconds(MINUTE + 2.5),
    start_ns=from_seconds(MINUTE + 2.25),
    end_ns=from_seconds(MINUTE + 2.75),
    data_time_ns=from_seconds(MINUTE + 3),
    snippet_start_ns=from_seconds(MINUTE + 1),
)
MADE = Provenance(config="c0ffee", version="0.1.0")
H1, H1_NEXT, L1 = (
    f"triggers/{ifo}/2015-09-14/{ifo}-TRIGGERS-{start}-60.parquet"
    for ifo, start in (("H1", MINUTE), ("H1", MINUTE + 60), ("L1", MINUTE))
)
EVENTS = f"events/2015-09-14/EVENTS-{MINUTE}-60.parquet"
EMPTY = [
    "config.yaml", "events/schema.parquet", "segments/segments.parquet", "triggers/schema.parquet"
]  # fmt: skip


def moved(name, seconds, ifo="H1", **changes):
    shift = from_seconds(seconds)
    times = ("time_ns", "start_ns", "end_ns", "data_time_ns", "snippet_start_ns")
    shifted = {key: getattr(TRIGGER, key) + shift for key in times}
    channel = f"{ifo}:GDS-CALIB_STRAIN"
    return replace(TRIGGER, id=name, ifo=ifo, channel=channel, **shifted, **changes)


def event(name, seconds, **changes):
    return replace(samples.EVENT, id=name, time_ns=from_seconds(MINUTE + seconds), **changes)


def segment(start, end, ifo="H1", reason=""):
    return Segment(
        ifo=ifo,
        channel=f"{ifo}:GDS-CALIB_STRAIN",
        start_ns=from_seconds(MINUTE + start),
        end_ns=from_seconds(MINUTE + end),
        analysed=not reason,
        reason=reason,
    )


def files(folder):
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def ids(folder, name):
    return pq.read_table(folder / name, partitioning=None)["id"].to_pylist()


def gps(seconds):
    """Return Beam's timestamp of some seconds after the minute's start."""
    return to_event_micros(from_seconds(MINUTE + seconds)) / 1e6


def at(element):
    times = {Trigger: "time_ns", Event: "time_ns", Segment: "start_ns"}
    if type(element) not in times:
        return element
    micros = to_event_micros(getattr(element, times[type(element)]))
    return TimestampedValue(element, micros / 1e6)


LOOKS = []


class Look(beam.DoFn):
    """Notes which files there are when its element comes by."""

    def __init__(self, folder):
        self.folder = folder

    def process(self, text):
        found = set(files(self.folder)) - set(EMPTY)
        LOOKS.append((text, {name: read(self.folder, name) for name in sorted(found)}))


def read(folder, name):
    if name.startswith(("triggers", "events")):
        return ids(folder, name)
    return (folder / name).stat().st_ino


def live(folder, *steps, config_id="c0ffee", loudest=2, version="0.1.0"):
    """Run a job: a number moves the watermark to that second, a text looks at the files."""
    LOOKS.clear()
    stream = test_stream.TestStream()
    for step in steps:
        if isinstance(step, int | float):
            stream = stream.advance_watermark_to(gps(step))
        else:
            stream = stream.add_elements([at(one) for one in step])
    stream = stream.advance_watermark_to_infinity()
    options = PipelineOptions(["--runner=DirectRunner", "--streaming"])
    with beam.Pipeline(options=options) as pipeline:
        mixed = pipeline | stream
        results = {
            name: mixed
            | f"Only[{name}]" >> beam.Filter(lambda one, kind=kind: isinstance(one, kind))
            | f"Typed[{name}]" >> beam.Map(lambda one: one).with_output_types(kind)
            for name, kind in (
                ("triggers", Trigger),
                ("events", Event),
                ("segments", Segment),
                ("dead_letters", DeadLetter),
                ("progress", Progress),
            )
        }
        results["triggers"] |= beam.WindowInto(Sessions(0.1))
        Results(**results) | WriteLive(
            output=str(folder),
            config=SinkConfig(loudest),
            config_text="threshold: 5.5\n",
            provenance=Provenance(config=config_id, version=version),
        )
        mixed | beam.Filter(lambda one: isinstance(one, str)) | beam.ParDo(Look(folder))
    return dict(LOOKS)


@pytest.mark.slow
def test_a_minute_is_closed_by_the_watermark(tmp_path):
    early, late = TRIGGER, moved("b", 55)
    seen = live(
        tmp_path, 3, [early], 58, [late], 59.9, ["before"], 60, ["after"], [moved("c", 60)]
    )  # fmt: skip

    assert H1 not in seen["before"]
    assert seen["after"][H1] == ["a", "b"]
    assert H1_NEXT not in seen["after"]
    assert ids(tmp_path, H1_NEXT) == ["c"]


@pytest.mark.slow
def test_a_straggler_joins_the_file_of_its_minute(tmp_path):
    seen = live(
        tmp_path, [TRIGGER], 61, ["closed"], 300, [moved("b", -3), moved("c", 1)], 301, ["again"]
    )  # fmt: skip

    assert seen["closed"][H1] == ["a"]
    written = [found for name, found in seen["again"].items() if "TRIGGERS" in name]
    assert written == [["b"], ["a", "c"]]


def test_a_silent_detector_keeps_no_file_open(tmp_path):
    seen = live(
        tmp_path, [moved("l", 1, "L1"), TRIGGER], 70, [moved("b", 90)], 119, ["open"]
    )  # fmt: skip

    assert seen["open"][L1] == ["l"]
    assert H1_NEXT not in seen["open"]


def test_only_final_triggers_go_to_files(tmp_path):
    known = [replace(TRIGGER, status=each) for each in (PRELIMINARY, SETTLED)]
    absorbed = [moved("w", 1, status=each) for each in (PRELIMINARY, WITHDRAWN)]

    live(tmp_path, [*known, *absorbed], 30, [replace(TRIGGER, snr=13.0)])

    assert read_triggers(tmp_path)["snr"].to_pylist() == [13.0]
    assert read_triggers(tmp_path)["id"].to_pylist() == ["a"]
    assert sorted(read_snippets(tmp_path)) == ["a"]


def test_events_go_to_files_by_minute_when_they_are_final(tmp_path):
    known = [event("E1", 2, status=each) for each in (PRELIMINARY, FINAL)]
    gone = [event("E0", 3, status=each) for each in (PRELIMINARY, WITHDRAWN)]

    seen = live(tmp_path, [known[0], *gone, event("E2", 61)], 61, ["look"], known[1:], 62, ["late"])

    assert EVENTS not in seen["look"]
    assert seen["late"] == {EVENTS: ["E1"]}
    assert read_events(tmp_path)["id"].to_pylist() == ["E1", "E2"]


def test_an_event_that_comes_again_changes_nothing_unless_it_differs(tmp_path):
    live(tmp_path, [event("E1", 2, far=float("nan"))])
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}

    live(tmp_path, [event("E1", 2, far=float("nan"))])

    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before

    live(tmp_path, [event("E1", 2, far=1e-6), event("E2", 1)])

    assert ids(tmp_path, EVENTS) == ["E2", "E1"]
    assert read_events(tmp_path)["far"].to_pylist() == [samples.EVENT.far, 1e-6]


@pytest.mark.slow
def test_a_restart_goes_on_and_a_replay_changes_nothing(tmp_path):
    everything = [
        TRIGGER,
        moved("b", 30),
        event("E1", 5),
        segment(0, 30),
        DeadLetter(source="frames/0/1", reason="empty"),
    ]
    live(tmp_path, 1, everything)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}

    live(tmp_path, 1, everything[::-1])

    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before

    live(tmp_path, 31, [everything[1], moved("c", 40), moved("d", 70), segment(30, 60)])

    assert ids(tmp_path, H1) == ["a", "b", "c"]
    assert ids(tmp_path, H1_NEXT) == ["d"]
    assert read_segments(tmp_path) == [segment(0, 60)]
    assert read_dead_letters(tmp_path) == [DeadLetter(source="frames/0/1", reason="empty")]


@pytest.mark.slow
def test_files_are_the_same_in_whatever_order_and_bundles_things_come(tmp_path, monkeypatch):
    monkeypatch.setattr(rolling, "gps_now", lambda: 1.4e9)
    triggers = [moved(name, 13 * number) for number, name in enumerate("abcdef")]
    events = [event(f"E{number}", 40 * number) for number in range(3)]
    segments = [segment(start, end) for start, end in pairwise(range(0, 75, 5))]
    letters = [
        DeadLetter(source="frames/0/1", reason="empty"),
        DeadLetter(source="frames/0/2", reason="empty"),
    ]

    live(tmp_path / "one", 0, [*triggers, *events, *segments, *letters])
    live(
        tmp_path / "two", 0, letters, segments[8:], 40, triggers[3:], events[1:], 90, segments[:9],
        triggers[1::-1], 91, triggers[::-1], events[1::-1],
    )  # fmt: skip

    assert files(tmp_path / "one") == files(tmp_path / "two")
    for name in files(tmp_path / "one"):
        if not name.endswith(".h5"):  # its groups are the same, not their places in the file
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert read_snippets(tmp_path / "one").keys() == read_snippets(tmp_path / "two").keys()


@pytest.mark.slow
def test_a_trigger_that_changed_replaces_the_one_that_is_there(tmp_path):
    live(tmp_path, [TRIGGER])

    live(tmp_path, [replace(TRIGGER, label="blip")], version="0.2.0")

    assert read_triggers(tmp_path)["label"].to_pylist() == ["blip"]
    assert read_triggers(tmp_path)["version"].to_pylist() == ["0.2.0"]


def test_rows_that_an_older_version_wrote_are_kept(tmp_path):
    path = tmp_path / H1
    rolling.add_triggers(path, [TRIGGER], MADE)
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["wavelet", "far"]), path)

    assert rolling.add_triggers(path, [moved("b", 1)], MADE)

    assert ids(tmp_path, H1) == ["a", "b"]
    wavelets = pq.read_table(path, partitioning=None)["wavelet"].to_pylist()
    assert wavelets == [None, TRIGGER.wavelet]


@pytest.mark.slow
def test_the_day_s_loudest_of_each_channel_keep_their_strain(tmp_path):
    others = [moved(name, 20 * number, snr=10.0 + number) for number, name in enumerate("bcdef")]
    live(tmp_path, 0, [TRIGGER, *others[:2], moved("l", 1, "L1"), moved("n", 3, snippet=b"")])
    assert sorted(read_snippets(tmp_path)) == ["a", "c", "l"]

    live(tmp_path, 40, others[2:], 200, [moved("q", 99, snr=5.0)])

    assert sorted(read_snippets(tmp_path)) == ["e", "f", "l"]
    np.testing.assert_array_equal(read_snippets(tmp_path)["e"].samples, TRIGGER.snippet_array)
    assert sorted(name for name in files(tmp_path) if name.startswith("snippets")) == [
        "snippets/H1/2015-09-14/H1-SNIPPETS-1126224017-86400.h5",
        "snippets/L1/2015-09-14/L1-SNIPPETS-1126224017-86400.h5",
    ]


def test_no_strain_is_kept_when_none_is_asked_for(tmp_path):
    live(tmp_path, [TRIGGER], loudest=0)

    assert read_snippets(tmp_path) == {}


def test_a_day_s_file_does_not_wait_for_later_minutes(tmp_path):
    seen = live(tmp_path, [TRIGGER], [moved("b", 70)], 61, ["look"])

    assert "snippets/H1/2015-09-14/H1-SNIPPETS-1126224017-86400.h5" in seen["look"]


def test_dead_letters_go_by_the_time_at_which_they_came(tmp_path):
    letters = [
        DeadLetter(source="frames/0/1", reason="empty", checksum="00"),
        DeadLetter(source="frames/0/2", reason="Größe"),
    ]
    live(tmp_path, [TimestampedValue(each, gps(61)) for each in letters])

    name = f"dead_letters/2015-09-14/DEAD_LETTERS-{MINUTE + 60}-60.jsonl"
    assert name in files(tmp_path)
    assert read_dead_letters(tmp_path) == letters


def test_a_dead_letter_without_a_time_came_now(tmp_path):
    live(tmp_path, [TimestampedValue(DeadLetter(source="frames/0/1", reason="empty"), 0)])

    (name,) = set(files(tmp_path)) - set(EMPTY)
    assert int(name.split("-")[-2]) > 1.4e9
    assert read_dead_letters(tmp_path) == [DeadLetter(source="frames/0/1", reason="empty")]


def test_timestamps_of_beam_are_read_as_they_are_written():
    assert from_event_micros(to_event_micros(TRIGGER.time_ns)) == TRIGGER.time_ns


# -- the folder


@pytest.mark.slow
def test_a_report_can_be_written_of_a_live_folder_at_any_time(tmp_path, capsys):
    live(tmp_path)
    assert main(["report", str(tmp_path)]) == 0

    live(tmp_path, [TRIGGER, moved("b", 70), segment(0, 60), segment(60, 65, reason="NaN")])

    assert main(["report", str(tmp_path)]) == 0
    page = (tmp_path / "report" / "index.html").read_text("utf-8")
    assert "H1:GDS-CALIB_STRAIN" in page
    assert "NaN" in page
    assert TRIGGER.label in page


def test_a_restart_clears_what_was_half_written_and_nothing_else(tmp_path):
    live(tmp_path, [TRIGGER, segment(0, 1), DeadLetter(source="frames/0/1", reason="empty")])
    whole = files(tmp_path)
    for name in whole:
        half(tmp_path / name, age=3600)
    (tmp_path / "triggers" / ".mine.part").touch()

    resume(str(tmp_path), "", "c0ffee", "0.1.0")

    assert files(tmp_path) == sorted([*whole, "triggers/.mine.part"])


def test_a_start_leaves_alone_what_the_running_job_writes(tmp_path):
    live(tmp_path, [TRIGGER])
    written = half(tmp_path / "triggers" / "schema.parquet", age=10)

    resume(str(tmp_path), "", "c0ffee", "0.1.0")

    assert written.exists()


def test_two_starts_of_a_job_at_once_do_not_refuse_each_other(tmp_path):
    half(tmp_path / "config.yaml", age=0)

    resume(str(tmp_path), "", "c0ffee", "0.1.0")

    assert "c0ffee, live" in (tmp_path / "config.yaml").read_text()


def half(path, age):
    """Write what an interrupted or unfinished writing looks like, so many seconds ago."""
    path = path.with_name(f".{path.name}.{'0' * 32}.part")
    path.touch()
    os.utime(path, times=(time.time() - age,) * 2)
    return path


@pytest.mark.parametrize(
    ("config_id", "before", "advice"),
    [
        ("c0ffee", prepare, "it holds the results of a run on files; choose another --output$"),
        ("decaf", resume, r"of configuration c0ffee, not decaf; choose .*, or go on with .*yaml$"),
    ],
)
def test_a_live_job_does_not_go_on_in_another_s_folder(tmp_path, config_id, before, advice):
    before(str(tmp_path), "", "c0ffee", "0.1.0")
    held = (tmp_path / "config.yaml").read_text()

    with pytest.raises(OutputError, match=f"^cannot write to .*{advice}"):
        resume(str(tmp_path), "", config_id, "0.1.0")

    assert (tmp_path / "config.yaml").read_text() == held


def test_a_live_job_never_touches_what_another_program_left(tmp_path):
    (tmp_path / "snippets.h5").write_text("precious")

    with pytest.raises(OutputError, match=r"it holds snippets\.h5, which no run of ours left"):
        resume(str(tmp_path), "", "c0ffee", "0.1.0")


def test_a_run_on_files_does_not_clear_a_live_folder(tmp_path):
    live(tmp_path, [TRIGGER])

    with pytest.raises(OutputError, match="a live job goes on in it; choose another --output"):
        prepare(str(tmp_path), "", "c0ffee", "0.1.0")

    assert ids(tmp_path, H1) == ["a"]


# -- what senders and disks do


def test_a_detector_s_name_never_leads_out_of_the_folder(tmp_path):
    evil = "H1:x/../../../evil"
    hostile = [
        moved("t", 1, evil),
        segment(0, 5, evil),
        replace(TRIGGER, id="n", snr=float("inf")),
        Segment(ifo="H1", channel="H1:STRAIN", start_ns=2**62, end_ns=2**63 - 1, analysed=True),
    ]

    live(tmp_path / "a" / "b" / "out", [*hostile, TRIGGER, segment(0, 5)])

    output = tmp_path / "a" / "b" / "out"
    assert [path for path in tmp_path.rglob("*") if "evil" in path.name] == []
    assert ids(output, H1) == ["a"]
    letters = read_dead_letters(output)
    assert sorted(each.kind for each in letters) == ["channel", "channel", "unpublishable"]
    assert {each.source for each in letters} == {"t", "n", f"{evil}:GDS-CALIB_STRAIN"}
    assert len(read_segments(output)) == 2


def test_a_dead_letter_whose_time_cannot_be_came_now(tmp_path):
    live(
        tmp_path,
        [TimestampedValue(DeadLetter(source="frames/0/1", reason="empty"), 9_000_000_000_000)],
    )

    assert read_dead_letters(tmp_path) == [DeadLetter(source="frames/0/1", reason="empty")]


ADDED = []


def note(path, elements):
    """Stand for what adds to a file: notes what it is handed."""
    ADDED.append((path.name, sorted(elements)))
    return True


def test_nothing_is_held_of_a_file_that_was_written(tmp_path):
    """Else a straggler would come with all that came before it, for ever."""
    ADDED.clear()
    minute = from_seconds(MINUTE + 60)
    stream = (
        test_stream.TestStream()
        .add_elements([("one", (minute, b"a")), ("one", (minute, b"b")), ("two", (minute, b"c"))])
        .advance_watermark_to(gps(61))
        .add_elements([("one", (minute, b"d"))])
        .advance_watermark_to(gps(300))
        .add_elements([("one", (minute, b"e"))])
        .advance_watermark_to_infinity()
    )
    options = PipelineOptions(["--runner=DirectRunner", "--streaming"])
    with beam.Pipeline(options=options) as pipeline:
        keyed = pipeline | stream
        typed = keyed | beam.Map(lambda one: one).with_output_types(_Keyed)
        typed | beam.ParDo(_Write(str(tmp_path), "triggers", note, BytesCoder()))

    assert sorted(ADDED[:2]) == [("one", [b"a", b"b"]), ("two", [b"c"])]
    assert ADDED[2:] == [("one", [b"d"]), ("one", [b"e"])]


def test_a_thousand_channels_of_a_detector_make_one_key_a_minute():
    names = {
        rolling.trigger_name(replace(TRIGGER, channel=f"H1:{number}/../..")) for number in range(9)
    }

    assert names == {H1}


@pytest.mark.slow
@pytest.mark.parametrize("damage", [b"", b"PAR1 and no more", "folder"], ids=str)
def test_a_damaged_file_is_put_aside_and_the_job_goes_on(tmp_path, damage):
    letter = DeadLetter(source="frames/0/1", reason="empty")
    everything = [TRIGGER, event("E1", 2), segment(0, 5), letter]
    live(tmp_path, [TimestampedValue(one, gps(1)) for one in everything])
    hurt = [name for name in files(tmp_path) if name not in EMPTY]
    assert len(hurt) == 5
    for name in hurt:
        (tmp_path / name).unlink()
        if damage == "folder":
            (tmp_path / name).mkdir()
        else:
            (tmp_path / name).write_bytes(damage or b"\xff")

    live(tmp_path, [TimestampedValue(one, gps(1)) for one in everything])

    assert ids(tmp_path, H1) == ["a"]
    assert ids(tmp_path, EVENTS) == ["E1"]
    assert read_segments(tmp_path) == [segment(0, 5)]
    assert read_dead_letters(tmp_path) == [letter]
    assert sorted(read_snippets(tmp_path)) == ["a"]
    assert len(list(tmp_path.rglob(".*.damaged"))) == 5


def test_storage_that_does_not_answer_is_no_damage(tmp_path):
    path = tmp_path / "x.parquet"
    with pytest.raises(OutputError, match="Input/output error") as failed, readable(path):
        raise OSError(errno.EIO, "long words of a library")

    assert not isinstance(failed.value, DamagedError)


def test_a_folder_that_is_gone_is_an_error_and_not_made_anew(tmp_path):
    write = _Write(str(tmp_path / "gone"), "triggers", note, BytesCoder())

    with pytest.raises(FileNotFoundError):
        write._written(tmp_path / "gone" / H1, [b"a"])

    assert not (tmp_path / "gone").exists()


def test_letters_with_any_end_of_line_stay_one(tmp_path):
    letter = DeadLetter(source="a\u2028b\x85c.gwf", reason="line\nbreak")
    path = tmp_path / rolling.letter_name(from_seconds(MINUTE))

    assert rolling.add_letters(path, [letter])
    assert not rolling.add_letters(path, [letter])

    assert read_dead_letters(tmp_path) == [letter]
