"""What senders may say: nothing leaves the folder, and every file stays one that can be read."""

import json
import math
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.samples import EVENT, TRIGGER, prepare
from transforms.elements import DeadLetter, Segment
from transforms.files import OutputError, whole_file
from transforms.kinds import LetterKind, SegmentKind
from transforms.sink import rolling, writers
from transforms.sink.checked import refused
from transforms.sink.folder import analysed_names, is_ours, partition
from transforms.sink.messages import (
    dead_letter_message,
    event_message,
    segment_message,
    trigger_message,
)
from transforms.sink.tables import EVENT_COLUMNS, TRIGGER_COLUMNS, event_row, trigger_row
from transforms.texts import storable

MADE = writers.Provenance(config="c0ffee", version="0.1.0")
START, END = 1126259462_000000000, 1126259470_000000000

# Surrogates too: so Python reads names of files that are not UTF-8.
TEXTS = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(categories=["Cs"]), max_size=3),
    st.sampled_from(
        ["../../evil", "/etc/passwd", "..", "", "\x00", "a\x00b", "x" * 5000, "caf\udce9.gwf",
         "a\u2028b\x85c", "<script>alert(1)</script>", '" onload="x', "&amp;", "\r\n\t", "$title"]
    ),
)  # fmt: skip
IFOS = st.one_of(st.sampled_from(["H1", "L1", "V1", "H1/..", "H1:x/../../../evil"]), TEXTS)
ANY = st.floats(allow_nan=True, allow_infinity=True)
NUMBERS = [
    "frequency", "low_frequency", "high_frequency", "bandwidth", "duration", "q", "snr", "rank",
    "amplitude", "phase", "enwdf",
]  # fmt: skip


@st.composite
def triggers(draw):
    ifo = draw(IFOS)
    return replace(
        TRIGGER,
        id=draw(st.one_of(st.sampled_from(["a1b2", "00ff"]), TEXTS)),
        ifo=ifo,
        channel=f"{ifo}:{draw(TEXTS)}",
        label=draw(TEXTS),
        dq=tuple(draw(st.lists(TEXTS, max_size=3))),
        injections=tuple(draw(st.lists(TEXTS, max_size=3))),
        probabilities=tuple((draw(TEXTS), draw(ANY)) for _ in range(draw(st.integers(0, 2)))),
        time_ns=draw(st.one_of(st.just(TRIGGER.time_ns), st.integers())),
        **{name: draw(ANY) for name in draw(st.sets(st.sampled_from(NUMBERS), max_size=1))},
    )


@st.composite
def segments(draw):
    ifo = draw(IFOS)
    start = draw(st.one_of(st.just(START), st.integers()))
    reason = draw(TEXTS)
    kind = draw(st.sampled_from(SegmentKind))
    return Segment(
        ifo=ifo,
        channel=f"{ifo}:{draw(TEXTS)}",
        start_ns=start,
        end_ns=END,
        analysed=not reason,
        reason=reason,
        kind=kind,
    )


LETTERS = st.builds(
    DeadLetter, source=TEXTS, reason=TEXTS, checksum=TEXTS, kind=st.sampled_from(LetterKind)
)


def outside(top, folder):
    """List what was written elsewhere, as far as three levels up."""
    return [path for path in Path(top).rglob("*") if path.is_file() and folder not in path.parents]


def finite(row):
    return all(
        math.isfinite(value)
        for each in row.values()
        for value in (each if isinstance(each, list) else [each])
        if isinstance(value, float)
    )


