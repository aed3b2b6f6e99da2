"""Frames in parts: put together whatever happens to the parts, as the distribution cuts them."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.elements import DeadLetter
from transforms.ingest.messages import lldd
from transforms.ingest.messages.lldd import Assembler, Header, Whole, parse, split

RECORDED = Path(__file__).parent / "data" / "lldd-igwn-0.4.1.npz"
GPS = 1_400_000_000


def payload(seed: int, length: int = 1000) -> bytes:
    return np.random.default_rng(seed).bytes(length)


def fed(messages: list[bytes], assembler: Assembler | None = None) -> list[Whole | DeadLetter]:
    """Feed messages at offsets 0, 1, 2, ...; what comes of them."""
    assembler = assembler or Assembler()
    return [
        given
        for offset, message in enumerate(messages)
        for given in assembler.feed(message, f"H1/0/{offset}")
    ]


@pytest.fixture(scope="module")
def recorded() -> list[bytes]:
    """Return the messages that the distribution's own senders made of three frames."""
    with np.load(RECORDED) as file:
        return [file[name].tobytes() for name in file.files]


def test_their_messages_make_their_frames(recorded):
    whole = fed(recorded)
    assert [len(item.payload) for item in whole] == [18213, 18197, 17932]
    assert all(item.payload.startswith(b"IGWD") for item in whole)
    assert [item.source for item in whole] == ["H1/0/0", "H1/0/10", "H1/0/20"]


def test_ours_are_their_messages_but_for_the_number_of_the_frame(recorded):
    ours = []
    for item, second in zip(fed(recorded), (0, 1, 0), strict=True):
        ours += split(item.payload, GPS + second, 2000)
    number = re.compile(rb"^PART,part_id=[0-9]{12},")
    assert all(number.match(message) for message in ours + recorded)
    assert [number.sub(b"", item) for item in ours] == [number.sub(b"", item) for item in recorded]


@given(st.integers(1, 3000), st.integers(1, 1000), st.randoms(use_true_random=False))
def test_any_cut_in_any_order_with_any_repetition_is_put_together(length, part_bytes, rng):
    frames = [payload(seed, length) for seed in range(3)]
    messages = [item for frame in frames for item in split(frame, GPS, part_bytes)]
    messages += rng.choices(messages, k=5)
    rng.shuffle(messages)
    assembler = Assembler()
    whole = fed(messages, assembler)
    assert sorted(item.payload for item in whole) == sorted(frames)
    assert (assembler.pending, assembler.nbytes) == (None, 0)


def test_a_frame_sent_again_comes_once():
    messages = split(payload(1), GPS, 300)
    assert len(fed(messages * 3)) == 1


def test_a_lost_part_is_told_once_others_have_come_for_long_enough():
    messages = split(payload(0), GPS, 300)
    del messages[2]
    for number in range(1, lldd.PATIENCE + 3):
        messages += split(payload(number), GPS + number, 300)
    given = fed(messages)
    (lost,) = (item for item in given if isinstance(item, DeadLetter))
    assert given.index(lost) == lldd.PATIENCE - 1
    assert lost.source == "H1/0/0"
    assert f"GPS {GPS}: 3 of 4 parts came, 700 of 1000 bytes" in lost.reason
    assert lost.checksum == hashlib.sha256(payload(0)[:600] + payload(0)[900:]).hexdigest()
    assert len(given) == lldd.PATIENCE + 3


def test_a_part_that_is_late_but_not_too_late_completes_its_frame():
    late, *messages = split(payload(0), GPS, 300)
    for number in range(1, lldd.PATIENCE):
        messages += split(payload(number), GPS + number, 300)
    whole = fed([*messages, late])
    assert [item.payload for item in whole][-1] == payload(0)
    assert len(whole) == lldd.PATIENCE


def test_what_is_still_needed_is_the_first_message_of_the_oldest_frame():
    first, second = split(payload(1), GPS, 500), split(payload(2), GPS + 1, 500)
    assembler, pending = Assembler(), []
    for offset, message in enumerate((first[1], second[0], second[0], first[0], second[1])):
        assembler.feed(message, f"H1/0/{offset}")
        pending.append(assembler.pending)
    assert pending == ["H1/0/0", "H1/0/0", "H1/0/0", "H1/0/1", None]


def test_what_is_held_is_bounded(monkeypatch):
    monkeypatch.setattr(lldd, "LARGEST_HELD", 5000)
    assembler, given = Assembler(), []
    for number in range(6):
        for message in split(payload(number, 4000), GPS + number, 1000)[:-1]:
            given += assembler.feed(message, "H1/0/0")
            assert assembler.nbytes <= 5000
    assert len(given) == 5
    assert all("3 of 4 parts" in item.reason for item in given)


def changed(message: bytes, **fields: int) -> bytes:
    header, chunk = parse(message, "")
    return bytes(replace(header, **fields)) + chunk


PART = split(payload(1), GPS, 300)[1]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"PART,", "its header does not end"),
        (PART[:100], "its header does not end"),
        (PART[: PART.index(b"\0")] + b"x" * 300, "its header does not end"),
        (PART.replace(b"part_num", b"part_mun"), "no part_num in its header"),
        (PART.replace(b"evt_id=0", b"evt_id=-"), "no evt_id in its header"),
        (PART.replace(b"evt_len=", b"evt_len=" + b"9" * 18), "no evt_len in its header"),
        (PART[:-1], "299 bytes where its header promises 300"),
        (PART + b"x", "301 bytes where its header promises 300"),
        (
            bytes(
                Header(
                    part_id=1, part_num=0, part_tot=1, evt_id=GPS, evt_len=0, part_off=0, part_len=0
                )
            ),
            "part 1 of 1, bytes 0 to 0 of 0",
        ),
        (changed(PART, part_num=4), "part 5 of 4"),
        (changed(PART, part_off=900), "bytes 900 to 1200 of 1000"),
        (changed(PART, evt_len=10**12), "a frame of 1000000000000 bytes"),
    ],
)
def test_a_damaged_part_is_told(message, reason):
    (lost,) = fed([message])
    assert isinstance(lost, DeadLetter)
    assert lost.reason.startswith("H1/0/0: part of a frame is damaged: ")
    assert reason in lost.reason
    assert lost.reason.endswith("; send the frame again")
    assert lost.checksum == hashlib.sha256(message).hexdigest()


def test_a_damaged_part_does_not_harm_the_frames_around_it():
    messages = split(payload(1), GPS, 300)
    given = fed([*messages[:2], b"PART,\0", changed(messages[2], evt_id=7), *messages[2:]])
    assert [type(item) for item in given] == [DeadLetter, Whole]
    assert given[1].payload == payload(1)


CUT = split(payload(1), GPS, 300)


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([CUT[0], changed(CUT[1], part_off=299), *CUT[2:]], "parts that overlap or leave holes"),
        ([changed(item, part_tot=3) for item in CUT[:3]], "all parts but not all bytes"),
    ],
)
def test_parts_that_do_not_fit_together_are_told(messages, reason):
    assembler = Assembler()
    (lost,) = fed(messages, assembler)
    assert isinstance(lost, DeadLetter)
    assert reason in lost.reason
    assert (assembler.pending, assembler.nbytes) == (None, 0)