@pytest.mark.slow
@given(st.lists(triggers(), max_size=3), st.lists(segments(), max_size=3), st.lists(LETTERS))
def test_whatever_is_admitted_is_written_inside_the_folder_and_read_back(found, looked, letters):
    refusals = [letter for each in (*found, *looked) if (letter := refused(each))]
    found = [each for each in found if refused(each) is None]
    looked = [each for each in looked if refused(each) is None]
    with tempfile.TemporaryDirectory() as top:
        output = prepare(f"{top}/a/b/out", "threshold: 5.5\n", "c0ffee", "0.1.0")
        for name in {partition(each) for each in found}:
            own = [each for each in found if partition(each) == name]
            writers.write_triggers(output, name, own, MADE)
        writers.write_snippets(output, found, MADE)
        writers.write_segments(output, looked, MADE)
        writers.write_dead_letters(output, [*letters, *refusals])

        assert outside(top, output) == []
        files = [path.relative_to(output) for path in output.rglob("*") if path.is_file()]
        assert [str(name) for name in files if not is_ours(name)] == []
        rows = writers.read_triggers(output).to_pylist()
        assert all(map(finite, rows))
        assert {row["id"] for row in rows} == {each.id for each in found}
        for row in rows:
            assert all(math.isfinite(one) for one in json.loads(row["probabilities"]).values())
        assert set(writers.read_snippets(output)) == {each.id for each in found}
        assert {each.channel for each in writers.read_segments(output)} == {
            storable(each.channel) for each in looked if each.start_ns < each.end_ns
        }
        told = {(each.source, each.reason) for each in writers.read_dead_letters(output)}
        assert told == {
            (storable(each.source), storable(each.reason)) for each in (*letters, *refusals)
        }


@given(st.lists(triggers(), max_size=2), st.lists(segments(), max_size=2), st.lists(LETTERS))
def test_live_files_stay_inside_the_folder_and_a_replay_changes_nothing(found, looked, letters):
    found = [each for each in found if refused(each) is None]
    looked = [each for each in looked if refused(each) is None]
    with tempfile.TemporaryDirectory() as top:
        output = Path(f"{top}/a/b/out")
        for again in (False, True):
            changed = [
                *(rolling.add_triggers(output / rolling.trigger_name(each), [each], MADE)
                  for each in found[:1]),
                *(rolling.add_snippets(output / rolling.snippet_name(each), [each], MADE, 2)
                  for each in found[:1]),
                *(rolling.add_segments(output / rolling.segment_name(each), [each], MADE)
                  for each in looked if each.start_ns < each.end_ns),
                rolling.add_letters(output / rolling.letter_name(START), letters),
            ]  # fmt: skip
            assert not (again and any(changed))
        assert outside(top, output) == []
        assert len(writers.read_dead_letters(output)) == len(
            {tuple(json.loads(line).values()) for line in writers.letter_lines(letters)}
        )


@given(triggers())
def test_a_message_holds_only_numbers_that_json_has_or_its_trigger_is_refused(trigger):
    letter = refused(trigger)
    message = None
    with suppress(ValueError, OverflowError):
        message = trigger_message(trigger, "0.1.0", 0.0)

    if message is None:
        assert letter.kind in (LetterKind.UNPUBLISHABLE, LetterKind.CHANNEL)
        assert "\n" not in letter.reason
    else:
        json.loads(message.value.decode("utf-8"), parse_constant=pytest.fail)


@given(LETTERS, segments())
def test_dead_letters_and_segments_are_messages_whatever_they_say(letter, segment):
    assert json.loads(dead_letter_message(letter).value)["kind"] == letter.kind
    if refused(segment) is None:
        assert json.loads(segment_message(segment).value)["kind"] == segment.kind


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_a_dead_letter_with_its_name(name, value):
    letter = refused(replace(TRIGGER, **{name: value}))

    assert letter.source == TRIGGER.id
    assert letter.kind is LetterKind.UNPUBLISHABLE
    assert name in letter.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"score": math.inf},
        {"probabilities": (("blip", math.nan),)},
        {"wdf_value": np.array([3, np.nan], np.float32).tobytes()},
        {"wdf_value": b"\x00\x01\x02"},
        {"snippet": np.array([1, np.inf], np.float32).tobytes()},
        {"snippet": b"\x00\x01\x02"},
        {"snippet_rate": 0},
        {"time_ns": 2**63},
        {"data_time_ns": 10**400},
        {"tiles": 2**70},
        {"id": "a/b"},
        {"id": ""},
    ],
)
def test_what_no_file_can_hold_is_a_dead_letter(changes):
    assert refused(replace(TRIGGER, **changes)).kind is LetterKind.UNPUBLISHABLE


@st.composite
def events(draw):
    first, second = EVENT.triggers
    texts = {"label": draw(TEXTS), "dq": tuple(draw(st.lists(TEXTS, max_size=2)))}
    numbers = ("snr", "rank", "rank_unlabelled", "correlation", "score", "far")
    return replace(
        EVENT,
        id=draw(st.one_of(st.sampled_from(["E1", "E2"]), TEXTS)),
        pair=draw(TEXTS),
        far_method=draw(TEXTS),
        triggers=(replace(first, **texts), second),
        time_ns=draw(st.one_of(st.just(EVENT.time_ns), st.integers())),
        **{name: draw(ANY) for name in draw(st.sets(st.sampled_from(numbers), max_size=1))},
    )


@given(events())
def test_an_event_is_refused_or_its_file_and_its_message_hold_what_json_has(event):
    letter = refused(event)
    if letter is not None:
        assert letter.kind is LetterKind.UNPUBLISHABLE
        assert "\n" not in letter.reason
        return
    row = json.loads(event_message(event, "0.1.0", 0.0).value, parse_constant=pytest.fail)
    assert (row["far"] is None) == math.isnan(event.far)
    with tempfile.TemporaryDirectory() as top:
        output = prepare(f"{top}/a/b/out", "threshold: 5.5\n", "c0ffee", "0.1.0")
        path = output / rolling.event_name(event)
        assert rolling.add_events(path, [event], MADE)
        assert not rolling.add_events(path, [event], MADE)
        assert outside(top, output) == []
        assert is_ours(path.relative_to(output))
        (read,) = writers.read_events(output).to_pylist()
        assert (read["id"], read["pair"]) == (event.id, storable(event.pair))
        assert finite(read)


@pytest.mark.parametrize("name", ["snr", "rank", "rank_unlabelled", "correlation"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_of_an_event_that_is_not_finite_is_a_dead_letter(name, value):
    letter = refused(replace(EVENT, **{name: value}))

    assert (letter.source, letter.kind) == (EVENT.id, LetterKind.UNPUBLISHABLE)
    assert name in letter.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"far": math.inf},
        {"score": math.inf},
        {"triggers": ()},
        {"triggers": EVENT.triggers[::-1]},
        {"triggers": EVENT.triggers[:1]},
        {"triggers": (replace(EVENT.triggers[0], snr=math.nan), EVENT.triggers[1])},
        {"triggers": (replace(EVENT.triggers[0], time_ns=2**63), EVENT.triggers[1])},
        {"far_louder": 2**63},
        {"far_livetime_ns": 10**400},
        {"time_ns": -1},
        {"time_ns": 2**63},
        {"id": "a/b"},
    ],
)
def test_an_event_that_no_file_can_hold_is_a_dead_letter(changes):
    assert refused(replace(EVENT, **changes)).kind is LetterKind.UNPUBLISHABLE


def test_an_event_of_a_detector_that_is_none_is_refused_with_its_name():
    first, second = EVENT.triggers
    evil = replace(second, ifo="../x")

    letter = refused(replace(EVENT, detectors=("H1", "../x"), triggers=(first, evil)))

    assert letter.kind is LetterKind.CHANNEL
    assert repr("../x") in letter.reason


def test_an_event_without_background_has_no_rate_and_is_not_refused():
    without = replace(EVENT, far=math.nan, score=math.nan)

    assert refused(without) is None
    assert event_row(without, "0.1.0", 0.0)["far"] is None
    assert list(event_row(without, "0.1.0", 0.0)) == [each.name for each in EVENT_COLUMNS]


def test_no_score_is_null_and_not_refused():
    without = replace(TRIGGER, score=math.nan)

    assert refused(without) is None
    assert trigger_row(without, "0.1.0", 0.0)["score"] is None
    assert list(trigger_row(without, "0.1.0", 0.0)) == [each.name for each in TRIGGER_COLUMNS]


@pytest.mark.parametrize(
    "ifo", ["", "H", "h1", "H1 ", "H1\n", "H\u0661", "H1/..", "..", "H1:x/../../e"]
)
def test_a_detector_that_is_none_is_refused_with_its_name(ifo):
    trigger = replace(TRIGGER, ifo=ifo, channel=f"{ifo}:STRAIN")
    segment = Segment(ifo=ifo, channel=f"{ifo}:STRAIN", start_ns=START, end_ns=END, analysed=True)

    for each in (trigger, segment):
        letter = refused(each)
        assert letter.kind is LetterKind.CHANNEL
        assert repr(ifo) in letter.reason
        assert "\n" not in letter.reason


# -- names of files


@given(st.lists(st.tuples(st.sampled_from(["H1", "L1"]), TEXTS), unique=True, max_size=6))
@example([("H1", "H1:A-B"), ("H1", "H1:A_B")])
@example([("H1", "H1:A-B"), ("H1", "A-B"), ("H1", "H1:A.B")])
def test_each_channel_has_a_file_of_its_own_whatever_the_order(channels):
    names = analysed_names(channels)

    assert len(set(names.values())) == len(channels)
    assert names == analysed_names(channels[::-1])
    for name in names.values():
        assert is_ours(Path(name))
        assert len(Path(name).name) < 200


def test_usual_channels_keep_the_names_that_are_documented():
    names = analysed_names([("H1", "H1:GDS-CALIB_STRAIN"), ("V1", "V1:h_16384Hz")])

    assert list(names.values()) == [
        "segments/H1-GDS_CALIB_STRAIN_ANALYSED.txt",
        "segments/V1-h_16384Hz_ANALYSED.txt",
    ]


def test_two_channels_that_would_share_a_file_have_one_each(tmp_path):
    stretches = [
        Segment(ifo="H1", channel="H1:A-B", start_ns=START, end_ns=END, analysed=True),
        Segment(
            ifo="H1", channel="H1:A_B", start_ns=START, end_ns=START + 2_000_000_000, analysed=True
        ),
    ]

    writers.write_segments(tmp_path, stretches, MADE)

    plain = (tmp_path / "segments" / "H1-A_B_ANALYSED.txt").read_text()
    (other,) = (tmp_path / "segments").glob("H1-A_B_*_ANALYSED.txt")
    assert plain.split()[-1] == "2.000000000"
    assert other.read_text().split()[-1] == "8.000000000"


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/wavefier-test/x"])
def test_no_file_is_written_outside_of_the_folder_that_it_must_not_leave(tmp_path, name):
    folder = tmp_path / "a" / "out"
    folder.mkdir(parents=True)

    with pytest.raises(OutputError, match="lies outside of it"), whole_file(folder / name, folder):
        raise AssertionError

    assert not (tmp_path / "a" / "x").exists()
    assert not Path("/etc/wavefier-test").exists()


# -- texts


@given(TEXTS)
def test_printable_texts_are_held_by_every_format(text):
    shown = storable(text)

    assert storable(shown) == shown
    assert shown.encode("utf-8").decode("utf-8") == shown
    with h5py.File("x", "w", driver="core", backing_store=False) as file:
        file.attrs["text"] = shown
        assert file.attrs["text"] == shown


def test_a_byte_that_is_not_utf8_is_seen_as_such():
    assert storable("caf\udce9.gwf") == "caf\\xe9.gwf"
    assert storable("\ud800 Größe ✓\n") == "\\ud800 Größe ✓\n"
